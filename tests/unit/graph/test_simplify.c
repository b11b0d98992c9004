/* Simplification: what becomes one, what goes, what must stay. */
#include "fixture.h"

#include "graph/builder.h"
#include "graph/simplify.h"
#include <stdlib.h>
#include <string.h>

/* The simplified form of f as a formula. */
static char *simplified(const struct graph *g, node_id f)
{
    struct graph *small = NULL;
    node_id output = NODE_NONE;
    struct text t = {0};
    assert_int_equal(graph_simplify(g, &f, 1, &small, &output, NULL), ERR_ok);
    assert_int_equal(notation_print_formula(small, output, &t, NULL), ERR_ok);
    graph_free(small);
    return text_take(&t);
}

static const struct {
    const char *text, *formula;
} written[] = {
    /* constants */
    {"f = x * (2 + 3)", "x * 5"},
    {"f = x * (2 - 3) / (8 / 4)", "x * -1 / 2"},
    {"f = x + -(2 * 3)", "x + -6"},
    {"f = x ^ Exp(0)", "x ^ Exp(0)"},
    {"f = x + 1 / 0", "x + 1 / 0"},
    {"f = x + 2 ^ 3", "x + 2 ^ 3"},
    /* identities */
    {"f = 1 * x * 1 / 1", "x"},
    {"f = Identity(Identity(x) * 1)", "x"},
    {"f = 1 / x", "1 / x"},
    {"f = 0 * x", "0 * x"},
    {"f = x + 0", "x + 0"}, /* written by a client: -0 + 0 is 0 */
    {"f = X * Expand(1, shape=[2, 3])", "X"},
    {"f = x * Expand(1, shape=[2, 3])", "x * Expand(1, shape=[2, 3])"},
    {"f = Transpose(Transpose(X))", "X"},
    {"f = Transpose(Transpose(T, perm=[1, 2, 0]), perm=[2, 0, 1])", "T"},
    {"f = Transpose(Transpose(T, perm=[1, 2, 0]), perm=[1, 2, 0])", "Transpose(T, perm=[2, 0, 1])"},
    {"f = Reshape(Reshape(X, shape=[6]), shape=[3, 2])", "Reshape(X, shape=[3, 2])"},
    {"f = Reshape(Reshape(X, shape=[6]), shape=[2, -1])", "X"},
    {"f = Expand(X, shape=[2, 3])", "X"},
    {"f = Expand(X, shape=[1])", "X"},
    {"f = Neg(Neg(x))", "-(-x)"},
    {"f = StopGradient(x)", "StopGradient(x)"},
};

static const char shapes[] = "x=() X=(2,3) T=(2,3,4)";

static void test_formulas(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof written / sizeof *written; i++) {
        struct text t = {0};
        text_printf(&t, "x, X, T = Input(), Input(), Input(); %s", written[i].text);
        struct graph *g = fixture_graph(t.data, shapes);
        char *formula = simplified(g, graph_find(g, "f"));
        if (strcmp(formula, written[i].formula) != 0)
            fail_msg("%s\nbecomes %s\nnot     %s", written[i].text, formula, written[i].formula);
        free(formula);
        graph_free(g);
        text_clear(&t);
    }
}

static size_t size_after(const char *text, const char *const *outputs, size_t count, node_id *ret)
{
    struct graph *g = fixture_graph(text, "x=() y=() X=(2,3)"), *small = NULL;
    node_id ids[8];
    for (size_t i = 0; i < count; i++)
        ids[i] = graph_find(g, outputs[i]);
    assert_int_equal(graph_simplify(g, ids, count, &small, ret, NULL), ERR_ok);
    size_t size = graph_size(small);
    graph_free(g);
    graph_free(small);
    return size;
}

static void test_equal_nodes_become_one(void **state)
{
    (void)state;
    node_id ids[2];
    static const char *const both[] = {"f", "g"};
    static const char head[] = "x, y, X = Input(), Input(), Input(); ";
    static const struct {
        const char *text;
        bool same;
    } pairs[] = {
        {"f = Exp(x) + y; g = Exp(x) + y", true},
        {"f = x + y; g = y + x", false},
        {"f = Sum(X, axes=[1, 0]); g = Sum(X)", true},
        {"f = Sum(X, axes=1); g = Sum(X, axes=-1)", true},
        {"f = Sum(X, axes=0); g = Sum(X, axes=1)", false},
        {"f = Transpose(X); g = Transpose(X, perm=[1, 0])", true},
        {"f = Softmax(X); g = Softmax(X, axis=1)", true},
        {"f = Dropout(X); g = Dropout(X)", false},
        {"f = Dropout(X, ordinal=1); g = Dropout(X, ordinal=1)", true},
        {"f = X + 1; g = X + 1.5", false},
        {"f = Constant(value=[1, 2]); g = Constant(value=[[1, 2]])", false},
        {"f = Constant(value=0); g = Constant(value=-0)", false},
        {"f = x; g = x * 1", true},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct text t = {0};
        text_printf(&t, "%s%s", head, pairs[i].text);
        (void)size_after(t.data, both, 2, ids);
        if ((ids[0] == ids[1]) != pairs[i].same)
            fail_msg("%s: %s", pairs[i].text, pairs[i].same ? "two nodes" : "one node");
        text_clear(&t);
    }
}

static void test_keeps_only_what_is_needed(void **state)
{
    (void)state;
    node_id id;
    static const char *const f[] = {"f"};
    /* Neither the 1 nor the Transposes are left. */
    assert_int_equal(
        size_after("x, y, X = Input(), Input(), Input(); g = y * 2; f = Transpose(Transpose(X)) * 1", f, 1, &id), 1);
    assert_int_equal(size_after("x, y, X = Input(), Input(), Input(); f = (x + y) * (x + y)", f, 1, &id), 4);
}

static void test_derived_zeros_go(void **state)
{
    (void)state;
    struct graph *g = graph_new(100);
    struct builder b = {.graph = g};
    struct shape matrix = shape_of(2, (int64_t[]){2, 3});
    node_id x = build_input(&b, "X", matrix), zero = build_fill(&b, 0, matrix), scalar = build_scalar(&b, 0);
    node_id sums[] = {build_binary(&b, OP_Add, x, zero), build_binary(&b, OP_Add, zero, x),
                      build_binary(&b, OP_Add, scalar, x), build_binary(&b, OP_Sub, x, zero)};
    node_id rest[] = {build_binary(&b, OP_Sub, zero, x), build_binary(&b, OP_Mul, x, zero)};
    assert_int_equal(b.code, ERR_ok);
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++) {
        char *formula = simplified(g, sums[i]);
        assert_string_equal(formula, "X");
        free(formula);
    }
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++) {
        char *formula = simplified(g, rest[i]);
        assert_string_not_equal(formula, "X");
        free(formula);
    }
    graph_free(g);
}

static void test_keeps_names(void **state)
{
    (void)state;
    struct graph *g = fixture_graph(fixture_lesson, fixture_lesson_shapes), *small = NULL;
    node_id cost = graph_find(g, "cost"), output;
    assert_int_equal(graph_simplify(g, &cost, 1, &small, &output, NULL), ERR_ok);
    assert_int_equal(graph_size(small), graph_size(g));
    assert_string_equal(graph_node(small, output)->name, "cost");
    assert_int_not_equal(graph_find(small, "s1"), NODE_NONE);
    graph_free(small);
    graph_free(g);
}

/* Many nodes, each twice: the table must find them without looking at all the others. */
static void test_large_graphs(void **state)
{
    (void)state;
    enum { STEPS = 50000 };
    struct graph *g = graph_new(4 * STEPS + 10), *small = NULL;
    struct builder b = {.graph = g};
    node_id x = build_input(&b, "x", (struct shape){0}), ends[2] = {x, x}, outputs[2];
    for (int i = 0; i < STEPS; i++)
        for (int k = 0; k < 2; k++)
            ends[k] = build_binary(&b, OP_Mul, ends[k], build_scalar(&b, i + 2));
    assert_int_equal(b.code, ERR_ok);
    assert_int_equal(graph_simplify(g, ends, 2, &small, outputs, NULL), ERR_ok);
    assert_int_equal(outputs[0], outputs[1]);
    assert_int_equal(graph_size(small), 2 * STEPS + 1);
    graph_free(small);
    graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formulas),
        cmocka_unit_test(test_equal_nodes_become_one),
        cmocka_unit_test(test_keeps_only_what_is_needed),
        cmocka_unit_test(test_derived_zeros_go),
        cmocka_unit_test(test_keeps_names),
        cmocka_unit_test(test_large_graphs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
