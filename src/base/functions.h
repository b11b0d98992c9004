/* Elementary functions with the same bits on every machine, in place of libm's, whose variants differ by CPU.
 * Made of + - * / sqrt, fma and integer work on the exponent only, with explicit fused multiply-adds;
 * functions_vector.h has the algorithms, the sources of the polynomials, and the same functions over vectors. IEEE
 * special values as C's Annex F says. */
#ifndef GRADD_BASE_FUNCTIONS_H
#define GRADD_BASE_FUNCTIONS_H

#include <stdint.h>

double fn_floor(double x);
double fn_ceil(double x);
double fn_round(double x); /* halves to the even integer */
double fn_exp(double x);
double fn_expm1(double x);
double fn_log(double x);
double fn_log1p(double x);
double fn_sin(double x);
double fn_cos(double x);
double fn_tan(double x);
double fn_asin(double x);
double fn_acos(double x);
double fn_atan(double x);
double fn_atan2(double y, double x); /* the angle of the point (x, y) */
double fn_sinh(double x);
double fn_cosh(double x);
double fn_tanh(double x);
double fn_asinh(double x);
double fn_acosh(double x);
double fn_atanh(double x);
double fn_erf(double x);
double fn_erfc(double x);    /* 1 - erf x, with its relative accuracy in the tail */
double fn_lgamma(double x);  /* log |gamma(x)|; infinite at 0, -1, ... */
double fn_digamma(double x); /* lgamma'; at 0 infinite, of the sign of -x; NaN at -1, -2, ... */
/* The n-th derivative of digamma, for whole n >= 0; (-1)^(n + 1) * infinity at 0, -1, ...; NaN for other n. */
double fn_polygamma(double n, double x);
double fn_pow(double x, double y);
double fn_sigmoid(double x);  /* 1 / (1 + e^-x) */
double fn_softplus(double x); /* log(1 + e^x), with its relative accuracy far below 0 too */

/* For functions_vector.h alone: the lanes of a vector that are rare, one by one. The others are left as they are. */

/* Where |x| > FN_REDUCE_LARGE: x less a multiple of pi/2 is hi + lo, of which |hi| <= pi/4; the low two
 * bits of quadrant are the multiple's. NaN for an infinity. */
#define FN_REDUCE_LARGE 0x1p20
void fn_reduce_lanes(int lanes, const double *x, uint64_t *quadrant, double *hi, double *lo);
/* Where x is not positive and finite, or y is not finite: x^y. */
void fn_pow_lanes(int lanes, const double *x, const double *y, double *result);

#endif
