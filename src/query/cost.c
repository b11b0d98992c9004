#include "engine/plan.h"
#include "graph/model.h"
#include "query/planned.h"
#include <stdlib.h>

static err_code plan_cost(const struct model *m, enum question_kind kind, node_id of, const node_id *wrt,
                          size_t wrt_count, int64_t batch, size_t *ret_bytes, double *ret_flops, struct error *err)
{
    struct named_place *names = calloc(wrt_count + 2, sizeof *names);
    if (!names) {
        return error_set(err, ERR_out_of_memory, NULL);
    }
    names[0].name = graph_node(m->graph, of)->name;
    for (size_t i = 0; i < wrt_count; i++) {
        names[i + 1].name = graph_node(m->graph, wrt[i])->name;
    }
    struct question q = {.kind = kind,
                         .graph = m->graph,
                         .dtype = m->dtype,
                         .of = names,
                         .of_count = 1,
                         .wrt = names + 1,
                         .wrt_count = wrt_count};
    struct planning planning = {.question = &q,
                                .of = &of,
                                .wrt = wrt,
                                .batch = batch,
                                .answer_elements_max = INT64_MAX,
                                .arena_bytes_max = SIZE_MAX};
    struct planned *planned = NULL;
    err_code code = planned_make(&planning, &planned, err);
    if (code == ERR_ok) {
        *ret_bytes = plan_arena_bytes(planned->plan);
        *ret_flops = plan_flops(planned->plan);
    }
    planned_free(planned);
    free(names);
    return code;
}

static bool is_scalar(const struct model *m, node_id node)
{
    int64_t elements;
    return shape_elements(graph_node(m->graph, node)->shape, &elements) && elements == 1;
}

err_code question_cost(const struct model *m, int64_t batch, struct question_cost *ret, struct error *err)
{
    struct question_cost cost = {0};
    err_code code = ERR_ok;
    if (m->output != NODE_NONE) {
        code =
            plan_cost(m, QUESTION_EVALUATE, m->output, NULL, 0, batch, &cost.predict_bytes, &cost.predict_flops, err);
    }
    if (code == ERR_ok && m->cost != NODE_NONE && is_scalar(m, m->cost)) {
        node_id *wrt = calloc(m->parameter_count + 1, sizeof *wrt);
        for (size_t i = 0; wrt && i < m->parameter_count; i++) {
            wrt[i] = m->parameters[i].node;
        }
        code = wrt ? plan_cost(m, QUESTION_GRADIENT, m->cost, wrt, m->parameter_count, batch, &cost.gradient_bytes,
                               &cost.gradient_flops, err)
                   : error_set(err, ERR_out_of_memory, NULL);
        free(wrt);
    }
    if (code == ERR_ok) {
        *ret = cost;
    }
    return code;
}
