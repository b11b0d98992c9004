/* Schedules: the learning rate as a function of the step, and of nothing else. */
#ifndef GRADD_TRAIN_SCHEDULE_H
#define GRADD_TRAIN_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum schedule_name {
    SCHEDULE_CONSTANT,
    SCHEDULE_STEP,        /* rate * factor^floor(epoch / every_epochs); the first epoch is 0 */
    SCHEDULE_EXPONENTIAL, /* rate * factor^epoch */
    SCHEDULE_COSINE,      /* half a cosine over all steps, from the rate to final_learning_rate (Loshchilov, Hutter,
                             "SGDR", 2016, without restarts) */
    SCHEDULE_ONE_CYCLE,   /* half a cosine up from max_learning_rate / start_divisor, one down to that / final_divisor
                             (Smith, Topin, "Super-Convergence", 2017, as PyTorch's OneCycleLR) */
    SCHEDULE_COUNT
};

struct schedule {
    enum schedule_name name;
    int64_t warmup_steps; /* of any: so many first steps the rate is multiplied by step / warmup_steps; 0: none */
    int64_t every_epochs;
    double factor;
    double final_learning_rate;
    double max_learning_rate, warmup_fraction, start_divisor, final_divisor;
};

/* The steps of a job. */
struct schedule_span {
    int64_t steps, steps_per_epoch;
};

/* The rate at a step (0 = first), in double, without libm's transcendental functions. `rate` is the optimizer's. */
double schedule_rate(const struct schedule *s, double rate, int64_t step, const struct schedule_span *span);

bool schedule_find(const char *name, enum schedule_name *ret);
const char *schedule_name(enum schedule_name name);

/* One row a field: which schedule has it, its default, its range. */
struct schedule_field {
    const char *name;
    enum schedule_name schedule;
    bool required;
    bool is_whole; /* int64_t; else double */
    double fallback;
    double least, most; /* inclusive, but `least` where least_open */
    bool least_open;
    size_t offset; /* in struct schedule */
};
extern const struct schedule_field schedule_fields[];
extern const size_t schedule_field_count;

/* Every field that this schedule has at its default; a required one is 0. */
struct schedule schedule_defaults(enum schedule_name name);

#endif
