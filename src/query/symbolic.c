#include "query/symbolic.h"
#include "autodiff/gradient.h"
#include "graph/builder.h"
#include "graph/notation.h"
#include "graph/simplify.h"
#include <stdio.h>
#include <stdlib.h>

/* The graph with no names but those of inputs, so that every formula is over inputs alone. */
static err_code without_names(const struct graph *g, struct graph **ret, struct error *err)
{
    struct graph *copy = graph_new(graph_nodes_max(g));
    err_code code = copy ? ERR_ok : error_set(err, ERR_out_of_memory, NULL);
    for (size_t i = 0; code == ERR_ok && i < graph_size(g); i++) {
        struct node n = *graph_node(g, (node_id)i);
        node_id id;
        if (n.op != OP_Input)
            n.name = NULL;
        code = graph_add(copy, &n, &id, err); /* the same id */
    }
    if (code == ERR_ok)
        *ret = copy;
    else
        graph_free(copy);
    return code;
}

static node_id add_cotangent(struct builder *b, const struct graph *written, struct shape shape)
{
    char name[32] = "cotangent";
    for (size_t i = 1; graph_find(written, name) != NODE_NONE; i++)
        (void)snprintf(name, sizeof name, "cotangent_%zu", i);
    return build_input(b, name, shape);
}

/* Gradients as nodes of *g, which has only what they need. */
static err_code differentiate(const struct question *q, const struct graph *bound, struct graph **g, node_id *roots,
                              struct error *err)
{
    struct graph *expanded = NULL, *plain = NULL;
    size_t count = q->wrt_count;
    node_id *map = calloc(graph_size(bound) + 1, sizeof *map), *wrt = calloc(count + 1, sizeof *wrt);
    err_code code = map && wrt ? expand_grads(bound, &expanded, map, err) : error_set(err, ERR_out_of_memory, NULL);
    if (code == ERR_ok)
        code = without_names(expanded, &plain, err);
    struct builder b = {.graph = plain, .code = code, .err = err};
    if (b.code == ERR_ok) {
        node_id of = map[graph_find(bound, q->of[0].name)];
        node_id cotangent = q->cotangent ? add_cotangent(&b, bound, graph_node(plain, of)->shape) : NODE_NONE;
        for (size_t i = 0; i < count; i++)
            wrt[i] = map[graph_find(bound, q->wrt[i].name)];
        if (b.code == ERR_ok)
            b.code = gradient(plain, of, cotangent, wrt, count, roots, err);
        for (size_t i = 0; b.code == ERR_ok && i < count; i++)
            if (roots[i] == NODE_NONE)
                roots[i] = build_fill(&b, 0, graph_node(plain, wrt[i])->shape);
    }
    if (b.code == ERR_ok)
        b.code = graph_simplify(plain, roots, count, g, roots, err);
    graph_free(plain);
    graph_free(expanded);
    free(wrt);
    free(map);
    return b.code;
}

err_code symbolic_gradients(const struct question *q, const struct graph *bound, struct arena *arena, char ***ret,
                            struct error *err)
{
    struct graph *g = NULL;
    char **formulas = arena_array(arena, q->wrt_count + 1, sizeof *formulas);
    node_id *roots = calloc(q->wrt_count + 1, sizeof *roots);
    err_code code =
        formulas && roots ? differentiate(q, bound, &g, roots, err) : error_set(err, ERR_out_of_memory, NULL);
    for (size_t i = 0; code == ERR_ok && i < q->wrt_count; i++) {
        struct text formula = {0};
        code = notation_print_formula(g, roots[i], &formula, err);
        if (code == ERR_ok) {
            formulas[i] = formula.failed ? NULL : arena_copy(arena, formula.data, formula.length);
            code = formulas[i] ? ERR_ok : error_set(err, ERR_out_of_memory, NULL);
        }
        text_clear(&formula);
    }
    graph_free(g);
    free(roots);
    if (code == ERR_ok)
        *ret = formulas;
    return code;
}
