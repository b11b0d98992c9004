/* The kernels: plain functions over pointers and sizes, which know neither graphs nor plans. They are compiled once for
 * each instruction set, and a table of them is exported for each: which one is used never shows in the bits.
 *
 * A kernel gets its arguments (a struct of this header, made at plan time) and its pointers: p[0] is where it writes,
 * p[1], ... where it reads, as its struct says. Sizes and strides are in elements. Pointers are aligned to the element
 * alone. Nothing is read or written past the elements named. */
#ifndef GRADD_ENGINE_KERNELS_H
#define GRADD_ENGINE_KERNELS_H

#include "graph/op.h"

typedef void (*kernel_fn)(const void *args, void *const *p);

/* Elementwise ops, copies included (Identity). p: out, then the operands in order. The axes are merged, the innermost
 * last; stride[0] is the output's, stride[1], ... the operands'. */
enum { OPERANDS_MAX = 3 };
struct loop_axis {
    int64_t dim, stride[1 + OPERANDS_MAX];
};
struct elementwise_args {
    int rank;                        /* 0: one element */
    struct loop_axis axis[RANK_MAX]; /* the first `rank`; there need be no more */
};

/* Fills a contiguous tensor with zeros. p: out. */
struct fill_args {
    int64_t count;
};

/* out (outer, inner) from x (outer, reduced, inner), contiguous. p: out, x.
 * sum_lanes, max_lanes: in 16 virtual lanes, and inner is 1; sum, max: in order. Sums are divided by `divisor` where it
 * is not 0. */
struct reduce_args {
    int64_t outer, reduced, inner;
    double divisor;
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

/* Products. c (m, n) = a (m, k) times b (k, n), plus bias (n) if there is one, for each index of the batch axes. p: c,
 * a, b, bias or NULL, scratch. product: every element is summed in the order of k. product_narrow: n is 1, summed
 * across lanes. The scratch of product holds PANEL_BYTES * min(k, PANEL_DEPTH) bytes if product_packs; that of
 * product_narrow k elements if b_row
 * != 1. */
struct product_args {
    int64_t m, n, k;
    int64_t a_row, a_col, b_row, b_col; /* any strides */
    int64_t c_row;                      /* the columns of c are contiguous */
    int batch_rank;
    int64_t batch[RANK_MAX];
    int64_t batch_stride[3][RANK_MAX]; /* of c, a, b */
};
enum { PANEL_BYTES = 256, PANEL_DEPTH = 512 };

/* Whether product copies panels of b to its scratch: when its rows are not contiguous, or when many rows of a read a b
 * that L1 does not hold. */
static inline bool product_packs(const struct product_args *g)
{
    return g->b_col != 1 || (g->m >= 32 && g->k * g->n > 8192);
}

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

/* Those of one dtype. NULL where an op has no kernel of its kind. */
struct kernels_of_dtype {
    const kernel_fn *elementwise; /* OP_COUNT of them: elementwise_args */
    const kernel_fn *loss;        /* OP_COUNT of them: loss_args */
    kernel_fn fill;
    kernel_fn sum, sum_lanes, max, max_lanes; /* reduce_args */
    kernel_fn softmax, log_softmax;
    kernel_fn cross_entropy;
    kernel_fn product, product_narrow;
    kernel_fn gather, scatter_add, rows, one_hot;
    kernel_fn dropout;
};

struct kernels {
    const char *isa;
    struct kernels_of_dtype of[2]; /* by enum dtype */
};

#endif
