/* The derivative rules: how the gradient of a node becomes the gradients of its inputs.
 *
 * A rule is a function of one node and one of its inputs, written in ordinary ops, so that it can be differentiated
 * again. It knows neither paths nor accumulation (gradient.c) nor broadcasting: what it returns has the input's shape,
 * or the shape that broadcasting made of it, and rule_apply() sums that back. rules_*.c have one rule for each OP of
 * ops.def; one that is missing does not link. A COMPOSITE has none: expand_grads() has replaced it by then.
 *
 * Nodes are appended in the order of evaluation, which C leaves open among the arguments of a call. The order of nodes
 * must be the same under every compiler, so no call here has two arguments that append nodes. */
#ifndef GRADD_AUTODIFF_RULES_H
#define GRADD_AUTODIFF_RULES_H

#include "graph/words.h"

/* Where an input of a Concat begins along the axis: kept from one input to the next, so that many inputs are no
 * quadratic search. */
struct cursor {
    size_t input;
    int64_t start;
};

/* One link of the chain: the node y = op(x[0], x[1], ...), and the gradient g that arrived at it, of y's shape. */
struct link {
    struct node node; /* a copy, for shape and attributes: appending may move the graph's own */
    const node_id *x;
    node_id y;
    node_id g;
    bool shown;            /* the formula is read, not computed: the one that textbooks have may lose digits */
    struct cursor *cursor; /* starts as {0}, one for each node */
};

/* The gradient by x[input]; NODE_NONE where it is zero. */
typedef node_id (*vector_jacobian)(struct builder *b, const struct link *l, size_t input);

struct rule {
    vector_jacobian vjp; /* NULL: the derivative is 0 */
    uint32_t blocked;    /* bit i: nothing flows to input i */
};

#define OP(name, least, most, attributes, shape_rule) extern const struct rule rule_##name;
#define COMPOSITE(name, least, most, attributes, shape_rule)
#include "graph/ops.def"

/* Whether a gradient can flow from a node of this op to that input. */
bool rule_flows(enum op op, size_t input);

/* The gradient by x[input], in its shape; NODE_NONE where it is zero (and after a failure, which b keeps). */
node_id rule_apply(struct builder *b, const struct link *l, size_t input);

/* Whether a node is a scalar without a name, written as a number or as minus a number: nobody can differentiate by it.
 */
bool rule_number(const struct graph *g, node_id id, double *ret);

#endif
