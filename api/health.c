/* What the server says about itself: liveness, readiness, the index, the contract. */
#include "api/openapi.h"
#include "api/routes.h"
#include "version.h"

static void begin_json(struct reply *r, struct json *j)
{
    r->status = 200;
    r->content_type = "application/json";
    *j = (struct json){.text = &r->body};
}

static void add_text(struct json *j, const char *key, const char *value)
{
    put_key(j, key);
    put_string(j, value);
}

static void reply_state(struct reply *r, const char *state)
{
    struct json j;
    begin_json(r, &j);
    put_object(&j);
    add_text(&j, "status", state);
    put_object_end(&j);
    text_putc(&r->body, '\n');
}

enum handled health_live(struct request *r, struct reply *ret)
{
    (void)r;
    reply_state(ret, "ok");
    return HANDLED;
}

enum handled health_ready(struct request *r, struct reply *ret)
{
    struct error err = {0};
    if (store_ping(r->app->store, &err) == ERR_ok) {
        reply_state(ret, "ready");
        return HANDLED;
    }
    struct error told = {0};
    error_set(&told, ERR_too_busy, "the database does not answer: %s", err_title(err.code));
    error_clear(&err);
    reply_problem(ret, r, &told);
    return HANDLED;
}

static void add_links(struct json *j)
{
    static const char *const links[][2] = {
        {"differentiate", "/v1/differentiate"},
        {"models", "/v1/models"},
        {"datasets", "/v1/datasets"},
        {"jobs", "/v1/jobs"},
        {"health", "/healthz"},
        {"ready", "/readyz"},
        {"openapi", "/openapi.json"},
        {"problems", "/problems"},
    };
    put_key(j, "links");
    put_object(j);
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        add_text(j, links[i][0], links[i][1]);
    put_object_end(j);
}

static void add_limits(struct json *j, const struct limits *limits)
{
#define FIGURE(field)                                                                                                  \
    {                                                                                                                  \
#field, limits->field                                                                                          \
    }
    const struct {
        const char *name;
        int64_t value;
    } figures[] = {
        FIGURE(body_bytes),         FIGURE(model_bytes),   FIGURE(query_bytes),
        FIGURE(dataset_bytes),      FIGURE(rank),          FIGURE(tensor_elements),
        FIGURE(answer_elements),    FIGURE(program_names), FIGURE(program_bytes),
        FIGURE(program_nesting),    FIGURE(json_nesting),  FIGURE(nodes),
        FIGURE(parameter_elements), FIGURE(connections),   FIGURE(idle_seconds),
        FIGURE(queued_jobs),        FIGURE(memory_bytes),  FIGURE(query_seconds),
    };
#undef FIGURE
    put_key(j, "limits");
    put_object(j);
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        put_key(j, figures[i].name);
        put_whole(j, figures[i].value);
    }
    put_object_end(j);
}

enum handled index_get(struct request *r, struct reply *ret)
{
    struct json j;
    begin_json(ret, &j);
    put_object(&j);
    add_text(&j, "name", "gradd");
    add_text(&j, "version", GRADD_VERSION);
    add_links(&j);
    add_limits(&j, &r->app->config->limits);
    put_object_end(&j);
    text_putc(&ret->body, '\n');
    return HANDLED;
}

enum handled openapi_json_get(struct request *r, struct reply *ret)
{
    ret->content_type = "application/json";
    text_add(&ret->body, openapi_json, openapi_json_size);
    reply_tagged(ret, r, openapi_json);
    return HANDLED;
}

enum handled openapi_yaml_get(struct request *r, struct reply *ret)
{
    ret->content_type = "application/yaml";
    text_add(&ret->body, openapi_yaml, openapi_yaml_size);
    reply_tagged(ret, r, openapi_yaml);
    return HANDLED;
}
