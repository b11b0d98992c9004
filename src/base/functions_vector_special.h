/* Part of functions_vector.h: erf, erfc; lgamma, digamma, polygamma by the scalar functions. */
#ifndef GRADD_BASE_FUNCTIONS_VECTOR_SPECIAL_H
#define GRADD_BASE_FUNCTIONS_VECTOR_SPECIAL_H

#include "base/functions.h"
#include "base/functions_vector_exp.h"
#include "base/functions_vector_lanes.h"

/* ---------------------------------------------------------------- erf, erfc */

/* erf(x) for |x| <= 1: x + x * (a polynomial of x^2), to 2^-62 */
V_INLINE vf64 v_erf_near_f64(vf64 x)
{
    static const double c[] = {0x1.06eba8214db69p-3,   -0x1.812746b0379e6p-2,  0x1.ce2f21a042b1cp-4,
                               -0x1.b82ce31284865p-6,  0x1.565bcd0dad16cp-8,   -0x1.c02db3d859564p-11,
                               0x1.f9a3218fa83a5p-14,  -0x1.f4d1ddde7193ap-17, 0x1.b9dedfb1cc99cp-20,
                               -0x1.5f1c9a6f7e086p-23, 0x1.f79d53959b652p-27,  -0x1.3855634823337p-30,
                               0x1.053e871fb2277p-34};
    return v_fma_f64(x, v_polynomial_f64(x * x, c, 13), x);
}

/* the same, to 2^-31 */
V_INLINE vf32 v_erf_near_f32(vf32 x)
{
    static const float c[] = {0x1.06eba8p-3f,         -0x1.8127440000000p-2f, 0x1.ce2e600000000p-4f,
                              -0x1.b8163a0000000p-6f, 0x1.5515a60000000p-8f,  -0x1.ad10ca0000000p-11f,
                              0x1.66979e0000000p-14f};
    return v_fma_f32(x, v_polynomial_f32(x * x, c, 7), x);
}

/* Beyond 1 it is 1 - e^p, p a polynomial near log erfc. 1.2 ulp */
V_INLINE vf64 v_erf_f64(vf64 x)
{
    static const double c[] = {
        -0x1.8aaabd0701590p-23, -0x1.20dd557e6ff11p+0,  -0x1.45f431ac141d5p-1,  -0x1.a4d9bd574a270p-4,
        0x1.388f230e9db5dp-6,   0x1.27bad13795f02p-12,  -0x1.d02e51913ebfcp-10, 0x1.50ef26ff12c94p-11,
        -0x1.807a8d22f5696p-15, -0x1.24d443ac82ab7p-14, 0x1.77caaba8a2628p-15,  -0x1.13aa852d1dc46p-16,
        0x1.20dbd83b58695p-18,  -0x1.c60bd45448266p-21, 0x1.0c4157c519bb4p-23,  -0x1.d0f6cb38a47e4p-27,
        0x1.17c99a90cd3f3p-30,  -0x1.a253125b4d6f9p-35, 0x1.24bc67779881ep-40};
    vf64 a = v_abs_f64(x);
    vf64 p = v_polynomial_f64(v_select_f64(a > 6.0, v_splat_f64(6.0), a), c, 19);
    vf64 far = v_sign_f64(1.0 - v_exp_f64(p), x);
    return v_select_f64(a < 1.0, v_erf_near_f64(x), far);
}

/* 1.0 ulp */
V_INLINE vf32 v_erf_f32(vf32 x)
{
    static const float c[] = {0x1.5feaa60000000p-13f, -0x1.2125b80000000p+0f, -0x1.444ed20000000p-1f,
                              -0x1.bb36b00000000p-4f, 0x1.9ac6fc0000000p-6f,  -0x1.102c380000000p-8f,
                              0x1.c3ac100000000p-12f, -0x1.5c8a420000000p-16f};
    vf32 a = v_abs_f32(x);
    vf32 p = v_polynomial_f32(v_select_f32(a > 4.0f, v_splat_f32(4.0f), a), c, 8);
    vf32 far = v_sign_f32(1.0f - v_exp_f32(p), x);
    return v_select_f32(a < 0.9f, v_erf_near_f32(x), far);
}

/* Near 0 it is 1 - erf x; beyond, e^(-x^2) with the lost digits of x^2, times the polynomial of t = (x - 4) / (x + 4)
 * over 1 + 2x, whose relative error is 2^-60 to x = 28, where erfc is 0: so no accuracy is lost in the tail. 2.4 ulp
 */
V_INLINE vf64 v_erfc_f64(vf64 x)
{
    static const double c[] = {
        0x1.3ba5916e9fd7fp+0,   -0x1.1df1ad154a28ep-3,  0x1.f7f5df66fd706p-7,   0x1.16ecefcfa52b0p-4,
        -0x1.9ddb23c3e8a72p-4,  0x1.7fee004e14c8fp-4,   -0x1.0fb06dfe5472bp-4,  0x1.3079edf61eb8fp-5,
        -0x1.096238829677dp-6,  0x1.49c672a9a5959p-8,   -0x1.8d4a9c75eb9a5p-11, -0x1.a1df444f00074p-13,
        0x1.3be0713a68783p-13,  -0x1.9954f11f1769fp-16, -0x1.788f28977752dp-17, 0x1.7ef5d5fa26f28p-18,
        0x1.3c410a0218e4ep-22,  -0x1.b8064c06ab1bap-21, 0x1.3c0aa30d0170bp-24,  0x1.bbe39ad97c396p-24,
        -0x1.254f45d6e9c23p-26, -0x1.4ce7fa2373552p-27, 0x1.aa1840b9314e8p-30};
    vf64 a = v_abs_f64(x);
    vi64 near = a < 0.47;
    a = v_select_f64(a > 28.0, v_splat_f64(28.0), a);
    vf64 f = v_polynomial_f64((a - 4.0) / (a + 4.0), c, 23);
    vf64 bottom, p, p_lo;
    vf64 bottom_lo = v_two_sum(2.0 * a, v_splat_f64(1.0), &bottom);
    vf64 q = f / bottom;
    vf64 q_lo = (v_fma_f64(-q, bottom, f) - q * bottom_lo) / bottom;
    vf64 square = a * a;
    vu64 k = v_exp_parts(-square, -v_fma_f64(a, a, -square), &p, &p_lo);
    vf64 far = v_scale_f64(q + v_fma_f64(q, p, v_fma_f64(q, p_lo, q_lo)), k);
    far = v_select_f64(x < 0.0, 2.0 - far, far);
    return v_select_f64(near, 1.0 - v_erf_near_f64(x), far);
}

V_INLINE vf32 v_erfc_f32(vf32 x)
{
    vf64 low, high;
    v_widen(x, &low, &high);
    return v_narrow(v_erfc_f64(low), v_erfc_f64(high));
}

/* ---------------------------------------------------------------- lgamma, digamma, polygamma */

/* log |gamma(x)|: 1.4 ulp for x > 0, at its zeros 1 and 2 too; for x < 0 besides 4e-16 absolute. One lane at a time. */
V_INLINE vf64 v_lgamma_f64(vf64 x)
{
    vf64 r = x;
    for (int i = 0; i < V_LANES_F64; i++)
        r[i] = fn_lgamma(x[i]);
    return r;
}

V_INLINE vf32 v_lgamma_f32(vf32 x)
{
    vf32 r = x;
    for (int i = 0; i < V_LANES_F32; i++)
        r[i] = (float)fn_lgamma((double)x[i]);
    return r;
}

/* 1.8 ulp for x > 0, at its zero too; for x < 0 besides 4e-16 absolute. One lane at a time. */
V_INLINE vf64 v_digamma_f64(vf64 x)
{
    vf64 r = x;
    for (int i = 0; i < V_LANES_F64; i++)
        r[i] = fn_digamma(x[i]);
    return r;
}

V_INLINE vf32 v_digamma_f32(vf32 x)
{
    vf32 r = x;
    for (int i = 0; i < V_LANES_F32; i++)
        r[i] = (float)fn_digamma((double)x[i]);
    return r;
}

/* 8 ulp; but for even n and x < 0, of n! / f^(n + 1), f the distance to the nearest pole. One lane at a time. */
V_INLINE vf64 v_polygamma_f64(vf64 n, vf64 x)
{
    vf64 r = x;
    for (int i = 0; i < V_LANES_F64; i++)
        r[i] = fn_polygamma(n[i], x[i]);
    return r;
}

V_INLINE vf32 v_polygamma_f32(vf32 n, vf32 x)
{
    vf32 r = x;
    for (int i = 0; i < V_LANES_F32; i++)
        r[i] = (float)fn_polygamma((double)n[i], (double)x[i]);
    return r;
}

#endif
