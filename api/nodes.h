/* Nodes of graphs as JSON, the same wherever they are shown: in models, graphs and traces. */
#ifndef GRADD_API_NODES_H
#define GRADD_API_NODES_H

#include "api/reply.h"
#include "graph/graph.h"

/* The attributes of a node as an object, by name; what is optional and not given is left out. */
void put_attributes(struct json *j, const struct node *n, bool flat);

#endif
