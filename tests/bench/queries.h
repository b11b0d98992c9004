/* Benchmarks of queries, without HTTP. */
#ifndef GRADD_BENCH_QUERIES_H
#define GRADD_BENCH_QUERIES_H

#include "child.h"

/* The gradient of seed's cost by its parameters, at batch 1 and 32: one run of its plan, the whole question with its
 * plan in the cache, and what making the plan takes. A line each. */
void bench_gradients(struct child *torch);

/* The Hessian of tab's cost times a vector: the gradient of (gradient . v), beside the gradient alone. A line. */
void bench_hessian_product(struct child *torch);

/* Of the gradient of seed's cost: reading its body, the whole question, and printing its answer. A line for batch 1 and
 * one for 32. */
void bench_parts(void);

#endif
