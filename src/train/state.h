/* All that training is between two steps, as one run of bytes: what whoever drives a trainer keeps as a checkpoint.
 *
 * A header, the sums below, then the tensors of what is trained, first the parameters, then their optimizer's states,
 * and what LBFGS remembers; the best epoch's parameters, if they are kept; where training stops at the last good copy,
 * that copy. Everything is little-endian. There is no generator's state: random numbers are functions of the seed and
 * the step. */
#ifndef GRADD_TRAIN_STATE_H
#define GRADD_TRAIN_STATE_H

#include "train/session.h"

/* A sum of costs, each a mean over some rows. */
struct mean {
    double sum;
    int64_t rows;
};

/* What training has come to, beside the tensors. Members of eight bytes only: it is kept as it stands. */
struct progress {
    int64_t step; /* done */
    struct mean since_point, since_epoch;
    struct train_epoch epoch; /* the last whole one */
    struct train_epoch kept;  /* as it was at the session's kept_step */
    int64_t kept_step;
    double best_watched; /* infinite: no epoch yet */
    double best_cost;    /* of that epoch */
    int64_t best_step;
    double reference; /* the watched cost when it last fell by more than min_delta */
    int64_t waited;   /* epochs since */
    int64_t stopped;  /* enum stop */
};

enum stop { STOP_NONE, STOP_EARLY, STOP_NONFINITE };

size_t state_size(const struct session *s);
/* Writes state_size() bytes. */
void state_save(const struct session *s, const struct progress *p, void *ret);
/* ERR_internal, and nothing is changed, if the bytes are not of such a session. */
err_code state_restore(struct session *s, struct progress *ret, const void *bytes, size_t size, struct error *err);

#endif
