/* The check of gradients: backprop against differences, in float64, for every element of every wrt and of every node
 * between.
 *
 * A difference is central, extrapolated to a step of zero (Ridders, 1982) from several first steps, of which the one
 * counts whose own estimate of error is least: a step that leaps over a kink does not converge, a shorter one does. At
 * a kink itself the derivatives from the left and from the right differ, and backprop is right if it lies between them.
 * Nothing moves behind StopGradient: its value stays what it was. */
#ifndef GRADD_QUERY_CHECK_H
#define GRADD_QUERY_CHECK_H

#include "base/arena.h"
#include "query/question.h"

struct checked { /* the worst element of a wrt or a node */
    const char *name;
    struct shape shape;
    int64_t index; /* row-major */
    double backprop, difference;
    double relative_error; /* 0 where backprop lies between the derivatives from left and right */
    bool ok;
};

struct check_answer {
    bool ok;
    size_t worst;          /* among nodes */
    struct checked *nodes; /* of each wrt, then of each named node that leads from some wrt to `of` */
    size_t node_count;     /* elements are in all; those without elements are left out */
    const char **independent;
    size_t independent_count;
    struct arena *arena;
};
void check_answer_clear(struct check_answer *a);

/* q: kind QUESTION_CHECK, dtype float64. Where `of` has several elements, a sum with unequal weights is checked. Errors
 * as those of question_prepare and prepared_run. */
err_code check_run(struct plans *plans, const struct question *q, const atomic_bool *cancel, struct check_answer *ret,
                   struct error *err);

#endif
