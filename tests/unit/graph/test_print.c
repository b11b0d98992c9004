/* Programs written: what they look like, and that they read back as the same graph. */
#include "fixture.h"

#include "graph/attribute.h"
#include "graph/builder.h"
#include <stdlib.h>
#include <string.h>

static char *print(const struct graph *g)
{
    struct text t = {0};
    assert_int_equal(notation_print(g, NULL, 0, &t, NULL), ERR_ok);
    return text_take(&t);
}

/* Lines that are written exactly as they are read. The names a to d are scalars, X a matrix (2,3), V a vector (3). */
static const char *const lines[] = {
    "f = a + b * c",
    "f = (a + b) * c",
    "f = a - (b - c)",
    "f = a - b - c",
    "f = a / (b * c)",
    "f = a * b / c",
    "f = -a ^ 2",
    "f = (-a) ^ 2",
    "f = (a ^ b) ^ c",
    "f = a ^ b ^ c",
    "f = 2 ^ -a",
    "f = -(a * b)",
    "f = -a * b",
    "f = a * -b",
    "f = a - -b",
    "f = -(-a)",
    "f = a * (b + c) * d",
    "f = X @ V * 2",
    "f = X @ (V * 2)",
    "f = 0.1 + 1e300 * 1e-7",
    "f = 3",
    "f = Constant(value=-3)",
    "f = a * Constant(value=-0)",
    "f = Constant(value=[1, 2.5, -3])",
    "f = Constant(value=[[1, 2, 3], [4, 5, 6]])",
    "f = Constant(value=[[[1], [2]], [[3], [4]]])",
    "f = Constant(value=[])",
    "f = Constant(value=[[], []])",
    "f = a",
    "f = Identity(a + b)",
    "f = Identity(2)",
    "f = Sigmoid(a * b) + Exp(-a)",
    "f = Where(Less(a, b), a, b)",
    "f = Max(a, Min(b, c))",
    "f = Dropout(X, ratio=0.25, ordinal=3)",
    "f = ReduceSum(X)",
    "f = ReduceSum(X, axes=[1])",
    "f = ReduceMean(X, axes=[0], keepdims=true)",
    "f = Transpose(X)",
    "f = Transpose(X, perm=[0, 1])",
    "f = Reshape(X, shape=[3, -1])",
    "f = Reshape(a, shape=[1, 1])",
    "f = Reshape(ReduceSum(X), shape=[])",
    "f = Slice(X, starts=[1], ends=[3], axes=[1])",
    "f = Slice(X, starts=[0, 1], ends=[2, 3])",
    "f = Slice(V, starts=[2], ends=[-4], steps=[-1])",
    "f = Concat(X, X, axis=0)",
    "f = Gather(X, V)",
    "f = Gather(X, V, axis=1)",
    "f = Softmax(X)",
    "f = Softmax(X, axis=0)",
    "f = MSE(X, X * 2)",
    "f = grad(a ^ 3, a)",
    "f = X @ Transpose(X) @ X",
};

static void test_lines(void **state)
{
    (void)state;
    static const char head[] = "a = Input()\nb = Input()\nc = Input()\nd = Input()\nX = Input()\nV = Input()\n";
    static const char shapes[] = "a=() b=() c=() d=() X=(2,3) V=(3)";
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct text t = {0};
        text_printf(&t, "%s%s\n", head, lines[i]);
        struct graph *g = fixture_graph(t.data, shapes);
        char *printed = print(g);
        if (strcmp(printed, t.data) != 0)
            fail_msg("%s\nis printed as\n%s", lines[i], printed + sizeof head - 1);
        free(printed);
        graph_free(g);
        text_clear(&t);
    }
}

static void test_lesson(void **state)
{
    (void)state;
    struct graph *g = fixture_graph(fixture_lesson, fixture_lesson_shapes);
    char *printed = print(g);
    assert_string_equal(printed,
                        "X = Input()\ny = Input()\nW1 = Input()\nb1 = Input()\nW2 = Input()\nb2 = Input()\n"
                        "l1 = Linear(X, W1, b1)\ns1 = Sigmoid(l1)\nl2 = Linear(s1, W2, b2)\ncost = MSE(l2, y)\n");
    free(printed);
    struct text t = {0};
    node_id output = graph_find(g, "s1");
    assert_int_equal(notation_print(g, &output, 1, &t, NULL), ERR_ok);
    assert_string_equal(t.data, "X = Input()\nW1 = Input()\nb1 = Input()\nl1 = Linear(X, W1, b1)\ns1 = Sigmoid(l1)\n");
    text_clear(&t);
    graph_free(g);
}

static void test_formula(void **state)
{
    (void)state;
    struct graph *g = fixture_graph(
        "s = Sigmoid(x); f = Identity(g * s * (1 - s)); h = Constant(value=-2) * x ^ Constant(value=-1)", "g=() x=()");
    struct text t = {0};
    assert_int_equal(notation_print_formula(g, graph_node(g, graph_find(g, "f"))->inputs[0], &t, NULL), ERR_ok);
    assert_string_equal(t.data, "g * s * (1 - s)");
    text_clear(&t);
    assert_int_equal(notation_print_formula(g, graph_find(g, "h"), &t, NULL), ERR_ok);
    assert_string_equal(t.data, "-2 * x ^ -1");
    text_clear(&t);
    assert_int_equal(notation_print_formula(g, graph_find(g, "x"), &t, NULL), ERR_ok);
    assert_string_equal(t.data, "x");
    text_clear(&t);
    graph_free(g);
}

static void test_names_what_is_shared(void **state)
{
    (void)state;
    struct graph *g = graph_new(100);
    struct builder b = {.graph = g};
    node_id x = build_input(&b, "x", (struct shape){0}), taken = build_input(&b, "_1", (struct shape){0});
    node_id square = build_unary(&b, OP_Square, x), two = build_scalar(&b, 2);
    build_binary(&b, OP_Mul, build_binary(&b, OP_Mul, square, two),
                 build_binary(&b, OP_Add, square, build_binary(&b, OP_Mul, two, taken)));
    assert_int_equal(b.code, ERR_ok);
    char *printed = print(g);
    assert_string_equal(printed, "x = Input()\n_1 = Input()\n_2 = Square(x)\n_3 = _2 * 2 * (_2 + 2 * _1)\n");
    free(printed);
    graph_free(g);
}

static void test_bounds_nesting_of_what_it_writes(void **state)
{
    (void)state;
    struct graph *g = graph_new(100000);
    struct builder b = {.graph = g};
    node_id x = build_input(&b, "x", (struct shape){0}), deep = x;
    for (int i = 0; i < 20000; i++)
        deep = i % 3 == 0   ? build_binary(&b, OP_Sub, x, deep)
               : i % 3 == 1 ? build_unary(&b, OP_Exp, deep)
                            : build_binary(&b, OP_Pow, x, deep);
    assert_int_equal(b.code, ERR_ok);
    char *printed = print(g);
    struct graph *again = fixture_graph(printed, "x=()");
    assert_int_equal(graph_size(again), graph_size(g));
    graph_free(again);
    graph_free(g);
    free(printed);

    /* A long sum nests nothing, and stays one line. */
    struct text t = {0};
    text_puts(&t, "x = Input()\nf = x");
    for (int i = 0; i < 20000; i++)
        text_puts(&t, " + x");
    text_puts(&t, "\n");
    g = fixture_graph(t.data, "x=()");
    printed = print(g);
    assert_string_equal(printed, t.data);
    graph_free(g);
    free(printed);
    text_clear(&t);
}

/* ---- random graphs */

/* A number for what each node computes, whatever the ids; an Identity counts. */
static uint64_t *structure(const struct graph *g)
{
    uint64_t *hashes = calloc(graph_size(g), sizeof *hashes);
    assert_non_null(hashes);
    for (size_t i = 0; i < graph_size(g); i++) {
        const struct node *n = graph_node(g, (node_id)i);
        uint64_t hash = hash_mix(1, (uint64_t)n->op);
        for (const char *c = n->op == OP_Input ? n->name : ""; *c != '\0'; c++)
            hash = hash_mix(hash, (unsigned char)*c);
        for (uint32_t k = 0; k < n->input_count; k++)
            hash = hash_mix(hash, hashes[n->inputs[k]]);
        for (size_t k = 0; k < n->attribute_count; k++)
            hash = attribute_hash(&n->attributes[k], hash);
        hashes[i] = hash;
    }
    return hashes;
}

static node_id random_node(struct builder *b, uint64_t *random)
{
    static const enum op unary[] = {OP_Neg,  OP_Neg,     OP_Exp,       OP_Identity,
                                    OP_Relu, OP_Softmax, OP_Transpose, OP_ReduceSum};
    static const enum op binary[] = {OP_Add, OP_Sub, OP_Mul, OP_Div, OP_Pow, OP_MatMul, OP_Max, OP_MSE, OP_Grad};
    size_t size = graph_size(b->graph);
    node_id x = (node_id)(fixture_random(random) % size), y = (node_id)(fixture_random(random) % size);
    switch (fixture_random(random) % 4) {
    case 0:
        return build_scalar(b, (double)(int64_t)(fixture_random(random) % 2000 - 1000) / 7);
    case 1:
        return build_unary(b, unary[fixture_random(random) % (sizeof unary / sizeof *unary)], x);
    default:
        return build_binary(b, binary[fixture_random(random) % (sizeof binary / sizeof *binary)], x, y);
    }
}

static void test_random_graphs_read_back(void **state)
{
    (void)state;
    uint64_t random = 7;
    for (int round = 0; round < 1000; round++) {
        struct graph *g = graph_new(1000);
        struct builder b = {.graph = g};
        build_input(&b, "x", (struct shape){0});
        build_input(&b, "M", shape_of(2, (int64_t[]){2, 2}));
        for (int i = 0; i < 30; i++) {
            random_node(&b, &random);
            b.code = ERR_ok; /* shapes that do not fit make no node */
        }
        char *first = print(g);
        struct graph *again = fixture_graph(first, "x=() M=(2,2)");
        char *second = print(again);
        assert_string_equal(first, second);
        /* What the last node computes is the same. */
        node_id last = (node_id)(graph_size(g) - 1), last_again = (node_id)(graph_size(again) - 1);
        uint64_t *hashes = structure(g), *hashes_again = structure(again);
        assert_true(hashes[last] == hashes_again[last_again]);
        free(hashes);
        free(hashes_again);
        free(first);
        free(second);
        graph_free(again);
        graph_free(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_lesson),
        cmocka_unit_test(test_formula),
        cmocka_unit_test(test_names_what_is_shared),
        cmocka_unit_test(test_bounds_nesting_of_what_it_writes),
        cmocka_unit_test(test_random_graphs_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
