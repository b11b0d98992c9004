/* Windows, their fold, and pools by the maximum, of one dtype. A template: see vector.h. Images are (n, h, w, c): along
 * a row of an image the elements of neighbouring places are neighbours too, so that one row of a window is one run. */
#include "engine/vector.h"
#include <string.h>

/* The taps of a window that lie inside an axis: first to end - 1. `place` is where tap 0 lies. */
INLINE void V(taps_inside)(const struct window_axis *a, int64_t place, int64_t *ret_first, int64_t *ret_end)
{
    int64_t first = 0, end = a->kernel;
    while (first < end && place + first * a->dilation < 0)
        first++;
    while (end > first && place + (end - 1) * a->dilation >= a->dim)
        end--;
    *ret_first = first;
    *ret_end = end;
}

INLINE void V(copy_run)(REAL *to, const REAL *from, int64_t count)
{
    int64_t i = 0;
    for (; i + WIDTH <= count; i += WIDTH)
        V(store)(to + i, V(load)(from + i));
    if (i < count)
        V(store_partial)(to + i, V(load_partial)(from + i, count - i), count - i);
}

INLINE void V(add_run)(REAL *to, const REAL *from, int64_t count)
{
    int64_t i = 0;
    for (; i + WIDTH <= count; i += WIDTH)
        V(store)(to + i, V(load)(to + i) + V(load)(from + i));
    if (i < count) {
        const int64_t rest = count - i;
        V(store_partial)(to + i, V(load_partial)(to + i, rest) + V(load_partial)(from + i, rest), rest);
    }
}

INLINE void V(zero_run)(REAL *to, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        to[i] = 0;
}

/* Whether every window lies inside the image, its rows being runs. */
INLINE bool V(whole_runs)(const struct window_args *w)
{
    bool whole = w->x.dilation == 1 || w->x.kernel == 1;
    const struct window_axis *axes[] = {&w->y, &w->x};
    for (int k = 0; k < 2; k++) {
        const struct window_axis *a = axes[k];
        const int64_t last = (a->count - 1) * a->stride - a->begin + (a->kernel - 1) * a->dilation;
        whole = whole && a->begin == 0 && last < a->dim;
    }
    return whole;
}

/* One row of taps, read from `row` of the image (NULL: padding), written to `out`. */
static void V(row_of_taps)(const struct window_args *w, const REAL *row, int64_t place, REAL *out)
{
    const struct window_axis *a = &w->x;
    const int64_t c = w->channels;
    int64_t first = 0, end = 0;
    if (row != NULL)
        V(taps_inside)(a, place, &first, &end);
    V(zero_run)(out, first * c);
    if (a->dilation == 1 && end > first)
        V(copy_run)(out + first * c, row + (place + first) * c, (end - first) * c);
    else
        for (int64_t j = first; j < end; j++)
            V(copy_run)(out + j * c, row + (place + j * a->dilation) * c, c);
    V(zero_run)(out + end * c, (a->kernel - end) * c);
}

void FOR_ISA(V(windows))(const void *args, void *const *p)
{
    const struct window_args *w = args;
    const int64_t c = w->channels, row = w->x.dim * c, run = w->x.kernel * c;
    const bool whole = V(whole_runs)(w);
    REAL *out = p[0];
    const REAL *image = p[1];
    for (int64_t n = 0; n < w->images; n++, image += w->y.dim * row)
        for (int64_t oy = 0; oy < w->y.count; oy++)
            for (int64_t ox = 0; ox < w->x.count; ox++) {
                const int64_t top = oy * w->y.stride - w->y.begin, left = ox * w->x.stride - w->x.begin;
                if (whole) {
                    const REAL *from = image + top * row + left * c;
                    for (int64_t i = 0; i < w->y.kernel; i++, out += run)
                        V(copy_run)(out, from + i * w->y.dilation * row, run);
                    continue;
                }
                for (int64_t i = 0; i < w->y.kernel; i++, out += run) {
                    const int64_t y = top + i * w->y.dilation;
                    V(row_of_taps)(w, y >= 0 && y < w->y.dim ? image + y * row : NULL, left, out);
                }
            }
}

/* Adds one row of taps to `row` of the image. */
static void V(add_row_of_taps)(const struct window_args *w, REAL *row, int64_t place, const REAL *g)
{
    const struct window_axis *a = &w->x;
    const int64_t c = w->channels;
    int64_t first, end;
    V(taps_inside)(a, place, &first, &end);
    if (a->dilation == 1 && end > first)
        V(add_run)(row + (place + first) * c, g + first * c, (end - first) * c);
    else
        for (int64_t j = first; j < end; j++)
            V(add_run)(row + (place + j * a->dilation) * c, g + j * c, c);
}

void FOR_ISA(V(fold_windows))(const void *args, void *const *p)
{
    const struct window_args *w = args;
    const int64_t c = w->channels, row = w->x.dim * c, run = w->x.kernel * c;
    const bool whole = V(whole_runs)(w);
    REAL *image = p[0];
    const REAL *g = p[1];
    for (int64_t n = 0; n < w->images; n++, image += w->y.dim * row) {
        memset(image, 0, (size_t)(w->y.dim * row) * sizeof *image);
        for (int64_t oy = 0; oy < w->y.count; oy++)
            for (int64_t ox = 0; ox < w->x.count; ox++) {
                const int64_t top = oy * w->y.stride - w->y.begin, left = ox * w->x.stride - w->x.begin;
                for (int64_t i = 0; i < w->y.kernel; i++, g += run) {
                    const int64_t y = top + i * w->y.dilation;
                    if (whole)
                        V(add_run)(image + y * row + left * c, g, run);
                    else if (y >= 0 && y < w->y.dim)
                        V(add_row_of_taps)(w, image + y * row, left, g);
                }
            }
    }
}

/* ---- pools */

/* The elements of a window that are no padding, and where the first of them lies in the image. */
typedef struct {
    int64_t offset, rows, columns;
} V(pooled);

INLINE V(pooled) V(pooled_at)(const struct window_args *w, int64_t oy, int64_t ox)
{
    const int64_t top = oy * w->y.stride - w->y.begin, left = ox * w->x.stride - w->x.begin;
    const int64_t bottom = top + w->y.kernel, right = left + w->x.kernel;
    const int64_t y = top > 0 ? top : 0, x = left > 0 ? left : 0;
    return (V(pooled)){.offset = (y * w->x.dim + x) * w->channels,
                       .rows = (bottom < w->y.dim ? bottom : w->y.dim) - y,
                       .columns = (right < w->x.dim ? right : w->x.dim) - x};
}

INLINE VEC V(load_some)(const REAL *p, int64_t count)
{
    return count == WIDTH ? V(load)(p) : V(load_partial)(p, count);
}

INLINE void V(store_some)(REAL *p, VEC v, int64_t count)
{
    if (count == WIDTH)
        V(store)(p, v);
    else
        V(store_partial)(p, v, count);
}

/* Where x takes the place of the largest so far: if it is larger, or NaN. */
INLINE MASK V(takes)(VEC x, VEC best)
{
    return (MASK)(x > best) | (MASK)(x != x);
}

enum V(pool_kind) { V(POOL), V(PICK) };

/* The largest of each window of x; or the elements of v at its place. */
INLINE void V(pool)(const struct window_args *w, REAL *out, const REAL *v, const REAL *x, enum V(pool_kind) kind)
{
    const int64_t c = w->channels, row = w->x.dim * c, image = w->y.dim * row;
    for (int64_t n = 0; n < w->images; n++, x += image, v += kind == V(PICK) ? image : 0)
        for (int64_t oy = 0; oy < w->y.count; oy++)
            for (int64_t ox = 0; ox < w->x.count; ox++, out += c) {
                const V(pooled) at = V(pooled_at)(w, oy, ox);
                for (int64_t channel = 0; channel < c; channel += WIDTH) {
                    const int64_t lanes = V(left)(c - channel), start = at.offset + channel;
                    VEC best = V(load_some)(x + start, lanes);
                    VEC picked = kind == V(PICK) ? V(load_some)(v + start, lanes) : best;
                    for (int64_t i = 0; i < at.rows; i++)
                        for (int64_t j = 0; j < at.columns; j++) {
                            const int64_t place = start + i * row + j * c;
                            const VEC here = V(load_some)(x + place, lanes);
                            const MASK taken = V(takes)(here, best);
                            best = V(select)(taken, here, best);
                            if (kind == V(PICK))
                                picked = V(select)(taken, V(load_some)(v + place, lanes), picked);
                        }
                    V(store_some)(out + channel, kind == V(PICK) ? picked : best, lanes);
                }
            }
}

void FOR_ISA(V(max_pool))(const void *args, void *const *p)
{
    V(pool)(args, p[0], NULL, p[1], V(POOL));
}

void FOR_ISA(V(pick_max))(const void *args, void *const *p)
{
    V(pool)(args, p[0], p[1], p[2], V(PICK));
}

/* Adds g at the place of the largest element of one window, of up to WIDTH channels. */
INLINE void V(place)(const V(pooled) at, int64_t row, int64_t c, REAL *out, VEC g, const REAL *x, int64_t lanes)
{
    VEC best = V(load_some)(x, lanes);
    MASK place = {0};
    INT tap = 0;
    for (int64_t i = 0; i < at.rows; i++)
        for (int64_t j = 0; j < at.columns; j++, tap++) {
            const VEC here = V(load_some)(x + i * row + j * c, lanes);
            const MASK taken = V(takes)(here, best);
            best = V(select)(taken, here, best);
            place = (taken & tap) | (~taken & place);
        }
    tap = 0;
    for (int64_t i = 0; i < at.rows; i++)
        for (int64_t j = 0; j < at.columns; j++, tap++) {
            REAL *to = out + i * row + j * c;
            const VEC added = V(select)((MASK)(place == tap), g, V(splat)(0));
            V(store_some)(to, V(load_some)(to, lanes) + added, lanes);
        }
}

void FOR_ISA(V(place_max))(const void *args, void *const *p)
{
    const struct window_args *w = args;
    const int64_t c = w->channels, row = w->x.dim * c, image = w->y.dim * row;
    REAL *out = p[0];
    const REAL *g = p[1], *x = p[2];
    for (int64_t n = 0; n < w->images; n++, out += image, x += image) {
        memset(out, 0, (size_t)image * sizeof *out);
        for (int64_t oy = 0; oy < w->y.count; oy++)
            for (int64_t ox = 0; ox < w->x.count; ox++, g += c) {
                const V(pooled) at = V(pooled_at)(w, oy, ox);
                for (int64_t channel = 0; channel < c; channel += WIDTH) {
                    const int64_t lanes = V(left)(c - channel), start = at.offset + channel;
                    V(place)(at, row, c, out + start, V(load_some)(g + channel, lanes), x + start, lanes);
                }
            }
    }
}
