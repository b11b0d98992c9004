/* A model as JSON: the members that all of its representations share. */
#ifndef GRADD_API_MODELS_H
#define GRADD_API_MODELS_H

#include "api/reply.h"
#include "graph/model.h"

/* `nodes`, every one with a name; `inputs`, `parameters`, `cost`, `output`, `dtype`, `seed`. What the model does not
 * have (a cost, an output) is left out, so that all of it can be posted again. */
err_code put_model_graph(struct json *j, const struct model *m, bool flat, struct error *err);

/* The headers of an answer that depends on a model's id and version alone: JSON, with its ETag. */
void tag_version(const struct request *r, struct reply *ret, int64_t id, int64_t version);

#endif
