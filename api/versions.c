/* /v1/models/{m}/versions and /parameters: what a model has learnt, version by version. */
#include "api/codec.h"
#include "api/member.h"
#include "api/models.h"
#include "api/page.h"
#include "api/routes.h"
#include "base/digest.h"
#include "base/number.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void tag_version(const struct request *r, struct reply *ret, int64_t id, int64_t version)
{
    char revision[64];
    snprintf(revision, sizeof revision, "%" PRId64 " %" PRId64, id, version);
    ret->content_type = "application/json";
    reply_tagged(ret, r, revision);
}

/* ---- versions ---- */

static void put_version(struct json *j, const struct store_version *v)
{
    put_object(j);
    member_whole(j, "version", v->version);
    member_time(j, "created_at", v->created_at);
    member_string(j, "job", v->job);
    member_whole_or_null(j, "epoch", v->epoch, v->epoch >= 0);
    member_whole_or_null(j, "step", v->step, v->step >= 0);
    member_number(j, "cost", v->cost);
    member_string(j, "digest", v->digest);
    put_object_end(j);
}

/* `after` of a list whose items are numbered. */
static int64_t after_version(struct page page, struct error *err)
{
    uint64_t after = 0;
    if (page.after && !number_whole(page.after, INT64_MAX, &after))
        error_add(err, ERR_invalid_value, (struct place){0}, "the query parameter after must be a version");
    return (int64_t)after;
}

static err_code list_versions(struct request *r, struct page page, struct store_version **ret, size_t *ret_count,
                              struct error *err)
{
    struct store_model m = {0};
    int64_t after = after_version(page, err);
    err_code code = error_close(err, ERR_invalid_request, "the request");
    if (code == ERR_ok)
        code = store_model_get(r->app->store, r->arguments[0], &m, err);
    if (code == ERR_ok)
        code = store_version_list(r->app->store, m.id, after, page_and_one(page).limit, ret, ret_count, err);
    store_model_clear(&m);
    return code;
}

enum handled model_versions(struct request *r, struct reply *ret)
{
    struct error err = {0};
    struct store_version *list = NULL;
    size_t found = 0;
    struct page page = request_page(r, &err);
    if (list_versions(r, page, &list, &found, &err) != ERR_ok) {
        reply_problem(ret, r, &err);
        return HANDLED;
    }
    struct json j = {.text = &ret->body};
    size_t count = page_count(page, found);
    put_page(&j);
    for (size_t i = 0; i < count; i++)
        put_version(&j, &list[i]);
    char next[24];
    snprintf(next, sizeof next, "%" PRId64, count > 0 ? list[count - 1].version : 0);
    put_page_end(&j, r, ret, count < found ? next : NULL);
    ret->status = 200;
    ret->content_type = "application/json";
    store_version_list_free(list, found);
    return HANDLED;
}

/* ---- parameters ---- */

static err_code put_parameters(struct text *to, const struct held_model *m, const struct held_version *v,
                               const struct limits *limits, bool flat, struct error *err)
{
    int64_t elements = model_parameter_elements(m->model);
    if (elements > limits->answer_elements)
        return error_set(err, ERR_limit_exceeded,
                         "the parameters have %" PRId64 " elements; the limit on an answer is %" PRId64, elements,
                         limits->answer_elements);
    struct json j = {.text = to};
    put_object(&j);
    member_string(&j, "model", m->record.name);
    member_whole(&j, "version", v->record->version);
    put_key(&j, "parameters");
    put_object(&j);
    for (size_t i = 0; i < m->model->parameter_count; i++) {
        put_key(&j, graph_node(m->model->graph, m->model->parameters[i].node)->name);
        put_tensor(&j, v->parameters[i], flat);
    }
    put_object_end(&j);
    put_nonfinite(&j);
    put_object_end(&j);
    return ERR_ok;
}

enum handled model_parameters_get(struct request *r, struct reply *ret)
{
    struct error err = {0};
    struct held_model m = {0};
    struct held_version v = {0};
    struct catalog *catalog = r->app->catalog;
    bool flat = request_flat(r, &err);
    int64_t version = request_whole(r, "version", 1, INT64_MAX, 0, &err);
    err_code code = error_close(&err, ERR_invalid_request, "the request");
    if (code == ERR_ok)
        code = catalog_hold_model(catalog, r->arguments[0], &m, &err);
    if (code == ERR_ok)
        code = catalog_hold_version(catalog, &m, version, &v, &err);
    if (code == ERR_ok)
        code = put_parameters(&ret->body, &m, &v, &r->app->config->limits, flat, &err);
    if (code == ERR_ok)
        tag_version(r, ret, m.record.id, v.record->version);
    else
        reply_problem(ret, r, &err);
    catalog_release_version(catalog, &v);
    catalog_release_model(catalog, &m);
    return HANDLED;
}

enum handled model_parameters_put(struct request *r, struct reply *ret)
{
    struct error err = {0};
    struct held_model m = {0};
    struct tensor **tensors = NULL;
    int64_t version = 0;
    err_code code = catalog_hold_model(r->app->catalog, r->arguments[0], &m, &err);
    if (code == ERR_ok)
        code = decode_parameters(r->body, r->body_size, m.model, &r->app->config->limits, &tensors, &err);
    if (code == ERR_ok)
        code = catalog_add_version(r->app->catalog, &m, tensors, &version, &err);
    if (code == ERR_ok) {
        char digest[DIGEST_TEXT_MAX];
        tensors_digest(tensors, m.model->parameter_count, digest);
        struct json j = {.text = &ret->body};
        put_object(&j);
        member_string(&j, "model", m.record.name);
        member_whole(&j, "version", version);
        member_string(&j, "digest", digest);
        put_object_end(&j);
        ret->status = 201;
        reply_header(ret, "Location", "/v1/models/%s/parameters?version=%" PRId64, m.record.name, version);
        tag_version(r, ret, m.record.id, version);
    } else {
        reply_problem(ret, r, &err);
    }
    if (tensors)
        tensors_free(tensors, m.model->parameter_count);
    catalog_release_model(r->app->catalog, &m);
    return HANDLED;
}
