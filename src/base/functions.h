/* Elementary functions with the same bits on every machine, in place of libm's, whose variants differ by CPU.
 * Made of + - * / sqrt, fma and integer work on the exponent only, with explicit fused multiply-adds; see functions.c for the sources of the
 * polynomials. Errors in ulp, worst found, stand beside each. IEEE special values as C's Annex F says. */
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

#endif
