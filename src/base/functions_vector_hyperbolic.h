/* Part of functions_vector.h: sinh, cosh, asinh, acosh, atanh. */
#ifndef GRADD_BASE_FUNCTIONS_VECTOR_HYPERBOLIC_H
#define GRADD_BASE_FUNCTIONS_VECTOR_HYPERBOLIC_H

#include "base/functions_vector_exp.h"
#include "base/functions_vector_lanes.h"

/* (e^a + sign e^-a) / 2 for a >= 0: 2^(k-1) ((1 + p) + sign 2^(-2k) (1 + q)), where e^a = 2^k (1 + p) and e^-a = 2^-k
 * (1 + q) */
V_INLINE vf64 v_half_sum(vf64 a, double sign)
{
    vf64 p, p_lo, q, q_lo, high, sum, total;
    a = v_select_f64(a > 711.0, v_splat_f64(711.0), a);
    vu64 k = v_exp_parts(a, v_splat_f64(0.0), &p, &p_lo);
    v_exp_parts(-a, v_splat_f64(0.0), &q, &q_lo); /* its reduction mirrors that of a */
    vf64 small = v_select_f64(a > 60.0, v_splat_f64(0.0), sign * v_power2_f64(0 - 2 * k));
    vf64 lo = v_two_sum(v_splat_f64(1.0), small, &high);
    lo += v_two_sum(p, small * q, &sum) + v_fma_f64(small, q_lo, p_lo);
    lo += v_two_sum(high, sum, &total);
    return v_scale_f64(total + lo, k - 1);
}

/* 0.67 ulp */
V_INLINE vf64 v_sinh_f64(vf64 x)
{
    vf64 a = v_abs_f64(x);
    return v_select_f64(a < 0x1p-27, x, v_sign_f64(v_half_sum(a, -1.0), x));
}

/* 0.59 ulp */
V_INLINE vf64 v_cosh_f64(vf64 x)
{
    return v_half_sum(v_abs_f64(x), 1.0);
}

/* log(1 + w + w_lo) for finite w >= 0; or log(2 a) where `large` */
V_INLINE vf64 v_log_of_sum(vf64 w, vf64 w_lo, vi64 large, vf64 a)
{
    vu64 k;
    vf64 sum;
    vf64 lost = v_two_sum(v_splat_f64(1.0), w, &sum) + w_lo;
    vf64 m = v_split_f64(v_select_f64(large, a, sum), &k) - 1.0;
    k -= (vu64)large; /* one more */
    vi64 near = (w < 0.41421) & ~large;
    vf64 c = v_select_f64(near, w_lo, lost) / sum;
    vf64 y = v_log_core_f64(v_select_f64(near, v_splat_f64(0.0), v_number_f64(k)), v_select_f64(near, w, m),
                            v_select_f64(large, v_splat_f64(0.0), c));
    return v_select_f64(large & ~(a < __builtin_inf()), a, y);
}

/* sqrt(u + u_lo) = the result + lo */
V_INLINE vf64 v_sqrt_parts(vf64 u, vf64 u_lo, vf64 *ret_lo)
{
    vf64 s = v_sqrt_f64(u);
    vf64 lo = (v_fma_f64(-s, s, u) + u_lo) / (2.0 * s);
    *ret_lo = v_select_f64(s > 0.0, lo, v_splat_f64(0.0));
    return s;
}

/* log(1 + a + a^2 / (1 + sqrt(1 + a^2))); 0.79 ulp */
V_INLINE vf64 v_asinh_f64(vf64 x)
{
    vf64 a = v_abs_f64(x), one = v_splat_f64(1.0), u, s_lo, bottom, w;
    vi64 large = ~(a <= 0x1p28);
    vf64 b = v_select_f64(large, one, a);
    vf64 square = b * b, square_lo = v_fma_f64(b, b, -square);
    vf64 u_lo = v_two_sum(one, square, &u) + square_lo;
    vf64 s = v_sqrt_parts(u, u_lo, &s_lo);
    vf64 bottom_lo = v_two_sum(one, s, &bottom) + s_lo;
    vf64 q = square / bottom;
    vf64 q_lo = (v_fma_f64(-q, bottom, square) + (square_lo - q * bottom_lo)) / bottom;
    vf64 w_lo = v_two_sum(b, q, &w) + q_lo;
    return v_select_f64(a < 0x1p-27, x, v_sign_f64(v_log_of_sum(w, w_lo, large, a), x));
}

/* log(1 + (x - 1) + sqrt(x^2 - 1)); 0.79 ulp */
V_INLINE vf64 v_acosh_f64(vf64 x)
{
    vf64 minus = v_splat_f64(-1.0), u, s_lo, t, w;
    vi64 large = ~(x <= 0x1p28);
    vf64 b = v_select_f64(large, -minus, x);
    vf64 square = b * b, square_lo = v_fma_f64(b, b, -square);
    vf64 lost = v_two_sum(square, minus, &t) + square_lo;
    u = t + lost;
    vf64 s = v_sqrt_parts(u, lost - (u - t), &s_lo);
    vf64 t_lo = v_two_sum(b, minus, &t);
    vf64 w_lo = v_two_sum(s, t, &w) + (s_lo + t_lo);
    return v_select_f64(x < 1.0, v_splat_f64(__builtin_nan("")), v_log_of_sum(w, w_lo, large, x));
}

/* log(1 + 2a / (1 - a)) / 2; 0.82 ulp */
V_INLINE vf64 v_atanh_f64(vf64 x)
{
    vf64 a = v_abs_f64(x), bottom;
    vf64 b = v_select_f64(a < 1.0, a, v_splat_f64(0.0));
    vf64 bottom_lo = v_two_sum(v_splat_f64(1.0), -b, &bottom);
    vf64 w = 2.0 * b / bottom;
    vf64 w_lo = (v_fma_f64(-w, bottom, 2.0 * b) - w * bottom_lo) / bottom;
    vf64 y = 0.5 * v_log_of_sum(w, w_lo, a < 0.0, a);
    y = v_select_f64(a == 1.0, v_splat_f64(__builtin_inf()), y);
    y = v_select_f64(a < 0x1p-27, a, y);
    return v_select_f64(a <= 1.0, v_sign_f64(y, x), v_splat_f64(__builtin_nan("")));
}

/* float32 by way of float64: 0.501 ulp */
V_INLINE vf32 v_sinh_f32(vf32 x)
{
    vf64 low, high;
    v_widen(x, &low, &high);
    return v_narrow(v_sinh_f64(low), v_sinh_f64(high));
}

V_INLINE vf32 v_cosh_f32(vf32 x)
{
    vf64 low, high;
    v_widen(x, &low, &high);
    return v_narrow(v_cosh_f64(low), v_cosh_f64(high));
}

V_INLINE vf32 v_asinh_f32(vf32 x)
{
    vf64 low, high;
    v_widen(x, &low, &high);
    return v_narrow(v_asinh_f64(low), v_asinh_f64(high));
}

V_INLINE vf32 v_acosh_f32(vf32 x)
{
    vf64 low, high;
    v_widen(x, &low, &high);
    return v_narrow(v_acosh_f64(low), v_acosh_f64(high));
}

V_INLINE vf32 v_atanh_f32(vf32 x)
{
    vf64 low, high;
    v_widen(x, &low, &high);
    return v_narrow(v_atanh_f64(low), v_atanh_f64(high));
}

#endif
