/* Rows in the data's own words, there and back. */
#include "query/rows.h"
#include "support/small.h"
#include <string.h>

/* X is made of a and b, standardized with these figures; c is a category, one_hot; y is the target. */
static double center_x[2] = {10, 100}, scale_x[2] = {2, 50}, center_y = 50, scale_y = 5, zero[1] = {0}, one[1] = {1};
static char *colours[] = {"blue", "green", "red"};

static struct transform_column column_a = {.column = "a", .width = 1, .center = center_x, .scale = scale_x};
static struct transform_column columns_x[2];
static struct transform_column column_c = {.column = "c",
                                           .type = COLUMN_CATEGORY,
                                           .width = 3,
                                           .center = zero,
                                           .scale = one,
                                           .labels = colours,
                                           .category_count = 3};
static struct transform_column column_y = {.column = "y", .width = 1, .center = &center_y, .scale = &scale_y};

static const char regression[] = "float32 0\ninput X batch 2\ninput C batch 3\ninput y batch 1\nparameter w 2 1\n"
                                 "parameter v 3 1\nprogram\nout = X @ w + C @ v\ncost = MSE(out, y)\n";

/* A model and a version with transforms, without a store. */
struct trained {
    struct held_model model;
    struct held_version version;
    struct store_version record;
    struct transform transforms[3];
    node_id output;
};

static void begin(struct trained *t, const char *spec)
{
    columns_x[0] = column_a;
    columns_x[1] = (struct transform_column){.column = "b", .width = 1, .center = center_x + 1, .scale = scale_x + 1};
    struct model *m = small_model(spec);
    *t = (struct trained){.model.model = m, .output = m->output, .record.version = 4};
    t->transforms[0] = (struct transform){
        .input = "X", .kind = TRANSFORM_STANDARDIZE, .columns = columns_x, .column_count = 2, .width = 2};
    t->transforms[1] = (struct transform){
        .input = "C", .kind = TRANSFORM_ONE_HOT, .columns = &column_c, .column_count = 1, .width = 3};
    t->transforms[2] = (struct transform){
        .input = "y", .kind = TRANSFORM_STANDARDIZE, .columns = &column_y, .column_count = 1, .width = 1};
    t->version = (struct held_version){.record = &t->record, .transforms = t->transforms, .transform_count = 3};
}

static void end(struct trained *t)
{
    model_free((struct model *)(uintptr_t)t->model.model);
}

static struct cell number(const char *column, const double *value, const char *pointer)
{
    return (struct cell){.column = column, .numbers = value, .count = 1, .place.pointer = pointer};
}

static struct cell label(const char *column, const char *text, const char *pointer)
{
    return (struct cell){.column = column, .label = text, .place.pointer = pointer};
}

static void rows_go_through_the_transforms(void **state)
{
    static const double values[] = {12, 150, 8, 0, 77};
    const struct cell first[] = {label("c", "red", "/rows/0/c"), number("b", &values[1], "/rows/0/b"),
                                 number("a", &values[0], "/rows/0/a")};
    const struct cell second[] = {number("a", &values[2], "/rows/1/a"), number("b", &values[3], "/rows/1/b"),
                                  label("c", "blue", "/rows/1/c"), number("y", &values[4], "/rows/1/y")};
    const struct row rows[] = {{first, 3, {.pointer = "/rows/0"}}, {second, 4, {.pointer = "/rows/1"}}};
    struct trained t;
    const char *names[3];
    struct tensor *tensors[3];
    size_t count = 0;
    struct error err = {0};
    (void)state;
    begin(&t, regression);
    assert_ok(rows_to_inputs(&t.model, &t.version, rows, 2, &t.output, 1, names, tensors, &count, &err), &err);
    assert_int_equal(count, 2);
    assert_string_equal(names[0], "X");
    assert_string_equal(names[1], "C");
    const float x[] = {1, 1, -1, -2}, c[] = {0, 0, 1, 1, 0, 0};
    assert_int_equal(tensors[0]->dtype, DTYPE_FLOAT32);
    assert_int_equal(tensors[0]->shape.dim[0], 2);
    assert_memory_equal(tensors[0]->data, x, sizeof x);
    assert_memory_equal(tensors[1]->data, c, sizeof c);
    tensor_free(tensors[0]);
    tensor_free(tensors[1]);
    end(&t);
}

static void refuse(struct trained *t, const struct row *rows, size_t count, const char *items)
{
    const char *names[3];
    struct tensor *tensors[3];
    size_t made = 0;
    struct error err = {0};
    assert_int_equal(rows_to_inputs(&t->model, &t->version, rows, count, &t->output, 1, names, tensors, &made, &err),
                     ERR_invalid_query);
    assert_int_equal(made, 0);
    assert_items(&err, items);
}

static void every_mistake_of_every_row_is_told(void **state)
{
    static const double values[] = {12, 150}, huge = 1e300;
    const struct cell first[] = {label("a", "12", "/rows/0/a"), number("bb", &values[1], "/rows/0/bb"),
                                 label("c", "redd", "/rows/0/c")};
    const struct cell second[] = {{.column = "a", .numbers = values, .count = 2, .place.pointer = "/rows/1/a"},
                                  number("b", &huge, "/rows/1/b"),
                                  number("c", &values[0], "/rows/1/c")};
    const struct cell third = label("c", "red", "/rows/2/c");
    const struct row rows[] = {
        {first, 3, {.pointer = "/rows/0"}}, {second, 3, {.pointer = "/rows/1"}}, {&third, 1, {.pointer = "/rows/2"}}};
    struct trained t;
    (void)state;
    begin(&t, regression);
    refuse(&t, rows, 3,
           "unknown_column /rows/0/bb no column 'bb' was bound in training; did you mean 'b'?\n"
           "wrong_type /rows/0/a 'a' is a number, not a string\n"
           "missing_field /rows/0 the row has no 'b'\n"
           "unknown_category /rows/0/c column 'c' has no category 'redd'; did you mean 'red'?\n"
           "shape_mismatch /rows/1/a 'a' has 1 values, not 2\n"
           "nonfinite_number /rows/1/b the value of 'b' is beyond the range of float32\n"
           "wrong_type /rows/1/c 'c' is a category: give its label as a string\n"
           "missing_field /rows/2 the row has no 'a'\n"
           "missing_field /rows/2 the row has no 'b'\n");
    end(&t);
}

static void a_version_without_transforms_takes_no_rows(void **state)
{
    struct trained t;
    const char *names[3];
    struct tensor *tensors[3];
    size_t count;
    struct error err = {0};
    (void)state;
    begin(&t, regression);
    t.version.transform_count = 0;
    assert_int_equal(rows_to_inputs(&t.model, &t.version, NULL, 0, &t.output, 1, names, tensors, &count, &err),
                     ERR_invalid_query);
    assert_non_null(strstr(err.detail, "version 4 has no transforms"));
    error_clear(&err);
    end(&t);
}

/* ---- outputs ---- */

static struct prediction prediction(const struct trained *t)
{
    struct prediction p;
    assert_int_equal(prediction_of(&t->model, &t->version, &p, NULL), ERR_ok);
    return p;
}

static void the_target_is_told_in_its_own_units(void **state)
{
    float out[] = {1, -2};
    const struct tensor output = {.dtype = DTYPE_FLOAT32, .shape = {2, {2, 1}}, .data = out};
    struct trained t;
    double value = 0;
    (void)state;
    begin(&t, regression);
    struct prediction p = prediction(&t);
    assert_int_equal(p.kind, PREDICTION_NUMBERS);
    assert_string_equal(p.target->input, "y");
    prediction_numbers(&p, &output, 0, &value);
    assert_same(value, 55);
    prediction_numbers(&p, &output, 1, &value);
    assert_same(value, 40);
    t.version.transform_count = 2; /* y was not bound */
    assert_int_equal(prediction(&t).kind, PREDICTION_NONE);
    t.transforms[1] = t.transforms[2];
    t.transforms[1].columns = &column_c; /* a category has no units */
    assert_int_equal(prediction(&t).kind, PREDICTION_NONE);
    end(&t);
}

static void a_class_has_probabilities(void **state)
{
    double out[] = {0, 1000, 999, 3, 3, 2};
    const struct tensor output = {.dtype = DTYPE_FLOAT64, .shape = {2, {2, 3}}, .data = out};
    struct trained t;
    double p[3];
    size_t class;
    (void)state;
    begin(&t, "float64 0\ninput X batch 2\ninput C batch 3\nparameter w 2 3\nprogram\nout = X @ w\n"
              "cost = 2 * CrossEntropy(out, C)\n");
    t.version.transform_count = 2;
    struct prediction found = prediction(&t);
    assert_int_equal(found.kind, PREDICTION_CLASS);
    assert_string_equal(found.target->columns[0].labels[1], "green");
    prediction_class(&output, 0, p, &class);
    assert_int_equal(class, 1);
    assert_same(p[0], 0);
    assert_near(p[1], 0.7310585786300049, 1e-15, 0);
    assert_near(p[2], 0.2689414213699951, 1e-15, 0);
    prediction_class(&output, 1, p, &class);
    assert_int_equal(class, 0); /* the first of a tie */
    assert_near(p[0] + p[1] + p[2], 1, 1e-15, 0);
    end(&t);
    /* What is a probability already is not taken for a logit. */
    begin(&t, "float64 0\ninput X batch 2\ninput C batch 3\nparameter w 2 3\nprogram\nz = X @ w\nout = Softmax(z)\n"
              "cost = CrossEntropy(z, C)\n");
    t.version.transform_count = 2;
    assert_int_equal(prediction(&t).kind, PREDICTION_NONE);
    end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_go_through_the_transforms),
        cmocka_unit_test(every_mistake_of_every_row_is_told),
        cmocka_unit_test(a_version_without_transforms_takes_no_rows),
        cmocka_unit_test(the_target_is_told_in_its_own_units),
        cmocka_unit_test(a_class_has_probabilities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
