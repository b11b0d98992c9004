/* Products of one dtype. A template: see vector.h.
 *
 * Every element of the result has one accumulator, which takes a[i,0] b[0,j], a[i,1] b[1,j], ... in this order by fused
 * multiply-add; so blocking is free to be whatever is fast. A tile of `rows` times `vectors` accumulators stays in
 * registers while k runs; the columns of a tile are a strip, PANEL_COLUMNS a panel. When b is not read row by row, or
 * its rows lie far apart, a panel is first copied, PANEL_DEPTH rows at a time, to contiguous scratch: strip after
 * strip, padded to whole vectors. Unless k is deeper than that, it is copied once for all rows of a. */
#include "engine/product.h"
#include "engine/vector.h"

/* The most vectors of a tile, and its most rows: accumulators, with a row of b and an element of a, fill the registers,
 * and more than eight addresses of rows of a would fill the others. */
#undef TILE_VECTORS
#if defined(__AVX512F__) || defined(__ARM_NEON)
#define TILE_VECTORS 4 /* thirty-two registers */
#else
#define TILE_VECTORS 2 /* sixteen */
#endif
#undef TILE_ROWS
#define TILE_ROWS 8

/* Where a tile stands, and what it reads. */
typedef struct {
    const REAL *a;
    int64_t a_row, a_col;
    const REAL *b; /* rows of contiguous columns */
    int64_t b_row;
    REAL *c;
    int64_t c_row;
    int64_t k;
    int64_t last; /* columns of the last vector, 1 to WIDTH */
    bool resume;  /* c holds the sum so far */
    /* The last vector of b may be read whole, that of c be written. */
    bool b_whole, c_whole;
} V(tile_args);

/* acc += a b. */
INLINE void V(tile_sum)(const V(tile_args) * t, int64_t rows, int64_t vectors, bool b_whole,
                        VEC acc[TILE_ROWS][TILE_VECTORS])
{
    const REAL *a = t->a;
    const REAL *b = t->b;
    for (int64_t k = 0; k < t->k; k++, a += t->a_col, b += t->b_row) {
        VEC row[TILE_VECTORS];
#pragma GCC unroll 4
        for (int64_t v = 0; v < vectors; v++)
            row[v] = b_whole || v < vectors - 1 ? V(load)(b + v * WIDTH) : V(load_partial)(b + v * WIDTH, t->last);
#pragma GCC unroll 8
        for (int64_t r = 0; r < rows; r++)
#pragma GCC unroll 4
            for (int64_t v = 0; v < vectors; v++)
                acc[r][v] = V(fma)(V(splat)(a[r * t->a_row]), row[v], acc[r][v]);
    }
}

INLINE void V(tile)(const V(tile_args) * t, int64_t rows, int64_t vectors)
{
    VEC acc[TILE_ROWS][TILE_VECTORS];
    const int64_t whole = t->last < WIDTH && !t->c_whole ? vectors - 1 : vectors;
#pragma GCC unroll 8
    for (int64_t r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int64_t v = 0; v < vectors; v++) {
            const REAL *c = t->c + r * t->c_row + v * WIDTH;
            acc[r][v] = (VEC){0};
            if (t->resume)
                acc[r][v] = v < whole ? V(load)(c) : V(load_partial)(c, t->last);
        }
    if (t->last == WIDTH || t->b_whole)
        V(tile_sum)(t, rows, vectors, true, acc);
    else
        V(tile_sum)(t, rows, vectors, false, acc);
#pragma GCC unroll 8
    for (int64_t r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int64_t v = 0; v < vectors; v++) {
            REAL *c = t->c + r * t->c_row + v * WIDTH;
            if (v < whole)
                V(store)(c, acc[r][v]);
            else
                V(store_partial)(c, acc[r][v], t->last);
        }
}

/* m rows of `vectors` columns, in tiles of about as many rows each: few rows do not keep the processor busy. */
INLINE void V(strip)(V(tile_args) t, int64_t m, int64_t vectors)
{
    const int64_t most = vectors == TILE_VECTORS ? 6 : TILE_ROWS;
    const int64_t tiles = (m + most - 1) / most;
    const int64_t least = tiles > 1 ? m / tiles : m;
    for (int64_t i = 0, more = m - least * tiles; i < tiles; i++, more--) {
        const int64_t rows = more > 0 ? least + 1 : least;
        switch (rows) {
#define TILE(count)                                                                                                    \
    case (count):                                                                                                      \
        if ((count) <= most)                                                                                           \
            V(tile)(&t, count, vectors);                                                                               \
        break;
            TILE(1)
            TILE(2)
            TILE(3)
            TILE(4)
            TILE(5)
            TILE(6)
            TILE(7)
            TILE(8)
#undef TILE
        default:
            break;
        }
        t.a += rows * t.a_row;
        t.c += rows * t.c_row;
    }
}

#define STRIP(vectors)                                                                                                 \
    static void V(strip_##vectors)(V(tile_args) t, int64_t m)                                                          \
    {                                                                                                                  \
        V(strip)(t, m, vectors);                                                                                       \
    }
STRIP(1)
STRIP(2)
#if TILE_VECTORS == 4
STRIP(3)
STRIP(4)
#endif
#undef STRIP

/* Vectors of the next strip where n columns are left. */
INLINE int64_t V(strip_vectors)(int64_t n)
{
    return n >= (int64_t)TILE_VECTORS * WIDTH ? TILE_VECTORS : (n + WIDTH - 1) / WIDTH;
}

/* m rows of n (1 to PANEL_COLUMNS) columns. `packed`: b is what V(pack) made. */
static void V(panel)(V(tile_args) t, int64_t m, int64_t n, bool packed)
{
    while (n > 0) {
        const int64_t vectors = V(strip_vectors)(n);
        const int64_t columns = n < vectors * WIDTH ? n : vectors * WIDTH;
        t.last = columns - (vectors - 1) * WIDTH;
        if (packed)
            t.b_row = vectors * WIDTH;
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
        t.b += packed ? t.k * t.b_row : columns;
        t.c += columns;
    }
}

/* Lane i of vector j becomes lane j of vector i. */
INLINE void V(transpose)(VEC x[WIDTH])
{
    VEC y[WIDTH];
#define LOW(i) ((i) / 2 + (i) % 2 * WIDTH)
#define HIGH(i) (LOW(i) + WIDTH / 2)
#if WIDTH == 16
#define SHUFFLE(a, b, lane)                                                                                            \
    __builtin_shufflevector(a, b, lane(0), lane(1), lane(2), lane(3), lane(4), lane(5), lane(6), lane(7), lane(8),     \
                            lane(9), lane(10), lane(11), lane(12), lane(13), lane(14), lane(15))
#elif WIDTH == 8
#define SHUFFLE(a, b, lane)                                                                                            \
    __builtin_shufflevector(a, b, lane(0), lane(1), lane(2), lane(3), lane(4), lane(5), lane(6), lane(7))
#elif WIDTH == 4
#define SHUFFLE(a, b, lane) __builtin_shufflevector(a, b, lane(0), lane(1), lane(2), lane(3))
#else
#define SHUFFLE(a, b, lane) __builtin_shufflevector(a, b, lane(0), lane(1))
#endif
#pragma GCC unroll 4
    for (int round = 1; round < WIDTH; round *= 2) {
#pragma GCC unroll 8
        for (int64_t i = 0; i < WIDTH / 2; i++) {
            y[2 * i] = SHUFFLE(x[i], x[WIDTH / 2 + i], LOW);
            y[2 * i + 1] = SHUFFLE(x[i], x[WIDTH / 2 + i], HIGH);
        }
#pragma GCC unroll 16
        for (int64_t i = 0; i < WIDTH; i++)
            x[i] = y[i];
    }
#undef SHUFFLE
#undef LOW
#undef HIGH
}

/* Of a b whose columns lie `b_col` apart: the next vector, of which `count` (1 to WIDTH) columns count, to rows of
 * `row` elements. */
INLINE void V(pack_vector)(REAL *to, int64_t row, const REAL *b, int64_t b_row, int64_t b_col, int64_t depth,
                           int64_t count)
{
    int64_t k = 0;
    if (b_row == 1)
        for (; k + WIDTH <= depth; k += WIDTH) {
            VEC x[WIDTH];
#pragma GCC unroll 16
            for (int64_t j = 0; j < WIDTH; j++)
                x[j] = V(load)(b + (j < count ? j : 0) * b_col + k);
            V(transpose)(x);
#pragma GCC unroll 16
            for (int64_t i = 0; i < WIDTH; i++)
                V(store)(to + (k + i) * row, x[i]);
        }
    for (; k < depth; k++)
        for (int64_t j = 0; j < WIDTH; j++)
            to[k * row + j] = b[k * b_row + (j < count ? j : 0) * b_col];
}

/* Of a b of contiguous columns: row after row, each asked for some rows ahead, because the processor does not guess
 * which page is next. */
INLINE void V(pack_rows)(REAL *scratch, const REAL *b, int64_t b_row, int64_t depth, int64_t n)
{
    enum { AHEAD = 16, LINE = 64 / sizeof(REAL) };
    for (int64_t k = 0; k < depth; k++) {
        const REAL *from = b + k * b_row;
        REAL *to = scratch;
        for (int64_t j = 0; j < n && k + AHEAD < depth; j += LINE)
            __builtin_prefetch(from + AHEAD * b_row + j);
        for (int64_t left = n; left > 0;) {
            const int64_t vectors = V(strip_vectors)(left);
            REAL *row = to + k * vectors * WIDTH;
            for (int64_t v = 0; v < vectors; v++, left -= WIDTH, from += WIDTH)
                V(store)(row + v * WIDTH, left >= WIDTH ? V(load)(from) : V(load_partial)(from, left));
            to += depth * vectors * WIDTH;
        }
    }
}

/* Copies depth rows of n (1 to PANEL_COLUMNS) columns of b to scratch, strip after strip. What stands in columns past n
 * is meaningless. */
static void V(pack)(REAL *scratch, const REAL *b, int64_t b_row, int64_t b_col, int64_t depth, int64_t n)
{
    if (b_col == 1) {
        V(pack_rows)(scratch, b, b_row, depth, n);
        return;
    }
    while (n > 0) {
        const int64_t vectors = V(strip_vectors)(n);
        for (int64_t v = 0; v < vectors && n > 0; v++, n -= WIDTH, b += WIDTH * b_col) {
            const int64_t count = n < WIDTH ? n : WIDTH;
            V(pack_vector)(scratch + v * WIDTH, vectors * WIDTH, b, b_row, b_col, depth, count);
        }
        scratch += depth * vectors * WIDTH;
    }
}

/* Columns `column` to column + n (1 to PANEL_COLUMNS of them) of the whole c, in blocks of `rows` rows, each to its
 * place or to scratch, and from there to `finish`. a, b, c: element (0, 0). */
INLINE void V(one_panel)(const struct product_args *g, void *const *p, REAL *c, const REAL *a, const REAL *b,
                         int64_t column, int64_t n, int64_t rows)
{
    REAL *block = p[3];
    REAL *panel = block + product_block(g);
    const bool packs = product_packs(g);
    const int64_t most = packs ? PANEL_DEPTH : g->k;
    V(tile_args)
    t = {.a_row = g->a_row,
         .a_col = g->a_col,
         .b_row = g->b_row,
         .c_row = g->c_kept ? g->c_row : product_block_row(g),
         .b_whole = packs || g->b_slack,
         .c_whole = !g->c_kept || g->c_slack};
    b += column * g->b_col;
    if (packs && g->k <= most)
        V(pack)(panel, b, g->b_row, g->b_col, g->k, n);
    for (int64_t i = 0; i < g->m; i += rows) {
        const int64_t row = g->row + i;
        const int64_t m = g->m - i < rows ? g->m - i : rows;
        int64_t k = 0;
        t.c = g->c_kept ? c + row * g->c_row + column : block;
        do {
            t.k = g->k - k < most ? g->k - k : most;
            t.a = a + row * g->a_row + k * g->a_col;
            t.b = packs ? panel : b + k * g->b_row;
            t.resume = k > 0;
            if (packs && g->k > most)
                V(pack)(panel, b + k * g->b_row, g->b_row, g->b_col, t.k, n);
            V(panel)(t, m, n, packs);
            k += t.k;
        } while (k < g->k);
        if (g->finish != NULL)
            g->finish(g->finish_args, p, row, m, column, n, t.c, t.c_row);
    }
}

INLINE void V(one_product)(const struct product_args *g, void *const *p, REAL *c, const REAL *a, const REAL *b)
{
    const int64_t rows = g->finish != NULL && g->m > BLOCK_ROWS ? BLOCK_ROWS : g->m;
    for (int64_t j = 0; j < g->n; j += PANEL_COLUMNS)
        V(one_panel)(g, p, c, a, b, g->column + j, g->n - j < PANEL_COLUMNS ? g->n - j : PANEL_COLUMNS, rows);
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

typedef void V(one_fn)(const struct product_args *g, void *const *p, REAL *c, const REAL *a, const REAL *b);

/* The whole, for each index of the batch axes. */
INLINE void V(whole)(const struct product_args *g, void *const *p, V(one_fn) * one)
{
    int64_t at[RANK_MAX] = {0};
    REAL *c = p[0];
    const REAL *a = p[1];
    const REAL *b = p[2];
    if (V(no_batch)(g))
        return;
    do
        one(g, p, c, a, b);
    while (g->batch_rank > 0 && V(next_batch)(g, at, &c, &a, &b));
}

/* By code that was made for it. */
INLINE void V(by_code)(const struct product_args *g, void *const *p)
{
    void *block = g->c_kept ? p[0] : p[3];
    g->code(p[2], p[1], block);
#ifdef __AVX__
    _mm256_zeroupper();
#endif
    if (g->finish != NULL)
        g->finish(g->finish_args, p, 0, g->m, 0, g->n, block, g->c_kept ? g->c_row : product_block_row(g));
}

void FOR_ISA(V(product))(const void *args, void *const *p)
{
    const struct product_args *g = args;
    if (g->code != NULL && g->m == g->code_m && g->n == g->code_n) {
        V(by_code)(g, p);
        return;
    }
    V(whole)(args, p, V(one_product));
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

/* Dot products of DOT_ROWS rows of a (a_col = 1) at once, up to the sums of virtual lanes that lie WIDTH apart; where
 * there are fewer rows, the last one again. */
enum { JOIN(DOT_ROWS, REAL_BITS) = WIDTH < 4 ? WIDTH : 4 };
INLINE void V(dot_rows)(const REAL *a, int64_t a_row, const REAL *b, int64_t k, int64_t rows, VEC *ret)
{
    enum { ROWS = JOIN(DOT_ROWS, REAL_BITS) };
    const REAL *row[ROWS];
    V(lanes) l[ROWS];
    int64_t i = 0;
#pragma GCC unroll 4
    for (int64_t r = 0; r < ROWS; r++) {
        row[r] = a + (r < rows ? r : rows - 1) * a_row;
        l[r] = V(lanes_splat)(0);
    }
    for (; i + LANES <= k; i += LANES) {
#pragma GCC unroll 8
        for (int64_t v = 0; v < LANE_VECTORS; v++) {
            const VEC y = V(load)(b + i + v * WIDTH);
#pragma GCC unroll 4
            for (int64_t r = 0; r < ROWS; r++)
                l[r].v[v] = V(fma)(V(load)(row[r] + i + v * WIDTH), y, l[r].v[v]);
        }
    }
#pragma GCC unroll 8
    for (int64_t v = 0; v < LANE_VECTORS; v++) {
        const int64_t left = V(left)(k - i - v * WIDTH);
        if (left <= 0)
            break;
        const VEC y = V(load_partial)(b + i + v * WIDTH, left);
#pragma GCC unroll 4
        for (int64_t r = 0; r < ROWS; r++)
            l[r].v[v] = V(fma)(V(load_partial)(row[r] + i + v * WIDTH, left), y, l[r].v[v]);
    }
#pragma GCC unroll 4
    for (int64_t r = 0; r < ROWS; r++) {
        for (int half = LANE_VECTORS / 2; half > 0; half /= 2)
            for (int v = 0; v < half; v++)
                l[r].v[v] = l[r].v[v] + l[r].v[v + half];
        ret[r] = l[r].v[0];
    }
}

/* WIDTH dot products at once; the sums across lanes are those of lanes_sum. */
INLINE VEC V(dots_of_rows)(const REAL *a, int64_t a_row, const REAL *b, int64_t k, int64_t rows)
{
    enum { ROWS = JOIN(DOT_ROWS, REAL_BITS) };
    VEC sum[WIDTH];
    for (int64_t r = 0; r < WIDTH; r += ROWS) {
        const int64_t first = r < rows ? r : rows - 1;
        V(dot_rows)(a + first * a_row, a_row, b, k, rows - first, sum + r);
    }
#pragma GCC unroll 4
    for (int half = WIDTH / 2; half > 0; half /= 2)
#pragma GCC unroll 8
        for (int r = 0; r < half; r++)
            sum[r] = V(fold)(sum[r], sum[r + half], half);
    return sum[0];
}

/* `count` (1 to WIDTH) results at once, whose rows of a lie side by side (a_row = 1). Virtual lanes are made four at a
 * time, those that the tree adds first. */
INLINE VEC V(dots)(const REAL *a, int64_t a_col, const REAL *b, int64_t k, int64_t count)
{
    enum { QUARTER = LANES / 4 };
    VEC quarter[QUARTER];
#pragma GCC unroll 4
    for (int64_t l = 0; l < QUARTER; l++) {
        VEC lane[4] = {(VEC){0}, (VEC){0}, (VEC){0}, (VEC){0}};
        for (int64_t i = l; i < k; i += LANES)
#pragma GCC unroll 4
            for (int64_t q = 0; q < 4; q++) {
                const int64_t at = i + q * QUARTER;
                if (at >= k)
                    break;
                const REAL *x = a + at * a_col;
                lane[q] = V(fma)(count == WIDTH ? V(load)(x) : V(load_partial)(x, count), V(splat)(b[at]), lane[q]);
            }
        quarter[l] = (lane[0] + lane[2]) + (lane[1] + lane[3]);
    }
    return (quarter[0] + quarter[2]) + (quarter[1] + quarter[3]);
}

/* Rows `row` to row + m of c, which go to `c`. b is contiguous. */
INLINE void V(narrow_block)(const struct product_args *g, REAL *c, int64_t c_row, const REAL *a, const REAL *b,
                            int64_t m)
{
    for (int64_t i = 0; i < m; i += WIDTH) {
        const int64_t count = m - i < WIDTH ? m - i : WIDTH;
        const REAL *rows = a + i * g->a_row;
        VEC sum = {0};
        if (g->a_row == 1 && g->a_col != 1)
            sum = V(dots)(rows, g->a_col, b, g->k, count);
        else if (g->a_col == 1 && count > 1)
            sum = V(dots_of_rows)(rows, g->a_row, b, g->k, count);
        else
            for (int64_t r = 0; r < count; r++)
                sum[r] = V(dot)(rows + r * g->a_row, g->a_col, b, g->k);
        if (c_row == 1)
            V(store_partial)(c + i, sum, count);
        else
            for (int64_t r = 0; r < count; r++)
                c[(i + r) * c_row] = sum[r];
    }
}

INLINE void V(one_narrow)(const struct product_args *g, void *const *p, REAL *c, const REAL *a, const REAL *b)
{
    const int64_t rows = g->finish != NULL && g->m > NARROW_ROWS ? NARROW_ROWS : g->m;
    REAL *scratch = p[3];
    if (g->n == 0)
        return;
    b += g->column * g->b_col;
    if (g->b_row != 1) {
        REAL *column = scratch + product_block(g);
        for (int64_t i = 0; i < g->k; i++)
            column[i] = b[i * g->b_row];
        b = column;
    }
    for (int64_t i = 0; i < g->m; i += rows) {
        const int64_t row = g->row + i;
        const int64_t m = g->m - i < rows ? g->m - i : rows;
        REAL *block = g->c_kept ? c + row * g->c_row + g->column : scratch;
        const int64_t block_row = g->c_kept ? g->c_row : 1;
        V(narrow_block)(g, block, block_row, a + row * g->a_row, b, m);
        if (g->finish != NULL)
            g->finish(g->finish_args, p, row, m, g->column, 1, block, block_row);
    }
}

void FOR_ISA(V(product_narrow))(const void *args, void *const *p)
{
    V(whole)(args, p, V(one_narrow));
}
