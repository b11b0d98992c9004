/* Shape rules of what looks at an image by windows: Conv, the pools, and the ops that they are made of. Their
 * attributes take one number for all axes, or one each; pads may also be ONNX's list, the begin of each axis, then the
 * end of each. In the normal form a list is as short as it can be: one number where all are equal. */
#include "graph/rules.h"
#include "graph/windows.h"

/* Number k of the `count` that a list stands for; `fallback` where it was left out. */
static int64_t number_of(const struct node *n, enum attribute_key key, size_t k, int64_t fallback)
{
    const struct attribute *a = node_attribute(n, key);
    return a ? a->ints.items[k % a->ints.count] : fallback;
}

int node_windows(const struct node *n, struct window ret[SPATIAL_MAX])
{
    int axes = n->op == OP_Windows ? (n->shape.rank - 2) / 2 : n->shape.rank - 2;
    bool strides_are_kernel = !op_has_attribute(n->op, ATTRIBUTE_dilations, NULL, NULL);
    for (int k = 0; k < axes; k++) {
        size_t at = (size_t)k;
        int64_t kernel = number_of(n, ATTRIBUTE_kernel, at, 0);
        ret[k] = (struct window){
            .kernel = kernel,
            .stride = number_of(n, ATTRIBUTE_strides, at, strides_are_kernel ? kernel : 1),
            .dilation = number_of(n, ATTRIBUTE_dilations, at, 1),
            .begin = number_of(n, ATTRIBUTE_pads, at, 0),
            .end = number_of(n, ATTRIBUTE_pads, (size_t)axes + at, 0),
        };
    }
    return axes;
}

/* ---- attributes */

static err_code check_numbers(const struct inference *i, enum attribute_key key, const int64_t *items, size_t count,
                              int64_t least)
{
    for (size_t k = 0; k < count; k++)
        if (items[k] < least || items[k] > ELEMENTS_MAX)
            return infer_bad_attribute(i, "%s has %lld, but must be from %lld to %lld", attribute_name(key),
                                       (long long)items[k], (long long)least, (long long)ELEMENTS_MAX);
    return ERR_ok;
}

/* Sets a list in its normal form: `part` is the shortest list that it may repeat, beside one number. */
static err_code set_numbers(struct inference *i, enum attribute_key key, const int64_t *items, size_t count,
                            size_t part)
{
    bool one = true, parts = true;
    for (size_t k = 0; k < count; k++) {
        one = one && items[k] == items[0];
        parts = parts && items[k] == items[k % part];
    }
    return infer_set_ints(i, key, items, one ? 1 : parts ? part : count);
}

/* A list of one number for all axes, or one each, at least 1; left out, `fallback`. */
static err_code axis_numbers(struct inference *i, enum attribute_key key, int axes, const int64_t *fallback,
                             int64_t ret[SPATIAL_MAX])
{
    const struct attribute *given = infer_attribute(i, key);
    const int64_t *items = given ? given->ints.items : fallback;
    size_t count = given ? given->ints.count : (size_t)axes;
    if (count != 1 && count != (size_t)axes)
        return infer_bad_attribute(i, "%s has %zu numbers, but there are %d spatial axes", attribute_name(key), count,
                                   axes);
    err_code code = check_numbers(i, key, items, count, 1);
    if (code != ERR_ok)
        return code;
    for (int k = 0; k < axes; k++)
        ret[k] = items[count == 1 ? 0 : k];
    return given ? set_numbers(i, key, ret, (size_t)axes, (size_t)axes) : ERR_ok;
}

static err_code pad_numbers(struct inference *i, int axes, int64_t ret[2 * SPATIAL_MAX])
{
    static const int64_t none[] = {0};
    const struct attribute *given = infer_attribute(i, ATTRIBUTE_pads);
    const int64_t *items = given ? given->ints.items : none;
    size_t count = given ? given->ints.count : 1, all = 2 * (size_t)axes;
    if (count != 1 && count != (size_t)axes && count != all)
        return infer_bad_attribute(i, "pads has %zu numbers, but must have 1, one an axis, or two an axis: %zu", count,
                                   all);
    err_code code = check_numbers(i, ATTRIBUTE_pads, items, count, 0);
    if (code != ERR_ok)
        return code;
    for (size_t k = 0; k < all; k++)
        ret[k] = items[k % count];
    return given ? set_numbers(i, ATTRIBUTE_pads, ret, all, (size_t)axes) : ERR_ok;
}

/* Reads strides, pads and dilations into `windows`, whose kernels are known. */
static err_code read_windows(struct inference *i, int axes, bool strides_are_kernel, struct window *windows)
{
    int64_t ones[SPATIAL_MAX] = {1, 1}, kernel[SPATIAL_MAX], strides[SPATIAL_MAX], dilations[SPATIAL_MAX] = {1, 1},
            pads[2 * SPATIAL_MAX];
    for (int k = 0; k < axes; k++)
        kernel[k] = windows[k].kernel;
    err_code code = axis_numbers(i, ATTRIBUTE_strides, axes, strides_are_kernel ? kernel : ones, strides);
    if (code == ERR_ok)
        code = pad_numbers(i, axes, pads);
    if (code == ERR_ok && op_has_attribute(i->op, ATTRIBUTE_dilations, NULL, NULL))
        code = axis_numbers(i, ATTRIBUTE_dilations, axes, ones, dilations);
    for (int k = 0; code == ERR_ok && k < axes; k++)
        windows[k] = (struct window){kernel[k], strides[k], dilations[k], pads[k], pads[axes + k]};
    return code;
}

static err_code read_kernel(struct inference *i, int axes, struct window *windows)
{
    int64_t kernel[SPATIAL_MAX] = {0};
    err_code code = axis_numbers(i, ATTRIBUTE_kernel, axes, NULL, kernel);
    for (int k = 0; k < axes; k++)
        windows[k].kernel = kernel[k];
    return code;
}

/* ---- sizes */

/* The number of windows along spatial axis `axis` of operand 0, whose size there is `dim`. */
static err_code count_windows(const struct inference *i, int axis, int64_t dim, const struct window *w, int64_t *ret)
{
    if (dim < 0) {
        bool all = w->kernel == 1 && w->stride == 1 && w->begin == 0 && w->end == 0;
        *ret = all ? dim : DIM_ANY;
        return ERR_ok;
    }
    int64_t room = dim + w->begin + w->end, span = w->dilation * (w->kernel - 1) + 1;
    if (span > room) {
        char name[OPERAND_TEXT_MAX], text[SHAPE_TEXT_MAX];
        return error_add(i->err, ERR_shape_mismatch, i->place,
                         "%s: a kernel of %lld (stride %lld, dilation %lld, pads %lld and %lld) does not fit into "
                         "%lld elements along spatial axis %d: %s is %s",
                         op_name(i->op), (long long)w->kernel, (long long)w->stride, (long long)w->dilation,
                         (long long)w->begin, (long long)w->end, (long long)dim, axis, infer_operand(i, 0, name),
                         shape_text(i->in[0], text));
    }
    *ret = (room - span) / w->stride + 1;
    return ERR_ok;
}

/* (n,c,dims...) as (n,c,windows...), and with the kernels behind it, whose elements are bounded here: that many are
 * looked at, whether or not they are copied. */
static err_code window_shapes(const struct inference *i, int axes, const struct window *windows, struct shape *ret_out,
                              struct shape *ret_windows)
{
    struct shape out = i->in[0];
    for (int k = 0; k < axes; k++) {
        err_code code = count_windows(i, k, i->in[0].dim[2 + k], &windows[k], &out.dim[2 + k]);
        if (code != ERR_ok)
            return code;
    }
    struct shape wide = out;
    for (int k = 0; k < axes; k++)
        wide.dim[wide.rank++] = windows[k].kernel;
    *ret_out = out;
    *ret_windows = wide;
    return infer_bounded(i, wide);
}

static err_code spatial_axes(const struct inference *i, int *ret)
{
    int rank = i->in[0].rank;
    if (rank < 3 || rank > 2 + SPATIAL_MAX)
        return infer_unfit(i, 0, ", but must be (n,c,w) or (n,c,h,w)");
    *ret = rank - 2;
    return ERR_ok;
}

/* ---- the rules */

/* (n,c,h,w) -> (n,c,oh,ow,kh,kw) */
err_code shape_windows(struct inference *i)
{
    struct window windows[SPATIAL_MAX] = {0};
    struct shape out;
    int axes = 0;
    err_code code = spatial_axes(i, &axes);
    code = code ? code : read_kernel(i, axes, windows);
    code = code ? code : read_windows(i, axes, false, windows);
    return code ? code : window_shapes(i, axes, windows, &out, &i->out);
}

/* (n,c,oh,ow,kh,kw) -> (n,c,h,w): shape is (h,w), whose windows the operand must be. */
err_code shape_fold_windows(struct inference *i)
{
    struct shape g = i->in[0];
    const struct attribute *shape = infer_attribute(i, ATTRIBUTE_shape);
    int axes = (g.rank - 2) / 2;
    if (axes < 1 || axes > SPATIAL_MAX || g.rank % 2 != 0)
        return infer_unfit(i, 0, ", but must be (n,c,ow,kw) or (n,c,oh,ow,kh,kw)");
    if (shape->ints.count != (size_t)axes)
        return infer_bad_attribute(i, "shape has %zu dimensions, but there are %d spatial axes", shape->ints.count,
                                   axes);
    struct shape image = {.rank = 2 + axes, .dim = {g.dim[0], g.dim[1]}};
    struct window windows[SPATIAL_MAX] = {0};
    err_code code = check_numbers(i, ATTRIBUTE_shape, shape->ints.items, (size_t)axes, 0);
    for (int k = 0; k < axes; k++) {
        image.dim[2 + k] = shape->ints.items[k];
        windows[k].kernel = g.dim[2 + axes + k];
        if (windows[k].kernel < 1)
            return infer_unfit(i, 0, ", but the kernel must be numbers of at least 1");
    }
    code = code ? code : read_windows(i, axes, false, windows);
    struct shape expected = g;
    for (int k = 0; code == ERR_ok && k < axes; k++)
        code = count_windows(i, k, image.dim[2 + k], &windows[k], &expected.dim[2 + k]);
    if (code == ERR_ok && !shape_agree(expected, g)) {
        char text[SHAPE_TEXT_MAX];
        code = error_add_shapes(i->err, ERR_shape_mismatch, i->place, expected, g,
                                "FoldWindows: the operand is no windows of %s", shape_text(image, text));
    }
    i->out = image;
    return code;
}

/* Every window of a pool has an element that is no padding. */
static err_code check_pool(const struct inference *i, int axes, const struct window *windows)
{
    for (int k = 0; k < axes; k++) {
        const struct window *w = &windows[k];
        if (w->begin >= w->kernel || w->end >= w->kernel)
            return infer_bad_attribute(
                i, "pads are %lld and %lld along spatial axis %d, but must be below the kernel, %lld",
                (long long)w->begin, (long long)w->end, k, (long long)w->kernel);
        if (i->in[0].dim[2 + k] == 0)
            return infer_unfit(i, 0, ": there is nothing to pool");
    }
    return ERR_ok;
}

static err_code pool_shapes(struct inference *i, struct shape *ret_out)
{
    struct window windows[SPATIAL_MAX] = {0};
    struct shape wide;
    int axes = 0;
    err_code code = spatial_axes(i, &axes);
    code = code ? code : read_kernel(i, axes, windows);
    code = code ? code : read_windows(i, axes, true, windows);
    code = code ? code : check_pool(i, axes, windows);
    return code ? code : window_shapes(i, axes, windows, ret_out, &wide);
}

/* (n,c,h,w) -> (n,c,oh,ow) */
err_code shape_pool(struct inference *i)
{
    return pool_shapes(i, &i->out);
}

/* The rule of a pool looks at operand 0; here the image is operand 1. */
static err_code pooled_image(struct inference *i, struct shape *ret_out)
{
    const char *names[] = {i->names ? i->names[1] : NULL};
    struct inference image = *i;
    image.in = &i->in[1];
    image.names = names;
    err_code code = pool_shapes(&image, ret_out);
    i->attribute_count = image.attribute_count;
    return code;
}

/* v and x (n,c,h,w) -> (n,c,oh,ow) */
err_code shape_pick_max(struct inference *i)
{
    err_code code = pooled_image(i, &i->out);
    if (code == ERR_ok && !shape_agree(i->in[0], i->in[1]))
        return infer_disagree(i, 0, 1, i->in[1], i->in[0]);
    return code;
}

/* g (n,c,oh,ow) and x (n,c,h,w) -> (n,c,h,w) */
err_code shape_place_max(struct inference *i)
{
    struct shape out;
    err_code code = pooled_image(i, &out);
    if (code == ERR_ok && !shape_agree(i->in[0], out))
        return infer_disagree(i, 0, 1, out, i->in[0]);
    i->out = i->in[1];
    return code;
}

/* (n,c,h,w) -> (n,c,1,1) */
err_code shape_global_pool(struct inference *i)
{
    int axes = 0;
    err_code code = spatial_axes(i, &axes);
    i->out = i->in[0];
    for (int k = 0; code == ERR_ok && k < axes; k++) {
        if (i->out.dim[2 + k] == 0)
            return infer_unfit(i, 0, ": there is nothing to pool");
        i->out.dim[2 + k] = 1;
    }
    return code;
}

static err_code check_filters(const struct inference *i, int axes)
{
    struct shape x = i->in[0], w = i->in[1], expected = w;
    int64_t group = infer_attribute(i, ATTRIBUTE_group)->integer;
    if (w.rank != x.rank)
        return infer_unfit(i, 1, axes == 1 ? ", but must be (o,c/group,kw)" : ", but must be (o,c/group,kh,kw)");
    if (group < 1 || group > ELEMENTS_MAX)
        return infer_bad_attribute(i, "group is %lld, but must be at least 1", (long long)group);
    if (x.dim[1] >= 0 && x.dim[1] % group != 0)
        return infer_bad_attribute(i, "group is %lld, which does not divide %lld channels", (long long)group,
                                   (long long)x.dim[1]);
    if (w.dim[0] >= 0 && w.dim[0] % group != 0)
        return infer_bad_attribute(i, "group is %lld, which does not divide %lld filters", (long long)group,
                                   (long long)w.dim[0]);
    for (int k = 0; k < axes; k++)
        if (w.dim[2 + k] < 1)
            return infer_unfit(i, 1, ", but its kernel must be numbers of at least 1");
    if (x.dim[1] >= 0)
        expected.dim[1] = x.dim[1] / group;
    return dim_agree(dim_multiply(w.dim[1], group), x.dim[1]) ? ERR_ok : infer_disagree(i, 0, 1, expected, w);
}

/* (n,c,h,w) x (o,c/group,kh,kw) + (o) -> (n,o,oh,ow) */
err_code shape_conv(struct inference *i)
{
    struct window windows[SPATIAL_MAX] = {0};
    struct shape out, wide;
    int axes = 0;
    err_code code = spatial_axes(i, &axes);
    code = code ? code : check_filters(i, axes);
    for (int k = 0; code == ERR_ok && k < axes; k++)
        windows[k].kernel = i->in[1].dim[2 + k];
    code = code ? code : read_windows(i, axes, false, windows);
    code = code ? code : window_shapes(i, axes, windows, &out, &wide);
    if (code != ERR_ok)
        return code;
    int64_t filters = i->in[1].dim[0];
    if (i->count == 3) {
        struct shape bias = shape_of(1, &filters);
        if (!shape_agree(bias, i->in[2]))
            return infer_disagree(i, 1, 2, bias, i->in[2]);
        filters = dim_join(filters, i->in[2].dim[0]);
    }
    out.dim[1] = filters;
    i->out = out;
    return ERR_ok;
}
