/* Words for formulas over builder.h: what derivative rules and the definitions of composites are written in.
 *
 * Nodes are appended in the order of evaluation, which C leaves open among the arguments of a call; the order of nodes
 * must be the same under every compiler, so no call may have two arguments that append nodes. */
#ifndef GRADD_GRAPH_WORDS_H
#define GRADD_GRAPH_WORDS_H

#include "graph/builder.h"

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
