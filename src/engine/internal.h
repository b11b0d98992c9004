/* The inside of a plan: what planning writes and running reads. Inside engine/ only. */
#ifndef GRADD_ENGINE_INTERNAL_H
#define GRADD_ENGINE_INTERNAL_H

#include "base/arena.h"
#include "engine/kernels.h"
#include "engine/plan.h"
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

struct step;
struct frame; /* what a step may look at, beside its pointers */

/* A step that is more than one call of its kernel. */
typedef err_code (*execute_fn)(const struct step *s, void *const *p, const struct frame *frame, struct error *err);

enum { REFS_MAX = 6 };
struct step {
    execute_fn execute; /* NULL: kernel(args, p) */
    kernel_fn kernel;
    const void *args; /* owned by the plan's memory */
    bool elementwise; /* args are elementwise_args */
    uint32_t ref_count;
    struct ref refs[REFS_MAX]; /* p: the first is written, the others are read, or are scratch */
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
    struct step *steps;
    size_t step_count;
    size_t commit; /* the first step that writes a leaf: from there on a run is not stopped */
    struct leaf *leaves;
    size_t leaf_count;
    struct output *outputs;
    size_t output_count;
    void *constants; /* 64-byte aligned */
    size_t constant_bytes;
    size_t arena_bytes;
    double flops;
};

#endif
