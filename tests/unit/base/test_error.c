/* The list of errors: what is listed, counted, cut, moved. */
#include "support/near.h"

#include "base/error.h"
#include "base/utf8.h"
#include <string.h>

static void names_and_classes(void **state)
{
    (void)state;
    err_code code = ERR_ok;
    assert_string_equal(err_name(ERR_shape_mismatch), "shape_mismatch");
    assert_string_equal(err_title(ERR_shape_mismatch), "operand shapes do not agree");
    assert_int_equal(err_class_of(ERR_queue_full), ERR_CLASS_BUSY);
    for (int i = 1; i < ERR_COUNT; i++) {
        assert_true(err_find(err_name((err_code)i), &code));
        assert_int_equal(code, i);
        assert_int_not_equal(err_class_of((err_code)i), ERR_CLASS_NONE);
    }
    assert_false(err_find("no_such", &code));
}

static void items_are_listed(void **state)
{
    (void)state;
    struct error err = {0};
    struct shape two = shape_of(2, (int64_t[]){DIM_BATCH, 8}), one = shape_of(1, (int64_t[]){3});
    assert_int_equal(error_close(&err, ERR_invalid_model, "the program"), ERR_ok);
    assert_int_equal(error_add(&err, ERR_unknown_op, (struct place){"/program", 6, 7}, "no op '%s'", "Sigmod"),
                     ERR_unknown_op);
    assert_int_equal(err.code, ERR_unknown_op);
    error_add_shapes(&err, ERR_shape_mismatch, (struct place){"/program", 7, 1}, two, one, "Linear");
    error_add_cell(&err, ERR_empty_cell, 9, 8, "age", "the cell is empty");
    assert_int_equal(error_close(&err, ERR_invalid_model, "the program"), ERR_invalid_model);
    assert_int_equal(err.code, ERR_invalid_model);
    assert_string_equal(err.detail, "3 errors in the program");
    assert_int_equal(err.total, 3);
    assert_int_equal(err.item_count, 3);
    assert_string_equal(err.items[0].detail, "no op 'Sigmod'");
    assert_string_equal(err.items[0].pointer, "/program");
    assert_int_equal(err.items[0].line, 6);
    assert_int_equal(err.items[0].column, 7);
    assert_false(err.items[0].has_shapes);
    assert_true(err.items[1].has_shapes);
    assert_true(shape_equal(err.items[1].expected, two));
    assert_true(shape_equal(err.items[1].actual, one));
    assert_string_equal(err.items[2].field, "age");
    assert_int_equal(err.items[2].row, 8);
    assert_null(err.items[2].pointer);
    error_prefix(&err, "/model");
    assert_string_equal(err.items[0].pointer, "/model/program");
    assert_string_equal(err.items[2].pointer, "/model");
    error_clear(&err);
    assert_int_equal(err.total, 0);
}

static void what_is_too_much_is_counted(void **state)
{
    (void)state;
    struct error err = {0}, other = {0};
    for (int i = 0; i < 150; i++)
        error_add(&err, ERR_invalid_number, (struct place){0}, "cell %d", i);
    assert_int_equal(err.total, 150);
    assert_int_equal(err.item_count, ERROR_ITEMS_MAX);
    assert_string_equal(err.items[99].detail, "cell 99");
    error_add(&other, ERR_syntax_error, (struct place){0}, "first");
    error_move(&other, &err);
    assert_int_equal(other.total, 151);
    assert_int_equal(other.item_count, ERROR_ITEMS_MAX);
    assert_string_equal(other.items[1].detail, "cell 0");
    assert_int_equal(other.code, ERR_syntax_error);
    assert_int_equal(err.total, 0);
    assert_null(err.items);
    error_move(NULL, &other);
    assert_int_equal(other.total, 0);
}

static void long_details_are_cut_between_characters(void **state)
{
    (void)state;
    struct error err = {0};
    char text[5000];
    for (size_t i = 0; i + 2 < sizeof text; i += 2)
        memcpy(text + i, "\xC3\xA9", 2);
    text[sizeof text - 2] = '\0';
    error_set(&err, ERR_invalid_value, "x%s", text);
    assert_true(strlen(err.detail) <= ERROR_DETAIL_MAX);
    assert_true(utf8_valid(err.detail, strlen(err.detail), NULL));
    assert_string_equal(err.detail + strlen(err.detail) - 3, "...");
    error_clear(&err);
}

static void set_replaces_the_whole_and_keeps_the_items(void **state)
{
    (void)state;
    struct error err = {0};
    error_add(&err, ERR_unknown_name, (struct place){0}, "one");
    assert_int_equal(error_set(&err, ERR_out_of_memory, "no memory for %d bytes", 5), ERR_out_of_memory);
    error_set(&err, ERR_stopping, "stop");
    assert_int_equal(err.code, ERR_stopping);
    assert_string_equal(err.detail, "stop");
    assert_int_equal(err.item_count, 1);
    error_clear(&err);
}

static void without_a_list_the_code_is_told(void **state)
{
    (void)state;
    assert_int_equal(error_set(NULL, ERR_gone, "x"), ERR_gone);
    assert_int_equal(error_add(NULL, ERR_gone, (struct place){0}, "x"), ERR_gone);
    assert_int_equal(error_add_cell(NULL, ERR_gone, 1, 1, NULL, "x"), ERR_gone);
    assert_int_equal(error_close(NULL, ERR_gone, "x"), ERR_ok);
    error_prefix(NULL, "/x");
    error_move(NULL, NULL);
    error_clear(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_classes),
        cmocka_unit_test(items_are_listed),
        cmocka_unit_test(what_is_too_much_is_counted),
        cmocka_unit_test(long_details_are_cut_between_characters),
        cmocka_unit_test(set_replaces_the_whole_and_keeps_the_items),
        cmocka_unit_test(without_a_list_the_code_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
