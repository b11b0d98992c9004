/* Names for all nodes of a graph. */
#ifndef GRADD_GRAPH_NAMING_H
#define GRADD_GRAPH_NAMING_H

#include "base/arena.h"
#include "graph/graph.h"

/* A name for each node, in the arena: its own, else _1, _2, ... in the order of the program, past the names that are
 * taken. The nodes' own names are borrowed from the graph. */
err_code graph_names(const struct graph *g, struct arena *arena, const char ***ret, struct error *err);

#endif
