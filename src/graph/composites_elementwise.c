/* Elementwise ops and activations that are written with others.
 *
 * Which side of a corner is taken is said by a comparison, whose derivative is 0: so the conventions at corners hold
 * for every order. What is computed on a side that is not taken must stay finite: 0 times infinity is no 0. */
#include "graph/composites.h"
#include "graph/words.h"
#include <float.h>
#include <math.h>
#include <string.h>

static node_id compare(struct builder *b, enum op op, node_id x, double y)
{
    return build_binary(b, op, x, build_scalar(b, y));
}

/* -log(1 + e^-x) */
node_id compose_LogSigmoid(struct builder *b, const struct node *n, const node_id *in)
{
    (void)n;
    return negative(b, build_unary(b, OP_Softplus, negative(b, in[0])));
}

node_id compose_Silu(struct builder *b, const struct node *n, const node_id *in)
{
    (void)n;
    return times(b, in[0], build_unary(b, OP_Sigmoid, in[0]));
}

node_id compose_Mish(struct builder *b, const struct node *n, const node_id *in)
{
    (void)n;
    return times(b, in[0], build_unary(b, OP_Tanh, build_unary(b, OP_Softplus, in[0])));
}

/* x Phi(x), Phi the normal distribution, as Erfc has its lower tail; or x Sigmoid(2 u) = x (1 + tanh u) / 2 with u =
 * sqrt(2 / pi) (x + 0.044715 x^3), which is 0 or x beyond 40. */
node_id compose_Gelu(struct builder *b, const struct node *n, const node_id *in)
{
    node_id x = in[0];
    if (strcmp(node_string(n, ATTRIBUTE_approximate), "none") == 0) {
        node_id tail = build_unary(b, OP_Erfc, scaled(b, -0.70710678118654752440, x));
        return times(b, x, scaled(b, 0.5, tail));
    }
    node_id is_far = compare(b, OP_Greater, build_unary(b, OP_Abs, x), 40);
    node_id near = zero_where(b, is_far, x), is_right = compare(b, OP_Greater, x, 0);
    node_id cubic = scaled(b, 0.044715, times(b, near, build_unary(b, OP_Square, near)));
    node_id u = scaled(b, 1.5957691216057307118, plus(b, near, cubic));
    return times(b, x, build_where(b, is_far, is_right, build_unary(b, OP_Sigmoid, u)));
}

/* ---------------------------------------------------------------- corners at 0, which belong to the lower side */

node_id compose_LeakyRelu(struct builder *b, const struct node *n, const node_id *in)
{
    node_id positive = compare(b, OP_Greater, in[0], 0);
    node_id below = scaled(b, node_float(n, ATTRIBUTE_alpha), in[0]);
    return build_where(b, positive, in[0], below);
}

/* scale * (x for x > 0, else alpha * (e^x - 1)) */
static node_id exponential_unit(struct builder *b, node_id x, double scale, double alpha)
{
    node_id positive = compare(b, OP_Greater, x, 0);
    node_id below = scaled(b, scale * alpha, build_unary(b, OP_Expm1, zero_where(b, positive, x)));
    node_id above = scale == 1 ? x : scaled(b, scale, x);
    return build_where(b, positive, above, below);
}

node_id compose_Elu(struct builder *b, const struct node *n, const node_id *in)
{
    return exponential_unit(b, in[0], 1, node_float(n, ATTRIBUTE_alpha));
}

/* Klambauer and others, "Self-Normalizing Neural Networks", equation 14. */
node_id compose_Selu(struct builder *b, const struct node *n, const node_id *in)
{
    (void)n;
    return exponential_unit(b, in[0], 1.0507009873554804934193349852946, 1.6732632423543772848170429916717);
}

/* ---------------------------------------------------------------- two corners */

static double bounded(double x)
{
    return fmin(fmax(x, -DBL_MAX), DBL_MAX);
}

/* The corners are where alpha x + beta is 0 and 1: x itself is compared with them, for alpha x + beta is rounded. */
node_id compose_HardSigmoid(struct builder *b, const struct node *n, const node_id *in)
{
    double alpha = node_float(n, ATTRIBUTE_alpha), beta = node_float(n, ATTRIBUTE_beta);
    if (alpha == 0)
        return build_fill(b, fmin(fmax(beta, 0), 1), n->shape);
    node_id low = compare(b, alpha > 0 ? OP_LessOrEqual : OP_GreaterOrEqual, in[0], bounded(-beta / alpha));
    node_id high = compare(b, alpha > 0 ? OP_GreaterOrEqual : OP_LessOrEqual, in[0], bounded((1 - beta) / alpha));
    node_id between = plus(b, scaled(b, alpha, in[0]), build_scalar(b, beta));
    return zero_where(b, low, build_where(b, high, build_scalar(b, 1), between));
}

/* x (x + 3) / 6 between -3 and 3. */
node_id compose_HardSwish(struct builder *b, const struct node *n, const node_id *in)
{
    (void)n;
    node_id low = compare(b, OP_LessOrEqual, in[0], -3), high = compare(b, OP_GreaterOrEqual, in[0], 3);
    node_id gate = over(b, plus(b, in[0], build_scalar(b, 3)), build_scalar(b, 6));
    return zero_where(b, low, build_where(b, high, in[0], times(b, in[0], gate)));
}

/* min(max(x, least), most): `most` where they cross. */
node_id compose_Clip(struct builder *b, const struct node *n, const node_id *in)
{
    const struct attribute *least = node_attribute(n, ATTRIBUTE_min), *most = node_attribute(n, ATTRIBUTE_max);
    node_id value = in[0];
    if (least && most && least->number > most->number)
        return build_fill(b, most->number, n->shape);
    if (least) {
        node_id below = compare(b, OP_Less, in[0], least->number);
        value = build_where(b, below, build_scalar(b, least->number), value);
    }
    if (most) {
        node_id above = compare(b, OP_Greater, in[0], most->number);
        value = build_where(b, above, build_scalar(b, most->number), value);
    }
    return value;
}
