/* Elementwise kernels of one dtype. A template: see vector.h.
 *
 * A kernel walks the outer axes like an odometer and runs the innermost as a loop over vectors, with a loop of its own
 * where operands are contiguous (stride 1) or repeated (stride 0), and one that collects lanes for any other stride. */
#include "engine/vector.h"

/* WIDTH elements at p, or the first `count`. */
INLINE VEC V(operand)(const REAL *p, int64_t stride, int64_t i, int64_t count)
{
    if (stride == 0)
        return V(splat)(*p);
    if (stride != 1)
        return V(load_strided)(p + i * stride, stride, count);
    return count == WIDTH ? V(load)(p + i) : V(load_partial)(p + i, count);
}

INLINE void V(result)(REAL *p, int64_t stride, int64_t i, int64_t count, VEC v)
{
    if (stride != 1)
        V(store_strided)(p + i * stride, stride, v, count);
    else if (count == WIDTH)
        V(store)(p + i, v);
    else
        V(store_partial)(p + i, v, count);
}

/* The function of up to three vectors that makes a kernel an op's. */
typedef VEC (*V(map))(VEC a, VEC b, VEC c);

/* One innermost loop. After inlining, strides that are constants choose the loads, and operands that are not used vanish. */
INLINE void V(inner)(V(map) map, int operands, int64_t count, REAL *out, const int64_t stride[4],
                     const REAL *const in[3])
{
    for (int64_t i = 0; i < count; i += WIDTH) {
        const int64_t left = count - i < WIDTH ? count - i : WIDTH;
        VEC v[OPERANDS_MAX] = {{0}, {0}, {0}};
        for (int o = 0; o < operands; o++)
            v[o] = V(operand)(in[o], stride[o + 1], i, left);
        V(result)(out, stride[0], i, left, map(v[0], v[1], v[2]));
    }
}

/* The innermost loop for strides s1, s2 and s3 of the operands, as constants. */
#define INNER(s1, s2, s3) V(inner)(map, operands, count, out, (const int64_t[4]){1, s1, s2, s3}, in)

/* `light`: the function is so cheap that the choice of loads shows; it is compiled once for each. */
INLINE void V(innermost)(V(map) map, bool light, int operands, int64_t count, REAL *out, const int64_t stride[4],
                         const REAL *const in[3])
{
    const int64_t *s = stride + 1;
    const bool plain = light && stride[0] == 1 && (s[0] == 0 || s[0] == 1) && (operands < 2 || s[1] == 0 || s[1] == 1) &&
                       (operands < 3 || s[2] == 0 || s[2] == 1);
    if (!plain)
        V(inner)(map, operands, count, out, stride, in);
    else if (operands == 1 && s[0] == 1)
        INNER(1, 0, 0);
    else if (operands == 2 && s[0] == 1 && s[1] == 1)
        INNER(1, 1, 0);
    else if (operands == 2 && s[0] == 1)
        INNER(1, 0, 0);
    else if (operands == 2 && s[1] == 1)
        INNER(0, 1, 0);
    else if (operands == 3 && s[0] == 1 && s[1] == 1 && s[2] == 1)
        INNER(1, 1, 1);
    else if (operands == 3 && s[0] == 1 && s[1] == 1)
        INNER(1, 1, 0);
    else if (operands == 3 && s[0] == 1 && s[2] == 1)
        INNER(1, 0, 1);
    else
        V(inner)(map, operands, count, out, stride, in);
}
#undef INNER

INLINE void V(elementwise)(V(map) map, bool light, int operands, const struct elementwise_args *args, void *const *p)
{
    const struct loop_axis one = {1, {1, 1, 1, 1}};
    const struct loop_axis *innermost = args->rank > 0 ? &args->axis[args->rank - 1] : &one;
    REAL *out = p[0];
    const REAL *in[OPERANDS_MAX] = {p[1], operands > 1 ? p[2] : p[1], operands > 2 ? p[3] : p[1]};
    int64_t at[RANK_MAX] = {0};
    for (int axis = 0; axis < args->rank; axis++)
        if (args->axis[axis].dim == 0)
            return;
    for (;;) {
        V(innermost)(map, light, operands, innermost->dim, out, innermost->stride, in);
        int axis = args->rank - 2;
        for (; axis >= 0; axis--) {
            const struct loop_axis *a = &args->axis[axis];
            const int64_t steps = ++at[axis] < a->dim ? 1 : 1 - a->dim;
            out += steps * a->stride[0];
            for (int o = 0; o < operands; o++)
                in[o] += steps * a->stride[o + 1];
            if (steps == 1)
                break;
            at[axis] = 0;
        }
        if (axis < 0)
            return;
    }
}

#define ONE V(splat)((REAL)1)
#define BIT(condition) ((VEC)((MASK)(condition) & (MASK)ONE))

/* The list of ops: their operands are a, b, c. */
#define KERNELS(KERNEL)                                                                                                \
    KERNEL(Identity, 1, true, a)                                                                                             \
    KERNEL(Neg, 1, true, -a)                                                                                                 \
    KERNEL(Abs, 1, true, V(abs)(a))                                                                                          \
    KERNEL(Sign, 1, true, BIT(a > 0) - BIT(a < 0))                                                                           \
    KERNEL(Reciprocal, 1, true, ONE / a)                                                                                     \
    KERNEL(Square, 1, true, (a) * (a))                                                                                       \
    KERNEL(Sqrt, 1, true, V(sqrt)(a))                                                                                        \
    KERNEL(Exp, 1, false, F(exp)(a))                                                                                        \
    KERNEL(Log, 1, false, F(log)(a))                                                                                        \
    KERNEL(Sin, 1, false, F(sin)(a))                                                                                        \
    KERNEL(Cos, 1, false, F(cos)(a))                                                                                        \
    KERNEL(Tanh, 1, false, F(tanh)(a))                                                                                      \
    KERNEL(Sigmoid, 1, false, F(sigmoid)(a))                                                                                \
    KERNEL(Softplus, 1, false, F(softplus)(a))                                                                              \
    KERNEL(Relu, 1, true, V(max)(a, (VEC){0}))                                                                               \
    KERNEL(Add, 2, true, a + b)                                                                                              \
    KERNEL(Sub, 2, true, a - b)                                                                                              \
    KERNEL(Mul, 2, true, (a) * (b))                                                                                          \
    KERNEL(Div, 2, true, a / b)                                                                                              \
    KERNEL(Pow, 2, false, F(pow)(a, b))                                                                                     \
    KERNEL(Max, 2, true, V(max)(a, b))                                                                                       \
    KERNEL(Min, 2, true, V(min)(a, b))                                                                                       \
    KERNEL(Equal, 2, true, BIT(a == b))                                                                                      \
    KERNEL(NotEqual, 2, true, BIT(a != b))                                                                                   \
    KERNEL(Less, 2, true, BIT(a < b))                                                                                        \
    KERNEL(LessOrEqual, 2, true, BIT(a <= b))                                                                                \
    KERNEL(Greater, 2, true, BIT(a > b))                                                                                     \
    KERNEL(GreaterOrEqual, 2, true, BIT(a >= b))                                                                             \
    KERNEL(Where, 3, true, V(select)(a != 0, b, c))

#define KERNEL(op, operands, light, value)                                                                                    \
    INLINE VEC V(map_##op)(VEC a, VEC b, VEC c)                                                                        \
    {                                                                                                                  \
        (void)b, (void)c;                                                                                              \
        return value;                                                                                                  \
    }                                                                                                                  \
    static void V(run_##op)(const void *args, void *const *p)                                                          \
    {                                                                                                                  \
        V(elementwise)(V(map_##op), light, operands, args, p);                                                                \
    }
KERNELS(KERNEL)
#undef KERNEL

#define ENTRY(op, operands, light, value) [OP_##op] = V(run_##op),
const kernel_fn FOR_ISA(V(elementwise_kernels))[OP_COUNT] = {KERNELS(ENTRY)};
#undef ENTRY
#undef KERNELS
#undef BIT
#undef ONE
