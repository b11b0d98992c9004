#include "autodiff/local.h"

#include "autodiff/gradient.h"
#include "autodiff/rules.h"
#include "graph/composites.h"
#include "graph/simplify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Nodes that a rule may append for one input; that a definition and its derivatives may have. */
enum { RULE_NODES_MAX = 64, DEFINITION_NODES_MAX = 100000 };

struct local {
    struct builder b;
    const struct graph *from;
    const char *const *names;
    node_id *leaves; /* of a node of `from`, its leaf + 1; 0: none yet */
    node_id *inputs; /* leaves of the node's inputs */
    node_id *sums;   /* of a leaf, what flows to it; NODE_NONE: nothing */
};

/* The leaf that stands for a node; a number that has no name stands for itself. */
static node_id leaf_of(struct local *l, node_id id)
{
    const struct node *n = graph_node(l->from, id);
    double value;
    if (l->leaves[id] == 0) {
        node_id leaf =
            rule_number(l->from, id, &value) ? build_scalar(&l->b, value) : build_input(&l->b, l->names[id], n->shape);
        l->leaves[id] = leaf + 1;
    }
    return l->leaves[id] - 1;
}

/* A leaf for what arrives, under a name that is free. */
static node_id arriving(struct builder *b, struct shape shape)
{
    char name[32] = "g";
    for (size_t i = 1; graph_find(b->graph, name) != NODE_NONE; i++)
        (void)snprintf(name, sizeof name, "g_%zu", i);
    return build_input(b, name, shape);
}

static void by_rule(struct local *l, struct link *link, node_id *ret_roots)
{
    size_t count = link->node.input_count;
    for (size_t i = 0; i < count && l->b.code == ERR_ok; i++) {
        node_id flows = rule_apply(&l->b, link, i), *sum = &l->sums[l->inputs[i]];
        if (flows != NODE_NONE)
            *sum = *sum == NODE_NONE ? flows : plus(&l->b, *sum, flows);
    }
    for (size_t i = 0; i < count && l->b.code == ERR_ok; i++)
        ret_roots[i] = l->sums[l->inputs[i]];
}

/* The formulas of a composite are those of its definition, simplified. */
static void by_definition(struct local *l, const struct link *link, node_id *ret_roots)
{
    size_t count = link->node.input_count, outputs = 0;
    node_id value = compose(&l->b, &link->node, l->inputs), *roots = l->sums;
    struct graph *simple;
    if (l->b.code == ERR_ok)
        l->b.code = gradient(l->b.graph, value, link->g, l->inputs, count, ret_roots, l->b.err);
    if (l->b.code != ERR_ok)
        return;
    for (size_t i = 0; i < count; i++)
        if (ret_roots[i] != NODE_NONE)
            roots[outputs++] = ret_roots[i];
    l->b.code = graph_simplify(l->b.graph, roots, outputs, &simple, roots, l->b.err);
    if (l->b.code != ERR_ok)
        return;
    graph_free(l->b.graph);
    l->b.graph = simple;
    for (size_t i = count; i-- > 0;)
        if (ret_roots[i] != NODE_NONE)
            ret_roots[i] = roots[--outputs];
}

static void differentiate(struct local *l, node_id id, node_id *ret_roots)
{
    struct cursor cursor = {0};
    struct link link = {.node = *graph_node(l->from, id), .shown = true, .cursor = &cursor};
    for (size_t i = 0; i < link.node.input_count && l->b.code == ERR_ok; i++)
        l->inputs[i] = leaf_of(l, link.node.inputs[i]);
    link.x = l->inputs;
    link.y = leaf_of(l, id);
    link.g = arriving(&l->b, link.node.shape);
    if (l->b.code != ERR_ok)
        return;
    if (op_is_composite(link.node.op))
        by_definition(l, &link, ret_roots);
    else
        by_rule(l, &link, ret_roots);
}

err_code local_derivatives(const struct graph *g, node_id node, const char *const *names, struct graph **ret,
                           node_id *ret_roots, struct error *err)
{
    const struct node *n = graph_node(g, node);
    size_t count = n->op == OP_Grad ? 0 : n->input_count, leaves = count + 2;
    size_t more = op_is_composite(n->op) ? DEFINITION_NODES_MAX : (count + 1) * RULE_NODES_MAX;
    struct local l = {.b = {.graph = graph_new(leaves + more), .err = err}, .from = g, .names = names};
    l.leaves = calloc((size_t)node + 1, sizeof *l.leaves);
    l.inputs = reallocarray(NULL, count + 1, sizeof *l.inputs);
    l.sums = reallocarray(NULL, leaves, sizeof *l.sums);
    if (!l.b.graph || !l.leaves || !l.inputs || !l.sums) {
        l.b.code = error_set(err, ERR_out_of_memory, "no memory for a node's derivatives");
    } else {
        memset(l.sums, 0xFF, leaves * sizeof *l.sums); /* NODE_NONE */
        for (size_t i = 0; i < n->input_count; i++)
            ret_roots[i] = NODE_NONE;
        if (count > 0)
            differentiate(&l, node, ret_roots);
    }
    if (l.b.code == ERR_ok)
        *ret = l.b.graph;
    else
        graph_free(l.b.graph);
    free(l.leaves);
    free(l.inputs);
    free(l.sums);
    return l.b.code;
}
