/* Rows in batches, steps and points; the split; what is refused, and where. */
#include "lesson.h"

#include "train/layout.h"
#include <stdlib.h>
#include <string.h>

static const struct train_spec plain = {.optimizer = {.name = OPTIMIZER_SGD, .learning_rate = 0.1},
                                        .epochs = 3,
                                        .batch_size = 4,
                                        .shuffle = true,
                                        .seed = 9};

static struct layout layout_of(struct train_spec spec, size_t rows)
{
    struct layout l = {0};
    struct error err = {0};
    assert_ok(layout_make(&spec, rows, &l, &err), &err);
    return l;
}

static void the_last_batch_is_what_is_left(void **state)
{
    (void)state;
    struct layout l = layout_of(plain, 10);
    assert_int_equal(l.batch[PHASE_STEP], 4);
    assert_int_equal(l.batch[PHASE_POINT_REST], 2);
    assert_int_equal(l.steps_per_epoch, 3);
    assert_int_equal(l.steps, 9);
    assert_int_equal(l.batch[PHASE_POINT], 0); /* epochs end with the rest */
    assert_int_equal(l.batch[PHASE_VALIDATE], 0);
    l = layout_of(plain, 8);
    assert_int_equal(l.batch[PHASE_POINT_REST], 0);
    assert_int_equal(l.steps_per_epoch, 2);
}

static void drop_last_drops_it(void **state)
{
    struct train_spec spec = plain;
    (void)state;
    spec.drop_last = true;
    struct layout l = layout_of(spec, 10);
    assert_int_equal(l.batch[PHASE_POINT_REST], 0);
    assert_int_equal(l.steps_per_epoch, 2);
    l = layout_of(spec, 3); /* fewer rows than a batch: all of them */
    assert_int_equal(l.whole, 3);
    assert_int_equal(l.batch[PHASE_POINT], 3);
    assert_int_equal(l.batch[PHASE_STEP], 0); /* every step makes a point */
    assert_int_equal(l.steps_per_epoch, 1);
}

static void validation_takes_its_share(void **state)
{
    struct train_spec spec = plain;
    (void)state;
    spec.validation_fraction = 0.55;
    struct layout l = layout_of(spec, 11);
    assert_int_equal(l.validation, 6);
    assert_int_equal(l.training, 5);
    assert_int_equal(l.batch[PHASE_VALIDATE], 4);
    assert_int_equal(l.batch[PHASE_VALIDATE_REST], 2);
    spec.validation_fraction = 0.001;
    l = layout_of(spec, 11);
    assert_int_equal(l.validation, 1);
    assert_int_equal(l.batch[PHASE_VALIDATE], 1);
    assert_int_equal(l.batch[PHASE_VALIDATE_REST], 0);
}

static void refuses(struct train_spec spec, size_t rows, err_code code, const char *pointer)
{
    struct layout l;
    struct error err = {0};
    assert_int_equal(layout_make(&spec, rows, &l, &err), code);
    assert_int_equal(err.item_count, 1);
    assert_int_equal(err.items[0].code, code);
    assert_string_equal(err.items[0].pointer, pointer);
    error_clear(&err);
}

static void the_split_is_a_partition_by_the_seed(void **state)
{
    struct train_spec spec = plain;
    uint32_t *order = NULL, *again = NULL, *other = NULL;
    size_t training;
    (void)state;
    spec.validation_fraction = 0.3;
    assert_int_equal(train_split(&spec, 100, NULL, &order, &training, NULL), ERR_ok);
    assert_int_equal(training, 70);
    bool seen[100] = {false};
    for (size_t i = 0; i < 100; i++) {
        assert_true(order[i] < 100 && !seen[order[i]]);
        seen[order[i]] = true;
    }
    for (size_t i = 1; i < training; i++)
        assert_true(order[i - 1] < order[i]);
    assert_int_equal(train_split(&spec, 100, NULL, &again, &training, NULL), ERR_ok);
    assert_memory_equal(order, again, 100 * sizeof *order);
    spec.seed++;
    assert_int_equal(train_split(&spec, 100, NULL, &other, &training, NULL), ERR_ok);
    assert_memory_not_equal(order, other, 100 * sizeof *order);
    free(order);
    free(again);
    free(other);
}

static void marked_rows_validate(void **state)
{
    static const unsigned char marks[] = {0, 1, 1, 0, 0, 1};
    static const uint32_t expected[] = {0, 3, 4, 1, 2, 5};
    struct train_spec spec = {.epochs = 1, .batch_size = 2, .validation_rows = 3};
    struct layout l;
    uint32_t *order = NULL;
    size_t training = 0;
    (void)state;
    assert_int_equal(train_split(&spec, 6, marks, &order, &training, NULL), ERR_ok);
    assert_int_equal(training, 3);
    assert_memory_equal(order, expected, sizeof expected);
    free(order);
    assert_int_equal(layout_make(&spec, 6, &l, NULL), ERR_ok);
    assert_int_equal(l.validation, 3);
    assert_int_equal(l.steps, 2);
    spec.validation_rows = 6;
    refuses(spec, 6, ERR_out_of_range, "/validation");
}

static void metrics_evaluate_the_training_rows(void **state)
{
    struct train_spec spec = {.epochs = 1, .batch_size = 4, .metrics = 1, .drop_last = true};
    struct layout l;
    (void)state;
    assert_int_equal(layout_make(&spec, 10, &l, NULL), ERR_ok);
    assert_int_equal(l.evaluated, 10);
    assert_int_equal(l.batch[PHASE_VALIDATE], 4);
    assert_int_equal(l.batch[PHASE_VALIDATE_REST], 2);
    spec.validation_fraction = 0.3;
    assert_int_equal(layout_make(&spec, 10, &l, NULL), ERR_ok);
    assert_int_equal(l.evaluated, 3);
}

/* Counts the points of a job by walking through its steps. */
static int64_t count_points(const struct layout *l, const struct train_spec *spec)
{
    int64_t points = 0;
    for (int64_t step = 1; step <= l->steps; step++)
        points += layout_point_due(l, spec, step);
    return points;
}

static void points_are_counted_exactly(void **state)
{
    struct train_spec spec = plain;
    (void)state;
    spec.record_every_steps = 2;
    spec.batch_size = 1;
    struct layout l = layout_of(spec, 5);
    assert_true(layout_point_due(&l, &spec, 4));
    assert_true(layout_point_due(&l, &spec, 5)); /* the end of an epoch */
    assert_true(layout_point_due(&l, &spec, 6));
    assert_false(layout_point_due(&l, &spec, 7));
    assert_int_equal(count_points(&l, &spec), 7 + 3 - 1);

    /* 15 steps an epoch, a point at each sixth and at each epoch's end: 6 points in two epochs. */
    spec.record_every_steps = 6;
    spec.epochs = 333333;
    l = layout_of(spec, 15);
    assert_int_equal(count_points(&l, &spec), POINTS_MAX - 1);
    spec.epochs = 333334;
    struct error err = {0};
    assert_int_equal(layout_make(&spec, 15, &l, &err), ERR_limit_exceeded);
    assert_int_equal(err.item_count, 1);
    assert_string_equal(err.items[0].pointer, "/record/every_steps");
    assert_non_null(strstr(err.items[0].detail, "1000002 points; the limit is 1000000"));
    error_clear(&err);
}

/* The refusal of a spec, with its pointer. */
static void what_does_not_fit_is_refused(void **state)
{
    struct train_spec spec = plain;
    (void)state;
    refuses(spec, 0, ERR_empty_table, "/dataset");
    refuses(spec, (size_t)1 << 32, ERR_limit_exceeded, "/dataset");
    spec.epochs = 0;
    refuses(spec, 10, ERR_out_of_range, "/epochs");
    spec.epochs = POINTS_MAX + 1;
    refuses(spec, 10, ERR_limit_exceeded, "/epochs");
    spec.epochs = INT64_MAX;
    refuses(spec, 10, ERR_limit_exceeded, "/epochs");
    spec = plain;
    spec.batch_size = 0;
    refuses(spec, 10, ERR_out_of_range, "/batch_size");
    spec = plain;
    spec.validation_fraction = 1;
    refuses(spec, 10, ERR_out_of_range, "/validation/fraction");
    spec.validation_fraction = 0.5;
    refuses(spec, 1, ERR_out_of_range, "/validation/fraction");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_batch_is_what_is_left), cmocka_unit_test(drop_last_drops_it),
        cmocka_unit_test(validation_takes_its_share),     cmocka_unit_test(the_split_is_a_partition_by_the_seed),
        cmocka_unit_test(marked_rows_validate),           cmocka_unit_test(metrics_evaluate_the_training_rows),
        cmocka_unit_test(points_are_counted_exactly),     cmocka_unit_test(what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, select_isa, NULL);
}
