/* The kernels: plain functions over pointers and sizes, which know neither graphs nor plans. They are compiled once for
 * each instruction set, and a table of them is exported for each: which one is used never shows in the bits.
 *
 * A kernel gets its arguments (a struct of this header, made at plan time) and its pointers: p[0] is where it writes,
 * p[1], ... where it reads, as its struct says. Sizes and strides are in elements. Pointers are aligned to the element
 * alone. Nothing is read or written past the elements named. */
#ifndef GRADD_ENGINE_KERNELS_H
#define GRADD_ENGINE_KERNELS_H

#include "engine/product.h"
#include "engine/program.h"

typedef void (*kernel_fn)(const void *args, void *const *p);

/* Fills a contiguous tensor with zeros. p: out. */
struct fill_args {
    int64_t count;
};

/* Along the middle axis of (outer, k, inner), contiguous. cum_sum: out (outer, k, inner), the sums of the elements up
 * to each, in order and in float64. arg_max: out (outer, inner), the place of the first NaN, or of the first of the
 * largest. norm: out (outer, inner), the root of the sum of squares, which neither overflows nor underflows on the way;
 * summed in 16 virtual lanes where inner is 1, else in order. p: out, x. */
struct scan_args {
    int64_t outer, k, inner;
};

/* Softmax over the middle axis of (outer, k, inner), contiguous; sums across lanes. p: out, x, and scratch of 2 k
 * elements where inner > 1. */
struct softmax_args {
    int64_t outer, k, inner;
};

/* A loss: the mean over `count` elements of a function of two operands, summed across lanes. p: out (a scalar),
 * prediction, target. */
struct loss_args {
    int64_t count;
};

/* Cross-entropy: the mean over n rows. p: out (a scalar), logits (n, k), probabilities (n, k) or NULL, scratch (n), and
 * class numbers (int64, n, checked) where there are no probabilities. */
struct cross_entropy_args {
    int64_t n, k;
};

/* Rows picked by index. gather: out (outer, count, inner) from data (outer, size, inner); p: out, data, index (int64,
 * count). scatter_add: out (outer, size, inner), zeroed, gets g (outer, count, inner) added at index, in its order; p:
 * out, g, index. */
struct index_args {
    int64_t outer, size, count, inner;
};

/* Rows of a table. p: out (rows, width), table (.., width), row numbers (uint32, rows). */
struct rows_args {
    int64_t rows, width;
};

/* out (count, depth): 1 at the class number, else 0. p: out, index (int64, count, checked). */
struct one_hot_args {
    int64_t count, depth;
};

/* p: out, x. An element is kept if its 53-bit uniform number is at least `threshold` (ratio * 2^53 rounded up), times
 * `scale`. */
struct dropout_args {
    int64_t count;
    uint64_t threshold;
    double scale;
    uint32_t ordinal;
    uint64_t seed, step; /* filled in at each run */
};

/* Windows of images (images, y.dim, x.dim, channels), contiguous: element i of window o lies at o * stride + i *
 * dilation - begin along its axis, outside of the image where that is padding.
 * windows: p: out (images, y.count, x.count, y.kernel, x.kernel, channels), x (images); padding is 0.
 * fold_windows: p: out (images), g (as windows writes it), added in the order of g.
 * max_pool: p: out (images, y.count, x.count, channels), x (images). pick_max: p: out, v (images), x (images): the
 * elements of v where max_pool takes those of x. place_max: p: out (images), g (as max_pool writes it), x (images). For
 * these, dilations are 1 and each window has an element that is no padding. */
struct window_args {
    int64_t images, channels;
    struct window_axis {
        int64_t dim, count, kernel, stride, dilation, begin;
    } y, x;
};

/* Those of one dtype. NULL where an op has no kernel of its kind. */
struct kernels_of_dtype {
    const char *isa;
    const map_fn *map;     /* OP_COUNT of them, for elementwise ops */
    const kernel_fn *loss; /* OP_COUNT of them: loss_args */
    kernel_fn fill;
    kernel_fn program;                /* struct program; p as its accesses say */
    kernel_fn sum, max;               /* struct reduction */
    kernel_fn cum_sum, arg_max, norm; /* scan_args */
    kernel_fn softmax, log_softmax;
    kernel_fn cross_entropy;
    kernel_fn product, product_narrow; /* struct product_args */
    block_fn finish;                   /* of a product: args are a struct program, p as its accesses say */
    kernel_fn gather, scatter_add, rows, one_hot;
    kernel_fn dropout;
    kernel_fn windows, fold_windows;
    kernel_fn max_pool, pick_max, place_max;
};

struct kernels {
    const char *isa;
    struct kernels_of_dtype of[2]; /* by enum dtype */
};

#endif
