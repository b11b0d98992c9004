/* Products of one dtype. A template: see vector.h.
 *
 * Every element of the result has one accumulator, which takes a[i,0] b[0,j], a[i,1] b[1,j], ... in this order by fused
 * multiply-add; so blocking is free to be whatever is fast. A tile of `rows` times `vectors` accumulators stays in
 * registers while k runs. Columns are taken in panels of PANEL_COLUMNS; when b is not read row by row, or is read often
 * enough, the panel is first copied, PANEL_DEPTH rows at a time, to contiguous scratch that is padded with zeros. */
#include "engine/product.h"
#include "engine/vector.h"

#undef TILE_VECTORS
#if VECTOR_BYTES == 32 || !(defined(__AVX512F__) || defined(__ARM_NEON))
#define TILE_VECTORS 2 /* sixteen registers */
#else
#define TILE_VECTORS 4 /* thirty-two */
#endif

/* Where a tile stands, and what it reads. */
typedef struct {
    const REAL *a;
    int64_t a_row, a_col;
    const REAL *b; /* rows of contiguous columns */
    int64_t b_row;
    REAL *c;
    int64_t c_row;
    const REAL *bias; /* added after the sum; or NULL */
    int64_t k;
    int last;    /* columns of the last vector, 1 to WIDTH */
    bool resume; /* c holds the sum so far */
    bool padded; /* b may be read up to whole vectors */
} V(tile_args);

INLINE void V(tile)(const V(tile_args) * t, int64_t rows, int64_t vectors)
{
    VEC acc[12][TILE_VECTORS];
    const bool partial = t->last < WIDTH;
    const int64_t whole = partial ? vectors - 1 : vectors;
#pragma GCC unroll 12
    for (int64_t r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int64_t v = 0; v < vectors; v++) {
            const REAL *c = t->c + r * t->c_row + v * WIDTH;
            acc[r][v] = (VEC){0};
            if (t->resume)
                acc[r][v] = v < whole ? V(load)(c) : V(load_partial)(c, t->last);
        }
    const REAL *a = t->a;
    const REAL *b = t->b;
    if (partial && !t->padded)
        for (int64_t k = 0; k < t->k; k++, a += t->a_col, b += t->b_row) {
            VEC row[TILE_VECTORS];
#pragma GCC unroll 4
            for (int64_t v = 0; v < vectors - 1; v++)
                row[v] = V(load)(b + v * WIDTH);
            row[vectors - 1] = V(load_partial)(b + (vectors - 1) * WIDTH, t->last);
#pragma GCC unroll 12
            for (int64_t r = 0; r < rows; r++)
#pragma GCC unroll 4
                for (int64_t v = 0; v < vectors; v++)
                    acc[r][v] = V(fma)(V(splat)(a[r * t->a_row]), row[v], acc[r][v]);
        }
    else
        for (int64_t k = 0; k < t->k; k++, a += t->a_col, b += t->b_row) {
            VEC row[TILE_VECTORS];
#pragma GCC unroll 4
            for (int64_t v = 0; v < vectors; v++)
                row[v] = V(load)(b + v * WIDTH);
#pragma GCC unroll 12
            for (int64_t r = 0; r < rows; r++)
#pragma GCC unroll 4
                for (int64_t v = 0; v < vectors; v++)
                    acc[r][v] = V(fma)(V(splat)(a[r * t->a_row]), row[v], acc[r][v]);
        }
#pragma GCC unroll 12
    for (int64_t r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int64_t v = 0; v < vectors; v++) {
            REAL *c = t->c + r * t->c_row + v * WIDTH;
            const int64_t count = v < whole ? WIDTH : t->last;
            if (t->bias != NULL)
                acc[r][v] = acc[r][v] + V(load_partial)(t->bias + v * WIDTH, count);
            if (count == WIDTH)
                V(store)(c, acc[r][v]);
            else
                V(store_partial)(c, acc[r][v], count);
        }
}

/* m rows of `vectors` columns, in tiles of `most` rows, then of 4, 2 and 1. */
INLINE void V(strip)(V(tile_args) t, int64_t m, int64_t most, int64_t vectors)
{
    int64_t i = 0;
#define TILES(rows)                                                                                                    \
    for (; i + (rows) <= m; i += (rows), t.a += (rows)*t.a_row, t.c += (rows)*t.c_row)                                 \
        V(tile)(&t, rows, vectors);
    TILES(most)
    TILES(4)
    TILES(2)
    TILES(1)
#undef TILES
}

#if TILE_VECTORS == 4
#define STRIP(vectors, most)                                                                                           \
    static void V(strip_##vectors)(V(tile_args) t, int64_t m)                                                          \
    {                                                                                                                  \
        V(strip)(t, m, most, vectors);                                                                                 \
    }
STRIP(1, 12)
STRIP(2, 12)
STRIP(3, 8)
STRIP(4, 6)
#else
#define STRIP(vectors, most)                                                                                           \
    static void V(strip_##vectors)(V(tile_args) t, int64_t m)                                                          \
    {                                                                                                                  \
        V(strip)(t, m, most, vectors);                                                                                 \
    }
STRIP(1, 8)
STRIP(2, 6)
#endif
#undef STRIP

/* m rows of n (1 to PANEL_COLUMNS) columns. */
static void V(panel)(V(tile_args) t, int64_t m, int64_t n)
{
    while (n > 0) {
        const int vectors = n >= (int64_t)TILE_VECTORS * WIDTH ? TILE_VECTORS : (int)((n + WIDTH - 1) / WIDTH);
        const int64_t columns = n < (int64_t)vectors * WIDTH ? n : (int64_t)vectors * WIDTH;
        t.last = (int)(columns - (int64_t)(vectors - 1) * WIDTH);
        switch (vectors) {
        case 1:
            V(strip_1)(t, m);
            break;
#if TILE_VECTORS == 4
        case 3:
            V(strip_3)(t, m);
            break;
        case 4:
            V(strip_4)(t, m);
            break;
#endif
        default:
            V(strip_2)(t, m);
            break;
        }
        n -= columns;
        t.b += columns;
        t.c += columns;
        if (t.bias != NULL)
            t.bias += columns;
    }
}

/* Copies depth rows of n (1 to PANEL_COLUMNS) columns of b to rows of PANEL_COLUMNS in scratch, padded with zeros to
 * whole vectors. */
static void V(pack)(REAL *scratch, const REAL *b, int64_t b_row, int64_t b_col, int64_t depth, int64_t n)
{
    const int64_t padded = (n + WIDTH - 1) / WIDTH * WIDTH;
    enum { BLOCK = 16 };
    if (b_col == 1) {
        for (int64_t k = 0; k < depth; k++) {
            __builtin_memcpy(scratch + k * PANEL_COLUMNS, b + k * b_row, (size_t)n * sizeof *b);
            for (int64_t j = n; j < padded; j++)
                scratch[k * PANEL_COLUMNS + j] = 0;
        }
        return;
    }
    for (int64_t start = 0; start < depth; start += BLOCK) {
        const int64_t end = start + BLOCK < depth ? start + BLOCK : depth;
        for (int64_t j = 0; j < n; j++)
            for (int64_t k = start; k < end; k++)
                scratch[k * PANEL_COLUMNS + j] = b[k * b_row + j * b_col];
        for (int64_t j = n; j < padded; j++)
            for (int64_t k = start; k < end; k++)
                scratch[k * PANEL_COLUMNS + j] = 0;
    }
}

INLINE void V(one_product)(const struct product_args *g, REAL *c, const REAL *a, const REAL *b, const REAL *bias,
                           REAL *scratch)
{
    const bool pack = product_packs(g);
    const int64_t depth_most = pack ? PANEL_DEPTH : g->k;
    for (int64_t j = 0; j < g->n; j += PANEL_COLUMNS) {
        const int64_t n = g->n - j < PANEL_COLUMNS ? g->n - j : PANEL_COLUMNS;
        int64_t k = 0;
        do {
            const int64_t depth = g->k - k < depth_most ? g->k - k : depth_most;
            V(tile_args)
            t = {.a = a + k * g->a_col,
                 .a_row = g->a_row,
                 .a_col = g->a_col,
                 .b = b + k * g->b_row + j * g->b_col,
                 .b_row = g->b_row,
                 .c_row = g->c_row,
                 .bias = bias != NULL && k + depth == g->k ? bias + j : NULL,
                 .k = depth,
                 .resume = k > 0};
            t.c = c + j;
            if (pack) {
                V(pack)(scratch, t.b, g->b_row, g->b_col, depth, n);
                t.b = scratch;
                t.b_row = PANEL_COLUMNS;
                t.padded = true;
            }
            V(panel)(t, g->m, n);
            k += depth;
        } while (k < g->k);
    }
}

/* Moves the pointers to c, a and b to the next index of the batch axes; false after the last. */
INLINE bool V(next_batch)(const struct product_args *g, int64_t *at, REAL **c, const REAL **a, const REAL **b)
{
    for (int axis = g->batch_rank - 1; axis >= 0; axis--) {
        const int64_t steps = ++at[axis] < g->batch[axis] ? 1 : 1 - g->batch[axis];
        *c += steps * g->batch_stride[0][axis];
        *a += steps * g->batch_stride[1][axis];
        *b += steps * g->batch_stride[2][axis];
        if (steps == 1)
            return true;
        at[axis] = 0;
    }
    return false;
}

INLINE bool V(no_batch)(const struct product_args *g)
{
    for (int axis = 0; axis < g->batch_rank; axis++)
        if (g->batch[axis] == 0)
            return true;
    return false;
}

typedef void V(one_fn)(const struct product_args *g, REAL *c, const REAL *a, const REAL *b, const REAL *bias,
                       REAL *scratch);

/* One block of c after the other, each to its place or to scratch, and from there to `finish`. */
INLINE void V(finished_blocks)(const struct product_args *g, void *const *p, V(one_fn) * one, int64_t rows,
                               int64_t columns)
{
    REAL *scratch = p[4];
    REAL *panel = scratch + product_block(g);
    for (int64_t j = 0; j < g->n; j += columns)
        for (int64_t i = 0; i < g->m; i += rows) {
            const int64_t row = g->row + i;
            const int64_t column = g->column + j;
            struct product_args piece = *g;
            piece.m = g->m - i < rows ? g->m - i : rows;
            piece.n = g->n - j < columns ? g->n - j : columns;
            REAL *block = scratch;
            if (g->c_kept) {
                block = (REAL *)p[0] + row * g->c_row + column;
            } else {
                piece.c_row = columns;
                piece.c_slack = true;
            }
            const REAL *bias = p[3];
            one(&piece, block, (const REAL *)p[1] + row * g->a_row, (const REAL *)p[2] + column * g->b_col,
                bias == NULL ? NULL : bias + column, panel);
            g->finish(g->finish_args, p, row, piece.m, column, piece.n, block, piece.c_row);
        }
}

/* The whole, for each index of the batch axes, or in blocks of that size where there is a finish. */
INLINE void V(whole)(const struct product_args *g, void *const *p, V(one_fn) * one, int64_t rows, int64_t columns)
{
    int64_t at[RANK_MAX] = {0};
    if (g->finish != NULL) {
        V(finished_blocks)(g, p, one, rows, columns);
        return;
    }
    if (V(no_batch)(g))
        return;
    REAL *c = (REAL *)p[0] + g->row * g->c_row + g->column;
    const REAL *a = (const REAL *)p[1] + g->row * g->a_row;
    const REAL *b = (const REAL *)p[2] + g->column * g->b_col;
    const REAL *bias = p[3];
    do
        one(g, c, a, b, bias == NULL ? NULL : bias + g->column, p[4]);
    while (V(next_batch)(g, at, &c, &a, &b));
}

void FOR_ISA(V(product))(const void *args, void *const *p)
{
    V(whole)(args, p, V(one_product), BLOCK_ROWS, product_block_row(args));
}

/* ---- n = 1: across lanes */

/* The dot product of a row of stride a_col and contiguous b. */
INLINE REAL V(dot)(const REAL *a, int64_t a_col, const REAL *b, int64_t k)
{
    V(lanes) l = V(lanes_splat)(0);
    int64_t i = 0;
    if (a_col == 1)
        for (; i + LANES <= k; i += LANES)
            for (int64_t v = 0; v < LANE_VECTORS; v++)
                l.v[v] = V(fma)(V(load)(a + i + v * WIDTH), V(load)(b + i + v * WIDTH), l.v[v]);
    while (i < k)
#pragma GCC unroll 8
        for (int64_t v = 0; v < LANE_VECTORS; v++, i += WIDTH) {
            const int64_t left = V(left)(k - i);
            if (left == 0)
                continue;
            const VEC x = a_col == 1 ? V(load_partial)(a + i, left) : V(load_strided)(a + i * a_col, a_col, left);
            l.v[v] = V(fma)(x, V(load_partial)(b + i, left), l.v[v]);
        }
    return V(lanes_sum)(l);
}

/* `count` (1 to WIDTH) results at once, whose rows of a lie side by side (a_row = 1). */
INLINE VEC V(dots)(const REAL *a, int64_t a_col, const REAL *b, int64_t k, int64_t count)
{
    VEC lane[LANES];
    for (int l = 0; l < LANES; l++) {
        lane[l] = (VEC){0};
        for (int64_t i = l; i < k; i += LANES) {
            const VEC x = count == WIDTH ? V(load)(a + i * a_col) : V(load_partial)(a + i * a_col, count);
            lane[l] = V(fma)(x, V(splat)(b[i]), lane[l]);
        }
    }
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int l = 0; l < half; l++)
            lane[l] = lane[l] + lane[l + half];
    return lane[0];
}

INLINE void V(one_narrow)(const struct product_args *g, REAL *c, const REAL *a, const REAL *b, const REAL *bias,
                          REAL *scratch)
{
    if (g->b_row != 1) {
        for (int64_t i = 0; i < g->k; i++)
            scratch[i] = b[i * g->b_row];
        b = scratch;
    }
    int64_t i = 0;
    if (g->a_row == 1 && g->a_col != 1 && g->c_row == 1)
        for (; i < g->m; i += WIDTH) {
            const int64_t count = g->m - i < WIDTH ? g->m - i : WIDTH;
            const VEC sum = V(dots)(a + i, g->a_col, b, g->k, count);
            V(store_partial)(c + i, bias != NULL ? sum + V(splat)(*bias) : sum, count);
        }
    for (; i < g->m; i++) {
        const REAL sum = V(dot)(a + i * g->a_row, g->a_col, b, g->k);
        c[i * g->c_row] = bias != NULL ? sum + *bias : sum;
    }
}

void FOR_ISA(V(product_narrow))(const void *args, void *const *p)
{
    V(whole)(args, p, V(one_narrow), NARROW_ROWS, 1);
}
