/* Accept with qualities, If-None-Match with lists, media types. */
#include "api/negotiate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char *const types[] = {"application/json", "text/html", "image/svg+xml", NULL};

static void test_accept(void **state)
{
    (void)state;
    static const struct {
        const char *accept;
        const char *chosen; /* NULL: none */
    } cases[] = {
        {NULL, "application/json"},
        {"  ", "application/json"},
        {"*/*", "application/json"},
        {"text/*", "text/html"},
        {"TEXT/HTML", "text/html"},
        {"text/html;q=0.5, application/json;q=0.4", "text/html"},
        {"text/html;q=0.5, */*;q=0.6", "application/json"},
        {"application/json;q=0, */*", "text/html"},
        {"*/*;q=0.1, image/svg+xml", "image/svg+xml"},
        {"text/html; charset=\"a,b;q=0\" ; q=1.0, application/json;q=0.9", "text/html"},
        {"text/html;q=0.001, application/json;q=0", "text/html"},
        {"image/png", NULL},
        {"*/*;q=0", NULL},
        {"text/html;q=x", NULL},
        {"text/html;q=1.5", NULL},
        {"text/htm, text/html5, */json, *", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *chosen = negotiate_accept(cases[i].accept, types);
        if (cases[i].chosen == NULL)
            assert_null(chosen);
        else
            assert_string_equal(chosen, cases[i].chosen);
    }
}

static void test_none_match(void **state)
{
    (void)state;
    static const char *const matching[] = {"\"a\"", "W/\"a\"", "\"b\", \"a\"", "*", " \"x,y\" ,W/\"a\" "};
    static const char *const others[] = {"", "\"b\"", "a", "\"a", "\"A\"", "\"a,b\"", "w/\"a\"", "**"};
    for (size_t i = 0; i < sizeof matching / sizeof *matching; i++)
        assert_true(negotiate_none_match(matching[i], "\"a\""));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(negotiate_none_match(others[i], "\"a\""));
    assert_false(negotiate_none_match(NULL, "\"a\""));
}

static void test_media_type(void **state)
{
    (void)state;
    char type[20];
    negotiate_media_type(" Text/CSV ; charset=utf-8", type, sizeof type);
    assert_string_equal(type, "text/csv");
    negotiate_media_type("application/a-type-that-is-too-long", type, sizeof type);
    assert_string_equal(type, "");
    negotiate_media_type(NULL, type, sizeof type);
    assert_string_equal(type, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accept),
        cmocka_unit_test(test_none_match),
        cmocka_unit_test(test_media_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
