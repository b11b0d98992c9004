/* Windows and pools become steps. Their kernels want images as (n, h, w, c), which is how the product of a Conv leaves
 * its result: such an operand, which the graph sees as a Transpose, is read where it lies, and results are left the
 * same way. */
#include "engine/planner.h"
#include "graph/windows.h"

/* ---- the order of axes */

/* (n, c, ...) as (n, ..., c), and back. */
static struct view channels_last(const struct view *v)
{
    int64_t perm[RANK_MAX];
    const int rank = v->shape.rank;
    for (int axis = 0; axis < rank; axis++)
        perm[axis] = axis == 0 ? 0 : axis == rank - 1 ? 1 : axis + 1;
    return view_transpose(v, perm);
}

static struct view channels_second(const struct view *v)
{
    int64_t perm[RANK_MAX];
    const int rank = v->shape.rank;
    for (int axis = 0; axis < rank; axis++)
        perm[axis] = axis == 0 ? 0 : axis == 1 ? rank - 1 : axis - 1;
    return view_transpose(v, perm);
}

static struct shape shape_channels_last(struct shape shape)
{
    const struct view v = {.shape = shape};
    return channels_last(&v).shape;
}

/* ---- arguments */

/* Of an image (n, c, dims...) whose windows are (n, c, counts..., ...). One spatial axis is a row of an image of one
 * row. */
static struct window_args arguments(const struct window *windows, int axes, struct shape image, struct shape counts)
{
    struct window_args args = {.images = image.dim[0],
                               .channels = image.dim[1],
                               .y = {.dim = 1, .count = 1, .kernel = 1, .stride = 1, .dilation = 1}};
    for (int k = 0; k < axes; k++) {
        struct window_axis *axis = k == axes - 1 ? &args.x : &args.y;
        *axis = (struct window_axis){.dim = image.dim[2 + k],
                                     .count = counts.dim[2 + k],
                                     .kernel = windows[k].kernel,
                                     .stride = windows[k].stride,
                                     .dilation = windows[k].dilation,
                                     .begin = windows[k].begin};
    }
    return args;
}

static err_code append(struct planner *p, const char *name, kernel_fn kernel, const struct window_args *args,
                       const struct view *out, const struct view *x, const struct view *y, double flops)
{
    struct step step = {.name = name, .kernel = kernel, .ref_count = 2, .refs = {view_ref(out), view_ref(x)}};
    if (y != NULL)
        step.refs[step.ref_count++] = view_ref(y);
    p->plan->flops += flops;
    return planner_step(p, &step, args, sizeof *args);
}

/* ---- windows */

/* The windows (n, c, counts..., kernels...) read where they lie, if nothing of them is padding. */
static struct view windows_in_place(const struct view *x, const struct window *windows, int axes, struct shape shape)
{
    struct view v = {.storage = x->storage, .offset = x->offset, .shape = shape};
    v.stride[0] = x->stride[0];
    v.stride[1] = x->stride[1];
    for (int k = 0; k < axes; k++) {
        v.stride[2 + k] = windows[k].stride * x->stride[2 + k];
        v.stride[2 + axes + k] = windows[k].dilation * x->stride[2 + k];
    }
    return v;
}

/* Whether windows, (n, counts..., kernels..., c), are the rows of a matrix without a copy. */
static bool is_matrix(const struct view *v, int axes)
{
    struct shape matrix = {.rank = 2, .dim = {1, 1}};
    struct view ignored;
    for (int axis = 0; axis < v->shape.rank; axis++)
        matrix.dim[axis <= axes ? 0 : 1] *= v->shape.dim[axis];
    return view_reshape(v, matrix, &ignored);
}

err_code lower_windows(struct planner *p, const struct node *n, const struct view *in, struct view *ret)
{
    struct window windows[SPATIAL_MAX];
    const int axes = node_windows(n, windows);
    bool padded = false;
    for (int k = 0; k < axes; k++)
        padded = padded || windows[k].begin > 0 || windows[k].end > 0;
    if (!padded) {
        *ret = windows_in_place(&in[0], windows, axes, n->shape);
        const struct view last = channels_last(ret);
        if (is_matrix(&last, axes))
            return ERR_ok;
    }
    const struct window_args args = arguments(windows, axes, in[0].shape, n->shape);
    struct view x = channels_last(&in[0]), out;
    err_code code = lower_contiguous(p, &x);
    if (code == ERR_ok)
        code = planner_tensor(p, shape_channels_last(n->shape), &out);
    if (code != ERR_ok)
        return code;
    *ret = channels_second(&out);
    return append(p, "windows", p->plan->kernels->windows, &args, &out, &x, NULL, (double)view_elements(&out));
}

/* Windows that tile the image, each element once, are the image: (n, c, counts..., kernels...) in another order. */
static bool fold_in_place(const struct view *g, const struct window *windows, int axes, struct shape image,
                          struct view *ret)
{
    int64_t perm[RANK_MAX] = {0, 1};
    for (int k = 0; k < axes; k++) {
        const int64_t count = g->shape.dim[2 + k], kernel = g->shape.dim[2 + axes + k];
        if (windows[k].begin > 0 || windows[k].end > 0 || count * kernel != image.dim[2 + k] ||
            (kernel > 1 && windows[k].dilation != 1) || (count > 1 && windows[k].stride != kernel))
            return false;
        perm[2 + 2 * k] = 2 + k;
        perm[3 + 2 * k] = 2 + axes + k;
    }
    const struct view tiles = view_transpose(g, perm);
    return view_reshape(&tiles, image, ret);
}

err_code lower_fold_windows(struct planner *p, const struct node *n, const struct view *in, struct view *ret)
{
    struct window windows[SPATIAL_MAX];
    const int axes = node_windows(n, windows);
    if (fold_in_place(&in[0], windows, axes, n->shape, ret))
        return ERR_ok;
    for (int k = 0; k < axes; k++)
        windows[k].kernel = in[0].shape.dim[2 + axes + k];
    const struct window_args args = arguments(windows, axes, n->shape, in[0].shape);
    struct view g = channels_last(&in[0]), out;
    err_code code = lower_contiguous(p, &g);
    if (code == ERR_ok)
        code = planner_tensor(p, shape_channels_last(n->shape), &out);
    if (code != ERR_ok)
        return code;
    *ret = channels_second(&out);
    return append(p, "fold_windows", p->plan->kernels->fold_windows, &args, &out, &g, NULL, (double)view_elements(&g));
}

/* ---- pools */

/* A pool looks at each channel alone, so images whose channels lie one after the other are as many images of one. */
static bool wants_channels_last(const struct view *x)
{
    const struct view last = channels_last(x);
    return view_is_contiguous(&last) || (!view_is_contiguous(x) && x->stride[1] == 1);
}

static err_code lower_pool(struct planner *p, const struct node *n, const struct view *image, const struct view *other,
                           const char *name, kernel_fn kernel, struct shape counts, struct view *ret)
{
    struct window windows[SPATIAL_MAX];
    const int axes = node_windows(n, windows);
    struct window_args args = arguments(windows, axes, image->shape, counts);
    const bool last = wants_channels_last(image);
    struct view x = last ? channels_last(image) : *image, y = {0}, out;
    err_code code = lower_contiguous(p, &x);
    if (code == ERR_ok && other != NULL) {
        y = last ? channels_last(other) : *other;
        code = lower_contiguous(p, &y);
    }
    if (code == ERR_ok)
        code = planner_tensor(p, last ? shape_channels_last(n->shape) : n->shape, &out);
    if (code != ERR_ok)
        return code;
    if (!last) {
        args.images *= args.channels;
        args.channels = 1;
    }
    *ret = last ? channels_second(&out) : out;
    const double looks = (double)args.images * (double)args.channels * (double)args.y.count * (double)args.x.count *
                         (double)args.y.kernel * (double)args.x.kernel;
    return other != NULL ? append(p, name, kernel, &args, &out, &y, &x, looks)
                         : append(p, name, kernel, &args, &out, &x, NULL, looks);
}

err_code lower_max_pool(struct planner *p, const struct node *n, const struct view *in, struct view *ret)
{
    return lower_pool(p, n, &in[0], NULL, "max_pool", p->plan->kernels->max_pool, n->shape, ret);
}

err_code lower_pick_max(struct planner *p, const struct node *n, const struct view *in, struct view *ret)
{
    return lower_pool(p, n, &in[1], &in[0], "pick_max", p->plan->kernels->pick_max, n->shape, ret);
}

err_code lower_place_max(struct planner *p, const struct node *n, const struct view *in, struct view *ret)
{
    return lower_pool(p, n, &in[1], &in[0], "place_max", p->plan->kernels->place_max, in[0].shape, ret);
}
