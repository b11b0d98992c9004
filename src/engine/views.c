#include "engine/planner.h"

int64_t view_elements(const struct view *v)
{
    int64_t count = 1;
    for (int axis = 0; axis < v->shape.rank; axis++)
        count *= v->shape.dim[axis];
    return count;
}

struct ref view_ref(const struct view *v)
{
    return (struct ref){v->storage, v->offset};
}

struct view view_contiguous(uint32_t storage, struct shape shape)
{
    struct view v = {.storage = storage, .shape = shape};
    int64_t stride = 1;
    for (int axis = shape.rank - 1; axis >= 0; axis--) {
        v.stride[axis] = stride;
        stride *= shape.dim[axis];
    }
    return v;
}

bool view_is_contiguous(const struct view *v)
{
    int64_t stride = 1;
    if (view_elements(v) == 0)
        return true;
    for (int axis = v->shape.rank - 1; axis >= 0; axis--) {
        if (v->shape.dim[axis] != 1 && v->stride[axis] != stride)
            return false;
        stride *= v->shape.dim[axis];
    }
    return true;
}

struct view view_broadcast(const struct view *v, struct shape shape)
{
    struct view out = {.storage = v->storage, .offset = v->offset, .shape = shape};
    const int shift = shape.rank - v->shape.rank;
    for (int axis = 0; axis < shape.rank; axis++) {
        const bool repeated = axis < shift || v->shape.dim[axis - shift] != shape.dim[axis];
        out.stride[axis] = repeated ? 0 : v->stride[axis - shift];
    }
    return out;
}

struct view view_transpose(const struct view *v, const int64_t *perm)
{
    struct view out = *v;
    for (int axis = 0; axis < v->shape.rank; axis++) {
        out.shape.dim[axis] = v->shape.dim[perm[axis]];
        out.stride[axis] = v->stride[perm[axis]];
    }
    return out;
}

struct view view_slice(const struct view *v, int axis, int64_t start, int64_t step, int64_t count)
{
    struct view out = *v;
    out.shape.dim[axis] = count;
    if (count > 0)
        out.offset += start * v->stride[axis];
    out.stride[axis] = count > 1 ? step * v->stride[axis] : 0;
    return out;
}

/* Axes without those of one element, neighbours merged where their strides allow it. Returns how many are left. */
static int merged_axes(const struct view *v, int64_t dim[RANK_MAX], int64_t stride[RANK_MAX])
{
    int count = 0;
    for (int axis = 0; axis < v->shape.rank; axis++) {
        const int64_t d = v->shape.dim[axis];
        if (d == 1)
            continue;
        if (count > 0 && stride[count - 1] == v->stride[axis] * d) {
            dim[count - 1] *= d;
            stride[count - 1] = v->stride[axis];
        } else {
            dim[count] = d;
            stride[count++] = v->stride[axis];
        }
    }
    return count;
}

bool view_reshape(const struct view *v, struct shape shape, struct view *ret)
{
    struct view out = view_contiguous(v->storage, shape);
    int64_t dim[RANK_MAX], stride[RANK_MAX];
    out.offset = v->offset;
    if (view_elements(v) == 0) {
        *ret = out;
        return true;
    }
    /* Each merged axis, from the last, must be filled exactly by some of the new axes. */
    int axis = shape.rank - 1;
    for (int m = merged_axes(v, dim, stride) - 1; m >= 0; m--) {
        int64_t filled = 1;
        while (filled < dim[m] && axis >= 0) {
            out.stride[axis] = stride[m] * filled;
            filled *= shape.dim[axis--];
        }
        if (filled != dim[m])
            return false;
    }
    for (; axis >= 0; axis--)
        out.stride[axis] = 0; /* dimensions of 1 */
    *ret = out;
    return true;
}

bool view_same(const struct view *a, const struct view *b)
{
    if (a->storage != b->storage || a->offset != b->offset || !shape_equal(a->shape, b->shape))
        return false;
    for (int axis = 0; axis < a->shape.rank; axis++)
        if (a->shape.dim[axis] != 1 && a->stride[axis] != b->stride[axis])
            return false;
    return true;
}

bool view_is_merged(const struct view *v, int first, int last)
{
    int inner = -1;
    for (int axis = last; axis >= first; axis--) {
        if (v->shape.dim[axis] == 1)
            continue;
        if (inner >= 0 && v->stride[axis] != v->stride[inner] * v->shape.dim[inner])
            return false;
        inner = axis;
    }
    return true;
}
