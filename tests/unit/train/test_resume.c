/* What is saved after any step, and restored, goes on to the same points and the same bits. */
#include "lesson.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 23, STEPS_MAX = 64 };

/* One way to train, and what it came to without a break. */
struct course {
    struct model *model;
    struct tensor **start;
    struct rows rows;
    struct train_spec spec;
    struct train_point points[STEPS_MAX];
    double epoch_costs[STEPS_MAX]; /* as told with each point */
    size_t point_count;
    void *states[STEPS_MAX]; /* after each step, the first before any */
    size_t state_size;
    int64_t steps;
    char digest[65];
    struct train_outcome outcome; /* its parameters are gone; their digest stays */
    char outcome_digest[65];
    const char *stopped;
};

static struct trainer *new_trainer(const struct course *c)
{
    struct error err = {0};
    struct trainer *t = NULL;
    assert_ok(trainer_new(c->model, &c->spec, &c->rows.data, c->start, &t, &err), &err);
    return t;
}

static void assert_same_point(const struct train_point *a, const struct train_point *b)
{
    assert_int_equal(a->step, b->step);
    assert_int_equal(a->epoch, b->epoch);
    assert_same(a->cost, b->cost);
    assert_same(a->validation_cost, b->validation_cost);
    assert_same(a->learning_rate, b->learning_rate);
    assert_same(a->gradient_norm, b->gradient_norm);
    for (int i = 0; i < SCORE_COUNT; i++)
        assert_same(a->scores[i], b->scores[i]);
}

static void keep_state(struct course *c, const struct trainer *t)
{
    assert_true(c->steps < STEPS_MAX);
    c->states[c->steps] = malloc(c->state_size);
    assert_non_null(c->states[c->steps]);
    trainer_save(t, c->states[c->steps]);
}

static void digest_outcome(const struct course *c, const struct trainer *t, struct train_outcome *ret, char digest[65])
{
    *ret = trainer_outcome(t);
    tensors_digest(ret->parameters, c->model->parameter_count, digest);
}

static void train_whole(struct course *c)
{
    struct error err = {0};
    struct trainer *t = new_trainer(c);
    c->state_size = trainer_state_size(t);
    keep_state(c, t);
    while (!trainer_finished(t)) {
        bool has_point;
        assert_ok(trainer_advance(t, 1, NULL, &c->points[c->point_count], &has_point, &err), &err);
        assert_true(trainer_state_finite(t));
        c->epoch_costs[c->point_count] = trainer_last_epoch(t).cost;
        c->point_count += has_point;
        if (trainer_step(t) <= c->steps)
            break; /* gone back to the last good copy */
        c->steps = trainer_step(t);
        keep_state(c, t);
    }
    c->stopped = trainer_stopped(t);
    digest_outcome(c, t, &c->outcome, c->outcome_digest);
    tensors_digest(trainer_parameters(t), c->model->parameter_count, c->digest);
    trainer_free(t);
}

/* Goes on from what was saved after `step` steps. */
static void train_from(const struct course *c, int64_t step)
{
    struct error err = {0};
    struct trainer *t = new_trainer(c);
    char digest[65];
    size_t next = 0;
    assert_ok(trainer_restore(t, c->states[step], c->state_size, &err), &err);
    assert_int_equal(trainer_step(t), step);
    while (next < c->point_count && c->points[next].step <= step)
        next++;
    while (!trainer_finished(t)) {
        struct train_point point;
        bool has_point;
        assert_ok(trainer_advance(t, 1000, NULL, &point, &has_point, &err), &err);
        if (!has_point)
            continue;
        assert_true(next < c->point_count);
        assert_same(trainer_last_epoch(t).cost, c->epoch_costs[next]);
        assert_same_point(&point, &c->points[next++]);
    }
    assert_int_equal(next, c->point_count);
    tensors_digest(trainer_parameters(t), c->model->parameter_count, digest);
    assert_string_equal(digest, c->digest);
    struct train_outcome outcome;
    digest_outcome(c, t, &outcome, digest);
    assert_string_equal(digest, c->outcome_digest);
    assert_int_equal(outcome.step, c->outcome.step);
    assert_int_equal(outcome.epoch, c->outcome.epoch);
    assert_same(outcome.cost, c->outcome.cost);
    assert_true(trainer_stopped(t) == c->stopped);
    trainer_free(t);
}

/* Trains with breaks after every step; `spec` says how. */
static void check_course(struct course *c, enum dtype dtype)
{
    c->model = make_lesson(dtype, 5, 4);
    c->start = make_start(c->model, 0.5, 1);
    make_rows(c->model, ROWS, 2, &c->rows);
    train_whole(c);
    for (int64_t step = 0; step <= c->steps; step++)
        train_from(c, step);
    for (int64_t step = 0; step <= c->steps; step++)
        free(c->states[step]);
    free_rows(&c->rows);
    tensors_free(c->start, c->model->parameter_count);
    free_model(c->model);
}

static struct train_spec short_spec(struct optimizer optimizer)
{
    return (struct train_spec){.optimizer = optimizer,
                               .schedule = schedule_defaults(SCHEDULE_COSINE),
                               .clip_gradient_norm = 0.7,
                               .epochs = 3,
                               .batch_size = 4,
                               .shuffle = true,
                               .seed = 5,
                               .validation_fraction = 0.1,
                               .record_every_steps = 2,
                               .metrics = 1U << SCORE_MAE | 1U << SCORE_R2};
}

static void every_optimizer_resumes(void **state)
{
    (void)state;
    for (size_t i = 0; i < optimizer_field_count; i++) {
        enum optimizer_name name = optimizer_fields[i].optimizer;
        if (i > 0 && name == optimizer_fields[i - 1].optimizer)
            continue;
        struct course c = {.spec = short_spec(optimizer_defaults(name))};
        c.spec.optimizer.learning_rate = 0.05;
        c.spec.optimizer.momentum = 0.9;
        c.spec.optimizer.centered = true;
        if (name == OPTIMIZER_LBFGS) {
            c.spec.clip_gradient_norm = 0;
            c.spec.epochs = 12;
            c.spec.optimizer.history = 3;
            c.spec.optimizer.max_evaluations = 4;
        }
        check_course(&c, i % 2 == 0 ? DTYPE_FLOAT32 : DTYPE_FLOAT64);
    }
}

static void early_stopping_resumes(void **state)
{
    (void)state;
    for (int restore = 0; restore < 2; restore++) {
        struct course c = {.spec = short_spec((struct optimizer){.name = OPTIMIZER_SGD, .learning_rate = 20})};
        c.spec.epochs = 10;
        c.spec.early_stopping = (struct early_stopping){.patience = 4, .min_delta = 10, .restore_best = restore};
        check_course(&c, DTYPE_FLOAT32);
        assert_string_equal(c.stopped, "early_stopping");
        assert_true(c.steps < 60);
        assert_int_equal(c.outcome.step == c.steps, !restore);
    }
}

static void stopping_at_the_last_good_copy_resumes(void **state)
{
    struct course c = {.spec = short_spec((struct optimizer){.name = OPTIMIZER_SGD, .learning_rate = 1e4})};
    (void)state;
    c.spec.clip_gradient_norm = 0;
    c.spec.epochs = 12;
    c.spec.stop_on_nonfinite = true;
    c.spec.schedule = schedule_defaults(SCHEDULE_CONSTANT);
    check_course(&c, DTYPE_FLOAT32);
    assert_string_equal(c.stopped, "nonfinite");
    assert_true(c.steps > 2);
    assert_int_equal(c.outcome.step, 0);
}

static void what_is_not_a_state_is_refused(void **state)
{
    struct course c = {.spec = short_spec(optimizer_defaults(OPTIMIZER_ADAM))};
    struct error err = {0};
    (void)state;
    c.model = make_lesson(DTYPE_FLOAT32, 5, 4);
    c.start = make_start(c.model, 0.5, 1);
    make_rows(c.model, ROWS, 2, &c.rows);
    struct trainer *t = new_trainer(&c);
    size_t size = trainer_state_size(t);
    char *bytes = calloc(1, size + 1);
    assert_non_null(bytes);
    assert_int_equal(trainer_restore(t, bytes, size, &err), ERR_internal);
    error_clear(&err);
    trainer_save(t, bytes);
    assert_int_equal(trainer_restore(t, bytes, size - 1, &err), ERR_internal);
    error_clear(&err);
    assert_int_equal(trainer_restore(t, bytes, size + 1, &err), ERR_internal);
    error_clear(&err);
    assert_ok(trainer_restore(t, bytes, size, &err), &err);
    free(bytes);
    trainer_free(t);
    free_rows(&c.rows);
    tensors_free(c.start, c.model->parameter_count);
    free_model(c.model);
}

/* A step that was cancelled has not been: what is saved then is what would have been saved before it. */
static void a_cancelled_step_leaves_the_state(void **state)
{
    struct course c = {.spec = short_spec(optimizer_defaults(OPTIMIZER_ADAM))};
    const atomic_bool cancel = true;
    struct error err = {0};
    struct train_point point;
    bool has_point;
    (void)state;
    c.model = make_lesson(DTYPE_FLOAT32, 5, 4);
    c.start = make_start(c.model, 1, 1);
    make_rows(c.model, ROWS, 2, &c.rows);
    struct trainer *t = new_trainer(&c);
    const size_t size = trainer_state_size(t);
    char *before = calloc(2, size), *after = before + size;
    assert_non_null(before);
    for (int steps = 0; steps < 5; steps++) {
        assert_true(trainer_is_whole(t));
        trainer_save(t, before);
        assert_int_equal(trainer_advance(t, 3, &cancel, &point, &has_point, &err), ERR_cancelled);
        error_clear(&err);
        assert_true(trainer_is_whole(t));
        trainer_save(t, after);
        assert_memory_equal(before, after, size);
        assert_ok(trainer_advance(t, 1, NULL, &point, &has_point, &err), &err);
    }
    free(before);
    trainer_free(t);
    free_rows(&c.rows);
    tensors_free(c.start, c.model->parameter_count);
    free_model(c.model);
}

static void what_went_non_finite_is_not_worth_keeping(void **state)
{
    struct course c = {.spec = short_spec((struct optimizer){.name = OPTIMIZER_SGD, .learning_rate = 3e38})};
    struct error err = {0};
    struct train_point point;
    bool has_point;
    (void)state;
    c.spec.clip_gradient_norm = 0;
    c.model = make_lesson(DTYPE_FLOAT32, 5, 4);
    c.start = make_start(c.model, 10, 1);
    make_rows(c.model, ROWS, 2, &c.rows);
    struct trainer *t = new_trainer(&c);
    assert_true(trainer_state_finite(t));
    assert_ok(trainer_advance(t, 1, NULL, &point, &has_point, &err), &err);
    assert_false(trainer_state_finite(t));
    trainer_free(t);
    free_rows(&c.rows);
    tensors_free(c.start, c.model->parameter_count);
    free_model(c.model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_optimizer_resumes),
        cmocka_unit_test(early_stopping_resumes),
        cmocka_unit_test(stopping_at_the_last_good_copy_resumes),
        cmocka_unit_test(what_is_not_a_state_is_refused),
        cmocka_unit_test(a_cancelled_step_leaves_the_state),
        cmocka_unit_test(what_went_non_finite_is_not_worth_keeping),
    };
    return cmocka_run_group_tests(tests, select_isa, NULL);
}
