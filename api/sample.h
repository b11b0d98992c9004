/* Which points of a cost history to show where not all are wanted. */
#ifndef GRADD_API_SAMPLE_H
#define GRADD_API_SAMPLE_H

#include "store/store.h"

enum { SAMPLE_LEAST = 4 };

/* Marks at most `wanted` (SAMPLE_LEAST and up) of the points, fewer than there are: the first, the last, those of the
 * lowest and the highest cost, and some at even distances. `marks`: `count` zeros. */
void sample_points(const struct cost_point *points, size_t count, size_t wanted, unsigned char *marks);

#endif
