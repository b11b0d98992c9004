/* How the rows of a job are laid out: which train and which validate, in batches of what size, in how many steps. */
#ifndef GRADD_TRAIN_LAYOUT_H
#define GRADD_TRAIN_LAYOUT_H

#include "train/trainer.h"

/* What a trainer runs; each has a plan of its own for its number of rows. */
enum phase {
    PHASE_STEP,          /* a training step on a whole batch */
    PHASE_POINT,         /* one after which a point is due: it tells the gradient's norm too */
    PHASE_POINT_REST,    /* on the rows that are left at the end of an epoch, where a point always is due */
    PHASE_VALIDATE,      /* the cost, and the output for metrics, of a whole batch of rows that are evaluated */
    PHASE_VALIDATE_REST, /* of the rows that are left */
    PHASE_COUNT
};

enum { POINTS_MAX = 1000000 }; /* that a job may record */

struct layout {
    int64_t training, validation; /* rows of each */
    int64_t evaluated; /* rows at an epoch's end: those that validate, or without them, for metrics, those that train */
    int64_t batch[PHASE_COUNT]; /* rows of a run; 0: the phase does not occur */
    int64_t whole;              /* rows of a whole training batch */
    int64_t steps_per_epoch, steps;
};

/* Checks the numbers of the spec against the rows. Errors are items that point into the job:
 * out_of_range, empty_table, limit_exceeded. */
err_code layout_make(const struct train_spec *spec, size_t rows, struct layout *ret, struct error *err);

/* Rows of the largest batch. */
size_t layout_most_rows(const struct layout *l);

/* Whether a point is due when `step` steps are done. */
bool layout_point_due(const struct layout *l, const struct train_spec *spec, int64_t step);

#endif
