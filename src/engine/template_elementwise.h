/* The functions of elementwise ops of one dtype: loops over contiguous elements, from which programs are made. A
 * template: see vector.h. */
#include "engine/vector.h"

/* The function of up to three vectors that is an op's. */
typedef VEC (*V(map))(VEC a, VEC b, VEC c);

/* After inlining, operands that are not used vanish. */
INLINE void V(run_map)(V(map) map, int operands, REAL *out, const REAL *a, const REAL *b, const REAL *c, int64_t count)
{
    const VEC none = {0};
    int64_t i = 0;
    for (; i + WIDTH <= count; i += WIDTH)
        V(store)
    (out + i, map(V(load)(a + i), operands > 1 ? V(load)(b + i) : none, operands > 2 ? V(load)(c + i) : none));
    if (i < count) {
        const int64_t left = count - i;
        V(store_partial)
        (out + i,
         map(V(load_partial)(a + i, left), operands > 1 ? V(load_partial)(b + i, left) : none,
             operands > 2 ? V(load_partial)(c + i, left) : none),
         left);
    }
}

#define ONE V(splat)((REAL)1)
#define BIT(condition) ((VEC)((MASK)(condition) & (MASK)ONE))

/* s (1 - s) = e / (1 + e)^2 with e = e^-|x| */
INLINE VEC V(sigmoid_slope)(VEC x)
{
    const VEC e = F(exp)(-V(abs)(x)), bottom = ONE + e;
    return e / (bottom * bottom);
}

/* e^-(x^2), with the digits that the square has lost. It is 0 from 40 on. */
INLINE VEC V(bell)(VEC x)
{
    const VEC a = V(min)(V(abs)(x), V(splat)((REAL)40)), square = a * a, lost = V(fma)(a, a, -square);
    const VEC y = F(exp)(-square);
    return V(fma)(-y, lost, y);
}

/* log(cosh x): cosh x - 1 = m^2 / (2 (1 + m)) with m = e^|x| - 1 near 0, and |x| + log1p(e^-2|x|) - log 2 beyond. */
INLINE VEC V(ln_cosh)(VEC x)
{
    const VEC a = V(abs)(x), near = V(min)(a, ONE), m = F(expm1)(near);
    const VEC inside = F(log1p)(m * m / ((REAL)2 * (ONE + m)));
    const VEC beyond = a + (F(log1p)(F(exp)((REAL)-2 * a)) - (REAL)0.69314718055994530942);
    return V(select)(a < 1, inside, beyond);
}

/* The list of ops, with their number of operands: a, b, c. */
#define MAPS(MAP)                                                                                                      \
    MAP(Identity, 1, a)                                                                                                \
    MAP(Neg, 1, -a)                                                                                                    \
    MAP(Abs, 1, V(abs)(a))                                                                                             \
    MAP(Sign, 1, BIT(a > 0) - BIT(a < 0))                                                                              \
    MAP(Reciprocal, 1, ONE / a)                                                                                        \
    MAP(Square, 1, (a) * (a))                                                                                          \
    MAP(Sqrt, 1, V(sqrt)(a))                                                                                           \
    MAP(Exp, 1, F(exp)(a))                                                                                             \
    MAP(Log, 1, F(log)(a))                                                                                             \
    MAP(Log1p, 1, F(log1p)(a))                                                                                         \
    MAP(Expm1, 1, F(expm1)(a))                                                                                         \
    MAP(Sin, 1, F(sin)(a))                                                                                             \
    MAP(Cos, 1, F(cos)(a))                                                                                             \
    MAP(Tan, 1, F(tan)(a))                                                                                             \
    MAP(Asin, 1, F(asin)(a))                                                                                           \
    MAP(Acos, 1, F(acos)(a))                                                                                           \
    MAP(Atan, 1, F(atan)(a))                                                                                           \
    MAP(Sinh, 1, F(sinh)(a))                                                                                           \
    MAP(Cosh, 1, F(cosh)(a))                                                                                           \
    MAP(Floor, 1, F(floor)(a))                                                                                         \
    MAP(Ceil, 1, F(ceil)(a))                                                                                           \
    MAP(Round, 1, F(round)(a))                                                                                         \
    MAP(Tanh, 1, F(tanh)(a))                                                                                           \
    MAP(Asinh, 1, F(asinh)(a))                                                                                         \
    MAP(Acosh, 1, F(acosh)(a))                                                                                         \
    MAP(Atanh, 1, F(atanh)(a))                                                                                         \
    MAP(Bell, 1, V(bell)(a))                                                                                           \
    MAP(Erf, 1, F(erf)(a))                                                                                             \
    MAP(Erfc, 1, F(erfc)(a))                                                                                           \
    MAP(Lgamma, 1, F(lgamma)(a))                                                                                       \
    MAP(Digamma, 1, F(digamma)(a))                                                                                     \
    MAP(Polygamma, 2, F(polygamma)(a, b))                                                                              \
    MAP(Sigmoid, 1, F(sigmoid)(a))                                                                                     \
    MAP(SigmoidSlope, 1, V(sigmoid_slope)(a))                                                                          \
    MAP(Softplus, 1, F(softplus)(a))                                                                                   \
    MAP(Softsign, 1, a / (ONE + V(abs)(a)))                                                                            \
    MAP(LnCosh, 1, V(ln_cosh)(a))                                                                                      \
    MAP(Relu, 1, V(max)(a, (VEC){0}))                                                                                  \
    MAP(Add, 2, a + b)                                                                                                 \
    MAP(Sub, 2, a - b)                                                                                                 \
    MAP(Mul, 2, (a) * (b))                                                                                             \
    MAP(Div, 2, a / b)                                                                                                 \
    MAP(Pow, 2, F(pow)(a, b))                                                                                          \
    MAP(Atan2, 2, F(atan2)(a, b))                                                                                      \
    MAP(Max, 2, V(max)(a, b))                                                                                          \
    MAP(Min, 2, V(min)(a, b))                                                                                          \
    MAP(Equal, 2, BIT(a == b))                                                                                         \
    MAP(NotEqual, 2, BIT(a != b))                                                                                      \
    MAP(Less, 2, BIT(a < b))                                                                                           \
    MAP(LessOrEqual, 2, BIT(a <= b))                                                                                   \
    MAP(Greater, 2, BIT(a > b))                                                                                        \
    MAP(GreaterOrEqual, 2, BIT(a >= b))                                                                                \
    MAP(Where, 3, V(select)(a != 0, b, c))

#define MAP(op, operands, value)                                                                                       \
    INLINE VEC V(map_##op)(VEC a, VEC b, VEC c)                                                                        \
    {                                                                                                                  \
        (void)b, (void)c;                                                                                              \
        return value;                                                                                                  \
    }                                                                                                                  \
    static void V(run_##op)(void *out, const void *a, const void *b, const void *c, int64_t count)                     \
    {                                                                                                                  \
        V(run_map)(V(map_##op), operands, out, a, b, c, count);                                                        \
    }
MAPS(MAP)
#undef MAP

const map_fn FOR_ISA(V(maps))[OP_COUNT] = {MAPS(ENTRY)};
#undef MAPS
#undef BIT
#undef ONE
