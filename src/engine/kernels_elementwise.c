/* Elementwise ops, for each dtype: see template_elementwise.h. */
#include "engine/kernels_parts.h"

#define REAL_BITS 32
#include "engine/template_elementwise.h"
#undef REAL_BITS
#define REAL_BITS 64
#include "engine/template_elementwise.h"
