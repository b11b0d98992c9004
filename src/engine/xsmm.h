/* Machine code for small products, from LIBXSMM's code generator: x86-64 with FMA, where the build found LIBXSMM.
 *
 * A call of our own kernels costs as much as a product of a few hundred elements. Code that was made for one shape has
 * no such cost; above that, it is no faster than ours, so only small shapes are compiled. Of the library only the
 * generator is used: a function of a shape, without initialisation, threads, signals, environment or output.
 *
 * Code is made at plan time, tried on a probe against our own kernel, and dropped if one bit differs. It is shared by
 * all plans and kept for ever, at most XSMM_CODES_MOST of a few pages each; further shapes, shapes whose code would not
 * sum in the order of k, and processes that may not have executable memory keep our own kernels. */
#ifndef GRADD_ENGINE_XSMM_H
#define GRADD_ENGINE_XSMM_H

#include "engine/kernels.h"

enum { XSMM_CODES_MOST = 1024 };

/* Code for all of g's result, for the instruction set and the dtype of `kernels`; NULL: there is none. Ask when
 * `c_kept` is set. Any thread may. */
product_code xsmm_code(const struct product_args *g, const struct kernels_of_dtype *kernels, enum dtype dtype);

#endif
