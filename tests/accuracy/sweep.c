/* The accuracy of the elementary functions as JSON lines: the worst error in ulp and where, against libm's long double
 * functions, of every STEP-th float32 and of as many float64 spread evenly over all bit patterns between 2^-60 and 2^60
 * and their negatives. STEP is the argument, 20011 without one; with 1 it takes all float32: days. */
#define FUNCTIONS_VECTOR_BYTES 16
#include "base/functions_vector.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(LDBL_MANT_DIG >= 64, "the oracle needs a long double of 64 bits at least");

static long double sigmoid_truth(long double x)
{
    long double e = expl(-fabsl(x));
    return (x < 0 ? e : 1) / (1 + e);
}

static long double softplus_truth(long double x)
{
    return (x > 0 ? x : 0) + log1pl(expl(-fabsl(x)));
}

#define FUNCTIONS(F)                                                                                                   \
    F(floor, floorl)                                                                                                   \
    F(ceil, ceill)                                                                                                     \
    F(round, rintl)                                                                                                    \
    F(exp, expl)                                                                                                       \
    F(expm1, expm1l)                                                                                                   \
    F(log, logl)                                                                                                       \
    F(log1p, log1pl)                                                                                                   \
    F(sin, sinl)                                                                                                       \
    F(cos, cosl)                                                                                                       \
    F(tan, tanl)                                                                                                       \
    F(asin, asinl)                                                                                                     \
    F(acos, acosl)                                                                                                     \
    F(atan, atanl)                                                                                                     \
    F(sinh, sinhl)                                                                                                     \
    F(cosh, coshl)                                                                                                     \
    F(tanh, tanhl)                                                                                                     \
    F(asinh, asinhl)                                                                                                   \
    F(acosh, acoshl)                                                                                                   \
    F(atanh, atanhl)                                                                                                   \
    F(sigmoid, sigmoid_truth)                                                                                          \
    F(softplus, softplus_truth)                                                                                        \
    F(erf, erfl)                                                                                                       \
    F(erfc, erfcl)                                                                                                     \
    F(lgamma, lgammal)

#define WRAP(name, truth)                                                                                              \
    static vf64 wide_##name(vf64 x)                                                                                    \
    {                                                                                                                  \
        return v_##name##_f64(x);                                                                                      \
    }                                                                                                                  \
    static vf32 narrow_##name(vf32 x)                                                                                  \
    {                                                                                                                  \
        return v_##name##_f32(x);                                                                                      \
    }
FUNCTIONS(WRAP)

#define ENTRY(name, truth) {#name, wide_##name, narrow_##name, truth},
static const struct function {
    const char *name;
    vf64 (*wide)(vf64);
    vf32 (*narrow)(vf32);
    long double (*truth)(long double);
} functions[] = {FUNCTIONS(ENTRY)};

/* In ulp of a format of `digits` bits and least exponent `least`; what is beyond `largest` must be infinite. */
static double error_of(double got, long double truth, int digits, int least, double largest)
{
    int exponent = least;
    if (isnan(truth) || isnan(got))
        return isnan(truth) && isnan(got) ? 0 : HUGE_VAL;
    if (fabsl(truth) > (long double)largest || isinf(got))
        return isinf(got) && fabsl(truth) > (long double)largest * (1 - 0x1p-24L) ? 0 : HUGE_VAL;
    if (truth != 0)
        (void)frexpl(truth, &exponent);
    exponent = exponent < least ? least : exponent;
    return (double)(fabsl((long double)got - truth) / ldexpl(1, exponent - digits));
}

struct worst {
    double ulp, at;
};

static void note(struct worst *w, double ulp, double at)
{
    if (ulp > w->ulp)
        *w = (struct worst){ulp, at};
}

static struct worst sweep_float32(const struct function *f, uint64_t step)
{
    struct worst worst = {0};
    for (uint64_t i = 0; i <= UINT32_MAX; i += step) {
        const uint32_t bits = (uint32_t)i;
        float x;
        memcpy(&x, &bits, sizeof x);
        const float y = f->narrow(v_splat_f32(x))[0];
        note(&worst, error_of((double)y, f->truth((long double)x), FLT_MANT_DIG, FLT_MIN_EXP, (double)FLT_MAX),
             (double)x);
    }
    return worst;
}

static struct worst sweep_float64(const struct function *f, uint64_t step)
{
    struct worst worst = {0};
    const uint64_t first = UINT64_C(963) << 52, last = UINT64_C(1083) << 52;
    const uint64_t stride = (last - first) / ((UINT64_C(1) << 32) / step) * 2 + 1;
    for (uint64_t bits = first; bits < last; bits += stride) {
        double x;
        memcpy(&x, &bits, sizeof x);
        for (int sign = 0; sign < 2; sign++) {
            note(&worst,
                 error_of(f->wide(v_splat_f64(x))[0], f->truth((long double)x), DBL_MANT_DIG, DBL_MIN_EXP, DBL_MAX), x);
            x = -x;
        }
    }
    return worst;
}

int main(int count, char **arguments)
{
    const uint64_t step = count > 1 ? strtoull(arguments[1], NULL, 10) : 20011;
    if (step == 0) {
        fprintf(stderr, "sweep: the step is a whole number from 1\n");
        return 1;
    }
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        const struct function *f = &functions[i];
        const struct worst narrow = sweep_float32(f, step), wide = sweep_float64(f, step);
        printf("{\"sweep\":\"%s\",\"step\":%llu,\"float32_ulp\":%.4f,\"float32_at\":\"%a\",\"float64_ulp\":%.4f,"
               "\"float64_at\":\"%a\"}\n",
               f->name, (unsigned long long)step, narrow.ulp, narrow.at, wide.ulp, wide.at);
        (void)fflush(stdout);
    }
    return 0;
}
