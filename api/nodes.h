/* Nodes of graphs as JSON, the same wherever they are shown: in models, graphs and traces. */
#ifndef GRADD_API_NODES_H
#define GRADD_API_NODES_H

#include "api/reply.h"
#include "graph/graph.h"

/* The attributes of a node as an object, by name; what is optional and not given is left out. */
void put_attributes(struct json *j, const struct node *n, bool flat);

/* All nodes as an array of {"name", "op", "inputs", "attributes", "shape"}; `names` has one for each (graph/naming.h).
 */
void put_nodes(struct json *j, const struct graph *g, const char *const *names, bool flat);

#endif
