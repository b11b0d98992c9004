/* Reductions by other reductions, and ReduceProd by elementwise products. */
#include "graph/composites.h"

/* The reduction `op` of x, with the axes and keepdims of n. */
static node_id reduced(struct builder *b, enum op op, const struct node *n, node_id x, bool keepdims)
{
    size_t count;
    const int64_t *axes = node_ints(n, ATTRIBUTE_axes, &count);
    return build_reduce(b, op, x, axes, count, keepdims);
}

static bool keepdims_of(const struct node *n)
{
    return node_int(n, ATTRIBUTE_keepdims) != 0;
}

/* Ties share evenly, as those of ReduceMax do. */
node_id compose_ReduceMin(struct builder *b, const struct node *n, const node_id *in)
{
    node_id x = build_unary(b, OP_Neg, in[0]);
    return build_unary(b, OP_Neg, reduced(b, OP_ReduceMax, n, x, keepdims_of(n)));
}

node_id compose_ReduceL1(struct builder *b, const struct node *n, const node_id *in)
{
    return reduced(b, OP_ReduceSum, n, build_unary(b, OP_Abs, in[0]), keepdims_of(n));
}

node_id compose_ReduceSumSquare(struct builder *b, const struct node *n, const node_id *in)
{
    return reduced(b, OP_ReduceSum, n, build_unary(b, OP_Square, in[0]), keepdims_of(n));
}

/* log(sum(exp(x - m))) + m, where m, the maximum, is a constant to the derivative: the value does not depend on it. An
 * infinite maximum is left where it is: inf - inf is NaN. */
node_id compose_ReduceLogSumExp(struct builder *b, const struct node *n, const node_id *in)
{
    node_id max = build_unary(b, OP_StopGradient, reduced(b, OP_ReduceMax, n, in[0], true));
    node_id none = build_binary(b, OP_Sub, max, max); /* 0; NaN for infinities */
    node_id is_finite = build_binary(b, OP_Equal, none, build_scalar(b, 0));
    node_id shift = build_where(b, is_finite, max, build_scalar(b, 0));
    node_id exponentials = build_unary(b, OP_Exp, build_binary(b, OP_Sub, in[0], shift));
    node_id sum = reduced(b, OP_ReduceSum, n, exponentials, keepdims_of(n));
    node_id log = build_unary(b, OP_Log, sum);
    return build_binary(b, OP_Add, log, build_reshape(b, shift, n->shape));
}

/* The product along an axis, which becomes 1: the first half times the second, until one is left. What an odd length
 * leaves over is multiplied in at the end. Factors are only multiplied, so zeros are exact in the value and in every
 * derivative. */
static node_id product_along(struct builder *b, node_id x, int64_t axis)
{
    node_id left_over = NODE_NONE;
    struct shape shape = build_shape(b, x);
    int64_t length = shape.rank ? shape.dim[axis] : 1;
    if (length == 0) {
        shape.dim[axis] = 1;
        return build_fill(b, 1, shape);
    }
    for (; length > 1; length /= 2) {
        if (length % 2 != 0) {
            node_id last = build_slice(b, x, axis, length - 1, 1, 1);
            left_over = left_over == NODE_NONE ? last : build_binary(b, OP_Mul, left_over, last);
        }
        node_id first_half = build_slice(b, x, axis, 0, 1, length / 2);
        node_id second_half = build_slice(b, x, axis, length / 2, 1, length / 2);
        x = build_binary(b, OP_Mul, first_half, second_half);
    }
    return left_over == NODE_NONE ? x : build_binary(b, OP_Mul, x, left_over);
}

node_id compose_ReduceProd(struct builder *b, const struct node *n, const node_id *in)
{
    size_t count;
    const int64_t *axes = node_ints(n, ATTRIBUTE_axes, &count);
    node_id product = in[0];
    while (count-- > 0)
        product = product_along(b, product, axes[count]);
    return build_reshape(b, product, n->shape);
}
