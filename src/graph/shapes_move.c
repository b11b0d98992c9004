/* Shape rules of ops that only move or repeat elements: Transpose, Reshape and its kin, Expand, Concat, Pad, Tile. */
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

/* ---- Reshape's kin */

/* Always a matrix: the axes before `axis` become its rows, the others its columns. `axis` may be the rank. */
err_code shape_flatten(struct inference *i)
{
    struct shape x = i->in[0];
    int64_t axis = infer_attribute(i, ATTRIBUTE_axis)->integer;
    if (axis < -x.rank || axis > x.rank)
        return infer_bad_attribute(i, "axis is %lld, but must be from %d to %d", (long long)axis, -x.rank, x.rank);
    axis = axis < 0 ? axis + x.rank : axis;
    infer_set_int(i, ATTRIBUTE_axis, axis);
    i->out = (struct shape){.rank = 2, .dim = {1, 1}};
    for (int k = 0; k < x.rank; k++)
        i->out.dim[k >= axis] = dim_multiply(i->out.dim[k >= axis], x.dim[k]);
    return ERR_ok;
}

/* Axes as an attribute in normal form, ascending. */
static err_code set_axes(struct inference *i, const bool *chosen, int rank)
{
    int64_t axes[RANK_MAX] = {0};
    size_t count = 0;
    for (int k = 0; k < rank; k++)
        if (chosen[k])
            axes[count++] = k;
    return infer_set_ints(i, ATTRIBUTE_axes, axes, count);
}

/* Axes that are left out are those of 1, as far as they are known: a batch of 1 is none. */
err_code shape_squeeze(struct inference *i)
{
    struct shape x = i->in[0], out = {0};
    const struct attribute *given = infer_attribute(i, ATTRIBUTE_axes);
    int64_t axes[RANK_MAX] = {0};
    bool gone[RANK_MAX] = {false};
    err_code code = given ? infer_axes(i, given, x.rank, axes) : ERR_ok;
    for (size_t k = 0; code == ERR_ok && given && k < given->ints.count; k++) {
        char why[80];
        (void)snprintf(why, sizeof why, ", so axis %lld can't go: only an axis of 1 can", (long long)axes[k]);
        gone[axes[k]] = true;
        if (!dim_agree(x.dim[axes[k]], 1))
            code = infer_unfit(i, 0, why);
    }
    for (int k = 0; k < x.rank; k++) {
        gone[k] = given ? gone[k] : x.dim[k] == 1;
        if (!gone[k])
            out.dim[out.rank++] = x.dim[k];
    }
    i->out = out;
    return code ? code : set_axes(i, gone, x.rank);
}

/* The axes are those of the result. */
err_code shape_unsqueeze(struct inference *i)
{
    struct shape x = i->in[0];
    const struct attribute *given = infer_attribute(i, ATTRIBUTE_axes);
    int64_t axes[RANK_MAX] = {0};
    bool is_new[RANK_MAX] = {false};
    size_t rank = (size_t)x.rank + given->ints.count;
    if (rank > RANK_MAX)
        return error_add(i->err, ERR_rank_too_large, i->place, "%s: the result has %zu dimensions, the limit is %d",
                         op_name(i->op), rank, RANK_MAX);
    err_code code = infer_axes(i, given, (int)rank, axes);
    if (code != ERR_ok)
        return code;
    for (size_t k = 0; k < given->ints.count; k++)
        is_new[axes[k]] = true;
    i->out.rank = (int)rank;
    for (int k = 0, from = 0; k < i->out.rank; k++)
        i->out.dim[k] = is_new[k] ? 1 : x.dim[from++];
    return set_axes(i, is_new, (int)rank);
}

/* ---- Pad, Tile */

/* How much is put before and after an axis; what is negative is cut off. */
static err_code pad_axis(const struct inference *i, int axis, int64_t before, int64_t after, int64_t *dim)
{
    if (before < -ELEMENTS_MAX || before > ELEMENTS_MAX || after < -ELEMENTS_MAX || after > ELEMENTS_MAX)
        return error_add(i->err, ERR_limit_exceeded, i->place, "Pad: a pad of axis %d is beyond the limit of %lld",
                         axis, (long long)ELEMENTS_MAX);
    int64_t cut = (before < 0 ? -before : 0) + (after < 0 ? -after : 0);
    if (*dim >= 0 && cut > *dim)
        return infer_bad_attribute(i, "pads cut %lld off axis %d, which has %lld", (long long)cut, axis,
                                   (long long)*dim);
    if (*dim >= 0)
        *dim += before + after;
    else if (before != 0 || after != 0)
        *dim = DIM_ANY;
    return ERR_ok;
}

/* Pads in normal form: one for the beginning of each axis, then one for the end of each. */
err_code shape_pad(struct inference *i)
{
    struct shape out = i->in[0];
    const struct attribute *pads = infer_attribute(i, ATTRIBUTE_pads), *value = infer_attribute(i, ATTRIBUTE_value);
    size_t rank = (size_t)out.rank, count = pads->ints.count;
    int64_t normal[2 * RANK_MAX] = {0};
    if (value && tensor_elements(value->tensor) != 1)
        return infer_bad_attribute(i, "value is not one number");
    if (count != 1 && count != 2 * rank)
        return infer_bad_attribute(i, "pads has %zu entries, but must have two for each of %zu axes", count, rank);
    for (size_t k = 0; k < 2 * rank; k++)
        normal[k] = pads->ints.items[count == 1 ? 0 : k];
    err_code code = ERR_ok;
    for (size_t k = 0; k < rank && code == ERR_ok; k++)
        code = pad_axis(i, (int)k, normal[k], normal[rank + k], &out.dim[k]);
    i->out = out;
    return code ? code : infer_set_ints(i, ATTRIBUTE_pads, normal, 2 * rank);
}

err_code shape_tile(struct inference *i)
{
    struct shape out = i->in[0];
    const struct attribute *repeats = infer_attribute(i, ATTRIBUTE_repeats);
    if (repeats->ints.count != (size_t)out.rank)
        return infer_bad_attribute(i, "repeats has %zu entries, but there are %d axes", repeats->ints.count, out.rank);
    for (int k = 0; k < out.rank; k++) {
        int64_t times = repeats->ints.items[k];
        if (times < 0 || times > ELEMENTS_MAX)
            return infer_bad_attribute(i, "a repeat is %lld, but must be from 0 to %lld", (long long)times,
                                       (long long)ELEMENTS_MAX);
        out.dim[k] = dim_multiply(out.dim[k], times);
    }
    i->out = out;
    return ERR_ok;
}
