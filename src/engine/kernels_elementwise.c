/* Elementwise ops, for each dtype: see template_elementwise.h. */
#include "engine/kernels_parts.h"

/* An op of the template's list, as an entry of its table. */
#define ENTRY(op, operands, value) [OP_##op] = V(run_##op),

#define REAL_BITS 32
#include "engine/template_elementwise.h"
#undef REAL_BITS
#define REAL_BITS 64
#include "engine/template_elementwise.h"
