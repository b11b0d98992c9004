/* The schedules against PyTorch's (tests/reference/schedules.txt), warm-up, and the rates that training uses. */
#include "lesson.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RATES_MAX = 64 };
static const double RATE = 0.3;

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

static void set_field(struct schedule *s, const char *name, double value)
{
    for (size_t i = 0; i < schedule_field_count; i++) {
        const struct schedule_field *field = &schedule_fields[i];
        void *member = (char *)s + field->offset;
        if (field->schedule != s->name || strcmp(field->name, name) != 0)
            continue;
        if (field->is_whole)
            *(int64_t *)member = (int64_t)value;
        else
            *(double *)member = value;
        return;
    }
    fail_msg("%s has no field %s", schedule_name(s->name), name);
}

static void agrees_with_pytorch(void **state)
{
    (void)state;
    FILE *f = fopen("tests/reference/schedules.txt", "r");
    char word[64];
    int cases = 0;
    assert_non_null(f);
    for (; read_word(f, word); cases++) {
        enum schedule_name name;
        assert_string_equal(word, "case");
        assert_true(read_word(f, word));
        assert_true(schedule_find(word, &name));
        assert_string_equal(schedule_name(name), word);
        struct schedule s = schedule_defaults(name);
        for (int left = (int)read_number(f); left > 0; left--) {
            assert_true(read_word(f, word));
            set_field(&s, word, read_number(f));
        }
        const int64_t steps = (int64_t)read_number(f), epoch = (int64_t)read_number(f);
        assert_true(read_word(f, word));
        for (int64_t step = 0; step < steps; step++) {
            const struct schedule_span span = {.steps = steps, .steps_per_epoch = epoch};
            assert_near(schedule_rate(&s, RATE, step, &span), read_number(f), 1e-12, 1e-16);
        }
    }
    fclose(f);
    assert_int_equal(cases, 5);
}

static void warm_up_is_linear_from_zero(void **state)
{
    (void)state;
    const struct schedule_span span = {.steps = 100, .steps_per_epoch = 10};
    struct schedule s = schedule_defaults(SCHEDULE_STEP);
    s.every_epochs = 1;
    s.factor = 0.5;
    s.warmup_steps = 20;
    assert_near(schedule_rate(&s, 1, 0, &span), 0, 0, 0);
    assert_near(schedule_rate(&s, 1, 5, &span), 0.25, 1e-15, 0);
    assert_near(schedule_rate(&s, 1, 15, &span), 0.5 * 0.75, 1e-15, 0);
    assert_near(schedule_rate(&s, 1, 20, &span), 0.25, 1e-15, 0);
}

static void spans_of_one_step(void **state)
{
    (void)state;
    const struct schedule_span span = {.steps = 1, .steps_per_epoch = 1};
    for (int name = 0; name < SCHEDULE_COUNT; name++) {
        struct schedule s = schedule_defaults((enum schedule_name)name);
        s.every_epochs = 1;
        s.factor = 0.5;
        s.max_learning_rate = 1;
        const double rate = schedule_rate(&s, RATE, 0, &span);
        assert_true(rate >= 0 && rate <= 1);
    }
    enum schedule_name ignored;
    assert_false(schedule_find("Cosine", &ignored));
}

/* With plain gradient descent on cost = w, each step lowers w by the rate. */
static void training_uses_the_rate_of_the_step(void **state)
{
    (void)state;
    const struct leaf leaves[] = {{"t", {2, {DIM_BATCH, 1}}}, {"w", {0, {0}}}};
    struct model *m = make_model("cost = ReduceMean(0 * t) + w", DTYPE_FLOAT64, leaves, 1, 2);
    struct tensor **start = make_start(m, 0, 0);
    struct train_spec spec = {.optimizer = {.name = OPTIMIZER_SGD, .learning_rate = RATE},
                              .schedule = schedule_defaults(SCHEDULE_COSINE),
                              .epochs = 5,
                              .batch_size = 2,
                              .record_every_steps = 1};
    struct rows rows;
    struct error err = {0};
    struct trainer *t = NULL;
    make_rows(m, 5, 1, &rows);
    assert_ok(trainer_new(m, &spec, &rows.data, start, &t, &err), &err);
    const struct schedule_span span = {.steps = 15, .steps_per_epoch = 3};
    double w = 0;
    for (int64_t step = 0; step < 15; step++) {
        struct train_point point;
        bool has_point = false;
        const double rate = schedule_rate(&spec.schedule, RATE, step, &span);
        assert_ok(trainer_advance(t, 1, NULL, &point, &has_point, &err), &err);
        assert_true(has_point);
        w -= rate;
        assert_near(point.learning_rate, rate, 0, 0);
        assert_near(point.gradient_norm, 1, 0, 0);
        assert_near(tensor_get(trainer_parameters(t)[0], 0), w, 1e-13, 1e-13);
    }
    trainer_free(t);
    free_rows(&rows);
    tensors_free(start, m->parameter_count);
    free_model(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_pytorch),
        cmocka_unit_test(warm_up_is_linear_from_zero),
        cmocka_unit_test(spans_of_one_step),
        cmocka_unit_test(training_uses_the_rate_of_the_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
