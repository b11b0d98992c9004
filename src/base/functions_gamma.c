/* lgamma, digamma and polygamma: rare, so lane by lane.
 *
 * For positive arguments polynomials over [1, 3) that keep the zeros exact, the recurrence to 8, and Stirling's series
 * beyond; negative ones are reflected. The series of polygamma is that of Euler and Maclaurin. The polynomials were
 * fitted with the Remez exchange. */
#define FUNCTIONS_VECTOR_BYTES 8
#include "base/functions_vector.h"
#include <math.h>
#include <stdbool.h>

/* A sum of two doubles that do not overlap. */
struct pair {
    double hi, lo;
};

static struct pair sum_of(double a, double b)
{
    double sum = a + b, b_part = sum - a;
    return (struct pair){sum, (a - (sum - b_part)) + (b - b_part)};
}

static struct pair add(struct pair a, struct pair b)
{
    struct pair sum = sum_of(a.hi, b.hi);
    double lo = sum.lo + (a.lo + b.lo), hi = sum.hi + lo;
    return (struct pair){hi, lo - (hi - sum.hi)};
}

static struct pair negative(struct pair a)
{
    return (struct pair){-a.hi, -a.lo};
}

static struct pair multiply(struct pair a, struct pair b)
{
    double product = a.hi * b.hi;
    return (struct pair){product, fma(a.hi, b.hi, -product) + (a.hi * b.lo + a.lo * b.hi)};
}

/* log(x.hi + x.lo) for positive x */
static struct pair log_of(struct pair x)
{
    vf64 lo;
    double hi = v_log_parts(v_splat_f64(x.hi), &lo)[0];
    return (struct pair){hi, lo[0] + x.lo / x.hi};
}

static double polynomial(double x, const double *c, int count)
{
    double y = c[count - 1];
    for (int i = count - 2; i >= 0; i--)
        y = y * x + c[i];
    return y;
}

static bool is_whole(double x)
{
    return x == floor(x);
}

/* sin(pi r) and cos(pi r) of r, |r| <= 1/2 */
static struct pair sin_of_turn(double r, struct pair *ret_cos)
{
    static const struct pair pi = {0x1.921fb54442d18p+1, 0x1.1a62633145c07p-53};
    double a = fabs(r);
    bool steep = a > 0.25;
    struct pair angle = multiply(pi, (struct pair){steep ? 0.5 - a : a, 0});
    vf64 hi = v_splat_f64(angle.hi), lo = v_splat_f64(angle.lo), rest;
    struct pair sin, cos;
    sin.hi = v_sin_parts(hi, lo, &rest)[0];
    sin.lo = rest[0];
    cos.hi = v_cos_parts(hi, lo, &rest)[0];
    cos.lo = rest[0];
    *ret_cos = steep ? sin : cos;
    struct pair y = steep ? cos : sin;
    return r < 0 ? negative(y) : y;
}

/* ---------------------------------------------------------------- lgamma */

/* lgamma(1 + t) for t in -0.27 to 0.5 */
static struct pair lgamma_near_1(double t)
{
    static const double c[] = {
        -0x1.2788cfc6fb619p-1, 0x1.a51a6625307d3p-1, -0x1.9a4d55beab2d8p-2, 0x1.151322ac7d803p-2,
        -0x1.a8b9c17aa5c58p-3, 0x1.5b40cb1012b6bp-3, -0x1.2703a1dd1ff40p-3, 0x1.010b36ad6ed9dp-3,
        -0x1.c806704849d31p-4, 0x1.9a01e426d4588p-4, -0x1.748c3a3c1860bp-4, 0x1.556acdcbe2138p-4,
        -0x1.3b1cc95abc3a8p-4, 0x1.24962cbc70eccp-4, -0x1.112022a7b304cp-4, 0x1.0021dae1ae5afp-4,
        -0x1.e125b6b6d4ef9p-5, 0x1.c351383764686p-5, -0x1.ae2b87bd0cd1ap-5, 0x1.affd267ceac9ap-5,
        -0x1.b42112f47b264p-5, 0x1.700f3f5b696a9p-5, -0x1.999dd47ab5228p-6, 0x1.a8c3ed8f578e1p-8};
    double y = polynomial(t, c, 24);
    const double hi = t * y, lo = fma(t, y, -hi);
    return (struct pair){hi, lo};
}

/* lgamma(2 + t) for t in -0.5 to 1 */
static struct pair lgamma_near_2(double t)
{
    static const double c[] = {
        0x1.b0ee6072093cep-2,   0x1.4a34cc4a60fa6p-2,  -0x1.13e001a557604p-4,  0x1.51322ac7d83fdp-6,
        -0x1.e404fc219040dp-8,  0x1.7add6eadc54d6p-9,  -0x1.38ac5c2b906adp-10, 0x1.0b36af8037e54p-11,
        -0x1.d3fd4c9fb025bp-13, 0x1.a127b3b2c4de7p-14, -0x1.78de59830e850p-15, 0x1.580d70b3edf6fp-16,
        -0x1.3cbc35eff4198p-17, 0x1.259ec52e42f1bp-18, -0x1.11c5dbd7ba5f5p-19, 0x1.00236bf3d6255p-20,
        -0x1.dfc5af1972e57p-22, 0x1.c745389376760p-23, -0x1.c23dfdbd23f84p-24, 0x1.befcc2c17eaf4p-25,
        -0x1.789595bb8ed82p-26, 0x1.a91eb4a099cd6p-28, -0x1.c3680d8af07a7p-31};
    double y = polynomial(t, c, 23);
    const double hi = t * y, lo = fma(t, y, -hi);
    return (struct pair){hi, lo};
}

/* (x - 1/2) (log x - 1) + log(2 pi) / 2 - 1/2 + 1 / (12 x) - ..., for x >= 8 */
static struct pair stirling(double x)
{
    static const double c[] = {0x1.5555555555555p-4,   -0x1.6c16c16c16c0fp-9, 0x1.a01a01a00d84dp-11,
                               -0x1.381381177c0ccp-11, 0x1.b951b7f0084dbp-11, -0x1.f69b32f08eed6p-10,
                               0x1.a25af40a0ca7dp-8,   -0x1.c6b685303f8ffp-6, 0x1.c3538e15b316bp-4};
    struct pair log = add(log_of((struct pair){x, 0}), (struct pair){-1, 0});
    struct pair y = multiply((struct pair){x - 0.5, 0}, log);
    if (isinf(y.hi))
        return (struct pair){y.hi, 0};
    y = add(y, (struct pair){0x1.acfe390c97d69p-2, 0x1.3494bc9001442p-56});
    return add(y, (struct pair){polynomial(1 / x / x, c, 9) / x, 0});
}

/* for positive finite x */
static struct pair lgamma_positive(double x)
{
    if (x < 0x1p-60)
        return negative(log_of((struct pair){x, 0}));
    if (x < 0.73)
        return add(negative(log_of((struct pair){x, 0})), x <= 0.5 ? lgamma_near_1(x) : lgamma_near_2(x - 1));
    if (x < 1.5)
        return lgamma_near_1(x - 1);
    if (x >= 8)
        return stirling(x);
    struct pair product = {1, 0};
    while (x >= 3) {
        x -= 1; /* exact */
        product = multiply(product, (struct pair){x, 0});
    }
    struct pair y = lgamma_near_2(x - 2);
    return product.hi == 1 ? y : add(log_of(product), y);
}

double fn_lgamma(double x)
{
    if (isnan(x))
        return x;
    if (isinf(x) || (x <= 0 && is_whole(x)))
        return HUGE_VAL;
    if (x == 1 || x == 2)
        return 0;
    if (x > 0 || x > -0x1p-60)
        return lgamma_positive(fabs(x)).hi;
    /* gamma(x) gamma(-x) = -pi / (x sin(pi x)) */
    static const struct pair log_pi = {0x1.250d048e7a1bdp+0, 0x1.7abf2ad8d5088p-57};
    struct pair cos;
    struct pair product = multiply(sin_of_turn(fabs(x - rint(x)), &cos), (struct pair){-x, 0});
    struct pair y = add(log_pi, negative(log_of(product)));
    return add(y, negative(lgamma_positive(-x))).hi;
}

/* ---------------------------------------------------------------- digamma */

/* digamma(1 + u) for u in 0 to 1: (u - u0) times a polynomial of it, u0 the zero */
static double digamma_near_1(double u)
{
    static const double c[] = {
        0x1.ef72bc8ee38acp-1,  -0x1.c563b54aa1a35p-2,  0x1.08b4294d50382p-2,  -0x1.4fc1317257d9ep-3,
        0x1.b9a5b6370eea5p-4,  -0x1.27baba261d41ap-4,  0x1.8fce02b26d608p-5,  -0x1.0fa7ec36832c2p-5,
        0x1.723d67f6ca9cdp-6,  -0x1.f97050936d1e8p-7,  0x1.5955ce06596aap-7,  -0x1.d828094855a45p-8,
        0x1.42e1426df0bf0p-8,  -0x1.b9af4b43906f5p-9,  0x1.2e2bd6bdb42e8p-9,  -0x1.9d716fe4c5b09p-10,
        0x1.1a58e005601f4p-10, -0x1.81eb3daf4b0c6p-11, 0x1.0cc5befdad0d0p-11, -0x1.7598e57a6b20fp-12,
        0x1.c5e746bd2b0a0p-13, -0x1.094ec0912fc32p-13, 0x1.1943327ecdfccp-13, -0x1.1e5bfe8af73dap-13,
        0x1.dec0c215ba3a2p-15};
    double t = (u - 0x1.d8b618d5af8fcp-2) - 0x1.b86a722197829p-54;
    return t * polynomial(t, c, 25);
}

/* for positive finite x */
static double digamma_positive(double x)
{
    static const double c[] = {-0x1.5555555555555p-4, 0x1.1111111111110p-7, -0x1.041041040ed30p-8, 0x1.1111110c675a5p-8,
                               -0x1.f07c174899039p-8, 0x1.5993bdabcdd85p-6, -0x1.550f35fbec987p-4, 0x1.bf6328cb92ee0p-2,
                               -0x1.56703b181c726p+1, 0x1.9a2e8e14ac561p+3};
    if (x < 1)
        return digamma_near_1(x) - 1 / x;
    if (x >= 8) {
        double z = 1 / x / x;
        return fn_log(x) + (z * polynomial(z, c, 10) - 0.5 / x);
    }
    double sum = 0;
    while (x > 2) {
        x -= 1;
        sum += 1 / x;
    }
    return sum + digamma_near_1(x - 1);
}

double fn_digamma(double x)
{
    if (x == 0)
        return -copysign(HUGE_VAL, x);
    if (x > 0)
        return isinf(x) ? x : digamma_positive(x);
    if (isnan(x))
        return x;
    if (isinf(x) || is_whole(x))
        return NAN;
    struct pair cos;
    struct pair sin = sin_of_turn(x - rint(x), &cos);
    return digamma_positive(1 - x) - 0x1.921fb54442d18p+1 * cos.hi / sin.hi;
}

/* ---------------------------------------------------------------- polygamma */

/* q^s times the sum of (q + k)^-s over k >= 0, for q > 0, s >= 2: terms until they vanish, or until Euler and
 * Maclaurin's series for the rest gives all digits. */
static double zeta_scaled(double s, double q)
{
    /* B(2 j) / (2 j)! */
    static const double c[] = {0x1.5555555555555p-4,   -0x1.6c16c16c16c17p-10, 0x1.1566abc011567p-15,
                               -0x1.bbd779334ef0bp-21, 0x1.66a8f2bf70ebep-26,  -0x1.22805d644267fp-31,
                               0x1.d6db2c4e09162p-37,  -0x1.7da4e1f79955cp-42, 0x1.355871d652e9ep-47,
                               -0x1.f57d968caacf1p-53, 0x1.967e1f09c376fp-58,  -0x1.497d9033a2b5cp-63};
    double sum = 0, k = 0, term = 1;
    while (q + k < 10 + 1.5 * s) {
        sum += term;
        k += 1;
        term = fn_exp(-s * fn_log1p(k / q));
        if (term < 0x1p-60)
            return sum;
    }
    double a = q + k, series = 0, factor = s / a;
    for (int j = 0; j < 12; j++) {
        series += c[j] * factor;
        factor *= (s + 2 * j + 1) / a * ((s + 2 * j + 2) / a);
    }
    return sum + term * (a / (s - 1) + (0.5 + series));
}

/* n! / q^(n + 1) * y */
static double polygamma_scaled(double n, double q, double y)
{
    if (n <= 18) { /* n! is exact */
        double factorial = 1, power = fn_pow(q, n + 1);
        for (int i = 2; i <= (int)n; i++)
            factorial *= i;
        if (power > 0x1p-960 && power < 0x1p960)
            return factorial * y / power;
    }
    struct pair logs = multiply((struct pair){n + 1, 0}, log_of((struct pair){q, 0}));
    struct pair exponent = add(lgamma_positive(n + 1), negative(logs));
    if (!(fabs(exponent.hi) < 1500)) /* beyond the least and the largest double, since |y| < 2^1024 and y < q + 2 */
        return exponent.hi < 0 ? y * 0 : y * HUGE_VAL;
    vf64 hi, lo;
    vu64 k = v_exp_parts(v_splat_f64(exponent.hi), v_splat_f64(exponent.lo), &hi, &lo);
    int shift;
    y = frexp(y, &shift);
    return ldexp(y + (y * hi[0] + y * lo[0]), (int)(int64_t)k[0] + shift);
}

/* |f|^s zeta_scaled(s, q) / q^s */
static double zeta_beside(double s, double f, double q)
{
    double weight = fn_exp(-s * fn_log(q / fabs(f)));
    return weight == 0 ? 0 : weight * zeta_scaled(s, q);
}

double fn_polygamma(double n, double x)
{
    if (n == 0)
        return fn_digamma(x);
    if (isnan(x) || isnan(n))
        return NAN;
    if (!(n > 0) || isinf(n) || !is_whole(n) || x == -HUGE_VAL)
        return NAN;
    bool odd = fmod(n, 2) != 0;
    double sign = odd ? 1 : -1, s = n + 1;
    if (x == HUGE_VAL)
        return sign * 0;
    if (x > 0)
        return polygamma_scaled(n, x, sign * zeta_scaled(s, x));
    double f = x - rint(x);
    if (f == 0)
        return sign * HUGE_VAL;
    /* The sum over all whole k, less those below 0. With f = x - (the nearest integer): terms f^-s, (f + 1)^-s, ...,
     * and
     * (-1)^s times (1 - f)^-s, (2 - f)^-s, ... to (-x)^-s. */
    double self = f < 0 && !odd ? -1 : 1;
    double left = zeta_beside(s, f, 1 - f) - zeta_beside(s, f, 1 - x);
    double sum = self + zeta_beside(s, f, 1 + f) + (odd ? left : -left);
    return polygamma_scaled(n, fabs(f), sign * sum);
}
