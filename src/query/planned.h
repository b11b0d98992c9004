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

/* The leaf that carries the cotangent, and those that carry a direction, one a wrt. No program can have names like
 * them. */
#define COTANGENT_NAME "@cotangent"
#define DIRECTION_PREFIX "@direction"
#define NO_OUTPUT SIZE_MAX

/* How runs fill a tensor of the answer. */
enum spread {
    SPREAD_ONCE,    /* it is what the first run gives */
    SPREAD_EACH,    /* a leading axis: run i gives item i */
    SPREAD_ROWS,    /* run first + i gives row i of `count` */
    SPREAD_COLUMNS, /* run first + i gives column i of `count` */
};

/* A tensor of the answer: an output of the plan, or zeros. */
struct planned_tensor {
    struct shape shape; /* of the answer's tensor, but for the leading axis of SPREAD_EACH */
    size_t output;      /* NO_OUTPUT: zeros */
    enum spread spread;
    int64_t first, count; /* runs, of SPREAD_ROWS and SPREAD_COLUMNS */
};

/* Where basis vectors go: the leaf of cotangent or direction `wrt`, whose element i is 1 in run first + i. */
struct planned_basis {
    int64_t first, count;
};

struct planned {
    struct plan *plan;
    struct graph *simple;          /* what the plan was made of; kept where it is described, else NULL */
    struct graph *bound;           /* as written, with the batch known: of a trace, or of formulas; else NULL */
    struct planned_tensor *values; /* of each `of` */
    size_t value_count;
    struct planned_tensor *gradients; /* of each wrt */
    size_t gradient_count;
    struct planned_tensor *derivatives; /* as struct answer has them */
    size_t derivative_count;
    struct planned_basis *basis; /* jacobian, hessian: of the cotangent, or of each wrt; else NULL */
    int64_t runs;                /* basis vectors; -1: the question says how many runs */
    bool *independent;           /* of each wrt */
    const char **names;          /* trace: of each written node, in the arena */
    struct arena *arena;
    struct planned_tensor *traced; /* trace: value and gradient of node i at 2 * i and 2 * i + 1 */
    size_t bytes;                  /* all of it, for the cache */
};

/* `of` and `wrt` as node ids of q->graph; batch < 0: the graph has no symbolic shapes. */
struct planning {
    const struct question *question;
    const node_id *of, *wrt;
    int64_t batch;
    int64_t each; /* items on the leading axis of the answer */
    int64_t answer_elements_max;
    size_t arena_bytes_max;
    bool described; /* the plan can be described (engine/describe.h) */
};
/* Mistakes are items: an answer or an arena over its limit, a missing cotangent, shapes that do not agree at this
 * batch, gradients of more nodes than the graph may have. */
err_code planned_make(const struct planning *p, struct planned **ret, struct error *err);
void planned_free(struct planned *p);

/* The shape of a tensor of the answer, with `each` items on the leading axis of SPREAD_EACH. */
struct shape planned_shape(const struct planned_tensor *t, int64_t each);
/* Refuses an answer of more elements than the limit: an item. */
err_code planned_check_answer(const struct planned *p, const struct question *q, int64_t each, int64_t elements_max,
                              struct error *err);

err_code add_missing_cotangent(const char *of, struct shape shape, struct error *err); /* the item */

#endif
