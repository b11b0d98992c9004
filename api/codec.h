/* The codec: JSON into checked types, and back. Strict (RFC 7493), bounded, finite-checked; every mistake is an item
 * with its JSON Pointer. Knows no HTTP. Hostile input is settled here. jansson.h stays behind this header and ndjson.h.
 */
#ifndef GRADD_API_CODEC_H
#define GRADD_API_CODEC_H

#include "api/reply.h"
#include "base/arena.h"
#include "base/config.h"
#include "data/table.h"
#include "graph/model.h"
#include "query/question.h"
#include "query/rows.h"
#include "work/job.h"

/* A model as a request gave it. */
struct model_request {
    char *name;          /* owned; NULL: not given */
    struct model *model; /* owned */
    char *canonical;     /* owned; the spec as text that does not depend on how the request was written; what the store
                            keeps, and decode_model reads */
};
/* needs_name: the body must name the model. */
err_code decode_model_request(const char *bytes, size_t size, bool needs_name, const struct limits *limits,
                              struct model_request *ret, struct error *err);
void model_request_clear(struct model_request *r);
/* The members of a canonical spec that say how the model was written: `program`, or `layers`, `input` and `loss`. */
err_code put_model_form(struct json *j, const char *canonical, const struct limits *limits, struct error *err);
err_code decode_model(const char *canonical, const struct limits *limits, struct model **ret,
                      struct error *err); /* a model_decoder */

/* *ret_canonical: the job as text that does not depend on how the request was written, defaults filled in, but without
 * `priority` and `from_version`, which the store keeps beside it: one changes, the other is settled at acceptance. What
 * the store keeps, and decode_job reads. */
err_code decode_job_request(const char *bytes, size_t size, const struct limits *limits, struct job_spec *ret,
                            char **ret_canonical, struct error *err);
err_code decode_job(const char *canonical, struct job_spec *ret, struct error *err); /* a job_decoder */

/* A query's body; everything lives in `arena` but the tensors, which query_request_clear frees. */
struct query_request {
    struct question
        question; /* kind, of, wrt, inputs, cotangent, directions, ...; graph and parameters are the caller's to set */
    int64_t version;  /* 0: the newest */
    struct row *rows; /* predict by rows; NULL */
    size_t row_count;
    const char *dataset; /* rows of a stored table, in the place of inputs; NULL */
    struct row_range range;
    const struct named_place *outputs; /* predict */
    size_t output_count;
    struct tensor **owned; /* tensors to free */
    size_t owned_count;
    struct arena *arena;
};
enum query_form {
    FORM_PREDICT,
    FORM_EVALUATE,
    FORM_GRADIENT,
    FORM_JACOBIAN,
    FORM_JVP,
    FORM_HVP,
    FORM_HESSIAN,
    FORM_CHECK
};
/* dtype: of the model; where the body gives another one, the question has that. */
err_code decode_query_request(const char *bytes, size_t size, enum query_form form, enum dtype dtype,
                              const struct limits *limits, struct query_request *ret, struct error *err);
void query_request_clear(struct query_request *r);

/* POST /v1/differentiate: as a query, with its program, dtype, query; the graph is built from the inputs' shapes. */
struct differentiate_request {
    struct query_request query;
    struct graph *graph; /* owned */
    char key[80];        /* graph_key */
};
err_code decode_differentiate_request(const char *bytes, size_t size, const struct limits *limits,
                                      struct differentiate_request *ret, struct error *err);
void differentiate_request_clear(struct differentiate_request *r);

/* PUT of parameters: tensors in declared order; all of them. */
err_code decode_parameters(const char *bytes, size_t size, const struct model *m, const struct limits *limits,
                           struct tensor ***ret, struct error *err);

/* A data set as JSON ({"columns": ...} or {"header": ..., "rows": ...}), handed to the sink through data's table
 * builder. */
err_code decode_table(const char *bytes, size_t size, const struct limits *limits, table_sink *sink, void *context,
                      struct table_info *ret, struct error *err);

/* A fork's body: changes to `base`, the canonical text of a job, and from where it starts. A change takes the place of
 * the whole field; null of the field as if it were not given. `ret` and `ret_canonical` as decode_job_request, with
 * `priority` where there is no change of it; *ret_from_step: 0 where it starts from a version. */
err_code decode_job_fork(const char *bytes, size_t size, const char *base, int64_t priority,
                         const struct limits *limits, struct job_spec *ret, char **ret_canonical,
                         int64_t *ret_from_step, struct error *err);

/* {"priority": 5} */
err_code decode_job_patch(const char *bytes, size_t size, const struct limits *limits, int64_t *ret_priority,
                          struct error *err);

#endif
