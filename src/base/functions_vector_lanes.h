/* Vectors of the compiler and what the functions of functions_vector.h do with their lanes; floor, ceil and round. */
#ifndef GRADD_BASE_FUNCTIONS_VECTOR_LANES_H
#define GRADD_BASE_FUNCTIONS_VECTOR_LANES_H

#include <stdint.h>

#ifndef FUNCTIONS_VECTOR_BYTES
#error "define FUNCTIONS_VECTOR_BYTES: the width of a vector"
#endif

enum { V_LANES_F64 = FUNCTIONS_VECTOR_BYTES / 8, V_LANES_F32 = FUNCTIONS_VECTOR_BYTES / 4 };

typedef double vf64 __attribute__((vector_size(FUNCTIONS_VECTOR_BYTES)));
typedef int64_t vi64 __attribute__((vector_size(FUNCTIONS_VECTOR_BYTES))); /* of comparisons: -1 or 0 */
typedef uint64_t vu64 __attribute__((vector_size(FUNCTIONS_VECTOR_BYTES)));
typedef float vf32 __attribute__((vector_size(FUNCTIONS_VECTOR_BYTES)));
typedef int32_t vi32 __attribute__((vector_size(FUNCTIONS_VECTOR_BYTES)));
typedef uint32_t vu32 __attribute__((vector_size(FUNCTIONS_VECTOR_BYTES)));

#define V_INLINE static inline __attribute__((always_inline, unused))

V_INLINE vf64 v_splat_f64(double c)
{
    return c - (vf64){0};
}

V_INLINE vf32 v_splat_f32(float c)
{
    return c - (vf32){0};
}

V_INLINE vf64 v_fma_f64(vf64 a, vf64 b, vf64 c)
{
    vf64 r = c;
    for (int i = 0; i < V_LANES_F64; i++)
        r[i] = __builtin_fma(a[i], b[i], c[i]);
    return r;
}

V_INLINE vf32 v_fma_f32(vf32 a, vf32 b, vf32 c)
{
    vf32 r = c;
    for (int i = 0; i < V_LANES_F32; i++)
        r[i] = __builtin_fmaf(a[i], b[i], c[i]);
    return r;
}

/* NaN below 0 */
V_INLINE vf64 v_sqrt_f64(vf64 x)
{
    vf64 r = x;
    for (int i = 0; i < V_LANES_F64; i++)
        r[i] = __builtin_sqrt(x[i]);
    return r;
}

/* yes where the mask is -1, no where it is 0 */
V_INLINE vf64 v_select_f64(vi64 mask, vf64 yes, vf64 no)
{
    return (vf64)((mask & (vi64)yes) | (~mask & (vi64)no));
}

V_INLINE vf32 v_select_f32(vi32 mask, vf32 yes, vf32 no)
{
    return (vf32)((mask & (vi32)yes) | (~mask & (vi32)no));
}

V_INLINE vf64 v_abs_f64(vf64 x)
{
    return (vf64)((vi64)x & INT64_MAX);
}

V_INLINE vf32 v_abs_f32(vf32 x)
{
    return (vf32)((vi32)x & INT32_MAX);
}

/* x, not negative, with the sign of y */
V_INLINE vf64 v_sign_f64(vf64 x, vf64 y)
{
    return (vf64)((vi64)x | ((vi64)y & INT64_MIN));
}

V_INLINE vf32 v_sign_f32(vf32 x, vf32 y)
{
    return (vf32)((vi32)x | ((vi32)y & INT32_MIN));
}

V_INLINE int v_any_f64(vi64 mask)
{
    int64_t any = 0;
    for (int i = 0; i < V_LANES_F64; i++)
        any |= mask[i];
    return any != 0;
}

V_INLINE void v_widen(vf32 x, vf64 *ret_low, vf64 *ret_high)
{
    vf64 low = {0}, high = {0};
    for (int i = 0; i < V_LANES_F64; i++) {
        low[i] = (double)x[i];
        high[i] = (double)x[V_LANES_F64 + i];
    }
    *ret_low = low;
    *ret_high = high;
}

V_INLINE vf32 v_narrow(vf64 low, vf64 high)
{
    vf32 r = {0};
    for (int i = 0; i < V_LANES_F64; i++) {
        r[i] = (float)low[i];
        r[V_LANES_F64 + i] = (float)high[i];
    }
    return r;
}

/* 1.5 * 2^52 and 1.5 * 2^23: a number added to it is rounded to an integer, that stands in the low bits. */
#define V_ROUND_F64 0x1.8p52
#define V_ROUND_F32 0x1.8p23f
#define V_ROUND_BITS_F64 UINT64_C(0x4338000000000000)
#define V_ROUND_BITS_F32 UINT32_C(0x4B400000)

/* Small integers as numbers. */
V_INLINE vf64 v_number_f64(vu64 k)
{
    return (vf64)(k + V_ROUND_BITS_F64) - V_ROUND_F64;
}

V_INLINE vf32 v_number_f32(vu32 k)
{
    return (vf32)(k + V_ROUND_BITS_F32) - V_ROUND_F32;
}

/* 2^k for k in -1022 to 1023 (float32: -126 to 127) */
V_INLINE vf64 v_power2_f64(vu64 k)
{
    return (vf64)((k + 1023) << 52);
}

V_INLINE vf32 v_power2_f32(vu32 k)
{
    return (vf32)((k + 127) << 23);
}

/* y * 2^k for |k| up to 2,000 (float32: 250), in two steps, so that a denormal result is reached from a normal number
 */
V_INLINE vf64 v_scale_f64(vf64 y, vu64 k)
{
    vu64 half = ((k + 4096) >> 1) - 2048; /* wraps below 0 and back */
    return y * v_power2_f64(half) * v_power2_f64(k - half);
}

V_INLINE vf32 v_scale_f32(vf32 y, vu32 k)
{
    vu32 half = ((k + 1024) >> 1) - 512;
    return y * v_power2_f32(half) * v_power2_f32(k - half);
}

/* c[0] + c[1] x + ... + c[count - 1] x^(count - 1), by Horner's rule */
V_INLINE vf64 v_polynomial_f64(vf64 x, const double *c, int count)
{
    vf64 y = v_splat_f64(c[count - 1]);
#pragma GCC unroll 16
    for (int i = count - 2; i >= 0; i--)
        y = v_fma_f64(y, x, v_splat_f64(c[i]));
    return y;
}

V_INLINE vf32 v_polynomial_f32(vf32 x, const float *c, int count)
{
    vf32 y = v_splat_f32(c[count - 1]);
#pragma GCC unroll 16
    for (int i = count - 2; i >= 0; i--)
        y = v_fma_f32(y, x, v_splat_f32(c[i]));
    return y;
}

/* ---------------------------------------------------------------- exact sums */

/* a + b = *ret_sum + the result, exactly */
V_INLINE vf64 v_two_sum(vf64 a, vf64 b, vf64 *ret_sum)
{
    vf64 sum = a + b, b_part = sum - a;
    *ret_sum = sum;
    return (a - (sum - b_part)) + (b - b_part);
}

/* ---------------------------------------------------------------- floor, ceil, round */

/* To the nearest integer, halves to the even one: adding 2^52 leaves no room for a fraction. The sign of zero stays. */
V_INLINE vf64 v_round_f64(vf64 x)
{
    vf64 a = v_abs_f64(x), y = (a + 0x1p52) - 0x1p52;
    return v_select_f64(a < 0x1p52, v_sign_f64(y, x), x);
}

V_INLINE vf32 v_round_f32(vf32 x)
{
    vf32 a = v_abs_f32(x), y = (a + 0x1p23f) - 0x1p23f;
    return v_select_f32(a < 0x1p23f, v_sign_f32(y, x), x);
}

V_INLINE vf64 v_floor_f64(vf64 x)
{
    vf64 y = v_round_f64(x);
    return v_select_f64(y > x, y - 1.0, y);
}

V_INLINE vf32 v_floor_f32(vf32 x)
{
    vf32 y = v_round_f32(x);
    return v_select_f32(y > x, y - 1.0f, y);
}

V_INLINE vf64 v_ceil_f64(vf64 x)
{
    return -v_floor_f64(-x);
}

V_INLINE vf32 v_ceil_f32(vf32 x)
{
    return -v_floor_f32(-x);
}

#endif
