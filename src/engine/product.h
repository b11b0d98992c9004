/* Matrix products: what their kernels are told, and what planning may ask about them.
 *
 * c (m, n) = a (m, k) times b (k, n), for each index of the batch axes. `product` sums
 * every element in the order of k by fused multiply-add; `product_narrow`, where n is 1, in 16 virtual lanes. How c is
 * cut into blocks never shows in the result.
 *
 * p: c, a, b, scratch of product_scratch elements (NULL where that is 0), and whatever `finish` reads.
 *
 * A finished block of c is handed to `finish` while it is in cache. Where nothing but `finish` needs the product itself
 * (`c_kept` is false), c may be NULL, and blocks are made in the scratch. */
#ifndef GRADD_ENGINE_PRODUCT_H
#define GRADD_ENGINE_PRODUCT_H

#include "graph/op.h"

/* Takes the finished block of `rows` by `columns` elements that starts at (row, column) of the whole c: `block` points
 * to its first element, and its rows are block_row elements apart. args: finish_args. p: the pointers of the kernel. */
typedef void (*block_fn)(const void *args, void *const *p, int64_t row, int64_t rows, int64_t column, int64_t columns,
                         void *block, int64_t block_row);

/* All of c (m, n) = a b, made for one shape and its strides. */
typedef void (*product_code)(const void *b, const void *a, void *c);

struct product_args {
    int64_t m, n, k;
    /* The first ones to compute, of which `column` is a multiple of 16, and so is n but for the last columns: m and n
     * count from there; p stays that of all. */
    int64_t row, column;
    int64_t a_row, a_col, b_row, b_col; /* any strides, in elements */
    int64_t c_row;                      /* the columns of c are contiguous */
    /* The contiguous axis of c (a, b) may be written (read) up to a multiple of 64 bytes past its end; what stands
     * there is meaningless. */
    bool c_slack, a_slack, b_slack;
    bool c_kept;
    /* Or NULL: what may be called for a product of code_m rows and code_n columns, where that is all of it. */
    product_code code;
    int64_t code_m, code_n;
    block_fn finish; /* or NULL; then c_kept is true */
    const void *finish_args;
    int batch_rank; /* 0 where there is a finish */
    int64_t batch[RANK_MAX];
    int64_t batch_stride[3][RANK_MAX]; /* of c, a, b */
};

/* Columns that are packed at once, and how many of their rows; the most rows and columns of a block of c (NARROW_ROWS
 * and 1 in product_narrow). */
enum { PANEL_COLUMNS = 64, PANEL_DEPTH = 1024, BLOCK_ROWS = 96, BLOCK_COLUMNS = PANEL_COLUMNS, NARROW_ROWS = 1024 };

/* Whether product copies panels of b to its scratch: when its rows are not contiguous, or when many rows of a read a b
 * that L1 does not hold and whose rows lie on a page each. */
static inline bool product_packs(const struct product_args *g)
{
    return g->b_col != 1 || (g->m >= 32 && g->k * g->n > 8192 && g->b_row >= 512);
}

/* Elements of scratch for packed panels. */
static inline int64_t product_panel(const struct product_args *g)
{
    if (g->n == 1)
        return g->b_row != 1 ? (g->k + 15) / 16 * 16 : 0;
    const int64_t columns = g->n < PANEL_COLUMNS ? (g->n + 15) / 16 * 16 : PANEL_COLUMNS;
    return product_packs(g) ? columns * (g->k < PANEL_DEPTH ? g->k : PANEL_DEPTH) : 0;
}

/* Elements from row to row of a block in scratch. */
static inline int64_t product_block_row(const struct product_args *g)
{
    return g->n == 1 ? 1 : g->n < BLOCK_COLUMNS ? (g->n + 15) / 16 * 16 : BLOCK_COLUMNS;
}

/* Elements of a block of c in scratch, in front of the panels: none where c is kept. */
static inline int64_t product_block(const struct product_args *g)
{
    const int64_t most = g->n == 1 ? NARROW_ROWS : BLOCK_ROWS;
    const int64_t rows = g->m < most ? g->m : most;
    return g->c_kept ? 0 : (rows * product_block_row(g) + 15) / 16 * 16;
}

/* Elements of scratch, for this product or any piece of it; at most a few times k. Ask when `finish` and `c_kept` are
 * set. */
static inline int64_t product_scratch(const struct product_args *g)
{
    return product_block(g) + product_panel(g);
}

/* Columns of a piece, a multiple of BLOCK_COLUMNS: at least so many, and never so that one is left over, because a
 * product of one column is laid out, and summed, in another way. */
static inline int64_t product_columns(const struct product_args *g, int64_t columns)
{
    while (g->n > 1 && g->n % columns == 1)
        columns += BLOCK_COLUMNS;
    return columns;
}

/* Pieces of a product are best cut at multiples of these many rows and columns. */
static inline void product_split(const struct product_args *g, int64_t *ret_rows, int64_t *ret_columns)
{
    *ret_rows = g->n == 1 ? 16 : BLOCK_ROWS;
    *ret_columns = BLOCK_COLUMNS;
}

#endif
