/* Targets taken apart: segments, parameters, and what is never decoded. */
#include "api/uri.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct uri parsed(const char *target)
{
    struct uri u = {0};
    assert_int_equal(uri_parse(target, &u, NULL), ERR_ok);
    return u;
}

static void test_path_and_parameters(void **state)
{
    (void)state;
    struct uri u = parsed("/v1/%6dodels/a%20b?limit=3&after=a+b%26&x");
    assert_string_equal(u.path, "/v1/%6dodels/a%20b");
    assert_string_equal(u.query, "limit=3&after=a+b%26&x");
    assert_int_equal(u.segment_count, 3);
    assert_string_equal(u.segments[1], "models");
    assert_string_equal(u.segments[2], "a b");
    assert_int_equal(u.parameter_count, 3);
    assert_string_equal(uri_parameter(&u, "after"), "a b&");
    assert_string_equal(uri_parameter(&u, "x"), "");
    assert_null(uri_parameter(&u, "y"));
    uri_clear(&u);
}

static void test_slash_and_nul_stay_encoded(void **state)
{
    (void)state;
    struct uri u = parsed("/a%2fb%2F%00%zz%4");
    assert_int_equal(u.segment_count, 1);
    assert_string_equal(u.segments[0], "a%2fb%2F%00%zz%4");
    uri_clear(&u);
}

static void test_parameters_that_are_no_text(void **state)
{
    (void)state;
    struct uri u = parsed("/?a=%00&b=%ff&c=%c3%a9");
    assert_false(u.parameters[0].valid);
    assert_false(u.parameters[1].valid);
    assert_true(u.parameters[2].valid);
    assert_string_equal(u.parameters[2].value, "\xc3\xa9");
    uri_clear(&u);
}

static void test_other_forms(void **state)
{
    (void)state;
    static const char *const forms[][2] = {
        {"http://h:80/a?b", "/a"}, {"HTTPS://h/a", "/a"}, {"http://h", "/"}, {"http://h?b", "/"}, {"*", "*"},
        {"/a#b?c", "/a"},
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct uri u = parsed(forms[i][0]);
        assert_string_equal(u.path, forms[i][1]);
        uri_clear(&u);
    }
    static const char *const wrong[] = {"", "a", "h:80", "*a", "ftp://h/a"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct uri u = {0};
        struct error err = {0};
        assert_int_equal(uri_parse(wrong[i], &u, &err), ERR_bad_request);
        assert_null(u.memory);
        error_clear(&err);
    }
}

static void test_too_many(void **state)
{
    (void)state;
    struct uri u = parsed("/1/2/3/4/5/6/7/8/9/10");
    assert_int_equal(u.segment_count, URI_SEGMENTS_MAX + 1);
    uri_clear(&u);
    char target[2 + 2 * 100 + 1] = "/?";
    for (size_t i = 0; i < 100; i++)
        memcpy(target + 2 + 2 * i, "a&", 3);
    u = parsed(target);
    assert_int_equal(u.parameter_count, URI_PARAMETERS_MAX + 1);
    assert_null(uri_parameter(&u, "b"));
    uri_clear(&u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_path_and_parameters),
        cmocka_unit_test(test_slash_and_nul_stay_encoded),
        cmocka_unit_test(test_parameters_that_are_no_text),
        cmocka_unit_test(test_other_forms),
        cmocka_unit_test(test_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
