#include "api/sample.h"

/* Marks the points of the lowest and of the highest cost among those from `first` to before `end`. NaN is neither. */
static void mark_extremes(const struct cost_point *points, size_t first, size_t end, unsigned char *marks)
{
    size_t low = first, high = first;
    for (size_t i = first; i < end; i++) {
        low = points[i].cost < points[low].cost || points[low].cost != points[low].cost ? i : low;
        high = points[i].cost > points[high].cost || points[high].cost != points[high].cost ? i : high;
    }
    marks[low] = marks[high] = 1;
}

void sample_points(const struct cost_point *points, size_t count, size_t wanted, unsigned char *marks)
{
    const size_t buckets = (wanted - 2) / 2, inner = count - 2;
    marks[0] = marks[count - 1] = 1;
    for (size_t b = 0; b < buckets; b++)
        mark_extremes(points, 1 + inner * b / buckets, 1 + inner * (b + 1) / buckets, marks);
}
