/* Models from JSON: the three forms, what follows from what, and every mistake at its place. */
#include "codec_support.h"
#include <string.h>

#define LESSON                                                                                                         \
    "X, y = Input(), Input()\\nW1, b1 = Input(), Input()\\nW2, b2 = Input(), Input()\\n\\nl1 = Linear(X, W1, b1)\\n"   \
    "s1 = Sigmoid(l1)\\nl2 = Linear(s1, W2, b2)\\ncost = MSE(l2, y)"

static struct model_request accept(const char *body)
{
    struct model_request request = {0};
    struct error err = {0};
    err_code code = decode_model_request(body, strlen(body), false, &test_limits, &request, &err);
    if (code != ERR_ok)
        print_mistakes(&err);
    assert_int_equal(code, ERR_ok);
    error_clear(&err);
    return request;
}

static struct error refuse(const char *body, err_code expected)
{
    struct model_request request = {0};
    struct error err = {0};
    err_code code = decode_model_request(body, strlen(body), false, &test_limits, &request, &err);
    if (code != expected)
        print_mistakes(&err);
    assert_int_equal(code, expected);
    assert_int_equal(err.code, expected);
    return err;
}

static void expect_mistake(const char *body, err_code code, const char *pointer)
{
    struct error err = refuse(body, ERR_invalid_model);
    if (!has_mistake(&err, code, pointer))
        print_mistakes(&err);
    assert_true(has_mistake(&err, code, pointer));
    error_clear(&err);
}

static void assert_shape(const struct model *m, const char *name, const char *expected)
{
    char text[SHAPE_TEXT_MAX];
    node_id id = graph_find(m->graph, name);
    assert_true(id != NODE_NONE);
    assert_string_equal(shape_text(graph_node(m->graph, id)->shape, text), expected);
}

static void test_lesson(void **state)
{
    (void)state;
    struct model_request r =
        accept("{\"name\": \"lesson\", \"program\": \"" LESSON "\","
               "\"inputs\": {\"X\": {\"shape\": [\"batch\", 10]}, \"y\": {\"shape\": [\"batch\", 1]}},"
               "\"parameters\": {\"W1\": {\"shape\": [10, 8]}, \"b1\": {}, \"W2\": {}, \"b2\": {\"init\": \"ones\"}},"
               "\"cost\": \"cost\"}");
    const struct model *m = r.model;
    assert_string_equal(r.name, "lesson");
    assert_int_equal(m->input_count, 2);
    assert_int_equal(m->parameter_count, 4);
    assert_shape(m, "b1", "(8)");
    assert_shape(m, "W2", "(8,1)");
    assert_shape(m, "b2", "(1)");
    assert_shape(m, "l2", "(batch,1)");
    assert_int_equal(m->parameters[0].init, INIT_GLOROT_UNIFORM);
    assert_int_equal(m->parameters[1].init, INIT_ZEROS);
    assert_int_equal(m->parameters[3].init, INIT_ONES);
    assert_string_equal(graph_node(m->graph, m->output)->name, "l2");
    assert_string_equal(graph_node(m->graph, m->cost)->name, "cost");
    model_request_clear(&r);
}

static void test_unlisted_leaves_are_parameters(void **state)
{
    (void)state;
    struct model_request r = accept(
        "{\"program\": \"" LESSON
        "\", \"inputs\": {\"X\": {\"shape\": [\"batch\", 10]}, \"y\": {\"shape\": [\"batch\", 1]}},"
        "\"parameters\": {\"W1\": {\"shape\": [10, 8]}, \"b1\": {}, \"W2\": {}, \"b2\": {}}, \"cost\": \"cost\"}");
    struct model_request s = accept("{\"program\": \"y = X * w\", \"inputs\": {\"X\": {\"shape\": [\"batch\"]}}, "
                                    "\"parameters\": {\"w\": {\"init\": {\"value\": 3}}}}");
    assert_int_equal(s.model->parameter_count, 1);
    assert_shape(s.model, "w", "()");
    assert_true(s.model->cost == NODE_NONE);
    model_request_clear(&s);
    model_request_clear(&r);
}

static void test_canonical_reads_back(void **state)
{
    (void)state;
    struct model_request lines =
        accept("{\"seed\": 3, \"program\": [\"a = w * 2\", \"b = a + 1\"], \"parameters\": {\"w\": {\"shape\": [2]}}}");
    struct model_request text = accept("{\"program\": \"a = w * 2\\nb = a + 1\", \"parameters\": {\"w\": {\"shape\": "
                                       "[2]}}, \"dtype\": \"float32\", \"seed\": 3.0}");
    assert_string_equal(lines.canonical, text.canonical);
    struct model *again = NULL;
    assert_int_equal(decode_model(lines.canonical, &test_limits, &again, NULL), ERR_ok);
    assert_int_equal(graph_size(again->graph), graph_size(lines.model->graph));
    assert_int_equal(again->seed, 3);
    model_free(again);
    model_request_clear(&lines);
    model_request_clear(&text);
}

static void test_layers(void **state)
{
    (void)state;
    struct model_request r = accept("{\"layers\": [{\"op\": \"Linear\", \"units\": 8}, \"Sigmoid\", {\"op\": "
                                    "\"Linear\", \"units\": 1}], \"input\": 10, \"loss\": \"MSE\"}");
    assert_int_equal(r.model->input_count, 2);
    assert_int_equal(r.model->parameter_count, 4);
    assert_shape(r.model, "W1", "(10,8)");
    assert_shape(r.model, "l2", "(batch,1)");
    assert_string_equal(graph_node(r.model->graph, r.model->output)->name, "l2");
    assert_string_equal(graph_node(r.model->graph, r.model->cost)->name, "cost");
    model_request_clear(&r);
}

static void test_nodes(void **state)
{
    (void)state;
    struct model_request r =
        accept("{\"nodes\": [{\"name\": \"a\", \"op\": \"Mul\", \"inputs\": [\"x\", 2]}, {\"name\": \"s\", \"op\": "
               "\"ReduceSum\", \"inputs\": [\"a\"],"
               "\"attributes\": {\"axes\": [1]}}], \"inputs\": {\"x\": {\"shape\": [\"batch\", 3]}}}");
    assert_shape(r.model, "s", "(batch)");
    model_request_clear(&r);
}

static void test_errors_of_the_contract(void **state)
{
    (void)state;
    struct error err = refuse("{\"program\": \"X, y = Input(), Input()\\nW1, b1 = Input(), Input()\\nW2, b2 = Input(), "
                              "Input()\\n\\nl1 = Linear(X, W1, b1)\\n"
                              "s1 = Sigmod(l1)\\nl2 = Linear(l1, W2, b2)\\ncost = MSE(l2, y)\","
                              "\"inputs\": {\"X\": {\"shape\": [\"batch\", 10]}, \"y\": {\"shape\": [\"batch\", 1]}},"
                              "\"parameters\": {\"W1\": {\"shape\": [10, 10]}, \"b1\": {}, \"W2\": {\"shape\": [8, "
                              "1]}, \"b2\": {}}, \"cost\": \"cost\"}",
                              ERR_invalid_model);
    assert_true(err.item_count >= 2);
    assert_int_equal(err.items[0].code, ERR_unknown_op);
    assert_string_equal(err.items[0].pointer, "/program");
    assert_int_equal(err.items[0].line, 6);
    assert_int_equal(err.items[0].column, 6);
    assert_string_equal(err.items[0].detail, "no op 'Sigmod'; did you mean 'Sigmoid'?");
    assert_int_equal(err.items[1].code, ERR_shape_mismatch);
    assert_int_equal(err.items[1].line, 7);
    assert_int_equal(err.items[1].column, 6);
    assert_true(err.items[1].has_shapes);
    error_clear(&err);
}

static void test_mistakes(void **state)
{
    (void)state;
    expect_mistake("{}", ERR_missing_field, NULL);
    expect_mistake("[]", ERR_wrong_type, NULL);
    expect_mistake("{\"program\": \"a = 1\", \"layers\": []}", ERR_conflicting_fields, "/layers");
    expect_mistake("{\"program\": \"a = 1\", \"sed\": 1}", ERR_unknown_field, "/sed");
    expect_mistake("{\"program\": \"a = 1\", \"seed\": -1}", ERR_out_of_range, "/seed");
    expect_mistake("{\"program\": \"a = 1\", \"seed\": 1.5}", ERR_wrong_type, "/seed");
    expect_mistake("{\"program\": \"a = 1\", \"dtype\": \"int8\"}", ERR_invalid_value, "/dtype");
    expect_mistake("{\"program\": \"a = 1\", \"name\": \"-a\"}", ERR_invalid_name, "/name");
    expect_mistake("{\"program\": \"a = 1\", \"cost\": \"b\"}", ERR_unknown_name, "/cost");
    expect_mistake("{\"program\": \"a = x + 1\", \"inputs\": {\"x\": {\"shape\": [\"batch\"]}}, \"cost\": \"a\"}",
                   ERR_shape_mismatch, "/cost");
    expect_mistake("{\"program\": \"a = x + 1\", \"inputs\": {\"X\": {\"shape\": [\"batch\"]}}}", ERR_unknown_name,
                   "/program");
    expect_mistake("{\"program\": \"a = x + 1\"}", ERR_unknown_shape, NULL);
    expect_mistake("{\"program\": \"a = x + 1\", \"inputs\": {\"x\": {\"shape\": [2, \"batch\"]}}}", ERR_invalid_value,
                   "/inputs/x/shape/1");
    expect_mistake("{\"program\": \"a = x + 1\", \"inputs\": {\"x\": {\"shape\": [1,1,1,1,1,1,1,1,1]}}}",
                   ERR_rank_too_large, "/inputs/x/shape");
    expect_mistake("{\"program\": \"a = x + 1\", \"parameters\": {\"x\": {\"shape\": [2], \"init\": \"he_normal\"}}}",
                   ERR_invalid_value, "/parameters/x/init");
    expect_mistake(
        "{\"program\": \"a = x + 1\", \"parameters\": {\"x\": {\"shape\": [2], \"init\": {\"value\": [1, 2, 3]}}}}",
        ERR_shape_mismatch, "/parameters/x/init/value");
    expect_mistake("{\"program\": \"a = x + 1\", \"parameters\": {\"x\": {\"shape\": [\"batch\"]}}}", ERR_invalid_value,
                   "/parameters/x/shape");
    expect_mistake("{\"program\": \"a = x + 1\", \"inputs\": {\"x\": {\"shape\": [2]}}, \"parameters\": {\"x\": {}}}",
                   ERR_duplicate_name, "/parameters/x");
    expect_mistake("{\"program\": \"a = x + 1\", \"inputs\": {\"x\": {\"shape\": [2]}, \"z\": {\"shape\": [1]}}}",
                   ERR_unknown_name, "/inputs/z");
    expect_mistake("{\"nodes\": [{\"name\": \"a\", \"op\": \"Relu\", \"inputs\": [\"z\"]}], \"inputs\": {\"x\": "
                   "{\"shape\": [1]}}}",
                   ERR_unknown_name, "/nodes/0/inputs/0");
    expect_mistake("{\"nodes\": [{\"name\": \"a\", \"op\": \"Relux\", \"inputs\": [1]}]}", ERR_unknown_op,
                   "/nodes/0/op");
    expect_mistake(
        "{\"nodes\": [{\"name\": \"a\", \"op\": \"Softmax\", \"inputs\": [[1, 2]], \"attributes\": {\"axes\": 1}}]}",
        ERR_unknown_attribute, "/nodes/0/attributes/axes");
    expect_mistake("{\"layers\": [{\"op\": \"Linear\"}], \"input\": 3}", ERR_missing_attribute, "/layers/0");
    expect_mistake("{\"layers\": [\"Sigmoid\"]}", ERR_missing_field, "/input");
}

static void test_json_mistakes(void **state)
{
    (void)state;
    static const char *const bodies[] = {"{\"seed\": 1, \"seed\": 2}",
                                         "{\"seed\": 1e999}",
                                         "{\"seed\": NaN}",
                                         "{",
                                         "{\"a\": \"\\ud800\"}",
                                         "{} x",
                                         "\xef\xbb\xbf{}",
                                         "{\"a\": \"\xff\"}",
                                         "{\"a\": 01}",
                                         "'a'"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct error err = refuse(bodies[i], ERR_invalid_json);
        assert_int_equal(err.item_count, 1);
        assert_true(err.items[0].line >= 1);
        error_clear(&err);
    }
    char deep[300];
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    struct error err = refuse(deep, ERR_invalid_json);
    error_clear(&err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lesson),
        cmocka_unit_test(test_unlisted_leaves_are_parameters),
        cmocka_unit_test(test_canonical_reads_back),
        cmocka_unit_test(test_layers),
        cmocka_unit_test(test_nodes),
        cmocka_unit_test(test_errors_of_the_contract),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_json_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
