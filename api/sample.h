/* Which points of a cost history to show where not all are wanted. */
#ifndef GRADD_API_SAMPLE_H
#define GRADD_API_SAMPLE_H

#include "store/store.h"

enum { SAMPLE_LEAST = 4 };

/* Marks at most `wanted` (SAMPLE_LEAST and up) of the points, fewer than there are: the first, the last, and of each
 * bucket of as many points the one of the lowest and the one of the highest cost, so that a drawing of them shows every
 * peak. `marks`: `count` zeros. */
void sample_points(const struct cost_point *points, size_t count, size_t wanted, unsigned char *marks);

#endif
