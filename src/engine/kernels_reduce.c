/* Reductions, softmax and losses, for each dtype: see template_reduce.h. */
#include "engine/kernels_parts.h"

#define REAL_BITS 32
#include "engine/template_reduce.h"
#undef REAL_BITS
#define REAL_BITS 64
#include "engine/template_reduce.h"
