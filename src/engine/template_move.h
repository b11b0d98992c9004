/* Fills, rows by index, one-hot and Dropout of one dtype. A template: see vector.h. */
#include "base/rng.h"
#include "engine/vector.h"
#include <string.h>

void FOR_ISA(V(fill))(const void *args, void *const *p)
{
    const struct fill_args *f = args;
    memset(p[0], 0, (size_t)f->count * sizeof(REAL));
}

void FOR_ISA(V(gather))(const void *args, void *const *p)
{
    const struct index_args *g = args;
    REAL *out = p[0];
    const REAL *data = p[1];
    const int64_t *index = p[2];
    for (int64_t o = 0; o < g->outer; o++, data += g->size * g->inner)
        for (int64_t i = 0; i < g->count; i++, out += g->inner)
            memcpy(out, data + index[i] * g->inner, (size_t)g->inner * sizeof *out);
}

void FOR_ISA(V(scatter_add))(const void *args, void *const *p)
{
    const struct index_args *s = args;
    REAL *out = p[0];
    const REAL *g = p[1];
    const int64_t *index = p[2];
    for (int64_t o = 0; o < s->outer; o++, out += s->size * s->inner)
        for (int64_t i = 0; i < s->count; i++, g += s->inner)
            for (int64_t j = 0; j < s->inner; j++)
                out[index[i] * s->inner + j] += g[j];
}

/* Short rows are copied by vectors: a call of memcpy would cost more than the copy. */
void FOR_ISA(V(rows))(const void *args, void *const *p)
{
    const struct rows_args *r = args;
    const int64_t width = r->width;
    REAL *out = p[0];
    const REAL *table = p[1];
    const uint32_t *rows = p[2];
    if (width == 1)
        for (int64_t i = 0; i < r->rows; i++)
            out[i] = table[rows[i]];
    else if (width <= (int64_t)4 * WIDTH)
        for (int64_t i = 0; i < r->rows; i++, out += width) {
            const REAL *row = table + rows[i] * width;
            int64_t j = 0;
            for (; j + WIDTH <= width; j += WIDTH)
                V(store)(out + j, V(load)(row + j));
            V(store_partial)(out + j, V(load_partial)(row + j, width - j), width - j);
        }
    else
        for (int64_t i = 0; i < r->rows; i++, out += width)
            memcpy(out, table + rows[i] * width, (size_t)width * sizeof *out);
}

void FOR_ISA(V(one_hot))(const void *args, void *const *p)
{
    const struct one_hot_args *h = args;
    REAL *out = p[0];
    const int64_t *index = p[1];
    memset(out, 0, (size_t)(h->count * h->depth) * sizeof *out);
    for (int64_t i = 0; i < h->count; i++)
        out[i * h->depth + index[i]] = 1;
}

void FOR_ISA(V(dropout))(const void *args, void *const *p)
{
    const struct dropout_args *d = args;
    const struct rng rng = {.seed = d->seed, .step = d->step, .purpose = RNG_DROPOUT, .ordinal = d->ordinal};
    REAL *out = p[0];
    const REAL *x = p[1];
    for (int64_t i = 0; i < d->count; i++) {
        const bool kept = (uint64_t)(rng_uniform(&rng, (uint64_t)i) * 0x1p53) >= d->threshold;
        out[i] = kept ? x[i] * (REAL)d->scale : 0;
    }
}
