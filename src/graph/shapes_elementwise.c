/* Shape rules of leaves, elementwise ops and losses. */
#include "graph/rules.h"

err_code shape_input(struct inference *i)
{
    struct shape *s = &i->out;
    if (s->rank < 0 || s->rank > RANK_MAX)
        return error_add(i->err, ERR_rank_too_large, i->place, "an input of %d dimensions; the limit is %d", s->rank,
                         RANK_MAX);
    return ERR_ok;
}

err_code shape_constant(struct inference *i)
{
    i->out = infer_attribute(i, ATTRIBUTE_value)->tensor->shape;
    return ERR_ok;
}

err_code shape_same(struct inference *i)
{
    i->out = i->in[0];
    return ERR_ok;
}

err_code shape_dropout(struct inference *i)
{
    double ratio = infer_attribute(i, ATTRIBUTE_ratio)->number;
    if (!(ratio >= 0 && ratio < 1))
        return infer_bad_attribute(i, "ratio is %g, but must be at least 0 and below 1", ratio);
    int64_t ordinal = infer_attribute(i, ATTRIBUTE_ordinal)->integer;
    if (ordinal < -1 || ordinal > UINT32_MAX)
        return infer_bad_attribute(i, "ordinal is %lld, but must be from -1 to %lld", (long long)ordinal,
                                   (long long)UINT32_MAX);
    return shape_same(i);
}

err_code shape_broadcast_all(struct inference *i)
{
    struct shape out = i->in[0];
    for (size_t k = 1; k < i->count; k++) {
        if (shape_broadcast(out, i->in[k], &out))
            continue;
        /* Name the operand that the new one does not broadcast with: for Where it need not be the first. */
        size_t other = 0;
        struct shape ignored;
        while (other + 1 < k && shape_broadcast(i->in[other], i->in[k], &ignored))
            other++;
        return infer_disagree(i, other, k, i->in[other], i->in[k]);
    }
    i->out = out;
    return ERR_ok;
}

err_code shape_loss(struct inference *i)
{
    if (!shape_agree(i->in[0], i->in[1]))
        return infer_disagree(i, 0, 1, i->in[0], i->in[1]);
    i->out = (struct shape){0};
    return ERR_ok;
}

err_code shape_cross_entropy(struct inference *i)
{
    struct shape z = i->in[0], y = i->in[1];
    if (z.rank != 2)
        return infer_unfit(i, 0, ", but must be (n,k): a row of logits a sample");
    if (z.dim[1] == 0 || z.dim[1] == 1)
        return infer_unfit(i, 0, ", but needs 2 classes or more");
    bool classes = y.rank == 1 || (y.rank == 2 && y.dim[1] == 1);
    if (classes ? !dim_agree(z.dim[0], y.dim[0]) : !shape_agree(z, y))
        return infer_disagree(i, 0, 1, z, y);
    i->out = (struct shape){0};
    return ERR_ok;
}

/* (y, x) -> x */
err_code shape_grad(struct inference *i)
{
    i->out = i->in[1];
    return ERR_ok;
}

err_code shape_size(struct inference *i)
{
    i->out = (struct shape){0};
    return ERR_ok;
}
