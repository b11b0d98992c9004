/* What a job says when it goes non-finite: the step, the epoch, and the node that did it. */
#include "lesson.h"

#include <stdlib.h>
#include <string.h>

/* Trains on rows x (one column) until it fails, which it must, with these words. */
static void fails_with(const char *program, enum dtype dtype, struct optimizer optimizer, const double *x, size_t rows,
                       int64_t epochs, int64_t batch, double w, const char *words)
{
    const struct leaf leaves[] = {{"x", {2, {DIM_BATCH, 1}}}, {"w", {0, {0}}}};
    struct model *m = make_model(program, dtype, leaves, 1, 2);
    struct tensor **start = make_start(m, 0, 0), *table = NULL;
    struct error err = {0};
    struct trainer *t = NULL;
    err_code code = ERR_ok;
    tensor_set(start[0], 0, w);
    assert_ok(tensor_new(dtype, (struct shape){2, {(int64_t)rows, 1}}, &table, &err), &err);
    for (size_t i = 0; i < rows; i++)
        tensor_set(table, (int64_t)i, x[i]);
    const void *inputs[] = {table->data};
    const struct train_data data = {.inputs = inputs, .rows = rows};
    const struct train_spec spec = {.optimizer = optimizer, .epochs = epochs, .batch_size = batch};
    assert_ok(trainer_new(m, &spec, &data, start, &t, &err), &err);
    while (code == ERR_ok && !trainer_finished(t)) {
        struct train_point point;
        bool has_point;
        code = trainer_advance(t, 1000, NULL, &point, &has_point, &err);
    }
    assert_int_equal(code, ERR_nonfinite);
    assert_string_equal(err.detail, words);
    error_clear(&err);
    trainer_free(t);
    tensor_free(table);
    tensors_free(start, m->parameter_count);
    free_model(m);
}

static struct optimizer sgd(double learning_rate)
{
    return (struct optimizer){.name = OPTIMIZER_SGD, .learning_rate = learning_rate};
}

static void a_named_node(void **state)
{
    const double x[] = {1, 2, 3, 800, 5, 6};
    (void)state;
    fails_with("e = Exp(x); cost = ReduceMean(e) * w", DTYPE_FLOAT64, sgd(0.125), x, 6, 1, 2, 1,
               "step 2, epoch 1: node 'e' (Exp) became non-finite; x in [3, 800]");
}

static void an_unnamed_node(void **state)
{
    const double x[] = {1, 2, -1};
    (void)state;
    fails_with("a = x + 1\ncost = ReduceMean(  Log(a - 1)) * w", DTYPE_FLOAT64, sgd(0.125), x, 3, 1, 1, 1,
               "step 3, epoch 1: node Log at line 2, column 21 became non-finite; Sub in [-1, -1]");
}

/* 1 / x is infinite in the first row, but masked: it is the second row's square that the cost shows. */
static void a_masked_infinity_is_not_blamed(void **state)
{
    const double x[] = {0, 1e200};
    (void)state;
    fails_with("bad = 1 / x; good = Square(x); on = Greater(x, 0)\n"
               "cost = ReduceMean(Where(on, good, 0) + Where(on, bad, 0)) * w",
               DTYPE_FLOAT64, sgd(0.125), x, 2, 1, 2, 1,
               "step 1, epoch 1: node 'good' (Square) became non-finite; x in [0, 1e200]");
}

/* Sqrt(w * x) at w = 0: the value is 0, the derivative infinite. The parameter goes first, and is found at the end. */
static void the_gradient_at_a_node(void **state)
{
    const double x[] = {4};
    (void)state;
    fails_with(
        "p = w * x; s = Sqrt(p); cost = ReduceMean(s)", DTYPE_FLOAT64, sgd(1), x, 1, 1, 1, 0,
        "step 1, epoch 1: Div in the gradient at node 'p' (Mul) became non-finite; Expand in [1, 1], Mul in [0, 0]");
}

/* The gradient at q is the gradient at p too; q is nearer to the cost. */
static void the_gradient_that_is_nearest_to_the_cost(void **state)
{
    const double x[] = {4};
    (void)state;
    fails_with(
        "p = w * x; q = p + x; cost = ReduceMean(Sqrt(q))", DTYPE_FLOAT64, sgd(1), x, 1, 1, 1, -1,
        "step 1, epoch 1: Div in the gradient at node 'q' (Add) became non-finite; Expand in [1, 1], Mul in [0, 0]");
}

/* Everything is finite but the step: 3e38 * 4 is over float32's range. */
static void the_update_of_a_parameter(void **state)
{
    const double x[] = {4};
    (void)state;
    fails_with(
        "cost = ReduceMean(w * x)", DTYPE_FLOAT32, sgd(3e38), x, 1, 1, 1, 1,
        "step 1, epoch 1: Mul in the update of 'w' became non-finite; scalar 1 of the optimizer in [3e38, 3e38], "
        "ReduceSum in [4, 4]");
}

/* w doubles with each step, 300 steps an epoch: the replay begins at the copy that was kept at the end of the third
 * epoch. */
static void a_late_step_is_found_from_the_last_copy(void **state)
{
    enum { ROWS = 300 };
    static double x[ROWS];
    (void)state;
    for (size_t i = 0; i < ROWS; i++)
        x[i] = 1;
    /* The gradient of -w^2 / 2 is -w: w' = 2 w, so w = 2^step; w^2 overflows where w = 2^512. */
    fails_with("square = w * w; cost = ReduceMean(x * square) * -0.5", DTYPE_FLOAT64, sgd(1), x, ROWS, 10, 1, 1,
               "step 513, epoch 2: node 'square' (Mul) became non-finite; w in [1.3407807929942597e154, "
               "1.3407807929942597e154], w in [1.3407807929942597e154, 1.3407807929942597e154]");
}

/* A parameter that no cost shows any more is looked at when training ends. */
static void a_parameter_at_the_end(void **state)
{
    const double x[] = {1};
    (void)state;
    fails_with(
        "cost = ReduceMean(x) + w * 1e300", DTYPE_FLOAT64, sgd(1e300), x, 1, 1, 1, 0,
        "step 1, epoch 1: Mul in the update of 'w' became non-finite; scalar 1 of the optimizer in [1e300, 1e300], "
        "Mul in [1e300, 1e300]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_named_node),
        cmocka_unit_test(an_unnamed_node),
        cmocka_unit_test(a_masked_infinity_is_not_blamed),
        cmocka_unit_test(the_gradient_at_a_node),
        cmocka_unit_test(the_gradient_that_is_nearest_to_the_cost),
        cmocka_unit_test(the_update_of_a_parameter),
        cmocka_unit_test(a_late_step_is_found_from_the_last_copy),
        cmocka_unit_test(a_parameter_at_the_end),
    };
    return cmocka_run_group_tests(tests, select_isa, NULL);
}
