/* The scalar functions: lane 0 of functions_vector.h, and what its rare lanes need. */
#include "base/functions.h"

#define FUNCTIONS_VECTOR_BYTES 8
#include "base/functions_vector.h"
#include <math.h>
#include <stdbool.h>
#include <string.h>

__extension__ typedef unsigned __int128 uint128;

/* Each is lane 0 of its vector. */
#define SCALAR(name)                                                                                                   \
    double fn_##name(double x)                                                                                         \
    {                                                                                                                  \
        return v_##name##_f64(v_splat_f64(x))[0];                                                                      \
    }
SCALAR(floor)
SCALAR(ceil)
SCALAR(round)
SCALAR(exp)
SCALAR(expm1)
SCALAR(log)
SCALAR(log1p)
SCALAR(sin)
SCALAR(cos)
SCALAR(tan)
SCALAR(asin)
SCALAR(acos)
SCALAR(atan)
SCALAR(sinh)
SCALAR(cosh)
SCALAR(tanh)
SCALAR(asinh)
SCALAR(acosh)
SCALAR(atanh)
SCALAR(erf)
SCALAR(erfc)
SCALAR(sigmoid)
SCALAR(softplus)
#undef SCALAR

double fn_atan2(double y, double x)
{
    return v_atan2_f64(v_splat_f64(y), v_splat_f64(x))[0];
}

double fn_pow(double x, double y)
{
    return v_pow_f64(v_splat_f64(x), v_splat_f64(y))[0];
}

/* Whether y, finite, is an even (2), an odd (1), or no (0) integer. */
static int parity(double y)
{
    double a = fabs(y);
    if (a >= 0x1p53)
        return 2;
    if (a != floor(a))
        return 0;
    return (uint64_t)a % 2 != 0 ? 1 : 2;
}

/* C17, F.10.4.4. */
static double pow_special(double x, double y)
{
    if (y == 0 || x == 1)
        return 1;
    if (isnan(x) || isnan(y))
        return x + y;
    double a = fabs(x);
    if (isinf(y)) {
        if (a == 1)
            return 1;
        return (a > 1) == (y > 0) ? HUGE_VAL : 0;
    }
    int kind = parity(y);
    bool negative = signbit(x) && kind == 1;
    if (x == 0 || isinf(x)) {
        double magnitude = (a > 1) == (y > 0) ? HUGE_VAL : 0;
        return negative ? -magnitude : magnitude;
    }
    if (x < 0 && kind == 0)
        return NAN;
    double magnitude = v_pow_core(v_splat_f64(a), v_splat_f64(y))[0];
    return negative ? -magnitude : magnitude;
}

void fn_pow_lanes(int lanes, const double *x, const double *y, double *result)
{
    for (int i = 0; i < lanes; i++)
        if (!(x[i] > 0 && isfinite(x[i]) && isfinite(y[i])))
            result[i] = pow_special(x[i], y[i]);
}

/* x = m 2^e is multiplied by those 192 bits of 2/pi that matter: the bits before them make multiples of 4, the bits
 * after them less than 2^-137 (Payne and Hanek, "Radian reduction for trigonometric functions", 1983). */
static int reduce_large(double x, double *ret_hi, double *ret_lo)
{
    /* 2/pi after 64 bits of 0 */
    static const uint64_t two_over_pi[] = {
        UINT64_C(0x0000000000000000), UINT64_C(0xa2f9836e4e441529), UINT64_C(0xfc2757d1f534ddc0),
        UINT64_C(0xdb6295993c439041), UINT64_C(0xfe5163abdebbc561), UINT64_C(0xb7246e3a424dd2e0),
        UINT64_C(0x06492eea09d1921c), UINT64_C(0xfe1deb1cb129a73e), UINT64_C(0xe88235f52ebb4484),
        UINT64_C(0xe99c7026b45f7e41), UINT64_C(0x3991d639835339f4), UINT64_C(0x9c845f8bbdf9283b),
        UINT64_C(0x1ff897ffde05980f), UINT64_C(0xef2f118b5a0a6d1f), UINT64_C(0x6d367ecf27cb09b7),
        UINT64_C(0x4f463f669e5fea2d), UINT64_C(0x7527bac7ebe5f17b), UINT64_C(0x3d0739f78a5292ea),
        UINT64_C(0x6bfb5fb11f8d5d08), UINT64_C(0x56033046fc7b6bab)};
    if (!isfinite(x)) {
        *ret_hi = *ret_lo = NAN;
        return 0;
    }
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int exponent = (int)(bits >> 52 & 0x7FF) - 1075;
    uint64_t m = (bits & UINT64_C(0x000FFFFFFFFFFFFF)) | UINT64_C(0x0010000000000000);

    unsigned start = (unsigned)(exponent - 2 + 64), word = start / 64, shift = start % 64;
    uint64_t window[3];
    for (unsigned i = 0; i < 3; i++) {
        const uint64_t *at = two_over_pi + word + i;
        window[i] = shift == 0 ? at[0] : at[0] << shift | at[1] >> (64 - shift);
    }
    /* The product modulo 2^192: 2 bits of quadrant, 190 of fraction. */
    uint128 low = (uint128)m * window[2];
    uint128 middle = (uint128)m * window[1] + (uint64_t)(low >> 64);
    uint64_t high = m * window[0] + (uint64_t)(middle >> 64);
    int quadrant = (int)(high >> 62);
    uint64_t fraction[3] = {high << 2 | (uint64_t)middle >> 62, (uint64_t)middle << 2 | (uint64_t)low >> 62,
                            (uint64_t)low << 2};
    /* A fraction over a half: the next quadrant, from above. */
    bool negative = fraction[0] >> 63 != 0;
    if (negative) {
        quadrant++;
        uint128 tail = (uint128)fraction[1] << 64 | fraction[2];
        fraction[0] = ~fraction[0] + (tail == 0 ? 1 : 0);
        tail = -tail;
        fraction[1] = (uint64_t)(tail >> 64);
        fraction[2] = (uint64_t)tail;
    }
    /* The first 53 bits that are not 0, and the 64 after them. No double is so near a multiple of pi/2 that fraction[0]
     * is 0 but for a handful of bits: 62 leading zeros are the most. */
    int zeros = fraction[0] != 0 ? __builtin_clzll(fraction[0]) : 63;
    uint64_t first = fraction[0], second = fraction[1];
    if (zeros > 0) {
        first = fraction[0] << zeros | fraction[1] >> (64 - zeros);
        second = fraction[1] << zeros | fraction[2] >> (64 - zeros);
    }
    double hi = ldexp((double)(first >> 11), -53 - zeros);
    double lo = ldexp((double)((first & 0x7FF) << 53 | second >> 11), -117 - zeros);
    const double half_pi = 0x1.921fb54442d18p+0, half_pi_lo = 0x1.1a62633145c07p-54;
    double product = hi * half_pi;
    double product_lo = fma(hi, half_pi, -product) + (hi * half_pi_lo + lo * half_pi);
    hi = product + product_lo;
    lo = product_lo - (hi - product);
    bool flip = negative != (signbit(x) != 0);
    *ret_hi = flip ? -hi : hi;
    *ret_lo = flip ? -lo : lo;
    return signbit(x) ? -quadrant : quadrant;
}

void fn_reduce_lanes(int lanes, const double *x, uint64_t *quadrant, double *hi, double *lo)
{
    for (int i = 0; i < lanes; i++)
        if (fabs(x[i]) > FN_REDUCE_LARGE)
            quadrant[i] = (uint64_t)reduce_large(x[i], &hi[i], &lo[i]);
}
