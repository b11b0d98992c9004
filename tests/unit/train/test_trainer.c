/* The trainer: its points, its order of rows, what it converges to, what it promises and refuses. */
#include "lesson.h"

#include "train/session.h"
#include <malloc.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* AddressSanitizer has an allocator of its own, which counts by itself. gcc 12 installs no header for it. */
#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define COUNTED_BY_SANITIZER 1
size_t __sanitizer_get_current_allocated_bytes(void); /* NOLINT: its name */
#endif

/* ---- a cost that tells which rows it saw: the mean of t over the batch, whatever w is ---- */

static struct model *make_telltale(void)
{
    const struct leaf leaves[] = {{"t", {2, {DIM_BATCH, 1}}}, {"w", {0, {0}}}};
    return make_model("cost = ReduceMean(t) + 0 * w", DTYPE_FLOAT64, leaves, 1, 2);
}

/* The costs of every step, for rows 0, 1, 2, ... */
static size_t trace_costs(const struct model *m, const struct train_spec *spec, size_t rows, double *ret, size_t most)
{
    struct error err = {0};
    struct tensor **start = make_start(m, 1, 1);
    struct trainer *t = NULL;
    double *table = calloc(rows, sizeof *table);
    const void *inputs[] = {table};
    const struct train_data data = {.inputs = inputs, .rows = rows};
    size_t count = 0;
    assert_non_null(table);
    for (size_t i = 0; i < rows; i++)
        table[i] = (double)i;
    assert_ok(trainer_new(m, spec, &data, start, &t, &err), &err);
    while (!trainer_finished(t)) {
        struct train_point point;
        bool has_point;
        assert_ok(trainer_advance(t, 1, NULL, &point, &has_point, &err), &err);
        assert_true(has_point && count < most);
        ret[count++] = point.cost;
    }
    trainer_free(t);
    tensors_free(start, m->parameter_count);
    free(table);
    return count;
}

static void without_shuffle_rows_come_in_order(void **state)
{
    struct model *m = make_telltale();
    const struct train_spec spec = {.optimizer = {.name = OPTIMIZER_SGD, .learning_rate = 0.1},
                                    .epochs = 2,
                                    .batch_size = 4,
                                    .record_every_steps = 1};
    double costs[6];
    (void)state;
    assert_int_equal(trace_costs(m, &spec, 10, costs, 6), 6);
    for (size_t epoch = 0; epoch < 2; epoch++) {
        assert_same(costs[3 * epoch], 1.5);
        assert_same(costs[3 * epoch + 1], 5.5);
        assert_same(costs[3 * epoch + 2], 8.5);
    }
    free_model(m);
}

static void an_epoch_is_a_permutation_of_its_own(void **state)
{
    struct model *m = make_telltale();
    const struct train_spec spec = {.optimizer = {.name = OPTIMIZER_SGD, .learning_rate = 0.1},
                                    .epochs = 2,
                                    .batch_size = 1,
                                    .shuffle = true,
                                    .seed = 3,
                                    .validation_fraction = 0.25,
                                    .record_every_steps = 1};
    double costs[60];
    uint32_t *order = NULL;
    size_t training;
    (void)state;
    assert_int_equal(trace_costs(m, &spec, 40, costs, 60), 60);
    assert_memory_not_equal(costs, costs + 30, 30 * sizeof *costs);
    assert_int_equal(train_split(&spec, 40, NULL, &order, &training, NULL), ERR_ok);
    for (size_t epoch = 0; epoch < 2; epoch++) {
        bool seen[40] = {false};
        for (size_t i = 0; i < 30; i++)
            seen[(size_t)costs[30 * epoch + i]] = true;
        for (size_t i = 0; i < 40; i++)
            assert_int_equal(seen[order[i]], i < training);
    }
    free(order);
    free_model(m);
}

/* ---- points ---- */

static void points_have_means_over_rows(void **state)
{
    struct model *m = make_telltale();
    struct tensor **start = make_start(m, 1, 1);
    const struct train_spec spec = {.optimizer = {.name = OPTIMIZER_SGD, .learning_rate = 0.25},
                                    .epochs = 2,
                                    .batch_size = 4,
                                    .record_every_steps = 2,
                                    .validation_fraction = 0.1};
    double table[11];
    const void *inputs[] = {table};
    const struct train_data data = {.inputs = inputs, .rows = 11};
    struct error err = {0};
    struct trainer *t = NULL;
    struct train_point point;
    bool has_point;
    uint32_t *order = NULL;
    size_t training;
    (void)state;
    /* Row order[i] holds i: the training rows are 0 to 9, the validation row is 10. */
    assert_int_equal(train_split(&spec, 11, NULL, &order, &training, NULL), ERR_ok);
    for (size_t i = 0; i < 11; i++)
        table[order[i]] = (double)i;
    free(order);
    assert_ok(trainer_new(m, &spec, &data, start, &t, &err), &err);
    assert_true(isnan(trainer_last_epoch(t).cost));

    assert_ok(trainer_advance(t, 1, NULL, &point, &has_point, &err), &err);
    assert_false(has_point);
    assert_int_equal(trainer_step(t), 1);
    assert_ok(trainer_advance(t, 100, NULL, &point, &has_point, &err), &err);
    assert_true(has_point);
    assert_int_equal(point.step, 2);
    assert_int_equal(point.epoch, 1);
    assert_same(point.cost, 3.5);
    assert_true(isnan(point.validation_cost));
    assert_same(point.gradient_norm, 0); /* of 0 * w */
    assert_same(point.learning_rate, 0.25);
    assert_int_equal(trainer_epoch(t), 0);

    assert_ok(trainer_advance(t, 100, NULL, &point, &has_point, &err), &err);
    assert_int_equal(point.step, 3); /* the end of the first epoch */
    assert_int_equal(point.epoch, 1);
    assert_same(point.cost, 8.5);
    assert_same(point.validation_cost, 10);
    assert_int_equal(trainer_epoch(t), 1);
    assert_same(trainer_last_epoch(t).cost, 4.5);

    assert_ok(trainer_advance(t, 100, NULL, &point, &has_point, &err), &err);
    assert_int_equal(point.step, 4);
    assert_int_equal(point.epoch, 2);
    assert_same(point.cost, 1.5);
    assert_ok(trainer_advance(t, 100, NULL, &point, &has_point, &err), &err);
    assert_int_equal(point.step, 6);
    assert_same(point.cost, (5.5 * 4 + 8.5 * 2) / 6);
    assert_same(trainer_last_epoch(t).cost, 4.5);
    assert_true(trainer_finished(t));
    assert_ok(trainer_advance(t, 100, NULL, &point, &has_point, &err), &err);
    assert_false(has_point);
    trainer_free(t);
    tensors_free(start, m->parameter_count);
    free_model(m);
}

static void validation_is_a_mean_over_its_rows_without_dropout(void **state)
{
    const struct leaf leaves[] = {{"t", {2, {DIM_BATCH, 1}}}, {"w", {0, {0}}}};
    struct model *m = make_model("cost = ReduceMean(Dropout(t, ratio=0.9)) + 0 * w", DTYPE_FLOAT64, leaves, 1, 2);
    struct tensor **start = make_start(m, 1, 1);
    const struct train_spec spec = {.optimizer = {.name = OPTIMIZER_SGD, .learning_rate = 0.1},
                                    .epochs = 1,
                                    .batch_size = 4,
                                    .seed = 8,
                                    .validation_fraction = 0.5};
    double table[20], sum = 0, before = 0;
    const void *inputs[] = {table};
    const struct train_data data = {.inputs = inputs, .rows = 20};
    struct error err = {0};
    struct trainer *t = NULL;
    struct train_point point;
    bool has_point;
    uint32_t *order = NULL;
    size_t training;
    (void)state;
    assert_int_equal(train_split(&spec, 20, NULL, &order, &training, NULL), ERR_ok);
    for (size_t i = 0; i < 20; i++)
        table[i] = (double)(i + 1);
    for (size_t i = 0; i < 10; i++) {
        sum += table[order[training + i]];
        before += table[order[i]];
    }
    assert_ok(trainer_new(m, &spec, &data, start, &t, &err), &err);
    assert_ok(trainer_advance(t, 100, NULL, &point, &has_point, &err), &err);
    assert_true(has_point);
    assert_near(point.validation_cost, sum / 10, 1e-15, 0);
    assert_true(fabs(point.cost - before / 10) > 1); /* nine in ten were dropped */
    free(order);
    trainer_free(t);
    tensors_free(start, m->parameter_count);
    free_model(m);
}

/* The costs of four steps over 64 ones, of which Dropout keeps half: 2 times what it kept / 64. */
static void dropout_costs(uint64_t seed, double ret[4])
{
    const struct leaf leaves[] = {{"t", {2, {DIM_BATCH, 1}}}, {"w", {0, {0}}}};
    struct model *m = make_model("cost = ReduceMean(Dropout(1 + 0 * t)) + 0 * w", DTYPE_FLOAT64, leaves, 1, 2);
    const struct train_spec spec = {.optimizer = {.name = OPTIMIZER_SGD, .learning_rate = 0.1},
                                    .epochs = 4,
                                    .batch_size = 64,
                                    .seed = seed,
                                    .record_every_steps = 1};
    assert_int_equal(trace_costs(m, &spec, 64, ret, 4), 4);
    free_model(m);
}

static void dropout_is_a_function_of_seed_and_step(void **state)
{
    double costs[4], again[4], other[4];
    (void)state;
    dropout_costs(1, costs);
    dropout_costs(1, again);
    dropout_costs(2, other);
    assert_memory_equal(costs, again, sizeof costs);
    assert_memory_not_equal(costs, other, sizeof costs);
    assert_true(costs[0] != costs[1] || costs[1] != costs[2] || costs[2] != costs[3]);
}

/* ---- what it comes to ---- */

/* y = X w + c + noise: gradient descent comes to what the normal equations say, by elimination. */
static void linear_regression_is_its_closed_form(void **state)
{
    enum { ROWS = 60, IN = 3, ALL = IN + 1 };
    const struct leaf leaves[] = {
        {"X", {2, {DIM_BATCH, IN}}}, {"y", {2, {DIM_BATCH, 1}}}, {"W", {2, {IN, 1}}}, {"b", {1, {1}}}};
    struct model *m = make_model("cost = MSE(Linear(X, W, b), y)", DTYPE_FLOAT64, leaves, 2, 4);
    struct tensor **start = make_start(m, 1, 1);
    struct rows rows;
    double normal[ALL][ALL + 1] = {{0}};
    (void)state;
    make_rows(m, ROWS, 2, &rows);
    const double *x = rows.inputs[0], *y = rows.inputs[1];
    for (size_t r = 0; r < ROWS; r++)
        for (size_t i = 0; i < ALL; i++) {
            const double xi = i < IN ? x[r * IN + i] : 1;
            for (size_t j = 0; j < ALL; j++)
                normal[i][j] += xi * (j < IN ? x[r * IN + j] : 1);
            normal[i][ALL] += xi * y[r];
        }
    for (size_t i = 0; i < ALL; i++)
        for (size_t k = 0; k < ALL; k++) {
            const double factor = normal[k][i] / normal[i][i];
            for (size_t j = 0; j <= ALL && k != i; j++)
                normal[k][j] -= factor * normal[i][j];
        }
    const struct train_spec spec = {
        .optimizer = {.name = OPTIMIZER_SGD, .learning_rate = 0.2}, .epochs = 1000, .batch_size = ROWS};
    struct trainer *t = train_to_end(m, &spec, &rows.data, start);
    for (size_t i = 0; i < ALL; i++) {
        const double *parameter = trainer_parameters(t)[i < IN ? 0 : 1]->data;
        assert_near(parameter[i < IN ? i : 0], normal[i][ALL] / normal[i][i], 1e-12, 0);
    }
    trainer_free(t);
    free_rows(&rows);
    tensors_free(start, m->parameter_count);
    free_model(m);
}

static void what_the_cost_ignores_stays(void **state)
{
    const struct leaf leaves[] = {{"x", {2, {DIM_BATCH, 1}}}, {"u", {1, {2}}}, {"v", {1, {1}}}, {"w", {1, {1}}}};
    struct model *m =
        make_model("cost = ReduceMean((x * StopGradient(v) - w)^2); other = u * 2", DTYPE_FLOAT32, leaves, 1, 4);
    struct tensor **start = make_start(m, 1, 1);
    struct rows rows;
    struct optimizer adam = optimizer_defaults(OPTIMIZER_ADAM);
    (void)state;
    adam.weight_decay = 0.1;
    make_rows(m, 10, 2, &rows);
    const struct train_spec spec = {.optimizer = adam, .epochs = 5, .batch_size = 4};
    struct trainer *t = train_to_end(m, &spec, &rows.data, start);
    for (size_t p = 0; p < 3; p++)
        assert_int_equal(memcmp(trainer_parameters(t)[p]->data, start[p]->data, tensor_bytes(start[p])) == 0, p < 2);
    trainer_free(t);
    free_rows(&rows);
    tensors_free(start, m->parameter_count);
    free_model(m);
}

/* A cost with a derivative in it: (d/dx of w x^2, at the rows, less 6 x)^2 is least at w = 3. */
static void costs_may_hold_derivatives(void **state)
{
    const struct leaf leaves[] = {{"x", {2, {DIM_BATCH, 1}}}, {"w", {0, {0}}}};
    struct model *m = make_model("f = w * x^2; cost = ReduceMean((grad(f, x) - 6 * x)^2)", DTYPE_FLOAT64, leaves, 1, 2);
    struct tensor **start = make_start(m, 1, 1);
    struct rows rows;
    (void)state;
    make_rows(m, 16, 2, &rows);
    const struct train_spec spec = {
        .optimizer = {.name = OPTIMIZER_SGD, .learning_rate = 0.05}, .epochs = 200, .batch_size = 5, .shuffle = true};
    struct trainer *t = train_to_end(m, &spec, &rows.data, start);
    assert_near(tensor_get(trainer_parameters(t)[0], 0), 3, 1e-12, 0);
    trainer_free(t);
    free_rows(&rows);
    tensors_free(start, m->parameter_count);
    free_model(m);
}

static void slices_do_not_show(void **state)
{
    struct model *m = make_lesson(DTYPE_FLOAT32, 5, 4);
    struct tensor **start = make_start(m, 0.5, 1);
    struct rows rows;
    struct error err = {0};
    (void)state;
    make_rows(m, 50, 2, &rows);
    const struct train_spec spec = {.optimizer = optimizer_defaults(OPTIMIZER_ADAM),
                                    .epochs = 7,
                                    .batch_size = 8,
                                    .shuffle = true,
                                    .validation_fraction = 0.1};
    struct trainer *whole = train_to_end(m, &spec, &rows.data, start), *sliced = NULL;
    assert_ok(trainer_new(m, &spec, &rows.data, start, &sliced, &err), &err);
    for (int64_t slice = 1; !trainer_finished(sliced); slice = slice % 3 + 1) {
        struct train_point point;
        bool has_point;
        assert_ok(trainer_advance(sliced, slice, NULL, &point, &has_point, &err), &err);
    }
    char a[65], b[65];
    tensors_digest(trainer_parameters(whole), m->parameter_count, a);
    tensors_digest(trainer_parameters(sliced), m->parameter_count, b);
    assert_string_equal(a, b);
    trainer_free(whole);
    trainer_free(sliced);
    free_rows(&rows);
    tensors_free(start, m->parameter_count);
    free_model(m);
}

/* ---- memory ---- */

/* Bytes that are allocated now. */
static size_t allocated_bytes(void)
{
#if defined(COUNTED_BY_SANITIZER)
    return __sanitizer_get_current_allocated_bytes();
#else
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
#endif
}

/* What is measured is what a trainer allocates, but for the plans and what little is of no size to speak of. */
static void check_memory(const struct train_spec *spec, int64_t steps_per_epoch, size_t beside_arenas)
{
    struct error err = {0};
    struct model *m = make_lesson(DTYPE_FLOAT32, 300, 200);
    struct tensor **start = make_start(m, 0.1, 1);
    struct rows rows;
    struct trainer *t = NULL;
    struct train_size size;
    struct layout layout;
    struct plan *plans[PHASE_COUNT];
    make_rows(m, 1000, 2, &rows);
    assert_ok(train_measure(m, spec, 1000, &size, &err), &err);
    assert_int_equal(size.steps_per_epoch, steps_per_epoch);
    assert_int_equal(size.steps, 2 * steps_per_epoch);

    size_t plan_sizes = 0, arenas = 0;
    assert_ok(layout_make(spec, 1000, &layout, &err), &err);
    assert_ok(train_plans_make(m, spec, &layout, plans, &err), &err);
    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        if (plans[phase] == NULL)
            continue;
        plan_sizes += plan_bytes(plans[phase]);
        arenas += plan_arena_bytes(plans[phase]);
    }
    train_plans_free(plans);
    assert_int_equal(size.memory_bytes, arenas + beside_arenas);

    size_t before = allocated_bytes();
    assert_ok(trainer_new(m, spec, &rows.data, start, &t, &err), &err);
    size_t counted = allocated_bytes() - before;
    assert_in_range(counted, size.memory_bytes, size.memory_bytes + 2 * plan_sizes + 16384);

    before = allocated_bytes();
    while (!trainer_finished(t)) {
        struct train_point point;
        bool has_point;
        assert_ok(trainer_advance(t, 4, NULL, &point, &has_point, &err), &err);
    }
    assert_int_equal(allocated_bytes(), before);
    trainer_free(t);
    free_rows(&rows);
    tensors_free(start, m->parameter_count);
    free_model(m);
}

static void memory_is_what_was_measured(void **state)
{
    const size_t elements = 300 * 200 + 200 + 200 + 1;
    struct train_spec spec = {.optimizer = optimizer_defaults(OPTIMIZER_ADAM),
                              .epochs = 2,
                              .batch_size = 64,
                              .shuffle = true,
                              .validation_fraction = 0.1};
    (void)state;
    check_memory(&spec, 15, 6 * elements * sizeof(float) + 1064 * sizeof(uint32_t));
    spec.early_stopping.patience = 5; /* the best epoch's parameters */
    check_memory(&spec, 15, 7 * elements * sizeof(float) + 1064 * sizeof(uint32_t));

    /* Of a history of 3: 8 vectors and 7 numbers are remembered, twice; 5 vectors and 3 numbers are worked with; the
     * point. */
    spec.early_stopping.patience = 0;
    spec.optimizer = optimizer_defaults(OPTIMIZER_LBFGS);
    spec.optimizer.history = 3;
    spec.optimizer.max_evaluations = 3;
    check_memory(&spec, 1,
                 2 * elements * sizeof(float) + (22 * elements + 17) * sizeof(double) + 1900 * sizeof(uint32_t));
}

/* ---- refusals ---- */

static void refuses(struct model *m, err_code code, const char *words)
{
    const struct train_spec spec = {
        .optimizer = {.name = OPTIMIZER_SGD, .learning_rate = 0.1}, .epochs = 1, .batch_size = 2};
    struct train_size size;
    struct error err = {0};
    assert_int_equal(train_measure(m, &spec, 10, &size, &err), code);
    assert_int_equal(err.item_count, 1);
    assert_string_equal(err.items[0].pointer, "/model");
    if (strstr(err.items[0].detail, words) == NULL)
        fail_msg("'%s' does not say '%s'", err.items[0].detail, words);
    error_clear(&err);
    free_model(m);
}

static void models_that_can_not_be_trained_are_refused(void **state)
{
    const struct leaf leaves[] = {{"x", {2, {DIM_BATCH, 1}}}, {"w", {0, {0}}}};
    const struct leaf constant[] = {{"x", {2, {DIM_BATCH, 1}}}, {"k", {1, {3}}}, {"w", {0, {0}}}};
    (void)state;
    refuses(make_model("f = w * ReduceSum(x)", DTYPE_FLOAT32, leaves, 1, 2), ERR_no_cost, "no cost");
    refuses(make_model("cost = w * x", DTYPE_FLOAT32, leaves, 1, 2), ERR_no_cost, "(batch,1)");
    refuses(make_model("cost = ReduceSum(x)", DTYPE_FLOAT32, leaves, 1, 1), ERR_invalid_value, "no parameters");
    refuses(make_model("cost = ReduceSum(x) * ReduceSum(k) * w", DTYPE_FLOAT32, constant, 2, 3), ERR_shape_mismatch,
            "'k' is (3)");
}

/* The whole batch of 4 rows folds in two, the one row that is left does not. */
static void a_batch_that_does_not_fit_the_program_is_refused(void **state)
{
    const struct leaf leaves[] = {{"x", {2, {DIM_BATCH, 1}}}, {"w", {0, {0}}}};
    struct model *m = make_model("cost = ReduceMean(Reshape(x, shape=[2, -1])) * w", DTYPE_FLOAT32, leaves, 1, 2);
    const struct train_spec spec = {
        .optimizer = {.name = OPTIMIZER_SGD, .learning_rate = 0.1}, .epochs = 1, .batch_size = 4};
    struct train_size size;
    struct error err = {0};
    (void)state;
    assert_ok(train_measure(m, &spec, 6, &size, &err), &err);
    assert_int_not_equal(train_measure(m, &spec, 5, &size, &err), ERR_ok);
    assert_true(err.item_count > 0);
    error_clear(&err);
    free_model(m);
}

static void cancel_stops_a_step(void **state)
{
    struct model *m = make_lesson(DTYPE_FLOAT32, 5, 4);
    struct tensor **start = make_start(m, 0.5, 1);
    struct rows rows;
    struct error err = {0};
    struct trainer *t = NULL;
    struct train_point point;
    bool has_point;
    atomic_bool cancel = false;
    (void)state;
    make_rows(m, 50, 2, &rows);
    const struct train_spec spec = {
        .optimizer = {.name = OPTIMIZER_SGD, .learning_rate = 0.1}, .epochs = 7, .batch_size = 8};
    assert_ok(trainer_new(m, &spec, &rows.data, start, &t, &err), &err);
    assert_ok(trainer_advance(t, 3, &cancel, &point, &has_point, &err), &err);
    assert_int_equal(trainer_step(t), 3);
    atomic_store(&cancel, true);
    assert_int_equal(trainer_advance(t, 3, &cancel, &point, &has_point, &err), ERR_cancelled);
    assert_int_equal(trainer_step(t), 3);
    error_clear(&err);
    trainer_free(t);
    free_rows(&rows);
    tensors_free(start, m->parameter_count);
    free_model(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_shuffle_rows_come_in_order),
        cmocka_unit_test(an_epoch_is_a_permutation_of_its_own),
        cmocka_unit_test(points_have_means_over_rows),
        cmocka_unit_test(validation_is_a_mean_over_its_rows_without_dropout),
        cmocka_unit_test(dropout_is_a_function_of_seed_and_step),
        cmocka_unit_test(linear_regression_is_its_closed_form),
        cmocka_unit_test(what_the_cost_ignores_stays),
        cmocka_unit_test(costs_may_hold_derivatives),
        cmocka_unit_test(slices_do_not_show),
        cmocka_unit_test(memory_is_what_was_measured),
        cmocka_unit_test(models_that_can_not_be_trained_are_refused),
        cmocka_unit_test(a_batch_that_does_not_fit_the_program_is_refused),
        cmocka_unit_test(cancel_stops_a_step),
    };
    return cmocka_run_group_tests(tests, select_isa, NULL);
}
