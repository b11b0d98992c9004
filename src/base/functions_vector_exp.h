/* Part of functions_vector.h: exp, expm1, log, log1p, sigmoid, softplus, tanh, pow. */
#ifndef GRADD_BASE_FUNCTIONS_VECTOR_EXP_H
#define GRADD_BASE_FUNCTIONS_VECTOR_EXP_H

#include "base/functions.h"
#include "base/functions_vector_lanes.h"

/* ---------------------------------------------------------------- exp, expm1 */

#define V_LOG2_E_F64 0x1.71547652b82fep+0
#define V_LN2_HI_F64 0x1.62e42fefa3800p-1 /* 42 bits: times a k of 11 bits it is exact */
#define V_LN2_LO_F64 0x1.ef35793c76730p-45
#define V_LN2_HI_F32 0x1.62e4p-1f /* 15 bits */
#define V_LN2_LO_F32 0x1.7f7d1cp-20f

/* (e^r - 1 - r) / r^2 for |r| <= ln(2) / 2; relative to e^r - 1 the error is 2^-61.7 */
V_INLINE vf64 v_exp_tail_f64(vf64 r)
{
    static const double c[] = {0x1.0000000000000p-1,  0x1.5555555555559p-3,  0x1.555555555555ap-5,
                               0x1.111111110f69ap-7,  0x1.6c16c16c14435p-10, 0x1.a01a01afee5a6p-13,
                               0x1.a01a01b0c10a6p-16, 0x1.71ddf839edc98p-19, 0x1.27e4c588c885ep-22,
                               0x1.af5eefe11b331p-26, 0x1.1f958c15742ccp-29};
    return v_polynomial_f64(r, c, 11);
}

/* the same, to 2^-26.1 */
V_INLINE vf32 v_exp_tail_f32(vf32 r)
{
    static const float c[] = {0x1.0p-1f, 0x1.5554b0p-3f, 0x1.555486p-5f, 0x1.122838p-7f, 0x1.6d9952p-10f};
    return v_polynomial_f32(r, c, 5);
}

/* 0.97 ulp */
V_INLINE vf64 v_exp_f64(vf64 x)
{
    x = v_select_f64(x > 710.0, v_splat_f64(710.0), x);
    x = v_select_f64(x < -746.0, v_splat_f64(-746.0), x);
    vf64 t = v_fma_f64(x, v_splat_f64(V_LOG2_E_F64), v_splat_f64(V_ROUND_F64));
    vf64 n = t - V_ROUND_F64;
    vf64 r = v_fma_f64(n, v_splat_f64(-V_LN2_HI_F64), x);
    r = v_fma_f64(n, v_splat_f64(-V_LN2_LO_F64), r);
    vf64 y = 1.0 + v_fma_f64(r * r, v_exp_tail_f64(r), r);
    return v_scale_f64(y, (vu64)t - V_ROUND_BITS_F64);
}

/* 1.0 ulp */
V_INLINE vf32 v_exp_f32(vf32 x)
{
    x = v_select_f32(x > 89.0f, v_splat_f32(89.0f), x);
    x = v_select_f32(x < -104.0f, v_splat_f32(-104.0f), x);
    vf32 t = v_fma_f32(x, v_splat_f32(0x1.715476p+0f), v_splat_f32(V_ROUND_F32));
    vf32 n = t - V_ROUND_F32;
    vf32 r = v_fma_f32(n, v_splat_f32(-V_LN2_HI_F32), x);
    r = v_fma_f32(n, v_splat_f32(-V_LN2_LO_F32), r);
    vf32 y = 1.0f + v_fma_f32(r * r, v_exp_tail_f32(r), r);
    return v_scale_f32(y, (vu32)t - V_ROUND_BITS_F32);
}

/* e^(x + x_lo) = 2^k (1 + hi + lo), for |x| up to 2,000 and x_lo below its last bit; returns k. hi is e^r - 1 for |r|
 * <= ln(2) / 2. */
V_INLINE vu64 v_exp_parts(vf64 x, vf64 x_lo, vf64 *ret_hi, vf64 *ret_lo)
{
    vf64 t = v_fma_f64(x, v_splat_f64(V_LOG2_E_F64), v_splat_f64(V_ROUND_F64));
    vf64 n = t - V_ROUND_F64;
    vf64 a = v_fma_f64(n, v_splat_f64(-V_LN2_HI_F64), x);
    vf64 b = v_fma_f64(n, v_splat_f64(-V_LN2_LO_F64), x_lo);
    vf64 r = a + b;
    vf64 r_lo = b - (r - a);
    vf64 tail = v_fma_f64(r * r, v_exp_tail_f64(r), v_fma_f64(r, r_lo, r_lo));
    vf64 hi = r + tail;
    *ret_hi = hi;
    *ret_lo = tail - (hi - r);
    return (vu64)t - V_ROUND_BITS_F64;
}

/* e^x - 1 = hi + lo; lo means nothing where hi is infinite. Not for |x| below 2^-1000. */
V_INLINE void v_expm1_parts(vf64 x, vf64 *ret_hi, vf64 *ret_lo)
{
    x = v_select_f64(x > 710.0, v_splat_f64(710.0), x);
    x = v_select_f64(x < -60.0, v_splat_f64(-60.0), x);
    vf64 p_hi, p_lo, sum;
    vu64 k = v_exp_parts(x, v_splat_f64(0.0), &p_hi, &p_lo);
    /* Half of the result is (2^(k-1) - 1/2) + 2^(k-1) p: so 2^1024 is not needed. */
    vf64 s = v_power2_f64(k - 1);
    vf64 c = s - 0.5;
    vf64 c_lo = (s - c) - 0.5;
    vf64 lost = v_two_sum(c, s * p_hi, &sum);
    vf64 lo = lost + v_fma_f64(s, p_lo, c_lo);
    vf64 hi = sum + lo;
    *ret_lo = 2.0 * (lo - (hi - sum));
    *ret_hi = 2.0 * hi;
}

/* 0.81 ulp */
V_INLINE vf64 v_expm1_f64(vf64 x)
{
    vf64 hi, lo;
    v_expm1_parts(x, &hi, &lo);
    return v_select_f64(v_abs_f64(x) < 0x1p-54, x, hi);
}

/* In float64, rounded: 0.501 ulp, as of all that is done so. */
V_INLINE vf32 v_expm1_f32(vf32 x)
{
    vf64 low, high;
    v_widen(x, &low, &high);
    return v_narrow(v_expm1_f64(low), v_expm1_f64(high));
}

/* ---------------------------------------------------------------- log, log1p */

/* x = 2^k * m with sqrt(1/2) <= m < sqrt(2), for positive normal x */
V_INLINE vf64 v_split_f64(vf64 x, vu64 *ret_k)
{
    const uint64_t sqrt_half = UINT64_C(0x3FE6A09E00000000), one = UINT64_C(0x3FF0000000000000);
    vu64 bits = (vu64)x + (one - sqrt_half);
    *ret_k = (bits >> 52) - 1023;
    return (vf64)((bits & UINT64_C(0x000FFFFFFFFFFFFF)) + sqrt_half);
}

V_INLINE vf32 v_split_f32(vf32 x, vu32 *ret_k)
{
    const uint32_t sqrt_half = 0x3F3504F3, one = 0x3F800000;
    vu32 bits = (vu32)x + (one - sqrt_half);
    *ret_k = (bits >> 23) - 127;
    return (vf32)((bits & 0x007FFFFF) + sqrt_half);
}

/* k ln 2 + log(1 + f) + c */
V_INLINE vf64 v_log_core_f64(vf64 k, vf64 f, vf64 c)
{
    static const double p[] = {6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01,
                               2.222219843214978396e-01, 1.818357216161805012e-01, 1.531383769920937332e-01,
                               1.479819860511658591e-01};
    vf64 half_square = 0.5 * f * f;
    vf64 s = f / (2.0 + f);
    vf64 z = s * s;
    vf64 r = z * v_polynomial_f64(z, p, 7);
    vf64 low = v_fma_f64(k, v_splat_f64(1.90821492927058770002e-10), c);
    vf64 y = v_fma_f64(s, half_square + r, low) - half_square;
    return v_fma_f64(k, v_splat_f64(6.93147180369123816490e-01), y + f);
}

V_INLINE vf32 v_log_core_f32(vf32 k, vf32 f, vf32 c)
{
    static const float p[] = {0xaaaaaa.0p-24f, 0xccce13.0p-25f, 0x91e9ee.0p-25f, 0xf89e26.0p-26f};
    vf32 half_square = 0.5f * f * f;
    vf32 s = f / (2.0f + f);
    vf32 z = s * s;
    vf32 r = z * v_polynomial_f32(z, p, 4);
    vf32 low = v_fma_f32(k, v_splat_f32(9.0580006145e-06f), c);
    vf32 y = v_fma_f32(s, half_square + r, low) - half_square;
    return v_fma_f32(k, v_splat_f32(6.9313812256e-01f), y + f);
}

/* 0.75 ulp */
V_INLINE vf64 v_log_f64(vf64 x)
{
    vu64 k;
    vi64 denormal = x < 0x1p-1022;
    vf64 m = v_split_f64(v_select_f64(denormal, x * 0x1p54, x), &k);
    k -= (vu64)denormal & 54;
    vf64 y = v_log_core_f64(v_number_f64(k), m - 1.0, v_splat_f64(0.0));
    y = v_select_f64(x < __builtin_inf(), y, x); /* infinity and NaN stay */
    y = v_select_f64(x == 0.0, v_splat_f64(-__builtin_inf()), y);
    return v_select_f64(x < 0.0, v_splat_f64(__builtin_nan("")), y);
}

/* 0.75 ulp */
V_INLINE vf32 v_log_f32(vf32 x)
{
    vu32 k;
    vi32 denormal = x < 0x1p-126f;
    vf32 m = v_split_f32(v_select_f32(denormal, x * 0x1p25f, x), &k);
    k -= (vu32)denormal & 25;
    vf32 y = v_log_core_f32(v_number_f32(k), m - 1.0f, v_splat_f32(0.0f));
    y = v_select_f32(x < __builtin_inff(), y, x);
    y = v_select_f32(x == 0.0f, v_splat_f32(-__builtin_inff()), y);
    return v_select_f32(x < 0.0f, v_splat_f32(__builtin_nanf("")), y);
}

/* log(1 + x): of u = 1 + x rounded, and the rounding error over u. 0.77 ulp. */
V_INLINE vf64 v_log1p_f64(vf64 x)
{
    vu64 k;
    vf64 u = 1.0 + x;
    vf64 m = v_split_f64(u, &k);
    vf64 lost = v_select_f64(x > 1.0, 1.0 - (u - x), x - (u - 1.0));
    vi64 near = (x > -0.29289) & (x < 0.41421); /* k is 0 there and 1 + x need not be made */
    vf64 y = v_log_core_f64(v_select_f64(near, v_splat_f64(0.0), v_number_f64(k)), v_select_f64(near, x, m - 1.0),
                            v_select_f64(near, v_splat_f64(0.0), lost / u));
    y = v_select_f64(v_abs_f64(x) < 0x1p-54, x, y);
    y = v_select_f64(x < __builtin_inf(), y, x);
    y = v_select_f64(x == -1.0, v_splat_f64(-__builtin_inf()), y);
    return v_select_f64(x < -1.0, v_splat_f64(__builtin_nan("")), y);
}

/* 0.74 ulp */
V_INLINE vf32 v_log1p_f32(vf32 x)
{
    vu32 k;
    vf32 u = 1.0f + x;
    vf32 m = v_split_f32(u, &k);
    vf32 lost = v_select_f32(x > 1.0f, 1.0f - (u - x), x - (u - 1.0f));
    vi32 near = (x > -0.29289f) & (x < 0.41421f);
    vf32 y = v_log_core_f32(v_select_f32(near, v_splat_f32(0.0f), v_number_f32(k)), v_select_f32(near, x, m - 1.0f),
                            v_select_f32(near, v_splat_f32(0.0f), lost / u));
    y = v_select_f32(v_abs_f32(x) < 0x1p-25f, x, y);
    y = v_select_f32(x < __builtin_inff(), y, x);
    y = v_select_f32(x == -1.0f, v_splat_f32(-__builtin_inff()), y);
    return v_select_f32(x < -1.0f, v_splat_f32(__builtin_nanf("")), y);
}

/* ---------------------------------------------------------------- sigmoid, softplus, tanh */

/* 1 / (1 + e^-x), by e^-|x|: never overflows, and is e^x far below 0; 2.2 ulp */
V_INLINE vf64 v_sigmoid_f64(vf64 x)
{
    vf64 e = v_exp_f64(-v_abs_f64(x));
    return v_select_f64(x >= 0.0, v_splat_f64(1.0), e) / (1.0 + e);
}

/* 1.8 ulp */
V_INLINE vf32 v_sigmoid_f32(vf32 x)
{
    vf32 e = v_exp_f32(-v_abs_f32(x));
    return v_select_f32(x >= 0.0f, v_splat_f32(1.0f), e) / (1.0f + e);
}

/* log(1 + e^x) = max(x, 0) + log1p(e^-|x|); 1.6 ulp */
V_INLINE vf64 v_softplus_f64(vf64 x)
{
    vf64 e = v_exp_f64(-v_abs_f64(x));
    return v_select_f64(x > 0.0, x, v_splat_f64(0.0)) + v_log1p_f64(e);
}

/* 1.5 ulp */
V_INLINE vf32 v_softplus_f32(vf32 x)
{
    vf32 e = v_exp_f32(-v_abs_f32(x));
    return v_select_f32(x > 0.0f, x, v_splat_f32(0.0f)) + v_log1p_f32(e);
}

/* (e^2x - 1) / (e^2x + 1), with the lost digits of both; 0.71 ulp */
V_INLINE vf64 v_tanh_f64(vf64 x)
{
    vf64 a = v_abs_f64(x), hi, lo, bottom;
    v_expm1_parts(2.0 * v_select_f64(a > 22.0, v_splat_f64(22.0), a), &hi, &lo);
    vf64 bottom_lo = v_two_sum(hi, v_splat_f64(2.0), &bottom) + lo;
    vf64 q = hi / bottom;
    vf64 rest = v_fma_f64(-q, bottom, hi) + v_fma_f64(-q, bottom_lo, lo);
    vf64 y = v_sign_f64(v_abs_f64(q + rest / bottom), x);
    return v_select_f64(a < 0x1p-28, x, y);
}

/* 1.2 ulp */
V_INLINE vf32 v_tanh_f32(vf32 x)
{
    static const float c[] = {-0x1.555534p-2f, 0x1.110768p-3f, -0x1.b84448p-5f, 0x1.5256d4p-6f, -0x1.76ac0cp-8f};
    vf32 a = v_abs_f32(x);
    vf32 z = x * x;
    vf32 near = v_fma_f32(x * z, v_polynomial_f32(z, c, 5), x);
    vf32 far = 1.0f - 2.0f / (v_exp_f32(a + a) + 1.0f);
    return v_sign_f32(v_abs_f32(v_select_f32(a < 0.625f, near, far)), x);
}

/* ---------------------------------------------------------------- pow */

/* Does the lanes again where x is not positive and finite, or y not finite. */
V_INLINE vf64 v_pow_fix(vf64 x, vf64 y, vf64 result)
{
    vi64 usual = (x > 0.0) & (x < __builtin_inf()) & (v_abs_f64(y) < __builtin_inf());
    if (v_any_f64(~usual))
        fn_pow_lanes(V_LANES_F64, (const double *)&x, (const double *)&y, (double *)&result);
    return result;
}

/* The logarithm of a positive finite x with about 65 bits, as the result + lo: k ln 2 + log m,
 * log m = 2 atanh s = 2 s + 2/3 s^3 + 2/5 s^5 + s^7 (2/7 + ...) with s = (m - 1) / (m + 1). */
V_INLINE vf64 v_log_parts(vf64 x, vf64 *ret_lo)
{
    static const double c[] = {0x1.24924924927d2p-2, 0x1.c71c71c65912ep-3, 0x1.745d17d7fec79p-3, 0x1.3b1378031c182p-3,
                               0x1.111dd6b2b29edp-3, 0x1.de9d167171e15p-4, 0x1.e7ec929444e93p-4};
    vu64 exponent;
    vi64 denormal = x < 0x1p-1022;
    vf64 m = v_split_f64(v_select_f64(denormal, x * 0x1p54, x), &exponent);
    vf64 k = v_number_f64(exponent - ((vu64)denormal & 54));
    vf64 f = m - 1.0, bottom;
    vf64 bottom_lo = v_two_sum(m, v_splat_f64(1.0), &bottom);
    vf64 s = f / bottom;
    vf64 s_lo = v_fma_f64(-s, bottom_lo, v_fma_f64(-s, bottom, f)) / bottom;
    vf64 z = s * s;
    vf64 z_lo = v_fma_f64(s, s, -z) + 2.0 * s * s_lo;
    /* q + q_lo = 2/3 + z (2/5 + z (2/7 + ...)) */
    vf64 inner = z * v_polynomial_f64(z, c, 7);
    vf64 a = 0x1.999999999999ap-2 + inner;
    vf64 a_lo = (inner - (a - 0x1.999999999999ap-2)) - 0x1.999999999999ap-56;
    vf64 b = a * z;
    vf64 b_lo = v_fma_f64(a, z, -b) + v_fma_f64(a, z_lo, a_lo * z);
    vf64 q = 0x1.5555555555555p-1 + b;
    vf64 q_lo = (b - (q - 0x1.5555555555555p-1)) + (b_lo + 0x1.5555555555555p-55);
    /* d + d_lo = s^3 q */
    vf64 cube = z * s;
    vf64 cube_lo = v_fma_f64(z, s, -cube) + v_fma_f64(z, s_lo, z_lo * s);
    vf64 d = cube * q;
    vf64 d_lo = v_fma_f64(cube, q, -d) + v_fma_f64(cube, q_lo, cube_lo * q);
    /* the logarithm: k ln 2 + 2 s + d */
    vf64 sum, log_hi;
    vf64 log_lo = v_two_sum(k * V_LN2_HI_F64, 2.0 * s, &sum);
    log_lo += v_two_sum(sum, d, &log_hi);
    log_lo += v_fma_f64(k, v_splat_f64(V_LN2_LO_F64), d_lo + 2.0 * s_lo);
    sum = log_hi + log_lo;
    *ret_lo = log_lo - (sum - log_hi);
    return sum;
}

/* x^y for positive finite x and finite y: e^(y log x) */
V_INLINE vf64 v_pow_core(vf64 x, vf64 y)
{
    vf64 log_lo, sum;
    vf64 log_hi = v_log_parts(x, &log_lo);
    /* times y; beyond 2^70 the result is 0, 1 or infinite all the same */
    y = v_select_f64(y > 0x1p70, v_splat_f64(0x1p70), y);
    y = v_select_f64(y < -0x1p70, v_splat_f64(-0x1p70), y);
    vf64 p = y * log_hi;
    vf64 p_lo = v_fma_f64(y, log_lo, v_fma_f64(y, log_hi, -p));
    vi64 high = p > 710.0, low = p < -746.0;
    p = v_select_f64(high, v_splat_f64(710.0), v_select_f64(low, v_splat_f64(-746.0), p));
    p_lo = v_select_f64(high | low, v_splat_f64(0.0), p_lo);
    vf64 hi, lo;
    vu64 power = v_exp_parts(p, p_lo, &hi, &lo);
    lo += v_two_sum(v_splat_f64(1.0), hi, &sum);
    return v_scale_f64(sum + lo, power);
}

/* 0.70 ulp; whole powers that a double holds are exact */
V_INLINE vf64 v_pow_f64(vf64 x, vf64 y)
{
    return v_pow_fix(x, y, v_pow_core(x, y));
}

/* In double the product y log x has 29 bits more than float: enough. */
V_INLINE vf64 v_pow_wide(vf64 x, vf64 y)
{
    return v_pow_fix(x, y, v_exp_f64(y * v_log_f64(x)));
}

/* 0.501 ulp */
V_INLINE vf32 v_pow_f32(vf32 x, vf32 y)
{
    vf64 x_low, x_high, y_low, y_high;
    v_widen(x, &x_low, &x_high);
    v_widen(y, &y_low, &y_high);
    return v_narrow(v_pow_wide(x_low, y_low), v_pow_wide(x_high, y_high));
}

#endif
