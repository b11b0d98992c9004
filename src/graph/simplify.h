/* Simplification, after differentiation: rebuilds what the outputs need, with equal nodes made one (hash-consing),
 * identities gone (x * 1, x / 1, x + 0 where calculus made the 0, transpose of transpose, reshape of reshape, expand to
 * the same shape), and scalar + - * / and unary minus of constants folded. 0 * x is never folded: x may be infinite. */
#ifndef GRADD_GRAPH_SIMPLIFY_H
#define GRADD_GRAPH_SIMPLIFY_H

#include "graph/graph.h"

/* *ret has every Input of g that an output needs, by name. ret_outputs: `count` ids in the new graph. Names of other
 * nodes are kept where they survive. */
err_code graph_simplify(const struct graph *g, const node_id *outputs, size_t count, struct graph **ret,
                        node_id *ret_outputs, struct error *err);

#endif
