/* Windows and pools, for each dtype: see template_windows.h. */
#include "engine/kernels_parts.h"

#define REAL_BITS 32
#include "engine/template_windows.h"
#undef REAL_BITS
#define REAL_BITS 64
#include "engine/template_windows.h"
