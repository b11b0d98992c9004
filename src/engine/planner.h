/* Planning: a graph becomes steps over storages. Inside engine/ only.
 *
 * plan.c drives; lower*.c turn each node into drafts of steps; views.c reads results in other shapes without moving
 * them; fuse.c merges drafts; emit.c makes calls of them; shared.c places outputs that are written over leaves;
 * memory.c lays the storages out in the arena. */
#ifndef GRADD_ENGINE_PLANNER_H
#define GRADD_ENGINE_PLANNER_H

#include "engine/internal.h"
#include "engine/product.h"

enum storage_kind { STORAGE_ARENA, STORAGE_CONSTANTS, STORAGE_LEAF, STORAGE_ROWS };

/* A piece of memory that steps write and read. */
struct storage {
    enum storage_kind kind;
    uint32_t leaf;  /* of a leaf, or of its row numbers */
    uint32_t alias; /* itself, or the storage that it became part of */
    size_t bytes;
    size_t offset;        /* in the arena */
    int64_t row, columns; /* of a padded tensor: elements from row to row, and those that mean something; else 0 */

    /* Drafts that use it, for fuse.c. */
    uint32_t writer;   /* the draft that writes it, if there is one only */
    uint32_t writers;  /* how many do */
    uint32_t reads;    /* operands of drafts, and outputs of the plan */
    uint32_t inside;   /* those of them that are in the draft that writes it */
    bool read_outside; /* by a draft that stands after the writer */
};
enum { STORAGE_OF_CONSTANTS = 0 }; /* the index of the only one */

/* How a storage is read as a tensor. */
struct view {
    uint32_t storage;
    int64_t offset; /* elements */
    struct shape shape;
    int64_t stride[RANK_MAX]; /* elements; 0: repeated */
};

/* A step as lowering makes it: a call of a kernel. refs[0] is written, the others are read, or are scratch. */
enum { STEP_REFS_MAX = 6 };
struct step {
    const char *name; /* of the kernel; NULL: the op's */
    execute_fn execute;
    kernel_fn kernel;
    const void *args;
    uint32_t ref_count;
    struct ref refs[STEP_REFS_MAX];
};

/* An elementwise op over views of one shape. */
struct map {
    enum op op;
    int count;
    node_id node;
    struct view out, in[OPERANDS_MAX];
};

/* A product; a long one in blocks of rows and columns, so that it can be cancelled. */
struct long_product_args {
    struct product_args product;
    size_t element_bytes;
    bool is_long;
    int64_t block_rows, block_columns;
};

/* A step before it is known what else it takes in. Maps are in the order in which they are computed; the result of a
 * product stands among them, as a map of no operands. */
enum draft_kind { DRAFT_STEP, DRAFT_MAPS, DRAFT_PRODUCT, DRAFT_REDUCTION, DRAFT_MERGED };
struct draft {
    enum draft_kind kind;
    uint32_t into; /* MERGED: the draft that took it in */
    node_id node;
    double flops;
    struct step step; /* STEP, and PRODUCT, whose args are long_product_args; of a REDUCTION only the kernel */
    struct map *maps;
    uint32_t map_count, map_capacity;
    struct shape space; /* of the maps' views and of x */
    struct view x, out; /* REDUCTION: x is reduced over the axes first to last */
    int first, last;
    double divisor;
};

struct planner {
    const struct plan_spec *spec;
    struct plan *plan;
    struct arena *memory;    /* while planning */
    struct view *values;     /* by node */
    unsigned char *friendly; /* by node: 1 where its rows may be padded */
    struct storage *storages;
    size_t storage_count, storage_capacity;
    struct draft *drafts;
    size_t draft_count, draft_capacity;
    size_t call_capacity;
    struct view *operands; /* of the node that is being lowered */
    size_t operand_capacity;
    size_t constant_capacity; /* bytes of plan->constants while it grows */
    node_id node;             /* that is being lowered */
    double drafted_flops;     /* plan->flops at the last draft: what was added since is the next one's */
    struct error *err;
};

/* ---- plan.c: what lowering calls */

/* Makes room for one more element: false if there is no memory. */
bool planner_grow(void **array, size_t *capacity, size_t count, size_t size);
/* A new piece of the arena. */
err_code planner_storage(struct planner *p, int64_t elements, size_t element_bytes, uint32_t *ret);
/* Room for a tensor among the constants, as a contiguous view; its elements are to be written to *ret_data at once. */
err_code planner_constant(struct planner *p, struct shape shape, struct view *ret, void **ret_data);
/* A new contiguous tensor in the arena. */
err_code planner_tensor(struct planner *p, struct shape shape, struct view *ret);
/* A new tensor for the node that is being lowered, its rows padded if that is good. */
err_code planner_result(struct planner *p, struct shape shape, struct view *ret);
/* The same as planner_tensor, with a step that fills it with zeros. */
err_code planner_zeros(struct planner *p, struct shape shape, struct view *ret);
/* Appends a draft of one step; args (may be NULL) are copied. */
err_code planner_step(struct planner *p, const struct step *step, const void *args, size_t size);
err_code planner_draft(struct planner *p, const struct draft *draft);

/* ---- padding.c */

/* Marks (1 or 0, by node) of the results that only such nodes read as do not mind padded rows. */
void mark_padding(const struct planner *p, const unsigned char *needed, unsigned char *ret_friendly);
/* Whether rows of a view, `columns` contiguous elements each, are followed by padding. */
bool view_has_slack(const struct planner *p, const struct view *v, int64_t row_stride, int64_t column_stride,
                    int64_t columns);

/* ---- lower.c */

/* Appends the steps of a node whose operands are known, and sets its value. */
err_code lower_node(struct planner *p, node_id id);
/* Applies an elementwise op; what every operand repeats is computed once, and repeated by the view. */
err_code lower_elementwise(struct planner *p, enum op op, const struct view *operands, int count, struct shape shape,
                           struct view *ret);
/* Copies a view to another of the same shape. */
err_code lower_copy(struct planner *p, const struct view *to, const struct view *from);
/* Appends the draft of a product, whose result is c; args are copied. */
err_code planner_product(struct planner *p, const struct step *step, const struct view *c,
                         const struct long_product_args *args);
/* Makes a view contiguous, by a copy if it is not. */
err_code lower_contiguous(struct planner *p, struct view *view);

typedef err_code (*lower_fn)(struct planner *p, const struct node *n, const struct view *in, struct view *ret);
err_code lower_matmul(struct planner *p, const struct node *n, const struct view *in, struct view *ret);
err_code lower_linear(struct planner *p, const struct node *n, const struct view *in, struct view *ret);
err_code lower_reduce(struct planner *p, const struct node *n, const struct view *in, struct view *ret);
err_code lower_cum_sum(struct planner *p, const struct node *n, const struct view *in, struct view *ret);
err_code lower_arg_max(struct planner *p, const struct node *n, const struct view *in, struct view *ret);
err_code lower_norm(struct planner *p, const struct node *n, const struct view *in, struct view *ret);
err_code lower_softmax(struct planner *p, const struct node *n, const struct view *in, struct view *ret);
err_code lower_loss(struct planner *p, const struct node *n, const struct view *in, struct view *ret);
err_code lower_cross_entropy(struct planner *p, const struct node *n, const struct view *in, struct view *ret);
err_code lower_gather(struct planner *p, const struct node *n, const struct view *in, struct view *ret);
err_code lower_scatter_add(struct planner *p, const struct node *n, const struct view *in, struct view *ret);
err_code lower_one_hot(struct planner *p, const struct node *n, const struct view *in, struct view *ret);
err_code lower_windows(struct planner *p, const struct node *n, const struct view *in, struct view *ret);
err_code lower_fold_windows(struct planner *p, const struct node *n, const struct view *in, struct view *ret);
err_code lower_max_pool(struct planner *p, const struct node *n, const struct view *in, struct view *ret);
err_code lower_pick_max(struct planner *p, const struct node *n, const struct view *in, struct view *ret);
err_code lower_place_max(struct planner *p, const struct node *n, const struct view *in, struct view *ret);

/* Appends a step whose last ref so far is to become checked indices below `size`, made of `numbers` (contiguous); the
 * ref to those follows it. */
err_code planner_indexed_step(struct planner *p, const struct node *n, struct step *step, const void *kernel_args,
                              size_t kernel_args_size, const struct view *numbers, int64_t size, bool negative);

/* ---- views.c */

struct view view_contiguous(uint32_t storage, struct shape shape);
bool view_is_contiguous(const struct view *v);
/* Each dimension of 1 repeated to that of `shape`, aligned at the last axes. */
struct view view_broadcast(const struct view *v, struct shape shape);
struct view view_transpose(const struct view *v, const int64_t *perm);
/* Elements start, start + step, ... (count of them) along an axis. */
struct view view_slice(const struct view *v, int axis, int64_t start, int64_t step, int64_t count);
/* The same elements in another shape; false where that needs a copy. */
bool view_reshape(const struct view *v, struct shape shape, struct view *ret);
struct ref view_ref(const struct view *v);
int64_t view_elements(const struct view *v);
/* The same elements of the same storage, in the same order of the same axes. */
bool view_same(const struct view *a, const struct view *b);
/* Whether the axes first to last are walked as one. */
bool view_is_merged(const struct view *v, int first, int last);

/* ---- execute.c: steps that are more than a call of their kernel */

/* Rounds and checks index numbers, then calls the kernel. */
struct indexed_args {
    const void *kernel_args;
    enum dtype dtype;
    int64_t count, size;
    bool negative;     /* negative ones count from the end */
    int numbers, into; /* refs: what is read, and the int64 scratch */
    const char *name;  /* of the node, or NULL */
    const char *op;
    int line; /* 0: not known */
};
err_code execute_indexed(const struct call *c, void *const *p, const struct frame *frame, struct error *err);
err_code execute_dropout(const struct call *c, void *const *p, const struct frame *frame, struct error *err);
err_code execute_long_product(const struct call *c, void *const *p, const struct frame *frame, struct error *err);
/* Whether a run can fail at this call because of values. */
bool call_can_fail(const struct call *c);

/* ---- fuse.c, emit.c */

/* Merges drafts, as far as that is right and fits. */
err_code plan_fuse(struct planner *p);
/* The draft that a draft became part of. */
uint32_t draft_of(const struct planner *p, uint32_t draft);
/* Whether a storage has to be in memory: something reads it outside of the draft that writes it. */
bool storage_is_stored(const struct storage *s);
/* Makes the calls of all drafts. */
err_code plan_emit(struct planner *p);
/* Appends a call that copies a view to another, to run after all others so far. */
err_code emit_copy(struct planner *p, const struct view *to, const struct view *from);
/* Computes a map of constants now, to `out`. */
err_code fold_map(struct planner *p, const struct map *map, void *out);

/* ---- pieces.c */

/* Cuts the calls that are worth it into pieces. */
void plan_cut(struct planner *p);

/* ---- describe.c */

/* Notes how large the pieces are that steps use, while storages are still known. */
err_code plan_note_places(struct planner *p);

/* ---- memory.c, shared.c */

/* The storage that a storage became part of. */
uint32_t storage_of(const struct planner *p, uint32_t storage);
/* Whether what a call writes as ref w may lie where it reads ref r: it reads each element there before, or just when,
 * it writes it. */
bool call_may_overwrite(const struct call *c, uint32_t w, uint32_t r);
/* Lets shared outputs be written where their leaves lie, in place or by a copy at the end. */
err_code plan_shared_outputs(struct planner *p);
/* Unites in-place results with their operands, places storages in the arena, and turns refs into bases and bytes. */
err_code plan_memory(struct planner *p);

#endif
