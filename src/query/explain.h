/* What a model is asked most, planned: predict (its output) and gradient (of its cost, by every parameter), at a batch
 * size. Serves those who want to know the cost before they ask, and those who want to see how it is computed. */
#ifndef GRADD_QUERY_EXPLAIN_H
#define GRADD_QUERY_EXPLAIN_H

#include "base/config.h"
#include "base/text.h"
#include "graph/model.h"

/* Bytes of arenas and floating-point operations; 0 where the model can't be asked that. */
struct question_cost {
    size_t predict_bytes, gradient_bytes;
    double predict_flops, gradient_flops;
};
err_code question_cost(const struct model *m, int64_t batch, struct question_cost *ret, struct error *err);

/* The plans, which can be described (engine/describe.h) with their graphs. */
struct explained {
    const char *of; /* the node that is asked for; borrowed from the model */
    struct plan *plan;
    struct graph *graph;
};
struct explanation {
    int64_t batch;
    enum dtype dtype;
    struct explained predict, gradient; /* plan NULL: the model can't be asked that */
    struct planned *planned[2];         /* which own them */
};
/* Mistakes are items: a plan of more memory than a query may take, in bytes, or of a tensor over the limit. */
err_code explain_model(const struct model *m, int64_t batch, const struct limits *limits, struct explanation *ret,
                       struct error *err);
void explanation_clear(struct explanation *e);
/* All of it in words. */
void explanation_text(const struct explanation *e, struct text *to);

#endif
