/* Windows: the places along the spatial axes of (n,c,h,w) or (n,c,w) where a kernel of Conv or a pool lies. */
#ifndef GRADD_GRAPH_WINDOWS_H
#define GRADD_GRAPH_WINDOWS_H

#include "graph/graph.h"

enum { SPATIAL_MAX = 2 };

/* Along one axis: window o has its element i at o * stride + i * dilation - begin. What lies before the first element
 * or beyond the last one, up to `begin` and `end` of them, is padding. */
struct window {
    int64_t kernel, stride, dilation, begin, end;
};

/* The windows of a node that has attributes of windows, an axis each, and how many axes there are. Of Conv and
 * FoldWindows, whose kernel is the shape of an operand, `kernel` is 0. */
int node_windows(const struct node *n, struct window ret[SPATIAL_MAX]);

#endif
