#include "query/explain.h"
#include "engine/describe.h"
#include "query/planned.h"
#include <inttypes.h>
#include <stdlib.h>

/* How plans are made: with what limit, and whether they are to be described. */
struct way {
    int64_t batch;
    size_t arena_bytes_max;
    bool described;
};

static err_code plan_question(const struct model *m, enum question_kind kind, node_id of, const node_id *wrt,
                              size_t wrt_count, const struct way *way, struct planned **ret, struct error *err)
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
                                .batch = way->batch,
                                .each = 1,
                                .answer_elements_max = INT64_MAX,
                                .arena_bytes_max = way->arena_bytes_max,
                                .described = way->described};
    err_code code = planned_make(&planning, ret, err);
    free(names);
    return code;
}

/* *ret stays NULL where the model has no output. */
static err_code plan_predict(const struct model *m, const struct way *way, struct planned **ret, struct error *err)
{
    if (m->output == NODE_NONE) {
        return ERR_ok;
    }
    return plan_question(m, QUESTION_EVALUATE, m->output, NULL, 0, way, ret, err);
}

static bool is_scalar(const struct model *m, node_id node)
{
    int64_t elements;
    return shape_elements(graph_node(m->graph, node)->shape, &elements) && elements == 1;
}

/* *ret stays NULL where the model has no cost. */
static err_code plan_gradient(const struct model *m, const struct way *way, struct planned **ret, struct error *err)
{
    if (m->cost == NODE_NONE || !is_scalar(m, m->cost)) {
        return ERR_ok;
    }
    node_id *wrt = calloc(m->parameter_count + 1, sizeof *wrt);
    for (size_t i = 0; wrt && i < m->parameter_count; i++) {
        wrt[i] = m->parameters[i].node;
    }
    err_code code = wrt ? plan_question(m, QUESTION_GRADIENT, m->cost, wrt, m->parameter_count, way, ret, err)
                        : error_set(err, ERR_out_of_memory, NULL);
    free(wrt);
    return code;
}

static void take_cost(struct planned *planned, size_t *ret_bytes, double *ret_flops)
{
    if (planned) {
        *ret_bytes = plan_arena_bytes(planned->plan);
        *ret_flops = plan_flops(planned->plan);
    }
    planned_free(planned);
}

err_code question_cost(const struct model *m, int64_t batch, struct question_cost *ret, struct error *err)
{
    const struct way way = {.batch = batch, .arena_bytes_max = SIZE_MAX};
    struct question_cost cost = {0};
    struct planned *planned = NULL;
    err_code code = plan_predict(m, &way, &planned, err);
    take_cost(planned, &cost.predict_bytes, &cost.predict_flops);
    if (code == ERR_ok) {
        planned = NULL;
        code = plan_gradient(m, &way, &planned, err);
        take_cost(planned, &cost.gradient_bytes, &cost.gradient_flops);
    }
    if (code == ERR_ok) {
        *ret = cost;
    }
    return code;
}

static struct explained explained_of(const struct model *m, node_id of, const struct planned *planned)
{
    return planned ? (struct explained){graph_node(m->graph, of)->name, planned->plan, planned->simple}
                   : (struct explained){NULL, NULL, NULL};
}

err_code explain_model(const struct model *m, int64_t batch, const struct limits *limits, struct explanation *ret,
                       struct error *err)
{
    const struct way way = {.batch = batch, .arena_bytes_max = query_arena_max(limits), .described = true};
    struct explanation e = {.batch = batch, .dtype = m->dtype};
    err_code code = plan_predict(m, &way, &e.planned[0], err);
    if (code == ERR_ok) {
        code = plan_gradient(m, &way, &e.planned[1], err);
    }
    if (code != ERR_ok) {
        explanation_clear(&e);
        return code;
    }
    e.predict = explained_of(m, m->output, e.planned[0]);
    e.gradient = explained_of(m, m->cost, e.planned[1]);
    *ret = e;
    return ERR_ok;
}

void explanation_clear(struct explanation *e)
{
    for (size_t i = 0; i < 2; i++) {
        planned_free(e->planned[i]);
        e->planned[i] = NULL;
    }
}

static void add_plan(const struct explanation *e, const char *title, const struct explained *x, const char *what,
                     struct text *to)
{
    if (!x->plan) {
        text_printf(to, "%s: the model has no %s\n", title, what);
        return;
    }
    text_printf(to, "%s of %s at batch %" PRId64 " in %s: ", title, x->of, e->batch, dtype_name(e->dtype));
    plan_describe(x->plan, x->graph, to);
    text_printf(to, "the plan itself: %zu bytes\n", plan_bytes(x->plan));
}

void explanation_text(const struct explanation *e, struct text *to)
{
    add_plan(e, "predict", &e->predict, "output", to);
    text_putc(to, '\n');
    add_plan(e, "gradient", &e->gradient, "scalar cost", to);
}
