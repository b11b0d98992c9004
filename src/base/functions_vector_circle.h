/* Part of functions_vector.h: sin, cos, tan, asin, acos, atan, atan2. */
#ifndef GRADD_BASE_FUNCTIONS_VECTOR_CIRCLE_H
#define GRADD_BASE_FUNCTIONS_VECTOR_CIRCLE_H

#include "base/functions.h"
#include "base/functions_vector_lanes.h"

/* ---------------------------------------------------------------- sin, cos */

/* x = n pi/2 + hi + lo with |hi| <= pi/4; returns n, of which the low two bits count */
V_INLINE vu64 v_reduce(vf64 x, vf64 *ret_hi, vf64 *ret_lo)
{
    vf64 t = v_fma_f64(x, v_splat_f64(0x1.45f306dc9c883p-1), v_splat_f64(V_ROUND_F64));
    vf64 n = t - V_ROUND_F64;
    vu64 quadrant = (vu64)t;
    /* pi/2 in three parts of 33 bits, whose products with n are exact, and a fourth. */
    vf64 a = v_fma_f64(n, v_splat_f64(-0x1.921fb544p+0), x), b, c;
    vf64 lost = v_two_sum(a, n * -0x1.0b4611a6p-34, &b);
    lost += v_two_sum(b, n * -0x1.3198a2ep-69, &c);
    lost = v_fma_f64(n, v_splat_f64(-0x1.b839a252049c1p-104), lost);
    vf64 hi = c + lost;
    vf64 lo = lost - (hi - c);
    if (v_any_f64(v_abs_f64(x) > FN_REDUCE_LARGE))
        fn_reduce_lanes(V_LANES_F64, (const double *)&x, (uint64_t *)&quadrant, (double *)&hi, (double *)&lo);
    *ret_hi = hi;
    *ret_lo = lo;
    return quadrant;
}

/* sin(x + x_lo) is the result + lo */
V_INLINE vf64 v_sin_parts(vf64 x, vf64 x_lo, vf64 *ret_lo)
{
    static const double c[] = {8.33333333332248946124e-03, -1.98412698298579493134e-04, 2.75573137070700676789e-06,
                               -2.50507602534068634195e-08, 1.58969099521155010221e-10};
    vf64 z = x * x, cube = z * x;
    vf64 r = v_polynomial_f64(z, c, 5);
    vf64 tail = v_fma_f64(z, 0.5 * x_lo - cube * r, -x_lo);
    tail = v_fma_f64(cube, v_splat_f64(1.66666666666666324348e-01), tail);
    vf64 y = x - tail;
    *ret_lo = (x - y) - tail;
    return y;
}

/* cos(x + x_lo) is the result + lo */
V_INLINE vf64 v_cos_parts(vf64 x, vf64 x_lo, vf64 *ret_lo)
{
    static const double c[] = {4.16666666666666019037e-02,  -1.38888888888741095749e-03, 2.48015872894767294178e-05,
                               -2.75573143513906633035e-07, 2.08757232129817482790e-09,  -1.13596475577881948265e-11};
    vf64 z = x * x, half = 0.5 * z, w = 1.0 - half;
    vf64 r = z * v_polynomial_f64(z, c, 6);
    vf64 tail = ((1.0 - w) - half) + v_fma_f64(z, r, -(x * x_lo));
    vf64 y = w + tail;
    *ret_lo = (w - y) + tail;
    return y;
}

/* sin of x + turns * pi/2 */
V_INLINE vf64 v_sin_turned(vf64 x, unsigned turns)
{
    vf64 hi, lo, rest;
    vu64 quadrant = v_reduce(x, &hi, &lo) + turns;
    vi64 odd = (quadrant & 1) != 0;
    vf64 y = v_select_f64(odd, v_cos_parts(hi, lo, &rest), v_sin_parts(hi, lo, &rest));
    return (vf64)((vu64)y ^ (quadrant & 2) << 62);
}

/* 0.77 ulp */
V_INLINE vf64 v_sin_f64(vf64 x)
{
    return v_select_f64(v_abs_f64(x) < 0x1p-27, x, v_sin_turned(x, 0));
}

/* 0.77 ulp */
V_INLINE vf64 v_cos_f64(vf64 x)
{
    return v_sin_turned(x, 1);
}

/* sin / cos, or -cos / sin in the odd quadrants, with the lost digits of both; 0.86 ulp */
V_INLINE vf64 v_tan_f64(vf64 x)
{
    vf64 hi, lo, sin_lo, cos_lo;
    vu64 quadrant = v_reduce(x, &hi, &lo);
    vi64 odd = (quadrant & 1) != 0;
    vf64 sin = v_sin_parts(hi, lo, &sin_lo), cos = v_cos_parts(hi, lo, &cos_lo);
    vf64 top = v_select_f64(odd, -cos, sin), top_lo = v_select_f64(odd, -cos_lo, sin_lo);
    vf64 bottom = v_select_f64(odd, sin, cos), bottom_lo = v_select_f64(odd, sin_lo, cos_lo);
    vf64 q = top / bottom;
    vf64 rest = v_fma_f64(-q, bottom, top) + v_fma_f64(-q, bottom_lo, top_lo);
    return v_select_f64(v_abs_f64(x) < 0x1p-27, x, q + rest / bottom);
}

/* ---------------------------------------------------------------- atan, atan2, asin, acos */

#define V_HALF_PI_HI 0x1.921fb54442d18p+0
#define V_HALF_PI_LO 0x1.1a62633145c07p-54

/* The angle of (b, a), as hi + lo, for 0 <= a <= b, b not 0: atan(a / b) = atan c + atan((a - c b) / (b + c a)) with c
 * of 0, 1/2, 1. */
V_INLINE vf64 v_angle_parts(vf64 a, vf64 b, vf64 *ret_lo)
{
    /* (atan(t) - t) / t^3, of t^2; relative to atan t the error is 2^-62 */
    static const double p[] = {-0x1.5555555555552p-2, 0x1.9999999998fbcp-3,  -0x1.2492492444dc8p-3,
                               0x1.c71c71a0f8076p-4,  -0x1.745d11c179f92p-4, 0x1.3b132ec4caebep-4,
                               -0x1.1108fe1105ab1p-4, 0x1.e1320046356f4p-5,  -0x1.a9f7a220d111ep-5,
                               0x1.6b0faef6e00d6p-5,  -0x1.05453a9090e1ep-5, 0x1.bffd6a0d107aep-7};
    vi64 some = a > 0.4375 * b, most = a > 0.6875 * b;
    vf64 c = v_select_f64(most, v_splat_f64(1.0), v_select_f64(some, v_splat_f64(0.5), v_splat_f64(0.0)));
    vf64 base = v_select_f64(some, v_splat_f64(0x1.dac670561bb4fp-2), v_splat_f64(0.0));
    vf64 base_lo = v_select_f64(some, v_splat_f64(0x1.a2b7f222f65e2p-56), v_splat_f64(0.0));
    base = v_select_f64(most, v_splat_f64(0.5 * V_HALF_PI_HI), base);
    base_lo = v_select_f64(most, v_splat_f64(0.5 * V_HALF_PI_LO), base_lo);
    vf64 top = a - c * b, bottom; /* exact */
    vf64 bottom_lo = v_two_sum(b, c * a, &bottom);
    vf64 t = top / bottom;
    vf64 t_lo = (v_fma_f64(-t, bottom, top) - t * bottom_lo) / bottom;
    vf64 z = t * t;
    t_lo = v_fma_f64(t * z, v_polynomial_f64(z, p, 12), t_lo);
    vf64 sum;
    vf64 lo = v_two_sum(base, t, &sum) + (base_lo + t_lo);
    vf64 hi = sum + lo;
    *ret_lo = lo - (hi - sum);
    return hi;
}

/* 0.63 ulp */
V_INLINE vf64 v_atan_f64(vf64 x)
{
    vf64 a = v_abs_f64(x), lo, sum;
    a = v_select_f64(a > 0x1p100, v_splat_f64(0x1p100), a);
    vi64 steep = a > 1.0;
    vf64 one = v_splat_f64(1.0);
    vf64 hi = v_angle_parts(v_select_f64(steep, one, a), v_select_f64(steep, a, one), &lo);
    vf64 sum_lo = v_two_sum(v_splat_f64(V_HALF_PI_HI), -hi, &sum) + (V_HALF_PI_LO - lo);
    return v_sign_f64(v_select_f64(steep, sum + sum_lo, hi), x);
}

/* The angle of the point (x, y) in -pi to pi; 0.75 ulp */
V_INLINE vf64 v_atan2_f64(vf64 y, vf64 x)
{
    const double infinity = __builtin_inf();
    vf64 zero = v_splat_f64(0.0), one = v_splat_f64(1.0);
    vi64 left = (vi64)x<0, steep = v_abs_f64(y)> v_abs_f64(x), unordered = (x != x) | (y != y);
    vf64 a = v_select_f64(steep, v_abs_f64(x), v_abs_f64(y)), b = v_select_f64(steep, v_abs_f64(y), v_abs_f64(x));
    vi64 special = (b == infinity) | (b == 0.0);
    a = v_select_f64(special, v_select_f64(a == infinity, one, zero), a);
    b = v_select_f64(special, one, b);
    /* so that neither sums overflow nor what a product loses is lost */
    vf64 scale =
        v_select_f64(b > 0x1p900, v_splat_f64(0x1p-200), v_select_f64(b < 0x1p-800, v_splat_f64(0x1p200), one));
    vf64 lo, sum;
    vf64 hi = v_angle_parts(a * scale, b * scale, &lo);
    /* 0 + angle, pi/2 - angle, pi/2 + angle, or pi - angle */
    vf64 base =
        v_select_f64(steep, v_splat_f64(V_HALF_PI_HI), v_select_f64(left, v_splat_f64(2.0 * V_HALF_PI_HI), zero));
    vf64 base_lo =
        v_select_f64(steep, v_splat_f64(V_HALF_PI_LO), v_select_f64(left, v_splat_f64(2.0 * V_HALF_PI_LO), zero));
    vi64 less = steep ^ left;
    vf64 sum_lo = v_two_sum(base, v_select_f64(less, -hi, hi), &sum) + (base_lo + v_select_f64(less, -lo, lo));
    vf64 result = v_sign_f64(sum + sum_lo, y);
    return v_select_f64(unordered, v_splat_f64(__builtin_nan("")), result);
}

/* asin(s + s_lo) = s + the result, where |x| = s to 1/2, and beyond |x| = cos(2 asin s) */
V_INLINE vf64 v_arc_parts(vf64 x, vf64 *ret_s)
{
    /* (asin(t) - t) / t^3, of t^2; relative to asin t the error is 2^-60 */
    static const double p[] = {0x1.5555555555578p-3, 0x1.333333332df53p-4, 0x1.6db6db7227b8fp-5, 0x1.f1c71a8d3bf06p-6,
                               0x1.6e8bdfb3411e5p-6, 0x1.1c49e1effea7cp-6, 0x1.ca20df4d5f0eap-7, 0x1.757af796c6d3ep-7,
                               0x1.6176a46b6367dp-7, 0x1.e297aeef0f8f1p-9, 0x1.649e21a833b5ap-6, -0x1.59645ae9c1aadp-6,
                               0x1.0bb5456c2131dp-5};
    vf64 a = v_abs_f64(x);
    vi64 far = a > 0.5;
    vf64 half = 0.5 * (1.0 - a); /* exact where it is used */
    vf64 root = v_sqrt_f64(half);
    vf64 lost = v_fma_f64(-root, root, half) / (2.0 * root);
    vf64 z = v_select_f64(far, half, a * a);
    vf64 s = v_select_f64(far, root, a);
    vf64 s_lo = v_select_f64(far & (root > 0.0), lost, v_splat_f64(0.0));
    *ret_s = s;
    return v_fma_f64(s * z, v_polynomial_f64(z, p, 13), s_lo);
}

/* 0.60 ulp */
V_INLINE vf64 v_asin_f64(vf64 x)
{
    vf64 a = v_abs_f64(x), s, sum;
    vf64 rest = v_arc_parts(x, &s);
    vf64 lost = v_two_sum(v_splat_f64(V_HALF_PI_HI), -2.0 * s, &sum) + (V_HALF_PI_LO - 2.0 * rest);
    vf64 y = v_select_f64(a > 0.5, sum + lost, s + rest);
    return v_select_f64(a <= 1.0, v_sign_f64(y, x), v_splat_f64(__builtin_nan("")));
}

/* 0.60 ulp */
V_INLINE vf64 v_acos_f64(vf64 x)
{
    vf64 a = v_abs_f64(x), s, sum;
    vf64 rest = v_arc_parts(x, &s);
    vi64 far = a > 0.5, left = x < 0.0;
    vf64 angle = v_select_f64(far, 2.0 * s, s), angle_lo = v_select_f64(far, 2.0 * rest, rest);
    /* pi/2 -+ angle, or pi - angle, or angle */
    vf64 base = v_select_f64(far, v_splat_f64(2.0 * V_HALF_PI_HI), v_splat_f64(V_HALF_PI_HI));
    vf64 base_lo = v_select_f64(far, v_splat_f64(2.0 * V_HALF_PI_LO), v_splat_f64(V_HALF_PI_LO));
    vi64 more = ~far & left;
    vf64 lost =
        v_two_sum(base, v_select_f64(more, angle, -angle), &sum) + (base_lo + v_select_f64(more, angle_lo, -angle_lo));
    vf64 y = v_select_f64(far & ~left, angle + angle_lo, sum + lost);
    return v_select_f64(a <= 1.0, y, v_splat_f64(__builtin_nan("")));
}

/* ---------------------------------------------------------------- float32 by way of float64 */

/* 0.501 ulp, as of all here */
V_INLINE vf32 v_sin_f32(vf32 x)
{
    vf64 low, high;
    v_widen(x, &low, &high);
    return v_narrow(v_sin_f64(low), v_sin_f64(high));
}

V_INLINE vf32 v_cos_f32(vf32 x)
{
    vf64 low, high;
    v_widen(x, &low, &high);
    return v_narrow(v_cos_f64(low), v_cos_f64(high));
}

V_INLINE vf32 v_tan_f32(vf32 x)
{
    vf64 low, high;
    v_widen(x, &low, &high);
    return v_narrow(v_tan_f64(low), v_tan_f64(high));
}

V_INLINE vf32 v_asin_f32(vf32 x)
{
    vf64 low, high;
    v_widen(x, &low, &high);
    return v_narrow(v_asin_f64(low), v_asin_f64(high));
}

V_INLINE vf32 v_acos_f32(vf32 x)
{
    vf64 low, high;
    v_widen(x, &low, &high);
    return v_narrow(v_acos_f64(low), v_acos_f64(high));
}

V_INLINE vf32 v_atan_f32(vf32 x)
{
    vf64 low, high;
    v_widen(x, &low, &high);
    return v_narrow(v_atan_f64(low), v_atan_f64(high));
}

V_INLINE vf32 v_atan2_f32(vf32 y, vf32 x)
{
    vf64 y_low, y_high, x_low, x_high;
    v_widen(y, &y_low, &y_high);
    v_widen(x, &x_low, &x_high);
    return v_narrow(v_atan2_f64(y_low, x_low), v_atan2_f64(y_high, x_high));
}

#endif
