/* Planning: a graph becomes steps over storages. Inside engine/ only.
 *
 * plan.c drives; lower*.c turn each node into steps; views.c reads results in other shapes without moving them;
 * shared.c places outputs that are written over leaves; memory.c lays the storages out in the arena. */
#ifndef GRADD_ENGINE_PLANNER_H
#define GRADD_ENGINE_PLANNER_H

#include "engine/internal.h"

enum storage_kind { STORAGE_ARENA, STORAGE_CONSTANTS, STORAGE_LEAF, STORAGE_ROWS };

/* A piece of memory that steps write and read. */
struct storage {
    enum storage_kind kind;
    uint32_t leaf;  /* of a leaf, or of its row numbers */
    uint32_t alias; /* itself, or the storage that it became part of */
    size_t bytes;
    size_t offset; /* in the arena */
};
enum { STORAGE_OF_CONSTANTS = 0 }; /* the index of the only one */

/* How a storage is read as a tensor. */
struct view {
    uint32_t storage;
    int64_t offset; /* elements */
    struct shape shape;
    int64_t stride[RANK_MAX]; /* elements; 0: repeated */
};

struct planner {
    const struct plan_spec *spec;
    struct plan *plan;
    struct view *values; /* by node */
    struct storage *storages;
    size_t storage_count, storage_capacity;
    size_t step_capacity;
    struct view *operands; /* of the node that is being lowered */
    size_t operand_capacity;
    size_t constant_capacity; /* bytes of plan->constants while it grows */
    struct error *err;
};

/* ---- plan.c: what lowering calls */

/* A new piece of the arena. */
err_code planner_storage(struct planner *p, int64_t elements, size_t element_bytes, uint32_t *ret);
/* Room for a tensor among the constants, as a contiguous view; its elements are to be written to *ret_data at once. */
err_code planner_constant(struct planner *p, struct shape shape, struct view *ret, void **ret_data);
/* A new contiguous tensor in the arena. */
err_code planner_tensor(struct planner *p, struct shape shape, struct view *ret);
/* The same, with a step that fills it with zeros. */
err_code planner_zeros(struct planner *p, struct shape shape, struct view *ret);
/* Appends a step; args (may be NULL) are copied. */
err_code planner_step(struct planner *p, const struct step *step, const void *args, size_t size);

/* ---- lower.c */

/* Appends the steps of a node whose operands are known, and sets its value. */
err_code lower_node(struct planner *p, node_id id);
/* Applies an elementwise op; what every operand repeats is computed once, and repeated by the view. */
err_code lower_elementwise(struct planner *p, enum op op, const struct view *operands, int count, struct shape shape,
                           struct view *ret);
/* Copies a view to another of the same shape. */
err_code lower_copy(struct planner *p, const struct view *to, const struct view *from);
/* Makes a view contiguous, by a copy if it is not. */
err_code lower_contiguous(struct planner *p, struct view *view);

typedef err_code (*lower_fn)(struct planner *p, const struct node *n, const struct view *in, struct view *ret);
err_code lower_matmul(struct planner *p, const struct node *n, const struct view *in, struct view *ret);
err_code lower_linear(struct planner *p, const struct node *n, const struct view *in, struct view *ret);
err_code lower_reduce(struct planner *p, const struct node *n, const struct view *in, struct view *ret);
err_code lower_softmax(struct planner *p, const struct node *n, const struct view *in, struct view *ret);
err_code lower_loss(struct planner *p, const struct node *n, const struct view *in, struct view *ret);
err_code lower_cross_entropy(struct planner *p, const struct node *n, const struct view *in, struct view *ret);
err_code lower_gather(struct planner *p, const struct node *n, const struct view *in, struct view *ret);
err_code lower_scatter_add(struct planner *p, const struct node *n, const struct view *in, struct view *ret);
err_code lower_one_hot(struct planner *p, const struct node *n, const struct view *in, struct view *ret);

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
/* The loops over views of one shape, the first of them the output: axes merged where all allow it. ret_axes: rank of
 * them; returns rank. */
int view_loops(const struct view *const *views, int count, struct loop_axis ret_axes[RANK_MAX]);
struct ref view_ref(const struct view *v);
int64_t view_elements(const struct view *v);

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
err_code execute_indexed(const struct step *s, void *const *p, const struct frame *frame, struct error *err);
err_code execute_dropout(const struct step *s, void *const *p, const struct frame *frame, struct error *err);
/* A long product, in blocks of rows and columns, so that it can be cancelled. */
struct long_product_args {
    struct product_args product;
    size_t element_bytes;
    int64_t block_rows, block_columns;
};
err_code execute_long_product(const struct step *s, void *const *p, const struct frame *frame, struct error *err);
/* Whether a run can fail at this step because of values. */
bool step_can_fail(const struct step *s);

/* ---- memory.c, shared.c */

/* The storage that a storage became part of. */
uint32_t storage_of(const struct planner *p, uint32_t storage);
/* Whether a step may write over the storage of its operand r: it reads that storage element by element, just where it
 * writes. */
bool step_may_overwrite(const struct step *s, uint32_t r);
/* Lets shared outputs be written where their leaves lie, in place or by a copy at the end. */
err_code plan_shared_outputs(struct planner *p);
/* Unites in-place results with their operands, places storages in the arena, and turns refs into bases and bytes. */
err_code plan_memory(struct planner *p);

#endif
