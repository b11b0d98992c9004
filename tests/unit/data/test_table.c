/* The builder: statistics, categories, digests, and what it refuses. */
#include "read.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct table_builder *new_builder(const struct table_builder_column *columns, size_t count,
                                         struct table_memory *memory)
{
    struct table_builder *b = NULL;
    assert_int_equal(table_builder_new(columns, count, table_memory_sink, memory, &b, NULL), ERR_ok);
    return b;
}

/* The plain formulas, in two passes, with a compensated sum as an oracle. */
static double exact_sum(const double *values, size_t count, double center, int power)
{
    double sum = 0;
    double rest = 0;
    for (size_t i = 0; i < count; i++) {
        double d = values[i] - center;
        double term = (power == 2 ? d * d : d) - rest;
        double next = sum + term;
        rest = next - sum - term;
        sum = next;
    }
    return sum;
}

static void test_statistics(void **state)
{
    (void)state;
    enum { ROWS = 200001 }; /* more than a block */
    static const struct table_builder_column columns[] = {{"x", COLUMN_NUMBER, {0}}};
    struct table_memory memory = {0};
    struct table_info info = {0};
    struct table_builder *b = new_builder(columns, 1, &memory);
    for (size_t i = 0; i < ROWS; i++) {
        double x = 1e6 + (double)(i * 7919 % 1000003) / 1000;
        assert_int_equal(table_builder_row(b, &x, NULL, NULL, NULL), ERR_ok);
    }
    assert_int_equal(table_builder_finish(b, &info, NULL), ERR_ok);
    table_builder_free(b);
    double mean = exact_sum(memory.values, ROWS, 0, 1) / ROWS;
    assert_int_equal(memory.count, ROWS);
    assert_int_equal(info.rows, ROWS);
    assert_near(info.columns[0].mean, mean, 1e-14, 0);
    assert_near(info.columns[0].std, sqrt(exact_sum(memory.values, ROWS, mean, 2) / ROWS), 1e-12, 0);
    assert_same(info.columns[0].min, 1e6);
    assert_true(info.columns[0].max > 1e6 + 999);
    table_info_clear(&info);
    free(memory.values);
}

static void test_equal_values_have_no_spread(void **state)
{
    (void)state;
    struct table *t = read_table(TEXT("x\n0.1\n0.1\n0.1\n0.1\n0.1\n0.1\n0.1\n0.1\n0.1\n0.1\n"));
    assert_same(t->info.columns[0].mean, 0.1);
    assert_same(t->info.columns[0].std, 0);
    table_free(t);
}

static void test_tensor_columns(void **state)
{
    (void)state;
    static const struct table_builder_column columns[] = {
        {"image", COLUMN_NUMBER, {2, {2, 3}}}, {"kind", COLUMN_CATEGORY, {0}}, {"y", COLUMN_NUMBER, {1, {1}}}};
    static const double rows[2][8] = {{1, 2, 3, 4, 5, 6, 99, -1}, {7, 8, 9, 10, 11, 12, 99, -3}};
    static const char *const labels[2][3] = {{NULL, "b", NULL}, {NULL, "axx", NULL}};
    static const size_t lengths[3] = {0, 1, 0};
    static const double expected[2][8] = {{1, 2, 3, 4, 5, 6, 0, -1}, {7, 8, 9, 10, 11, 12, 1, -3}};
    struct table_memory memory = {0};
    struct table_info info = {0};
    struct table_builder *b = new_builder(columns, 3, &memory);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(table_builder_row(b, rows[i], labels[i], lengths, NULL), ERR_ok);
    assert_int_equal(table_builder_finish(b, &info, NULL), ERR_ok);
    table_builder_free(b);
    assert_int_equal(info.width, 8);
    assert_memory_equal(memory.values, expected, sizeof expected);
    assert_same(info.columns[0].mean, 6.5);
    assert_near(info.columns[0].std, sqrt(143.0 / 12), 1e-15, 0);
    assert_same(info.columns[0].min, 1);
    assert_same(info.columns[0].max, 12);
    assert_int_equal(info.columns[1].offset, 6);
    assert_string_equal(info.columns[1].labels[1], "a");
    assert_same(info.columns[2].mean, -2);
    table_info_clear(&info);
    free(memory.values);
}

/* The digest of values, types and shapes; -0 is not 0. */
static void digest_of(enum column_type type, struct shape shape, const double *numbers, char ret[DIGEST_TEXT_MAX])
{
    struct table_builder_column column = {"x", type, shape};
    const char *label = "l";
    size_t length = 1;
    struct table_memory memory = {0};
    struct table_info info = {0};
    struct table_builder *b = new_builder(&column, 1, &memory);
    assert_int_equal(table_builder_row(b, numbers, &label, &length, NULL), ERR_ok);
    assert_int_equal(table_builder_finish(b, &info, NULL), ERR_ok);
    table_builder_free(b);
    memcpy(ret, info.digest, DIGEST_TEXT_MAX);
    table_info_clear(&info);
    free(memory.values);
}

static void test_digests(void **state)
{
    (void)state;
    static const double zeros[4] = {0};
    static const double negative = -0.0;
    char digests[6][DIGEST_TEXT_MAX];
    digest_of(COLUMN_NUMBER, (struct shape){0}, zeros, digests[0]);
    digest_of(COLUMN_CATEGORY, (struct shape){0}, zeros, digests[1]);
    digest_of(COLUMN_NUMBER, (struct shape){1, {1}}, zeros, digests[2]);
    digest_of(COLUMN_NUMBER, (struct shape){0}, &negative, digests[3]);
    digest_of(COLUMN_NUMBER, (struct shape){2, {1, 4}}, zeros, digests[4]);
    digest_of(COLUMN_NUMBER, (struct shape){2, {2, 2}}, zeros, digests[5]);
    for (size_t i = 0; i < 6; i++) {
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(digests[i], digests[k]);
    }
    char again[DIGEST_TEXT_MAX];
    digest_of(COLUMN_NUMBER, (struct shape){0}, zeros, again);
    assert_string_equal(again, digests[0]);
}

static void expect_refused(const struct table_builder_column *columns, size_t count, err_code code)
{
    struct table_builder *b = NULL;
    struct error err = {0};
    assert_int_equal(table_builder_new(columns, count, table_memory_sink, NULL, &b, &err), ERR_invalid_dataset);
    assert_null(b);
    assert_int_equal(err.item_count, 1);
    assert_int_equal(err.items[0].code, code);
    error_clear(&err);
}

static void test_columns_that_can_not_be(void **state)
{
    (void)state;
    char name[COLUMN_NAME_MAX + 2];
    memset(name, 'n', sizeof name);
    name[COLUMN_NAME_MAX + 1] = '\0';
    struct table_builder_column columns[2] = {{"a", COLUMN_NUMBER, {0}}, {"a", COLUMN_NUMBER, {0}}};
    expect_refused(columns, 0, ERR_missing_header);
    expect_refused(columns, 2, ERR_duplicate_column);
    columns[1].name = "";
    expect_refused(columns, 2, ERR_invalid_name);
    columns[1].name = name;
    expect_refused(columns, 2, ERR_invalid_name);
    columns[1] = (struct table_builder_column){"b", COLUMN_NUMBER, {2, {1 << 20, 1}}};
    expect_refused(columns, 2, ERR_limit_exceeded);
    columns[1].shape = (struct shape){2, {1 << 30, 1 << 30}};
    expect_refused(columns, 2, ERR_invalid_tensor);
    columns[1].shape = (struct shape){1, {0}};
    expect_refused(columns, 2, ERR_invalid_tensor);
    columns[1].shape = (struct shape){1, {DIM_BATCH}};
    expect_refused(columns, 2, ERR_invalid_tensor);
    columns[1] = (struct table_builder_column){"b", COLUMN_CATEGORY, {1, {2}}};
    expect_refused(columns, 2, ERR_invalid_tensor);
}

static void test_rows_that_can_not_be(void **state)
{
    (void)state;
    static const struct table_builder_column columns[] = {{"x", COLUMN_NUMBER, {0}}, {"c", COLUMN_CATEGORY, {0}}};
    static const struct {
        double x;
        const char *label;
        size_t length;
        err_code codes[2];
    } rows[] = {
        {1, "ok", 2, {ERR_ok, ERR_ok}},
        {INFINITY, "ok", 2, {ERR_nonfinite_number, ERR_ok}},
        {NAN, "", 0, {ERR_empty_cell, ERR_nonfinite_number}},
        {1, "a\0b", 3, {ERR_invalid_value, ERR_ok}},
        {1, "\xC0\x80", 2, {ERR_invalid_utf8, ERR_ok}},
    };
    struct table_memory memory = {0};
    struct table_info info = {0};
    struct table_builder *b = new_builder(columns, 2, &memory);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error err = {0};
        double numbers[2] = {rows[i].x, 0};
        const char *labels[2] = {NULL, rows[i].label};
        size_t lengths[2] = {0, rows[i].length};
        err_code code = table_builder_row(b, numbers, labels, lengths, &err);
        assert_int_equal(code, i ? ERR_invalid_dataset : ERR_ok);
        assert_int_equal(err.item_count, (rows[i].codes[0] != ERR_ok) + (rows[i].codes[1] != ERR_ok));
        for (size_t k = 0; k < err.item_count; k++) {
            assert_int_equal(err.items[k].code, rows[i].codes[k]);
            assert_int_equal(err.items[k].row, i + 1);
            assert_non_null(err.items[k].field);
        }
        error_clear(&err);
    }
    assert_int_equal(table_builder_finish(b, &info, NULL), ERR_invalid_dataset);
    assert_int_equal(memory.count, 0);
    table_builder_free(b);
}

static void test_no_rows(void **state)
{
    (void)state;
    static const struct table_builder_column columns[] = {{"x", COLUMN_NUMBER, {0}}};
    struct table_memory memory = {0};
    struct table_info info = {0};
    struct table_builder *b = new_builder(columns, 1, &memory);
    assert_int_equal(table_builder_finish(b, &info, NULL), ERR_empty_table);
    table_builder_free(b);
}

static void test_labels_are_bounded(void **state)
{
    (void)state;
    static const struct table_builder_column columns[] = {{"c", COLUMN_CATEGORY, {0}}, {"d", COLUMN_CATEGORY, {0}}};
    enum { LENGTH = 4 << 20 };
    char *label = calloc(1, LENGTH);
    assert_non_null(label);
    memset(label, 'x', LENGTH);
    struct table_memory memory = {0};
    struct error err = {0};
    struct table_builder *b = new_builder(columns, 2, &memory);
    for (int i = 0; i < 40; i++) {
        static const double numbers[2] = {0};
        const char *labels[2] = {label, "d"};
        size_t lengths[2] = {LENGTH, 1};
        label[0] = (char)('A' + i);
        err_code code = table_builder_row(b, numbers, labels, lengths, &err);
        assert_int_equal(code, i == 31 ? ERR_invalid_dataset : ERR_ok);
    }
    assert_int_equal(err.total, 1);
    assert_int_equal(err.items[0].code, ERR_limit_exceeded);
    assert_int_equal(err.items[0].row, 32);
    error_clear(&err);
    table_builder_free(b);
    free(label);
}

static void test_guesses(void **state)
{
    (void)state;
    struct table *t = read_table(TEXT("age,weight\n1,2\n"));
    assert_string_equal(table_guess_column(&t->info, "wieght"), "weight");
    assert_null(table_guess_column(&t->info, "colour"));
    table_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statistics),
        cmocka_unit_test(test_equal_values_have_no_spread),
        cmocka_unit_test(test_tensor_columns),
        cmocka_unit_test(test_digests),
        cmocka_unit_test(test_columns_that_can_not_be),
        cmocka_unit_test(test_rows_that_can_not_be),
        cmocka_unit_test(test_no_rows),
        cmocka_unit_test(test_labels_are_bounded),
        cmocka_unit_test(test_guesses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
