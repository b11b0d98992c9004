/* A planned question: everything about it that does not depend on the values, made once and shared by all who ask the
 * same.
 *
 * The way of the graph: written -> bound to the batch -> Grad nodes expanded -> gradients appended -> simplified ->
 * planned. */
#ifndef GRADD_QUERY_PLANNED_H
#define GRADD_QUERY_PLANNED_H

#include "base/arena.h"
#include "engine/plan.h"
#include "query/question.h"

/* The leaf that carries the cotangent. No program can have a name like it. */
#define COTANGENT_NAME "@cotangent"
#define NO_OUTPUT SIZE_MAX

/* A tensor of the answer: an output of the plan, or zeros. */
struct planned_tensor {
    struct shape shape;
    size_t output; /* NO_OUTPUT: zeros */
};

struct planned {
    struct plan *plan;
    struct graph *simple;          /* what the plan was made of; kept where it is described, else NULL */
    struct graph *bound;           /* as written, with the batch known: the nodes of a trace; else NULL */
    struct planned_tensor *values; /* of each `of` */
    size_t value_count;
    struct planned_tensor *gradients; /* of each wrt */
    size_t gradient_count;
    bool *independent;  /* of each wrt */
    const char **names; /* trace: of each written node, in the arena */
    struct arena *arena;
    struct planned_tensor *traced; /* trace: value and gradient of node i at 2 * i and 2 * i + 1 */
    int64_t answer_elements;       /* of all tensors of the answer */
    size_t bytes;                  /* all of it, for the cache */
};

/* `of` and `wrt` as node ids of q->graph; batch < 0: the graph has no symbolic shapes. */
struct planning {
    const struct question *question;
    const node_id *of, *wrt;
    int64_t batch;
    int64_t answer_elements_max;
    size_t arena_bytes_max;
    bool described; /* the plan can be described (engine/describe.h) */
};
/* Mistakes are items: an answer or an arena over its limit, a missing cotangent, shapes that do not agree at this
 * batch, gradients of more nodes than the graph may have. */
err_code planned_make(const struct planning *p, struct planned **ret, struct error *err);
void planned_free(struct planned *p);

err_code add_missing_cotangent(const char *of, struct shape shape, struct error *err); /* the item */

#endif
