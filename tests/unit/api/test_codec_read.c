/* Strict JSON: what is refused and where, and the checks that every part of the codec shares. */
#include "api/codec_read.h"
#include "api/name.h"
#include "codec_support.h"
#include <math.h>
#include <string.h>

static json_t *read_whole_text(const char *text)
{
    json_t *value = NULL;
    struct error err = {0};
    err_code code = json_read(text, strlen(text), 64, &value, &err);
    if (code != ERR_ok)
        print_mistakes(&err);
    assert_int_equal(code, ERR_ok);
    return value;
}

static void assert_refused(const char *bytes, size_t size, int line, int column, const char *words)
{
    json_t *value = NULL;
    struct error err = {0};
    assert_int_equal(json_read(bytes, size, 64, &value, &err), ERR_invalid_json);
    assert_int_equal(err.item_count, 1);
    if (!strstr(err.items[0].detail, words) || err.items[0].line != line || err.items[0].column != column)
        print_mistakes(&err);
    assert_non_null(strstr(err.items[0].detail, words));
    assert_int_equal(err.items[0].line, line);
    assert_int_equal(err.items[0].column, column);
    error_clear(&err);
}

static void refuse_text(const char *text, int line, int column, const char *words)
{
    assert_refused(text, strlen(text), line, column, words);
}

static void test_what_is_not_strict_is_refused(void **state)
{
    (void)state;
    refuse_text("{\"a\": 1,\n \"a\": 2}", 2, 4, "twice");
    refuse_text("[1,\n1e999]", 2, 5, "out of range");
    refuse_text("{\"a\": ", 1, 6, "ends in the middle");
    refuse_text("{} x", 1, 4, "follows the end");
    refuse_text("\xef\xbb\xbf{}", 1, 1, "byte order mark");
    refuse_text("[\"\xc3\xa9\",\n \"\xff\"]", 2, 3, "not UTF-8");
    refuse_text("\"\\u0000\"", 1, 8, "NUL");
    assert_refused("[1,\0002]", 6, 1, 4, "");
    static const char *const others[] = {"NaN",    "[Infinity]", "{'a': 1}",    "[01]",    "[1.]",   "[.5]",    "[+1]",
                                         "[1,]",   "{\"a\":1,}", "\"\\ud800\"", "\"\\x\"", "\"\t\"", "// a\n1", "True",
                                         "[0x10]", "\"a",        "-",           "[1 2]",   "]"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        json_t *value = NULL;
        struct error err = {0};
        err_code code = json_read(others[i], strlen(others[i]), 64, &value, &err);
        if (code != ERR_invalid_json)
            print_message("accepted: %s\n", others[i]);
        assert_int_equal(code, ERR_invalid_json);
        assert_int_equal(err.items[0].line >= 1 && err.items[0].column >= 0, 1);
        error_clear(&err);
    }
}

static void test_an_empty_body_is_missing(void **state)
{
    (void)state;
    json_t *value = NULL;
    struct error err = {0};
    assert_int_equal(json_read("", 0, 64, &value, &err), ERR_missing_body);
    error_clear(&err);
}

static void test_nesting_is_bounded(void **state)
{
    (void)state;
    char text[130];
    memset(text, '[', 64);
    memset(text + 64, ']', 64);
    text[128] = '\0';
    json_decref(read_whole_text(text));
    json_decref(read_whole_text("\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[\""));
    memset(text, '[', 65);
    memset(text + 65, ']', 64);
    text[129] = '\0';
    assert_refused(text, 129, 1, 65, "64 deep");
}

static void test_values_that_take_too_much_memory_are_refused(void **state)
{
    (void)state;
    enum { COUNT = 5000000 }; /* objects of 256 bytes: over 1 GiB */
    char *text = test_malloc(3 * COUNT + 1);
    json_t *value = NULL;
    struct error err = {0};
    for (size_t i = 0; i < COUNT; i++)
        memcpy(text + 1 + 3 * i, "{},", 3);
    text[0] = '[';
    text[3 * (size_t)COUNT] = ']';
    assert_int_equal(json_read(text, 3 * COUNT + 1, 64, &value, &err), ERR_body_too_large);
    error_clear(&err);
    test_free(text);
}

static void test_numbers(void **state)
{
    (void)state;
    struct where root = {0};
    struct error err = {0};
    json_t *value = read_whole_text("[-0, 1e-999, 0.1, 9007199254740991, 4.0]");
    double number;
    int64_t whole;
    assert_true(read_number(json_array_get(value, 0), &root, &number, &err));
    assert_true(number == 0 && signbit(number));
    assert_true(read_number(json_array_get(value, 1), &root, &number, &err));
    assert_true(number == 0 && !signbit(number));
    assert_true(read_number(json_array_get(value, 2), &root, &number, &err));
    assert_true(number == 0.1);
    assert_true(read_whole(json_array_get(value, 3), 0, WHOLE_MAX, &root, &whole, &err));
    assert_int_equal(whole, WHOLE_MAX);
    assert_true(read_whole(json_array_get(value, 4), 0, 4, &root, &whole, &err));
    assert_int_equal(whole, 4);
    assert_int_equal(err.total, 0);
    json_decref(value);
}

static void expect(const struct error *err, size_t i, err_code code, const char *pointer, const char *detail)
{
    if (!err->items || i >= err->item_count) {
        fail_msg("there are %zu mistakes", err->item_count);
        return;
    }
    assert_int_equal(err->items[i].code, code);
    assert_string_equal(err->items[i].pointer, pointer);
    assert_string_equal(err->items[i].detail, detail);
}

static void test_whole_numbers_that_are_not(void **state)
{
    (void)state;
    struct where root = {0}, at = {.up = &root, .key = "seed"};
    struct error err = {0};
    json_t *value = read_whole_text("[1.1, 9007199254740992, -1, \"1\", 1e300]");
    int64_t whole;
    for (size_t i = 0; i < json_array_size(value); i++)
        assert_false(read_whole(json_array_get(value, i), 0, WHOLE_MAX, &at, &whole, &err));
    expect(&err, 0, ERR_wrong_type, "/seed", "this must be a whole number, not 1.1");
    expect(&err, 1, ERR_out_of_range, "/seed", "this must be 0 to 9007199254740991, not 9007199254740992");
    expect(&err, 2, ERR_out_of_range, "/seed", "this must be 0 to 9007199254740991, not -1");
    expect(&err, 3, ERR_wrong_type, "/seed", "this must be a whole number, not a string");
    expect(&err, 4, ERR_out_of_range, "/seed", "this must be 0 to 9007199254740991, not 1e300");
    error_clear(&err);
    json_decref(value);
}

static void test_objects_and_their_fields(void **state)
{
    (void)state;
    static const char *const known[] = {"name", "program", NULL};
    struct where root = {0}, at = {.up = &root, .index = 3};
    struct error err = {0};
    json_t *value = read_whole_text("{\"naem\": 1, \"a/b~c\": 2, \"program\": null}");
    assert_false(read_object(value, known, &at, &err));
    expect(&err, 0, ERR_unknown_field, "/3/naem", "there is no field 'naem'; did you mean 'name'?");
    expect(&err, 1, ERR_unknown_field, "/3/a~1b~0c", "there is no field 'a/b~c'; the fields are: name, program");
    assert_null(required_field(value, "name", &at, &err));
    expect(&err, 2, ERR_missing_field, "/3/name", "the field 'name' is required");
    assert_false(read_object(json_object_get(value, "naem"), known, &root, &err));
    expect(&err, 3, ERR_wrong_type, "", "this must be an object, not a number");
    error_clear(&err);
    json_decref(value);
}

static void test_mistakes_beyond_the_hundredth_are_counted(void **state)
{
    (void)state;
    struct where root = {0};
    struct error err = {0};
    for (int i = 0; i < 250; i++)
        mistake(&err, ERR_wrong_type, &root, "%d", i);
    assert_int_equal(err.item_count, ERROR_ITEMS_MAX);
    assert_int_equal(err.total, 250);
    assert_string_equal(err.items[99].detail, "99");
    error_clear(&err);
}

static void test_names(void **state)
{
    (void)state;
    char longest[66];
    memset(longest, 'a', 65);
    longest[65] = '\0';
    assert_true(name_valid("a"));
    assert_true(name_valid("0.9_x-Y"));
    assert_true(name_valid(longest + 1));
    assert_false(name_valid(longest));
    assert_false(name_valid(""));
    assert_false(name_valid(".a"));
    assert_false(name_valid("-a"));
    assert_false(name_valid("a/b"));
    assert_false(name_valid("a b"));
    assert_false(name_valid("\xc3\xa9"));
}

static void test_values_are_written_again(void **state)
{
    (void)state;
    struct text text = {0};
    struct json j = {.text = &text};
    json_t *value =
        read_whole_text("{\"b\": [1.0, -0, 1e3, \"x\\\"y\"], \"a\": {\"t\": true, \"n\": null, \"f\": false}}");
    put_value(&j, value);
    assert_string_equal(text.data, "{\"b\":[1,-0,1000,\"x\\\"y\"],\"a\":{\"t\":true,\"n\":null,\"f\":false}}");
    text_clear(&text);
    json_decref(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_not_strict_is_refused),
        cmocka_unit_test(test_an_empty_body_is_missing),
        cmocka_unit_test(test_nesting_is_bounded),
        cmocka_unit_test(test_values_that_take_too_much_memory_are_refused),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_whole_numbers_that_are_not),
        cmocka_unit_test(test_objects_and_their_fields),
        cmocka_unit_test(test_mistakes_beyond_the_hundredth_are_counted),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_values_are_written_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
