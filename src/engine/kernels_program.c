/* Programs and reductions, for each dtype: see template_program.h, template_reduction.h. */
#include "engine/kernels_parts.h"

#define REAL_BITS 32
#include "engine/template_program.h"
#include "engine/template_reduction.h"
#undef REAL_BITS
#define REAL_BITS 64
#include "engine/template_program.h"
#include "engine/template_reduction.h"
