/* THE table of routes: method, path, limits, handler. openapi.yaml is held against it, both ways, by a test. */
#ifndef GRADD_API_ROUTES_H
#define GRADD_API_ROUTES_H

#include "api/reply.h"
#include "api/uri.h"

/* LATER: too dear for an I/O thread; the handler wrote nothing, and is called again from the start on the compute pool
 * (request->on_pool). ASLEEP: there is nothing to answer yet; request->sleeper says when the handler is called again,
 * on the I/O thread; what it wrote is dropped. */
enum handled { HANDLED, LATER, ASLEEP };
typedef enum handled handler(struct request *r, struct reply *ret);

/* Where a handler runs at first. */
enum route_place { ON_IO, ON_POOL };

/* A body that is streamed instead of gathered: begin at the headers, feed on the pool with pieces of about 1 MiB,
 * finish (or abort, if the client left). */
struct upload_handler {
    err_code (*begin)(struct request *r, void **ret_upload, struct error *err);
    err_code (*feed)(void *upload, const char *bytes, size_t size, struct error *err);
    void (*finish)(void *upload, struct request *r, struct reply *ret); /* also frees */
    void (*abort)(void *upload);
};

struct route {
    const char *method;
    const char *path;                    /* "/v1/models/{m}" */
    handler *handle;                     /* NULL: upload */
    const struct upload_handler *upload; /* NULL: gathered */
    size_t body_limit;                   /* offset of an int64_t in struct limits; NO_BODY */
    const char *const *media_types;      /* of the body, NULL-ended; NULL: no body */
    const char *const *parameters;       /* query parameters it knows, NULL-ended; NULL: none */
    const char *const *answers;          /* media types that it can answer with, NULL-ended; NULL: JSON alone */
    enum route_place place;
    bool creates; /* takes Idempotency-Key */
};
#define NO_BODY SIZE_MAX

extern const struct route routes[];
extern const size_t route_count;
extern const char *const json_alone[]; /* the media types of a route that names none */

/* Looks a path up. *ret_route: the route of this method (GET for HEAD), NULL if the path has none. arguments: what
 * stands for the {words} of that route, borrowed from uri. allow, if not NULL: gets the methods that the path knows, as
 * the Allow header lists them. Returns whether the path is known at all. */
bool route_find(const struct uri *uri, const char *method, const struct route **ret_route,
                char *arguments[PATH_ARGUMENTS_MAX], struct text *allow);

/* The known path that is most like this one, for "did you mean"; NULL if none is near. */
const char *route_guess(const char *path);

/* One resource each; see the files of those names. */
handler health_live, health_ready, index_get, openapi_json_get, openapi_yaml_get, problem_list, problem_get;
handler differentiate, events_get;
handler models_list, models_post, model_get, model_put, model_delete, model_versions, model_parameters_get,
    model_parameters_put, model_graph, model_plan;
handler query_predict, query_evaluate, query_gradient, query_jacobian, query_jvp, query_hvp, query_hessian, query_check;
handler datasets_list, dataset_get, dataset_rows, dataset_delete;
extern const struct upload_handler dataset_put;
handler jobs_list, jobs_post, job_get, job_patch, job_delete, job_cancel, job_pause, job_resume, job_verify, job_fork,
    job_costs, job_events;

#endif
