/* LBFGS: a quasi-Newton method for a full batch. It follows a direction that the last `history` changes of the gradient
 * make out of it (Nocedal, "Updating Quasi-Newton Matrices with Limited Storage", 1980), as far as a line search says
 * that keeps the strong Wolfe conditions (Nocedal, Wright, "Numerical Optimization", 2006, algorithms 3.5 and 3.6).
 * Agrees with PyTorch's torch.optim.LBFGS with line_search_fn="strong_wolfe".
 *
 * It is no update of one parameter, but drives a function of all of them, as one vector of doubles. Sums are taken in
 * the order of the elements, so the bits are the same on every machine. */
#ifndef GRADD_TRAIN_LBFGS_H
#define GRADD_TRAIN_LBFGS_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lbfgs_settings {
    size_t history;          /* changes that are remembered; 1 and up */
    int64_t max_evaluations; /* in one step: when they are reached, no other iteration begins; there are at most 4/5 as
                                many iterations, and one at least, as PyTorch has it */
    double tolerance_gradient, tolerance_change;
};

/* The function to minimise: its value at x (n), and its gradient (n). */
struct lbfgs_function {
    err_code (*evaluate)(void *context, const double *x, double *ret_value, double *ret_gradient, struct error *err);
    void *context;
};

/* Doubles that it remembers between steps: zeros at first. And those that it works with within a step. Both for n
 * elements; SIZE_MAX if it is more. */
size_t lbfgs_memory(size_t n, size_t history);
size_t lbfgs_scratch(size_t n, size_t history);

/* One step: iterations until a tolerance or a limit is reached. x (n) is moved; an element of a direction of 0 stays.
 * *ret_value is the function's value where the step began, and its failures are returned. A value that is not finite
 * ends the step there if it is the first; one within a line search is too far. */
err_code lbfgs_step(const struct lbfgs_settings *settings, const struct lbfgs_function *f, double rate, size_t n,
                    double *x, double *memory, double *scratch, double *ret_value, struct error *err);

#endif
