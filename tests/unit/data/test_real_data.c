/* The data sets of tests/data, against figures that NumPy computed from the same files. */
#include "data/transform.h"
#include "read.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct figures {
    const char *column;
    double min, max, mean, std;
};

static void expect_figures(const struct table *t, const struct figures *figures, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct column *c = &t->info.columns[column_at(t, figures[i].column)];
        assert_int_equal(c->type, COLUMN_NUMBER);
        assert_same(c->min, figures[i].min);
        assert_same(c->max, figures[i].max);
        assert_near(c->mean, figures[i].mean, 1e-14, 0);
        assert_near(c->std, figures[i].std, 1e-13, 0);
    }
}

static void test_diabetes(void **state)
{
    (void)state;
    static const struct figures figures[] = {
        {"age", 19, 79, 48.51809954751131, 13.094190207980025},
        {"bmi", 18, 42.2, 26.37579185520362, 4.413120855492464},
        {"progression", 25, 346, 152.13348416289594, 77.00574586945044},
    };
    struct table *t = read_file_table("tests/data/diabetes.csv");
    assert_int_equal(t->info.rows, 442);
    assert_int_equal(t->info.column_count, 11);
    expect_figures(t, figures, 3);
    assert_same(t->values[2], 32.1);
    table_free(t);
}

static void test_iris(void **state)
{
    (void)state;
    static const struct figures figures[] = {
        {"sepal_length", 4.3, 7.9, 5.843333333333334, 0.8253012917851409},
        {"petal_width", 0.1, 2.5, 1.1993333333333336, 0.7596926279021594},
    };
    struct table *t = read_file_table("tests/data/iris.csv");
    assert_int_equal(t->info.rows, 150);
    expect_figures(t, figures, 2);
    const struct column *species = &t->info.columns[column_at(t, "species")];
    assert_int_equal(species->type, COLUMN_CATEGORY);
    assert_int_equal(species->category_count, 3);
    assert_string_equal(species->labels[species->order[0]], "setosa");
    assert_string_equal(species->labels[species->order[1]], "versicolor");
    assert_string_equal(species->labels[species->order[2]], "virginica");
    assert_same(t->values[t->info.width * 149 + species->offset], 2);
    table_free(t);
}

static void test_digits(void **state)
{
    (void)state;
    static const struct figures figures[] = {
        {"p2", 0, 16, 5.204785754034502, 4.753503165476308},
        {"p63", 0, 16, 0.36449638286032277, 1.8596040873906479},
        {"digit", 0, 9, 4.490818030050083, 2.864506423320853},
    };
    struct table *t = read_file_table("tests/data/digits.csv");
    assert_int_equal(t->info.rows, 1797);
    assert_int_equal(t->info.column_count, 65);
    expect_figures(t, figures, 3);
    table_free(t);
}

/* Standardized, each column has mean 0 and spread 1, but those that never change. */
static void test_digits_standardized(void **state)
{
    (void)state;
    enum { PIXELS = 64, ROWS = 1797 };
    struct table *t = read_file_table("tests/data/digits.csv");
    const char *columns[PIXELS];
    for (size_t i = 0; i < PIXELS; i++)
        columns[i] = t->info.columns[i].name;
    struct transform x = {0};
    assert_int_equal(transform_fit("X", TRANSFORM_STANDARDIZE, columns, PIXELS, t, NULL, 0, NULL, &x, NULL), ERR_ok);
    double *values = calloc((size_t)PIXELS * ROWS, sizeof *values);
    assert_non_null(values);
    assert_int_equal(transform_apply(&x, t, NULL, 0, DTYPE_FLOAT64, values, NULL), ERR_ok);
    for (size_t k = 0; k < PIXELS; k++) {
        double mean = 0;
        double squares = 0;
        bool constant = t->info.columns[k].min == t->info.columns[k].max;
        for (size_t i = 0; i < ROWS; i++)
            mean += values[i * PIXELS + k] / ROWS;
        for (size_t i = 0; i < ROWS; i++)
            squares += (values[i * PIXELS + k] - mean) * (values[i * PIXELS + k] - mean) / ROWS;
        assert_near(mean, 0, 0, 1e-13);
        assert_near(squares, constant ? 0 : 1, 1e-12, 1e-12);
    }
    free(values);
    transform_clear(&x);
    table_free(t);
}

/* However the text is cut, the same table: one byte at a time, and some sizes that divide nothing. */
static void test_cut_anywhere(void **state)
{
    (void)state;
    static const char *const paths[] = {"tests/data/diabetes.csv", "tests/data/iris.csv", "tests/data/digits.csv"};
    static const size_t pieces[] = {1, 2, 3, 7, 61, 4099};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        size_t length = 0;
        char *bytes = read_file(paths[i], &length);
        struct table *whole = read_table((struct text_piece){bytes, length});
        for (size_t k = 0; k < sizeof pieces / sizeof *pieces; k++) {
            struct table *t = NULL;
            assert_int_equal(read_pieces((struct text_piece){bytes, length}, pieces[k], NULL, 0, &t, NULL), ERR_ok);
            assert_string_equal(t->info.digest, whole->info.digest);
            assert_memory_equal(t->values, whole->values, (size_t)t->info.rows * t->info.width * sizeof(double));
            table_free(t);
        }
        table_free(whole);
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_diabetes),     cmocka_unit_test(test_iris),
        cmocka_unit_test(test_digits),       cmocka_unit_test(test_digits_standardized),
        cmocka_unit_test(test_cut_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
