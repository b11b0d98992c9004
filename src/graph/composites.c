#include "graph/composites.h"

static composite_fn *const definitions[OP_COUNT] = {
#define OP(name, least, most, attributes, shape_rule)
#define COMPOSITE(name, least, most, attributes, shape_rule) [OP_##name] = compose_##name,
#include "graph/ops.def"
};

bool op_is_composite(enum op op)
{
    return definitions[op] != NULL;
}

node_id compose(struct builder *b, const struct node *n, const node_id *in)
{
    size_t first = graph_size(b->graph);
    node_id value = definitions[n->op](b, n, in);
    for (size_t id = first; b->code == ERR_ok && id < graph_size(b->graph); id++) {
        enum op op = graph_node(b->graph, (node_id)id)->op;
        if (op_is_composite(op))
            b->code = error_set(b->err, ERR_internal, "the definition of %s has a %s, which is a composite too",
                                op_name(n->op), op_name(op));
    }
    if (b->code == ERR_ok && !shape_equal(build_shape(b, value), n->shape))
        b->code = error_set(b->err, ERR_internal, "the definition of %s has another shape", op_name(n->op));
    return b->code == ERR_ok ? value : NODE_NONE;
}
