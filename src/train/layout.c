#include "train/layout.h"

#include "base/rng.h"
#include "base/size.h"
#include <math.h>
#include <stdlib.h>

static struct place at(const char *pointer)
{
    return (struct place){.pointer = pointer};
}

static int64_t validation_rows(const struct train_spec *spec, size_t rows)
{
    if (spec->validation_rows > 0 || spec->validation_fraction == 0)
        return spec->validation_rows;
    double share = floor(spec->validation_fraction * (double)rows);
    return share < 1 ? 1 : (int64_t)share;
}

static err_code check_spec(const struct train_spec *spec, size_t rows, struct error *err)
{
    err_code code = ERR_ok;
    if (spec->epochs < 1)
        code = error_add(err, ERR_out_of_range, at("/epochs"), "epochs is %lld; it must be at least 1",
                         (long long)spec->epochs);
    if (spec->batch_size < 1)
        code = error_add(err, ERR_out_of_range, at("/batch_size"), "batch_size is %lld; it must be at least 1",
                         (long long)spec->batch_size);
    if (spec->early_stopping.patience < 0)
        code = error_add(err, ERR_out_of_range, at("/early_stopping/patience"),
                         "patience is %lld; it must be at least 1", (long long)spec->early_stopping.patience);
    if (spec->record_every_steps < 0)
        code = error_add(err, ERR_out_of_range, at("/record/every_steps"), "every_steps is %lld; it must be at least 1",
                         (long long)spec->record_every_steps);
    if (!(spec->validation_fraction >= 0 && spec->validation_fraction < 1))
        code = error_add(err, ERR_out_of_range, at("/validation/fraction"),
                         "the fraction must be at least 0 and less than 1");
    else if (rows == 0)
        code = error_add(err, ERR_empty_table, at("/dataset"), "the data set has no rows");
    else if (rows > UINT32_MAX)
        code = error_add(err, ERR_limit_exceeded, at("/dataset"), "the data set has %zu rows; the limit is %lld", rows,
                         (long long)UINT32_MAX);
    else if (validation_rows(spec, rows) == (int64_t)rows)
        code = error_add(err, ERR_out_of_range, at(spec->validation_rows > 0 ? "/validation" : "/validation/fraction"),
                         "validation takes all of the %zu rows and leaves none to train on", rows);
    return code;
}

static int64_t greatest_common_divisor(int64_t a, int64_t b)
{
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Points: one at each epoch's end, and one at each multiple of `every` that is not an epoch's end. */
static err_code check_points(const struct train_spec *spec, const struct layout *l, struct error *err)
{
    int64_t points = spec->epochs;
    int64_t every = spec->record_every_steps;
    if (every > 0) {
        int64_t epochs_between = every / greatest_common_divisor(every, l->steps_per_epoch);
        points += l->steps / every - spec->epochs / epochs_between;
    }
    if (points <= POINTS_MAX)
        return ERR_ok;
    return error_add(err, ERR_limit_exceeded, at(every > 0 ? "/record/every_steps" : "/epochs"),
                     "the job would record %lld points; the limit is %d", (long long)points, POINTS_MAX);
}

/* Sets the rows of a whole batch and of the rest; returns how many batches there are. */
static int64_t split_batches(int64_t rows, int64_t batch_size, bool drop_last, int64_t *ret_batch, int64_t *ret_rest)
{
    *ret_batch = rows < batch_size ? rows : batch_size;
    *ret_rest = rows == 0 || drop_last ? 0 : rows % *ret_batch;
    return rows == 0 ? 0 : rows / *ret_batch + (*ret_rest != 0);
}

/* LBFGS takes all rows at once. */
static int64_t batch_size(const struct train_spec *spec)
{
    return spec->optimizer.name == OPTIMIZER_LBFGS ? INT64_MAX : spec->batch_size;
}

err_code layout_make(const struct train_spec *spec, size_t rows, struct layout *ret, struct error *err)
{
    err_code code = check_spec(spec, rows, err);
    if (code != ERR_ok)
        return code;
    struct layout l = {.validation = validation_rows(spec, rows)};
    l.training = (int64_t)rows - l.validation;
    l.steps_per_epoch =
        split_batches(l.training, batch_size(spec), spec->drop_last, &l.whole, &l.batch[PHASE_POINT_REST]);
    l.evaluated = l.validation == 0 && spec->metrics != 0 ? l.training : l.validation;
    split_batches(l.evaluated, batch_size(spec), false, &l.batch[PHASE_VALIDATE], &l.batch[PHASE_VALIDATE_REST]);
    const bool ends_whole = l.batch[PHASE_POINT_REST] == 0;
    if (ends_whole || spec->record_every_steps > 0)
        l.batch[PHASE_POINT] = l.whole;
    if (spec->record_every_steps != 1 && (!ends_whole || l.steps_per_epoch > 1))
        l.batch[PHASE_STEP] = l.whole;
    if (!int64_mul(l.steps_per_epoch, spec->epochs, &l.steps))
        return error_add(err, ERR_limit_exceeded, at("/epochs"), "%lld epochs of %lld steps are too many",
                         (long long)spec->epochs, (long long)l.steps_per_epoch);
    code = check_points(spec, &l, err);
    if (code == ERR_ok)
        *ret = l;
    return code;
}

size_t layout_most_rows(const struct layout *l)
{
    int64_t most = 1;
    for (int phase = 0; phase < PHASE_COUNT; phase++)
        if (l->batch[phase] > most)
            most = l->batch[phase];
    return (size_t)most;
}

bool layout_point_due(const struct layout *l, const struct train_spec *spec, int64_t step)
{
    return step % l->steps_per_epoch == 0 || (spec->record_every_steps > 0 && step % spec->record_every_steps == 0);
}

static err_code no_memory(size_t rows, struct error *err)
{
    return error_set(err, ERR_out_of_memory, "no memory for the order of %zu rows", rows);
}

static err_code order_by_seed(uint64_t seed, size_t rows, size_t training, uint32_t *order, struct error *err)
{
    unsigned char *validates = calloc(rows, 1);
    if (validates == NULL)
        return no_memory(rows, err);
    struct permutation permutation;
    permutation_init(&permutation, &(struct rng){.seed = seed, .purpose = RNG_SPLIT}, rows);
    permutation_fill(&permutation, 0, rows - training, order + training);
    for (size_t i = training; i < rows; i++)
        validates[order[i]] = 1;
    size_t next = 0;
    for (size_t row = 0; row < rows; row++)
        if (!validates[row])
            order[next++] = (uint32_t)row;
    free(validates);
    return ERR_ok;
}

/* Fills `order`: what is not marked, then what is. */
static void order_by_marks(const unsigned char *marks, size_t rows, size_t training, uint32_t *order)
{
    size_t trains = 0, validates = training;
    for (size_t row = 0; row < rows; row++)
        order[marks[row] ? validates++ : trains++] = (uint32_t)row;
}

err_code train_split(const struct train_spec *spec, size_t rows, const unsigned char *marks, uint32_t **ret_order,
                     size_t *ret_training, struct error *err)
{
    err_code code = check_spec(spec, rows, err);
    if (code != ERR_ok)
        return code;
    size_t training = rows - (size_t)validation_rows(spec, rows);
    uint32_t *order = calloc(rows, sizeof *order);
    if (order == NULL)
        return no_memory(rows, err);
    if (spec->validation_rows > 0)
        order_by_marks(marks, rows, training, order);
    else
        code = order_by_seed(spec->seed, rows, training, order, err);
    if (code != ERR_ok) {
        free(order);
        return code;
    }
    *ret_order = order;
    *ret_training = training;
    return ERR_ok;
}
