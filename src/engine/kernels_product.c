/* Products, for each dtype: see template_product.h. */
#include "engine/kernels_parts.h"

#define REAL_BITS 32
#include "engine/template_product.h"
#undef REAL_BITS
#define REAL_BITS 64
#include "engine/template_product.h"
