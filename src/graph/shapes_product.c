/* Shape rules of products. */
#include "graph/rules.h"

/* As NumPy: the last two axes are the matrices', the rest broadcasts; a vector counts as a row on the left and as a
 * column on the right, and that axis goes again. */
err_code shape_matmul(struct inference *i)
{
    struct shape a = i->in[0], b = i->in[1];
    for (size_t k = 0; k < 2; k++)
        if (i->in[k].rank == 0)
            return infer_unfit(i, k, ", but a product needs vectors or matrices; write * for scalars");
    int inner_a = a.rank - 1, inner_b = b.rank > 1 ? b.rank - 2 : 0;
    if (!dim_agree(a.dim[inner_a], b.dim[inner_b])) {
        struct shape expected = b;
        expected.dim[inner_b] = a.dim[inner_a];
        return infer_disagree(i, 0, 1, expected, b);
    }
    struct shape lead_a = a, lead_b = b, out;
    lead_a.rank = a.rank > 2 ? a.rank - 2 : 0;
    lead_b.rank = b.rank > 2 ? b.rank - 2 : 0;
    if (!shape_broadcast(lead_a, lead_b, &out))
        return infer_disagree(i, 0, 1, a, b);
    if (a.rank > 1)
        out.dim[out.rank++] = a.dim[a.rank - 2];
    if (b.rank > 1)
        out.dim[out.rank++] = b.dim[b.rank - 1];
    i->out = out;
    return ERR_ok;
}

/* (...,n,i) x (i,o) + (o) -> (...,n,o) */
err_code shape_linear(struct inference *i)
{
    struct shape x = i->in[0], w = i->in[1];
    if (x.rank < 2)
        return infer_unfit(i, 0, ", but must be (n,i): a row a sample");
    if (w.rank != 2)
        return infer_unfit(i, 1, ", but must be (i,o): a matrix from inputs to outputs");
    int last = x.rank - 1;
    if (!dim_agree(x.dim[last], w.dim[0])) {
        struct shape expected = x;
        expected.dim[last] = w.dim[0];
        return infer_disagree(i, 0, 1, expected, x);
    }
    if (i->count == 3 && (i->in[2].rank != 1 || !dim_agree(i->in[2].dim[0], w.dim[1])))
        return infer_disagree(i, 1, 2, shape_of(1, &w.dim[1]), i->in[2]);
    i->out = x;
    i->out.dim[last] = w.dim[1];
    return ERR_ok;
}
