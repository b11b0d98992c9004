/* Programs and reductions of one dtype: see program.h. A template: see vector.h. */
#include "engine/vector.h"

enum { V(TILE) = TILE_BYTES / (int)sizeof(REAL), V(DOWN) = COLUMNS_DOWN };

/* A rectangle of a program's space: where each access has its first element, and how far its rows are apart. */
typedef struct {
    REAL *first[ACCESSES_MAX];
    int64_t row_stride[ACCESSES_MAX];
    int64_t rows, columns;
} V(rectangle);

typedef struct {
    REAL elements[BUFFERS_MAX][V(TILE) + WIDTH];
} V(buffers);

/* ---- staging */

static void V(copy_row)(REAL *to, const REAL *from, int64_t count)
{
    int64_t i = 0;
    for (; i + WIDTH <= count; i += WIDTH)
        V(store)(to + i, V(load)(from + i));
    if (i < count)
        V(store_partial)(to + i, V(load_partial)(from + i, count - i), count - i);
}

/* Rows of any strides to rows of a tile. The buffer has room for a whole vector after the last row. */
static __attribute__((noinline)) void V(stage)(REAL *to, int64_t row, const REAL *from, int64_t row_stride,
                                               int64_t column_stride, int64_t rows, int64_t columns)
{
    for (int64_t r = 0; r < rows; r++, to += row, from += row_stride) {
        int64_t i = 0;
        if (column_stride == 1)
            for (; i < columns; i += WIDTH)
                V(store)(to + i, columns - i < WIDTH ? V(load_partial)(from + i, columns - i) : V(load)(from + i));
        else if (column_stride == 0)
            for (; i < columns; i += WIDTH)
                V(store)(to + i, V(splat)(*from));
        else
            for (; i < columns; i++)
                to[i] = from[i * column_stride];
    }
}

static __attribute__((noinline)) void V(unstage)(REAL *to, int64_t row_stride, int64_t column_stride, const REAL *from,
                                                 int64_t row, int64_t rows, int64_t columns)
{
    for (int64_t r = 0; r < rows; r++, to += row_stride, from += row) {
        if (column_stride == 1)
            V(copy_row)(to, from, columns);
        else
            for (int64_t i = 0; i < columns; i++)
                to[i * column_stride] = from[i];
    }
}

/* ---- one tile */

/* Finds the operands of the tile at (row, column), staging what is read and changes from tile to tile. */
INLINE void V(enter_tile)(const struct program *g, const struct tiling *t, uint32_t direct, const V(rectangle) * r,
                          V(buffers) * b, int64_t row, int64_t rows, int64_t column, int64_t columns, REAL **operand)
{
    for (int i = 0; i < g->access_count; i++) {
        const struct access *a = &g->access[i];
        REAL *at = r->first[i] + row * r->row_stride[i] + column * a->column_stride;
        const bool is_direct = direct >> i & 1;
        operand[i] = is_direct ? at : b->elements[a->buffer];
        if (!is_direct && !a->written && !(t->once >> i & 1))
            V(stage)(operand[i], t->row, at, r->row_stride[i], a->column_stride, rows, columns);
    }
}

INLINE void V(leave_tile)(const struct program *g, const struct tiling *t, uint32_t direct, const V(rectangle) * r,
                          int64_t row, int64_t rows, int64_t column, int64_t columns, REAL *const *operand)
{
    for (int i = 0; i < g->access_count; i++) {
        const struct access *a = &g->access[i];
        if (a->written && !(direct >> i & 1))
            V(unstage)
        (r->first[i] + row * r->row_stride[i] + column * a->column_stride, r->row_stride[i], a->column_stride,
         operand[i], t->row, rows, columns);
    }
}

INLINE void V(instructions)(const struct program *g, REAL *const *operand, int64_t count)
{
    for (int i = 0; i < g->instruction_count; i++) {
        const struct instruction *n = &g->instruction[i];
        n->map(operand[n->out], operand[n->in[0]], operand[n->in[1]], operand[n->in[2]], count);
    }
}

/* ---- rectangles */

/* Staged accesses that are the same for every tile of a rectangle. */
INLINE void V(stage_once)(const struct program *g, const struct tiling *t, uint32_t direct, const V(rectangle) * r,
                          V(buffers) * b)
{
    const int64_t rows = r->rows < t->rows ? r->rows : t->rows;
    const int64_t columns = r->columns < V(TILE) ? r->columns : V(TILE);
    for (int i = 0; i < g->access_count; i++)
        if (t->once & ~direct & (1U << i))
            V(stage)
    (b->elements[g->access[i].buffer], t->row, r->first[i], 0, g->access[i].column_stride, rows, columns);
}

/* What is done with the result of each tile: rows of `columns` elements, `stride` apart. */
typedef void (*V(sink))(void *state, const REAL *tile, int64_t stride, int64_t row, int64_t rows, int64_t column,
                        int64_t columns);

/* Runs a program over a rectangle. Columns are taken `most` at a time where tiles are of one row, or rows are reduced;
 * the tiles of some columns follow one another by rows, so that what the rows share stays near. A sink that takes a row
 * in pieces calls for one row after the other. */
INLINE void V(run_rectangle)(const struct program *g, const struct tiling *t, uint32_t direct, const V(rectangle) * r,
                             int64_t most, V(sink) sink, void *state)
{
    V(buffers) b;
    REAL *operand[ACCESSES_MAX + BUFFERS_MAX];
    for (int i = 0; i < g->buffer_count; i++)
        operand[g->access_count + i] = b.elements[i];
    V(stage_once)(g, t, direct, r, &b);
    for (int64_t column = 0; column < r->columns; column += most)
        for (int64_t row = 0; row < r->rows; row += t->rows) {
            const int64_t rows = r->rows - row < t->rows ? r->rows - row : t->rows;
            const int64_t columns = r->columns - column < most ? r->columns - column : most;
            V(enter_tile)(g, t, direct, r, &b, row, rows, column, columns, operand);
            V(instructions)(g, operand, t->rows == 1 ? columns : rows * t->row);
            V(leave_tile)(g, t, direct, r, row, rows, column, columns, operand);
            if (sink != NULL)
                sink(state, operand[g->result], t->row, row, rows, column, columns);
        }
}

/* Moves to the next index of the outer axes; false after the last. */
INLINE bool V(next_outer)(const struct program *g, int64_t *at, V(rectangle) * r)
{
    for (int axis = g->outer_rank - 1; axis >= 0; axis--) {
        const int64_t steps = ++at[axis] < g->outer[axis] ? 1 : 1 - g->outer[axis];
        for (int i = 0; i < g->access_count; i++)
            r->first[i] += steps * g->access[i].outer_stride[axis];
        if (steps == 1)
            return true;
        at[axis] = 0;
    }
    return false;
}

static bool V(start)(const struct program *g, void *const *p, V(rectangle) * r)
{
    r->rows = g->rows;
    r->columns = g->columns;
    for (int i = 0; i < g->access_count; i++) {
        r->first[i] = p[g->access[i].pointer];
        r->row_stride[i] = g->access[i].row_stride;
    }
    bool some = g->rows > 0 && g->columns > 0;
    for (int axis = 0; axis < g->outer_rank; axis++)
        some = some && g->outer[axis] > 0;
    return some;
}

void FOR_ISA(V(program))(const void *args, void *const *p)
{
    const struct program *g = args;
    const struct tiling *t = &g->whole;
    int64_t at[RANK_MAX] = {0};
    V(rectangle) r;
    if (!V(start)(g, p, &r))
        return;
    do
        V(run_rectangle)(g, t, t->direct, &r, t->rows == 1 ? V(TILE) : g->columns, NULL, NULL);
    while (V(next_outer)(g, at, &r));
}

/* A product's block: see block_fn. */
void FOR_ISA(V(finish))(const void *args, void *const *p, int64_t row, int64_t rows, int64_t column, int64_t columns,
                        void *block, int64_t block_row)
{
    const struct program *g = args;
    const struct tiling *t = columns == g->columns ? &g->whole : &g->part;
    uint32_t direct = t->direct;
    V(rectangle) r = {.rows = rows, .columns = columns};
    for (int i = 0; i < g->access_count; i++) {
        const struct access *a = &g->access[i];
        if (a->pointer == POINTER_OF_BLOCK) {
            r.first[i] = block;
            r.row_stride[i] = block_row;
            if (t->rows > 1 && block_row != t->row)
                direct &= ~(1U << i);
        } else {
            r.first[i] = (REAL *)p[a->pointer] + row * a->row_stride + column * a->column_stride;
            r.row_stride[i] = a->row_stride;
        }
    }
    V(run_rectangle)(g, t, direct, &r, t->rows == 1 ? V(TILE) : columns, NULL, NULL);
}
