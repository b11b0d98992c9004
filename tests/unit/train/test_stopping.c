/* When training ends before its last step, and what it came to. */
#include "lesson.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A model of one parameter w, trained from `start` on over rows of t. */
struct lone {
    struct model *model;
    struct tensor **start;
    struct rows rows;
    struct train_spec spec;
    struct trainer *trainer;
};

/* Every step is an epoch: all rows are one batch. */
static void lone_train(struct lone *l, const char *program, double start, const double *table, size_t rows)
{
    const struct leaf leaves[] = {{"t", {2, {DIM_BATCH, 1}}}, {"w", {0, {0}}}};
    l->model = make_model(program, DTYPE_FLOAT64, leaves, 1, 2);
    l->start = make_start(l->model, 0, 0);
    tensor_set(l->start[0], 0, start);
    make_rows(l->model, rows, 1, &l->rows);
    if (table != NULL)
        memcpy(l->rows.tables[0], table, rows * sizeof *table);
    l->spec.batch_size = (int64_t)rows;
    l->trainer = train_to_end(l->model, &l->spec, &l->rows.data, l->start);
}

static void lone_clear(struct lone *l)
{
    trainer_free(l->trainer);
    free_rows(&l->rows);
    tensors_free(l->start, l->model->parameter_count);
    free_model(l->model);
}

static double w_of(const struct train_outcome *o)
{
    return tensor_get(o->parameters[0], 0);
}

static struct train_spec spec_of(double rate, int64_t epochs, int64_t patience)
{
    return (struct train_spec){.optimizer = {.name = OPTIMIZER_SGD, .learning_rate = rate},
                               .epochs = epochs,
                               .early_stopping = {.patience = patience}};
}

/* From w = 2 on, each step of rate 1.25 takes w - 1 times -1.5: the cost (w - 1)^2 rises from 1 on, so the first epoch
 * is the best, and its step led to -0.5. */
static void the_best_epoch_is_restored(void **state)
{
    (void)state;
    for (int restore = 0; restore < 2; restore++) {
        struct lone l = {.spec = spec_of(1.25, 50, 3)};
        struct train_outcome best, outcome;
        l.spec.early_stopping.restore_best = restore;
        lone_train(&l, "cost = 0 * ReduceMean(t) + (w - 1)^2", 2, NULL, 4);
        assert_string_equal(trainer_stopped(l.trainer), "early_stopping");
        assert_int_equal(trainer_step(l.trainer), 4);
        assert_true(trainer_best(l.trainer, &best));
        assert_int_equal(best.step, 1);
        assert_int_equal(best.epoch, 1);
        assert_same(best.cost, 1);
        assert_same(w_of(&best), -0.5);
        outcome = trainer_outcome(l.trainer);
        assert_int_equal(outcome.step, restore ? 1 : 4);
        assert_same(w_of(&outcome), restore ? -0.5 : 1 + 1.5 * 1.5 * 1.5 * 1.5);
        assert_same(outcome.cost, restore ? 1 : pow(1.5, 6));
        lone_clear(&l);
    }
}

/* The cost w falls by 0.125 an epoch: by more than 0.25 since the first in the fourth. */
static void falling_by_little_is_waiting(void **state)
{
    (void)state;
    for (int64_t patience = 2; patience < 4; patience++) {
        struct lone l = {.spec = spec_of(0.125, 10, patience)};
        l.spec.early_stopping.min_delta = 0.25;
        lone_train(&l, "cost = 0 * ReduceMean(t) + w", 0, NULL, 4);
        assert_int_equal(trainer_step(l.trainer), patience == 2 ? 3 : 10);
        assert_true((trainer_stopped(l.trainer) != NULL) == (patience == 2));
        lone_clear(&l);
    }
}

/* w falls, and with it the cost w * t where t is 1, in training; where t is -1, in validation, it rises. */
static void the_validation_cost_is_watched(void **state)
{
    double table[10];
    uint32_t *order = NULL;
    size_t training = 0;
    struct lone l = {.spec = spec_of(0.5, 50, 2)};
    struct train_outcome best;
    (void)state;
    l.spec.validation_fraction = 0.3;
    l.spec.batch_size = 10;
    assert_int_equal(train_split(&l.spec, 10, NULL, &order, &training, NULL), ERR_ok);
    for (size_t i = 0; i < 10; i++)
        table[order[i]] = i < training ? 1 : -1;
    free(order);
    lone_train(&l, "cost = w * ReduceMean(t)", 3, table, 10);
    assert_int_equal(trainer_step(l.trainer), 3);
    assert_true(trainer_best(l.trainer, &best));
    assert_int_equal(best.step, 1);
    assert_same(best.cost, 3); /* of the training rows */
    lone_clear(&l);
}

static void without_it_nothing_is_kept(void **state)
{
    struct lone l = {.spec = spec_of(1.25, 20, 0)};
    struct train_outcome best;
    (void)state;
    lone_train(&l, "cost = 0 * ReduceMean(t) + (w - 1)^2", 2, NULL, 4);
    assert_null(trainer_stopped(l.trainer));
    assert_int_equal(trainer_step(l.trainer), 20);
    assert_false(trainer_best(l.trainer, &best));
    lone_clear(&l);
}

/* w - 1 doubles with each step until its square overflows, which is after some 500. The last copy is from the last
 * multiple of 100 before. */
static void it_stops_where_all_was_finite(void **state)
{
    struct lone l = {.spec = spec_of(1.5, 2000, 0)};
    (void)state;
    l.spec.stop_on_nonfinite = true;
    lone_train(&l, "cost = 0 * ReduceMean(t) + (w - 1)^2", 2, NULL, 4);
    struct train_outcome outcome = trainer_outcome(l.trainer);
    assert_string_equal(trainer_stopped(l.trainer), "nonfinite");
    assert_int_equal(outcome.step, 500);
    assert_int_equal(outcome.epoch, 500);
    assert_near(w_of(&outcome), ldexp(1, 500), 1e-15, 0);
    assert_near(outcome.cost, ldexp(1, 998), 1e-15, 0);
    lone_clear(&l);
}

static void early_stopping_takes_memory(void **state)
{
    struct model *m = make_lesson(DTYPE_FLOAT32, 30, 20);
    struct train_spec spec = spec_of(0.1, 3, 0);
    struct train_size without, with;
    struct error err = {0};
    (void)state;
    spec.batch_size = 8;
    assert_ok(train_measure(m, &spec, 40, &without, &err), &err);
    spec.early_stopping.patience = 1;
    assert_ok(train_measure(m, &spec, 40, &with, &err), &err);
    assert_int_equal(with.memory_bytes - without.memory_bytes, (size_t)model_parameter_elements(m) * sizeof(float));
    free_model(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_epoch_is_restored),     cmocka_unit_test(falling_by_little_is_waiting),
        cmocka_unit_test(the_validation_cost_is_watched), cmocka_unit_test(without_it_nothing_is_kept),
        cmocka_unit_test(it_stops_where_all_was_finite),  cmocka_unit_test(early_stopping_takes_memory),
    };
    return cmocka_run_group_tests(tests, select_isa, NULL);
}
