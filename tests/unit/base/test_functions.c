/* The elementary functions against libm's long double ones: errors in units of the last place, over random and special
 * arguments, for float64 and float32, and the same bits at every width of vector. */
#include "support/near.h"

#define FUNCTIONS_VECTOR_BYTES 16
#include "base/functions_vector.h"
#include "base/rng.h"
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

_Static_assert(LDBL_MANT_DIG >= 64, "the oracle needs a long double of 64 bits at least");

enum { SAMPLES = 20000 };

static const struct rng randoms = {.seed = 11, .purpose = RNG_INITIAL};

/* The error of `got` in ulp of a format of `digits` bits, least exponent `least`; what overflows counts from the
 * largest number. */
static double ulp_error(double got, long double truth, int digits, int least, double largest)
{
    int exponent = least;
    if (isnan(truth) || isnan(got))
        return isnan(truth) && isnan(got) ? 0 : HUGE_VAL;
    if (isinf(truth) || fabsl(truth) > (long double)largest)
        return (double)truth == got || (isinf(got) && (got > 0) == (truth > 0)) ? 0
               : fabs(got) == largest                                           ? 1
                                                                                : HUGE_VAL;
    if (isinf(got))
        return fabsl(truth) > (long double)largest * (1 - 2 * LDBL_EPSILON * 1024) ? 1 : HUGE_VAL;
    if (truth != 0)
        frexpl(truth, &exponent);
    if (exponent < least)
        exponent = least;
    return (double)(fabsl((long double)got - truth) / ldexpl(1, exponent - digits));
}

static double ulp64(double got, long double truth)
{
    return ulp_error(got, truth, DBL_MANT_DIG, DBL_MIN_EXP, DBL_MAX);
}

static double ulp32(float got, long double truth)
{
    return ulp_error((double)got, truth, FLT_MANT_DIG, FLT_MIN_EXP, (double)FLT_MAX);
}

static long double sigmoid_truth(long double x)
{
    long double e = expl(-fabsl(x));
    return (x < 0 ? e : 1) / (1 + e);
}

static long double softplus_truth(long double x)
{
    return (x > 0 ? x : 0) + log1pl(expl(-fabsl(x)));
}

#define WRAP(name)                                                                                                     \
    static vf64 wide_##name(vf64 x)                                                                                    \
    {                                                                                                                  \
        return v_##name##_f64(x);                                                                                      \
    }                                                                                                                  \
    static vf32 narrow_##name(vf32 x)                                                                                  \
    {                                                                                                                  \
        return v_##name##_f32(x);                                                                                      \
    }
WRAP(floor)
WRAP(ceil)
WRAP(round)
WRAP(exp)
WRAP(expm1)
WRAP(log)
WRAP(log1p)
WRAP(sin)
WRAP(cos)
WRAP(tanh)
WRAP(tan)
WRAP(asin)
WRAP(acos)
WRAP(atan)
WRAP(sinh)
WRAP(cosh)
WRAP(asinh)
WRAP(acosh)
WRAP(atanh)
WRAP(erf)
WRAP(erfc)
WRAP(sigmoid)
WRAP(softplus)

/* The bounds are what functions_vector.h promises. */
static const struct {
    const char *name;
    double (*scalar)(double);
    vf64 (*wide)(vf64);
    vf32 (*narrow)(vf32);
    long double (*truth)(long double);
    double bound64, bound32;
} functions[] = {
    {"floor", fn_floor, wide_floor, narrow_floor, floorl, 0, 0},
    {"ceil", fn_ceil, wide_ceil, narrow_ceil, ceill, 0, 0},
    {"round", fn_round, wide_round, narrow_round, rintl, 0, 0},
    {"exp", fn_exp, wide_exp, narrow_exp, expl, 1.0, 1.0},
    {"expm1", fn_expm1, wide_expm1, narrow_expm1, expm1l, 0.85, 0.501},
    {"log", fn_log, wide_log, narrow_log, logl, 0.8, 0.8},
    {"log1p", fn_log1p, wide_log1p, narrow_log1p, log1pl, 0.8, 0.8},
    {"sin", fn_sin, wide_sin, narrow_sin, sinl, 0.8, 0.501},
    {"cos", fn_cos, wide_cos, narrow_cos, cosl, 0.8, 0.501},
    {"tan", fn_tan, wide_tan, narrow_tan, tanl, 0.9, 0.501},
    {"asin", fn_asin, wide_asin, narrow_asin, asinl, 0.65, 0.501},
    {"acos", fn_acos, wide_acos, narrow_acos, acosl, 0.65, 0.501},
    {"atan", fn_atan, wide_atan, narrow_atan, atanl, 0.7, 0.501},
    {"sinh", fn_sinh, wide_sinh, narrow_sinh, sinhl, 0.75, 0.501},
    {"cosh", fn_cosh, wide_cosh, narrow_cosh, coshl, 0.7, 0.501},
    {"asinh", fn_asinh, wide_asinh, narrow_asinh, asinhl, 0.85, 0.501},
    {"acosh", fn_acosh, wide_acosh, narrow_acosh, acoshl, 0.85, 0.501},
    {"atanh", fn_atanh, wide_atanh, narrow_atanh, atanhl, 0.85, 0.501},
    {"erf", fn_erf, wide_erf, narrow_erf, erfl, 1.3, 1.1},
    {"erfc", fn_erfc, wide_erfc, narrow_erfc, erfcl, 2.6, 0.501},
    {"tanh", fn_tanh, wide_tanh, narrow_tanh, tanhl, 0.8, 1.3},
    {"sigmoid", fn_sigmoid, wide_sigmoid, narrow_sigmoid, sigmoid_truth, 2.3, 2.0},
    {"softplus", fn_softplus, wide_softplus, narrow_softplus, softplus_truth, 1.7, 1.6},
};

enum { FUNCTION_COUNT = sizeof functions / sizeof *functions };

/* Any bit pattern, or a number of usual size. */
static double random_argument(uint64_t i)
{
    static const double sizes[] = {1600, 4, 60, 1e-3};
    if (i % 5 == 0) {
        uint64_t bits = (uint64_t)rng_word(&randoms, 2 * i) << 32 | rng_word(&randoms, 2 * i + 1);
        double x;
        memcpy(&x, &bits, sizeof x);
        return x;
    }
    return (rng_uniform(&randoms, i) - 0.5) * sizes[i % 5 - 1];
}

static void float64_is_near_the_truth(void **state)
{
    (void)state;
    for (size_t f = 0; f < FUNCTION_COUNT; f++) {
        double worst = 0, at = 0;
        for (uint64_t i = 0; i < SAMPLES; i++) {
            double x = random_argument(i), y = functions[f].scalar(x);
            double e = ulp64(y, functions[f].truth(x));
            assert_same(functions[f].wide(v_splat_f64(x))[1], y);
            if (e > worst) {
                worst = e;
                at = x;
            }
        }
        if (worst > functions[f].bound64)
            print_error("%s: %g ulp at %a\n", functions[f].name, worst, at);
        assert_true(worst <= functions[f].bound64);
    }
}

static void float32_is_near_the_truth(void **state)
{
    (void)state;
    for (size_t f = 0; f < FUNCTION_COUNT; f++) {
        double worst = 0, at = 0;
        for (uint64_t i = 0; i <= UINT32_MAX; i += 200003) {
            uint32_t bits = (uint32_t)i;
            float x;
            memcpy(&x, &bits, sizeof x);
            double e = ulp32(functions[f].narrow(v_splat_f32(x))[3], functions[f].truth((long double)x));
            if (e > worst) {
                worst = e;
                at = (double)x;
            }
        }
        if (worst > functions[f].bound32)
            print_error("%s: %g ulp at %a in float32\n", functions[f].name, worst, at);
        assert_true(worst <= functions[f].bound32);
    }
}

static const double specials[] = {0,        -0.0,      1,   -1,      2,       -2,      3,        -3,         0.5,
                                  -0.5,     1e300,     710, -1e300,  5e-324,  -5e-324, 0x1p53,   0x1p53 + 2, -0x1p53,
                                  HUGE_VAL, -HUGE_VAL, NAN, DBL_MAX, DBL_MIN, -746,    0x1p1023, 0x1p-30,    -0x1p-60};

enum { SPECIAL_COUNT = sizeof specials / sizeof *specials };

/* Signs of zero, infinities, NaN: as libm has them, which follows Annex F. */
static void special_values(void **state)
{
    (void)state;
    for (size_t f = 0; f < FUNCTION_COUNT; f++) {
        for (size_t i = 0; i < SPECIAL_COUNT; i++) {
            double x = specials[i], truth = (double)functions[f].truth(x), y = functions[f].scalar(x);
            float narrow = functions[f].narrow(v_splat_f32((float)x))[0];
            float narrow_truth = (float)functions[f].truth((long double)(float)x);
            assert_near(y, truth, 1e-15, 5e-324);
            assert_near((double)narrow, (double)narrow_truth, 3e-7, 1.5e-45);
            if (!isnan(truth))
                assert_int_equal(signbit(y), signbit(truth));
            if (!isnan(narrow_truth))
                assert_int_equal(signbit(narrow), signbit(narrow_truth));
        }
    }
}

static void large_angles_are_reduced_right(void **state)
{
    (void)state;
    /* 0x1.6ac5b262ca1ffp+849 is the double nearest to a multiple of pi/2: cos of it is 4.7e-19. */
    static const double angles[] = {0x1.6ac5b262ca1ffp+849, 1e22, DBL_MAX, 0x1p1000, 0x1.921fb54442d18p+21, 1048576.5};
    for (size_t i = 0; i < sizeof angles / sizeof *angles; i++) {
        assert_true(ulp64(fn_sin(angles[i]), sinl(angles[i])) <= 0.8);
        assert_true(ulp64(fn_cos(-angles[i]), cosl(angles[i])) <= 0.8);
    }
    assert_near(fn_cos(0x1.6ac5b262ca1ffp+849), -4.687165924254624e-19, 1e-15, 0);
    for (uint64_t i = 0; i < SAMPLES; i++) {
        double x = ldexp(rng_uniform(&randoms, i) + 1, (int)(i % 1004) + 19);
        assert_true(ulp64(fn_sin(x), sinl(x)) <= 0.8);
        assert_true(ulp64(fn_cos(x), cosl(x)) <= 0.8);
    }
}

static void powers_are_near_the_truth(void **state)
{
    (void)state;
    static const double sizes[] = {2, 0.01, 1400, 20}, exponents[] = {1400, 140000, 3, 60};
    for (uint64_t i = 0; i < SAMPLES; i++) {
        double x = exp((rng_uniform(&randoms, 2 * i) - 0.5) * sizes[i % 4]);
        double y = (rng_uniform(&randoms, 2 * i + 1) - 0.5) * exponents[i % 4];
        if (i % 8 == 7) {
            x = random_argument(5 * i);
            y = random_argument(5 * i + 5);
        }
        assert_true(ulp64(fn_pow(x, y), powl(x, y)) <= 0.75);
        float p = (float)x, q = (float)y;
        float narrow = v_pow_f32(v_splat_f32(p), v_splat_f32(q))[2];
        assert_true(ulp32(narrow, powl((long double)p, (long double)q)) <= 0.501);
    }
}

/* Whole powers that a double holds are exact. */
static void whole_powers_are_exact(void **state)
{
    (void)state;
    for (int base = -200; base <= 200; base++) {
        double power = 1;
        for (int exponent = 0; fabs(power) <= 0x1p53 && exponent < 60; exponent++) {
            assert_same(fn_pow(base, exponent), power);
            power *= base;
        }
    }
    assert_same(fn_pow(4.5, 2), 20.25);
    assert_same(fn_pow(2, -1074), 5e-324);
    assert_same(fn_pow(6.25, 0.5), 2.5);
}

static void special_powers(void **state)
{
    (void)state;
    for (size_t i = 0; i < SPECIAL_COUNT; i++) {
        for (size_t j = 0; j < SPECIAL_COUNT; j++) {
            double truth = pow(specials[i], specials[j]), y = fn_pow(specials[i], specials[j]);
            assert_near(y, truth, 1e-15, 5e-324);
            if (!isnan(truth))
                assert_int_equal(signbit(y), signbit(truth));
        }
    }
}

static void angles_of_points(void **state)
{
    (void)state;
    for (size_t i = 0; i < SPECIAL_COUNT; i++) {
        for (size_t j = 0; j < SPECIAL_COUNT; j++) {
            long double truth = atan2l((long double)specials[i], (long double)specials[j]);
            double y = fn_atan2(specials[i], specials[j]);
            assert_true(ulp64(y, truth) <= 1);
            if (!isnan(truth))
                assert_int_equal(signbit(y) != 0, signbit(truth) != 0);
        }
    }
    for (uint64_t i = 0; i < SAMPLES; i++) {
        int spread = i % 2 == 0 ? 8 : 2000;
        double y =
            ldexp(rng_uniform(&randoms, 4 * i) + 1, (int)(rng_uniform(&randoms, 4 * i + 1) * spread) - spread / 2);
        double x =
            ldexp(rng_uniform(&randoms, 4 * i + 2) + 1, (int)(rng_uniform(&randoms, 4 * i + 3) * spread) - spread / 2);
        if (i % 3 == 0)
            x = -x;
        double angle = fn_atan2(y, x);
        assert_true(ulp64(angle, atan2l((long double)y, (long double)x)) <= 0.76);
        assert_same(v_atan2_f64(v_splat_f64(-y), v_splat_f64(x))[1], -angle);
        float p = (float)y, q = (float)x, narrow = v_atan2_f32(v_splat_f32(p), v_splat_f32(q))[3];
        assert_true(ulp32(narrow, atan2l((long double)p, (long double)q)) <= 0.501);
    }
}

/* The tail of erfc keeps its digits down to the denormals; those of libm's long double are fewer there than usual. */
static void the_tail_of_erfc(void **state)
{
    (void)state;
    for (int i = 0; i < 38000; i++) {
        const double x = 0.4 + 0.0007 * i;
        assert_true(ulp64(fn_erfc(x), erfcl((long double)x)) <= 2.6);
    }
    /* from mpmath */
    assert_near(fn_erfc(10), 2.0884875837625447570e-45, 4e-16, 0);
    assert_near(fn_erfc(26.5), 2.2109076642637342736e-307, 4e-16, 0);
    assert_near(fn_erfc(27), 5.2370489237892557e-319, 0, 5e-324);
}

/* Rare lanes are mended without touching their neighbours. */
static void lanes_do_not_mix(void **state)
{
    (void)state;
    vf64 sines = v_sin_f64((vf64){1e300, 0.5}), cosines = v_cos_f64((vf64){0.5, HUGE_VAL});
    assert_same(sines[0], fn_sin(1e300));
    assert_same(sines[1], fn_sin(0.5));
    assert_same(cosines[0], fn_cos(0.5));
    assert_true(isnan(cosines[1]));
    vf64 powers = v_pow_f64((vf64){-2, 2}, (vf64){3, 0.5});
    assert_same(powers[0], -8);
    assert_same(powers[1], fn_pow(2, 0.5));
    vf32 narrow = v_sin_f32((vf32){0.25F, -1, 1e30F, 3});
    const float angles[] = {0.25F, -1, 1e30F, 3};
    for (int i = 0; i < 4; i++)
        assert_same((double)narrow[i], (double)v_sin_f32(v_splat_f32(angles[i]))[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(float64_is_near_the_truth),
        cmocka_unit_test(float32_is_near_the_truth),
        cmocka_unit_test(special_values),
        cmocka_unit_test(large_angles_are_reduced_right),
        cmocka_unit_test(powers_are_near_the_truth),
        cmocka_unit_test(whole_powers_are_exact),
        cmocka_unit_test(special_powers),
        cmocka_unit_test(angles_of_points),
        cmocka_unit_test(the_tail_of_erfc),
        cmocka_unit_test(lanes_do_not_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
