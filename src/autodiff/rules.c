#include "autodiff/rules.h"

/* expand_grads() comes first; whoever differentiates without it has a bug, and must not be told that nothing flows. */
static node_id refuse(struct builder *b, const struct link *l, size_t input)
{
    (void)input;
    b->code = error_set(b->err, ERR_internal, "a %s node is differentiated before it is expanded", op_name(l->node.op));
    return NODE_NONE;
}
const struct rule rule_Grad = {.vjp = refuse};
static const struct rule unexpanded = {.vjp = refuse};

static const struct rule *const rules[OP_COUNT] = {
#define OP(name, least, most, attributes, shape_rule) [OP_##name] = &rule_##name,
#define COMPOSITE(name, least, most, attributes, shape_rule) [OP_##name] = &unexpanded,
#include "graph/ops.def"
};

bool rule_flows(enum op op, size_t input)
{
    const struct rule *rule = rules[op];
    return rule->vjp && !(input < 32 && rule->blocked >> input & 1u);
}

node_id rule_apply(struct builder *b, const struct link *l, size_t input)
{
    if (b->code != ERR_ok || !rule_flows(l->node.op, input))
        return NODE_NONE;
    node_id gradient = rules[l->node.op]->vjp(b, l, input);
    if (b->code != ERR_ok || gradient == NODE_NONE)
        return NODE_NONE;
    struct shape shape = build_shape(b, l->x[input]);
    return shape_equal(build_shape(b, gradient), shape) ? gradient : build_reduce_to(b, gradient, shape);
}

bool rule_number(const struct graph *g, node_id id, double *ret)
{
    const struct node *n = graph_node(g, id);
    bool negated = n->op == OP_Neg && !n->name;
    if (negated)
        n = graph_node(g, n->inputs[0]);
    if (n->op != OP_Constant || n->name || n->shape.rank != 0)
        return false;
    double value = tensor_get(node_tensor(n, ATTRIBUTE_value), 0);
    *ret = negated ? -value : value;
    return true;
}
