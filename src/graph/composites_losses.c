/* Losses that are written with other ops. */
#include "graph/composites.h"
#include "graph/words.h"

static node_id sum_of(struct builder *b, node_id x)
{
    int64_t axes[RANK_MAX];
    size_t rank = (size_t)build_shape(b, x).rank;
    for (size_t i = 0; i < rank; i++)
        axes[i] = (int64_t)i;
    return build_reduce(b, OP_ReduceSum, x, axes, rank, false);
}

/* Of no elements: NaN. */
static node_id mean_of(struct builder *b, node_id x)
{
    node_id sum = sum_of(b, x);
    return over(b, sum, build_size(b, x));
}

node_id compose_Huber(struct builder *b, const struct node *n, const node_id *in)
{
    double delta = node_float(n, ATTRIBUTE_delta);
    node_id difference = minus(b, in[0], in[1]), distance = build_unary(b, OP_Abs, difference);
    node_id is_near = build_binary(b, OP_Less, distance, build_scalar(b, delta));
    node_id near = scaled(b, 0.5, build_unary(b, OP_Square, where_else_zero(b, is_near, difference)));
    node_id far = scaled(b, delta, minus(b, distance, build_scalar(b, 0.5 * delta)));
    return mean_of(b, build_where(b, is_near, near, far));
}

node_id compose_LogCosh(struct builder *b, const struct node *n, const node_id *in)
{
    (void)n;
    return mean_of(b, build_unary(b, OP_LnCosh, minus(b, in[0], in[1])));
}

/* Where q is 0, its logarithm is never made, and logp may be -inf. */
node_id compose_KLDiv(struct builder *b, const struct node *n, const node_id *in)
{
    (void)n;
    struct shape shape = build_shape(b, in[0]);
    node_id none = build_binary(b, OP_Equal, in[1], build_scalar(b, 0));
    node_id q = build_where(b, none, build_scalar(b, 1), in[1]);
    node_id ratio = minus(b, build_unary(b, OP_Log, q), zero_where(b, none, in[0]));
    node_id sum = sum_of(b, times(b, in[1], ratio));
    return over(b, sum, build_scalar(b, shape.rank > 0 ? (double)shape.dim[0] : 1));
}

node_id compose_Hinge(struct builder *b, const struct node *n, const node_id *in)
{
    (void)n;
    return mean_of(b, build_unary(b, OP_Relu, one_minus(b, times(b, in[0], in[1]))));
}

node_id compose_PoissonNLL(struct builder *b, const struct node *n, const node_id *in)
{
    (void)n;
    node_id expected = build_unary(b, OP_Exp, in[0]), told = times(b, in[0], in[1]);
    return mean_of(b, minus(b, expected, told));
}

node_id compose_GaussianNLL(struct builder *b, const struct node *n, const node_id *in)
{
    (void)n;
    struct shape mu = build_shape(b, in[0]), column = mu;
    node_id least = build_scalar(b, 1e-6), var = in[2];
    if (build_shape(b, var).rank < mu.rank) {
        column.dim[mu.rank - 1] = 1;
        var = build_reshape(b, var, column);
    }
    node_id small = build_binary(b, OP_Less, var, least);
    node_id v = build_where(b, small, least, var);
    node_id error = over(b, build_unary(b, OP_Square, minus(b, in[0], in[1])), v);
    return mean_of(b, scaled(b, 0.5, plus(b, build_unary(b, OP_Log, v), error)));
}
