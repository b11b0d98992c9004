/* Shape rules of reductions and of ops along one axis. */
#include "graph/rules.h"

static err_code nothing_along(const struct inference *i, int axis)
{
    char name[OPERAND_TEXT_MAX], text[SHAPE_TEXT_MAX];
    return error_add(i->err, ERR_empty_reduction, i->place, "%s: %s is %s: there is nothing along axis %d",
                     op_name(i->op), infer_operand(i, 0, name), shape_text(i->in[0], text), axis);
}

/* The normal form of axes is all of them, ascending. Over no elements a sum is 0 and a product 1. */
err_code shape_reduce(struct inference *i)
{
    struct shape x = i->in[0], out = {0};
    const struct attribute *given = infer_attribute(i, ATTRIBUTE_axes);
    bool keep = infer_attribute(i, ATTRIBUTE_keepdims)->integer != 0, reduced[RANK_MAX] = {false};
    int64_t axes[RANK_MAX] = {0};
    size_t count = given ? given->ints.count : 0;
    if (given) {
        err_code code = infer_axes(i, given, x.rank, axes);
        if (code != ERR_ok)
            return code;
    }
    for (size_t k = 0; k < count; k++)
        reduced[axes[k]] = true;
    count = 0;
    for (int k = 0; k < x.rank; k++) {
        if (given && !reduced[k]) {
            out.dim[out.rank++] = x.dim[k];
            continue;
        }
        axes[count++] = k;
        if (keep)
            out.dim[out.rank++] = 1;
        if (x.dim[k] == 0 && i->op != OP_ReduceSum && i->op != OP_ReduceProd)
            return nothing_along(i, k);
    }
    i->out = out;
    return infer_set_ints(i, ATTRIBUTE_axes, axes, count);
}

err_code shape_axis(struct inference *i)
{
    int axis = 0;
    err_code code = infer_axis(i, "axis", infer_attribute(i, ATTRIBUTE_axis)->integer, i->in[0].rank, &axis);
    if (code != ERR_ok)
        return code;
    infer_set_int(i, ATTRIBUTE_axis, axis);
    i->out = i->in[0];
    return ERR_ok;
}

/* One number for each place of the other axes. */
err_code shape_arg(struct inference *i)
{
    struct shape x = i->in[0], out = {0};
    bool keep = infer_attribute(i, ATTRIBUTE_keepdims)->integer != 0;
    int axis = 0;
    err_code code = infer_axis(i, "axis", infer_attribute(i, ATTRIBUTE_axis)->integer, x.rank, &axis);
    if (code != ERR_ok)
        return code;
    if (x.dim[axis] == 0)
        return nothing_along(i, axis);
    for (int k = 0; k < x.rank; k++)
        if (k != axis || keep)
            out.dim[out.rank++] = k == axis ? 1 : x.dim[k];
    infer_set_int(i, ATTRIBUTE_axis, axis);
    i->out = out;
    return ERR_ok;
}

/* (...,d) x (d) x (d) -> (...,d), d the axes from `axis` on; scale and bias broadcast to those. */
err_code shape_layer_normalization(struct inference *i)
{
    struct shape x = i->in[0], normal = {0}, joined;
    int axis = 0;
    err_code code = infer_axis(i, "axis", infer_attribute(i, ATTRIBUTE_axis)->integer, x.rank, &axis);
    double epsilon = infer_attribute(i, ATTRIBUTE_epsilon)->number;
    if (code != ERR_ok)
        return code;
    if (epsilon < 0)
        return infer_bad_attribute(i, "epsilon is %g, but must be at least 0", epsilon);
    for (int k = axis; k < x.rank; k++)
        normal.dim[normal.rank++] = x.dim[k];
    for (size_t k = 1; k < i->count; k++)
        if (!shape_broadcast(normal, i->in[k], &joined) || !shape_agree(normal, joined))
            return infer_disagree(i, 0, k, normal, i->in[k]);
    infer_set_int(i, ATTRIBUTE_axis, axis);
    i->out = x;
    return ERR_ok;
}
