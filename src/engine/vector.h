/* Vectors of one real type at the native width of the instruction set that is being compiled for. A template: the
 * kernels include it twice, with REAL_BITS 32 and 64; each inclusion defines REAL, VEC, MASK and WIDTH anew, and the
 * functions V(load), V(store), ... of that type; F(exp), F(log), ... are those of base/functions_vector.h.
 *
 * Every operation gives the same bits for a lane on every instruction set: IEEE arithmetic, fused multiply-add where it
 * is written (by libm where there is no instruction), no contraction, no approximation. */
#undef REAL
#undef VEC
#undef MASK
#undef INT
#undef WIDTH
#undef V
#undef F
#undef LANE_VECTORS

#ifndef GRADD_ENGINE_VECTOR_H
#define GRADD_ENGINE_VECTOR_H

#include "engine/vector_isa.h"
#define FUNCTIONS_VECTOR_BYTES VECTOR_BYTES
#include "base/functions_vector.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#endif

/* Sums across lanes are made in this many virtual lanes, whatever the real width: element i goes to lane i mod 16. */
enum { LANES = 16 };

typedef float vec32 __attribute__((vector_size(VECTOR_BYTES)));
typedef int32_t mask32 __attribute__((vector_size(VECTOR_BYTES)));
typedef double vec64 __attribute__((vector_size(VECTOR_BYTES)));
typedef int64_t mask64 __attribute__((vector_size(VECTOR_BYTES)));

#endif

#if REAL_BITS == 32
#define REAL float
#define INT int32_t
#define VEC vec32
#define MASK mask32
#define V(x) JOIN(x, 32)
#define F(x) v_##x##_f32
#define WIDTH (VECTOR_BYTES / 4)
#else
#define REAL double
#define INT int64_t
#define VEC vec64
#define MASK mask64
#define V(x) JOIN(x, 64)
#define F(x) v_##x##_f64
#define WIDTH (VECTOR_BYTES / 8)
#endif
#define LANE_VECTORS (LANES / WIDTH)

INLINE VEC V(load)(const REAL *p)
{
    VEC v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}

INLINE void V(store)(REAL *p, VEC v)
{
    __builtin_memcpy(p, &v, sizeof v);
}

INLINE VEC V(splat)(REAL x)
{
    return x - (VEC){0};
}

/* The first `count` (0 to WIDTH) elements; the other lanes are 0. Nothing past them is read. */
INLINE VEC V(load_partial)(const REAL *p, int64_t count)
{
#if defined(__AVX512F__) && REAL_BITS == 32
    return (VEC)_mm512_maskz_loadu_ps((__mmask16)((1U << count) - 1U), p);
#elif defined(__AVX512F__)
    return (VEC)_mm512_maskz_loadu_pd((__mmask8)((1U << count) - 1U), p);
#elif defined(__AVX2__) && REAL_BITS == 32
    const MASK lane = {0, 1, 2, 3, 4, 5, 6, 7};
    return (VEC)_mm256_maskload_ps(p, (__m256i)(lane < (INT)count));
#elif defined(__AVX2__)
    const MASK lane = {0, 1, 2, 3};
    return (VEC)_mm256_maskload_pd(p, (__m256i)(lane < (INT)count));
#else
    VEC v = {0};
    for (int64_t i = 0; i < count; i++)
        v[i] = p[i];
    return v;
#endif
}

/* Writes the first `count` (0 to WIDTH) lanes. */
INLINE void V(store_partial)(REAL *p, VEC v, int64_t count)
{
#if defined(__AVX512F__) && REAL_BITS == 32
    _mm512_mask_storeu_ps(p, (__mmask16)((1U << count) - 1U), (__m512)v);
#elif defined(__AVX512F__)
    _mm512_mask_storeu_pd(p, (__mmask8)((1U << count) - 1U), (__m512d)v);
#elif defined(__AVX2__)
    /* In parts: some processors take dozens of cycles for a store with a mask. */
    const size_t bytes = (size_t)count * sizeof *p;
    __m128i part = _mm256_castsi256_si128((__m256i)v);
    char *to = (char *)p;
    if (bytes & 32) {
        V(store)(p, v);
        return;
    }
    if (bytes & 16) {
        _mm_storeu_si128((__m128i *)to, part);
        part = _mm256_extracti128_si256((__m256i)v, 1);
        to += 16;
    }
    if (bytes & 8) {
        _mm_storeu_si64(to, part);
        part = _mm_unpackhi_epi64(part, part);
        to += 8;
    }
    if (bytes & 4)
        _mm_storeu_si32(to, part);
#else
    for (int64_t i = 0; i < count; i++)
        p[i] = v[i];
#endif
}

/* Elements 0, stride, 2 stride, ...: the first `count` lanes, the others 0. */
static __attribute__((noinline, unused)) VEC V(load_strided)(const REAL *p, int64_t stride, int64_t count)
{
    VEC v = {0};
    for (int64_t i = 0; i < count; i++)
        v[i] = p[i * stride];
    return v;
}

INLINE VEC V(fma)(VEC a, VEC b, VEC c)
{
#if defined(__AVX512F__) && REAL_BITS == 32
    return (VEC)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__AVX512F__)
    return (VEC)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#elif defined(__AVX2__) && REAL_BITS == 32
    return (VEC)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif defined(__AVX2__)
    return (VEC)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
#elif defined(__ARM_NEON) && REAL_BITS == 32
    return (VEC)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#elif defined(__ARM_NEON)
    return (VEC)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
#else
    VEC v = {0};
    for (int i = 0; i < WIDTH; i++)
#if REAL_BITS == 32
        v[i] = __builtin_fmaf(a[i], b[i], c[i]);
#else
        v[i] = __builtin_fma(a[i], b[i], c[i]);
#endif
    return v;
#endif
}

INLINE VEC V(sqrt)(VEC x)
{
#if defined(__AVX512F__) && REAL_BITS == 32
    return (VEC)_mm512_sqrt_ps((__m512)x);
#elif defined(__AVX512F__)
    return (VEC)_mm512_sqrt_pd((__m512d)x);
#elif defined(__AVX2__) && REAL_BITS == 32
    return (VEC)_mm256_sqrt_ps((__m256)x);
#elif defined(__AVX2__)
    return (VEC)_mm256_sqrt_pd((__m256d)x);
#else
    VEC v = {0};
    for (int i = 0; i < WIDTH; i++)
#if REAL_BITS == 32
        v[i] = __builtin_sqrtf(x[i]);
#else
        v[i] = __builtin_sqrt(x[i]);
#endif
    return v;
#endif
}

/* a where the mask is set, else b. */
INLINE VEC V(select)(MASK mask, VEC a, VEC b)
{
    return (VEC)((mask & (MASK)a) | (~mask & (MASK)b));
}

INLINE VEC V(abs)(VEC x)
{
    const VEC sign = V(splat)((REAL)-0.0);
    return (VEC)((MASK)x & ~(MASK)sign);
}

/* The larger; NaN where either is; b on a tie. */
INLINE VEC V(max)(VEC a, VEC b)
{
    return V(select)((MASK)(a > b) | (MASK)(a != a), a, b);
}

INLINE VEC V(min)(VEC a, VEC b)
{
    return V(select)((MASK)(a < b) | (MASK)(a != a), a, b);
}

/* 0, 1, 2, ... */
INLINE MASK V(lane_numbers)(void)
{
    MASK lane = {0};
    for (int i = 0; i < WIDTH; i++)
        lane[i] = i;
    return lane;
}

/* How many of `rest` elements (which may be negative) one vector takes. */
INLINE int64_t V(left)(int64_t rest)
{
    return rest < 0 ? 0 : rest < WIDTH ? rest : WIDTH;
}

/* 16 virtual lanes. */
typedef struct {
    VEC v[LANE_VECTORS];
} V(lanes);

INLINE V(lanes) V(lanes_splat)(REAL x)
{
    V(lanes) l;
    for (int i = 0; i < LANE_VECTORS; i++)
        l.v[i] = V(splat)(x);
    return l;
}

/* The tree that sums or compares across lanes: lane i with lane i + 8, then + 4, + 2, + 1. */
#define LANE_TREE(name, combine)                                                                                       \
    INLINE REAL V(name)(V(lanes) l)                                                                                    \
    {                                                                                                                  \
        for (int half = LANE_VECTORS / 2; half > 0; half /= 2)                                                         \
            for (int i = 0; i < half; i++)                                                                             \
                l.v[i] = combine(l.v[i], l.v[i + half]);                                                               \
        for (int half = WIDTH / 2; half > 0; half /= 2)                                                                \
            l.v[0] = combine(l.v[0], V(lanes_down)(l.v[0], half));                                                     \
        return l.v[0][0];                                                                                              \
    }

/* Lane i becomes lane i + half, for i < half = 8, 4, 2 or 1; what the other lanes become does not matter. */
INLINE VEC V(lanes_down)(VEC v, int half)
{
#if WIDTH == 16
    if (half == 8)
        return __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
    if (half == 4)
        return __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
    if (half == 2)
        return __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
    return __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
#elif WIDTH == 8
    if (half == 4)
        return __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3);
    if (half == 2)
        return __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5);
    return __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6);
#elif WIDTH == 4
    if (half == 2)
        return __builtin_shufflevector(v, v, 2, 3, 0, 1);
    return __builtin_shufflevector(v, v, 1, 0, 3, 2);
#else
    (void)half;
    return __builtin_shufflevector(v, v, 1, 0);
#endif
}

/* Lanes in blocks of 2 half: the first `half` become those of x plus the `half` after them, the others the same of y.
 * half: WIDTH / 2, ..., 2 or 1. Folding vector r with r + half, from WIDTH of them down to one, sums each across its
 * lanes, as lanes_sum does: lane r is the sum of vector r. */
INLINE VEC V(fold)(VEC x, VEC y, int half)
{
#define FROM(i, half) (((i) & ~(2 * (half)-1)) + ((i) & ((half)-1)) + ((i) & (half) ? WIDTH : 0))
#define FIRST_2(of, half) of(0, half), of(1, half)
#define FIRST_4(of, half) FIRST_2(of, half), of(2, half), of(3, half)
#define FIRST_8(of, half) FIRST_4(of, half), of(4, half), of(5, half), of(6, half), of(7, half)
#define FIRST_16(of, half)                                                                                             \
    FIRST_8(of, half), of(8, half), of(9, half), of(10, half), of(11, half), of(12, half), of(13, half), of(14, half), \
        of(15, half)
#define NEXT(i, half) (FROM(i, half) + (half))
#if WIDTH == 16
#define LANES_OF(of, half) FIRST_16(of, half)
#elif WIDTH == 8
#define LANES_OF(of, half) FIRST_8(of, half)
#elif WIDTH == 4
#define LANES_OF(of, half) FIRST_4(of, half)
#else
#define LANES_OF(of, half) FIRST_2(of, half)
#endif
#define FOLD(half)                                                                                                     \
    __builtin_shufflevector(x, y, LANES_OF(FROM, half)) + __builtin_shufflevector(x, y, LANES_OF(NEXT, half))
#if WIDTH >= 16
    if (half == 8)
        return FOLD(8);
#endif
#if WIDTH >= 8
    if (half == 4)
        return FOLD(4);
#endif
#if WIDTH >= 4
    if (half == 2)
        return FOLD(2);
#endif
    (void)half;
    return FOLD(1);
#undef FROM
#undef NEXT
#undef FIRST_2
#undef FIRST_4
#undef FIRST_8
#undef FIRST_16
#undef LANES_OF
#undef FOLD
}

INLINE VEC V(add)(VEC a, VEC b)
{
    return a + b;
}

LANE_TREE(lanes_sum, V(add))
LANE_TREE(lanes_max, V(max))
#undef LANE_TREE
