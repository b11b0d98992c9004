/* GET /v1/models/{m}/plan: how a model's output and gradients are computed, step by step, in words or as JSON. */
#include "api/answers.h"
#include "api/member.h"
#include "api/routes.h"
#include "engine/describe.h"
#include "engine/run.h"
#include "query/explain.h"
#include "version.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void put_node(struct json *j, const struct graph *g, node_id id)
{
    const struct node *n = graph_node(g, id);
    char label[NODE_LABEL_MAX];
    put_object(j);
    member_string(j, "name", node_label(g, id, label));
    member_string(j, "op", op_name(n->op));
    put_key(j, "inputs");
    put_array(j);
    for (uint32_t i = 0; i < n->input_count; i++)
        put_string(j, node_label(g, n->inputs[i], label));
    put_array_end(j);
    put_key(j, "shape");
    put_shape(j, n->shape);
    put_object_end(j);
}

static void put_piece(struct json *j, const struct plan_piece *piece)
{
    put_object(j);
    member_string(j, "role", piece_role_name(piece->role));
    member_string(j, "place", piece_place_name(piece->place));
    if (piece->leaf)
        member_string(j, "name", piece->leaf);
    else
        member_whole(j, "offset", (int64_t)piece->offset);
    member_whole(j, "bytes", (int64_t)piece->bytes);
    put_object_end(j);
}

static void put_step(struct json *j, const struct plan_step_view *step, const struct graph *g)
{
    put_object(j);
    member_string(j, "kernel", step->kernel);
    put_key(j, "nodes");
    put_array(j);
    for (uint32_t i = 0; i < step->node_count; i++)
        put_node(j, g, step->nodes[i]);
    put_array_end(j);
    member_number(j, "flops", step->flops);
    member_whole(j, "bytes", (int64_t)step->bytes);
    put_key(j, "pieces");
    put_array(j);
    for (uint32_t i = 0; i < step->piece_count; i++)
        put_piece(j, &step->pieces[i]);
    put_array_end(j);
    put_object_end(j);
}

static void put_plan(struct json *j, const char *key, const struct explained *x)
{
    put_key(j, key);
    if (!x->plan) {
        put_null(j);
        return;
    }
    put_object(j);
    member_string(j, "of", x->of);
    member_number(j, "flops", plan_flops(x->plan));
    member_whole(j, "arena_bytes", (int64_t)plan_arena_bytes(x->plan));
    member_whole(j, "unshared_bytes", (int64_t)plan_unshared_bytes(x->plan, x->graph));
    member_whole(j, "constant_bytes", (int64_t)plan_constant_bytes(x->plan));
    member_whole(j, "plan_bytes", (int64_t)plan_bytes(x->plan));
    put_key(j, "steps");
    put_array(j);
    for (size_t i = 0; i < plan_step_count(x->plan); i++) {
        struct plan_step_view step;
        plan_step_view(x->plan, i, &step);
        put_step(j, &step, x->graph);
    }
    put_array_end(j);
    put_object_end(j);
}

static void write_json(const char *name, const struct explanation *e, struct text *to)
{
    struct json j = {.text = to};
    put_object(&j);
    member_string(&j, "model", name);
    member_whole(&j, "batch", e->batch);
    member_string(&j, "dtype", dtype_name(e->dtype));
    put_plan(&j, "predict", &e->predict);
    put_plan(&j, "gradient", &e->gradient);
    put_object_end(&j);
}

/* A batch at which the model can't be planned is a mistake in the request. */
static err_code explain(const struct request *r, const struct model *m, int64_t batch, struct explanation *ret,
                        struct error *err)
{
    struct error found = {0};
    err_code code = explain_model(m, batch, &r->app->config->limits, ret, &found);
    if (code != ERR_ok && err_class_of(code) == ERR_CLASS_INVALID && found.total > 0)
        code = error_close(&found, ERR_invalid_request, "the request");
    error_move(err, &found);
    return code;
}

enum handled model_plan(struct request *r, struct reply *ret)
{
    struct error err = {0};
    struct held_model m = {0};
    struct explanation e = {0};
    int64_t batch = request_whole(r, "batch", 1, ELEMENTS_MAX, 1, &err);
    const char *type = request_accepts(r, r->route->answers);
    err_code code = error_close(&err, ERR_invalid_request, "the request");
    if (code == ERR_ok)
        code = catalog_hold_model(r->app->catalog, r->arguments[0], &m, &err);
    if (code == ERR_ok && !r->on_pool && graph_size(m.model->graph) > CHEAP_NODES) {
        catalog_release_model(r->app->catalog, &m);
        return LATER;
    }
    if (code == ERR_ok)
        code = explain(r, m.model, batch, &e, &err);
    if (code == ERR_ok) {
        char revision[96];
        bool is_json = type && strcmp(type, "application/json") == 0;
        if (is_json)
            write_json(m.record.name, &e, &ret->body);
        else
            explanation_text(&e, &ret->body);
        snprintf(revision, sizeof revision, "%" PRId64 " %s %s", m.record.id, engine_isa(), GRADD_VERSION);
        ret->content_type = is_json ? "application/json" : "text/plain";
        reply_tagged(ret, r, revision);
    } else {
        reply_problem(ret, r, &err);
    }
    explanation_clear(&e);
    catalog_release_model(r->app->catalog, &m);
    return HANDLED;
}
