/* The derivative rules: how the gradient of a node becomes the gradients of its inputs.
 *
 * A rule is a function of one node and one of its inputs, written in ordinary ops, so that it can be differentiated
 * again. It knows neither paths nor accumulation (gradient.c) nor broadcasting: what it returns has the input's shape,
 * or the shape that broadcasting made of it, and rule_apply() sums that back. rules_*.c have one rule for each line of
 * ops.def; one that is missing does not link.
 *
 * Nodes are appended in the order of evaluation, which C leaves open among the arguments of a call. The order of nodes
 * must be the same under every compiler, so no call here has two arguments that append nodes. */
#ifndef GRADD_AUTODIFF_RULES_H
#define GRADD_AUTODIFF_RULES_H

#include "graph/builder.h"

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
    struct cursor *cursor; /* starts as {0}, one for each node */
};

/* The gradient by x[input]; NODE_NONE where it is zero. */
typedef node_id (*vector_jacobian)(struct builder *b, const struct link *l, size_t input);

struct rule {
    vector_jacobian vjp; /* NULL: the derivative is 0 */
    uint32_t blocked;    /* bit i: nothing flows to input i */
};

#define OP(name, least, most, attributes, shape_rule) extern const struct rule rule_##name;
#include "graph/ops.def"
#undef OP

/* Whether a gradient can flow from a node of this op to that input. */
bool rule_flows(enum op op, size_t input);

/* The gradient by x[input], in its shape; NODE_NONE where it is zero (and after a failure, which b keeps). */
node_id rule_apply(struct builder *b, const struct link *l, size_t input);

/* Whether a node is a scalar without a name, written as a number or as minus a number: nobody can differentiate by it.
 */
bool rule_number(const struct graph *g, node_id id, double *ret);

/* The words that rules are written in. */
static inline node_id plus(struct builder *b, node_id x, node_id y)
{
    return build_binary(b, OP_Add, x, y);
}

static inline node_id minus(struct builder *b, node_id x, node_id y)
{
    return build_binary(b, OP_Sub, x, y);
}

static inline node_id times(struct builder *b, node_id x, node_id y)
{
    return build_binary(b, OP_Mul, x, y);
}

static inline node_id over(struct builder *b, node_id x, node_id y)
{
    return build_binary(b, OP_Div, x, y);
}

static inline node_id negative(struct builder *b, node_id x)
{
    return build_unary(b, OP_Neg, x);
}

/* 1 - x */
static inline node_id one_minus(struct builder *b, node_id x)
{
    return minus(b, build_scalar(b, 1), x);
}

/* c * x */
static inline node_id scaled(struct builder *b, double c, node_id x)
{
    return times(b, build_scalar(b, c), x);
}

/* x where the condition holds, else 0; so an infinite x does no harm where it does not hold. */
static inline node_id where_else_zero(struct builder *b, node_id condition, node_id x)
{
    return build_where(b, condition, x, build_scalar(b, 0));
}

static inline node_id zero_where(struct builder *b, node_id condition, node_id x)
{
    return build_where(b, condition, build_scalar(b, 0), x);
}

static inline struct attribute attribute_int(enum attribute_key key, int64_t value)
{
    return (struct attribute){.key = key, .kind = KIND_INT, .integer = value};
}

static inline struct attribute attribute_ints(enum attribute_key key, const int64_t *items, size_t count)
{
    return (struct attribute){.key = key, .kind = KIND_INTS, .ints = {.items = items, .count = count}};
}

#endif
