/* Transforms: fit, apply, single values, and back. */
#include "data/transform.h"
#include "read.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PEOPLE "age,city,height\n10,rome,1.5\n20,oslo,2.5\n30,rome,0.5\n40,bern,1.5\n"

static struct transform fit(const struct table *t, enum transform_kind kind, const char *first, const char *second,
                            const uint32_t *rows, size_t row_count)
{
    const char *columns[2] = {first, second};
    struct transform ret = {0};
    struct error err = {0};
    err_code code = transform_fit("X", kind, columns, second ? 2 : 1, t, rows, row_count, "/bind/X", &ret, &err);
    if (code)
        fail_msg("%s: %s", err_name(code), err.item_count ? err.items[0].detail : err.detail);
    error_clear(&err);
    return ret;
}

static void expect_values(const struct transform *t, const struct table *table, const double *expected, size_t count)
{
    double *wide = calloc(count, sizeof *wide);
    float *narrow = calloc(count, sizeof *narrow);
    assert_non_null(wide);
    assert_non_null(narrow);
    assert_int_equal((size_t)table->info.rows * t->width, count);
    assert_int_equal(transform_apply(t, table, NULL, 0, DTYPE_FLOAT64, wide, NULL), ERR_ok);
    assert_int_equal(transform_apply(t, table, NULL, 0, DTYPE_FLOAT32, narrow, NULL), ERR_ok);
    for (size_t i = 0; i < count; i++) {
        assert_same(wide[i], expected[i]);
        assert_same((double)narrow[i], (double)(float)expected[i]);
    }
    free(wide);
    free(narrow);
}

static void test_names(void **state)
{
    (void)state;
    for (int i = 0; i < TRANSFORM_KINDS; i++) {
        enum transform_kind kind = TRANSFORM_NONE;
        assert_true(transform_find(transform_name((enum transform_kind)i), &kind));
        assert_int_equal(kind, i);
    }
    enum transform_kind kind = TRANSFORM_NONE;
    assert_false(transform_find("Standardize", &kind));
}

static void test_none(void **state)
{
    (void)state;
    struct table *t = read_table(TEXT(PEOPLE));
    struct transform x = fit(t, TRANSFORM_NONE, "city", "age", NULL, 0);
    static const double expected[] = {2, 10, 1, 20, 2, 30, 0, 40}; /* bern, oslo, rome */
    expect_values(&x, t, expected, 8);
    transform_clear(&x);
    table_free(t);
}

static void test_standardize(void **state)
{
    (void)state;
    struct table *t = read_table(TEXT(PEOPLE));
    struct transform x = fit(t, TRANSFORM_STANDARDIZE, "age", "height", NULL, 0);
    double age = sqrt(500.0 / 4);
    double height = sqrt(2.0 / 4);
    const double expected[] = {-15 / age, 0, -5 / age, 1 / height, 5 / age, -1 / height, 15 / age, 0};
    expect_values(&x, t, expected, 8);
    assert_same(x.columns[0].center[0], 25);
    assert_same(x.columns[0].scale[0], age);
    assert_near(transform_invert(&x, 0, 0, expected[6]), 40, 1e-15, 0);
    transform_clear(&x);
    table_free(t);
}

static void test_minmax(void **state)
{
    (void)state;
    struct table *t = read_table(TEXT("a,b\n5,3\n7,3\n9,3\n"));
    struct transform x = fit(t, TRANSFORM_MINMAX, "a", "b", NULL, 0);
    static const double expected[] = {0, 0, .5, 0, 1, 0};
    expect_values(&x, t, expected, 6);
    assert_same(transform_invert(&x, 0, 0, .5), 7);
    assert_same(transform_invert(&x, 1, 0, 0), 3);
    transform_clear(&x);
    table_free(t);
}

static void test_one_hot(void **state)
{
    (void)state;
    struct table *t = read_table(TEXT(PEOPLE));
    struct transform x = fit(t, TRANSFORM_ONE_HOT, "city", NULL, NULL, 0);
    static const double expected[] = {0, 0, 1, 0, 1, 0, 0, 0, 1, 1, 0, 0};
    assert_int_equal(x.width, 3);
    assert_string_equal(x.columns[0].labels[0], "bern");
    expect_values(&x, t, expected, 12);
    transform_clear(&x);
    table_free(t);
}

/* The fit sees its rows alone, and the categories of all. */
static void test_fit_to_training_rows(void **state)
{
    (void)state;
    static const uint32_t rows[] = {2, 0};
    struct table *t = read_table(TEXT(PEOPLE));
    struct transform x = fit(t, TRANSFORM_STANDARDIZE, "age", NULL, rows, 2);
    assert_same(x.columns[0].center[0], 20);
    assert_same(x.columns[0].scale[0], 10);
    static const uint32_t validation[] = {3, 1};
    double out[2];
    assert_int_equal(transform_apply(&x, t, validation, 2, DTYPE_FLOAT64, out, NULL), ERR_ok);
    assert_same(out[0], 2);
    assert_same(out[1], 0);
    transform_clear(&x);
    x = fit(t, TRANSFORM_ONE_HOT, "city", NULL, rows, 2);
    assert_int_equal(x.width, 3);
    transform_clear(&x);
    table_free(t);
}

static void test_equal_values_count_as_spread_one(void **state)
{
    (void)state;
    struct table *t = read_table(TEXT("x\n0.1\n0.1\n0.1\n0.1\n0.1\n0.1\n0.1\n0.1\n0.1\n0.1\n0.3\n"));
    static const uint32_t rows[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    struct transform x = fit(t, TRANSFORM_STANDARDIZE, "x", NULL, rows, 10);
    double out = -1;
    static const uint32_t first = 0;
    assert_int_equal(transform_apply(&x, t, &first, 1, DTYPE_FLOAT64, &out, NULL), ERR_ok);
    assert_same(out, 0);
    assert_same(x.columns[0].scale[0], 1);
    transform_clear(&x);
    table_free(t);
}

static struct table *tensor_table(void)
{
    static const struct table_builder_column columns[] = {{"m", COLUMN_NUMBER, {2, {1, 2}}}, {"y", COLUMN_NUMBER, {0}}};
    static const double rows[2][3] = {{1, 10, 5}, {3, 30, 6}};
    struct table_memory memory = {0};
    struct table_info info = {0};
    struct table_builder *b = NULL;
    struct table *t = NULL;
    assert_int_equal(table_builder_new(columns, 2, table_memory_sink, &memory, &b, NULL), ERR_ok);
    assert_int_equal(table_builder_row(b, rows[0], NULL, NULL, NULL), ERR_ok);
    assert_int_equal(table_builder_row(b, rows[1], NULL, NULL, NULL), ERR_ok);
    assert_int_equal(table_builder_finish(b, &info, NULL), ERR_ok);
    table_builder_free(b);
    assert_int_equal(table_new(&info, memory.values, &t, NULL), ERR_ok);
    return t;
}

static void test_tensor_columns_scale_each_value(void **state)
{
    (void)state;
    struct table *t = tensor_table();
    struct transform x = fit(t, TRANSFORM_STANDARDIZE, "y", "m", NULL, 0);
    static const double expected[] = {-1, -1, -1, 1, 1, 1};
    static const double value[] = {2, 40};
    double out[2];
    assert_int_equal(x.width, 3);
    assert_int_equal(x.columns[1].width, 2);
    expect_values(&x, t, expected, 6);
    assert_same(transform_invert(&x, 1, 1, 1), 30);
    assert_int_equal(transform_value(&x, 1, value, NULL, out, NULL), ERR_ok);
    assert_same(out[0], 0);
    assert_same(out[1], 2);
    transform_clear(&x);
    table_free(t);
}

/* A row of its own comes out as the same row of the table does. */
static void test_single_values(void **state)
{
    (void)state;
    struct table *t = read_table(TEXT(PEOPLE));
    struct transform age = fit(t, TRANSFORM_STANDARDIZE, "age", NULL, NULL, 0);
    struct transform city = fit(t, TRANSFORM_ONE_HOT, "city", NULL, NULL, 0);
    struct transform rank = fit(t, TRANSFORM_NONE, "city", NULL, NULL, 0);
    static const uint32_t row = 1;
    double table_value = 0;
    double value = -1;
    double hot[3] = {7, 7, 7};
    static const double twenty = 20;
    static const double huge = 1.7e308;
    assert_int_equal(transform_apply(&age, t, &row, 1, DTYPE_FLOAT64, &table_value, NULL), ERR_ok);
    assert_int_equal(transform_value(&age, 0, &twenty, NULL, &value, NULL), ERR_ok);
    assert_same(value, table_value);
    assert_int_equal(transform_value(&city, 0, NULL, "oslo", hot, NULL), ERR_ok);
    assert_true(hot[0] == 0 && hot[1] == 1 && hot[2] == 0);
    assert_int_equal(transform_value(&rank, 0, NULL, "rome", &value, NULL), ERR_ok);
    assert_same(value, 2);
    assert_same(transform_invert(&rank, 0, 0, 2), 2);
    struct error err = {0};
    assert_int_equal(transform_value(&city, 0, NULL, "olso", hot, &err), ERR_unknown_category);
    assert_non_null(strstr(err.items[0].detail, "did you mean 'oslo'?"));
    assert_string_equal(err.items[0].field, "city");
    assert_int_equal(transform_value(&city, 0, &twenty, NULL, hot, &err), ERR_wrong_type);
    assert_int_equal(transform_value(&age, 0, NULL, "20", &value, &err), ERR_wrong_type);
    age.columns[0].scale[0] = 0.25;
    assert_int_equal(transform_value(&age, 0, &huge, NULL, &value, &err), ERR_nonfinite_number);
    assert_int_equal(err.total, 4);
    error_clear(&err);
    transform_clear(&age);
    transform_clear(&city);
    transform_clear(&rank);
    table_free(t);
}

static void expect_no_fit(const struct table *t, enum transform_kind kind, const char *const *columns, size_t count,
                          const struct error_item *expected, size_t expected_count)
{
    struct transform x = {0};
    struct error err = {0};
    err_code code = transform_fit("X", kind, columns, count, t, NULL, 0, "/bind/X", &x, &err);
    assert_int_equal(code, expected[0].code);
    assert_int_equal(err.item_count, expected_count);
    for (size_t i = 0; i < expected_count; i++) {
        assert_int_equal(err.items[i].code, expected[i].code);
        assert_string_equal(err.items[i].pointer, expected[i].pointer);
        assert_non_null(strstr(err.items[i].detail, expected[i].detail));
    }
    assert_null(x.columns);
    error_clear(&err);
}

static void test_what_can_not_be_fitted(void **state)
{
    (void)state;
    struct table *t = read_table(TEXT(PEOPLE));
    static const char *const columns[] = {"agee", "city", "age", "country"};
    static const struct error_item scaled[] = {
        {.code = ERR_unknown_column, .pointer = "/bind/X/columns/0", .detail = "did you mean 'age'?"},
        {.code = ERR_wrong_type,
         .pointer = "/bind/X/columns/1",
         .detail = "'city' is a category, which has no mean: use one_hot"},
        {.code = ERR_unknown_column, .pointer = "/bind/X/columns/3", .detail = "'country' is not in the data set"}};
    static const struct error_item hot[] = {{.code = ERR_wrong_type,
                                             .pointer = "/bind/X/columns/1",
                                             .detail = "'age' is a number; one_hot is for categories"}};
    static const struct error_item none[] = {
        {.code = ERR_missing_field, .pointer = "/bind/X", .detail = "'X' is bound to no column"}};
    expect_no_fit(t, TRANSFORM_STANDARDIZE, columns, 4, scaled, 3);
    expect_no_fit(t, TRANSFORM_ONE_HOT, columns + 1, 2, hot, 1);
    expect_no_fit(t, TRANSFORM_NONE, columns, 0, none, 1);
    static const uint32_t no_rows[1] = {0};
    struct transform x = {0};
    assert_int_equal(transform_fit("X", TRANSFORM_NONE, columns + 2, 1, t, no_rows, 0, NULL, &x, NULL),
                     ERR_empty_table);
    table_free(t);
    t = read_table(TEXT("wide\n-1.7e308\n1.7e308\n"));
    static const char *const wide[] = {"wide"};
    static const struct error_item beyond[] = {
        {.code = ERR_nonfinite_number, .pointer = "/bind/X/columns/0", .detail = "beyond the range"}};
    expect_no_fit(t, TRANSFORM_STANDARDIZE, wide, 1, beyond, 1);
    expect_no_fit(t, TRANSFORM_MINMAX, wide, 1, beyond, 1);
    table_free(t);
}

static void test_another_table(void **state)
{
    (void)state;
    struct table *t = read_table(TEXT(PEOPLE));
    struct table *other = read_table(TEXT("city,extra,age\nrome,1,10\nbern,2,40\n"));
    struct transform x = fit(t, TRANSFORM_NONE, "age", "city", NULL, 0);
    static const double expected[] = {10, 2, 40, 0};
    expect_values(&x, other, expected, 4);
    table_free(other);

    other = read_table(TEXT("age,city\n1,rome\n2,romee\n3,paris\n4,romee\n5,oslo\n"));
    struct error err = {0};
    double out[10];
    assert_int_equal(transform_apply(&x, other, NULL, 0, DTYPE_FLOAT64, out, &err), ERR_unknown_category);
    assert_int_equal(err.total, 2);
    assert_int_equal(err.items[0].row, 2);
    assert_string_equal(err.items[0].field, "city");
    assert_non_null(strstr(err.items[0].detail, "did you mean 'rome'?"));
    assert_int_equal(err.items[1].row, 3);
    error_clear(&err);
    static const uint32_t known[] = {0, 4};
    assert_int_equal(transform_apply(&x, other, known, 2, DTYPE_FLOAT64, out, NULL), ERR_ok);
    assert_same(out[3], 1);
    table_free(other);

    other = read_table(TEXT("age,town\nx,1\n"));
    assert_int_equal(transform_apply(&x, other, NULL, 0, DTYPE_FLOAT64, out, &err), ERR_wrong_type);
    assert_int_equal(err.total, 2);
    assert_int_equal(err.items[1].code, ERR_unknown_column);
    error_clear(&err);
    table_free(other);
    transform_clear(&x);

    other = tensor_table();
    x = fit(other, TRANSFORM_NONE, "m", NULL, NULL, 0);
    x.columns[0].shape = (struct shape){1, {2}};
    assert_int_equal(transform_apply(&x, other, NULL, 0, DTYPE_FLOAT64, out, NULL), ERR_shape_mismatch);
    transform_clear(&x);
    table_free(other);
    table_free(t);
}

static void test_values_beyond_float32(void **state)
{
    (void)state;
    struct table *t = read_table(TEXT("a,b\n1,1\n1,1e39\n"));
    struct transform x = fit(t, TRANSFORM_NONE, "a", "b", NULL, 0);
    struct error err = {0};
    float out[4];
    double wide[4];
    assert_int_equal(transform_apply(&x, t, NULL, 0, DTYPE_FLOAT32, out, &err), ERR_nonfinite_number);
    assert_int_equal(err.total, 1);
    assert_int_equal(err.items[0].row, 2);
    assert_string_equal(err.items[0].field, "b");
    assert_int_equal(transform_apply(&x, t, NULL, 0, DTYPE_FLOAT64, wide, NULL), ERR_ok);
    x.columns[1].scale[0] = 1e-300;
    assert_int_equal(transform_apply(&x, t, NULL, 0, DTYPE_FLOAT64, wide, NULL), ERR_nonfinite_number);
    error_clear(&err);
    transform_clear(&x);
    table_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_standardize),
        cmocka_unit_test(test_minmax),
        cmocka_unit_test(test_one_hot),
        cmocka_unit_test(test_fit_to_training_rows),
        cmocka_unit_test(test_equal_values_count_as_spread_one),
        cmocka_unit_test(test_tensor_columns_scale_each_value),
        cmocka_unit_test(test_single_values),
        cmocka_unit_test(test_what_can_not_be_fitted),
        cmocka_unit_test(test_another_table),
        cmocka_unit_test(test_values_beyond_float32),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
