/* Reductions of a program's result, of one dtype: see program.h. A template, included after template_program.h. */

typedef VEC (*V(combine))(VEC a, VEC b);
typedef REAL (*V(tree))(V(lanes) l);

/* What a reduction knows between tiles. Across: the lanes of a row that is longer than a tile. Down: 16 lanes of each
 * column. */
typedef struct {
    REAL *out;
    REAL divisor;
    int64_t total; /* elements of the reduced axis */
    V(lanes) row;
    REAL down[LANES][V(DOWN)];
} V(reducing);

/* Combines x[i], i < count, into lane i mod 16. */
INLINE void V(into_lanes)(V(combine) combine, REAL start, V(lanes) * l, const REAL *x, int64_t count)
{
    const MASK lane = V(lane_numbers)();
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (int64_t v = 0; v < LANE_VECTORS; v++)
            l->v[v] = combine(l->v[v], V(load)(x + i + v * WIDTH));
    for (int64_t v = 0; v < LANE_VECTORS; v++, i += WIDTH) {
        const int64_t left = V(left)(count - i);
        if (left == 0)
            break;
        const VEC value = V(select)((MASK)(lane < (INT)left), V(load_partial)(x + i, left), V(splat)(start));
        l->v[v] = combine(l->v[v], value);
    }
}

INLINE void V(reduce_across)(V(combine) combine, V(tree) tree, REAL start, V(reducing) * s, const REAL *tile,
                             int64_t stride, int64_t row, int64_t rows, int64_t column, int64_t columns)
{
    for (int64_t r = 0; r < rows; r++) {
        V(lanes) l = column == 0 ? V(lanes_splat)(start) : s->row;
        V(into_lanes)(combine, start, &l, tile + r * stride, columns);
        if (column + columns < s->total) {
            s->row = l;
            continue;
        }
        const REAL value = tree(l);
        s->out[row + r] = s->divisor != 0 ? value / s->divisor : value;
    }
}

/* The 16 lanes of each column, by the same tree as across. */
INLINE void V(finish_down)(V(combine) combine, V(reducing) * s, int64_t column, int64_t columns)
{
    for (int64_t i = 0; i < columns; i += WIDTH) {
        VEC lane[LANES];
        for (int l = 0; l < LANES; l++)
            lane[l] = V(load)(&s->down[l][i]);
        for (int half = LANES / 2; half > 0; half /= 2)
            for (int l = 0; l < half; l++)
                lane[l] = combine(lane[l], lane[l + half]);
        if (s->divisor != 0)
            lane[0] = lane[0] / V(splat)(s->divisor);
        V(store_partial)(s->out + column + i, lane[0], columns - i < WIDTH ? columns - i : WIDTH);
    }
}

INLINE void V(reduce_down)(V(combine) combine, REAL start, V(reducing) * s, const REAL *tile, int64_t stride,
                           int64_t row, int64_t rows, int64_t column, int64_t columns)
{
    if (row == 0)
        for (int l = 0; l < LANES; l++)
            for (int64_t i = 0; i < columns; i += WIDTH)
                V(store)(&s->down[l][i], V(splat)(start));
    for (int64_t r = 0; r < rows; r++, tile += stride) {
        REAL *lane = s->down[(row + r) % LANES];
        int64_t i = 0;
        for (; i + WIDTH <= columns; i += WIDTH)
            V(store)(lane + i, combine(V(load)(lane + i), V(load)(tile + i)));
        if (i < columns)
            V(store)(lane + i, combine(V(load)(lane + i), V(load_partial)(tile + i, columns - i)));
    }
    if (row + rows == s->total)
        V(finish_down)(combine, s, column, columns);
}

/* Without instructions the operand is reduced where it lies. */
INLINE bool V(is_plain)(const struct reduction *d)
{
    const struct program *g = &d->program;
    return g->instruction_count == 0 && g->result < g->access_count && g->access[g->result].column_stride == 1;
}

/* The result of reducing nothing: so many times where the sums start. */
static void V(reduce_nothing)(const struct reduction *d, REAL start, REAL *out)
{
    const struct program *g = &d->program;
    int64_t count = d->across ? g->rows : g->columns;
    for (int axis = 0; axis < g->outer_rank; axis++)
        count *= g->outer[axis];
    for (int64_t i = 0; i < count; i++)
        out[i] = d->divisor != 0 ? start / (REAL)d->divisor : start;
}

/* Rows that are longer than a tile, one after the other: the lanes of one are all that is known between tiles. */
INLINE void V(reduce_rows)(const struct reduction *d, const V(rectangle) * whole, int64_t most, V(sink) sink,
                           V(reducing) * s)
{
    const struct program *g = &d->program;
    REAL *const out = s->out;
    V(rectangle) r = *whole;
    r.rows = 1;
    for (int64_t row = 0; row < whole->rows; row++) {
        s->out = out + row;
        V(run_rectangle)(g, &g->whole, g->whole.direct, &r, most, sink, s);
        for (int i = 0; i < g->access_count; i++)
            r.first[i] += r.row_stride[i];
    }
    s->out = out;
}

INLINE void V(reduce)(const struct reduction *d, REAL start, void *const *p, V(sink) sink)
{
    const struct program *g = &d->program;
    const struct tiling *t = &g->whole;
    const int64_t reduced = d->across ? g->columns : g->rows;
    const int64_t kept = d->across ? g->rows : g->columns;
    const int64_t most =
        d->across ? (t->rows == 1 ? V(TILE) : g->columns) : (g->columns < V(DOWN) ? g->columns : V(DOWN));
    int64_t at[RANK_MAX] = {0};
    V(rectangle) r;
    V(reducing) s;
    s.out = p[0];
    s.divisor = (REAL)d->divisor;
    s.total = reduced;
    bool some = V(start)(g, p, &r);
    if (!some)
        V(reduce_nothing)(d, start, p[0]);
    for (; some; some = V(next_outer)(g, at, &r), s.out += kept) {
        if (!V(is_plain)(d)) {
            if (d->across && most < g->columns)
                V(reduce_rows)(d, &r, most, sink, &s);
            else
                V(run_rectangle)(g, t, t->direct, &r, most, sink, &s);
            continue;
        }
        const REAL *x = r.first[g->result];
        const int64_t stride = r.row_stride[g->result];
        if (d->across)
            sink(&s, x, stride, 0, g->rows, 0, g->columns);
        else
            for (int64_t column = 0; column < g->columns; column += most)
                sink(&s, x + column, stride, 0, g->rows, column,
                     g->columns - column < most ? g->columns - column : most);
    }
}

#define REDUCTION(name, combine, tree, start)                                                                          \
    static void V(name##_sink_across)(void *state, const REAL *tile, int64_t stride, int64_t row, int64_t rows,        \
                                      int64_t column, int64_t columns)                                                 \
    {                                                                                                                  \
        V(reduce_across)(combine, tree, start, state, tile, stride, row, rows, column, columns);                       \
    }                                                                                                                  \
    static void V(name##_sink_down)(void *state, const REAL *tile, int64_t stride, int64_t row, int64_t rows,          \
                                    int64_t column, int64_t columns)                                                   \
    {                                                                                                                  \
        V(reduce_down)(combine, start, state, tile, stride, row, rows, column, columns);                               \
    }                                                                                                                  \
    void FOR_ISA(V(name))(const void *args, void *const *p)                                                            \
    {                                                                                                                  \
        const struct reduction *d = args;                                                                              \
        V(reduce)(d, start, p, d->across ? V(name##_sink_across) : V(name##_sink_down));                               \
    }

REDUCTION(sum, V(add), V(lanes_sum), 0)
REDUCTION(max, V(max), V(lanes_max), (REAL)-__builtin_inf())
#undef REDUCTION
