/* The chain rule, as a transformation of graphs: gradients are more graph.
 *
 * The walk is the lesson's: from `of` backwards, each node's rule looks at that node, its inputs and the gradient that
 * arrived, and appends ordinary nodes; contributions add up where paths meet. Rules build ops, so a gradient can be
 * differentiated again, to any order. Every shape must be concrete (graph_bind), and Grad nodes
 * and composites expanded (expand_grads). */
#ifndef GRADD_AUTODIFF_GRADIENT_H
#define GRADD_AUTODIFF_GRADIENT_H

#include "graph/graph.h"

/* Appends to g the gradient of <cotangent, of> with respect to each of wrt (leaves or inner nodes). cotangent: a node
 * of of's shape, or NODE_NONE for ones. ret: `count` ids, NODE_NONE where `of` does not depend on the node (its
 * gradient is zero). */
err_code gradient(struct graph *g, node_id of, node_id cotangent, const node_id *wrt, size_t count, node_id *ret,
                  struct error *err);

/* A new graph in which every Grad node is its gradient (innermost first; zeros where nothing depends) and every
 * composite its definition. ret_map: graph_size(g) ids, old to new. Names and places are kept. */
err_code expand_grads(const struct graph *g, struct graph **ret, node_id *ret_map, struct error *err);

#endif
