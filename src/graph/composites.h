/* Composites: ops that are written with other ops.
 *
 * A client's graph has the op that was written; autodiff/expand.c replaces it by its definition before anything is
 * differentiated or planned, so a composite needs neither a derivative rule nor a kernel. Each COMPOSITE of ops.def has
 * one function compose_<Name> in composites_*.c; one that is missing does not link. A definition consists of ops that
 * are no composites. It must keep the digits of the value and of its derivatives: where that takes a formula of its
 * own for the derivative, the op is a primitive. */
#ifndef GRADD_GRAPH_COMPOSITES_H
#define GRADD_GRAPH_COMPOSITES_H

#include "graph/builder.h"

bool op_is_composite(enum op op);

/* Appends the definition of a composite node to b's graph, where `in` are its inputs, of concrete shapes; returns the
 * node of its value, which may be an input. Of `n`, op, attributes and shape count. */
node_id compose(struct builder *b, const struct node *n, const node_id *in);

typedef node_id composite_fn(struct builder *b, const struct node *n, const node_id *in);

#define OP(name, least, most, attributes, shape_rule)
#define COMPOSITE(name, least, most, attributes, shape_rule) composite_fn compose_##name;
#include "graph/ops.def"

#endif
