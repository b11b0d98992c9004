/* Initial values of parameters. Every element is a function of (seed, the parameter's place, the element's place),
 * computed in double and rounded once to the model's dtype; square roots are the only function called, so the bits are
 * the same everywhere. */
#include "base/rng.h"
#include "base/size.h"
#include "graph/model.h"
#include <math.h>
#include <stdlib.h>

/* What flows into and out of a unit: (in, out) of a matrix; of a convolution (out, in, ...) times the elements of its
 * window; of a vector its length, both. */
static void fans(struct shape s, double *ret_in, double *ret_out)
{
    double window = 1;
    for (int i = 2; i < s.rank; i++)
        window *= (double)s.dim[i];
    double first = s.rank > 0 ? (double)s.dim[0] : 1, second = s.rank > 1 ? (double)s.dim[1] : first;
    bool is_window = s.rank > 2;
    *ret_in = (is_window ? second : first) * window;
    *ret_out = (is_window ? first : second) * window;
}

/* ---- orthogonal */

/* The product of the two sides and the shorter one again is the work. */
#define ORTHOGONAL_WORK_MAX ((int64_t)1 << 32)

/* In four sums that are added in a fixed order. */
static double dot(const double *a, const double *b, size_t n)
{
    double sums[4] = {0};
    size_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (size_t k = 0; k < 4; k++)
            sums[k] += a[i + k] * b[i + k];
    for (; i < n; i++)
        sums[0] += a[i] * b[i];
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

/* Makes the `count` rows of `length` elements orthonormal: modified Gram-Schmidt, each row twice (Giraud, Langou,
 * Rozloznik 2005: twice is enough). The diagonal of R is positive, which makes the result unique and uniformly
 * distributed. */
static void orthonormalize(double *rows, size_t count, size_t length)
{
    for (size_t r = 0; r < count; r++) {
        double *row = rows + r * length;
        for (int pass = 0; pass < 2; pass++) {
            for (size_t before = 0; before < r; before++) {
                const double *other = rows + before * length;
                double along = dot(row, other, length);
                for (size_t i = 0; i < length; i++)
                    row[i] -= along * other[i];
            }
        }
        double norm = sqrt(dot(row, row, length));
        for (size_t i = 0; norm > 0 && i < length; i++)
            row[i] /= norm;
    }
}

/* The first axis against the rest: the shorter side's vectors are orthonormal. */
static err_code fill_orthogonal(struct tensor *t, const struct rng *random, struct error *err)
{
    int64_t elements = tensor_elements(t), first = t->shape.rank > 0 ? t->shape.dim[0] : 1;
    if (elements == 0)
        return ERR_ok;
    int64_t rest = elements / first, shorter = first < rest ? first : rest, work;
    if (!int64_mul(elements, shorter, &work) || work > ORTHOGONAL_WORK_MAX)
        return error_set(err, ERR_limit_exceeded,
                         "an orthogonal matrix of %lld by %lld is too much work: the limit is about 1600 by 1600",
                         (long long)first, (long long)rest);
    size_t count = (size_t)shorter, length = (size_t)(elements / shorter);
    double *rows = reallocarray(NULL, (size_t)elements, sizeof *rows);
    if (!rows)
        return error_set(err, ERR_out_of_memory, "no memory for initial values");
    for (size_t i = 0; i < (size_t)elements; i++)
        rows[i] = rng_normal(random, i);
    orthonormalize(rows, count, length);
    bool transposed = first > rest;
    for (size_t r = 0; r < count; r++)
        for (size_t i = 0; i < length; i++)
            tensor_set(t, (int64_t)(transposed ? i * count + r : r * length + i), rows[r * length + i]);
    free(rows);
    return ERR_ok;
}

/* ---- the rest */

static void fill_constant(struct tensor *t, double value)
{
    for (int64_t i = 0, n = tensor_elements(t); i < n; i++)
        tensor_set(t, i, value);
}

static void fill_normal(struct tensor *t, const struct rng *random, double deviation)
{
    for (int64_t i = 0, n = tensor_elements(t); i < n; i++)
        tensor_set(t, i, deviation * rng_normal(random, (uint64_t)i));
}

/* [low, high) */
static void fill_uniform(struct tensor *t, const struct rng *random, double low, double high)
{
    for (int64_t i = 0, n = tensor_elements(t); i < n; i++)
        tensor_set(t, i, low + (high - low) * rng_uniform(random, (uint64_t)i));
}

static void fill_within(struct tensor *t, const struct rng *random, double limit)
{
    fill_uniform(t, random, -limit, limit);
}

static err_code fill(struct tensor *t, enum initializer init, const struct rng *random, struct error *err)
{
    double in, out;
    fans(t->shape, &in, &out);
    switch (init) {
    case INIT_ZEROS:
    case INIT_VALUE:
        break;
    case INIT_ONES:
        fill_constant(t, 1);
        break;
    case INIT_NORMAL:
        fill_normal(t, random, 1);
        break;
    case INIT_UNIFORM:
        fill_uniform(t, random, 0, 1);
        break;
    case INIT_GLOROT_UNIFORM:
        fill_within(t, random, sqrt(6 / (in + out)));
        break;
    case INIT_GLOROT_NORMAL:
        fill_normal(t, random, sqrt(2 / (in + out)));
        break;
    case INIT_HE_UNIFORM:
        fill_within(t, random, sqrt(6 / in));
        break;
    case INIT_HE_NORMAL:
        fill_normal(t, random, sqrt(2 / in));
        break;
    case INIT_ORTHOGONAL:
        return fill_orthogonal(t, random, err);
    }
    return ERR_ok;
}

static err_code make_parameter(const struct model *m, size_t index, struct tensor **ret, struct error *err)
{
    const struct parameter *p = &m->parameters[index];
    if (p->init == INIT_VALUE)
        return tensor_cast(p->value, m->dtype, ret, err);
    err_code code = tensor_new(m->dtype, graph_node(m->graph, p->node)->shape, ret, err);
    if (code != ERR_ok)
        return code;
    struct rng random = {.seed = m->seed, .purpose = RNG_INITIAL, .ordinal = (uint32_t)index};
    return fill(*ret, p->init, &random, err);
}

err_code model_initial(const struct model *m, struct tensor ***ret, struct error *err)
{
    struct tensor **tensors = calloc(m->parameter_count + 1, sizeof(struct tensor *));
    if (!tensors)
        return error_set(err, ERR_out_of_memory, "no memory for initial values");
    err_code code = ERR_ok;
    for (size_t i = 0; code == ERR_ok && i < m->parameter_count; i++)
        code = make_parameter(m, i, &tensors[i], err);
    if (code != ERR_ok) {
        tensors_free(tensors, m->parameter_count);
        return code;
    }
    *ret = tensors;
    return ERR_ok;
}
