/* Graphs from programs, for the tests of autodiff. Inputs of all programs: x, y, z of shape (2), s and t scalars, X
 * (3,2), W (2,2), b (2). */
#ifndef GRADD_TESTS_UNIT_AUTODIFF_FIXTURE_H
#define GRADD_TESTS_UNIT_AUTODIFF_FIXTURE_H

#include "graph/graph.h"
#include "support/near.h"

/* Fails the test where the program has a mistake. */
struct graph *graph_of(const char *program, size_t nodes_max);
/* How many nodes of an op the graph has. */
size_t count_of(const struct graph *g, enum op op);
/* A chain of that many Sin nodes on x; returns the last. */
node_id chain(struct graph *g, size_t length);

#endif
