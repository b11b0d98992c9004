#include "api/routes.h"

#include "base/names.h"
#include <string.h>

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})
#define LIMIT(field) offsetof(struct limits, field)
#define JSON json_alone
#define PAGED LIST("limit", "after")
#define FLAT LIST("tensors")

const char *const json_alone[] = {"application/json", NULL};

/* clang-format off */
const struct route routes[] = {
    {"GET", "/", index_get, NULL, NO_BODY, NULL, NULL, NULL, ON_IO, false},
    {"GET", "/healthz", health_live, NULL, NO_BODY, NULL, NULL, NULL, ON_IO, false},
    {"GET", "/readyz", health_ready, NULL, NO_BODY, NULL, NULL, NULL, ON_POOL, false},
    {"GET", "/openapi.json", openapi_json_get, NULL, NO_BODY, NULL, NULL, NULL, ON_IO, false},
    {"GET", "/openapi.yaml", openapi_yaml_get, NULL, NO_BODY, NULL, NULL, LIST("application/yaml"), ON_IO, false},
    {"GET", "/problems", problem_list, NULL, NO_BODY, NULL, NULL, LIST("application/json", "text/html"), ON_IO, false},
    {"GET", "/problems/{code}", problem_get, NULL, NO_BODY, NULL, NULL, LIST("application/json", "text/html"), ON_IO, false},

    {"POST", "/v1/differentiate", differentiate, NULL, LIMIT(query_bytes), JSON, FLAT, NULL, ON_IO, false},

    {"GET", "/v1/models", models_list, NULL, NO_BODY, NULL, PAGED, NULL, ON_IO, false},
    {"POST", "/v1/models", models_post, NULL, LIMIT(model_bytes), JSON, LIST("dry_run", "batch", "tensors"), NULL, ON_POOL, true},
    {"GET", "/v1/models/{m}", model_get, NULL, NO_BODY, NULL, FLAT, NULL, ON_IO, false},
    {"PUT", "/v1/models/{m}", model_put, NULL, LIMIT(model_bytes), JSON, LIST("dry_run", "batch", "tensors"), NULL, ON_POOL, false},
    {"DELETE", "/v1/models/{m}", model_delete, NULL, NO_BODY, NULL, LIST("cascade"), NULL, ON_POOL, false},
    {"GET", "/v1/models/{m}/versions", model_versions, NULL, NO_BODY, NULL, PAGED, NULL, ON_IO, false},
    {"GET", "/v1/models/{m}/parameters", model_parameters_get, NULL, NO_BODY, NULL, LIST("version", "tensors"), NULL, ON_POOL, false},
    {"PUT", "/v1/models/{m}/parameters", model_parameters_put, NULL, LIMIT(query_bytes), JSON, NULL, NULL, ON_POOL, false},
    {"GET", "/v1/models/{m}/graph", model_graph, NULL, NO_BODY, NULL, FLAT, LIST("application/json", "text/vnd.graphviz"), ON_IO, false},
    {"GET", "/v1/models/{m}/plan", model_plan, NULL, NO_BODY, NULL, LIST("batch"), LIST("text/plain", "application/json"), ON_IO, false},
    {"POST", "/v1/models/{m}/predict", query_predict, NULL, LIMIT(query_bytes), JSON, FLAT, NULL, ON_IO, false},
    {"POST", "/v1/models/{m}/evaluate", query_evaluate, NULL, LIMIT(query_bytes), JSON, FLAT, NULL, ON_IO, false},
    {"POST", "/v1/models/{m}/gradient", query_gradient, NULL, LIMIT(query_bytes), JSON, FLAT, NULL, ON_IO, false},
    {"POST", "/v1/models/{m}/jacobian", query_jacobian, NULL, LIMIT(query_bytes), JSON, FLAT, NULL, ON_IO, false},
    {"POST", "/v1/models/{m}/jvp", query_jvp, NULL, LIMIT(query_bytes), JSON, FLAT, NULL, ON_IO, false},
    {"POST", "/v1/models/{m}/hvp", query_hvp, NULL, LIMIT(query_bytes), JSON, FLAT, NULL, ON_IO, false},
    {"POST", "/v1/models/{m}/hessian", query_hessian, NULL, LIMIT(query_bytes), JSON, FLAT, NULL, ON_IO, false},
    {"POST", "/v1/models/{m}/check", query_check, NULL, LIMIT(query_bytes), JSON, NULL, NULL, ON_IO, false},

    {"GET", "/v1/datasets", datasets_list, NULL, NO_BODY, NULL, PAGED, NULL, ON_IO, false},
    {"GET", "/v1/datasets/{d}", dataset_get, NULL, NO_BODY, NULL, NULL, NULL, ON_IO, false},
    {"PUT", "/v1/datasets/{d}", NULL, &dataset_put, LIMIT(dataset_bytes), LIST("text/csv", "application/json"), LIST("types"), NULL, ON_POOL, false},
    {"DELETE", "/v1/datasets/{d}", dataset_delete, NULL, NO_BODY, NULL, NULL, NULL, ON_POOL, false},
    {"GET", "/v1/datasets/{d}/rows", dataset_rows, NULL, NO_BODY, NULL, LIST("offset", "limit"), NULL, ON_POOL, false},

    {"GET", "/v1/jobs", jobs_list, NULL, NO_BODY, NULL, LIST("state", "model", "label", "sort", "limit", "after"), NULL, ON_IO, false},
    {"POST", "/v1/jobs", jobs_post, NULL, LIMIT(body_bytes), JSON, NULL, NULL, ON_POOL, true},
    {"GET", "/v1/jobs/{id}", job_get, NULL, NO_BODY, NULL, LIST("wait"), NULL, ON_IO, false},
    {"PATCH", "/v1/jobs/{id}", job_patch, NULL, LIMIT(body_bytes), JSON, NULL, NULL, ON_POOL, false},
    {"DELETE", "/v1/jobs/{id}", job_delete, NULL, NO_BODY, NULL, NULL, NULL, ON_POOL, false},
    {"POST", "/v1/jobs/{id}/cancel", job_cancel, NULL, NO_BODY, NULL, NULL, NULL, ON_POOL, false},
    {"POST", "/v1/jobs/{id}/pause", job_pause, NULL, NO_BODY, NULL, NULL, NULL, ON_POOL, false},
    {"POST", "/v1/jobs/{id}/resume", job_resume, NULL, NO_BODY, NULL, NULL, NULL, ON_POOL, false},
    {"POST", "/v1/jobs/{id}/verify", job_verify, NULL, NO_BODY, NULL, NULL, NULL, ON_POOL, true},
    {"POST", "/v1/jobs/{id}/fork", job_fork, NULL, LIMIT(body_bytes), JSON, NULL, NULL, ON_POOL, true},
    {"GET", "/v1/jobs/{id}/events", job_events, NULL, NO_BODY, NULL, NULL, LIST("text/event-stream"), ON_IO, false},
    {"GET", "/v1/events", events_get, NULL, NO_BODY, NULL, NULL, LIST("text/event-stream"), ON_IO, false},
    {"GET", "/v1/jobs/{id}/costs", job_costs, NULL, NO_BODY, NULL, LIST("after", "max_points"), LIST("application/json", "text/csv", "application/x-ndjson"), ON_POOL, false},
};
/* clang-format on */
const size_t route_count = sizeof routes / sizeof *routes;

/* Compares a path with a route's, segment by segment; {words} take anything. */
static bool path_matches(const char *path, const struct uri *uri, char *arguments[PATH_ARGUMENTS_MAX])
{
    size_t argument_count = 0;
    const char *rest = path;
    for (size_t i = 0; i < uri->segment_count; i++) {
        if (i >= URI_SEGMENTS_MAX || *rest++ != '/')
            return false;
        const char *segment = uri->segments[i];
        if (*rest == '{') {
            arguments[argument_count++] = uri->segments[i];
            rest = strchr(rest, '}') + 1;
            continue;
        }
        for (; *segment != '\0' && *segment == *rest; segment++)
            rest++;
        if (*segment != '\0' || (*rest != '/' && *rest != '\0'))
            return false;
    }
    return *rest == '\0' && uri->segment_count > 0;
}

static void allow_method(struct text *allow, const char *method)
{
    if (allow == NULL)
        return;
    if (allow->length > 0)
        text_puts(allow, ", ");
    text_puts(allow, method);
    if (strcmp(method, "GET") == 0)
        text_puts(allow, ", HEAD");
}

bool route_find(const struct uri *uri, const char *method, const struct route **ret_route,
                char *arguments[PATH_ARGUMENTS_MAX], struct text *allow)
{
    const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method;
    bool known = false;
    *ret_route = NULL;
    for (size_t i = 0; i < route_count && uri->path[0] == '/'; i++) {
        char *found[PATH_ARGUMENTS_MAX] = {NULL};
        if (!path_matches(routes[i].path, uri, found))
            continue;
        known = true;
        allow_method(allow, routes[i].method);
        if (strcmp(routes[i].method, wanted) == 0) {
            *ret_route = &routes[i];
            memcpy(arguments, found, sizeof found);
        }
    }
    if (known && allow != NULL)
        text_puts(allow, ", OPTIONS");
    return known;
}

const char *route_guess(const char *path)
{
    struct guess guess = {.name = path};
    for (size_t i = 0; i < route_count; i++)
        if (strchr(routes[i].path, '{') == NULL)
            guess_offer(&guess, routes[i].path);
    return guess.best;
}
