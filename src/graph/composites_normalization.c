/* LayerNormalization.
 *
 * Tiny variances keep their digits: x is centred twice. The mean of large x is rounded, so what is left after the first
 * subtraction, which is exact for x near the mean, has a mean of its own; the second subtraction takes it away. The
 * first mean is a constant to the derivative: moving all x alike changes nothing. */
#include "graph/composites.h"

node_id compose_LayerNormalization(struct builder *b, const struct node *n, const node_id *in)
{
    int64_t axes[RANK_MAX] = {0}, elements = 1;
    size_t count = 0;
    for (int k = 0; k < n->shape.rank; k++)
        elements *= n->shape.dim[k];
    if (elements == 0)
        return build_fill(b, 0, n->shape);
    for (int k = (int)node_int(n, ATTRIBUTE_axis); k < n->shape.rank; k++)
        axes[count++] = k;
    node_id about = build_unary(b, OP_StopGradient, build_reduce(b, OP_ReduceMean, in[0], axes, count, true));
    node_id moved = build_binary(b, OP_Sub, in[0], about);
    node_id rest = build_reduce(b, OP_ReduceMean, moved, axes, count, true);
    node_id centred = build_binary(b, OP_Sub, moved, rest);
    node_id squares = build_unary(b, OP_Square, centred);
    node_id variance = build_reduce(b, OP_ReduceMean, squares, axes, count, true);
    node_id epsilon = build_scalar(b, node_float(n, ATTRIBUTE_epsilon));
    node_id deviation = build_unary(b, OP_Sqrt, build_binary(b, OP_Add, variance, epsilon));
    node_id y = build_binary(b, OP_Div, centred, deviation);
    if (n->input_count > 1)
        y = build_binary(b, OP_Mul, y, in[1]);
    return n->input_count > 2 ? build_binary(b, OP_Add, y, in[2]) : y;
}
