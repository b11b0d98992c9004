/* Softmax and losses of one dtype. A template: see vector.h.
 *
 * The order of a sum is part of the result: element i is added to virtual lane i mod 16, in order, and the lanes are
 * added by a fixed tree. */
#include "engine/vector.h"

typedef VEC (*V(combine))(VEC a, VEC b);
typedef VEC (*V(pair))(VEC a, VEC b);

INLINE VEC V(first)(VEC a, VEC b)
{
    (void)b;
    return a;
}

/* Combines pair(a[i], b[i]) for i < count in 16 virtual lanes, which start as `start`. b may be a. */
INLINE V(lanes) V(across)(V(combine) combine, V(pair) pair, REAL start, const REAL *a, const REAL *b, int64_t count)
{
    V(lanes) l = V(lanes_splat)(start);
    const VEC neutral = V(splat)(start);
    const MASK lane = V(lane_numbers)();
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (int64_t v = 0; v < LANE_VECTORS; v++)
            l.v[v] = combine(l.v[v], pair(V(load)(a + i + v * WIDTH), V(load)(b + i + v * WIDTH)));
    for (int64_t v = 0; v < LANE_VECTORS; v++, i += WIDTH) {
        const int64_t left = V(left)(count - i);
        if (left == 0)
            break;
        const VEC value = pair(V(load_partial)(a + i, left), V(load_partial)(b + i, left));
        l.v[v] = combine(l.v[v], V(select)((MASK)(lane < (INT)left), value, neutral));
    }
    return l;
}

INLINE REAL V(sum_of)(const REAL *x, int64_t count)
{
    return V(lanes_sum)(V(across)(V(add), V(first), 0, x, x, count));
}

INLINE REAL V(max_of)(const REAL *x, int64_t count)
{
    return V(lanes_max)(V(across)(V(max), V(first), (REAL)-__builtin_inf(), x, x, count));
}

/* ---- softmax */

/* out = exp(x - max) over a row of k; returns the sum and the maximum. */
INLINE REAL V(exponentials)(REAL *out, const REAL *x, int64_t k, REAL *ret_max)
{
    const REAL max = V(max_of)(x, k);
    const VEC shift = V(splat)(max);
    for (int64_t i = 0; i < k; i += WIDTH) {
        const int64_t count = k - i < WIDTH ? k - i : WIDTH;
        V(store_partial)(out + i, F(exp)(V(load_partial)(x + i, count) - shift), count);
    }
    *ret_max = max;
    return V(sum_of)(out, k);
}

static REAL V(log_of)(REAL x)
{
    return F(log)(V(splat)(x))[0];
}

static void V(softmax_row)(REAL *out, const REAL *x, int64_t k)
{
    REAL max;
    const VEC sum = V(splat)(V(exponentials)(out, x, k, &max));
    for (int64_t i = 0; i < k; i += WIDTH) {
        const int64_t count = k - i < WIDTH ? k - i : WIDTH;
        V(store_partial)(out + i, V(load_partial)(out + i, count) / sum, count);
    }
}

static void V(log_softmax_row)(REAL *out, const REAL *x, int64_t k)
{
    REAL max;
    const VEC log_sum = V(splat)(V(log_of)(V(exponentials)(out, x, k, &max)));
    const VEC shift = V(splat)(max);
    for (int64_t i = 0; i < k; i += WIDTH) {
        const int64_t count = k - i < WIDTH ? k - i : WIDTH;
        V(store_partial)(out + i, V(load_partial)(x + i, count) - shift - log_sum, count);
    }
}

INLINE void V(softmax_rows)(void (*row)(REAL *, const REAL *, int64_t), const struct softmax_args *s, void *const *p)
{
    REAL *out = p[0];
    const REAL *x = p[1];
    if (s->inner == 1) {
        for (int64_t o = 0; o < s->outer; o++)
            row(out + o * s->k, x + o * s->k, s->k);
        return;
    }
    REAL *gathered = p[2];
    REAL *result = gathered + s->k;
    for (int64_t o = 0; o < s->outer; o++)
        for (int64_t j = 0; j < s->inner; j++) {
            const int64_t at = o * s->k * s->inner + j;
            for (int64_t i = 0; i < s->k; i++)
                gathered[i] = x[at + i * s->inner];
            row(result, gathered, s->k);
            for (int64_t i = 0; i < s->k; i++)
                out[at + i * s->inner] = result[i];
        }
}

void FOR_ISA(V(softmax))(const void *args, void *const *p)
{
    V(softmax_rows)(V(softmax_row), args, p);
}

void FOR_ISA(V(log_softmax))(const void *args, void *const *p)
{
    V(softmax_rows)(V(log_softmax_row), args, p);
}

/* ---- losses */

INLINE VEC V(square_error)(VEC prediction, VEC target)
{
    const VEC d = prediction - target;
    return d * d;
}

INLINE VEC V(absolute_error)(VEC prediction, VEC target)
{
    return V(abs)(prediction - target);
}

/* -(y log p + (1 - y) log(1 - p)), the logs at least -100. */
INLINE VEC V(bce)(VEC prediction, VEC target)
{
    const VEC one = V(splat)(1);
    const VEC least = V(splat)(-100);
    const VEC log_p = V(max)(F(log)(prediction), least);
    const VEC log_q = V(max)(F(log1p)(-prediction), least);
    return -(target * log_p + (one - target) * log_q);
}

/* softplus(z) - z y = max(z, 0) - z y + log(1 + exp(-|z|)): nothing overflows. */
INLINE VEC V(bce_with_logits)(VEC logit, VEC target)
{
    const VEC tail = F(log1p)(F(exp)(-V(abs)(logit)));
    return V(max)(logit, (VEC){0}) - logit * target + tail;
}

#define LOSS(op, pair)                                                                                                 \
    static void V(run_##op)(const void *args, void *const *p)                                                          \
    {                                                                                                                  \
        const struct loss_args *l = args;                                                                              \
        REAL *out = p[0];                                                                                              \
        *out = V(lanes_sum)(V(across)(V(add), pair, 0, p[1], p[2], l->count)) / (REAL)l->count;                        \
    }

LOSS(MSE, V(square_error))
LOSS(MAE, V(absolute_error))
LOSS(BCE, V(bce))
LOSS(BCEWithLogits, V(bce_with_logits))
#undef LOSS

const kernel_fn FOR_ISA(V(loss_kernels))[OP_COUNT] = {
    [OP_MSE] = V(run_MSE),
    [OP_MAE] = V(run_MAE),
    [OP_BCE] = V(run_BCE),
    [OP_BCEWithLogits] = V(run_BCEWithLogits),
};

/* -sum of y (z - max - log sum exp(z - max)) in a row of probabilities. */
INLINE REAL V(row_of_probabilities)(const REAL *z, const REAL *y, int64_t k, REAL max, REAL log_sum)
{
    V(lanes) l = V(lanes_splat)(0);
    const VEC shift = V(splat)(max);
    const VEC log_sums = V(splat)(log_sum);
    for (int64_t i = 0, v = 0; i < k; i += WIDTH, v = (v + 1) % LANE_VECTORS) {
        const int64_t count = k - i < WIDTH ? k - i : WIDTH;
        const VEC log_p = V(load_partial)(z + i, count) - shift - log_sums;
        l.v[v] = l.v[v] - V(load_partial)(y + i, count) * log_p;
    }
    return V(lanes_sum)(l);
}

/* Sum of exp(x - max) across lanes. */
INLINE REAL V(sum_of_exponentials)(const REAL *x, int64_t k, REAL max)
{
    V(lanes) l = V(lanes_splat)(0);
    const VEC shift = V(splat)(max);
    const MASK lane = V(lane_numbers)();
    for (int64_t i = 0, v = 0; i < k; i += WIDTH, v = (v + 1) % LANE_VECTORS) {
        const int64_t count = k - i < WIDTH ? k - i : WIDTH;
        const VEC e = F(exp)(V(load_partial)(x + i, count) - shift);
        l.v[v] = l.v[v] + V(select)((MASK)(lane < (INT)count), e, (VEC){0});
    }
    return V(lanes_sum)(l);
}

void FOR_ISA(V(cross_entropy))(const void *args, void *const *p)
{
    const struct cross_entropy_args *c = args;
    REAL *out = p[0];
    const REAL *z = p[1];
    const REAL *probabilities = p[2];
    REAL *rows = p[3];
    const int64_t *classes = p[4];
    for (int64_t i = 0; i < c->n; i++, z += c->k) {
        const REAL max = V(max_of)(z, c->k);
        const REAL log_sum = V(log_of)(V(sum_of_exponentials)(z, c->k, max));
        rows[i] = probabilities != NULL ? V(row_of_probabilities)(z, probabilities + i * c->k, c->k, max, log_sum)
                                        : log_sum - (z[classes[i]] - max);
    }
    *out = V(sum_of)(rows, c->n) / (REAL)c->n;
}
