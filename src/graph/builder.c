#include "graph/builder.h"

#include <string.h>

static node_id add(struct builder *b, const struct node *spec)
{
    node_id id = NODE_NONE;
    if (b->code != ERR_ok)
        return NODE_NONE;
    b->code = graph_add(b->graph, spec, &id, b->err);
    return b->code == ERR_ok ? id : NODE_NONE;
}

node_id build_op(struct builder *b, enum op op, const node_id *inputs, size_t count, const struct attribute *attributes,
                 size_t attribute_count)
{
    return add(b, &(struct node){.op = op,
                                 .inputs = inputs,
                                 .input_count = (uint32_t)count,
                                 .attributes = attributes,
                                 .attribute_count = attribute_count});
}

node_id build_unary(struct builder *b, enum op op, node_id x)
{
    return build_op(b, op, &x, 1, NULL, 0);
}

node_id build_binary(struct builder *b, enum op op, node_id x, node_id y)
{
    return build_op(b, op, (node_id[]){x, y}, 2, NULL, 0);
}

node_id build_where(struct builder *b, node_id condition, node_id x, node_id y)
{
    return build_op(b, OP_Where, (node_id[]){condition, x, y}, 3, NULL, 0);
}

node_id build_scalar(struct builder *b, double value)
{
    struct tensor scalar = {.dtype = DTYPE_FLOAT64, .data = &value};
    struct attribute a = {.key = ATTRIBUTE_value, .kind = KIND_TENSOR, .tensor = &scalar};
    return build_op(b, OP_Constant, NULL, 0, &a, 1);
}

/* An op of one operand whose attribute `shape` is that shape. */
static node_id build_shaped(struct builder *b, enum op op, node_id x, struct shape shape)
{
    struct attribute a = {.key = ATTRIBUTE_shape, .kind = KIND_INTS, .ints = {shape.dim, (size_t)shape.rank}};
    return build_op(b, op, &x, 1, &a, 1);
}

node_id build_fill(struct builder *b, double value, struct shape shape)
{
    return build_expand(b, build_scalar(b, value), shape);
}

node_id build_input(struct builder *b, const char *name, struct shape shape)
{
    return add(b, &(struct node){.op = OP_Input, .name = name, .shape = shape});
}

struct shape build_shape(const struct builder *b, node_id x)
{
    return b->code == ERR_ok ? graph_node(b->graph, x)->shape : (struct shape){0};
}

node_id build_expand(struct builder *b, node_id x, struct shape shape)
{
    return shape_equal(build_shape(b, x), shape) ? x : build_shaped(b, OP_Expand, x, shape);
}

/* Reshape reads 0 as "keep": a tensor without elements is made anew instead. */
node_id build_reshape(struct builder *b, node_id x, struct shape shape)
{
    for (int i = 0; i < shape.rank; i++)
        if (shape.dim[i] == 0)
            return build_fill(b, 0, shape);
    return shape_equal(build_shape(b, x), shape) ? x : build_shaped(b, OP_Reshape, x, shape);
}

node_id build_reduce(struct builder *b, enum op op, node_id x, const int64_t *axes, size_t count, bool keepdims)
{
    struct attribute attributes[] = {
        {.key = ATTRIBUTE_axes, .kind = KIND_INTS, .ints = {axes, count}},
        {.key = ATTRIBUTE_keepdims, .kind = KIND_BOOL, .integer = keepdims},
    };
    return build_op(b, op, &x, 1, attributes, 2);
}

node_id build_reduce_to(struct builder *b, node_id x, struct shape shape)
{
    struct shape from = build_shape(b, x);
    int lead = from.rank - shape.rank;
    int64_t axes[RANK_MAX];
    size_t count = 0;
    bool only_lead = true;
    for (int i = 0; i < from.rank; i++) {
        bool repeated = i >= lead && shape.dim[i - lead] == 1 && from.dim[i] != 1;
        if (i < lead || repeated)
            axes[count++] = i;
        only_lead = only_lead && !repeated;
    }
    if (count == 0)
        return x;
    node_id sum = build_reduce(b, OP_ReduceSum, x, axes, count, !only_lead);
    return only_lead ? sum : build_reshape(b, sum, shape);
}

node_id build_transpose(struct builder *b, node_id x, const int64_t *perm)
{
    struct attribute a = {.key = ATTRIBUTE_perm, .kind = KIND_INTS, .ints = {perm, (size_t)build_shape(b, x).rank}};
    return build_op(b, OP_Transpose, &x, 1, &a, 1);
}

node_id build_swap_last(struct builder *b, node_id x)
{
    int64_t perm[RANK_MAX];
    int rank = build_shape(b, x).rank;
    for (int i = 0; i < rank; i++)
        perm[i] = i < rank - 2 ? i : 2 * rank - 3 - i;
    return build_transpose(b, x, perm);
}

node_id build_slice(struct builder *b, node_id x, int64_t axis, int64_t start, int64_t step, int64_t count)
{
    int64_t end = start + (count - 1) * step + (step < 0 ? -1 : 1);
    if (count == 0)
        end = start;
    else if (end < 0) /* before the first element: -1 would be the last one */
        end = -build_shape(b, x).dim[axis] - 1;
    const struct attribute attributes[] = {
        {.key = ATTRIBUTE_starts, .kind = KIND_INTS, .ints = {&start, 1}},
        {.key = ATTRIBUTE_ends, .kind = KIND_INTS, .ints = {&end, 1}},
        {.key = ATTRIBUTE_axes, .kind = KIND_INTS, .ints = {&axis, 1}},
        {.key = ATTRIBUTE_steps, .kind = KIND_INTS, .ints = {&step, 1}},
    };
    return build_op(b, OP_Slice, &x, 1, attributes, 4);
}

node_id build_size(struct builder *b, node_id x)
{
    return build_unary(b, OP_Size, x);
}
