/* Fills, rows by index, one-hot and Dropout, for each dtype: see template_move.h. */
#include "engine/kernels_parts.h"

#define REAL_BITS 32
#include "engine/template_move.h"
#undef REAL_BITS
#define REAL_BITS 64
#include "engine/template_move.h"
