/* The writer of JSON: commas, escapes, numbers, tensors, problems. */
#include "api/problem.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void expect(struct json *j, const char *text)
{
    assert_string_equal(j->text->data, text);
    text_clear(j->text);
    *j = (struct json){.text = j->text};
}

static void test_structure(void **state)
{
    (void)state;
    struct text out = {0};
    struct json j = {.text = &out};
    put_object(&j);
    put_key(&j, "a");
    put_array(&j);
    put_whole(&j, -7);
    put_array(&j);
    put_array_end(&j);
    put_object(&j);
    put_object_end(&j);
    put_bool(&j, true);
    put_null(&j);
    put_raw(&j, "1e3", 3);
    put_array_end(&j);
    put_key(&j, "t");
    put_time(&j, 1500);
    put_key(&j, "n");
    put_time(&j, 0);
    put_object_end(&j);
    expect(&j, "{\"a\":[-7,[],{},true,null,1e3],\"t\":\"1970-01-01T00:00:01.500Z\",\"n\":null}");
}

static void test_strings(void **state)
{
    (void)state;
    struct text out = {0};
    struct json j = {.text = &out};
    put_array(&j);
    put_string(&j, NULL);
    put_string(&j, "a\"\\\n\t\x01\x7f/");
    put_string(&j, "\xc3\xa9 \xf0\x9f\x98\x80");
    put_string(&j, "x\xff\xc3y\xed\xa0\x80");
    put_array_end(&j);
    expect(&j, "[null,\"a\\\"\\\\\\n\\t\\u0001\\u007f/\",\"\xc3\xa9 \xf0\x9f\x98\x80\","
               "\"x\xef\xbf\xbd\xef\xbf\xbdy\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"]");
}

static void test_numbers(void **state)
{
    (void)state;
    struct text out = {0};
    struct json j = {.text = &out};
    put_object(&j);
    put_key(&j, "d");
    put_number(&j, 16.0);
    put_key(&j, "z");
    put_number(&j, -0.0);
    put_key(&j, "f");
    put_float(&j, 0.1F);
    put_nonfinite(&j);
    assert_false(j.nonfinite);
    put_key(&j, "i");
    put_number(&j, -INFINITY);
    put_nonfinite(&j);
    put_object_end(&j);
    expect(&j, "{\"d\":16,\"z\":-0,\"f\":0.1,\"i\":null,\"nonfinite\":true}");
}

static void check_tensor(int rank, const int64_t *dims, const char *nested, const char *flat)
{
    struct text out = {0};
    struct json j = {.text = &out};
    struct tensor *t = NULL;
    assert_int_equal(tensor_new(DTYPE_FLOAT32, shape_of(rank, dims), &t, NULL), ERR_ok);
    for (int64_t i = 0; i < tensor_elements(t); i++)
        tensor_set(t, i, (double)i + 0.5);
    put_tensor(&j, t, false);
    expect(&j, nested);
    put_tensor(&j, t, true);
    expect(&j, flat);
    tensor_free(t);
}

static void test_tensors(void **state)
{
    (void)state;
    check_tensor(0, NULL, "0.5", "{\"shape\":[],\"data\":[0.5]}");
    check_tensor(1, (const int64_t[]){0}, "[]", "{\"shape\":[0],\"data\":[]}");
    check_tensor(2, (const int64_t[]){2, 0}, "[[],[]]", "{\"shape\":[2,0],\"data\":[]}");
    check_tensor(3, (const int64_t[]){2, 1, 2}, "[[[0.5,1.5]],[[2.5,3.5]]]",
                 "{\"shape\":[2,1,2],\"data\":[0.5,1.5,2.5,3.5]}");
}

/* More than one buffer of the writer. */
static void test_long_tensor(void **state)
{
    (void)state;
    struct text out = {0};
    struct json j = {.text = &out};
    struct tensor *t = NULL;
    assert_int_equal(tensor_new(DTYPE_FLOAT64, shape_of(1, (const int64_t[]){3000}), &t, NULL), ERR_ok);
    put_tensor(&j, t, false);
    assert_int_equal(out.length, 2 * 3000 + 1);
    for (size_t i = 0; i < 3000; i++)
        assert_int_equal(out.data[2 * i + 1], '0');
    text_clear(&out);
    tensor_free(t);
}

static void test_shapes(void **state)
{
    (void)state;
    struct text out = {0};
    struct json j = {.text = &out};
    put_shape(&j, shape_of(4, (const int64_t[]){DIM_BATCH, 10, -3, DIM_ANY}));
    expect(&j, "[\"batch\",10,\"3*batch\",null]");
}

static void test_problem(void **state)
{
    (void)state;
    struct text out = {0};
    struct json j = {.text = &out};
    struct error err = {0};
    error_add(&err, ERR_unknown_op, (struct place){"/program", 6, 5}, "no op");
    error_add_cell(&err, ERR_empty_cell, 3, 2, "age", "empty");
    error_add_shapes(&err, ERR_shape_mismatch, (struct place){0}, shape_of(1, (const int64_t[]){-1}),
                     shape_of(1, (const int64_t[]){8}), "shapes");
    error_set(&err, ERR_invalid_model, "3 errors");
    problem_write(&j, &err, "/v1/models");
    expect(&j, "{\"type\":\"/problems/invalid_model\",\"title\":\"the model is not valid\",\"status\":422,"
               "\"detail\":\"3 errors\",\"instance\":\"/v1/models\",\"errors\":["
               "{\"code\":\"unknown_op\",\"pointer\":\"/program\",\"line\":6,\"column\":5,\"detail\":\"no op\"},"
               "{\"code\":\"empty_cell\",\"line\":3,\"row\":2,\"field\":\"age\",\"detail\":\"empty\"},"
               "{\"code\":\"shape_mismatch\",\"detail\":\"shapes\",\"expected\":[\"batch\"],\"actual\":[8]}],"
               "\"error_count\":3}");
    error_clear(&err);
}

static void test_every_problem_has_a_status(void **state)
{
    (void)state;
    for (int code = ERR_ok + 1; code < ERR_COUNT; code++) {
        assert_in_range(problem_status((err_code)code), 400, 599);
        assert_true(problem_advice((err_code)code)[0] != '\0');
    }
    assert_int_equal(problem_status(ERR_queue_full), 429);
    assert_int_equal(problem_status(ERR_too_busy), 503);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_structure),   cmocka_unit_test(test_strings),
        cmocka_unit_test(test_numbers),     cmocka_unit_test(test_tensors),
        cmocka_unit_test(test_long_tensor), cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_problem),     cmocka_unit_test(test_every_problem_has_a_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
