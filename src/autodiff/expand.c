/* Grad nodes become the gradients that they stand for, and composites their definitions.
 *
 * The graph is rebuilt node by node. What a Grad node differentiates lies before it, so it has been expanded by then:
 * innermost first. All gradients of one value are made by one walk, when the first Grad node of that value is reached.
 * Each Grad node and each composite becomes an Identity node of its own, with its name and place: what a client wrote
 * stays a node that one can differentiate by. */
#include "autodiff/gradient.h"

#include "autodiff/walk.h"
#include "base/arena.h"
#include "graph/builder.h"
#include "graph/composites.h"

#include <string.h>

/* Walks may look at this many nodes for each that the graph may have. */
enum { WALK_FACTOR = 64 };

struct expansion {
    const struct graph *from;
    struct graph *to;
    struct arena *arena;
    /* One for each node of `from`: */
    node_id *map;       /* its node in `to`; NODE_NONE: not yet reached */
    node_id *gradients; /* of a Grad node, in `to`; NODE_NONE: zero */
    node_id *head;      /* of a value, the first Grad node that differentiates it; NODE_NONE: there is none */
    node_id *next;      /* of a Grad node, the next one of the same value; NODE_NONE: the last */
    /* Of one walk: by what, and the answers. Room for every Grad node. */
    node_id *wrt, *answers;
    node_id *inputs; /* of one node, in `to` */
    uint64_t budget;
    struct error *err;
};

static node_id *array_of(struct expansion *e, size_t count)
{
    node_id *array = arena_array(e->arena, count + 1, sizeof *array);
    if (array)
        memset(array, 0xFF, (count + 1) * sizeof *array); /* NODE_NONE */
    return array;
}

/* Allocates everything, and chains the Grad nodes of each value. */
static err_code prepare(struct expansion *e)
{
    size_t size = graph_size(e->from), grads = 0, most_inputs = 0;
    for (size_t id = 0; id < size; id++) {
        const struct node *n = graph_node(e->from, (node_id)id);
        grads += n->op == OP_Grad;
        most_inputs = n->input_count > most_inputs ? n->input_count : most_inputs;
    }
    e->to = graph_new(graph_nodes_max(e->from));
    e->arena = arena_new();
    if (e->arena) {
        e->map = array_of(e, size);
        e->gradients = array_of(e, size);
        e->head = array_of(e, size);
        e->next = array_of(e, size);
        e->wrt = array_of(e, grads);
        e->answers = array_of(e, grads);
        e->inputs = array_of(e, most_inputs);
    }
    if (!e->to || !e->arena || !e->map || !e->gradients || !e->head || !e->next || !e->wrt || !e->answers || !e->inputs)
        return error_set(e->err, ERR_out_of_memory, "no memory for the gradients of a program");
    for (size_t id = size; id-- > 0;) {
        const struct node *n = graph_node(e->from, (node_id)id);
        if (n->op != OP_Grad)
            continue;
        e->next[id] = e->head[n->inputs[0]];
        e->head[n->inputs[0]] = (node_id)id;
    }
    e->budget = (uint64_t)graph_nodes_max(e->from) * WALK_FACTOR;
    return ERR_ok;
}

/* The gradients of `of` that Grad nodes ask for. By a node that has not been reached it is zero: `of` can't depend on
 * it. */
static err_code differentiate(struct expansion *e, node_id of)
{
    size_t count = 0;
    for (node_id id = e->head[of]; id != NODE_NONE; id = e->next[id]) {
        node_id by = e->map[graph_node(e->from, id)->inputs[1]];
        if (by != NODE_NONE)
            e->wrt[count++] = by;
    }
    err_code code = gradient_within(e->to, e->map[of], NODE_NONE, e->wrt, count, &e->budget, e->answers, e->err);
    if (code != ERR_ok)
        return code;
    count = 0;
    for (node_id id = e->head[of]; id != NODE_NONE; id = e->next[id])
        if (e->map[graph_node(e->from, id)->inputs[1]] != NODE_NONE)
            e->gradients[id] = e->answers[count++];
    return ERR_ok;
}

/* An Identity node of `value` in the place of a written one. */
static err_code stand_for(struct expansion *e, node_id id, node_id value)
{
    const struct node *n = graph_node(e->from, id);
    const struct node identity = {
        .op = OP_Identity, .inputs = &value, .input_count = 1, .name = n->name, .place = n->place};
    return graph_add(e->to, &identity, &e->map[id], e->err);
}

static err_code expand_grad(struct expansion *e, node_id id)
{
    const struct node *n = graph_node(e->from, id);
    node_id of = n->inputs[0], by = n->inputs[1];
    err_code code = e->head[of] == id ? differentiate(e, of) : ERR_ok;
    if (code != ERR_ok)
        return code;
    node_id answer = e->gradients[id];
    if (answer == NODE_NONE) {
        struct builder b = {.graph = e->to, .err = e->err};
        answer = build_fill(&b, 0, graph_node(e->to, e->map[by])->shape);
        if (b.code != ERR_ok)
            return b.code;
    }
    return stand_for(e, id, answer);
}

static err_code copy_node(struct expansion *e, node_id id)
{
    struct node n = *graph_node(e->from, id);
    for (uint32_t i = 0; i < n.input_count; i++)
        e->inputs[i] = e->map[n.inputs[i]];
    n.inputs = e->inputs;
    if (!op_is_composite(n.op))
        return graph_add(e->to, &n, &e->map[id], e->err);
    struct builder b = {.graph = e->to, .err = e->err};
    node_id value = compose(&b, &n, e->inputs);
    return b.code == ERR_ok ? stand_for(e, id, value) : b.code;
}

err_code expand_grads(const struct graph *g, struct graph **ret, node_id *ret_map, struct error *err)
{
    struct expansion e = {.from = g, .err = err};
    size_t size = graph_size(g);
    err_code code = prepare(&e);
    for (size_t id = 0; id < size && code == ERR_ok; id++)
        code = graph_node(g, (node_id)id)->op == OP_Grad ? expand_grad(&e, (node_id)id) : copy_node(&e, (node_id)id);
    if (code == ERR_ok) {
        memcpy(ret_map, e.map, size * sizeof *ret_map);
        *ret = e.to;
    } else {
        graph_free(e.to);
    }
    arena_free(e.arena);
    return code;
}
