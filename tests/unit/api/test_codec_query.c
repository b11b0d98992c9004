/* Queries from JSON: on models and on /v1/differentiate. */
#include "codec_support.h"
#include <string.h>

static struct query_request accept(enum query_form form, const char *body)
{
    struct query_request request = {0};
    struct error err = {0};
    err_code code = decode_query_request(body, strlen(body), form, DTYPE_FLOAT32, &test_limits, &request, &err);
    if (code != ERR_ok)
        print_mistakes(&err);
    assert_int_equal(code, ERR_ok);
    return request;
}

static void refuse(enum query_form form, const char *body, err_code code, const char *pointer)
{
    struct query_request request = {0};
    struct error err = {0};
    assert_int_equal(decode_query_request(body, strlen(body), form, DTYPE_FLOAT32, &test_limits, &request, &err),
                     ERR_invalid_query);
    if (!has_mistake(&err, code, pointer))
        print_mistakes(&err);
    assert_true(has_mistake(&err, code, pointer));
    error_clear(&err);
}

static void test_gradient(void **state)
{
    (void)state;
    struct query_request r = accept(FORM_GRADIENT, "{\"inputs\": {\"X\": [[1, 2]], \"y\": 3}, \"of\": \"l2\", \"wrt\": "
                                                   "[\"W1\", \"X\"], \"cotangent\": [1], \"trace\": true, "
                                                   "\"version\": 4}");
    const struct question *q = &r.question;
    assert_int_equal(q->kind, QUESTION_GRADIENT);
    assert_int_equal(q->dtype, DTYPE_FLOAT32);
    assert_int_equal(q->input_count, 2);
    assert_string_equal(q->inputs[0].name, "X");
    assert_string_equal(q->inputs[0].place.pointer, "/inputs/X");
    assert_int_equal(q->inputs[0].tensor->dtype, DTYPE_FLOAT32);
    assert_int_equal(q->of_count, 1);
    assert_string_equal(q->of[0].name, "l2");
    assert_string_equal(q->of[0].place.pointer, "/of");
    assert_int_equal(q->wrt_count, 2);
    assert_string_equal(q->wrt[1].place.pointer, "/wrt/1");
    assert_non_null(q->cotangent);
    assert_true(q->trace);
    assert_int_equal(r.version, 4);
    query_request_clear(&r);
    query_request_clear(&r);
}

static void test_what_is_left_out(void **state)
{
    (void)state;
    struct query_request r = accept(FORM_GRADIENT, "{}");
    assert_int_equal(r.question.input_count, 0);
    assert_int_equal(r.question.of_count, 0);
    assert_int_equal(r.question.wrt_count, 0);
    assert_null(r.question.cotangent);
    assert_int_equal(r.version, 0);
    query_request_clear(&r);
}

static void test_rows(void **state)
{
    (void)state;
    struct query_request r =
        accept(FORM_PREDICT, "{\"rows\": [{\"age\": 59, \"zip\": \"80331\"}, {\"pixels\": [1, 2]}], "
                             "\"outputs\": \"s1\"}");
    assert_int_equal(r.question.kind, QUESTION_EVALUATE);
    assert_int_equal(r.row_count, 2);
    assert_int_equal(r.rows[0].count, 2);
    assert_string_equal(r.rows[0].cells[0].column, "age");
    assert_true(r.rows[0].cells[0].numbers[0] == 59);
    assert_string_equal(r.rows[0].cells[1].label, "80331");
    assert_string_equal(r.rows[0].cells[1].place.pointer, "/rows/0/zip");
    assert_int_equal(r.rows[1].cells[0].count, 2);
    assert_int_equal(r.output_count, 1);
    query_request_clear(&r);
}

static void test_mistakes(void **state)
{
    (void)state;
    refuse(FORM_GRADIENT, "[]", ERR_wrong_type, "");
    refuse(FORM_GRADIENT, "{\"inputs\": []}", ERR_wrong_type, "/inputs");
    refuse(FORM_GRADIENT, "{\"inputs\": {\"X\": [[1], [1, 2]]}}", ERR_invalid_tensor, "/inputs/X/1");
    refuse(FORM_GRADIENT, "{\"inputs\": {\"a/b\": null}}", ERR_wrong_type, "/inputs/a~1b");
    refuse(FORM_GRADIENT, "{\"of\": [\"a\", \"b\"]}", ERR_wrong_type, "/of");
    refuse(FORM_GRADIENT, "{\"wrt\": []}", ERR_invalid_value, "/wrt");
    refuse(FORM_GRADIENT, "{\"wrt\": [1]}", ERR_wrong_type, "/wrt/0");
    refuse(FORM_GRADIENT, "{\"wrt\": {}}", ERR_wrong_type, "/wrt");
    refuse(FORM_GRADIENT, "{\"trace\": 1}", ERR_wrong_type, "/trace");
    refuse(FORM_GRADIENT, "{\"version\": 0}", ERR_out_of_range, "/version");
    refuse(FORM_GRADIENT, "{\"rows\": []}", ERR_unknown_field, "/rows");
    refuse(FORM_GRADIENT, "{\"cotangent\": \"1\"}", ERR_wrong_type, "/cotangent");
    refuse(FORM_EVALUATE, "{\"wrt\": \"x\"}", ERR_unknown_field, "/wrt");
    refuse(FORM_PREDICT, "{\"rows\": []}", ERR_wrong_type, "/rows");
    refuse(FORM_PREDICT, "{\"rows\": [1]}", ERR_wrong_type, "/rows/0");
    refuse(FORM_PREDICT, "{\"rows\": [{\"a\": null}]}", ERR_wrong_type, "/rows/0/a");
    refuse(FORM_PREDICT, "{\"rows\": [{\"a\": 1}], \"inputs\": {}}", ERR_conflicting_fields, "/rows");
    refuse(FORM_PREDICT, "{\"inputs\": {\"x\": 1e39}}", ERR_nonfinite_number, "/inputs/x");
}

static struct error refuse_program(const char *body)
{
    struct differentiate_request request = {0};
    struct error err = {0};
    assert_int_equal(decode_differentiate_request(body, strlen(body), &test_limits, &request, &err), ERR_invalid_query);
    return err;
}

static void expect_only(const char *body, err_code code, const char *pointer)
{
    struct error err = refuse_program(body);
    if (!has_mistake(&err, code, pointer) || err.total != 1)
        print_mistakes(&err);
    assert_true(has_mistake(&err, code, pointer));
    assert_int_equal(err.total, 1);
    error_clear(&err);
}

static struct differentiate_request accept_program(const char *body)
{
    struct differentiate_request request = {0};
    struct error err = {0};
    err_code code = decode_differentiate_request(body, strlen(body), &test_limits, &request, &err);
    if (code != ERR_ok)
        print_mistakes(&err);
    assert_int_equal(code, ERR_ok);
    return request;
}

static void test_differentiate(void **state)
{
    (void)state;
    struct differentiate_request r =
        accept_program("{\"program\": [\"a = x * w\", \"f = a ^ 2\"], \"inputs\": {\"w\": 2, \"x\": 4}}");
    const struct question *q = &r.query.question;
    assert_int_equal(q->kind, QUESTION_GRADIENT);
    assert_int_equal(q->dtype, DTYPE_FLOAT64);
    assert_string_equal(q->of[0].name, "f");
    assert_int_equal(q->wrt_count, 2);
    assert_string_equal(q->wrt[0].name, "x");
    assert_string_equal(q->wrt[1].name, "w");
    assert_true(graph_find(q->graph, "a") != NODE_NONE);
    differentiate_request_clear(&r);
}

/* The key tells programs, names and shapes apart, and nothing else. */
static void test_keys(void **state)
{
    (void)state;
    static const char *const bodies[] = {"{\"program\": \"f = x^2\", \"inputs\": {\"x\": 4}}",
                                         "{\"inputs\": {\"x\": 5}, \"program\": [\"f = x^2\"], \"trace\": true}",
                                         "{\"program\": \"f = x^2\", \"inputs\": {\"x\": [4]}}",
                                         "{\"program\": \"f = x^3\", \"inputs\": {\"x\": 4}}",
                                         "{\"program\": \"f = X^2\", \"inputs\": {\"X\": 4}}"};
    char keys[5][80];
    for (size_t i = 0; i < 5; i++) {
        struct differentiate_request r = accept_program(bodies[i]);
        memcpy(keys[i], r.query.question.graph_key, sizeof keys[i]);
        differentiate_request_clear(&r);
    }
    assert_string_equal(keys[0], keys[1]);
    for (size_t i = 2; i < 5; i++) {
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(keys[i], keys[k]);
    }
}

static void test_differentiate_mistakes(void **state)
{
    (void)state;
    expect_only("{}", ERR_missing_field, "/program");
    expect_only("{\"program\": 1}", ERR_wrong_type, "/program");
    expect_only("{\"program\": \"\"}", ERR_invalid_program, "/program");
    expect_only("{\"program\": [\"f = 1\", 2]}", ERR_wrong_type, "/program/1");
    expect_only("{\"program\": \"f = 1\", \"query\": \"jacobi\"}", ERR_invalid_value, "/query");
    expect_only("{\"program\": \"f = 1\", \"dtype\": \"int\"}", ERR_invalid_value, "/dtype");
    expect_only("{\"program\": \"f = x\", \"inputs\": {}}", ERR_unknown_name, "/program");
    expect_only("{\"program\": \"f = x\", \"inputs\": {\"x\": 1, \"z\": 1}}", ERR_unknown_name, "/inputs/z");
    expect_only("{\"program\": \"x = Input(); f = x\", \"inputs\": {}}", ERR_missing_input, "/program");
    expect_only("{\"program\": \"f = x\", \"inputs\": {\"x\": null}}", ERR_wrong_type, "/inputs/x");
    expect_only("{\"program\": \"f = a + b\", \"inputs\": {\"a\": [1, 2], \"b\": [1, 2, 3]}}", ERR_shape_mismatch,
                "/program");
    expect_only("{\"program\": \"f = 1\", \"progam\": \"\"}", ERR_unknown_field, "/progam");
    expect_only("{\"program\": \"a = 1; b = 2\", \"of\": [\"a\", \"b\"]}", ERR_wrong_type, "/of");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradient),
        cmocka_unit_test(test_what_is_left_out),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_differentiate),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_differentiate_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
