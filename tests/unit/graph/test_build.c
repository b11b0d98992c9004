/* From programs to graphs: shapes that follow, and mistakes of shapes. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what follows: the shapes that are given, then those that are expected */

static const struct {
    const char *program, *given, *expected;
} solved[] = {
    {fixture_lesson, fixture_lesson_shapes, "l1=(batch,8) s1=(batch,8) l2=(batch,1) cost=()"},
    {fixture_lesson, "X=(batch,10) y=(batch,1) W1=(10,8)", "b1=(8) W2=(8,1) b2=(1)"},
    {fixture_lesson, "X=(batch,10) y=(batch,1) b1=(8)", "W1=(10,8) W2=(8,1) b2=(1)"},
    {fixture_lesson, "X=(batch,10) y=(batch,1) W2=(8,1)", "W1=(10,8) b1=(8) b2=(1)"},
    {fixture_lesson, "X W1=(10,8) W2=(8,1) y=(batch,1)", "X=(batch,10) b1=(8)"},
    {fixture_lesson, "X=(batch,10) W1=(10,8) W2=(8,1)", "y=(batch,1) b1=(8)"},
    {"p = X @ W; c = MSE(p, y)", "X=(batch,3) y=(batch,2)", "W=(3,2)"},
    {"p = X @ w; c = MSE(p, y)", "X=(batch,3) y=(batch)", "w=(3)"},
    {"p = X @ W; c = MSE(p, y)", "W=(3,2) y=(batch,2)", "X=(batch,3)"},
    {"p = a @ b; c = MSE(p, y)", "a=(4) y=()", "b=(4)"},
    {"p = 2 * Tanh(-z) + 1; c = MAE(p, y)", "y=(batch,4)", "z=(batch,4)"},
    {"p = Transpose(x); c = MSE(p, y)", "y=(2,3)", "x=(3,2)"},
    {"p = Transpose(x, perm=[1, 2, 0]); c = MSE(p, y)", "y=(2,3,4)", "x=(4,2,3)"},
    {"p = Reshape(x, shape=[2, 3]); c = MSE(p, y)", "x=(6)", "y=(2,3)"},
    {"c = CrossEntropy(Linear(X, W), y)", "X=(batch,4) y=(batch,3)", "W=(4,3)"},
    {"g = grad(x ^ 2, x); c = MSE(g, y)", "y=(5)", "x=(5)"},
    {"p = LayerNormalization(X, s, b)", "X=(batch,4)", "s=(4) b=(4)"},
    {"p = LayerNormalization(X, s, b, axis=-2)", "X=(batch,3,4) b=(4)", "s=(3,4) b=(4)"},
    {"p = Flip(x, axes=0); c = MSE(p, y)", "y=(2,3)", "x=(2,3)"},
    {"h = Linear(X, V); c = MSE(Linear(h, W), y)", "X=(batch,7,2) V=(2,3) y=(batch,7,4)", "W=(3,4)"},
};

static void test_solves_shapes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof solved / sizeof *solved; i++) {
        struct graph *g = fixture_graph(solved[i].program, solved[i].given);
        char expected[256], buffer[SHAPE_TEXT_MAX], *rest = NULL;
        (void)snprintf(expected, sizeof expected, "%s", solved[i].expected);
        for (char *item = strtok_r(expected, " ", &rest); item; item = strtok_r(NULL, " ", &rest)) {
            char *shape = strchr(item, '=');
            *shape++ = '\0';
            if (strcmp(fixture_shape(g, item, buffer), shape) != 0)
                fail_msg("%s\n%s: %s is %s, not %s", solved[i].program, solved[i].given, item, buffer, shape);
        }
        graph_free(g);
    }
}

/* ---- what is wrong */

static const struct {
    const char *program, *given, *errors;
} mistakes[] = {
    /* the contract's example: both mistakes at once */
    {"X, y = Input(), Input()\nW1, b1 = Input(), Input()\nW2, b2 = Input(), Input()\n\nl1 = Linear(X, W1, b1)\ns1 = "
     "Sigmod(l1)\n"
     "l2 = Linear(X, W2, b2)\ncost = MSE(l2, y)\n",
     fixture_lesson_shapes,
     "unknown_op 6:6 no op 'Sigmod'; did you mean 'Sigmoid'?\n"
     "shape_mismatch 7:6 Linear: X is (batch,10) but W2 is (8,1) [(batch,8), (batch,10)]\n"},
    {fixture_lesson, "X=(batch,10) y=(batch,1)",
     "unknown_shape 2:10 the shape of 'W1' does not follow from the rest, only that it is (10,?)\n"
     "unknown_shape 2:19 the shape of 'b1' does not follow from the rest, only that it is (?)\n"
     "unknown_shape 3:10 the shape of 'W2' does not follow from the rest, only that it is (?,1)\n"},
    {fixture_lesson, "X=(batch,10) y=(batch) W1=(10,8) b1=(8) W2=(8,1) b2=(1)",
     "shape_mismatch 8:8 MSE: l2 is (batch,1) but y is (batch) [(batch,1), (batch)]\n"},
    {fixture_lesson, "X=(batch,10) y=(batch,1) W1=(9,8) b1=(8) W2=(8,1) b2=(1)",
     "shape_mismatch 5:6 Linear: X is (batch,10) but W1 is (9,8) [(batch,9), (batch,10)]\n"},
    {fixture_lesson, "X=(batch,10) y=(batch,1) W1=(10,8) b1=(7) W2=(8,1) b2=(1)",
     "shape_mismatch 5:6 Linear: W1 is (10,8) but b1 is (7) [(8), (7)]\n"},
    {"f = x + b", "x=(batch,3) b", "unknown_shape 0:0 the shape of 'b' does not follow from the rest\n"},
    {"f = x + b", "x=(batch,3)", "unknown_shape 1:9 the shape of 'b' does not follow from the rest\n"},
    {"f = x * 2", "x=(3) z=(2) xx=()",
     "unknown_name 0:0 the program has no input 'z'\n"
     "unknown_name 0:0 the program has no input 'xx'; did you mean 'x'?\n"},
    {"f = x * 2", "x=(3) f=(3)", "invalid_name 0:0 'f' is computed by the program, it is no input\n"},
    {"f = x * 2", "x=(3) x=(3)", "duplicate_name 0:0 'x' is listed twice\n"},
    {"f = x * 2", "x=(65536,65536)",
     "limit_exceeded 0:0 Input: (65536,65536) has 4294967296 elements, the limit is 2147483648\n"},
    /* one mistake is told once */
    {"a = x + y\nb = a * z\nc = Sigmoid(b) @ a", "x=(2) y=(3) z=(4)",
     "shape_mismatch 1:7 Add: x is (2) but y is (3) [(2), (3)]\n"},
    {"a = x + y; b = x - y", "x=(2) y=(3)",
     "shape_mismatch 1:7 Add: x is (2) but y is (3) [(2), (3)]\n"
     "shape_mismatch 1:18 Sub: x is (2) but y is (3) [(2), (3)]\n"},
    /* a broken line hides what would follow from it: nothing is said of that */
    {"h = Linear(X, W1\nc = MSE(Linear(h, W2), y)", "X=(batch,10) y=(batch,1)",
     "syntax_error 1:17 expected ',' or ')' after 'W1'\n"},
};

static void test_tells_mistakes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        struct error err = {0};
        assert_null(fixture_build(mistakes[i].program, mistakes[i].given, &err));
        char *errors = fixture_errors(&err);
        if (strcmp(errors, mistakes[i].errors) != 0)
            fail_msg("%s\n%s\ngives  %snot    %s", mistakes[i].program, mistakes[i].given, errors, mistakes[i].errors);
        free(errors);
        error_clear(&err);
    }
}

/* ---- the graph */

static void test_ids_are_the_programs(void **state)
{
    (void)state;
    struct program *p = fixture_program(fixture_lesson);
    struct graph *g = fixture_graph(fixture_lesson, fixture_lesson_shapes);
    assert_int_equal(graph_size(g), program_size(p));
    for (size_t i = 0; i < graph_size(g); i++) {
        assert_int_equal(graph_node(g, (node_id)i)->op, program_node(p, (node_id)i)->op);
        assert_string_equal(graph_node(g, (node_id)i)->name, program_node(p, (node_id)i)->name);
    }
    program_free(p);
    graph_free(g);
}

static void test_binds_batch(void **state)
{
    (void)state;
    char buffer[SHAPE_TEXT_MAX];
    struct graph *g = fixture_graph(fixture_lesson, fixture_lesson_shapes), *bound = NULL;
    for (int64_t batch = 0; batch < 3; batch++) {
        assert_int_equal(graph_bind(g, batch, &bound, NULL), ERR_ok);
        assert_int_equal(graph_size(bound), graph_size(g));
        for (size_t i = 0; i < graph_size(bound); i++)
            assert_true(shape_is_concrete(graph_node(bound, (node_id)i)->shape));
        assert_int_equal(graph_node(bound, graph_find(bound, "l1"))->shape.dim[0], batch);
        graph_free(bound);
    }
    assert_int_equal(graph_bind(g, -1, &bound, NULL), ERR_limit_exceeded);
    assert_int_equal(graph_bind(g, 1 << 28, &bound, NULL), ERR_limit_exceeded);
    graph_free(g);

    /* What only a known batch tells is checked when it is known. */
    g = fixture_graph("t = Concat(X, Constant(value=[1, 2, 3]), axis=0); f = t + z", "X=(batch) z=(5)");
    assert_string_equal(fixture_shape(g, "t", buffer), "(?)");
    assert_string_equal(fixture_shape(g, "f", buffer), "(5)");
    assert_int_equal(graph_bind(g, 2, &bound, NULL), ERR_ok);
    assert_string_equal(fixture_shape(bound, "t", buffer), "(5)");
    graph_free(bound);
    assert_int_equal(graph_bind(g, 4, &bound, NULL), ERR_shape_mismatch);
    graph_free(g);
}

static void test_numbers_dropouts(void **state)
{
    (void)state;
    struct graph *g = fixture_graph("a = Dropout(x); b = Dropout(a, ratio=0.1); c = Dropout(b, ordinal=-1)", "x=(3)");
    assert_int_equal(node_int(graph_node(g, graph_find(g, "a")), ATTRIBUTE_ordinal), 0);
    assert_int_equal(node_int(graph_node(g, graph_find(g, "b")), ATTRIBUTE_ordinal), 1);
    assert_int_equal(node_int(graph_node(g, graph_find(g, "c")), ATTRIBUTE_ordinal), 2);
    assert_near(node_float(graph_node(g, graph_find(g, "b")), ATTRIBUTE_ratio), 0.1, 0, 0);
    graph_free(g);
}

static void test_bounds_nodes(void **state)
{
    (void)state;
    struct program *p = fixture_program("f = x + x + x + x");
    struct graph *g = NULL;
    struct named_shape known = {.name = "x"};
    struct error err = {0};
    assert_int_equal(graph_build(p, &known, 1, 3, &g, &err), ERR_limit_exceeded);
    assert_int_equal(err.total, 1);
    error_clear(&err);
    assert_int_equal(graph_build(p, &known, 1, 4, &g, &err), ERR_ok);
    graph_free(g);
    program_free(p);
}

static void test_marks_what_is_needed(void **state)
{
    (void)state;
    struct graph *g = fixture_graph("a = x * y; b = x + 1; c = a - y", "x=() y=()");
    unsigned char marks[16] = {0};
    node_id root = graph_find(g, "c");
    graph_mark_needed(g, &root, 1, marks);
    assert_int_equal(marks[graph_find(g, "a")], 1);
    assert_int_equal(marks[graph_find(g, "x")], 1);
    assert_int_equal(marks[graph_find(g, "b")], 0);
    graph_free(g);
}

/* The deepest chain that ten thousand names can make, whose shapes all follow from its end. */
static void test_solves_long_chains(void **state)
{
    (void)state;
    struct text t = {0};
    text_puts(&t, "h0 = Linear(X, W0)\n");
    for (int i = 1; i < 3000; i++)
        text_printf(&t, "s%d = Relu(h%d); h%d = Linear(s%d, W%d)\n", i, i - 1, i, i, i % 2 ? 0 : i);
    text_puts(&t, "c = MSE(h2999, y)\n");
    struct graph *g = fixture_graph(t.data, "y=(batch,4) X=(batch,4)");
    char buffer[SHAPE_TEXT_MAX];
    assert_string_equal(fixture_shape(g, "W0", buffer), "(4,4)");
    graph_free(g);
    text_clear(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_solves_shapes),        cmocka_unit_test(test_tells_mistakes),
        cmocka_unit_test(test_ids_are_the_programs), cmocka_unit_test(test_binds_batch),
        cmocka_unit_test(test_numbers_dropouts),     cmocka_unit_test(test_bounds_nodes),
        cmocka_unit_test(test_marks_what_is_needed), cmocka_unit_test(test_solves_long_chains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
