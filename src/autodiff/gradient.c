/* The walk from `of` backwards.
 *
 * First what `of` is made of is listed, every node after its inputs, and what leads from some wrt to `of` is marked, so
 * that nothing else is built. Then the list is read from its end: when a node's turn comes, all that use it have been
 * seen and its gradient is whole. Its rule turns that into gradients of the inputs, which add up where paths meet.
 *
 * No recursion: a graph may be as deep as it has nodes. The arrays have room for every node, but only what the walk
 * comes by is touched, so a small gradient in a large graph costs little. */
#include "autodiff/gradient.h"

#include "autodiff/rules.h"
#include "autodiff/walk.h"

#include <stdlib.h>

enum { LISTED = 1, LEADS = 2 }; /* LEADS: from some wrt a gradient can flow here */

/* A node whose inputs are being listed. */
struct visit {
    node_id id;
    uint32_t next; /* input */
};

struct walk {
    struct builder b;
    uint64_t budget;      /* nodes that may still be looked at */
    node_id first;        /* the lowest wrt: nodes before it lead nowhere */
    unsigned char *marks; /* a node each, of LISTED and LEADS */
    node_id *gradients;   /* a node each: the gradient's id + 1; 0 while nothing has arrived */
    struct visit *stack;
    node_id *order; /* every node after its inputs */
    size_t depth, listed;
};

static err_code walk_start(struct walk *w, node_id of, const node_id *wrt, size_t count)
{
    size_t size = (size_t)of + 1;
    w->marks = calloc(size, sizeof *w->marks);
    w->gradients = calloc(size, sizeof *w->gradients);
    w->stack = reallocarray(NULL, size, sizeof *w->stack);
    w->order = reallocarray(NULL, size, sizeof *w->order);
    if (!w->marks || !w->gradients || !w->stack || !w->order)
        return error_set(w->b.err, ERR_out_of_memory, "no memory for a gradient");
    w->first = of;
    for (size_t i = 0; i < count; i++) {
        if (wrt[i] > of)
            continue;
        w->marks[wrt[i]] = LEADS;
        w->first = wrt[i] < w->first ? wrt[i] : w->first;
    }
    return ERR_ok;
}

static void walk_end(struct walk *w)
{
    free(w->marks);
    free(w->gradients);
    free(w->stack);
    free(w->order);
}

/* ---- the list */

/* A tensor without elements leads nowhere: its gradient has no elements either. */
static bool has_elements(const struct node *n)
{
    for (int i = 0; i < n->shape.rank; i++)
        if (n->shape.dim[i] == 0)
            return false;
    return true;
}

static void enter(struct walk *w, node_id id)
{
    if (w->marks[id] & LISTED)
        return;
    w->marks[id] |= LISTED;
    w->stack[w->depth++] = (struct visit){id, 0};
}

static void leave(struct walk *w, node_id id)
{
    const struct node *n = graph_node(w->b.graph, id);
    bool leads = w->marks[id] & LEADS;
    for (uint32_t i = 0; i < n->input_count && !leads; i++)
        leads = w->marks[n->inputs[i]] & LEADS && rule_flows(n->op, i);
    w->marks[id] = leads && has_elements(n) ? LISTED | LEADS : LISTED;
    w->order[w->listed++] = id;
}

static err_code list_what_makes(struct walk *w, node_id of)
{
    enter(w, of);
    while (w->depth > 0) {
        struct visit *top = &w->stack[w->depth - 1];
        const struct node *n = graph_node(w->b.graph, top->id);
        if (w->budget == 0)
            return error_set(w->b.err, ERR_limit_exceeded, "the gradients take too many steps to work out");
        w->budget--;
        if (top->next < n->input_count) {
            node_id input = n->inputs[top->next++];
            if (input >= w->first)
                enter(w, input);
        } else {
            w->depth--;
            leave(w, top->id);
        }
    }
    return ERR_ok;
}

/* ---- the way back */

static void arrive(struct walk *w, node_id at, node_id gradient)
{
    if (gradient == NODE_NONE)
        return;
    node_id before = w->gradients[at];
    w->gradients[at] = (before ? plus(&w->b, before - 1, gradient) : gradient) + 1;
}

static err_code walk_back(struct walk *w)
{
    while (w->listed > 0 && w->b.code == ERR_ok) {
        node_id id = w->order[--w->listed];
        if (!w->gradients[id])
            continue;
        struct cursor cursor = {0};
        struct link l = {.node = *graph_node(w->b.graph, id), .y = id, .g = w->gradients[id] - 1, .cursor = &cursor};
        l.x = l.node.inputs;
        for (size_t i = 0; i < l.node.input_count; i++)
            if (w->marks[l.x[i]] & LEADS)
                arrive(w, l.x[i], rule_apply(&w->b, &l, i));
    }
    return w->b.code;
}

err_code gradient_within(struct graph *g, node_id of, node_id cotangent, const node_id *wrt, size_t count,
                         uint64_t *budget, node_id *ret, struct error *err)
{
    struct walk w = {.b = {.graph = g, .err = err}, .budget = *budget};
    err_code code = walk_start(&w, of, wrt, count);
    if (code == ERR_ok)
        code = list_what_makes(&w, of);
    if (code == ERR_ok && w.marks[of] & LEADS) {
        node_id seed = cotangent != NODE_NONE ? cotangent : build_fill(&w.b, 1, graph_node(g, of)->shape);
        arrive(&w, of, seed);
        code = walk_back(&w);
    }
    for (size_t i = 0; i < count && code == ERR_ok; i++)
        ret[i] = wrt[i] <= of && w.gradients[wrt[i]] ? w.gradients[wrt[i]] - 1 : NODE_NONE;
    *budget = w.budget;
    walk_end(&w);
    return code;
}

err_code gradient(struct graph *g, node_id of, node_id cotangent, const node_id *wrt, size_t count, node_id *ret,
                  struct error *err)
{
    uint64_t budget = UINT64_MAX;
    return gradient_within(g, of, cotangent, wrt, count, &budget, ret, err);
}
