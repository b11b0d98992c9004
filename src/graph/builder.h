/* Short words for appending derived nodes: what derivative rules and optimizers are written in.
 * The first failure stays in `code` and `err`; from then on every call returns NODE_NONE and does nothing, so it is
 * checked once, at the end. */
#ifndef GRADD_GRAPH_BUILDER_H
#define GRADD_GRAPH_BUILDER_H

#include "graph/graph.h"

struct builder {
    struct graph *graph;
    err_code code;     /* start with ERR_ok */
    struct error *err; /* may be NULL */
};

node_id build_op(struct builder *b, enum op op, const node_id *inputs, size_t count, const struct attribute *attributes,
                 size_t attribute_count);
node_id build_unary(struct builder *b, enum op op, node_id x);
node_id build_binary(struct builder *b, enum op op, node_id x, node_id y);
node_id build_where(struct builder *b, node_id condition, node_id x, node_id y);
node_id build_scalar(struct builder *b, double value);                   /* Constant; finite */
node_id build_fill(struct builder *b, double value, struct shape shape); /* a scalar Constant, expanded */
node_id build_input(struct builder *b, const char *name, struct shape shape);
node_id build_expand(struct builder *b, node_id x, struct shape shape);
node_id build_reshape(struct builder *b, node_id x, struct shape shape);
node_id build_reduce(struct builder *b, enum op op, node_id x, const int64_t *axes, size_t count, bool keepdims);
node_id build_reduce_to(struct builder *b, node_id x,
                        struct shape shape); /* sums what broadcasting repeated: the adjoint of expand */
node_id build_transpose(struct builder *b, node_id x, const int64_t *perm); /* rank of x entries */
node_id build_swap_last(struct builder *b, node_id x);                      /* the last two axes */
/* Elements start, start + step, ... of an axis of a concrete shape, `count` of them, all within it. */
node_id build_slice(struct builder *b, node_id x, int64_t axis, int64_t start, int64_t step, int64_t count);
node_id build_size(struct builder *b, node_id x); /* number of elements, a scalar */
struct shape build_shape(const struct builder *b, node_id x);

#endif
