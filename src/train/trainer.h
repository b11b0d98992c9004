/* The trainer: one job, no threads, a deterministic function of (model, spec, data, start). It advances in slices, so
 * that whoever drives it decides when to stop, to publish and to write. A training step is one plan: gather, forward,
 * backward, update. */
#ifndef GRADD_TRAIN_TRAINER_H
#define GRADD_TRAIN_TRAINER_H

#include "graph/model.h"
#include "train/optimizer.h"
#include "train/schedule.h"
#include "train/scores.h"
#include <stdatomic.h>

enum { TRAIN_THREADS_MAX = 256 };

/* Stops when the watched cost, of the validation rows or else the epoch's, has not fallen by more than min_delta below
 * what it was when it last did, for so many epochs. */
struct early_stopping {
    int64_t patience; /* epochs; 0: never */
    double min_delta;
    bool restore_best; /* the outcome is the best epoch's */
};

struct train_spec {
    struct optimizer optimizer;
    struct schedule schedule;
    double clip_gradient_norm; /* the gradient by all parameters together is scaled down to this norm; 0: never */
    char *const *freeze;       /* names of parameters that stay as they are; borrowed */
    size_t freeze_count;
    int64_t epochs;     /* 1 and up */
    int64_t batch_size; /* 1 and up; larger than the data: all of it. LBFGS takes all rows, in their order */
    bool shuffle;
    bool drop_last;
    uint64_t seed;
    double validation_fraction; /* 0: none; else max(1, floor(fraction * rows)) rows, the first of the seed's
                                   permutation */
    int64_t validation_rows;    /* not 0: so many rows, those that the data mark; then there is no fraction */
    int threads;                /* that share a step, which changes no bit; 0 is 1 */
    struct early_stopping early_stopping;
    bool stop_on_nonfinite;     /* ends where all was finite last, instead of failing */
    int64_t record_every_steps; /* a point at each multiple too; 0: a point an epoch */
    bool weighted;              /* rows have weights: every loss of the cost that averages over rows is weighted */
    unsigned metrics;           /* bit 1 << enum score: those that are looked at when an epoch ends */
};

/* Values of the model's inputs, row-major in its dtype: inputs[i] is rows * (elements of input i without batch).
 * Borrowed while the trainer lives. */
struct train_data {
    const void *const *inputs;
    size_t rows;                /* training and validation together; below 2^32 */
    const unsigned char *marks; /* with validation_rows: 1 a row that validates, else 0; not looked at any more when
                                   the trainer is made */
    const void *weights;        /* with weighted: one a row, in the model's dtype; NULL without */
    const double *target_scale; /* the target's units for each element of a row, for MAE; NULL: all are 1 */
};

/* Which rows train and which validate, by the seed or by the marks. The caller frees *ret_order: first the training
 * rows in ascending order, then the validation rows, those that are marked in ascending order. */
err_code train_split(const struct train_spec *spec, size_t rows, const unsigned char *marks, uint32_t **ret_order,
                     size_t *ret_training, struct error *err);

struct train_point {
    int64_t step, epoch;    /* steps done; the epoch in which the last of them was, 1 = first */
    double cost;            /* mean over the rows since the point before: of each batch's cost, weighted by its rows */
    double validation_cost; /* NaN but at an epoch's end with validation; not finite where it overflows */
    double learning_rate;
    double gradient_norm;       /* of the last step, by all parameters that are trained, before it is clipped */
    double scores[SCORE_COUNT]; /* NaN but at an epoch's end, where they are asked for */
};

/* What a whole epoch came to. Before the first all is NaN. */
struct train_epoch {
    double cost;                /* the mean over its rows: of each batch's cost, weighted by its rows */
    double validation_cost;     /* NaN without validation */
    double scores[SCORE_COUNT]; /* NaN: not asked for */
};

struct train_size {
    int64_t training_rows;
    int64_t steps_per_epoch, steps;
    size_t memory_bytes; /* exact: arenas, parameters, optimizer state, a copy of both (for replay), with early stopping
                            one of the parameters, 4 bytes a row of the table and of a batch */
};
/* Checks that the spec fits the model and says how large it is, without training. Mistakes are items whose pointers are
 * fields of the job ("/epochs"): out_of_range, empty_table, no_cost, invalid_value (no parameters), shape_mismatch (an
 * input of the cost whose first axis is not batch), limit_exceeded (over a million points), invalid_value (metrics that
 * the model has no target for, weights where the cost has no loss that averages over rows). */
err_code train_measure(const struct model *m, const struct train_spec *spec, size_t rows, struct train_size *ret,
                       struct error *err);

struct trainer;
/* `start`: parameters in declared order, of the model's dtype and shapes; copied, as is spec. Model and data are
 * borrowed while the trainer lives. The order of train_split is made inside. Errors: those of train_measure,
 * out_of_memory. */
err_code trainer_new(const struct model *m, const struct train_spec *spec, const struct train_data *data,
                     struct tensor *const *start, struct trainer **ret, struct error *err);
void trainer_free(struct trainer *t);

/* Trains until a point is due, max_steps (1 and up) are done, or the end. `cancel` (may be NULL) is looked at within
 * every step. *ret_point is written and *ret_has_point true where a point is due. The cost is looked at after each
 * step, the parameters at the ends of epochs. nonfinite: the error names step, epoch and the first node that went
 * non-finite, with its inputs' ranges, found by replay; with stop_on_nonfinite it is no error, but the trainer goes
 * back to the last copy that it looked at, without a point, and is finished. index_out_of_range: of a value in the
 * data. cancelled. After an error the trainer can only be freed, or saved if it is whole. */
err_code trainer_advance(struct trainer *t, int64_t max_steps, const atomic_bool *cancel, struct train_point *ret_point,
                         bool *ret_has_point, struct error *err);
bool trainer_finished(const struct trainer *t);
/* Why it finished before its last step: "early_stopping", "nonfinite"; NULL if it did not. */
const char *trainer_stopped(const struct trainer *t);
int64_t trainer_step(const struct trainer *t);
int64_t trainer_epoch(const struct trainer *t); /* whole epochs done */
/* What the last whole epoch came to; after "nonfinite" that of the copy it went back to. */
struct train_epoch trainer_last_epoch(const struct trainer *t);
/* The parameters as they stand; borrowed, parameter_count tensors. */
struct tensor *const *trainer_parameters(const struct trainer *t);

/* Parameters that a version may be made of, with the epoch they are of. */
struct train_outcome {
    struct tensor *const *parameters; /* borrowed from the trainer */
    int64_t step, epoch;
    double cost; /* the mean over the rows of that epoch; NaN if it is none */
};
/* What training came to: the best epoch's parameters with restore_best, else the last. */
struct train_outcome trainer_outcome(const struct trainer *t);
/* The epoch whose watched cost was the lowest; false without early stopping, and before there is one. */
bool trainer_best(const struct trainer *t, struct train_outcome *ret);

/* Everything that training is between two steps, as one run of bytes whose size is known from the start. Little-endian,
 * versioned; opaque to whoever keeps it. A trainer that is restored goes on to the same bits: the same points, the same
 * end. */
size_t trainer_state_size(const struct trainer *t);
void trainer_save(const struct trainer *t, void *ret); /* the size above */
/* Whether it is between two steps, so that it can be saved: not after an error of trainer_advance, but after cancelled
 * where that left a step undone. */
bool trainer_is_whole(const struct trainer *t);
/* Into a new trainer of the same model, spec and data. internal if the bytes do not fit it; the trainer is as it was.
 */
err_code trainer_restore(struct trainer *t, const void *bytes, size_t size, struct error *err);
/* The parameters in declared order, one after the other, as they stand in what trainer_save() wrote; borrowed. NULL:
 * the bytes are not of a trainer of that model, of this version of gradd. */
const void *trainer_state_parameters(const struct model *m, const void *bytes, size_t size, size_t *ret_size);
/* Whether what would be saved is worth keeping: training that has gone non-finite is found out later, and must be
 * replayed from before. */
bool trainer_state_finite(const struct trainer *t);

#endif
