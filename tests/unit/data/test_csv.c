/* CSV that is right: what it becomes, however it is written and however it is cut. */
#include "read.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void test_types_follow_from_the_first_row(void **state)
{
    (void)state;
    struct table *t = read_table(TEXT("age,name,x\n59,ann,1e-3\n48,12,-.5\n"));
    assert_int_equal(t->info.column_count, 3);
    assert_int_equal(t->info.rows, 2);
    assert_int_equal(t->info.width, 3);
    assert_int_equal(t->info.columns[0].type, COLUMN_NUMBER);
    assert_int_equal(t->info.columns[1].type, COLUMN_CATEGORY);
    assert_string_equal(t->info.columns[1].labels[1], "12");
    static const double expected[] = {59, 0, 1e-3, 48, 1, -.5};
    assert_memory_equal(t->values, expected, sizeof expected);
    table_free(t);
}

static void test_numbers(void **state)
{
    (void)state;
    struct table *t = read_table(TEXT("x\n1\n+1\n-1\n1.\n.5\n1e3\n1E+3\n-0\n1e-400\n\"7\"\n"));
    static const double expected[] = {1, 1, -1, 1, .5, 1000, 1000, -0.0, 0, 7};
    assert_int_equal(t->info.rows, 10);
    assert_memory_equal(t->values, expected, sizeof expected);
    table_free(t);
}

static void test_given_types_decide(void **state)
{
    (void)state;
    static const struct csv_type types[] = {{"zip", COLUMN_CATEGORY}, {"age", COLUMN_NUMBER}};
    struct table *t = NULL;
    assert_int_equal(read_pieces(TEXT("zip,age\n02134,5\nnan,6\n"), 5, types, 2, &t, NULL), ERR_ok);
    assert_int_equal(t->info.columns[0].type, COLUMN_CATEGORY);
    assert_string_equal(t->info.columns[0].labels[0], "02134");
    assert_string_equal(t->info.columns[0].labels[1], "nan");
    table_free(t);
}

/* All of these are the same table. */
static void test_same_table_however_written(void **state)
{
    (void)state;
    static const struct text_piece texts[] = {
        TEXT_OF("a,b\n1,x\n2,y\n"),
        TEXT_OF("a,b\n1,x\n2,y"),
        TEXT_OF("a,b\r\n1,x\r\n2,y\r\n"),
        TEXT_OF("\xEF\xBB\xBF"
                "a,b\n1,x\n2,y\n"),
        TEXT_OF("\xEF\xBB\xBF\"a\",\"b\"\n1.0,\"x\"\r\n\"2\",y\n\n\r\n"),
        TEXT_OF("a,b\n+1e0,x\n20e-1,y\n\n\n"),
    };
    struct table *first = read_table(texts[0]);
    for (size_t i = 1; i < sizeof texts / sizeof *texts; i++) {
        struct table *t = read_table(texts[i]);
        assert_string_equal(t->info.digest, first->info.digest);
        assert_memory_equal(t->values, first->values, 4 * sizeof(double));
        table_free(t);
    }
    table_free(first);
}

static void test_other_tables_have_other_digests(void **state)
{
    (void)state;
    static const struct text_piece texts[] = {
        TEXT_OF("a,b\n1,x\n2,y\n"), TEXT_OF("a,c\n1,x\n2,y\n"), TEXT_OF("a,b\n1,x\n3,y\n"),
        TEXT_OF("a,b\n1,x\n2,z\n"), TEXT_OF("a,b\n1,x\n2,x\n"), TEXT_OF("a,b\n1,x\n2,y\n2,y\n"),
        TEXT_OF("a,b\n2,y\n1,x\n"), TEXT_OF("a,b\n1,y\n2,x\n"),
    };
    enum { COUNT = sizeof texts / sizeof *texts };
    struct table *tables[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        tables[i] = read_table(texts[i]);
        assert_int_equal(strlen(tables[i]->info.digest), 64);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(tables[i]->info.digest, tables[k]->info.digest);
    }
    for (size_t i = 0; i < COUNT; i++)
        table_free(tables[i]);
}

static void test_quotes(void **state)
{
    (void)state;
    struct table *t = read_table(TEXT("\"a\"\"b\",c\n\"x,\"\"y\"\"\r\nz\",\" p \"\n\"\"\"\",q\n"));
    assert_string_equal(t->info.columns[0].name, "a\"b");
    assert_string_equal(t->info.columns[0].labels[0], "x,\"y\"\r\nz");
    assert_string_equal(t->info.columns[0].labels[1], "\"");
    assert_string_equal(t->info.columns[1].labels[0], " p ");
    table_free(t);
}

static void test_labels_are_sorted_by_bytes(void **state)
{
    (void)state;
    struct table *t = read_table(TEXT("s\nb\n\xC3\xA9\nB\na\nb\naa\n"));
    const struct column *c = &t->info.columns[0];
    static const char *const sorted[] = {"B", "a", "aa", "b", "\xC3\xA9"};
    static const double codes[] = {0, 1, 2, 3, 0, 4};
    uint32_t ranks[5];
    assert_int_equal(c->category_count, 5);
    column_ranks(c, ranks);
    for (uint32_t i = 0; i < 5; i++) {
        assert_string_equal(c->labels[c->order[i]], sorted[i]);
        assert_int_equal(column_rank(c, c->order[i]), i);
        assert_int_equal(ranks[c->order[i]], i);
    }
    assert_memory_equal(t->values, codes, sizeof codes);
    table_free(t);
}

static void test_every_cut_gives_the_same(void **state)
{
    (void)state;
    struct text_piece text =
        TEXT("\xEF\xBB\xBFn,\"l\r\nm\",o\r\n1.25,\"a \"\"b\"\"\",c\r\n-3e2,\"d\ne\",\xC3\xA9\n\r\n");
    struct table *whole = read_table(text);
    assert_int_equal(whole->info.rows, 2);
    for (size_t piece = 1; piece < text.length; piece++) {
        struct table *t = NULL;
        assert_int_equal(read_pieces(text, piece, NULL, 0, &t, NULL), ERR_ok);
        assert_string_equal(t->info.digest, whole->info.digest);
        table_free(t);
    }
    table_free(whole);
}

static void test_one_column(void **state)
{
    (void)state;
    struct table *t = read_table(TEXT("x\n1\n2\n\n\n"));
    assert_int_equal(t->info.rows, 2);
    assert_same(t->info.columns[0].mean, 1.5);
    table_free(t);
}

static void test_a_long_cell_and_many_columns(void **state)
{
    (void)state;
    enum { COLUMNS = 20000, CELL = 1 << 20 };
    char *text = malloc((size_t)COLUMNS * 16 + CELL + 16);
    size_t at = 0;
    assert_non_null(text);
    for (size_t i = 0; i < COLUMNS; i++)
        at += (size_t)sprintf(text + at, "%sc%zu", i ? "," : "", i);
    for (size_t i = 0; i < COLUMNS; i++)
        at += (size_t)sprintf(text + at, "%s%zu", i ? "," : "\n", i);
    struct table *t = read_table((struct text_piece){text, at});
    assert_int_equal(t->info.column_count, COLUMNS);
    assert_same(t->values[COLUMNS - 1], COLUMNS - 1);
    table_free(t);
    memcpy(text, "x\n", 2);
    memset(text + 2, 'a', CELL);
    t = read_table((struct text_piece){text, CELL + 2});
    assert_int_equal(strlen(t->info.columns[0].labels[0]), CELL);
    table_free(t);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types_follow_from_the_first_row),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_given_types_decide),
        cmocka_unit_test(test_same_table_however_written),
        cmocka_unit_test(test_other_tables_have_other_digests),
        cmocka_unit_test(test_quotes),
        cmocka_unit_test(test_labels_are_sorted_by_bytes),
        cmocka_unit_test(test_every_cut_gives_the_same),
        cmocka_unit_test(test_one_column),
        cmocka_unit_test(test_a_long_cell_and_many_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
