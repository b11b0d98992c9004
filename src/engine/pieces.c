/* Calls in pieces: what of a call may be computed alone, so that threads share it. Pieces depend on shapes alone, and
 * no result depends on pieces. */
#include "engine/planner.h"
#include <string.h>

/* A run shorter than about 100 us is over before threads have met. */
static const double LEAST_FLOPS_OF_RUN = 1e7;

/* A call is cut where its work is worth the handing over, into about so many pieces. */
static const double LEAST_FLOPS = 40000;
enum { PIECES_ABOUT = 8, LEAST_ELEMENTS = 8192, ROWS_ALIGNED = 16 };

/* ---- products: blocks of c ---- */

static const struct product_args *product_of(const struct call *c)
{
    const struct long_product_args *l = c->args;
    return c->execute == execute_long_product ? &l->product : c->args;
}

static int64_t divided(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static int64_t rounded(int64_t a, int64_t unit)
{
    return divided(a, unit) * unit;
}

static void product_piece(const struct call *c, void *const *p, uint32_t piece, int thread)
{
    const struct product_args *g = product_of(c);
    const int64_t down = divided(g->m, c->cut.rows);
    struct product_args block = *g;
    void *pointers[REFS_MAX];
    memcpy(pointers, p, c->ref_count * sizeof *pointers);
    if (pointers[SCRATCH_OF_PRODUCT] != NULL)
        pointers[SCRATCH_OF_PRODUCT] = (char *)pointers[SCRATCH_OF_PRODUCT] + (size_t)thread * c->scratch_stride;
    block.row = (int64_t)piece % down * c->cut.rows;
    block.column = (int64_t)piece / down * c->cut.columns;
    block.m = g->m - block.row < c->cut.rows ? g->m - block.row : c->cut.rows;
    block.n = g->n - block.column < c->cut.columns ? g->n - block.column : c->cut.columns;
    c->kernel(&block, pointers);
}

/* Columns first: a piece then reads its columns of b once. */
static void cut_product(struct call *c)
{
    const struct product_args *g = product_of(c);
    const int64_t most_rows = g->n == 1 ? NARROW_ROWS : BLOCK_ROWS;
    const int64_t columns = product_columns(g, rounded(divided(g->n, PIECES_ABOUT), BLOCK_COLUMNS));
    const int64_t across = divided(g->n, columns);
    const int64_t parts = across < PIECES_ABOUT ? divided(PIECES_ABOUT, across) : 1;
    c->cut.columns = columns;
    c->cut.rows = rounded(divided(g->m, parts), g->m < parts * most_rows ? ROWS_ALIGNED : most_rows);
    c->pieces = (uint32_t)(divided(g->m, c->cut.rows) * across);
    c->piece = product_piece;
}

/* ---- elementwise: rows, or columns of the only row ---- */

static void program_piece(const struct call *c, void *const *p, uint32_t piece, int thread)
{
    (void)thread;
    const struct program *g = c->args;
    const int64_t row = (int64_t)piece * c->cut.rows, column = (int64_t)piece * c->cut.columns;
    if (g->rows > 1)
        c->finish(g, p, row, g->rows - row < c->cut.rows ? g->rows - row : c->cut.rows, 0, g->columns, NULL, 0);
    else
        c->finish(g, p, 0, g->rows, column, g->columns - column < c->cut.columns ? g->columns - column : c->cut.columns,
                  NULL, 0);
}

static void cut_program(struct call *c, block_fn finish)
{
    const struct program *g = c->args;
    if (g->outer_rank > 0 || g->rows * g->columns < LEAST_ELEMENTS)
        return;
    c->finish = finish;
    c->piece = program_piece;
    c->cut.rows = rounded(divided(g->rows, PIECES_ABOUT), g->rows > 1 ? g->whole.rows : 1);
    c->cut.columns = rounded(divided(g->columns, PIECES_ABOUT), TILE_BYTES / (int)sizeof(float));
    c->pieces = (uint32_t)(g->rows > 1 ? divided(g->rows, c->cut.rows) : divided(g->columns, c->cut.columns));
}

/* ---- rows of a table ---- */

static void rows_piece(const struct call *c, void *const *p, uint32_t piece, int thread)
{
    (void)thread;
    const struct rows_args *g = c->args;
    const int64_t row = (int64_t)piece * c->cut.rows;
    const struct rows_args some = {.rows = g->rows - row < c->cut.rows ? g->rows - row : c->cut.rows,
                                   .width = g->width};
    void *pointers[] = {(char *)p[0] + (size_t)(row * g->width) * c->element_bytes, p[1], (uint32_t *)p[2] + row};
    c->kernel(&some, pointers);
}

static void cut_rows(struct call *c)
{
    const struct rows_args *g = c->args;
    if (g->rows * g->width < LEAST_ELEMENTS)
        return;
    c->cut.rows = divided(g->rows, PIECES_ABOUT);
    c->pieces = (uint32_t)divided(g->rows, c->cut.rows);
    c->piece = rows_piece;
}

void plan_cut(struct planner *p)
{
    if (p->plan->flops < LEAST_FLOPS_OF_RUN)
        return;
    const struct kernels_of_dtype *k = p->plan->kernels;
    for (size_t i = 0; i < p->plan->call_count; i++) {
        struct call *c = &p->plan->calls[i];
        c->element_bytes = dtype_size(p->spec->dtype);
        if (c->kernel == k->product || c->kernel == k->product_narrow) {
            if (c->flops >= LEAST_FLOPS)
                cut_product(c);
        } else if (c->kernel == k->program) {
            cut_program(c, k->finish);
        } else if (c->kernel == k->rows && c->execute == NULL) {
            cut_rows(c);
        }
    }
}
