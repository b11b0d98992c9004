/* Shape rules of leaves, elementwise ops and losses. */
#include "graph/rules.h"

#include <string.h>

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

err_code shape_clip(struct inference *i)
{
    if (!infer_attribute(i, ATTRIBUTE_min) && !infer_attribute(i, ATTRIBUTE_max))
        return error_add(i->err, ERR_missing_attribute, i->place, "%s needs min= or max=", op_name(i->op));
    return shape_same(i);
}

err_code shape_polygamma(struct inference *i)
{
    int64_t n = infer_attribute(i, ATTRIBUTE_n)->integer;
    if (n < 1 || n > 1000)
        return infer_bad_attribute(i, "n is %lld, but must be from 1 to 1000", (long long)n);
    return shape_same(i);
}

err_code shape_gelu(struct inference *i)
{
    const char *approximate = infer_attribute(i, ATTRIBUTE_approximate)->string;
    if (strcmp(approximate, "none") != 0 && strcmp(approximate, "tanh") != 0)
        return infer_bad_attribute(i, "approximate is \"%.32s\", but must be \"none\" or \"tanh\"", approximate);
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

err_code shape_huber(struct inference *i)
{
    double delta = infer_attribute(i, ATTRIBUTE_delta)->number;
    if (!(delta > 0))
        return infer_bad_attribute(i, "delta is %g, but must be above 0", delta);
    return shape_loss(i);
}

/* (mu, y, var) -> (); var is (...,d) as mu is, or (...,1), or (...). */
err_code shape_gaussian(struct inference *i)
{
    struct shape mu = i->in[0], var = i->in[2], all = mu;
    err_code code = shape_loss(i);
    if (code != ERR_ok)
        return code;
    if (mu.rank > 0 && (var.rank == mu.rank - 1 || (var.rank == mu.rank && var.dim[var.rank - 1] == 1))) {
        all.rank = var.rank;
        all.dim[mu.rank - 1] = 1;
    }
    return shape_agree(all, var) ? ERR_ok : infer_disagree(i, 0, 2, mu, var);
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
