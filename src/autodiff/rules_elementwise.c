/* Leaves, and the ops that work element by element. At a kink or a tie the convention is that of ops.def; the
 * comparisons that choose a side have derivative 0, so the convention holds for every order. */
#include "autodiff/rules.h"

/* ---------------------------------------------------------------- nothing flows */

const struct rule rule_Input = {0};
const struct rule rule_Constant = {0};
const struct rule rule_Sign = {0};
const struct rule rule_Floor = {0};
const struct rule rule_Ceil = {0};
const struct rule rule_Round = {0};
const struct rule rule_StopGradient = {0};
const struct rule rule_Equal = {0};
const struct rule rule_NotEqual = {0};
const struct rule rule_Less = {0};
const struct rule rule_LessOrEqual = {0};
const struct rule rule_Greater = {0};
const struct rule rule_GreaterOrEqual = {0};

/* ---------------------------------------------------------------- one operand */

static node_id identity(struct builder *b, const struct link *l, size_t input)
{
    (void)b, (void)input;
    return l->g;
}
const struct rule rule_Identity = {.vjp = identity};

static node_id neg(struct builder *b, const struct link *l, size_t input)
{
    (void)input;
    return negative(b, l->g);
}
const struct rule rule_Neg = {.vjp = neg};

static node_id absolute(struct builder *b, const struct link *l, size_t input)
{
    return times(b, l->g, build_unary(b, OP_Sign, l->x[input]));
}
const struct rule rule_Abs = {.vjp = absolute};

static node_id reciprocal(struct builder *b, const struct link *l, size_t input)
{
    (void)input;
    return negative(b, times(b, l->g, build_unary(b, OP_Square, l->y)));
}
const struct rule rule_Reciprocal = {.vjp = reciprocal};

static node_id square(struct builder *b, const struct link *l, size_t input)
{
    return times(b, l->g, scaled(b, 2, l->x[input]));
}
const struct rule rule_Square = {.vjp = square};

static node_id square_root(struct builder *b, const struct link *l, size_t input)
{
    (void)input;
    return over(b, l->g, scaled(b, 2, l->y));
}
const struct rule rule_Sqrt = {.vjp = square_root};

static node_id exponential(struct builder *b, const struct link *l, size_t input)
{
    (void)input;
    return times(b, l->g, l->y);
}
const struct rule rule_Exp = {.vjp = exponential};

static node_id logarithm(struct builder *b, const struct link *l, size_t input)
{
    return over(b, l->g, l->x[input]);
}
const struct rule rule_Log = {.vjp = logarithm};

static node_id log1p_of(struct builder *b, const struct link *l, size_t input)
{
    return over(b, l->g, plus(b, build_scalar(b, 1), l->x[input]));
}
const struct rule rule_Log1p = {.vjp = log1p_of};

/* e^x, which y + 1 has lost far below 0. */
static node_id expm1_of(struct builder *b, const struct link *l, size_t input)
{
    return times(b, l->g, build_unary(b, OP_Exp, l->x[input]));
}
const struct rule rule_Expm1 = {.vjp = expm1_of};

static node_id sine(struct builder *b, const struct link *l, size_t input)
{
    return times(b, l->g, build_unary(b, OP_Cos, l->x[input]));
}
const struct rule rule_Sin = {.vjp = sine};

static node_id cosine(struct builder *b, const struct link *l, size_t input)
{
    return negative(b, times(b, l->g, build_unary(b, OP_Sin, l->x[input])));
}
const struct rule rule_Cos = {.vjp = cosine};

/* 1 + y^2 */
static node_id tangent(struct builder *b, const struct link *l, size_t input)
{
    (void)input;
    return times(b, l->g, plus(b, build_scalar(b, 1), build_unary(b, OP_Square, l->y)));
}
const struct rule rule_Tan = {.vjp = tangent};

/* 1 - x^2, to be read. To compute, near the ends (1 - x) (1 + x), whose own derivative would lose digits near 0. */
static node_id one_minus_square(struct builder *b, const struct link *l)
{
    node_id x = l->x[0];
    if (l->shown)
        return one_minus(b, build_unary(b, OP_Square, x));
    node_id inner = build_binary(b, OP_Less, build_unary(b, OP_Abs, x), build_scalar(b, 0.5));
    node_id middle = one_minus(b, build_unary(b, OP_Square, x));
    node_id left = one_minus(b, x), right = plus(b, build_scalar(b, 1), x);
    return build_where(b, inner, middle, times(b, left, right));
}

static node_id arc_sine(struct builder *b, const struct link *l, size_t input)
{
    (void)input;
    return over(b, l->g, build_unary(b, OP_Sqrt, one_minus_square(b, l)));
}
const struct rule rule_Asin = {.vjp = arc_sine};

static node_id arc_cosine(struct builder *b, const struct link *l, size_t input)
{
    return negative(b, arc_sine(b, l, input));
}
const struct rule rule_Acos = {.vjp = arc_cosine};

/* sqrt(1 + x^2), which is |x| where the square could overflow. */
static node_id hypotenuse(struct builder *b, node_id x)
{
    node_id one = build_scalar(b, 1);
    node_id is_far = build_binary(b, OP_Greater, build_unary(b, OP_Abs, x), build_scalar(b, 1e9));
    node_id far = build_unary(b, OP_Abs, build_where(b, is_far, x, one));
    node_id near = plus(b, one, build_unary(b, OP_Square, zero_where(b, is_far, x)));
    return build_where(b, is_far, far, build_unary(b, OP_Sqrt, near));
}

/* 1 / (1 + x^2), whose square, in the next derivative, would vanish too early. */
static node_id arc_tangent(struct builder *b, const struct link *l, size_t input)
{
    if (l->shown)
        return over(b, l->g, plus(b, build_scalar(b, 1), build_unary(b, OP_Square, l->x[input])));
    node_id cosine_of_y = build_unary(b, OP_Reciprocal, hypotenuse(b, l->x[input]));
    return times(b, l->g, build_unary(b, OP_Square, cosine_of_y));
}
const struct rule rule_Atan = {.vjp = arc_tangent};

static node_id hyperbolic_sine(struct builder *b, const struct link *l, size_t input)
{
    return times(b, l->g, build_unary(b, OP_Cosh, l->x[input]));
}
const struct rule rule_Sinh = {.vjp = hyperbolic_sine};

static node_id hyperbolic_cosine(struct builder *b, const struct link *l, size_t input)
{
    return times(b, l->g, build_unary(b, OP_Sinh, l->x[input]));
}
const struct rule rule_Cosh = {.vjp = hyperbolic_cosine};

static node_id area_sine(struct builder *b, const struct link *l, size_t input)
{
    if (!l->shown)
        return over(b, l->g, hypotenuse(b, l->x[input]));
    node_id square = build_unary(b, OP_Square, l->x[input]);
    return over(b, l->g, build_unary(b, OP_Sqrt, plus(b, build_scalar(b, 1), square)));
}
const struct rule rule_Asinh = {.vjp = area_sine};

/* 1 / (sqrt(x - 1) sqrt(x + 1)): no overflow, and NaN below 1. */
static node_id area_cosine(struct builder *b, const struct link *l, size_t input)
{
    node_id one = build_scalar(b, 1);
    node_id left = build_unary(b, OP_Sqrt, minus(b, l->x[input], one));
    node_id right = build_unary(b, OP_Sqrt, plus(b, l->x[input], one));
    return over(b, over(b, l->g, left), right);
}
const struct rule rule_Acosh = {.vjp = area_cosine};

static node_id area_tangent(struct builder *b, const struct link *l, size_t input)
{
    (void)input;
    return over(b, l->g, one_minus_square(b, l));
}
const struct rule rule_Atanh = {.vjp = area_tangent};

/* ---------------------------------------------------------------- error functions, gamma functions */

/* y falls faster than any power of x grows, so x meets it first: g x may overflow where y is 0. */
static node_id bell(struct builder *b, const struct link *l, size_t input)
{
    return times(b, l->g, times(b, scaled(b, -2, l->x[input]), l->y));
}
const struct rule rule_Bell = {.vjp = bell};

#define TWO_OVER_SQRT_PI 1.1283791670955125739

static node_id error_function(struct builder *b, const struct link *l, size_t input)
{
    node_id density = scaled(b, TWO_OVER_SQRT_PI, build_unary(b, OP_Bell, l->x[input]));
    return times(b, l->g, density);
}
const struct rule rule_Erf = {.vjp = error_function};

static node_id error_function_beyond(struct builder *b, const struct link *l, size_t input)
{
    return negative(b, error_function(b, l, input));
}
const struct rule rule_Erfc = {.vjp = error_function_beyond};

static node_id log_gamma(struct builder *b, const struct link *l, size_t input)
{
    return times(b, l->g, build_unary(b, OP_Digamma, l->x[input]));
}
const struct rule rule_Lgamma = {.vjp = log_gamma};

static node_id polygamma_of(struct builder *b, const struct link *l, size_t input, int64_t n)
{
    const struct attribute order = attribute_int(ATTRIBUTE_n, n);
    return times(b, l->g, build_op(b, OP_Polygamma, &l->x[input], 1, &order, 1));
}

static node_id digamma(struct builder *b, const struct link *l, size_t input)
{
    return polygamma_of(b, l, input, 1);
}
const struct rule rule_Digamma = {.vjp = digamma};

static node_id polygamma(struct builder *b, const struct link *l, size_t input)
{
    return polygamma_of(b, l, input, node_int(&l->node, ATTRIBUTE_n) + 1);
}
const struct rule rule_Polygamma = {.vjp = polygamma};

/* ---------------------------------------------------------------- sigmoids and corners */

/* The formulas of textbooks use y, which costs nothing; but 1 - y has no digits where y is all but 1. So they are for
 * the nodes that a client wrote, as the lesson has them, and of those that derivatives and definitions are made of, the
 * derivative keeps its digits. */
static bool is_written(const struct link *l)
{
    return l->shown || l->node.name || l->node.place.line || l->node.place.pointer;
}

/* 1 - y^2 = 4 s'(2 x) with s = Sigmoid */
static node_id tangens_hyperbolicus(struct builder *b, const struct link *l, size_t input)
{
    if (is_written(l))
        return times(b, l->g, one_minus(b, build_unary(b, OP_Square, l->y)));
    node_id slope = build_unary(b, OP_SigmoidSlope, scaled(b, 2, l->x[input]));
    return times(b, l->g, scaled(b, 4, slope));
}
const struct rule rule_Tanh = {.vjp = tangens_hyperbolicus};

/* y (1 - y) */
static node_id sigmoid(struct builder *b, const struct link *l, size_t input)
{
    if (!is_written(l))
        return times(b, l->g, build_unary(b, OP_SigmoidSlope, l->x[input]));
    node_id first = times(b, l->g, l->y);
    return times(b, first, one_minus(b, l->y));
}
const struct rule rule_Sigmoid = {.vjp = sigmoid};

/* y (1 - 2 s) = -y tanh(x / 2) */
static node_id sigmoid_slope(struct builder *b, const struct link *l, size_t input)
{
    node_id tanh = build_unary(b, OP_Tanh, scaled(b, 0.5, l->x[input]));
    return negative(b, times(b, times(b, l->g, l->y), tanh));
}
const struct rule rule_SigmoidSlope = {.vjp = sigmoid_slope};

static node_id softplus(struct builder *b, const struct link *l, size_t input)
{
    return times(b, l->g, build_unary(b, OP_Sigmoid, l->x[input]));
}
const struct rule rule_Softplus = {.vjp = softplus};

/* 1 / (1 + |x|)^2 */
static node_id softsign(struct builder *b, const struct link *l, size_t input)
{
    node_id bottom = plus(b, build_scalar(b, 1), build_unary(b, OP_Abs, l->x[input]));
    return times(b, l->g, build_unary(b, OP_Square, build_unary(b, OP_Reciprocal, bottom)));
}
const struct rule rule_Softsign = {.vjp = softsign};

static node_id ln_cosh(struct builder *b, const struct link *l, size_t input)
{
    return times(b, l->g, build_unary(b, OP_Tanh, l->x[input]));
}
const struct rule rule_LnCosh = {.vjp = ln_cosh};

/* y > 0 just where x > 0; so x need not be kept. */
static node_id relu(struct builder *b, const struct link *l, size_t input)
{
    (void)input;
    node_id positive = build_binary(b, OP_Greater, l->y, build_scalar(b, 0));
    return where_else_zero(b, positive, l->g);
}
const struct rule rule_Relu = {.vjp = relu};

/* The same mask: the attributes carry its ordinal. */
static node_id dropout(struct builder *b, const struct link *l, size_t input)
{
    (void)input;
    return build_op(b, OP_Dropout, &l->g, 1, l->node.attributes, l->node.attribute_count);
}
const struct rule rule_Dropout = {.vjp = dropout};

/* ---------------------------------------------------------------- two operands and more */

const struct rule rule_Add = {.vjp = identity};

static node_id sub(struct builder *b, const struct link *l, size_t input)
{
    return input == 0 ? l->g : negative(b, l->g);
}
const struct rule rule_Sub = {.vjp = sub};

static node_id mul(struct builder *b, const struct link *l, size_t input)
{
    return times(b, l->g, l->x[1 - input]);
}
const struct rule rule_Mul = {.vjp = mul};

static node_id divide(struct builder *b, const struct link *l, size_t input)
{
    if (input == 0)
        return over(b, l->g, l->x[1]);
    return negative(b, times(b, l->g, over(b, l->y, l->x[1])));
}
const struct rule rule_Div = {.vjp = divide};

/* Half to each where a and b are equal. `wins` is the comparison under which a is the result. */
static node_id extremum(struct builder *b, const struct link *l, size_t input, enum op wins)
{
    node_id mine = l->x[input], other = l->x[1 - input];
    node_id tie = build_binary(b, OP_Equal, mine, other);
    node_id shared = where_else_zero(b, tie, scaled(b, 0.5, l->g));
    return build_where(b, build_binary(b, wins, mine, other), l->g, shared);
}

static node_id max(struct builder *b, const struct link *l, size_t input)
{
    return extremum(b, l, input, OP_Greater);
}
const struct rule rule_Max = {.vjp = max};

static node_id min(struct builder *b, const struct link *l, size_t input)
{
    return extremum(b, l, input, OP_Less);
}
const struct rule rule_Min = {.vjp = min};

static node_id where(struct builder *b, const struct link *l, size_t input)
{
    return input == 1 ? where_else_zero(b, l->x[0], l->g) : zero_where(b, l->x[0], l->g);
}
const struct rule rule_Where = {.vjp = where, .blocked = 1u << 0};

/* ---------------------------------------------------------------- powers */

/* x^e, by x, for a number e: no logarithm, and Square and x themselves rather than powers of 2 and 1, so that 2 x and 3
 * x^2 are exact. */
static node_id power_by_base_to_number(struct builder *b, const struct link *l, double e)
{
    node_id x = l->x[0];
    if (e == 0)
        return NODE_NONE;
    if (e == 1)
        return l->g;
    node_id first = times(b, l->g, build_scalar(b, e));
    if (e == 2)
        return times(b, first, x);
    if (e == 3)
        return times(b, first, build_unary(b, OP_Square, x));
    return times(b, first, build_binary(b, OP_Pow, x, build_scalar(b, e - 1)));
}

/* x where it is not at the corner, 1 there: what is computed of it stays finite, and nothing flows back to x. */
static node_id away_from(struct builder *b, node_id corner, node_id x)
{
    return build_where(b, corner, build_scalar(b, 1), x);
}

/* e x^(e-1), and 0 at x = e = 0, where that would be 0 * inf. */
static node_id power_by_base(struct builder *b, const struct link *l)
{
    node_id x = l->x[0], e = l->x[1];
    node_id x_is_zero = build_binary(b, OP_Equal, x, build_scalar(b, 0));
    node_id e_is_zero = build_binary(b, OP_Equal, e, build_scalar(b, 0));
    node_id corner = times(b, x_is_zero, e_is_zero);
    node_id base = away_from(b, corner, x);
    node_id power = build_binary(b, OP_Pow, base, minus(b, e, build_scalar(b, 1)));
    return zero_where(b, corner, times(b, times(b, l->g, e), power));
}

/* x^e log x, and 0 at x = 0 for e >= 0. */
static node_id power_by_exponent(struct builder *b, const struct link *l)
{
    node_id x = l->x[0], e = l->x[1];
    double base;
    if (rule_number(b->graph, x, &base) && base > 0) {
        node_id first = times(b, l->g, l->y);
        return times(b, first, build_unary(b, OP_Log, x));
    }
    node_id x_is_zero = build_binary(b, OP_Equal, x, build_scalar(b, 0));
    node_id e_is_not_negative = build_binary(b, OP_GreaterOrEqual, e, build_scalar(b, 0));
    node_id away = away_from(b, times(b, x_is_zero, e_is_not_negative), x);
    node_id first = times(b, l->g, build_binary(b, OP_Pow, away, e));
    return times(b, first, build_unary(b, OP_Log, away));
}

static node_id power(struct builder *b, const struct link *l, size_t input)
{
    double e;
    if (input == 1)
        return power_by_exponent(b, l);
    return rule_number(b->graph, l->x[1], &e) ? power_by_base_to_number(b, l, e) : power_by_base(b, l);
}
const struct rule rule_Pow = {.vjp = power};

/* ---------------------------------------------------------------- angles */

/* By y: x / (x^2 + y^2); by x: -y / (x^2 + y^2). Both operands are divided by the larger one first, a constant to
 * every derivative, so that no square overflows or vanishes. */
static node_id angle(struct builder *b, const struct link *l, size_t input)
{
    node_id size[2], part[2];
    for (int i = 0; i < 2; i++)
        size[i] = build_unary(b, OP_Abs, l->x[i]);
    node_id scale = build_unary(b, OP_StopGradient, build_binary(b, OP_Max, size[0], size[1]));
    for (int i = 0; i < 2; i++)
        part[i] = over(b, l->x[i], scale);
    node_id left = build_unary(b, OP_Square, part[0]), right = build_unary(b, OP_Square, part[1]);
    node_id by = over(b, over(b, part[1 - input], plus(b, left, right)), scale);
    return input == 0 ? times(b, l->g, by) : negative(b, times(b, l->g, by));
}
const struct rule rule_Atan2 = {.vjp = angle};
