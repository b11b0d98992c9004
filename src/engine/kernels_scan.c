/* CumSum, ArgMax and ReduceL2, for each dtype: see template_scan.h. */
#include "engine/kernels_parts.h"

#define REAL_BITS 32
#include "engine/template_scan.h"
#undef REAL_BITS
#define REAL_BITS 64
#include "engine/template_scan.h"
