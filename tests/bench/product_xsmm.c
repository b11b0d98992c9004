/* Products by LIBXSMM: as one kernel over the operands as they are, and in tiles over operands with padded rows.
 *
 * LIBXSMM is column-major: our row-major c = a b is its c^T = b^T a^T, so that its m is our n. It has no kernel for a
 * transposed b: a column tile of b is turned round into scratch first, which counts. A transposed a is read as it is,
 * or turned round as a whole. */
#include "products.h"

#if __has_include(<libxsmm.h>)
#include <libxsmm.h>
#include <stdlib.h>

enum { PAD = 16, ALIASING = 1024 }; /* floats: a vector; 4 KiB */

/* A tile has `rows` times `columns` elements of c, or what is left of them. */
struct way {
    struct product product;
    int64_t n;    /* of the columns that are computed: product.n, padded */
    float *a, *b; /* copies with these rows: */
    float *c;
    int64_t a_row, b_row, c_row;
    int64_t rows, columns;
    float *turned_a; /* scratch: all of a turned round, rows of turned_row; NULL: it is read as it is */
    int64_t turned_row;
    float *b_tile;                    /* scratch: some columns of b (k,columns) turned round */
    libxsmm_smmfunction kernel[2][2]; /* [a last tile of rows][a last tile of columns] */
};

static int64_t least(int64_t x, int64_t y)
{
    return x < y ? x : y;
}

/* to (columns,rows) = from (rows,columns)^T, in blocks that stay in L1. */
static void turn_round(const float *from, int64_t from_row, int64_t rows, int64_t columns, float *to, int64_t to_row)
{
    enum { BLOCK = 16 };
    for (int64_t i = 0; i < rows; i += BLOCK)
        for (int64_t j = 0; j < columns; j += BLOCK) {
            const int64_t i_end = least(i + BLOCK, rows);
            const int64_t j_end = least(j + BLOCK, columns);
            for (int64_t y = j; y < j_end; y++)
                for (int64_t x = i; x < i_end; x++)
                    to[y * to_row + x] = from[x * from_row + y];
        }
}

static void multiply(void *context)
{
    const struct way *w = context;
    const struct product *p = &w->product;
    const float *a = w->a;
    int64_t a_step = p->a_transposed ? 1 : w->a_row;
    if (w->turned_a != NULL) {
        turn_round(w->a, w->a_row, p->k, p->m, w->turned_a, w->turned_row);
        a = w->turned_a;
        a_step = w->turned_row;
    }
    for (int64_t j = 0; j < w->n; j += w->columns) {
        const float *b = w->b + j;
        if (p->b_transposed) {
            turn_round(w->b + j * w->b_row, w->b_row, least(w->columns, p->n - j), p->k, w->b_tile, w->columns);
            b = w->b_tile;
        }
        for (int64_t i = 0; i < p->m; i += w->rows) {
            const bool last_row = p->m - i < w->rows;
            const bool last_column = w->n - j < w->columns;
            w->kernel[last_row][last_column](b, a + i * a_step, w->c + i * w->c_row + j);
        }
    }
}

static const float *result(const void *context)
{
    return ((const struct way *)context)->c;
}

static void end(void *context)
{
    struct way *w = context;
    free(w->a);
    free(w->b);
    free(w->c);
    free(w->turned_a);
    free(w->b_tile);
    free(w);
}

static libxsmm_smmfunction dispatch(const struct way *w, int64_t rows, int64_t columns)
{
    const float alpha = 1;
    const float beta = 0;
    const int prefetch = LIBXSMM_GEMM_PREFETCH_NONE;
    const int flags =
        w->product.a_transposed && w->turned_a == NULL ? LIBXSMM_GEMM_FLAG_TRANS_B : LIBXSMM_GEMM_FLAG_NONE;
    const int b_row = (int)(w->product.b_transposed ? w->columns : w->b_row);
    const int a_row = (int)(w->turned_a != NULL ? w->turned_row : w->a_row);
    const int c_row = (int)w->c_row;
    return libxsmm_smmdispatch((int)columns, (int)rows, (int)w->product.k, &b_row, &a_row, &c_row, &alpha, &beta,
                               &flags, &prefetch);
}

static bool find_kernels(struct way *w)
{
    const int64_t rest_rows = w->product.m % w->rows;
    const int64_t rest_columns = w->n % w->columns;
    for (int last_row = 0; last_row < 2; last_row++)
        for (int last_column = 0; last_column < 2; last_column++) {
            const int64_t rows = last_row ? rest_rows : w->rows;
            const int64_t columns = last_column ? rest_columns : w->columns;
            if (rows > 0 && columns > 0 && (w->kernel[last_row][last_column] = dispatch(w, rows, columns)) == NULL)
                return false;
        }
    return true;
}

/* Rows of whole vectors that do not all fall into the same cache sets. */
static int64_t padded(int64_t row)
{
    const int64_t vectors = (row + PAD - 1) / PAD * PAD;
    return vectors % ALIASING == 0 ? vectors + PAD : vectors;
}

static float *copy_rows(const float *from, int64_t rows, int64_t columns, int64_t row)
{
    float *to = random_floats(rows * row + PAD, 4);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            to[i * row + j] = from[i * columns + j];
    return to;
}

static struct way *make_way(const struct operands *o, bool pad, int64_t rows, int64_t columns, bool turn_a)
{
    const struct product *p = &o->product;
    const int64_t a_columns = p->a_transposed ? p->m : p->k;
    const int64_t b_columns = p->b_transposed ? p->k : p->n;
    struct way *w = must_have(calloc(1, sizeof *w));
    w->product = *p;
    w->n = pad ? (p->n + PAD - 1) / PAD * PAD : p->n;
    w->rows = least(rows, p->m);
    w->columns = least(columns, w->n);
    w->a_row = pad ? padded(a_columns) : a_columns;
    w->b_row = pad ? padded(b_columns) : b_columns;
    w->c_row = pad ? padded(p->n) : p->n;
    w->a = copy_rows(o->a, p->a_transposed ? p->k : p->m, a_columns, w->a_row);
    w->b = copy_rows(o->b, p->b_transposed ? p->n : p->k, b_columns, w->b_row);
    w->c = random_floats(p->m * w->c_row, 5);
    w->turned_row = pad ? padded(p->k) : p->k;
    w->turned_a = turn_a ? random_floats(p->m * w->turned_row, 6) : NULL;
    w->b_tile = random_floats(p->k * w->columns, 7);
    if (find_kernels(w))
        return w;
    end(w);
    return NULL;
}

/* Those of AVX-512 and AVX2 alone are of interest: below, LIBXSMM is no better than a plain loop. */
size_t libxsmm_ways(const struct operands *o, struct contender *ret)
{
    static const struct {
        const char *how;
        bool pad;
        int64_t rows, columns;
    } tilings[] = {{"libxsmm", false, INT32_MAX, INT32_MAX},
                   {"libxsmm padded", true, INT32_MAX, INT32_MAX},
                   {"libxsmm 128x64", true, 128, 64},
                   {"libxsmm 64x64", true, 64, 64}};
    static const char *const turned[] = {"libxsmm, a turned", "libxsmm padded, a turned", "libxsmm 128x64, a turned",
                                         "libxsmm 64x64, a turned"};
    size_t count = 0;
    for (size_t t = 0; t < sizeof tilings / sizeof *tilings; t++) {
        if (tilings[t].rows != INT32_MAX && o->product.m <= tilings[t].rows && o->product.n <= tilings[t].columns)
            continue;
        for (int turn_a = 0; turn_a <= o->product.a_transposed; turn_a++) {
            struct way *w = make_way(o, tilings[t].pad, tilings[t].rows, tilings[t].columns, turn_a != 0);
            if (w != NULL)
                ret[count++] = (struct contender){.library = LIBRARY_LIBXSMM,
                                                  .how = turn_a ? turned[t] : tilings[t].how,
                                                  .multiply = multiply,
                                                  .end = end,
                                                  .context = w,
                                                  .result = result,
                                                  .c_row = w->c_row};
        }
    }
    return count;
}

#else

size_t libxsmm_ways(const struct operands *o, struct contender *ret)
{
    (void)o;
    (void)ret;
    return 0;
}

#endif
