/* Shape rules of ops that only move elements: Transpose, Reshape, Expand, Concat. */
#include "graph/rules.h"

#include <stdio.h>

err_code shape_transpose(struct inference *i)
{
    struct shape x = i->in[0];
    const struct attribute *given = infer_attribute(i, ATTRIBUTE_perm);
    int64_t perm[RANK_MAX];
    if (given) {
        if (given->ints.count != (size_t)x.rank)
            return infer_bad_attribute(i, "perm has %zu axes, but %d are there", given->ints.count, x.rank);
        err_code code = infer_axes(i, given, x.rank, perm);
        if (code != ERR_ok)
            return code;
    }
    i->out.rank = x.rank;
    for (int k = 0; k < x.rank; k++) {
        if (!given)
            perm[k] = x.rank - 1 - k;
        i->out.dim[k] = x.dim[perm[k]];
    }
    return infer_set_ints(i, ATTRIBUTE_perm, perm, (size_t)x.rank);
}

/* A list of dimensions, `least` and up each, as a shape. */
static err_code shape_of_attribute(const struct inference *i, int64_t least, struct shape *ret)
{
    const struct attribute *a = infer_attribute(i, ATTRIBUTE_shape);
    if (a->ints.count > RANK_MAX)
        return error_add(i->err, ERR_rank_too_large, i->place, "%s: shape has %zu dimensions, the limit is %d",
                         op_name(i->op), a->ints.count, RANK_MAX);
    ret->rank = (int)a->ints.count;
    for (int k = 0; k < ret->rank; k++) {
        ret->dim[k] = a->ints.items[k];
        if (ret->dim[k] < least)
            return infer_bad_attribute(i, "a dimension of shape is %lld", (long long)ret->dim[k]);
        if (ret->dim[k] > ELEMENTS_MAX)
            return error_add(i->err, ERR_limit_exceeded, i->place, "%s: a dimension of %lld, the limit is %lld",
                             op_name(i->op), (long long)ret->dim[k], (long long)ELEMENTS_MAX);
    }
    return ERR_ok;
}

static err_code cannot_reshape(const struct inference *i, struct shape wanted)
{
    char name[OPERAND_TEXT_MAX], from[SHAPE_TEXT_MAX];
    const struct attribute *a = infer_attribute(i, ATTRIBUTE_shape);
    char list[RANK_MAX * 24] = "";
    size_t length = 0;
    for (size_t k = 0; k < a->ints.count; k++)
        length +=
            (size_t)snprintf(list + length, sizeof list - length, "%s%lld", k ? "," : "", (long long)a->ints.items[k]);
    return error_add_shapes(i->err, ERR_shape_mismatch, i->place, wanted, i->in[0],
                            "Reshape: %s is %s, which does not fill [%s]", infer_operand(i, 0, name),
                            shape_text(i->in[0], from), list);
}

/* 0 keeps the axis that stands there, one -1 follows from the rest. Axes that are kept are left out of the count on
 * both sides, so that `batch` cancels and an empty batch is no ambiguity. */
err_code shape_reshape(struct inference *i)
{
    struct shape x = i->in[0], out = {0};
    err_code code = shape_of_attribute(i, -1, &out);
    if (code != ERR_ok)
        return code;
    int open = -1;
    bool kept[RANK_MAX] = {false};
    int64_t wanted = 1, there = 1;
    for (int k = 0; k < out.rank; k++) {
        if (out.dim[k] == -1) {
            if (open >= 0)
                return infer_bad_attribute(i, "shape has -1 twice");
            open = k;
        } else if (out.dim[k] == 0) {
            if (k >= x.rank)
                return infer_bad_attribute(i, "shape keeps axis %d with 0, but there are %d axes", k, x.rank);
            kept[k] = true;
            out.dim[k] = x.dim[k];
        } else {
            wanted = dim_multiply(wanted, out.dim[k]);
        }
    }
    for (int k = 0; k < x.rank; k++)
        if (!kept[k])
            there = dim_multiply(there, x.dim[k]);
    if (open < 0) {
        if (!dim_agree(there, wanted))
            return cannot_reshape(i, out);
    } else if (there == DIM_ANY) {
        out.dim[open] = DIM_ANY;
    } else if (there % wanted == 0) {
        out.dim[open] = there / wanted;
    } else if (there < 0) {
        out.dim[open] = DIM_ANY;
    } else {
        out.dim[open] = DIM_ANY;
        return cannot_reshape(i, out);
    }
    i->out = out;
    return ERR_ok;
}

err_code shape_expand(struct inference *i)
{
    struct shape wanted = {0};
    err_code code = shape_of_attribute(i, 0, &wanted);
    if (code != ERR_ok)
        return code;
    if (shape_broadcast(i->in[0], wanted, &i->out))
        return ERR_ok;
    char name[OPERAND_TEXT_MAX], from[SHAPE_TEXT_MAX], to[SHAPE_TEXT_MAX];
    return error_add_shapes(i->err, ERR_shape_mismatch, i->place, wanted, i->in[0],
                            "Expand: %s is %s, which does not broadcast to %s", infer_operand(i, 0, name),
                            shape_text(i->in[0], from), shape_text(wanted, to));
}

err_code shape_concat(struct inference *i)
{
    struct shape out = i->in[0];
    int axis = 0;
    err_code code = infer_axis(i, "axis", infer_attribute(i, ATTRIBUTE_axis)->integer, out.rank, &axis);
    if (code != ERR_ok)
        return code;
    for (size_t k = 1; k < i->count; k++) {
        struct shape expected = i->in[0];
        expected.dim[axis] = i->in[k].rank == out.rank ? i->in[k].dim[axis] : expected.dim[axis];
        if (!shape_agree(expected, i->in[k]))
            return infer_disagree(i, 0, k, expected, i->in[k]);
        for (int d = 0; d < out.rank; d++)
            out.dim[d] = d == axis ? dim_add(out.dim[d], i->in[k].dim[d]) : dim_join(out.dim[d], i->in[k].dim[d]);
    }
    infer_set_int(i, ATTRIBUTE_axis, axis);
    i->out = out;
    return ERR_ok;
}
