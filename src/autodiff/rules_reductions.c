/* Reductions, and the ops that normalise along an axis. */
#include "autodiff/rules.h"

/* The shape of the input with 1 for every axis that was reduced. */
static struct shape kept_shape(const struct builder *b, const struct link *l)
{
    struct shape shape = build_shape(b, l->x[0]);
    size_t count;
    const int64_t *axes = node_ints(&l->node, ATTRIBUTE_axes, &count);
    for (size_t i = 0; i < count; i++)
        shape.dim[axes[i]] = 1;
    return shape;
}

/* A value of the output's shape, laid out so that it broadcasts against the input. A scalar does as it is. */
static node_id aligned(struct builder *b, const struct link *l, node_id value)
{
    struct shape kept = kept_shape(b, l), shape = l->node.shape;
    return shape.rank == 0 || shape_equal(shape, kept) ? value : build_reshape(b, value, kept);
}

/* The same, at every element of the input. */
static node_id spread(struct builder *b, const struct link *l, node_id value)
{
    struct shape shape = build_shape(b, l->x[0]);
    return shape_equal(l->node.shape, shape) ? value : build_expand(b, aligned(b, l, value), shape);
}

static node_id reduce_sum(struct builder *b, const struct link *l, size_t input)
{
    (void)input;
    return spread(b, l, l->g);
}
const struct rule rule_ReduceSum = {.vjp = reduce_sum};

static node_id reduce_mean(struct builder *b, const struct link *l, size_t input)
{
    struct shape shape = build_shape(b, l->x[input]);
    size_t count;
    const int64_t *axes = node_ints(&l->node, ATTRIBUTE_axes, &count);
    double divisor = 1;
    for (size_t i = 0; i < count; i++)
        divisor *= (double)shape.dim[axes[i]];
    bool whole = count == (size_t)shape.rank;
    return spread(b, l, over(b, l->g, whole ? build_size(b, l->x[input]) : build_scalar(b, divisor)));
}
const struct rule rule_ReduceMean = {.vjp = reduce_mean};

/* All that are equal to the maximum share evenly. */
static node_id reduce_max(struct builder *b, const struct link *l, size_t input)
{
    size_t count;
    const int64_t *axes = node_ints(&l->node, ATTRIBUTE_axes, &count);
    bool keepdims = node_int(&l->node, ATTRIBUTE_keepdims) != 0;
    node_id is_max = build_binary(b, OP_Equal, l->x[input], aligned(b, l, l->y));
    node_id share = over(b, l->g, build_reduce(b, OP_ReduceSum, is_max, axes, count, keepdims));
    return where_else_zero(b, is_max, aligned(b, l, share));
}
const struct rule rule_ReduceMax = {.vjp = reduce_max};

/* x / y, and 0 where y is 0, of every order: there is no 0 / 0 in the branch that is not taken. */
static node_id reduce_l2(struct builder *b, const struct link *l, size_t input)
{
    node_id norm = aligned(b, l, l->y);
    node_id is_zero = build_binary(b, OP_Equal, norm, build_scalar(b, 0));
    node_id divisor = build_where(b, is_zero, build_scalar(b, 1), norm);
    node_id direction = over(b, l->x[input], divisor);
    return zero_where(b, is_zero, times(b, aligned(b, l, l->g), direction));
}
const struct rule rule_ReduceL2 = {.vjp = reduce_l2};

/* ---------------------------------------------------------------- along an axis */

const struct rule rule_ArgMax = {0};

/* What arrives at the place i and behind it: the running sum from the end. */
static node_id cum_sum(struct builder *b, const struct link *l, size_t input)
{
    (void)input;
    int64_t axis = node_int(&l->node, ATTRIBUTE_axis), count = l->node.shape.dim[axis];
    const struct attribute along = attribute_int(ATTRIBUTE_axis, axis);
    if (count < 2)
        return l->g;
    node_id backwards = build_slice(b, l->g, axis, count - 1, -1, count);
    node_id sums = build_op(b, OP_CumSum, &backwards, 1, &along, 1);
    return build_slice(b, sums, axis, count - 1, -1, count);
}
const struct rule rule_CumSum = {.vjp = cum_sum};

/* Sum over the axis of the op, which stays as 1. */
static node_id sum_along(struct builder *b, const struct link *l, node_id value)
{
    int64_t axis = node_int(&l->node, ATTRIBUTE_axis);
    return build_reduce(b, OP_ReduceSum, value, &axis, 1, true);
}

/* y (g - sum(g y)) */
static node_id softmax(struct builder *b, const struct link *l, size_t input)
{
    (void)input;
    node_id mean = sum_along(b, l, times(b, l->g, l->y));
    return times(b, l->y, minus(b, l->g, mean));
}
const struct rule rule_Softmax = {.vjp = softmax};

/* g - softmax(x) sum(g). Softmax of x keeps digits that exp(y) has lost where y is large and negative. */
static node_id log_softmax(struct builder *b, const struct link *l, size_t input)
{
    node_id total = sum_along(b, l, l->g);
    node_id probabilities = build_op(b, OP_Softmax, &l->x[input], 1, l->node.attributes, l->node.attribute_count);
    return minus(b, l->g, times(b, probabilities, total));
}
const struct rule rule_LogSoftmax = {.vjp = log_softmax};
