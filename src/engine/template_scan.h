/* Running sums, places of maxima and norms along one axis, of one dtype. A template: see vector.h. */
#include "engine/vector.h"

/* Columns go in blocks, so that memory is read in order. */
enum { V(SCAN_COLUMNS) = 16 };

void FOR_ISA(V(cum_sum))(const void *args, void *const *p)
{
    const struct scan_args *s = args;
    REAL *out = p[0];
    const REAL *x = p[1];
    for (int64_t o = 0; o < s->outer; o++, out += s->k * s->inner, x += s->k * s->inner)
        for (int64_t j = 0; j < s->inner; j += V(SCAN_COLUMNS)) {
            const int64_t columns = s->inner - j < V(SCAN_COLUMNS) ? s->inner - j : V(SCAN_COLUMNS);
            double sum[V(SCAN_COLUMNS)] = {0};
            for (int64_t i = 0; i < s->k; i++)
                for (int64_t c = 0; c < columns; c++) {
                    const int64_t at = i * s->inner + j + c;
                    sum[c] += (double)x[at];
                    out[at] = (REAL)sum[c];
                }
        }
}

void FOR_ISA(V(arg_max))(const void *args, void *const *p)
{
    const struct scan_args *s = args;
    REAL *out = p[0];
    const REAL *x = p[1];
    for (int64_t o = 0; o < s->outer; o++, out += s->inner, x += s->k * s->inner)
        for (int64_t j = 0; j < s->inner; j++) {
            int64_t best = 0;
            for (int64_t i = 1; i < s->k; i++) {
                const REAL here = x[i * s->inner + j];
                const REAL most = x[best * s->inner + j];
                if (here > most || (here != here && most == most))
                    best = i;
            }
            out[j] = (REAL)best;
        }
}

/* A power of two that brings squares of numbers up to `most` into range, however many are added. */
INLINE VEC V(norm_scale)(VEC most)
{
#if REAL_BITS == 32
    const REAL large = 0x1p40F;
    const REAL down = 0x1p-90F;
    const REAL small = 0x1p-50F;
    const REAL up = 0x1p95F;
#else
    const REAL large = 0x1p450;
    const REAL down = 0x1p-600;
    const REAL small = 0x1p-450;
    const REAL up = 0x1p600;
#endif
    const VEC one = V(splat)(1);
    const VEC scale = V(select)((MASK)(most < V(splat)(small)), V(splat)(up), one);
    return V(select)((MASK)(most > V(splat)(large)), V(splat)(down), scale);
}

/* A row of k, in 16 virtual lanes. */
static REAL V(norm_of_row)(const REAL *x, int64_t k)
{
    V(lanes) most = V(lanes_splat)(0);
    V(lanes) sum = V(lanes_splat)(0);
    for (int64_t i = 0, v = 0; i < k; i += WIDTH, v = (v + 1) % LANE_VECTORS)
        most.v[v] = V(max)(most.v[v], V(abs)(V(load_partial)(x + i, V(left)(k - i))));
    const VEC scale = V(norm_scale)(V(splat)(V(lanes_max)(most)));
    for (int64_t i = 0, v = 0; i < k; i += WIDTH, v = (v + 1) % LANE_VECTORS) {
        const VEC part = V(load_partial)(x + i, V(left)(k - i)) * scale;
        sum.v[v] = sum.v[v] + part * part;
    }
    return (V(sqrt)(V(splat)(V(lanes_sum)(sum))) / scale)[0];
}

/* `count` (1 to WIDTH) columns of k rows, in order. */
static VEC V(norm_of_columns)(const REAL *x, int64_t row, int64_t k, int64_t count)
{
    VEC most = V(splat)(0);
    VEC sum = V(splat)(0);
    for (int64_t i = 0; i < k; i++)
        most = V(max)(most, V(abs)(V(load_partial)(x + i * row, count)));
    const VEC scale = V(norm_scale)(most);
    for (int64_t i = 0; i < k; i++) {
        const VEC part = V(load_partial)(x + i * row, count) * scale;
        sum = sum + part * part;
    }
    return V(sqrt)(sum) / scale;
}

void FOR_ISA(V(norm))(const void *args, void *const *p)
{
    const struct scan_args *s = args;
    REAL *out = p[0];
    const REAL *x = p[1];
    for (int64_t o = 0; o < s->outer; o++, out += s->inner, x += s->k * s->inner) {
        if (s->inner == 1) {
            out[0] = V(norm_of_row)(x, s->k);
            continue;
        }
        for (int64_t j = 0; j < s->inner; j += WIDTH) {
            const int64_t count = V(left)(s->inner - j);
            V(store_partial)(out + j, V(norm_of_columns)(x + j, s->inner, s->k, count), count);
        }
    }
}
