#include "query/difference.h"
#include <float.h>
#include <math.h>

enum { LEVELS = 6, SCALES = 4 };

/* First steps, in units of max(|x|, 1): a kink may be near. */
static const double first_steps[SCALES] = {0.0625, 0.00048828125, 3.814697265625e-06, 2.98023223876953125e-08};

static const double SIDE_STEP = 1e-8;            /* to the left and the right of a kink, in the same units */
static const double TOLERANCE = 1e-6;            /* relative, of a difference that converged */
static const double CONVERGED = 1e-5;            /* the estimate of error of one that did, relative to its value */
static const double ROUNDING = 16 * DBL_EPSILON; /* of a function's value, relative */
/* What rounding may leave of a derivative of zero after the shortest step, relative to the function's value. */
static const double NOISE = 1e-5;

struct estimate {
    double value, error; /* error INFINITY: none was found */
    double size;         /* of the function's values */
};

/* Ridders' tableau: central differences of steps that halve, extrapolated; the entry that agrees best with both it was
 * made of. */
static err_code extrapolate(number_function *f, void *context, double x, double step, double at_x, struct estimate *ret)
{
    double table[LEVELS][LEVELS];
    *ret = (struct estimate){.value = NAN, .error = INFINITY};
    for (int i = 0; i < LEVELS; i++) {
        double high, low, above = x + step, below = x - step;
        err_code code = f(context, above, &high);
        if (code == ERR_ok)
            code = f(context, below, &low);
        if (code != ERR_ok)
            return code;
        table[0][i] = (high - low) / (above - below);
        double size = fmax(fabs(at_x), fmax(fabs(high), fabs(low))), rounding = ROUNDING * size / step, factor = 1;
        for (int j = 1; j <= i; j++) {
            factor *= 4;
            table[j][i] = (table[j - 1][i] * factor - table[j - 1][i - 1]) / (factor - 1);
            double error =
                fmax(fabs(table[j][i] - table[j - 1][i]), fabs(table[j][i] - table[j - 1][i - 1])) + rounding;
            if (error < ret->error) /* not where it is NaN */
                *ret = (struct estimate){table[j][i], error, size};
        }
        step /= 2;
    }
    return ERR_ok;
}

/* The derivatives from both sides. */
static err_code take_sides(number_function *f, void *context, double x, double step, double at_x, double *ret_left,
                           double *ret_right)
{
    double high, low, above = x + step, below = x - step;
    err_code code = f(context, above, &high);
    if (code == ERR_ok)
        code = f(context, below, &low);
    if (code == ERR_ok) {
        *ret_right = (high - at_x) / (above - x);
        *ret_left = (at_x - low) / (x - below);
    }
    return code;
}

/* Whether a derivative lies between those from the left and from the right, which differ at a kink: of a smooth
 * function the gap shrinks with the step. */
static err_code check_sides(number_function *f, void *context, double x, double at_x, double derivative,
                            struct difference *d)
{
    double step = SIDE_STEP * fmax(fabs(x), 1), left, right, near_left, near_right;
    err_code code = take_sides(f, context, x, step, at_x, &left, &right);
    if (code == ERR_ok)
        code = take_sides(f, context, x, step / 2, at_x, &near_left, &near_right);
    if (code != ERR_ok)
        return code;
    double slack = 1e-4 * fmax(fabs(right), fabs(left)) + ROUNDING * fabs(at_x) / step, gap = fabs(right - left);
    bool kink = gap > 2 * slack && fabs(near_right - near_left) > 0.75 * gap;
    if (kink && derivative >= fmin(left, right) - slack && derivative <= fmax(left, right) + slack) {
        d->ok = true;
        d->relative_error = 0;
        d->value = fabs(derivative - left) < fabs(derivative - right) ? left : right;
    }
    return ERR_ok;
}

err_code difference_check(number_function *f, void *context, double x, double derivative, struct difference *ret)
{
    struct estimate best = {.value = NAN, .error = INFINITY};
    double at_x;
    err_code code = f(context, x, &at_x);
    for (int i = 0; code == ERR_ok && i < SCALES; i++) {
        struct estimate e;
        code = extrapolate(f, context, x, first_steps[i] * fmax(fabs(x), 1), at_x, &e);
        if (code == ERR_ok && e.error < best.error)
            best = e;
    }
    if (code != ERR_ok)
        return code;
    double larger = fmax(fabs(derivative), fabs(best.value)), apart = fabs(derivative - best.value);
    bool converged = isfinite(at_x) && isfinite(best.error) && best.error <= CONVERGED * larger + NOISE * best.size;
    struct difference d = {.value = best.value, .relative_error = apart / fmax(larger, best.error)};
    d.ok = converged && apart <= TOLERANCE * larger + 4 * best.error;
    if (d.ok && larger == 0)
        d.relative_error = 0;
    if (!d.ok)
        code = check_sides(f, context, x, at_x, derivative, &d);
    if (code == ERR_ok)
        *ret = d;
    return code;
}
