/* The inside of a plan: what planning writes and running reads. Inside engine/ only. */
#ifndef GRADD_ENGINE_INTERNAL_H
#define GRADD_ENGINE_INTERNAL_H

#include "base/arena.h"
#include "engine/kernels.h"
#include "engine/plan.h"
#include "engine/product.h"
#include "engine/run.h"

/* Where things lie: the run's arena, the plan's constants, the leaves in order, and the row numbers of each leaf. */
enum { BASE_ARENA, BASE_CONSTANTS, BASE_LEAVES };

/* A place: an offset from a base. While planning, base is the index of a storage and the offset counts elements; in a
 * plan that is done, base is an index into the run's bases and the offset counts bytes. */
struct ref {
    uint32_t base;
    int64_t offset;
};
#define REF_NONE ((struct ref){UINT32_MAX, 0}) /* a pointer that is NULL */

struct call;
struct frame; /* what a call may look at, beside its pointers */

/* A call that is more than one of its kernel. */
typedef err_code (*execute_fn)(const struct call *c, void *const *p, const struct frame *frame, struct error *err);

/* Computes one piece of a call; thread: which scratch is free. */
typedef void piece_fn(const struct call *c, void *const *p, uint32_t piece, int thread);

/* A step of a plan. */
enum { REFS_MAX = 8 + ACCESSES_MAX, SCRATCH_OF_PRODUCT = 3 };
struct call {
    execute_fn execute; /* NULL: kernel(args, p) */
    kernel_fn kernel;
    const void *args; /* owned by the plan's memory, like all below */
    struct ref *refs; /* p */
    uint32_t ref_count;
    uint32_t written;              /* bits: those that are written, but for scratch */
    const struct program *program; /* the elementwise ops in it, or NULL */
    const char *name;              /* of the kernel, for describing */
    const node_id *nodes;          /* of the graph, that it computes */
    uint32_t node_count;
    double flops;

    /* How threads share it, see pieces.c. */
    piece_fn *piece; /* NULL: they don't */
    uint32_t pieces;
    struct cut {
        int64_t rows, columns; /* of a piece */
    } cut;
    block_fn finish;
    size_t element_bytes;
    size_t scratch_stride; /* bytes from the scratch of one thread to that of the next */
};

/* What a ref of a step is to describe.h. */
struct place_note {
    size_t offset, bytes; /* of the whole piece: in the arena, in the constants; 0: a leaf's */
    bool scratch;         /* nothing has written it before this step */
};

struct frame {
    uint64_t seed, step;
    const atomic_bool *cancel; /* NULL: not to be heeded */
};

struct leaf {
    const char *name; /* owned by the plan's memory */
    node_id node;
    struct shape shape;
    bool shared;   /* some output is written there */
    bool gathered; /* rows of a table */
};

struct output {
    struct ref ref;
    struct shape shape;
};

struct plan {
    struct arena *memory; /* names, args */
    const struct kernels_of_dtype *kernels;
    enum dtype dtype;
    struct call *calls;
    size_t call_count;
    size_t commit; /* the first call that writes a leaf: from there on a run is not stopped */
    struct leaf *leaves;
    size_t leaf_count;
    struct leaf **by_name; /* the leaves, sorted */
    struct output *outputs;
    size_t output_count;
    void *constants; /* 64-byte aligned */
    size_t constant_bytes;
    size_t arena_bytes;
    double flops;
    struct place_note *notes; /* owned; REFS_MAX a step, where the plan is described; else NULL */
};

#endif
