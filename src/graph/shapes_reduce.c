/* Shape rules of reductions and of ops along one axis. */
#include "graph/rules.h"

/* The normal form of axes is all of them, ascending. */
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
        if (x.dim[k] == 0 && i->op != OP_ReduceSum) {
            char name[OPERAND_TEXT_MAX], text[SHAPE_TEXT_MAX];
            return error_add(i->err, ERR_empty_reduction, i->place, "%s: %s is %s: there is nothing along axis %d",
                             op_name(i->op), infer_operand(i, 0, name), shape_text(x, text), k);
        }
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
