/* The derivatives of one node by its inputs, as formulas to read: "g * s1 * (1 - s1)". */
#ifndef GRADD_AUTODIFF_LOCAL_H
#define GRADD_AUTODIFF_LOCAL_H

#include "graph/graph.h"

/* Makes a small graph of its own, for notation_print_formula(): ret_roots[i] is what flows to input i of the node when
 * `g` arrives, NODE_NONE where nothing flows. Its leaves are the node's inputs and the node itself, and `g` (`g_1`
 * where one of them has that name); names[id] is the name of node id of g, for those that have none too; numbers stand
 * as they are. Where the same node is an input several times, each has the sum. A Grad node has no formula: nothing
 * flows. That of a composite comes from its definition. Shapes of g must be concrete. *ret is the caller's; ret_roots
 * has room for the node's inputs. */
err_code local_derivatives(const struct graph *g, node_id node, const char *const *names, struct graph **ret,
                           node_id *ret_roots, struct error *err);

#endif
