/* Shape rules of ops that pick or place elements by index: Slice, Gather, their adjoints, Flip, OneHot, ArgMax. */
#include "graph/rules.h"

/* Where a slice of one axis begins, how it ends, how many elements it has. */
struct range {
    int64_t start, end, step, count;
};

/* ONNX: negative positions count from the end, and what is out of bounds is clamped: a start to an element, also with a
 * negative step, where NumPy would find nothing before the first one. The normal form: start stands
 * inside, and an end before the first element, which a slice with a negative step may have, is written -dim - 1. */
static struct range range_of(struct range r, int64_t dim)
{
    int64_t low = r.step > 0 ? 0 : -1, high = r.step > 0 ? dim : dim - 1;
    int64_t start = r.start < 0 ? r.start + dim : r.start;
    int64_t end = r.end < 0 ? r.end + dim : r.end;
    start = start < 0 ? 0 : start;
    start = start > high ? high : start;
    end = end < low ? low : end > high ? high : end;
    int64_t span = r.step > 0 ? end - start : start - end;
    if (span <= 0) {
        bool empty_axis = dim == 0;
        return (struct range){0, empty_axis || r.step > 0 ? 0 : dim, r.step, 0};
    }
    /* In two steps, so that a step of INT64_MIN does not overflow. */
    uint64_t step = r.step > 0 ? (uint64_t)r.step : 0 - (uint64_t)r.step;
    int64_t count = 1 + (int64_t)(((uint64_t)span - 1) / step);
    return (struct range){start, end < 0 ? -dim - 1 : end, r.step, count};
}

/* A slice of an axis that is a multiple of batch: the whole of it, forwards or backwards, or what only a known batch
 * tells. */
static int64_t symbolic_count(struct range r, int64_t dim)
{
    bool whole = r.step == 1 && r.start == 0 && r.end >= ELEMENTS_MAX;
    bool reversed = r.step == -1 && r.start == -1 && r.end <= -ELEMENTS_MAX;
    return whole || reversed ? dim : DIM_ANY;
}

/* Axes of a Slice: those given, or the first ones; and steps: those given, or ones. All as many as `starts`. */
static err_code slice_axes(struct inference *i, int rank, size_t count, int64_t *axes, int64_t *steps)
{
    const struct attribute *given_axes = infer_attribute(i, ATTRIBUTE_axes);
    const struct attribute *given_steps = infer_attribute(i, ATTRIBUTE_steps);
    if (count > (size_t)rank)
        return infer_bad_attribute(i, "starts has %zu entries, but there are %d axes", count, rank);
    if (given_axes && given_axes->ints.count != count)
        return infer_bad_attribute(i, "starts has %zu entries but axes has %zu", count, given_axes->ints.count);
    if (given_steps && given_steps->ints.count != count)
        return infer_bad_attribute(i, "starts has %zu entries but steps has %zu", count, given_steps->ints.count);
    err_code code = given_axes ? infer_axes(i, given_axes, rank, axes) : ERR_ok;
    for (size_t k = 0; code == ERR_ok && k < count; k++) {
        if (!given_axes)
            axes[k] = (int64_t)k;
        steps[k] = given_steps ? given_steps->ints.items[k] : 1;
        if (steps[k] == 0)
            code = infer_bad_attribute(i, "a step is 0");
    }
    return code;
}

err_code shape_slice(struct inference *i)
{
    struct shape out = i->in[0];
    struct attribute starts = *infer_attribute(i, ATTRIBUTE_starts), ends = *infer_attribute(i, ATTRIBUTE_ends);
    size_t count = starts.ints.count;
    int64_t axes[RANK_MAX] = {0}, steps[RANK_MAX] = {0}, normal_starts[RANK_MAX], normal_ends[RANK_MAX];
    if (ends.ints.count != count)
        return infer_bad_attribute(i, "starts has %zu entries but ends has %zu", count, ends.ints.count);
    err_code code = slice_axes(i, out.rank, count, axes, steps);
    if (code != ERR_ok)
        return code;
    for (size_t k = 0; k < count; k++) {
        int64_t *dim = &out.dim[axes[k]];
        struct range r = {starts.ints.items[k], ends.ints.items[k], steps[k], 0};
        if (*dim >= 0)
            r = range_of(r, *dim);
        *dim = *dim >= 0 ? r.count : symbolic_count(r, *dim);
        normal_starts[k] = r.start;
        normal_ends[k] = r.end;
    }
    i->out = out;
    code = infer_set_ints(i, ATTRIBUTE_starts, normal_starts, count);
    code = code ? code : infer_set_ints(i, ATTRIBUTE_ends, normal_ends, count);
    code = code ? code : infer_set_ints(i, ATTRIBUTE_axes, axes, count);
    return code ? code : infer_set_ints(i, ATTRIBUTE_steps, steps, count);
}

err_code shape_flip(struct inference *i)
{
    struct shape x = i->in[0];
    const struct attribute *given = infer_attribute(i, ATTRIBUTE_axes);
    int64_t axes[RANK_MAX] = {0};
    bool flipped[RANK_MAX] = {false};
    err_code code = infer_axes(i, given, x.rank, axes);
    if (code != ERR_ok)
        return code;
    for (size_t k = 0; k < given->ints.count; k++)
        flipped[axes[k]] = true;
    size_t count = 0;
    for (int k = 0; k < x.rank; k++)
        if (flipped[k])
            axes[count++] = k;
    i->out = x;
    return infer_set_ints(i, ATTRIBUTE_axes, axes, count);
}

/* x is laid into zeros of `shape` at start, start + step, ...: every place must be there. */
err_code shape_scatter_slice(struct inference *i)
{
    struct shape x = i->in[0], out = {0};
    const struct attribute *shape = infer_attribute(i, ATTRIBUTE_shape), *starts = infer_attribute(i, ATTRIBUTE_starts);
    if (shape->ints.count != (size_t)x.rank)
        return infer_bad_attribute(i, "shape has %zu dimensions, but the operand %d", shape->ints.count, x.rank);
    out.rank = x.rank;
    for (int k = 0; k < x.rank; k++) {
        out.dim[k] = shape->ints.items[k];
        if (out.dim[k] < 0 || out.dim[k] > ELEMENTS_MAX)
            return infer_bad_attribute(i, "a dimension of shape is %lld", (long long)out.dim[k]);
    }
    size_t count = starts->ints.count;
    int64_t axes[RANK_MAX] = {0}, steps[RANK_MAX] = {0};
    err_code code = slice_axes(i, x.rank, count, axes, steps);
    if (code != ERR_ok)
        return code;
    struct shape expected = out;
    for (size_t k = 0; k < count; k++) {
        int64_t start = starts->ints.items[k], filled = x.dim[axes[k]], room = out.dim[axes[k]];
        expected.dim[axes[k]] = filled;
        if (filled <= 0)
            continue;
        int64_t last;
        if (start < 0 || start >= room || __builtin_mul_overflow(filled - 1, steps[k], &last) ||
            __builtin_add_overflow(start, last, &last) || last < 0 || last >= room)
            return infer_bad_attribute(i, "along axis %lld the operand does not fit into %lld", (long long)axes[k],
                                       (long long)room);
    }
    if (!shape_agree(expected, x))
        return error_add_shapes(i->err, ERR_shape_mismatch, i->place, expected, x,
                                "ScatterSlice: the operand does not fit");
    i->out = out;
    return ERR_ok;
}

/* `lead` dimensions of x, then those of the middle, then those of x from `from` on. */
static struct shape splice(struct shape x, int lead, struct shape middle, int from)
{
    struct shape out = {.rank = lead + middle.rank + x.rank - from};
    if (out.rank > RANK_MAX)
        return out;
    for (int k = 0; k < lead; k++)
        out.dim[k] = x.dim[k];
    for (int k = 0; k < middle.rank; k++)
        out.dim[lead + k] = middle.dim[k];
    for (int k = from; k < x.rank; k++)
        out.dim[lead + middle.rank + k - from] = x.dim[k];
    return out;
}

err_code shape_gather(struct inference *i)
{
    int axis = 0;
    err_code code = infer_axis(i, "axis", infer_attribute(i, ATTRIBUTE_axis)->integer, i->in[0].rank, &axis);
    if (code != ERR_ok)
        return code;
    infer_set_int(i, ATTRIBUTE_axis, axis);
    i->out = splice(i->in[0], axis, i->in[1], axis + 1);
    return ERR_ok;
}

/* (g, index): g is (lead..., index..., rest...), the result (lead..., size, rest...). */
err_code shape_scatter_add(struct inference *i)
{
    struct shape g = i->in[0], index = i->in[1];
    int64_t size = infer_attribute(i, ATTRIBUTE_size)->integer;
    if (size < 0 || size > ELEMENTS_MAX)
        return infer_bad_attribute(i, "size is %lld, but must be from 0 to %lld", (long long)size,
                                   (long long)ELEMENTS_MAX);
    if (g.rank < index.rank)
        return infer_disagree(i, 0, 1, index, g);
    int axis = 0;
    err_code code = infer_axis(i, "axis", infer_attribute(i, ATTRIBUTE_axis)->integer, g.rank - index.rank + 1, &axis);
    if (code != ERR_ok)
        return code;
    struct shape expected = splice(g, axis, index, axis + index.rank);
    if (!shape_agree(expected, g))
        return infer_disagree(i, 0, 1, expected, g);
    infer_set_int(i, ATTRIBUTE_axis, axis);
    i->out = splice(g, axis, shape_of(1, &size), axis + index.rank);
    return ERR_ok;
}

err_code shape_one_hot(struct inference *i)
{
    int64_t depth = infer_attribute(i, ATTRIBUTE_depth)->integer;
    if (depth < 1 || depth > ELEMENTS_MAX)
        return infer_bad_attribute(i, "depth is %lld, but must be from 1 to %lld", (long long)depth,
                                   (long long)ELEMENTS_MAX);
    i->out = splice(i->in[0], i->in[0].rank, shape_of(1, &depth), i->in[0].rank);
    return ERR_ok;
}
