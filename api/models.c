/* /v1/models: models, their versions and parameters. */
#include "api/models.h"
#include "api/answers.h"
#include "api/codec.h"
#include "api/member.h"
#include "api/page.h"
#include "api/routes.h"
#include "query/explain.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a model as JSON ---- */

/* What is shown of a model: as it is stored, or with a dry run as it would be. */
struct shown {
    const char *name;
    const char *spec;
    const struct model *model;
    int64_t id, version, created_at; /* 0: not stored */
    double flops;                    /* NaN: the model can't be asked for a single row */
    bool has_memory;                 /* dry run: bytes at a batch */
    struct question_cost memory;
};

static struct shown shown_record(const struct store_model *record, const struct model *m, double flops)
{
    return (struct shown){.name = record->name,
                          .spec = record->spec,
                          .model = m,
                          .id = record->id,
                          .version = record->version,
                          .created_at = record->created_at,
                          .flops = flops};
}

/* What is over a limit is a mistake of the model. */
static err_code cost_at(const struct model *m, int64_t batch, struct question_cost *ret, struct error *err)
{
    struct error found = {0};
    err_code code = question_cost(m, batch, ret, &found);
    if (code != ERR_ok && err_class_of(code) == ERR_CLASS_INVALID && found.total > 0)
        code = error_close(&found, ERR_invalid_model, "the model");
    error_move(err, &found);
    return code;
}

/* A model that no job could train for want of memory, even row by row, is refused when it is made. */
static err_code check_memory(const struct question_cost *cost, int64_t limit, struct error *err)
{
    const struct {
        const char *what;
        size_t bytes;
    } needs[] = {{"values", cost->predict_bytes}, {"gradients", cost->gradient_bytes}};
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++)
        if (needs[i].bytes > (size_t)limit)
            error_add(err, ERR_limit_exceeded, (struct place){.pointer = ""},
                      "the model's %s for a single row take %zu bytes of memory; the limit is %lld", needs[i].what,
                      needs[i].bytes, (long long)limit);
    return error_close(err, ERR_invalid_model, "the model");
}

/* What training costs a row, or without a cost a prediction. A model that takes no batch of one still is a model; one
 * whose gradient explodes is not. memory_max: what a batch of one may take. */
static err_code flops_of(const struct model *m, int64_t memory_max, double *ret, struct error *err)
{
    struct question_cost cost;
    struct error found = {0};
    err_code code = question_cost(m, 1, &cost, &found);
    if (code == ERR_ok) {
        *ret = m->cost != NODE_NONE ? cost.gradient_flops : cost.predict_flops;
        code = check_memory(&cost, memory_max, &found);
    } else if (code == ERR_limit_exceeded && found.total > 0) {
        code = error_close(&found, ERR_invalid_model, "the model");
    } else if (err_class_of(code) == ERR_CLASS_INVALID) {
        *ret = NAN;
        code = ERR_ok;
        error_clear(&found);
    }
    error_move(err, &found);
    return code;
}

static err_code put_model(struct text *to, const struct shown *s, const struct limits *limits, bool flat,
                          struct error *err)
{
    struct json j = {.text = to};
    put_object(&j);
    member_string(&j, "name", s->name);
    member_whole_or_null(&j, "version", s->version, s->version > 0);
    member_time(&j, "created_at", s->created_at);
    err_code code = put_model_form(&j, s->spec, limits, err);
    if (code == ERR_ok)
        code = put_model_graph(&j, s->model, flat, err);
    member_whole(&j, "parameter_count", model_parameter_elements(s->model));
    member_number(&j, "flops_per_sample", s->flops);
    if (s->has_memory) {
        put_key(&j, "memory_bytes");
        put_object(&j);
        member_whole_or_null(&j, "predict", (int64_t)s->memory.predict_bytes, s->model->output != NODE_NONE);
        member_whole_or_null(&j, "gradient", (int64_t)s->memory.gradient_bytes, s->model->cost != NODE_NONE);
        put_object_end(&j);
    }
    put_object_end(&j);
    return code;
}

/* ---- creating ---- */

struct creation {
    struct request *request;
    struct reply *reply;
    const char *name; /* in the path; NULL: the body's */
    bool flat, dry_run;
    int64_t batch;
    struct model_request body;
    double flops;
};

static err_code read_creation(struct creation *c, struct error *err)
{
    struct request *r = c->request;
    c->flat = request_flat(r, err);
    c->dry_run = request_flag(r, "dry_run", err);
    c->batch = request_whole(r, "batch", 1, ELEMENTS_MAX, 1, err);
    if (request_parameter(r, "batch") && !c->dry_run)
        error_add(err, ERR_conflicting_fields, (struct place){0}, "the query parameter batch goes with dry_run=true");
    err_code code = error_close(err, ERR_invalid_request, "the request");
    if (code == ERR_ok)
        code = decode_model_request(r->body, r->body_size, !c->name, &r->app->config->limits, &c->body, err);
    if (code == ERR_ok && c->name && c->body.name && strcmp(c->name, c->body.name) != 0) {
        error_add(err, ERR_conflicting_fields, (struct place){.pointer = "/name"},
                  "the path names the model '%s', the body '%s'", c->name, c->body.name);
        code = error_close(err, ERR_invalid_model, "the model");
    }
    if (code == ERR_ok)
        code = flops_of(c->body.model, r->app->config->limits.memory_bytes, &c->flops, err);
    if (!c->name)
        c->name = c->body.name;
    return code;
}

static err_code dry_run(struct creation *c, struct error *err)
{
    struct shown s = {
        .name = c->name, .spec = c->body.canonical, .model = c->body.model, .flops = c->flops, .has_memory = true};
    err_code code = cost_at(c->body.model, c->batch, &s.memory, err);
    if (code == ERR_ok)
        code = put_model(&c->reply->body, &s, &c->request->app->config->limits, c->flat, err);
    c->reply->status = 200;
    c->reply->content_type = "application/json";
    return code;
}

/* A repeated request is answered with the model as it is now, which may not be the one of the request any more. */
static err_code show_stored(struct creation *c, const struct store_model *record, bool repeated, struct error *err)
{
    const struct app *app = c->request->app;
    struct held_model held = {0};
    struct shown s = shown_record(record, c->body.model, c->flops);
    err_code code = repeated ? catalog_hold_model_id(app->catalog, record->id, &held, err) : ERR_ok;
    if (code == ERR_ok && repeated) {
        s.model = held.model;
        code = flops_of(held.model, INT64_MAX, &s.flops, err);
    }
    if (code == ERR_ok)
        code = put_model(&c->reply->body, &s, &app->config->limits, c->flat, err);
    catalog_release_model(app->catalog, &held);
    return code;
}

static err_code store_new(struct creation *c, bool replace, struct error *err)
{
    struct request *r = c->request;
    char digest[DIGEST_TEXT_MAX];
    struct store_key key;
    struct store_model record = {0};
    enum put_result result = PUT_CREATED;
    bool has_key = !replace && request_key(r, digest, &key, err);
    err_code code = error_close(err, ERR_invalid_request, "the request");
    if (code == ERR_ok)
        code = catalog_put_model(r->app->catalog, c->name, c->body.canonical, c->body.model, replace,
                                 has_key ? &key : NULL, &record, &result, err);
    if (code == ERR_ok)
        code = show_stored(c, &record, result == PUT_REPEATED, err);
    if (code == ERR_ok) {
        bool created = result == PUT_CREATED || result == PUT_REPEATED;
        c->reply->status = created ? 201 : 200;
        if (created)
            reply_header(c->reply, "Location", "/v1/models/%s", record.name);
        tag_version(r, c->reply, record.id, record.version);
    }
    store_model_clear(&record);
    return code;
}

static enum handled create(struct request *r, struct reply *ret, const char *name)
{
    struct error err = {0};
    struct creation c = {.request = r, .reply = ret, .name = name};
    err_code code = read_creation(&c, &err);
    if (code == ERR_ok)
        code = c.dry_run ? dry_run(&c, &err) : store_new(&c, name != NULL, &err);
    if (code != ERR_ok)
        reply_problem(ret, r, &err);
    model_request_clear(&c.body);
    return HANDLED;
}

enum handled models_post(struct request *r, struct reply *ret)
{
    return create(r, ret, NULL);
}

enum handled model_put(struct request *r, struct reply *ret)
{
    return create(r, ret, r->arguments[0]);
}

/* ---- one, all, and none ---- */

enum handled models_list(struct request *r, struct reply *ret)
{
    struct error err = {0};
    struct store_model *list = NULL;
    size_t found = 0;
    struct page page = request_page(r, &err);
    err_code code = error_close(&err, ERR_invalid_request, "the request");
    if (code == ERR_ok)
        code = store_model_list(r->app->store, page_and_one(page), &list, &found, &err);
    if (code != ERR_ok) {
        reply_problem(ret, r, &err);
        return HANDLED;
    }
    struct json j = {.text = &ret->body};
    size_t count = page_count(page, found);
    put_page(&j);
    for (size_t i = 0; i < count; i++) {
        put_object(&j);
        member_string(&j, "name", list[i].name);
        member_whole(&j, "version", list[i].version);
        member_time(&j, "created_at", list[i].created_at);
        put_object_end(&j);
    }
    put_page_end(&j, r, ret, count < found ? list[count - 1].name : NULL);
    ret->status = 200;
    ret->content_type = "application/json";
    store_model_list_free(list, found);
    return HANDLED;
}

enum handled model_get(struct request *r, struct reply *ret)
{
    struct error err = {0};
    struct held_model held = {0};
    double flops = NAN;
    bool flat = request_flat(r, &err);
    err_code code = error_close(&err, ERR_invalid_request, "the request");
    if (code == ERR_ok)
        code = catalog_hold_model(r->app->catalog, r->arguments[0], &held, &err);
    if (code == ERR_ok && !r->on_pool && graph_size(held.model->graph) > CHEAP_NODES) {
        catalog_release_model(r->app->catalog, &held);
        return LATER;
    }
    if (code == ERR_ok)
        code = flops_of(held.model, INT64_MAX, &flops, &err);
    if (code == ERR_ok) {
        struct shown s = shown_record(&held.record, held.model, flops);
        code = put_model(&ret->body, &s, &r->app->config->limits, flat, &err);
    }
    if (code == ERR_ok)
        tag_version(r, ret, held.record.id, held.record.version);
    else
        reply_problem(ret, r, &err);
    catalog_release_model(r->app->catalog, &held);
    return HANDLED;
}

enum handled model_delete(struct request *r, struct reply *ret)
{
    struct error err = {0};
    bool cascade = request_flag(r, "cascade", &err);
    err_code code = error_close(&err, ERR_invalid_request, "the request");
    if (code == ERR_ok)
        code = store_model_delete(r->app->store, r->arguments[0], cascade, &err);
    if (code == ERR_ok)
        ret->status = 204;
    else
        reply_problem(ret, r, &err);
    return HANDLED;
}
