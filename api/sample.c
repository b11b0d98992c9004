#include "api/sample.h"

void sample_points(const struct cost_point *points, size_t count, size_t wanted, unsigned char *marks)
{
    size_t lowest = 0, highest = 0;
    for (size_t i = 1; i < count; i++) {
        if (points[i].cost < points[lowest].cost)
            lowest = i;
        if (points[i].cost > points[highest].cost)
            highest = i;
    }
    marks[lowest] = marks[highest] = 1;
    size_t even = wanted - 2; /* 2 and up: the first and the last are among them */
    for (size_t k = 0; k < even; k++)
        marks[k * (count - 1) / (even - 1)] = 1; /* both at most ten million */
}
