/* A session: everything that training steps need, bound together once, so that a step allocates nothing.
 *
 * A step is a function of its number and of what is trained (parameters and optimizer state), which it advances:
 * whoever puts that back to what it was can take the same steps again, with the same bits. */
#ifndef GRADD_TRAIN_SESSION_H
#define GRADD_TRAIN_SESSION_H

#include "base/rng.h"
#include "engine/run.h"
#include "engine/team.h"
#include "train/plans.h"
#include "train/scorer.h"

/* What training changes: the parameters, and the optimizer's state beside each. All owned. */
struct trained {
    struct tensor **parameters; /* parameter_count */
    struct tensor **states; /* state_count each, parameter after parameter; NULL where the cost does not depend on it */
    size_t parameter_count, state_count;
    double *memory; /* LBFGS's; else none */
    size_t memory_count;
};

/* Whether every parameter is. */
bool trained_is_finite(const struct trained *t);

struct session {
    const struct model *model; /* borrowed */
    struct train_spec spec;
    struct train_data data; /* borrowed */
    struct layout layout;
    struct plan *plans[PHASE_COUNT]; /* NULL: the phase does not occur */
    struct run *runs[PHASE_COUNT];
    struct team *team;   /* NULL: one thread */
    struct trained now;  /* bound to the runs */
    struct trained kept; /* as `now` was after kept_step steps, when every parameter was finite */
    int64_t kept_step;
    struct scorer scorer;           /* of the rows that are evaluated */
    struct tensor **best;           /* the best epoch's parameters; NULL without early stopping */
    uint32_t *order;                /* training rows, then validation rows */
    uint32_t *rows;                 /* of the batch that is run */
    void *scalars;                  /* the optimizer's, in the model's dtype */
    double *point, *scratch;        /* LBFGS's: all parameters as one vector, and what it works with; else NULL */
    struct permutation permutation; /* of the training rows, in epoch permuted_epoch */
    int64_t permuted_epoch;         /* -1: none yet */
};

/* `start` is copied; model and data are borrowed while the session lives. */
err_code session_open(const struct model *m, const struct train_spec *spec, const struct train_data *data,
                      struct tensor *const *start, struct session *ret, struct error *err);
void session_close(struct session *s);

/* What a step tells. */
struct step_result {
    double cost; /* the mean over its batch */
    double norm; /* of the gradient, where a point is due after it; else NaN */
};

/* Picks the rows of a step (0 = first) and its scalars; returns the phase that it runs in. */
enum phase session_load(struct session *s, int64_t step);
/* Takes a training step. `cancel` is looked at within every evaluation. */
err_code session_step(struct session *s, int64_t step, const atomic_bool *cancel, struct step_result *ret,
                      struct error *err);
/* The learning rate of a step. */
double session_rate(const struct session *s, int64_t step);
/* What the parameters are worth, on the validation rows, or without those on the training rows: the validation cost
 * (the mean of each batch's, weighted by its rows) and the scores. Writes those; what is not asked for stays. */
err_code session_evaluate(struct session *s, const atomic_bool *cancel, struct train_epoch *ret, struct error *err);
/* Keeps what is trained as it stands after so many steps. */
void session_keep(struct session *s, int64_t step);
/* Keeps the parameters as the best. */
void session_keep_best(struct session *s);
/* Goes back to what was kept; returns after how many steps that was. */
int64_t session_back(struct session *s);

/* Binds the leaves of a plan, by their names, to where the session has their values. */
void session_bind(const struct session *s, const struct plan *plan, struct run *run);

#endif
