/* Elementary functions with the same bits on every machine, in place of libm's, whose variants differ by CPU.
 * Made of + - * / sqrt, fma and integer work on the exponent only, with explicit fused multiply-adds; functions_vector.h has the
 * algorithms, the sources of the polynomials, and the same functions over vectors. IEEE special values as C's Annex F says. */
#ifndef GRADD_BASE_FUNCTIONS_H
#define GRADD_BASE_FUNCTIONS_H

double fn_exp(double x);
double fn_expm1(double x);
double fn_log(double x);
double fn_log1p(double x);
double fn_sin(double x);
double fn_cos(double x);
double fn_tanh(double x);
double fn_pow(double x, double y);
double fn_sigmoid(double x);  /* 1 / (1 + e^-x) */
double fn_softplus(double x); /* log(1 + e^x), with its relative accuracy far below 0 too */

/* For functions_vector.h alone. */

/* |x| >= 2^20 less a multiple of pi/2: *ret_hi + *ret_lo, of which |hi| <= pi/4; returns the multiple modulo 4, maybe negative. */
int fn_reduce_large(double x, double *ret_hi, double *ret_lo);
/* fn_pow where x is not positive, or one of the two is not finite. */
double fn_pow_special(double x, double y);

#endif
