/* The optimizers against PyTorch's, over 100 steps of float64 on fixed batches, LBFGS over 20 on all rows
 * (tests/reference/optimizers.txt), and their table of fields. */
#include "lesson.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 20, IN = 3, HIDDEN = 4, NUMBERS = IN * HIDDEN + HIDDEN + HIDDEN + 1, STEPS = 100, LBFGS_STEPS = 20 };

static FILE *open_reference(void)
{
    FILE *f = fopen("tests/reference/optimizers.txt", "r");
    if (f == NULL)
        print_error("run from the top of the repository: tests/reference/optimizers.txt is not there\n");
    assert_non_null(f);
    return f;
}

static bool read_word(FILE *f, char word[64])
{
    return fscanf(f, "%63s", word) == 1;
}

static double read_number(FILE *f)
{
    char word[64], *end;
    assert_true(read_word(f, word));
    double x = strtod(word, &end);
    assert_int_equal(*end, '\0');
    return x;
}

static void read_numbers(FILE *f, const char *name, double *ret, size_t count)
{
    char word[64];
    assert_true(read_word(f, word));
    assert_string_equal(word, name);
    for (size_t i = 0; i < count; i++)
        ret[i] = read_number(f);
}

static void set_field(struct optimizer *o, const char *name, double value)
{
    for (size_t i = 0; i < optimizer_field_count; i++) {
        const struct optimizer_field *field = &optimizer_fields[i];
        char *member = (char *)o + field->offset;
        if (field->optimizer != o->name || strcmp(field->name, name) != 0)
            continue;
        if (field->is_bool)
            *(bool *)(void *)member = value != 0;
        else if (field->is_whole)
            *(int64_t *)(void *)member = (int64_t)value;
        else
            *(double *)(void *)member = value;
        return;
    }
    fail_msg("%s has no field %s", optimizer_name(o->name), name);
}

/* "case NAME COUNT field value ..."; false at the end of the file. */
static bool read_case(FILE *f, struct optimizer *ret)
{
    char word[64];
    enum optimizer_name name;
    if (!read_word(f, word))
        return false;
    assert_string_equal(word, "case");
    assert_true(read_word(f, word));
    assert_true(optimizer_find(word, &name));
    *ret = optimizer_defaults(name);
    for (int left = (int)read_number(f); left > 0; left--) {
        assert_true(read_word(f, word));
        set_field(ret, word, read_number(f));
    }
    return true;
}

static void compare_step(FILE *f, struct trainer *t, size_t parameter_count, double tolerance)
{
    char word[64];
    struct error err = {0};
    struct train_point point;
    bool has_point;
    assert_true(read_word(f, word));
    assert_string_equal(word, "step");
    const int64_t step = (int64_t)read_number(f);
    while (trainer_step(t) < step)
        assert_ok(trainer_advance(t, step - trainer_step(t), NULL, &point, &has_point, &err), &err);
    for (size_t p = 0; p < parameter_count; p++) {
        const struct tensor *parameter = trainer_parameters(t)[p];
        for (int64_t i = 0; i < tensor_elements(parameter); i++)
            assert_near(tensor_get(parameter, i), read_number(f), tolerance, 0);
    }
}

static void agrees_with_pytorch(void **state)
{
    enum { CASES = 20, STEPS_SHOWN = 4 };
    const struct leaf leaves[] = {
        {"X", {2, {DIM_BATCH, IN}}}, {"y", {2, {DIM_BATCH, 1}}}, {"W1", {2, {IN, HIDDEN}}},
        {"b1", {1, {HIDDEN}}},       {"W2", {2, {HIDDEN, 1}}},   {"b2", {1, {1}}},
    };
    struct model *plain =
        make_model("cost = MSE(Linear(Tanh(Linear(X, W1, b1)), W2, b2), y)", DTYPE_FLOAT64, leaves, 2, 6);
    struct model *penalised = make_model("error = MSE(Linear(Tanh(Linear(X, W1, b1)), W2, b2), y)\n"
                                         "cost = error + 0.05 * (ReduceSumSquare(W1) + ReduceSumSquare(b1) + "
                                         "ReduceSumSquare(W2) + ReduceSumSquare(b2))",
                                         DTYPE_FLOAT64, leaves, 2, 6);
    struct tensor **start = make_start(plain, 0, 0);
    static const char *const names[] = {"W1", "b1", "W2", "b2"};
    double x[ROWS * IN], y[ROWS];
    struct error err = {0};
    (void)state;
    FILE *f = open_reference();
    read_numbers(f, "X", x, sizeof x / sizeof *x);
    read_numbers(f, "y", y, ROWS);
    for (size_t p = 0; p < 4; p++)
        read_numbers(f, names[p], start[p]->data, (size_t)tensor_elements(start[p]));
    const void *inputs[] = {x, y};
    const struct train_data data = {.inputs = inputs, .rows = ROWS};
    struct train_spec spec = {.batch_size = ROWS / 4};
    int cases = 0;
    for (; read_case(f, &spec.optimizer); cases++) {
        struct trainer *t = NULL;
        const bool is_lbfgs = spec.optimizer.name == OPTIMIZER_LBFGS;
        spec.epochs = is_lbfgs ? LBFGS_STEPS : STEPS / 4;
        const struct model *m = is_lbfgs ? penalised : plain;
        assert_ok(trainer_new(m, &spec, &data, start, &t, &err), &err);
        for (int i = 0; i < STEPS_SHOWN; i++)
            compare_step(f, t, m->parameter_count, is_lbfgs ? 1e-6 : 1e-10);
        assert_true(trainer_finished(t));
        trainer_free(t);
    }
    assert_int_equal(cases, CASES);
    fclose(f);
    tensors_free(start, plain->parameter_count);
    free_model(plain);
    free_model(penalised);
}

static void names_are_found(void **state)
{
    enum optimizer_name name;
    (void)state;
    assert_true(optimizer_find("AdamW", &name));
    assert_int_equal(name, OPTIMIZER_ADAMW);
    assert_string_equal(optimizer_name(name), "AdamW");
    assert_false(optimizer_find("adamw", &name));
    assert_false(optimizer_find("lbfgs", &name));
}

static void defaults_are_the_contract(void **state)
{
    (void)state;
    struct optimizer sgd = optimizer_defaults(OPTIMIZER_SGD);
    assert_same(sgd.momentum, 0);
    assert_same(sgd.weight_decay, 0);
    assert_false(sgd.nesterov);
    struct optimizer adam = optimizer_defaults(OPTIMIZER_ADAM), adamw = optimizer_defaults(OPTIMIZER_ADAMW);
    assert_same(adam.learning_rate, 0.001);
    assert_same(adam.beta1, 0.9);
    assert_same(adam.beta2, 0.999);
    assert_same(adam.epsilon, 1e-8);
    assert_same(adam.weight_decay, 0);
    assert_same(adamw.weight_decay, 0.01);
    for (size_t i = 0; i < optimizer_field_count; i++) {
        const struct optimizer_field *f = &optimizer_fields[i];
        assert_int_equal(f->required, f->optimizer == OPTIMIZER_SGD && strcmp(f->name, "learning_rate") == 0);
        assert_true(f->required || (f->fallback >= f->least && f->fallback <= f->most));
    }
}

static void state_is_counted(void **state)
{
    (void)state;
    struct optimizer o = optimizer_defaults(OPTIMIZER_SGD);
    assert_int_equal(optimizer_state_count(&o), 0);
    o.momentum = 0.5;
    assert_int_equal(optimizer_state_count(&o), 1);
    o = optimizer_defaults(OPTIMIZER_ADAM);
    assert_int_equal(optimizer_state_count(&o), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_pytorch),
        cmocka_unit_test(names_are_found),
        cmocka_unit_test(defaults_are_the_contract),
        cmocka_unit_test(state_is_counted),
    };
    return cmocka_run_group_tests(tests, select_isa, NULL);
}
