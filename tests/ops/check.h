/* What every case must satisfy: PyTorch's values, first and second derivatives in float64 and float32, with and without
 * simplification; and central differences of what the engine computes. */
#ifndef GRADD_TESTS_OPS_CHECK_H
#define GRADD_TESTS_OPS_CHECK_H

#include "case.h"

enum { ORDERS = 3 }; /* value, first and second derivative */

/* The worst errors so far, each as a part of the largest element of its tensor, but at least 1. */
struct deviation {
    double from_torch[DTYPE_FLOAT64 + 1][ORDERS];
    double from_differences[ORDERS]; /* of the value none */
};

/* Fails the test if the case does not hold. Adds its errors to `deviation`, which may be NULL. */
void check_case(struct op_case *c, struct deviation *deviation);
/* Fails the test if the engine's first and second derivatives of the case are not what central differences say. Of the
 * case, the gradients and the second derivatives are not read: they become what the engine says. */
void check_differences(struct op_case *c);

#endif
