/* Tables from JSON: both forms, what tells a column's type, and every mistake at its place. */
#include "codec_support.h"
#include <stdlib.h>
#include <string.h>

struct read_table {
    struct table_info info;
    struct table_memory memory;
};

static struct read_table accept(const char *body)
{
    struct read_table t = {0};
    struct error err = {0};
    err_code code = decode_table(body, strlen(body), &test_limits, table_memory_sink, &t.memory, &t.info, &err);
    if (code != ERR_ok)
        print_mistakes(&err);
    assert_int_equal(code, ERR_ok);
    error_clear(&err);
    return t;
}

static void read_table_clear(struct read_table *t)
{
    table_info_clear(&t->info);
    free(t->memory.values);
}

static void expect_mistakes(const char *body, err_code code, const char *pointer, size_t total)
{
    struct table_memory memory = {0};
    struct table_info info = {0};
    struct error err = {0};
    assert_int_equal(decode_table(body, strlen(body), &test_limits, table_memory_sink, &memory, &info, &err),
                     ERR_invalid_dataset);
    if (!has_mistake(&err, code, pointer) || err.total != total)
        print_mistakes(&err);
    assert_true(has_mistake(&err, code, pointer));
    assert_int_equal(err.total, total);
    assert_int_equal(memory.count, 0);
    free(memory.values);
    error_clear(&err);
}

static void test_columns(void **state)
{
    (void)state;
    struct read_table t = accept("{\"columns\": {\"X\": [[1, 2], [3, 4]], \"y\": [5, -0], \"c\": [\"b\", \"a\"]}}");
    assert_int_equal(t.info.column_count, 3);
    assert_int_equal(t.info.rows, 2);
    assert_int_equal(t.info.columns[0].width, 2);
    assert_int_equal(t.info.columns[1].shape.rank, 0);
    assert_int_equal(t.info.columns[2].type, COLUMN_CATEGORY);
    assert_string_equal(t.info.columns[2].labels[0], "b");
    const double expected[] = {1, 2, 5, 0, 3, 4, -0.0, 1};
    assert_int_equal(t.memory.count, 8);
    assert_memory_equal(t.memory.values, expected, sizeof expected);
    read_table_clear(&t);
}

/* The same table has the same digest, whichever form it came in. */
static void test_forms_agree(void **state)
{
    (void)state;
    struct read_table a = accept("{\"columns\": {\"v\": [[[1], [2]], [[3], [4]]], \"c\": [\"b\", \"a\"]}}");
    struct read_table b = accept("{\"header\": [\"v\", \"c\"], \"rows\": [[[[1], [2]], \"b\"], [[[3], [4]], \"a\"]]}");
    struct read_table c =
        accept("{\"columns\": {\"v\": {\"shape\": [2, 2, 1], \"data\": [1, 2, 3, 4]}, \"c\": [\"b\", \"a\"]}}");
    assert_string_equal(a.info.digest, b.info.digest);
    assert_string_equal(a.info.digest, c.info.digest);
    assert_int_equal(a.info.columns[0].shape.rank, 2);
    read_table_clear(&a);
    read_table_clear(&b);
    read_table_clear(&c);
}

static void test_mistakes_in_columns(void **state)
{
    (void)state;
    expect_mistakes("{\"columns\": {\"X\": [1, 2], \"y\": [1]}}", ERR_shape_mismatch, "/columns/y", 1);
    expect_mistakes("{\"columns\": {\"X\": [1, null], \"c\": [\"a\", 2]}}", ERR_wrong_type, "/columns/X/1", 2);
    expect_mistakes("{\"columns\": {\"X\": [[1, 2], [3]]}}", ERR_invalid_tensor, "/columns/X/1", 1);
    expect_mistakes("{\"columns\": {\"X\": 3}}", ERR_wrong_type, "/columns/X", 1);
    expect_mistakes("{\"columns\": {\"X\": []}}", ERR_empty_table, NULL, 1);
    expect_mistakes("{\"columns\": {\"X\": [[], []]}}", ERR_invalid_tensor, NULL, 1);
    expect_mistakes("{\"columns\": {}}", ERR_missing_header, NULL, 1);
    expect_mistakes("{\"columns\": {\"\": [1]}}", ERR_invalid_name, NULL, 1);
    expect_mistakes("{\"columns\": [1]}", ERR_wrong_type, "/columns", 1);
}

static void test_mistakes_in_rows(void **state)
{
    (void)state;
    expect_mistakes("{\"header\": [\"a\", \"b\"], \"rows\": [[1, \"x\"], [\"2\", 3], [1]]}", ERR_wrong_type,
                    "/rows/1/0", 3);
    expect_mistakes("{\"header\": [\"a\", \"b\"], \"rows\": [[1, \"x\"], [2]]}", ERR_ragged_row, "/rows/1", 1);
    expect_mistakes("{\"header\": [\"a\"], \"rows\": [[null]]}", ERR_wrong_type, "/rows/0/0", 1);
    expect_mistakes("{\"header\": [\"a\"], \"rows\": [[\"\"]]}", ERR_empty_cell, NULL, 1);
    expect_mistakes("{\"header\": [\"a\"], \"rows\": [[[1, 2]], [[1]]]}", ERR_shape_mismatch, "/rows/1/0", 1);
    expect_mistakes("{\"header\": [\"a\", \"a\"], \"rows\": [[1, 2]]}", ERR_duplicate_column, NULL, 1);
    expect_mistakes("{\"header\": [\"a\"], \"rows\": []}", ERR_empty_table, NULL, 1);
    expect_mistakes("{\"header\": [1, 2], \"rows\": []}", ERR_wrong_type, "/header/1", 2);
    expect_mistakes("{\"header\": \"a\", \"rows\": 1}", ERR_wrong_type, "/header", 1);
    expect_mistakes("{\"header\": [\"a\"], \"rows\": {}}", ERR_wrong_type, "/rows", 1);
    expect_mistakes("{\"header\": [\"a\"], \"rows\": [{}]}", ERR_wrong_type, "/rows/0", 1);
}

static void test_mistakes_in_the_form(void **state)
{
    (void)state;
    expect_mistakes("{\"columns\": {}, \"rows\": []}", ERR_conflicting_fields, "/columns", 1);
    expect_mistakes("{}", ERR_missing_field, "", 1);
    expect_mistakes("{\"rows\": []}", ERR_missing_field, "/header", 1);
    expect_mistakes("{\"collumns\": {}}", ERR_unknown_field, "/collumns", 1);
    expect_mistakes("[]", ERR_wrong_type, "", 1);
}

/* What the sink says is the answer, not a mistake in the data. */
static err_code full(void *context, const double *values, size_t count, struct error *err)
{
    (void)context;
    (void)values;
    (void)count;
    return error_set(err, ERR_no_space, "the disk is full");
}

static void test_failing_sink(void **state)
{
    (void)state;
    static const char body[] = "{\"columns\": {\"X\": [1]}}";
    struct table_info info = {0};
    struct error err = {0};
    assert_int_equal(decode_table(body, strlen(body), &test_limits, full, NULL, &info, &err), ERR_no_space);
    assert_int_equal(err.code, ERR_no_space);
    error_clear(&err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_forms_agree),
        cmocka_unit_test(test_mistakes_in_columns),
        cmocka_unit_test(test_mistakes_in_rows),
        cmocka_unit_test(test_mistakes_in_the_form),
        cmocka_unit_test(test_failing_sink),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
