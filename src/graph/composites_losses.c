/* Losses that are written with other ops: means of their elements. */
#include "graph/composites.h"
#include "graph/losses.h"
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
static node_id mean_of(struct builder *b, const struct node *n, const node_id *in)
{
    node_id elements = loss_elements(b, n, in), sum = sum_of(b, elements);
    return over(b, sum, loss_count(b, n->op, elements));
}

node_id compose_Huber(struct builder *b, const struct node *n, const node_id *in)
{
    return mean_of(b, n, in);
}

node_id compose_LogCosh(struct builder *b, const struct node *n, const node_id *in)
{
    return mean_of(b, n, in);
}

node_id compose_KLDiv(struct builder *b, const struct node *n, const node_id *in)
{
    return mean_of(b, n, in);
}

node_id compose_Hinge(struct builder *b, const struct node *n, const node_id *in)
{
    return mean_of(b, n, in);
}

node_id compose_PoissonNLL(struct builder *b, const struct node *n, const node_id *in)
{
    return mean_of(b, n, in);
}

node_id compose_GaussianNLL(struct builder *b, const struct node *n, const node_id *in)
{
    return mean_of(b, n, in);
}
