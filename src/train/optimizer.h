/* Optimizers: functions that append the update of one parameter to a graph as ordinary nodes. Each agrees with
 * PyTorch's of that name. LBFGS alone is none (train/lbfgs.h): it has no state and no scalars here. */
#ifndef GRADD_TRAIN_OPTIMIZER_H
#define GRADD_TRAIN_OPTIMIZER_H

#include "graph/builder.h"

enum optimizer_name {
    OPTIMIZER_SGD,
    OPTIMIZER_ADAM,
    OPTIMIZER_ADAMW,
    OPTIMIZER_RMSPROP,
    OPTIMIZER_ADAGRAD,
    OPTIMIZER_LBFGS
};

struct optimizer {
    enum optimizer_name name;
    double learning_rate;
    double momentum;     /* SGD, RMSprop */
    bool nesterov;       /* SGD */
    double beta1, beta2; /* Adam, AdamW */
    double alpha;        /* RMSprop */
    bool centered;
    double learning_rate_decay, initial_accumulator; /* Adagrad */
    double epsilon;                                  /* all but SGD */
    double weight_decay;                             /* all but LBFGS */
    int64_t history, max_evaluations;                /* LBFGS */
    double tolerance_gradient, tolerance_change;
};

bool optimizer_find(const char *name, enum optimizer_name *ret);
const char *optimizer_name(enum optimizer_name name);

/* One row a field: which optimizers have it, its default, its range. What the codec reads and the docs list. */
struct optimizer_field {
    const char *name;
    enum optimizer_name optimizer;
    bool required;
    bool is_bool, is_whole; /* bool, int64_t; else double */
    double fallback;        /* the default */
    double least, most;     /* inclusive; `least_open`, `most_open`: exclusive */
    bool least_open, most_open;
    size_t offset; /* in struct optimizer */
};
extern const struct optimizer_field optimizer_fields[];
extern const size_t optimizer_field_count;

/* Every field that this optimizer has at its default; a required one is 0. */
struct optimizer optimizer_defaults(enum optimizer_name name);

enum { OPTIMIZER_STATES_MAX = 3, OPTIMIZER_SCALARS_MAX = 4 };
size_t optimizer_state_count(const struct optimizer *o); /* tensors of a parameter's shape that it keeps */
double optimizer_first_state(const struct optimizer *o); /* every element of them before the first step */

/* Appends the update of one parameter. `state`: state_count leaves; `scalars`: leaves whose values optimizer_scalars()
 * gives for each step. Writes the new parameter and the new states. */
void optimizer_update(const struct optimizer *o, struct builder *b, node_id parameter, node_id gradient,
                      const node_id *state, const node_id *scalars, node_id *ret_parameter, node_id *ret_state);
size_t optimizer_scalar_count(const struct optimizer *o);
/* Values of the scalars at step (0 = first), in double, without libm's transcendental functions. learning_rate as
 * scheduled. */
void optimizer_scalars(const struct optimizer *o, double learning_rate, uint64_t step, double *ret);

#endif
