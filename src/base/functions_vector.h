/* The elementary functions of functions.h over vectors of the compiler, for float64 and float32, with the same bits on
 * every instruction set and at every width: each lane is computed by the same + - * / and fma.
 *
 * Define FUNCTIONS_VECTOR_BYTES (8, 16, 32, 64) before including: the width of vf64, vf32 and their integers. One width
 * a translation unit. Compile with -ffp-contract=off. The names are v_<function>_f64 and v_<function>_f32.
 *
 * No branches, but for lanes that are rare: those are done by a function of functions.c, one lane at a time (arguments
 * of sin and cos beyond 2^20; pow of what is not positive or not finite). IEEE special values come out as C's Annex F
 * says; a denormal is a number like any other. The worst errors that were found, in ulp of the result, stand beside
 * each function.
 *
 * Sources: reductions by multiples of ln 2 and pi/2 after Cody and Waite; log, log1p, the polynomials of sin and cos
 * from FreeBSD's msun (Sun Microsystems, 1993); the other polynomials were fitted with the Remez exchange. */
#ifndef GRADD_BASE_FUNCTIONS_VECTOR_H
#define GRADD_BASE_FUNCTIONS_VECTOR_H

#include "base/functions_vector_circle.h"
#include "base/functions_vector_exp.h"
#include "base/functions_vector_hyperbolic.h"
#include "base/functions_vector_lanes.h"
#include "base/functions_vector_special.h"

#endif
