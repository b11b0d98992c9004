/* Random graphs: every op of the engine, on whatever shapes come up. */
#include "engine/reference.h"
#include <stdlib.h>

enum { SMALL = 600 }; /* elements that a node may have before it is only made smaller */

static node_id any_node(const struct builder *b, struct dice *d)
{
    return (node_id)dice_below(d, (int64_t)graph_size(b->graph));
}

static node_id unary(struct builder *b, struct dice *d, node_id x)
{
    static const enum op ops[] = {OP_Identity, OP_Neg,  OP_Abs,  OP_Sign,    OP_Square,   OP_Sin,  OP_Cos,
                                  OP_Tanh,     OP_Tanh, OP_Tanh, OP_Sigmoid, OP_Softplus, OP_Relu, OP_StopGradient};
    return build_unary(b, ops[dice_below(d, sizeof ops / sizeof *ops)], x);
}

/* Ops that want positive operands, or such as do not grow too large. */
static node_id guarded(struct builder *b, struct dice *d, node_id x)
{
    static const enum op ops[] = {OP_Reciprocal, OP_Sqrt, OP_Exp, OP_Log};
    const node_id positive = build_binary(b, OP_Add, build_unary(b, OP_Sigmoid, x), build_scalar(b, 0.25));
    if (dice_below(d, 3) == 0)
        return build_binary(b, OP_Pow, positive,
                            dice_below(d, 2) == 0 ? build_scalar(b, 2) : build_unary(b, OP_Tanh, x));
    return build_unary(b, ops[dice_below(d, sizeof ops / sizeof *ops)], positive);
}

/* An operand that broadcasts with x: a node of its shape, or a new leaf with some axes left out or of one element. */
static node_id partner(struct builder *b, struct dice *d, node_id x)
{
    const struct shape s = build_shape(b, x);
    for (int tries = 0; tries < 5; tries++) {
        const node_id y = any_node(b, d);
        if (shape_equal(build_shape(b, y), s))
            return y;
    }
    struct shape small = s;
    const int dropped = (int)dice_below(d, s.rank + 1);
    small.rank -= dropped;
    for (int axis = 0; axis < small.rank; axis++)
        small.dim[axis] = dice_below(d, 3) == 0 ? 1 : s.dim[axis + dropped];
    return test_input(b, small.rank, small.dim);
}

static node_id binary(struct builder *b, struct dice *d, node_id x)
{
    static const enum op ops[] = {OP_Add,   OP_Sub,      OP_Mul,  OP_Max,         OP_Min,     OP_Add,
                                  OP_Equal, OP_NotEqual, OP_Less, OP_LessOrEqual, OP_Greater, OP_GreaterOrEqual};
    const enum op op = ops[dice_below(d, sizeof ops / sizeof *ops)];
    const node_id y = partner(b, d, x);
    if (dice_below(d, 8) == 0)
        return build_where(b, build_binary(b, OP_Less, x, y), x, partner(b, d, x));
    if (dice_below(d, 8) == 0)
        return build_binary(b, OP_Div, x, build_binary(b, OP_Add, build_unary(b, OP_Square, y), build_scalar(b, 1)));
    return dice_below(d, 2) == 0 ? build_binary(b, op, x, y) : build_binary(b, op, y, x);
}

static node_id products(struct builder *b, struct dice *d, node_id x)
{
    const struct shape s = build_shape(b, x);
    if (s.rank == 0)
        return unary(b, d, x);
    const int64_t k = s.dim[s.rank - 1];
    const int64_t n = 1 + dice_below(d, 20);
    const int64_t choice = dice_below(d, 4);
    node_id y;
    if (choice == 0)
        y = build_op(b, OP_MatMul, (node_id[]){x, test_input(b, 1, &k)}, 2, NULL, 0);
    else if (choice == 1 && s.rank >= 2) {
        const node_id in[] = {x, test_input(b, 2, (int64_t[]){k, n}), test_input(b, 1, &n)};
        y = build_op(b, OP_Linear, in, 2 + (size_t)dice_below(d, 2), NULL, 0);
    } else if (choice == 2) {
        y = build_op(b, OP_MatMul, (node_id[]){x, build_unary(b, OP_Transpose, test_input(b, 2, (int64_t[]){n, k}))}, 2,
                     NULL, 0);
    } else if (s.rank >= 2) {
        y = build_op(b, OP_MatMul, (node_id[]){build_swap_last(b, x), x}, 2, NULL, 0);
    } else {
        y = build_op(b, OP_MatMul, (node_id[]){x, x}, 2, NULL, 0);
    }
    return build_unary(b, OP_Tanh, y);
}

static node_id moved(struct builder *b, struct dice *d, node_id x)
{
    const struct shape s = build_shape(b, x);
    const int axis = s.rank > 0 ? (int)dice_below(d, s.rank) : 0;
    const int64_t elements = elements_of(b->graph, x);
    int64_t perm[RANK_MAX];
    switch (s.rank == 0 ? 1 : dice_below(d, 6)) {
    case 0:
        for (int i = 0; i < s.rank; i++)
            perm[i] = i;
        for (int i = s.rank - 1; i > 0; i--) {
            const int64_t j = dice_below(d, i + 1), kept = perm[i];
            perm[i] = perm[j];
            perm[j] = kept;
        }
        return build_transpose(b, x, perm);
    case 1: {
        const struct shape flat =
            elements % 2 == 0 && elements > 0 ? (struct shape){2, {elements / 2, 2}} : (struct shape){1, {elements}};
        return build_reshape(b, x, flat);
    }
    case 2: {
        struct shape wide = s;
        if (s.rank > 3)
            return unary(b, d, x);
        wide.dim[wide.rank++] = 0;
        for (int i = s.rank; i > 0; i--)
            wide.dim[i] = s.dim[i - 1];
        wide.dim[0] = 1 + dice_below(d, 3);
        return build_expand(b, x, wide);
    }
    case 3: {
        const node_id in[] = {x, x, build_unary(b, OP_Neg, x)};
        const struct attribute a = int_attribute(ATTRIBUTE_axis, axis);
        return build_op(b, OP_Concat, in, 1 + (size_t)dice_below(d, 3), &a, 1);
    }
    default: {
        const int64_t dim = s.dim[axis];
        const int64_t start = dim > 0 ? dice_below(d, dim) : 0;
        const int64_t step = dice_below(d, 3) == 0 ? -1 : 1 + dice_below(d, 2);
        const int64_t end = step > 0 ? dim : -dim - 1;
        const int64_t at = axis;
        const struct attribute slice[] = {
            ints_attribute(ATTRIBUTE_starts, &start, 1), ints_attribute(ATTRIBUTE_ends, &end, 1),
            ints_attribute(ATTRIBUTE_axes, &at, 1), ints_attribute(ATTRIBUTE_steps, &step, 1)};
        const node_id part = build_op(b, OP_Slice, &x, 1, slice, 4);
        if (dice_below(d, 2) == 0)
            return part;
        const struct attribute scatter[] = {ints_attribute(ATTRIBUTE_shape, s.dim, (size_t)s.rank), slice[0], slice[2],
                                            slice[3]};
        return build_op(b, OP_ScatterSlice, &part, 1, scatter, 4);
    }
    }
}

static node_id reduced(struct builder *b, struct dice *d, node_id x)
{
    static const enum op ops[] = {OP_ReduceSum, OP_ReduceMean, OP_ReduceMax};
    const struct shape s = build_shape(b, x);
    int64_t axes[RANK_MAX];
    size_t count = 0;
    for (int axis = 0; axis < s.rank; axis++)
        if (dice_below(d, 2) == 0)
            axes[count++] = axis;
    const node_id r = build_reduce(b, ops[dice_below(d, 3)], x, axes, count, dice_below(d, 2) == 0);
    return build_unary(b, OP_Tanh, r);
}

static node_id along(struct builder *b, struct dice *d, node_id x)
{
    static const enum op losses[] = {OP_MSE, OP_MAE, OP_BCEWithLogits, OP_BCE};
    const struct shape s = build_shape(b, x);
    const enum op loss = losses[dice_below(d, 4)];
    const struct attribute axis = int_attribute(ATTRIBUTE_axis, s.rank > 0 ? dice_below(d, s.rank) : 0);
    if (dice_below(d, 2) == 0 && s.rank > 0)
        return build_op(b, dice_below(d, 2) == 0 ? OP_Softmax : OP_LogSoftmax, &x, 1, &axis, 1);
    if (s.rank == 2 && s.dim[1] > 1) {
        const node_id classes = build_unary(b, OP_Abs, build_unary(b, OP_Sign, test_input(b, 1, &s.dim[0])));
        const node_id target = dice_below(d, 2) == 0 ? classes : build_unary(b, OP_Softmax, x);
        return build_op(b, OP_CrossEntropy, (node_id[]){x, target}, 2, NULL, 0);
    }
    const node_id p = loss == OP_BCE ? build_unary(b, OP_Sigmoid, x) : x;
    return build_binary(b, loss, p, test_input(b, s.rank, s.dim));
}

/* Indices are comparisons and signs: 0, 1 or -1. */
static node_id indexed(struct builder *b, struct dice *d, node_id x)
{
    const struct shape s = build_shape(b, x);
    const int64_t count = 1 + dice_below(d, 5);
    const node_id ones = build_unary(b, OP_Sign, test_input(b, 1, &count));
    if (dice_below(d, 3) == 0) {
        const struct attribute depth = int_attribute(ATTRIBUTE_depth, 2 + dice_below(d, 3));
        const node_id positive = build_binary(b, OP_Greater, ones, build_scalar(b, 0));
        return build_op(b, OP_OneHot, &positive, 1, &depth, 1);
    }
    const int axis = s.rank > 0 ? (int)dice_below(d, s.rank) : 0;
    if (s.rank == 0 || s.dim[axis] < 2)
        return unary(b, d, x);
    const struct attribute a[] = {int_attribute(ATTRIBUTE_axis, axis), int_attribute(ATTRIBUTE_size, s.dim[axis])};
    const node_id picked = build_op(b, OP_Gather, (node_id[]){x, ones}, 2, a, 1);
    return dice_below(d, 2) == 0 ? picked : build_op(b, OP_ScatterAdd, (node_id[]){picked, ones}, 2, a, 2);
}

void random_graph(struct builder *b, struct dice *d, size_t count)
{
    for (int i = 0; i < 3; i++) {
        const int rank = (int)dice_below(d, 4);
        const int64_t dims[] = {1 + dice_below(d, 7), 1 + dice_below(d, 5), 1 + dice_below(d, 19)};
        test_input(b, rank, dims + 3 - rank);
    }
    while (graph_size(b->graph) < count) {
        const node_id x = any_node(b, d);
        const struct shape s = build_shape(b, x);
        int64_t elements = 0;
        shape_elements(s, &elements);
        if (elements > SMALL || s.rank > 4) {
            reduced(b, d, x);
            continue;
        }
        switch (dice_below(d, 9)) {
        case 0:
            guarded(b, d, x);
            break;
        case 1:
        case 2:
            binary(b, d, x);
            break;
        case 3:
            products(b, d, x);
            break;
        case 4:
        case 5:
            moved(b, d, x);
            break;
        case 6:
            reduced(b, d, x);
            break;
        case 7:
            if (dice_below(d, 2) == 0)
                along(b, d, x);
            else
                indexed(b, d, x);
            break;
        default:
            unary(b, d, x);
        }
    }
    assert_int_equal(b->code, ERR_ok);
    build_unary(b, OP_Size, any_node(b, d));
}
