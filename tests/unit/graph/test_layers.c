/* The layers form: which program and which shapes it expands into. */
#include "fixture.h"

#include "graph/layers.h"
#include <stdlib.h>
#include <string.h>

static const struct attribute last_axis = {.key = ATTRIBUTE_axis, .kind = KIND_INT, .integer = -1};
static const struct attribute wrong_axis = {.key = ATTRIBUTE_axis, .kind = KIND_INT, .integer = 5};
static const struct attribute quarter = {.key = ATTRIBUTE_ratio, .kind = KIND_FLOAT, .number = 0.25};
static const int64_t flat[] = {0, -1};
static const struct attribute to_rows = {.key = ATTRIBUTE_shape, .kind = KIND_INTS, .ints = {flat, 2}};

/* The program printed, then the shapes of its leaves. */
static char *describe(const struct layers_result *r)
{
    struct named_shape known[32];
    size_t count = 0;
    known[count++] = (struct named_shape){.name = "X", .shape = r->input};
    if (r->has_target)
        known[count++] = (struct named_shape){.name = "y", .shape = r->target};
    for (size_t i = 0; i < r->parameter_count; i++)
        known[count++] = (struct named_shape){.name = r->parameters[i], .shape = r->parameter_shapes[i]};
    struct graph *g = NULL;
    struct text t = {0};
    assert_int_equal(graph_build(r->program, known, count, 1000, &g, NULL), ERR_ok);
    assert_int_equal(notation_print(g, NULL, 0, &t, NULL), ERR_ok);
    for (size_t i = 0; i < count; i++) {
        char shape[SHAPE_TEXT_MAX];
        text_printf(&t, "%s%s", known[i].name, shape_text(known[i].shape, shape));
    }
    graph_free(g);
    return text_take(&t);
}

static void check(const struct layer *layers, size_t count, struct shape input, enum op loss, const char *expected)
{
    struct layers_result r;
    struct error err = {0};
    if (layers_expand(layers, count, input, loss, (struct place){.pointer = "/loss"}, &r, &err) != ERR_ok)
        fail_msg("%s", err.items[0].detail);
    char *text = describe(&r);
    assert_string_equal(text, expected);
    free(text);
    program_free(r.program);
    error_clear(&err);
}

static void test_lesson(void **state)
{
    (void)state;
    const struct layer layers[] = {{.op = OP_Linear, .units = 8}, {.op = OP_Sigmoid}, {.op = OP_Linear, .units = 1}};
    check(layers, 3, shape_of(1, (int64_t[]){10}), OP_MSE,
          "X = Input()\ny = Input()\nW1 = Input()\nb1 = Input()\nW2 = Input()\nb2 = Input()\n"
          "l1 = Linear(X, W1, b1)\ns1 = Sigmoid(l1)\nl2 = Linear(s1, W2, b2)\ncost = MSE(l2, y)\n"
          "X(batch,10)y(batch,1)W1(10,8)b1(8)W2(8,1)b2(1)");
}

/* Numbered by letter: Relu and Reshape share r, Linear and LogSoftmax l, Sigmoid and Softmax s. */
static void test_names_and_attributes(void **state)
{
    (void)state;
    const struct layer layers[] = {
        {.op = OP_Reshape, .attributes = &to_rows, .attribute_count = 1},
        {.op = OP_Linear, .units = 4},
        {.op = OP_Relu},
        {.op = OP_Dropout, .attributes = &quarter, .attribute_count = 1},
        {.op = OP_LogSoftmax, .attributes = &last_axis, .attribute_count = 1},
        {.op = OP_Sigmoid},
        {.op = OP_Linear, .units = 3},
        {.op = OP_Softmax},
    };
    check(
        layers, 8, shape_of(3, (int64_t[]){1, 8, 8}), OP_CrossEntropy,
        "X = Input()\ny = Input()\nW1 = Input()\nb1 = Input()\nW2 = Input()\nb2 = Input()\n"
        "r1 = Reshape(X, shape=[0, -1])\nl1 = Linear(r1, W1, b1)\nr2 = Relu(l1)\nd1 = Dropout(r2, ratio=0.25, "
        "ordinal=0)\n"
        "l2 = LogSoftmax(d1)\ns1 = Sigmoid(l2)\nl3 = Linear(s1, W2, b2)\ns2 = Softmax(l3)\ncost = CrossEntropy(s2, y)\n"
        "X(batch,1,8,8)y(batch,1)W1(64,4)b1(4)W2(4,3)b2(3)");
}

static void test_without_loss(void **state)
{
    (void)state;
    const struct layer layers[] = {{.op = OP_Tanh}};
    check(layers, 1, shape_of(1, (int64_t[]){2}), OP_COUNT, "X = Input()\nt1 = Tanh(X)\nX(batch,2)");
}

static const int64_t edge[] = {1};
static const struct attribute pair = {.key = ATTRIBUTE_kernel, .kind = KIND_INT, .integer = 2};
static const struct attribute two_groups = {.key = ATTRIBUTE_group, .kind = KIND_INT, .integer = 2};
static const struct attribute edges[] = {{.key = ATTRIBUTE_pads, .kind = KIND_INTS, .ints = {edge, 1}},
                                         {.key = ATTRIBUTE_group, .kind = KIND_INT, .integer = 2}};

static void test_images(void **state)
{
    (void)state;
    const struct layer layers[] = {
        {.op = OP_Conv, .units = 16, .kernel = {{3}, 1}},
        {.op = OP_Relu},
        {.op = OP_MaxPool, .attributes = &pair, .attribute_count = 1},
        {.op = OP_Conv, .units = 4, .kernel = {{3, 1}, 2}, .attributes = edges, .attribute_count = 2},
        {.op = OP_GlobalAveragePool},
        {.op = OP_Reshape, .attributes = &to_rows, .attribute_count = 1},
        {.op = OP_Linear, .units = 10},
    };
    check(layers, 7, shape_of(3, (int64_t[]){1, 8, 8}), OP_CrossEntropy,
          "X = Input()\ny = Input()\nW1 = Input()\nb1 = Input()\nW2 = Input()\nb2 = Input()\nW3 = Input()\nb3 = "
          "Input()\n"
          "c1 = Conv(X, W1, b1)\nr1 = Relu(c1)\nm1 = MaxPool(r1, kernel=[2])\n"
          "c2 = Conv(m1, W2, b2, pads=[1], group=2)\ng1 = GlobalAveragePool(c2)\n"
          "r2 = Reshape(g1, shape=[0, -1])\nl1 = Linear(r2, W3, b3)\ncost = CrossEntropy(l1, y)\n"
          "X(batch,1,8,8)y(batch,1)W1(16,1,3,3)b1(16)W2(4,8,3,1)b2(4)W3(4,10)b3(10)");
    const struct layer row[] = {{.op = OP_Conv, .units = 2, .kernel = {{3}, 1}}};
    check(row, 1, shape_of(2, (int64_t[]){5, 7}), OP_COUNT,
          "X = Input()\nW1 = Input()\nb1 = Input()\nc1 = Conv(X, W1, b1)\nX(batch,5,7)W1(2,5,3)b1(2)");
}

static void refuse_image(const struct layer *layer, struct shape input, const char *expected)
{
    struct layers_result r = {0};
    struct error err = {0};
    assert_int_not_equal(layers_expand(layer, 1, input, OP_COUNT, (struct place){0}, &r, &err), ERR_ok);
    char *errors = fixture_errors(&err);
    assert_string_equal(errors, expected);
    free(errors);
    error_clear(&err);
}

static void test_mistakes_of_images(void **state)
{
    (void)state;
    const struct shape image = shape_of(3, (int64_t[]){3, 8, 8}), row = shape_of(2, (int64_t[]){3, 8});
    refuse_image(&(struct layer){.op = OP_Conv, .units = 4}, image,
                 "missing_attribute 0:0 Conv needs kernel, the size of its windows\n");
    refuse_image(&(struct layer){.op = OP_Linear, .units = 4, .kernel = {{3}, 1}}, image,
                 "unknown_attribute 0:0 Linear has no attribute 'kernel'\n");
    refuse_image(&(struct layer){.op = OP_Conv, .units = 4, .kernel = {{3, 3}, 2}}, row,
                 "invalid_attribute 0:0 Conv: kernel has 2 numbers, but there are 1 spatial axes\n");
    refuse_image(&(struct layer){.op = OP_Conv, .units = 4, .kernel = {{3}, 1}}, shape_of(1, (int64_t[]){8}),
                 "shape_mismatch 0:0 Conv: X is (batch,8), but must be (n,c,w) or (n,c,h,w)\n");
    refuse_image(
        &(struct layer){.op = OP_Conv, .units = 4, .kernel = {{3}, 1}, .attributes = &two_groups, .attribute_count = 1},
        image, "invalid_attribute 0:0 Conv: group is 2, which does not divide 3 channels\n");
}

static void test_mistakes(void **state)
{
    (void)state;
    const struct place at[] = {{.pointer = "/layers/0"}, {.pointer = "/layers/1"}, {.pointer = "/layers/2"}};
    const struct layer wrong[] = {
        {.op = OP_Linear, .place = at[0]}, {.op = OP_Add, .place = at[1]}, {.op = OP_Relu, .units = 3, .place = at[2]}};
    const struct layer bad_shape[] = {
        {.op = OP_Relu, .place = at[0]},
        {.op = OP_Softmax, .attributes = &wrong_axis, .attribute_count = 1, .place = at[1]}};
    struct shape ten = shape_of(1, (int64_t[]){10});
    struct place loss = {.pointer = "/loss"};
    struct layers_result r = {0};
    struct error err = {0};
    assert_int_equal(layers_expand(wrong, 3, ten, OP_Relu, loss, &r, &err), ERR_missing_attribute);
    char *errors = fixture_errors(&err);
    assert_string_equal(errors, "missing_attribute 0:0 Linear needs units, how many outputs it has\n"
                                "invalid_value 0:0 Add is no layer: it is not an op of one operand\n"
                                "unknown_attribute 0:0 Relu has no units: only layers with weights do\n"
                                "invalid_value 0:0 Relu is no loss\n");
    assert_string_equal(err.items[1].pointer, "/layers/1");
    assert_string_equal(err.items[3].pointer, "/loss");
    free(errors);
    error_clear(&err);
    assert_int_equal(layers_expand(bad_shape, 2, ten, OP_MSE, loss, &r, &err), ERR_invalid_attribute);
    assert_string_equal(err.items[0].pointer, "/layers/1");
    error_clear(&err);
    assert_int_equal(layers_expand(bad_shape, 1, ten, OP_CrossEntropy, loss, &r, &err), ERR_ok);
    program_free(r.program);
    r.program = NULL;
    assert_int_equal(layers_expand(bad_shape, 1, shape_of(1, (int64_t[]){1}), OP_CrossEntropy, loss, &r, &err),
                     ERR_shape_mismatch);
    assert_string_equal(err.items[0].pointer, "/loss");
    error_clear(&err);
    assert_int_equal(layers_expand(bad_shape, 1, (struct shape){0}, OP_MSE, loss, &r, NULL), ERR_rank_too_large);
    assert_int_equal(
        layers_expand(&(struct layer){.op = OP_Linear, .units = (int64_t)1 << 31}, 1, ten, OP_MSE, loss, &r, NULL),
        ERR_limit_exceeded);
    assert_null(r.program);
}

/* Every loss of a prediction and a target, as the vocabulary has them. */
static void test_losses(void **state)
{
    (void)state;
    static const enum op losses[] = {OP_MSE,           OP_MAE,   OP_Huber, OP_LogCosh,    OP_BCE,
                                     OP_BCEWithLogits, OP_KLDiv, OP_Hinge, OP_PoissonNLL, OP_CrossEntropy};
    const struct layer relu = {.op = OP_Relu};
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++) {
        struct layers_result r = {0};
        const struct shape ten = shape_of(1, (int64_t[]){10});
        assert_int_equal(layers_expand(&relu, 1, ten, losses[i], (struct place){0}, &r, NULL), ERR_ok);
        assert_int_equal(program_node(r.program, program_find(r.program, "cost"))->op, losses[i]);
        program_free(r.program);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lesson), cmocka_unit_test(test_names_and_attributes), cmocka_unit_test(test_without_loss),
        cmocka_unit_test(test_images), cmocka_unit_test(test_mistakes_of_images),   cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_losses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
