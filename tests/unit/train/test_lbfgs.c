/* LBFGS beside what PyTorch says (test_optimizer.c): hard functions, frozen parameters, memory, refusals. */
#include "lesson.h"

#include "train/lbfgs.h"
#include "train/plans.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct lbfgs_settings defaults = {
    .history = 10, .max_evaluations = 25, .tolerance_gradient = 1e-7, .tolerance_change = 1e-9};

/* Takes steps of f from x on. */
static void minimise(const struct lbfgs_function *f, size_t n, double *x, int steps)
{
    double *memory = calloc(lbfgs_memory(n, defaults.history), sizeof *memory);
    double *scratch = calloc(lbfgs_scratch(n, defaults.history), sizeof *scratch);
    assert_non_null(memory);
    assert_non_null(scratch);
    for (int i = 0; i < steps; i++) {
        double value;
        assert_int_equal(lbfgs_step(&defaults, f, 1, n, x, memory, scratch, &value, NULL), ERR_ok);
    }
    free(memory);
    free(scratch);
}

/* Rosenbrock's valley: (1 - x)^2 + 100 (y - x^2)^2. */
static err_code rosenbrock(void *context, const double *x, double *ret_value, double *ret_gradient, struct error *err)
{
    double side = x[1] - x[0] * x[0];
    (void)context;
    (void)err;
    *ret_value = (1 - x[0]) * (1 - x[0]) + 100 * side * side;
    ret_gradient[0] = -2 * (1 - x[0]) - 400 * x[0] * side;
    ret_gradient[1] = 200 * side;
    return ERR_ok;
}

/* After two steps of 20 iterations the value changes by less than the tolerance: this is where PyTorch stops, too. */
static void a_valley_is_followed_to_its_end(void **state)
{
    const struct lbfgs_function f = {.evaluate = rosenbrock};
    double x[2] = {-1.2, 1};
    (void)state;
    minimise(&f, 2, x, 4);
    assert_near(x[0], 0.9999993334076401, 1e-11, 0);
    assert_near(x[1], 0.9999986743824547, 1e-11, 0);
}

/* x - log x, which is not a number left of 0: the first guess of a step from 0.01 on is beyond the minimum, those along
 * the other direction are beyond 0. */
static err_code barrier(void *context, const double *x, double *ret_value, double *ret_gradient, struct error *err)
{
    (void)context;
    (void)err;
    *ret_value = x[0] - log(x[0]);
    ret_gradient[0] = x[0] > 0 ? 1 - 1 / x[0] : NAN;
    return ERR_ok;
}

static void what_is_no_number_is_too_far(void **state)
{
    static const double starts[] = {0.01, 5, 1000};
    const struct lbfgs_function f = {.evaluate = barrier};
    (void)state;
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        double x = starts[i];
        minimise(&f, 1, &x, 3);
        assert_near(x, 1, 1e-4, 0);
    }
}

static err_code cancelled(void *context, const double *x, double *ret_value, double *ret_gradient, struct error *err)
{
    int *left = context;
    return (*left)-- == 0 ? ERR_cancelled : rosenbrock(NULL, x, ret_value, ret_gradient, err);
}

static void every_evaluation_can_end_the_step(void **state)
{
    (void)state;
    for (int after = 0; after < 20; after++) {
        int left = after;
        const struct lbfgs_function f = {.evaluate = cancelled, .context = &left};
        double x[2] = {-1.2, 1}, value = 7;
        double *memory = calloc(lbfgs_memory(2, defaults.history), sizeof *memory);
        double *scratch = calloc(lbfgs_scratch(2, defaults.history), sizeof *scratch);
        assert_non_null(memory);
        assert_non_null(scratch);
        assert_int_equal(lbfgs_step(&defaults, &f, 1, 2, x, memory, scratch, &value, NULL), ERR_cancelled);
        assert_same(value, 7);
        free(memory);
        free(scratch);
    }
}

static void sizes_that_overflow_are_told(void **state)
{
    (void)state;
    assert_int_equal(lbfgs_memory(SIZE_MAX / 8, 10), SIZE_MAX);
    assert_int_equal(lbfgs_scratch(SIZE_MAX / 4, 10), SIZE_MAX);
    assert_true(lbfgs_memory(100, 10) < 3000);
}

static struct train_spec spec_of(void)
{
    struct train_spec spec = {.optimizer = optimizer_defaults(OPTIMIZER_LBFGS), .epochs = 3, .batch_size = 32};
    spec.optimizer.max_evaluations = 5;
    return spec;
}

/* Not even the sign of a zero changes. */
static void frozen_parameters_stay(void **state)
{
    struct model *m = make_lesson(DTYPE_FLOAT32, 3, 4);
    struct tensor **start = make_start(m, 0.5, 3);
    char *freeze[] = {"W1", "b2"};
    struct train_spec spec = spec_of();
    struct rows rows;
    (void)state;
    spec.freeze = freeze;
    spec.freeze_count = 2;
    tensor_set(start[0], 1, -0.0);
    tensor_set(start[3], 0, -0.0);
    make_rows(m, 23, 5, &rows);
    struct trainer *t = train_to_end(m, &spec, &rows.data, start);
    for (size_t p = 0; p < m->parameter_count; p++) {
        const bool same = memcmp(start[p]->data, trainer_parameters(t)[p]->data, tensor_bytes(start[p])) == 0;
        assert_int_equal(same, p == 0 || p == 3);
    }
    trainer_free(t);
    free_rows(&rows);
    tensors_free(start, m->parameter_count);
    free_model(m);
}

/* All rows, in their order, whatever batch_size, shuffle and drop_last say: so the order of rows does not show. */
static void a_step_takes_all_rows(void **state)
{
    struct model *m = make_lesson(DTYPE_FLOAT64, 3, 4);
    struct tensor **start = make_start(m, 0.5, 3);
    struct rows rows;
    char digests[2][65];
    (void)state;
    make_rows(m, 23, 5, &rows);
    for (int i = 0; i < 2; i++) {
        struct train_spec spec = spec_of();
        struct train_size size;
        struct error err = {0};
        spec.shuffle = spec.drop_last = i == 1;
        spec.batch_size = i == 1 ? 4 : 1000;
        assert_ok(train_measure(m, &spec, 23, &size, &err), &err);
        assert_int_equal(size.steps_per_epoch, 1);
        assert_int_equal(size.steps, 3);
        struct trainer *t = train_to_end(m, &spec, &rows.data, start);
        tensors_digest(trainer_parameters(t), m->parameter_count, digests[i]);
        trainer_free(t);
    }
    assert_string_equal(digests[0], digests[1]);
    free_rows(&rows);
    tensors_free(start, m->parameter_count);
    free_model(m);
}

/* Twice what it remembers, what it works with and the point, in doubles: of history 10 rather than 9, two vectors more
 * of each, and one number beside them in each of the three. */
static void memory_grows_with_the_history(void **state)
{
    struct model *m = make_lesson(DTYPE_FLOAT32, 30, 20);
    const size_t elements = (size_t)model_parameter_elements(m);
    struct train_size nine, ten;
    struct error err = {0};
    struct train_spec spec = spec_of();
    (void)state;
    spec.optimizer.history = 9;
    assert_ok(train_measure(m, &spec, 40, &nine, &err), &err);
    spec.optimizer.history = 10;
    assert_ok(train_measure(m, &spec, 40, &ten, &err), &err);
    assert_int_equal(ten.memory_bytes - nine.memory_bytes, (4 * elements + 3) * sizeof(double));
    assert_true(ten.memory_bytes > 50 * elements * sizeof(double));
    free_model(m);
}

static void its_gradient_is_not_clipped(void **state)
{
    struct model *m = make_lesson(DTYPE_FLOAT32, 3, 4);
    struct train_spec spec = spec_of();
    struct train_size size;
    struct error err = {0};
    (void)state;
    spec.clip_gradient_norm = 1;
    assert_int_equal(train_measure(m, &spec, 23, &size, &err), ERR_invalid_value);
    assert_int_equal(err.item_count, 1);
    assert_string_equal(err.items[0].pointer, "/clip_gradient_norm");
    error_clear(&err);
    free_model(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_valley_is_followed_to_its_end),
        cmocka_unit_test(what_is_no_number_is_too_far),
        cmocka_unit_test(every_evaluation_can_end_the_step),
        cmocka_unit_test(sizes_that_overflow_are_told),
        cmocka_unit_test(frozen_parameters_stay),
        cmocka_unit_test(a_step_takes_all_rows),
        cmocka_unit_test(memory_grows_with_the_history),
        cmocka_unit_test(its_gradient_is_not_clipped),
    };
    return cmocka_run_group_tests(tests, select_isa, NULL);
}
