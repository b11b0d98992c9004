/* Parameters from JSON: all of them, in declared order whatever the order of the request. */
#include "codec_support.h"
#include <string.h>

static struct model_request make_model(void)
{
    static const char body[] = "{\"program\": \"l = X @ W + b\", \"inputs\": {\"X\": {\"shape\": [\"batch\", 2]}},"
                               "\"parameters\": {\"W\": {\"shape\": [2, 1]}, \"b\": {\"shape\": [1]}}}";
    struct model_request r = {0};
    struct error err = {0};
    if (decode_model_request(body, strlen(body), false, &test_limits, &r, &err) != ERR_ok)
        print_mistakes(&err);
    assert_non_null(r.model);
    return r;
}

static void expect_mistake(const char *body, err_code code, const char *pointer, size_t total)
{
    struct model_request r = make_model();
    struct tensor **tensors = NULL;
    struct error err = {0};
    assert_int_equal(decode_parameters(body, strlen(body), r.model, &test_limits, &tensors, &err), ERR_invalid_request);
    if (!has_mistake(&err, code, pointer) || err.total != total)
        print_mistakes(&err);
    assert_true(has_mistake(&err, code, pointer));
    assert_int_equal(err.total, total);
    assert_null(tensors);
    error_clear(&err);
    model_request_clear(&r);
}

static void test_all(void **state)
{
    (void)state;
    static const char body[] = "{\"parameters\": {\"b\": {\"shape\": [1], \"data\": [3]}, \"W\": [[1], [0.1]]}}";
    struct model_request r = make_model();
    struct tensor **tensors = NULL;
    struct error err = {0};
    assert_int_equal(decode_parameters(body, strlen(body), r.model, &test_limits, &tensors, &err), ERR_ok);
    assert_int_equal(tensors[0]->dtype, DTYPE_FLOAT32);
    assert_true(tensor_get(tensors[0], 1) == (double)0.1f);
    assert_true(tensor_get(tensors[1], 0) == 3);
    tensors_free(tensors, r.model->parameter_count);
    model_request_clear(&r);
}

static void test_mistakes(void **state)
{
    (void)state;
    expect_mistake("{\"parameters\": {\"W\": [[1], [2]]}}", ERR_missing_field, "/parameters/b", 1);
    expect_mistake("{\"parameters\": {\"W\": [[1, 2]], \"b\": [1], \"bb\": 1}}", ERR_shape_mismatch, "/parameters/W",
                   2);
    expect_mistake("{\"parameters\": {\"W\": [[1], [2]], \"b\": [1], \"X\": 1}}", ERR_unknown_name, "/parameters/X", 1);
    expect_mistake("{\"parameters\": {\"W\": [[1], [1e39]], \"b\": [1]}}", ERR_nonfinite_number, "/parameters/W/1/0",
                   1);
    expect_mistake("{\"parameters\": []}", ERR_wrong_type, "/parameters", 1);
    expect_mistake("{\"version\": 1}", ERR_unknown_field, "/version", 2);
    expect_mistake("3", ERR_wrong_type, "", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
