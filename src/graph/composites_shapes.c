/* Ops that move or repeat elements, by Reshape, Expand, Slice, ScatterSlice and Concat. */
#include "graph/composites.h"

node_id compose_Flatten(struct builder *b, const struct node *n, const node_id *in)
{
    return build_reshape(b, in[0], n->shape);
}

node_id compose_Squeeze(struct builder *b, const struct node *n, const node_id *in)
{
    return build_reshape(b, in[0], n->shape);
}

node_id compose_Unsqueeze(struct builder *b, const struct node *n, const node_id *in)
{
    return build_reshape(b, in[0], n->shape);
}

node_id compose_Flip(struct builder *b, const struct node *n, const node_id *in)
{
    size_t count;
    const int64_t *axes = node_ints(n, ATTRIBUTE_axes, &count);
    node_id x = in[0];
    for (size_t k = 0; k < count; k++) {
        int64_t dim = n->shape.dim[axes[k]];
        if (dim > 1)
            x = build_slice(b, x, axes[k], dim - 1, -1, dim);
    }
    return x;
}

/* Axis by axis from the last: (before, after) -> (before, 1, after) -> (before, repeats, after). */
node_id compose_Tile(struct builder *b, const struct node *n, const node_id *in)
{
    size_t rank;
    const int64_t *repeats = node_ints(n, ATTRIBUTE_repeats, &rank);
    node_id x = in[0];
    struct shape shape = n->shape;
    int64_t before = 1, after = 1;
    for (size_t k = 0; k < rank; k++) {
        if (shape.dim[k] == 0)
            return build_fill(b, 0, n->shape);
        shape.dim[k] /= repeats[k];
        before *= shape.dim[k];
    }
    for (size_t k = rank; k-- > 0;) {
        before /= shape.dim[k];
        after *= shape.dim[k];
        if (repeats[k] == 1)
            continue;
        node_id once = build_reshape(b, x, shape_of(3, (const int64_t[]){before, 1, after}));
        after *= repeats[k];
        shape.dim[k] *= repeats[k];
        node_id many = build_expand(b, once, shape_of(3, (const int64_t[]){before, repeats[k], after / repeats[k]}));
        x = build_reshape(b, many, shape);
    }
    return x;
}

/* x without what negative pads cut off, and where it begins in the result. */
static node_id cut(struct builder *b, const int64_t *pads, node_id x, int64_t *ret_starts)
{
    struct shape shape = build_shape(b, x);
    for (int k = 0; k < shape.rank; k++) {
        int64_t before = pads[k], after = pads[shape.rank + k];
        int64_t start = before < 0 ? -before : 0;
        int64_t count = shape.dim[k] - start + (after < 0 ? after : 0);
        if (count != shape.dim[k])
            x = build_slice(b, x, k, start, 1, count);
        ret_starts[k] = before > 0 ? before : 0;
    }
    return x;
}

/* Zeros with x in them. */
static node_id pad_with_zeros(struct builder *b, struct shape shape, const int64_t *starts, node_id x)
{
    int64_t axes[RANK_MAX], steps[RANK_MAX];
    size_t rank = (size_t)shape.rank;
    for (size_t k = 0; k < rank; k++) {
        axes[k] = (int64_t)k;
        steps[k] = 1;
    }
    const struct attribute attributes[] = {
        {.key = ATTRIBUTE_shape, .kind = KIND_INTS, .ints = {shape.dim, rank}},
        {.key = ATTRIBUTE_starts, .kind = KIND_INTS, .ints = {starts, rank}},
        {.key = ATTRIBUTE_axes, .kind = KIND_INTS, .ints = {axes, rank}},
        {.key = ATTRIBUTE_steps, .kind = KIND_INTS, .ints = {steps, rank}},
    };
    return build_op(b, OP_ScatterSlice, &x, 1, attributes, 4);
}

/* x between two pieces of that value, along one axis after the other. */
static node_id pad_with(struct builder *b, double value, struct shape shape, const int64_t *starts, node_id x)
{
    struct shape at = build_shape(b, x);
    for (int k = 0; k < shape.rank; k++) {
        int64_t before = starts[k], there = at.dim[k], after = shape.dim[k] - before - there;
        const struct attribute axis = {.key = ATTRIBUTE_axis, .kind = KIND_INT, .integer = k};
        node_id pieces[3];
        size_t count = 0;
        if (before == 0 && after == 0)
            continue;
        at.dim[k] = before;
        if (before > 0)
            pieces[count++] = build_fill(b, value, at);
        pieces[count++] = x;
        at.dim[k] = after;
        if (after > 0)
            pieces[count++] = build_fill(b, value, at);
        at.dim[k] = shape.dim[k];
        x = build_op(b, OP_Concat, pieces, count, &axis, 1);
    }
    return x;
}

node_id compose_Pad(struct builder *b, const struct node *n, const node_id *in)
{
    size_t count;
    int64_t starts[RANK_MAX] = {0};
    const struct attribute *given = node_attribute(n, ATTRIBUTE_value);
    double value = given ? tensor_get(given->tensor, 0) : 0;
    const int64_t *pads = node_ints(n, ATTRIBUTE_pads, &count);
    node_id x = cut(b, pads, in[0], starts);
    if (shape_equal(build_shape(b, x), n->shape))
        return x;
    return value == 0 ? pad_with_zeros(b, n->shape, starts, x) : pad_with(b, value, n->shape, starts, x);
}
