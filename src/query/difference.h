/* The derivative of a function of one number, by differences, held against what it is said to be. Knows no graphs. */
#ifndef GRADD_QUERY_DIFFERENCE_H
#define GRADD_QUERY_DIFFERENCE_H

#include "base/error.h"

typedef err_code number_function(void *context, double x, double *ret);

struct difference {
    double value;          /* the central difference; of a kink the side's that is nearer */
    double relative_error; /* to the larger of both, or to what rounding leaves */
    bool ok;
};

/* What the function says of `derivative` at x. Errors are the function's. */
err_code difference_check(number_function *f, void *context, double x, double derivative, struct difference *ret);

#endif
