/* CSV that is wrong: each mistake, its place, and that none depends on how the text was cut. */
#include "read.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct mistake {
    err_code code;
    int line;
    int64_t row;
    const char *field;  /* NULL: none */
    const char *detail; /* a part of it */
};

enum { MISTAKES_MAX = 6 };

struct wrong_text {
    struct text_piece text;
    struct mistake mistakes[MISTAKES_MAX]; /* until a code of ERR_ok */
};

static const struct wrong_text wrong_texts[] = {
    {TEXT_OF(""), {{ERR_missing_header, 1, 0, NULL, "empty"}}},
    {TEXT_OF("\xEF\xBB\xBF"), {{ERR_missing_header, 1, 0, NULL, "empty"}}},
    {TEXT_OF("\n1\n"), {{ERR_missing_header, 1, 0, NULL, "blank"}}},
    {TEXT_OF("a,b\n"), {{ERR_empty_table, 2, 0, NULL, "no row"}}},
    {TEXT_OF("a,b\r\n\r\n"), {{ERR_empty_table, 3, 0, NULL, "no row"}}},
    {TEXT_OF("a,,a,\n1,2,3,4\n"),
     {{ERR_invalid_name, 1, 0, NULL, "column 2 has no name"},
      {ERR_duplicate_column, 1, 0, "a", "columns 1 and 3"},
      {ERR_invalid_name, 1, 0, NULL, "column 4 has no name"}}},
    {TEXT_OF("a,\xFF\xFE\n1,2\n"), {{ERR_invalid_utf8, 1, 0, NULL, "column 2"}}},
    {TEXT_OF("\xEF\xBB,b\n1,2\n"), {{ERR_invalid_utf8, 1, 0, NULL, "column 1"}}},
    {TEXT_OF("\xEF"), {{ERR_invalid_utf8, 1, 0, NULL, "column 1"}}},
    {TEXT_OF("a\0b,c\n1,2\n"), {{ERR_invalid_csv, 1, 0, NULL, "NUL"}}},
    {TEXT_OF("a,b\r1,2\r"), {{ERR_invalid_csv, 1, 0, NULL, "LF or CRLF"}}},
    {TEXT_OF("a,b\n1,2\n3\n4,5,6\n7,8\n"),
     {{ERR_ragged_row, 3, 2, NULL, "1 cell; the header has 2"},
      {ERR_ragged_row, 4, 3, NULL, "3 cells; the header has 2"}}},
    {TEXT_OF("a,b\n1\nx,2\n3,\n"), {{ERR_ragged_row, 2, 1, NULL, "1 cell"}, {ERR_empty_cell, 4, 3, "b", "empty"}}},
    {TEXT_OF("a,b\n1,2\n\n\n3,4\n\n"), {{ERR_ragged_row, 3, 2, NULL, "blank"}, {ERR_ragged_row, 4, 3, NULL, "blank"}}},
    {TEXT_OF("a\n1\n\n2\n"), {{ERR_empty_cell, 3, 2, "a", "blank"}}},
    {TEXT_OF("a,b\n,x\n1,\"\"\n2,y\n"), {{ERR_empty_cell, 2, 1, "a", "empty"}, {ERR_empty_cell, 3, 2, "b", "empty"}}},
    {TEXT_OF("a,b\n,\nz,2\n1,x\n"),
     {{ERR_empty_cell, 2, 1, "a", "empty"},
      {ERR_empty_cell, 2, 1, "b", "empty"},
      {ERR_invalid_number, 4, 3, "b", "'x'"}}},
    {TEXT_OF("a\nnan\n1\n-inf\nInfinity\n"),
     {{ERR_invalid_number, 2, 1, "a", "not finite; a column of labels needs the type category"},
      {ERR_invalid_number, 4, 3, "a", "not finite"},
      {ERR_invalid_number, 5, 4, "a", "not finite"}}},
    {TEXT_OF("a\n1\n0x1F\n 5\n1e999\n\"1,5\"\n"),
     {{ERR_invalid_number, 3, 2, "a", "hexadecimal"},
      {ERR_invalid_number, 4, 3, "a", "spaces around it"},
      {ERR_invalid_number, 5, 4, "a", "range of a double"},
      {ERR_invalid_number, 6, 5, "a", "comma"}}},
    {TEXT_OF("a\n5\t\n"), {{ERR_invalid_number, 2, 1, "a", "spaces around it"}}},
    {TEXT_OF("a\n1\n+-5\n--5\n1e\n.\n-\n"),
     {{ERR_invalid_number, 3, 2, "a", "'+-5'"},
      {ERR_invalid_number, 4, 3, "a", "'--5'"},
      {ERR_invalid_number, 5, 4, "a", "'1e'"},
      {ERR_invalid_number, 6, 5, "a", "'.'"},
      {ERR_invalid_number, 7, 6, "a", "'-'"}}},
    {TEXT_OF("a,b\n1,x\n2,\xC3\n\xFF,y\n3,\xED\xA0\x80\n4,p\0q\n"),
     {{ERR_invalid_utf8, 3, 2, "b", "UTF-8"},
      {ERR_invalid_utf8, 4, 3, "a", "UTF-8"},
      {ERR_invalid_utf8, 5, 4, "b", "UTF-8"},
      {ERR_invalid_csv, 6, 5, "b", "NUL"}}},
    {TEXT_OF("a,b\n1,x\"y\n2,\"x\"y\n3,z\rw\n4,v\n"),
     {{ERR_invalid_csv, 2, 1, "b", "a quote stands in a cell"},
      {ERR_invalid_csv, 3, 2, "b", "closing quote"},
      {ERR_invalid_csv, 4, 3, "b", "carriage return"}}},
    {TEXT_OF("a,b\n1,\"x\ny\n2,z\n"), {{ERR_invalid_csv, 2, 1, "b", "never closed"}}},
    {TEXT_OF("a,b\n1,\"x\n\ny\"\nz,w\n2,v\r"),
     {{ERR_invalid_number, 5, 2, "a", "'z'"}, {ERR_invalid_csv, 6, 3, "b", "carriage return"}}},
};

static void check(const struct wrong_text *w, size_t piece)
{
    struct error err = {0};
    struct table *t = NULL;
    size_t count = 0;
    assert_int_equal(read_pieces(w->text, piece, NULL, 0, &t, &err), ERR_invalid_dataset);
    assert_null(t);
    assert_int_equal(err.code, ERR_invalid_dataset);
    for (; count < MISTAKES_MAX && w->mistakes[count].detail; count++) {
        const struct mistake *m = &w->mistakes[count];
        assert_true(count < err.item_count);
        const struct error_item *item = &err.items[count];
        if (item->code != m->code || item->line != m->line || item->row != m->row || !strstr(item->detail, m->detail) ||
            !item->field != !m->field || (m->field && strcmp(item->field, m->field) != 0))
            fail_msg("%s at line %d, row %d, field %s, in pieces of %zu of: %s\n(expected %s at %d, %d: %s)",
                     item->detail, item->line, (int)item->row, item->field ? item->field : "none", piece, w->text.bytes,
                     err_name(m->code), m->line, (int)m->row, m->detail);
    }
    assert_int_equal(err.item_count, count);
    assert_int_equal(err.total, count);
    error_clear(&err);
}

static void test_each_mistake_has_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong_texts / sizeof *wrong_texts; i++)
        check(&wrong_texts[i], 1000);
}

static void test_every_cut_gives_the_same_mistakes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong_texts / sizeof *wrong_texts; i++) {
        for (size_t piece = 1; piece < wrong_texts[i].text.length; piece++)
            check(&wrong_texts[i], piece);
    }
}

static void test_types_of_columns_that_are_not_there(void **state)
{
    (void)state;
    static const struct csv_type types[] = {{"agee", COLUMN_NUMBER}, {"age", COLUMN_NUMBER}, {"age", COLUMN_CATEGORY}};
    struct table *t = NULL;
    struct error err = {0};
    assert_int_equal(read_pieces(TEXT("age,b\n1,2\nx,3\n"), 100, types, 3, &t, &err), ERR_invalid_dataset);
    assert_int_equal(err.item_count, 3);
    assert_int_equal(err.items[0].code, ERR_unknown_column);
    assert_string_equal(err.items[0].field, "agee");
    assert_non_null(strstr(err.items[0].detail, "did you mean 'age'?"));
    assert_int_equal(err.items[1].code, ERR_invalid_value);
    assert_int_equal(err.items[2].code, ERR_invalid_number);
    assert_int_equal(err.items[2].line, 3);
    error_clear(&err);
}

static void test_a_hundred_are_listed_and_all_are_counted(void **state)
{
    (void)state;
    enum { ROWS = 1000 };
    char text[4 + 3 * ROWS] = "a\n1";
    for (size_t i = 0; i < ROWS; i++)
        memcpy(text + 3 + 3 * i, "\nx\n", 3);
    struct table *t = NULL;
    struct error err = {0};
    assert_int_equal(read_pieces((struct text_piece){text, 3 + 3 * ROWS}, 77, NULL, 0, &t, &err), ERR_invalid_dataset);
    assert_int_equal(err.item_count, ERROR_ITEMS_MAX);
    assert_int_equal(err.total, 2 * ROWS - 1);
    assert_non_null(strstr(err.detail, "1999 errors"));
    error_clear(&err);
}

/* Numbers and labels of wrong rows do not reach the sink, nor do the rows after them. */
static err_code count_rows(void *context, const double *values, size_t count, struct error *err)
{
    (void)values;
    (void)err;
    *(size_t *)context += count;
    return ERR_ok;
}

static void test_nothing_is_handed_on_after_a_mistake(void **state)
{
    (void)state;
    enum { ROWS = 300000 };
    size_t handed = 0;
    struct csv_reader *r = NULL;
    struct table_info info = {0};
    assert_int_equal(csv_new(NULL, 0, count_rows, &handed, &r, NULL), ERR_ok);
    assert_int_equal(csv_feed(r, "a\n", 2, NULL), ERR_ok);
    for (size_t i = 0; i < ROWS; i++)
        assert_int_equal(csv_feed(r, i == ROWS / 2 ? "y\n" : "1\n", 2, NULL), ERR_ok);
    assert_int_equal(csv_finish(r, &info, NULL), ERR_invalid_dataset);
    assert_int_equal(handed, 1 << 17);
    csv_free(r);
}

static err_code full_sink(void *context, const double *values, size_t count, struct error *err)
{
    (void)context;
    (void)values;
    (void)count;
    return error_set(err, ERR_no_space, "the disk is full");
}

static void test_a_failing_sink_ends_the_reading(void **state)
{
    (void)state;
    struct csv_reader *r = NULL;
    struct table_info info = {0};
    struct error err = {0};
    err_code code = ERR_ok;
    assert_int_equal(csv_new(NULL, 0, full_sink, NULL, &r, &err), ERR_ok);
    assert_int_equal(csv_feed(r, "a\n", 2, &err), ERR_ok);
    for (size_t i = 0; i < 1 << 17 && !code; i++)
        code = csv_feed(r, "1\n", 2, &err);
    assert_int_equal(code, ERR_no_space);
    assert_string_equal(err.detail, "the disk is full");
    assert_int_equal(csv_feed(r, "1\n", 2, &err), ERR_no_space);
    assert_int_equal(csv_finish(r, &info, &err), ERR_no_space);
    csv_free(r);
    error_clear(&err);
}

/* Limits are met at the same byte in one piece and in many. */
static void check_limit(struct text_piece text, const char *detail)
{
    static const size_t pieces[] = {4093, 1 << 20, SIZE_MAX / 2};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct table *t = NULL;
        struct error err = {0};
        assert_int_equal(read_pieces(text, pieces[i], NULL, 0, &t, &err), ERR_invalid_dataset);
        assert_int_equal(err.total, 1);
        assert_int_equal(err.items[0].line, 2);
        assert_int_equal(err.items[0].row, 1);
        assert_non_null(strstr(err.items[0].detail, detail));
        error_clear(&err);
    }
}

static void test_limits_of_cells_and_rows(void **state)
{
    (void)state;
    enum { SIZE = 18 << 20, HEADER = 2 * 40 };
    char *text = malloc(SIZE);
    assert_non_null(text);
    memset(text, 'x', SIZE);
    memcpy(text, "a\n", 2);
    text[3 + (1 << 20)] = '"';
    check_limit((struct text_piece){text, 3 << 20}, "longer than 1 MiB");
    text[2] = '"';
    memset(text + 3, '\n', 3 << 20);
    struct error err = {0};
    struct table *t = NULL;
    assert_int_equal(read_pieces((struct text_piece){text, 3 << 20}, 10007, NULL, 0, &t, &err), ERR_invalid_dataset);
    assert_int_equal(err.total, 1);
    assert_int_equal(err.items[0].code, ERR_invalid_csv);
    assert_non_null(strstr(err.items[0].detail, "does not end within 1 MiB"));
    error_clear(&err);
    memset(text, 'x', SIZE);
    for (size_t i = 0; i < HEADER / 2; i++) {
        text[2 * i] = (char)('0' + i);
        text[2 * i + 1] = ',';
        if (HEADER + (i + 1) * 500000 < SIZE)
            text[HEADER + (i + 1) * 500000] = ',';
    }
    text[HEADER - 1] = '\n';
    check_limit((struct text_piece){text, SIZE}, "longer than 16 MiB");
    free(text);
}

static void test_a_header_without_end(void **state)
{
    (void)state;
    enum { COLUMNS = COLUMNS_MAX + 1 };
    char *text = malloc((size_t)COLUMNS * 8);
    size_t at = 0;
    assert_non_null(text);
    for (size_t i = 0; i < COLUMNS; i++)
        at += (size_t)sprintf(text + at, "%zu,", i);
    text[at - 1] = '\n';
    struct table *t = NULL;
    struct error err = {0};
    assert_int_equal(read_pieces((struct text_piece){text, at}, 65536, NULL, 0, &t, &err), ERR_invalid_dataset);
    assert_int_equal(err.total, 1);
    assert_int_equal(err.items[0].code, ERR_limit_exceeded);
    assert_non_null(strstr(err.items[0].detail, "100001 columns"));
    error_clear(&err);
    free(text);
}

/* The first two rows are wrong, so that the table is built from the third on. */
static void test_too_many_categories(void **state)
{
    (void)state;
    enum { ROWS = CATEGORIES_MAX + 5 };
    char *text = malloc((size_t)ROWS * 24);
    size_t at = 0;
    assert_non_null(text);
    at += (size_t)sprintf(text + at, "id,x,name\nwrong\nwrong\n");
    for (size_t i = 0; i < ROWS; i++)
        at += (size_t)sprintf(text + at, "i%zu,%s,n%zu\n", i, i == ROWS - 1 ? "bad" : "1", i % CATEGORIES_MAX);
    struct table *t = NULL;
    struct error err = {0};
    assert_int_equal(read_pieces((struct text_piece){text, at}, 65536, NULL, 0, &t, &err), ERR_invalid_dataset);
    assert_int_equal(err.total, 4);
    assert_int_equal(err.items[0].code, ERR_ragged_row);
    assert_int_equal(err.items[2].code, ERR_too_many_categories);
    assert_string_equal(err.items[2].field, "id");
    assert_int_equal(err.items[2].row, CATEGORIES_MAX + 3);
    assert_int_equal(err.items[2].line, CATEGORIES_MAX + 4);
    assert_int_equal(err.items[3].code, ERR_invalid_number);
    assert_int_equal(err.items[3].row, ROWS + 2);
    error_clear(&err);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_mistake_has_its_place),
        cmocka_unit_test(test_every_cut_gives_the_same_mistakes),
        cmocka_unit_test(test_types_of_columns_that_are_not_there),
        cmocka_unit_test(test_a_hundred_are_listed_and_all_are_counted),
        cmocka_unit_test(test_nothing_is_handed_on_after_a_mistake),
        cmocka_unit_test(test_a_failing_sink_ends_the_reading),
        cmocka_unit_test(test_limits_of_cells_and_rows),
        cmocka_unit_test(test_a_header_without_end),
        cmocka_unit_test(test_too_many_categories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
