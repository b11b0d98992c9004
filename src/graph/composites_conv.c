/* Conv and the pools that are averages, written with Windows.
 *
 * Conv is a product: the windows of x, a row each, (n*oh*ow, kh*kw*c), times the filters, a column each, (kh*kw*c, o).
 * Channels come last in a row, so that the elements of one row of a window stand in the row as in the image, and the
 * result, (n,oh,ow,o), is transposed at the end: Windows, the product and the ops between convolutions need no copy
 * for that. With groups it is a product for each group. */
#include "graph/composites.h"
#include "graph/windows.h"
#include "graph/words.h"

static int64_t product_of(const int64_t *dims, int count)
{
    int64_t product = 1;
    for (int k = 0; k < count; k++)
        product *= dims[k];
    return product;
}

static node_id windows_of(struct builder *b, node_id x, const struct window *windows, int axes)
{
    int64_t kernel[SPATIAL_MAX], strides[SPATIAL_MAX], dilations[SPATIAL_MAX], pads[2 * SPATIAL_MAX];
    for (int k = 0; k < axes; k++) {
        kernel[k] = windows[k].kernel;
        strides[k] = windows[k].stride;
        dilations[k] = windows[k].dilation;
        pads[k] = windows[k].begin;
        pads[axes + k] = windows[k].end;
    }
    const struct attribute attributes[] = {
        attribute_ints(ATTRIBUTE_kernel, kernel, (size_t)axes),
        attribute_ints(ATTRIBUTE_strides, strides, (size_t)axes),
        attribute_ints(ATTRIBUTE_pads, pads, 2 * (size_t)axes),
        attribute_ints(ATTRIBUTE_dilations, dilations, (size_t)axes),
    };
    return build_op(b, OP_Windows, &x, 1, attributes, 4);
}

/* Axis `from` of x becomes the last one. */
static node_id axis_to_end(struct builder *b, node_id x, int from)
{
    int64_t perm[RANK_MAX];
    int rank = build_shape(b, x).rank;
    for (int k = 0; k < rank; k++)
        perm[k] = k < from ? k : k < rank - 1 ? k + 1 : from;
    return build_transpose(b, x, perm);
}

/* (n,...,c) as (n,c,...) */
static node_id channels_second(struct builder *b, node_id x)
{
    int64_t perm[RANK_MAX];
    int rank = build_shape(b, x).rank;
    for (int k = 0; k < rank; k++)
        perm[k] = k == 0 ? 0 : k == 1 ? rank - 1 : k - 1;
    return build_transpose(b, x, perm);
}

/* ---- Conv */

/* (o,c,kernels...) as (kernels...*c, o) */
static node_id filter_columns(struct builder *b, node_id w)
{
    struct shape shape = build_shape(b, w);
    int64_t perm[RANK_MAX];
    for (int k = 0; k < shape.rank; k++)
        perm[k] = k < shape.rank - 2 ? k + 2 : shape.rank - 1 - k;
    node_id columns = build_transpose(b, w, perm);
    return build_reshape(b, columns, shape_of(2, (int64_t[]){product_of(shape.dim + 1, shape.rank - 1), shape.dim[0]}));
}

static node_id conv(struct builder *b, const struct node *n, const node_id *in, node_id windows, int axes)
{
    struct shape wide = build_shape(b, windows), out = {.rank = 2 + axes, .dim = {n->shape.dim[0]}};
    int64_t rows = product_of(n->shape.dim + 2, axes) * wide.dim[0];
    int64_t taps = product_of(wide.dim + 2 + axes, axes) * wide.dim[1];
    node_id matrix = axis_to_end(b, windows, 1);
    matrix = build_reshape(b, matrix, shape_of(2, (int64_t[]){rows, taps}));
    const node_id operands[] = {matrix, filter_columns(b, in[1]), n->input_count == 3 ? in[2] : NODE_NONE};
    node_id y = build_op(b, OP_Linear, operands, n->input_count, NULL, 0);
    for (int k = 0; k < axes; k++)
        out.dim[1 + k] = n->shape.dim[2 + k];
    out.dim[1 + axes] = n->shape.dim[1];
    return channels_second(b, build_reshape(b, y, out));
}

/* ---- Conv of groups: the group is the batch axis of a product */

/* (n,c,counts...,kernels...) as (group, n*counts..., kernels...*c/group) */
static node_id grouped_rows(struct builder *b, node_id windows, int64_t group, int axes)
{
    struct shape wide = build_shape(b, windows), split = {.rank = wide.rank + 1};
    int64_t perm[RANK_MAX] = {1, 0};
    split.dim[0] = wide.dim[0];
    split.dim[1] = group;
    split.dim[2] = wide.dim[1] / group;
    for (int k = 2; k < wide.rank; k++) {
        split.dim[k + 1] = wide.dim[k];
        perm[k] = k + 1;
    }
    perm[wide.rank] = 2;
    node_id x = build_reshape(b, windows, split);
    x = build_transpose(b, x, perm);
    int64_t rows = wide.dim[0] * product_of(wide.dim + 2, axes);
    int64_t taps = split.dim[2] * product_of(wide.dim + 2 + axes, axes);
    return build_reshape(b, x, shape_of(3, (int64_t[]){group, rows, taps}));
}

/* (o,c/group,kernels...) as (group, kernels...*c/group, o/group) */
static node_id grouped_columns(struct builder *b, node_id w, int64_t group, int axes)
{
    struct shape shape = build_shape(b, w), split = {.rank = shape.rank + 1};
    int64_t perm[RANK_MAX] = {0}, filters = shape.dim[0] / group;
    split.dim[0] = group;
    split.dim[1] = filters;
    for (int k = 1; k < shape.rank; k++)
        split.dim[k + 1] = shape.dim[k];
    for (int k = 0; k < axes; k++)
        perm[1 + k] = 3 + k;
    perm[1 + axes] = 2;
    perm[2 + axes] = 1;
    node_id columns = build_reshape(b, w, split);
    columns = build_transpose(b, columns, perm);
    return build_reshape(b, columns,
                         shape_of(3, (int64_t[]){group, product_of(shape.dim + 1, shape.rank - 1), filters}));
}

static node_id grouped_conv(struct builder *b, const struct node *n, const node_id *in, node_id windows, int64_t group,
                            int axes)
{
    node_id rows = grouped_rows(b, windows, group, axes);
    node_id y = build_binary(b, OP_MatMul, rows, grouped_columns(b, in[1], group, axes));
    struct shape split = {.rank = 3 + axes, .dim = {group, n->shape.dim[0]}};
    int64_t perm[RANK_MAX] = {1, 0, 2 + axes};
    for (int k = 0; k < axes; k++) {
        split.dim[2 + k] = n->shape.dim[2 + k];
        perm[3 + k] = 2 + k;
    }
    split.dim[2 + axes] = n->shape.dim[1] / group;
    y = build_reshape(b, y, split);
    y = build_transpose(b, y, perm);
    y = build_reshape(b, y, n->shape);
    if (n->input_count < 3)
        return y;
    struct shape bias = {.rank = 1 + axes, .dim = {n->shape.dim[1], 1, 1}};
    return plus(b, y, build_reshape(b, in[2], bias));
}

node_id compose_Conv(struct builder *b, const struct node *n, const node_id *in)
{
    struct window windows[SPATIAL_MAX];
    int axes = node_windows(n, windows);
    int64_t group = node_int(n, ATTRIBUTE_group);
    struct shape filters = build_shape(b, in[1]);
    for (int k = 0; k < axes; k++)
        windows[k].kernel = filters.dim[2 + k];
    node_id x = windows_of(b, in[0], windows, axes);
    return group == 1 ? conv(b, n, in, x, axes) : grouped_conv(b, n, in, x, group, axes);
}

/* ---- averages */

/* How many elements that are no padding each window has along an axis, of shape (count, 1...): as if the axis were one
 * of ones. */
static node_id real_elements(struct builder *b, const struct window *w, int axis, int axes, int64_t dim)
{
    struct shape one = {.rank = 2 + axes, .dim = {1, 1, 1, 1}};
    one.dim[2 + axis] = dim;
    node_id ones = build_fill(b, 1, one);
    struct window along[SPATIAL_MAX];
    for (int k = 0; k < axes; k++)
        along[k] = k == axis ? *w : (struct window){1, 1, 1, 0, 0};
    node_id windows = windows_of(b, ones, along, axes);
    const int64_t kernels[] = {2 + axes, 3 + axes};
    return build_reduce(b, OP_ReduceSum, windows, kernels, (size_t)axes, false);
}

/* The number of elements behind each average: one number, or one a window where some windows have padding. */
static node_id divisor(struct builder *b, const struct window *windows, int axes, struct shape image)
{
    double area = 1;
    node_id counts = NODE_NONE;
    for (int k = 0; k < axes; k++) {
        if (windows[k].begin == 0 && windows[k].end == 0) {
            area *= (double)windows[k].kernel;
            continue;
        }
        node_id along = real_elements(b, &windows[k], k, axes, image.dim[2 + k]);
        counts = counts == NODE_NONE ? along : times(b, counts, along);
    }
    if (counts == NODE_NONE)
        return build_scalar(b, area);
    return area == 1 ? counts : scaled(b, area, counts);
}

node_id compose_AveragePool(struct builder *b, const struct node *n, const node_id *in)
{
    struct window windows[SPATIAL_MAX];
    int axes = node_windows(n, windows);
    struct shape image = build_shape(b, in[0]);
    node_id taps = axis_to_end(b, windows_of(b, in[0], windows, axes), 1); /* (n,counts...,kernels...,c) */
    int64_t kernels[SPATIAL_MAX];
    for (int k = 0; k < axes; k++)
        kernels[k] = 1 + axes + k;
    node_id sums = channels_second(b, build_reduce(b, OP_ReduceSum, taps, kernels, (size_t)axes, false));
    return over(b, sums, divisor(b, windows, axes, image));
}

node_id compose_GlobalAveragePool(struct builder *b, const struct node *n, const node_id *in)
{
    const int64_t spatial[] = {2, 3};
    return build_reduce(b, OP_ReduceMean, in[0], spatial, (size_t)n->shape.rank - 2, true);
}
