/* Elementwise kernels of one dtype. A template: see vector.h.
 *
 * A kernel walks the outer axes like an odometer and runs the innermost as a loop over vectors, for operands that are
 * contiguous (stride 1) or repeated (stride 0). Those of any other stride are collected in a buffer first. */
#include "engine/vector.h"

/* The function of up to three vectors that makes a kernel an op's. */
typedef VEC (*V(map))(VEC a, VEC b, VEC c);

/* `count` elements from p + i on, or one of them repeated. */
INLINE VEC V(operand)(const REAL *p, int64_t stride, int64_t i, int64_t count)
{
    if (stride == 0)
        return V(splat)(*p);
    return count == WIDTH ? V(load)(p + i) : V(load_partial)(p + i, count);
}

/* One innermost loop; strides are 0 or 1. After inlining, strides that are constants choose the loads, and operands
 * that are not used vanish. */
INLINE void V(inner)(V(map) map, int operands, int64_t count, REAL *out, const int64_t *stride, const REAL *const *in)
{
    for (int64_t i = 0; i < count; i += WIDTH) {
        const int64_t left = count - i < WIDTH ? count - i : WIDTH;
        VEC v[OPERANDS_MAX] = {{0}, {0}, {0}};
        for (int o = 0; o < operands; o++)
            v[o] = V(operand)(in[o], stride[o], i, left);
        if (left == WIDTH)
            V(store)(out + i, map(v[0], v[1], v[2]));
        else
            V(store_partial)(out + i, map(v[0], v[1], v[2]), left);
    }
}

/* The innermost loop for strides that are constants. */
#define INNER(s1, s2, s3) V(inner)(map, operands, count, out, (const int64_t[]){s1, s2, s3}, in)

/* `light`: the function is so cheap that the choice of loads shows: it is compiled once for each. */
INLINE void V(innermost)(V(map) map, bool light, int operands, int64_t count, REAL *out, const int64_t *stride,
                         const REAL *const *in)
{
    const int64_t *s = stride;
    if (!light)
        V(inner)(map, operands, count, out, stride, in);
    else if (operands == 1 && s[0] == 1)
        INNER(1, 0, 0);
    else if (operands == 2 && s[0] == 1 && s[1] == 1)
        INNER(1, 1, 0);
    else if (operands == 2 && s[0] == 1)
        INNER(1, 0, 0);
    else if (operands == 2 && s[1] == 1)
        INNER(0, 1, 0);
    else
        V(inner)(map, operands, count, out, stride, in);
}
#undef INNER

enum { V(STAGED) = 256 }; /* elements of a buffer */

/* Up to that many elements of any stride, made contiguous, and back. */
static __attribute__((noinline)) void V(collect)(REAL *buffer, const REAL *p, int64_t stride, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        buffer[i] = p[i * stride];
}

static __attribute__((noinline)) void V(spread)(const REAL *buffer, REAL *p, int64_t stride, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        p[i * stride] = buffer[i];
}

/* The innermost axis, whatever its strides. */
INLINE void V(axis)(V(map) map, bool light, int operands, const struct loop_axis *axis, REAL *out,
                    const REAL *const *in)
{
    REAL buffers[1 + OPERANDS_MAX][V(STAGED)];
    int64_t stride[OPERANDS_MAX] = {0};
    const REAL *from[OPERANDS_MAX] = {NULL};
    bool staged = axis->stride[0] != 1;
    for (int o = 0; o < operands; o++) {
        stride[o] = axis->stride[o + 1] == 0 ? 0 : 1;
        staged = staged || axis->stride[o + 1] != stride[o];
    }
    const int64_t most = staged ? V(STAGED) : axis->dim;
    for (int64_t i = 0; i < axis->dim; i += most) {
        const int64_t count = axis->dim - i < most ? axis->dim - i : most;
        REAL *to = axis->stride[0] == 1 ? out + i : buffers[OPERANDS_MAX];
        for (int o = 0; o < operands; o++) {
            from[o] = in[o] + i * axis->stride[o + 1];
            if (axis->stride[o + 1] == stride[o])
                continue;
            V(collect)(buffers[o], from[o], axis->stride[o + 1], count);
            from[o] = buffers[o];
        }
        V(innermost)(map, light, operands, count, to, stride, from);
        if (axis->stride[0] != 1)
            V(spread)(to, out + i * axis->stride[0], axis->stride[0], count);
    }
}

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
        V(axis)(map, light, operands, innermost, out, in);
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
    KERNEL(Identity, 1, true, a)                                                                                       \
    KERNEL(Neg, 1, true, -a)                                                                                           \
    KERNEL(Abs, 1, true, V(abs)(a))                                                                                    \
    KERNEL(Sign, 1, true, BIT(a > 0) - BIT(a < 0))                                                                     \
    KERNEL(Reciprocal, 1, true, ONE / a)                                                                               \
    KERNEL(Square, 1, true, (a) * (a))                                                                                 \
    KERNEL(Sqrt, 1, true, V(sqrt)(a))                                                                                  \
    KERNEL(Exp, 1, false, F(exp)(a))                                                                                   \
    KERNEL(Log, 1, false, F(log)(a))                                                                                   \
    KERNEL(Sin, 1, false, F(sin)(a))                                                                                   \
    KERNEL(Cos, 1, false, F(cos)(a))                                                                                   \
    KERNEL(Tanh, 1, false, F(tanh)(a))                                                                                 \
    KERNEL(Sigmoid, 1, false, F(sigmoid)(a))                                                                           \
    KERNEL(Softplus, 1, false, F(softplus)(a))                                                                         \
    KERNEL(Relu, 1, true, V(max)(a, (VEC){0}))                                                                         \
    KERNEL(Add, 2, true, a + b)                                                                                        \
    KERNEL(Sub, 2, true, a - b)                                                                                        \
    KERNEL(Mul, 2, true, (a) * (b))                                                                                    \
    KERNEL(Div, 2, true, a / b)                                                                                        \
    KERNEL(Pow, 2, false, F(pow)(a, b))                                                                                \
    KERNEL(Max, 2, true, V(max)(a, b))                                                                                 \
    KERNEL(Min, 2, true, V(min)(a, b))                                                                                 \
    KERNEL(Equal, 2, true, BIT(a == b))                                                                                \
    KERNEL(NotEqual, 2, true, BIT(a != b))                                                                             \
    KERNEL(Less, 2, true, BIT(a < b))                                                                                  \
    KERNEL(LessOrEqual, 2, true, BIT(a <= b))                                                                          \
    KERNEL(Greater, 2, true, BIT(a > b))                                                                               \
    KERNEL(GreaterOrEqual, 2, true, BIT(a >= b))                                                                       \
    KERNEL(Where, 3, true, V(select)(a != 0, b, c))

#define KERNEL(op, operands, light, value)                                                                             \
    INLINE VEC V(map_##op)(VEC a, VEC b, VEC c)                                                                        \
    {                                                                                                                  \
        (void)b, (void)c;                                                                                              \
        return value;                                                                                                  \
    }                                                                                                                  \
    static void V(run_##op)(const void *args, void *const *p)                                                          \
    {                                                                                                                  \
        V(elementwise)(V(map_##op), light, operands, args, p);                                                         \
    }
KERNELS(KERNEL)
#undef KERNEL

const kernel_fn FOR_ISA(V(elementwise_kernels))[OP_COUNT] = {KERNELS(ENTRY)};
#undef KERNELS
#undef BIT
#undef ONE
