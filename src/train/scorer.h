/* The scorer: computes the scores that a job asks for, batch after batch, in the order of the rows. */
#ifndef GRADD_TRAIN_SCORER_H
#define GRADD_TRAIN_SCORER_H

#include "train/trainer.h"

/* How an element of the output is held against one of the target. */
struct judgement {
    bool by_highest;           /* classes: the highest element of a row */
    double above, truly_above; /* else: the output's element is above this as the target's is above that */
};

struct scorer {
    unsigned wanted;            /* bit 1 << enum score; 0: none, and all below is zero */
    size_t target;              /* index into the model's inputs */
    size_t width, target_width; /* elements of a row of the output, and of the target */
    struct judgement judgement;
    double *deviations; /* r2: for each element the sum of squared deviations of the target; owned */
    double *left;       /* r2: for each element the sum of squared differences so far; in the same block */
    double distance;    /* mae: the sum of absolute differences so far */
    int64_t scored;     /* rows so far */
    int64_t judged, right;
};

/* Whether the model has what the scores need, and how they are made; allocates nothing. Mistakes are items at
 * /metrics: invalid_value. */
err_code scorer_make(const struct model *m, unsigned wanted, struct scorer *ret, struct error *err);
size_t scorer_bytes(const struct scorer *s); /* what scorer_open() allocates */
/* `rows`: those that will be scored. */
err_code scorer_open(struct scorer *s, enum dtype dtype, const struct train_data *data, const uint32_t *rows,
                     size_t count, struct error *err);
void scorer_close(struct scorer *s);

void scorer_begin(struct scorer *s);
/* A batch: `count` rows of the output, row-major in dtype, and which rows of the data they are of. */
void scorer_add(struct scorer *s, enum dtype dtype, const void *output, const struct train_data *data,
                const uint32_t *rows, size_t count);
void scorer_end(const struct scorer *s, double ret[SCORE_COUNT]); /* NaN: not wanted */

#endif
