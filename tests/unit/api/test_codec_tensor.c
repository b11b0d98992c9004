/* Tensors and shapes from JSON: every form, every dtype, and every mistake at its place. */
#include "api/codec_tensor.h"
#include "codec_support.h"
#include <string.h>

static bool read_text(const char *text, enum dtype dtype, const struct limits *limits, struct tensor **ret,
                      struct error *err)
{
    json_t *value = NULL;
    struct where root = {0}, at = {.up = &root, .key = "x"};
    assert_int_equal(json_read(text, strlen(text), 64, &value, err), ERR_ok);
    bool read = read_tensor(value, dtype, limits, &at, ret, err);
    json_decref(value);
    return read;
}

static struct tensor *accept(const char *text, enum dtype dtype, const char *shape)
{
    struct tensor *t = NULL;
    struct error err = {0};
    char shown[SHAPE_TEXT_MAX];
    bool read = read_text(text, dtype, &test_limits, &t, &err);
    if (!read)
        print_mistakes(&err);
    assert_true(read);
    assert_int_equal(err.total, 0);
    assert_int_equal(t->dtype, dtype);
    assert_string_equal(shape_text(t->shape, shown), shape);
    return t;
}

static void refuse(const char *text, enum dtype dtype, err_code code, const char *pointer, const char *detail)
{
    struct tensor *t = NULL;
    struct error err = {0};
    assert_false(read_text(text, dtype, &test_limits, &t, &err));
    assert_null(t);
    if (!has_mistake(&err, code, pointer) || strcmp(err.items[0].detail, detail) != 0)
        print_mistakes(&err);
    assert_true(has_mistake(&err, code, pointer));
    assert_string_equal(err.items[0].detail, detail);
    error_clear(&err);
}

static void test_forms(void **state)
{
    (void)state;
    struct tensor *t = accept("4.5", DTYPE_FLOAT64, "()");
    assert_true(tensor_get(t, 0) == 4.5);
    tensor_free(t);
    t = accept("[[1, 2, 3], [4, 5, 6]]", DTYPE_FLOAT32, "(2,3)");
    for (int64_t i = 0; i < 6; i++)
        assert_true(tensor_get(t, i) == (double)(i + 1));
    tensor_free(t);
    t = accept("{\"shape\": [3, 2], \"data\": [1, 2, 3, 4, 5, 6]}", DTYPE_FLOAT64, "(3,2)");
    assert_true(tensor_get(t, 5) == 6);
    tensor_free(t);
    t = accept("{\"data\": [7], \"shape\": []}", DTYPE_FLOAT64, "()");
    assert_true(tensor_get(t, 0) == 7);
    tensor_free(t);
    tensor_free(accept("[[[[[[[[1]]]]]]]]", DTYPE_FLOAT64, "(1,1,1,1,1,1,1,1)"));
}

static void test_empty_ones(void **state)
{
    (void)state;
    tensor_free(accept("[]", DTYPE_FLOAT64, "(0)"));
    tensor_free(accept("[[], []]", DTYPE_FLOAT32, "(2,0)"));
    tensor_free(accept("{\"shape\": [0, 3], \"data\": []}", DTYPE_FLOAT32, "(0,3)"));
}

static void test_values_are_rounded_once(void **state)
{
    (void)state;
    struct tensor *t = accept("[0.1, -0, 1e-50, 3.4028235e38]", DTYPE_FLOAT32, "(4)");
    const float *data = t->data;
    assert_true(data[0] == 0.1f);
    assert_true(data[1] == 0 && __builtin_signbit(data[1]));
    assert_true(data[2] == 0);
    assert_true(data[3] == 3.4028235e38f);
    tensor_free(t);
}

static void test_mistakes(void **state)
{
    (void)state;
    refuse("[[1, 2], [3]]", DTYPE_FLOAT64, ERR_invalid_tensor, "/x/1",
           "this array has 1 elements, its neighbours have 2");
    refuse("[[1, 2], 3]", DTYPE_FLOAT64, ERR_invalid_tensor, "/x/1",
           "this must be an array of 2, as its neighbours are, not a number");
    refuse("[1, [2]]", DTYPE_FLOAT64, ERR_wrong_type, "/x/1", "this must be a number, not an array");
    refuse("[1, null]", DTYPE_FLOAT64, ERR_wrong_type, "/x/1", "this must be a number, not null");
    refuse("[\"1\"]", DTYPE_FLOAT64, ERR_wrong_type, "/x/0", "this must be a number, not a string");
    refuse("true", DTYPE_FLOAT64, ERR_wrong_type, "/x",
           "this must be a tensor (a number, nested arrays, or {\"shape\", \"data\"}), not true or false");
    refuse("[1, 3.5e38]", DTYPE_FLOAT32, ERR_nonfinite_number, "/x/1", "3.5e38 is beyond the range of float32");
    refuse("-1e39", DTYPE_FLOAT32, ERR_nonfinite_number, "/x", "-1e39 is beyond the range of float32");
    refuse("[[[[[[[[[1]]]]]]]]]", DTYPE_FLOAT64, ERR_rank_too_large, "/x", "a tensor has at most 8 dimensions");
    refuse("{\"shape\": [2, 2], \"data\": [1, 2, 3]}", DTYPE_FLOAT64, ERR_invalid_tensor, "/x/data",
           "the shape has 4 elements, the data 3");
    refuse("{\"shape\": [2]}", DTYPE_FLOAT64, ERR_missing_field, "/x/data", "the field 'data' is required");
    refuse("{\"shape\": [\"batch\"], \"data\": [1]}", DTYPE_FLOAT64, ERR_invalid_tensor, "/x/shape",
           "the shape of a value is made of numbers");
    refuse("{\"shape\": [1], \"data\": [[1]]}", DTYPE_FLOAT64, ERR_wrong_type, "/x/data/0",
           "this must be a number, not an array");
    refuse("{\"shape\": [1], \"data\": [1], \"dtype\": \"float32\"}", DTYPE_FLOAT64, ERR_unknown_field, "/x/dtype",
           "there is no field 'dtype'; the fields are: shape, data");
    refuse("{\"shape\": [4294967296, 4294967296], \"data\": []}", DTYPE_FLOAT64, ERR_out_of_range, "/x/shape/0",
           "this must be 0 to 2147483648, not 4294967296");
    refuse("{\"shape\": [2147483648, 2147483648], \"data\": []}", DTYPE_FLOAT64, ERR_limit_exceeded, "/x",
           "a tensor (2147483648,2147483648) has over 2147483648 elements");
}

static void test_all_mistakes_are_told(void **state)
{
    (void)state;
    struct tensor *t = NULL;
    struct error err = {0};
    assert_false(read_text("[1, null, \"a\", [], 2]", DTYPE_FLOAT64, &test_limits, &t, &err));
    assert_int_equal(err.total, 3);
    error_clear(&err);
}

/* Ragged arrays may claim the product of their longest sides; none of it is allocated. */
static void test_a_ragged_giant_takes_no_memory(void **state)
{
    (void)state;
    enum { SIDE = 40000 };
    char *text = test_malloc(4 * SIDE + 16), *end = text;
    struct tensor *t = NULL;
    struct error err = {0};
    *end++ = '[';
    *end++ = '[';
    for (int i = 0; i < SIDE; i++)
        end = memcpy(end, "0,", 2), end += 2;
    end[-1] = ']';
    for (int i = 1; i < SIDE; i++)
        end = memcpy(end, ",0", 2), end += 2;
    memcpy(end, "]", 2);
    assert_false(read_text(text, DTYPE_FLOAT64, &test_limits, &t, &err));
    assert_int_equal(err.total, SIDE - 1);
    assert_true(has_mistake(&err, ERR_invalid_tensor, "/x/1"));
    error_clear(&err);
    test_free(text);
}

static void test_shapes(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shape; /* NULL: refused */
        err_code code;
        const char *pointer;
    } cases[] = {{"[\"batch\", 10]", "(batch,10)", ERR_ok, NULL},
                 {"[]", "()", ERR_ok, NULL},
                 {"[0]", "(0)", ERR_ok, NULL},
                 {"[10, \"batch\"]", NULL, ERR_invalid_value, "/1"},
                 {"[\"rows\"]", NULL, ERR_invalid_value, "/0"},
                 {"[-1]", NULL, ERR_out_of_range, "/0"},
                 {"[1.5]", NULL, ERR_wrong_type, "/0"},
                 {"[null]", NULL, ERR_wrong_type, "/0"},
                 {"10", NULL, ERR_wrong_type, ""},
                 {"[1,1,1,1,1,1,1,1,1]", NULL, ERR_rank_too_large, ""}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *value = NULL;
        struct where root = {0};
        struct error err = {0};
        struct shape shape;
        char shown[SHAPE_TEXT_MAX];
        assert_int_equal(json_read(cases[i].text, strlen(cases[i].text), 64, &value, &err), ERR_ok);
        assert_int_equal(read_shape(value, &test_limits, &root, &shape, &err), cases[i].shape != NULL);
        if (cases[i].shape)
            assert_string_equal(shape_text(shape, shown), cases[i].shape);
        else
            assert_true(has_mistake(&err, cases[i].code, cases[i].pointer));
        error_clear(&err);
        json_decref(value);
    }
}

static void test_lists_of_whole_numbers(void **state)
{
    (void)state;
    struct where root = {0};
    struct error err = {0};
    json_t *value = NULL;
    int64_t *items = NULL;
    size_t count = 0;
    assert_int_equal(json_read("[1, -2]", 7, 64, &value, &err), ERR_ok);
    assert_true(read_wholes(value, -9, 9, 2, &root, &items, &count, &err));
    assert_int_equal(count, 2);
    assert_int_equal(items[1], -2);
    free(items);
    assert_false(read_wholes(value, -9, 9, 1, &root, &items, &count, &err));
    assert_true(has_mistake(&err, ERR_limit_exceeded, ""));
    assert_false(read_wholes(value, 0, 9, 2, &root, &items, &count, &err));
    assert_true(has_mistake(&err, ERR_out_of_range, "/1"));
    assert_true(read_wholes(json_array_get(value, 0), 0, 9, 2, &root, &items, &count, &err));
    assert_int_equal(count, 1);
    free(items);
    error_clear(&err);
    json_decref(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_empty_ones),
        cmocka_unit_test(test_values_are_rounded_once),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_all_mistakes_are_told),
        cmocka_unit_test(test_a_ragged_giant_takes_no_memory),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_lists_of_whole_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
