/* The builder's words, and graphs that are appended to. */
#include "fixture.h"

#include "graph/builder.h"
#include <stdlib.h>
#include <string.h>

static struct shape shape2(int64_t a, int64_t b)
{
    return shape_of(2, (int64_t[]){a, b});
}

static void check_shape(const struct builder *b, node_id id, const char *expected)
{
    char text[SHAPE_TEXT_MAX];
    assert_int_equal(b->code, ERR_ok);
    assert_string_equal(shape_text(build_shape(b, id), text), expected);
}

static void test_words(void **state)
{
    (void)state;
    struct graph *g = graph_new(100);
    struct error err = {0};
    struct builder b = {.graph = g, .err = &err};
    node_id x = build_input(&b, "x", shape2(2, 3)), y = build_scalar(&b, 1.5);
    check_shape(&b, build_binary(&b, OP_Add, x, y), "(2,3)");
    check_shape(&b, build_where(&b, x, y, x), "(2,3)");
    check_shape(&b, build_fill(&b, 7, shape2(4, 0)), "(4,0)");
    check_shape(&b, build_swap_last(&b, x), "(3,2)");
    check_shape(&b, build_transpose(&b, x, (int64_t[]){1, 0}), "(3,2)");
    check_shape(&b, build_reshape(&b, x, shape_of(1, (int64_t[]){6})), "(6)");
    check_shape(&b, build_reduce(&b, OP_ReduceSum, x, (int64_t[]){1}, 1, true), "(2,1)");
    check_shape(&b, build_size(&b, x), "()");
    assert_int_equal(graph_node(g, graph_find(g, "x"))->place.line, 0);
    /* What would change nothing makes no node. */
    assert_int_equal(build_reshape(&b, x, shape2(2, 3)), x);
    assert_int_equal(build_expand(&b, x, shape2(2, 3)), x);
    assert_int_equal(build_reduce_to(&b, x, shape2(2, 3)), x);
    graph_free(g);
    error_clear(&err);
}

/* The adjoint of broadcasting: whatever shape broadcasts to (4,2,3), it comes back. */
static void test_reduce_to(void **state)
{
    (void)state;
    static const struct shape shapes[] = {{0, {0}},    {1, {3}},    {1, {1}},       {2, {2, 3}},
                                          {2, {1, 3}}, {2, {2, 1}}, {3, {4, 1, 1}}, {3, {1, 2, 3}}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct graph *g = graph_new(100);
        struct builder b = {.graph = g};
        node_id x = build_input(&b, "x", shape_of(3, (int64_t[]){4, 2, 3}));
        assert_true(shape_equal(build_shape(&b, build_reduce_to(&b, x, shapes[i])), shapes[i]));
        assert_int_equal(b.code, ERR_ok);
        graph_free(g);
    }
}

/* No 0 of an empty shape reads as "keep". */
static void test_reshapes_nothing(void **state)
{
    (void)state;
    struct graph *g = graph_new(100);
    struct builder b = {.graph = g};
    node_id x = build_input(&b, "x", shape2(0, 3));
    check_shape(&b, build_reshape(&b, x, shape2(3, 0)), "(3,0)");
    check_shape(&b, build_reshape(&b, x, shape_of(3, (int64_t[]){5, 0, 0})), "(5,0,0)");
    graph_free(g);
}

static void test_first_failure_stays(void **state)
{
    (void)state;
    struct graph *g = graph_new(3);
    struct error err = {0};
    struct builder b = {.graph = g, .err = &err};
    node_id x = build_input(&b, "x", shape2(2, 3)), y = build_input(&b, "y", shape2(3, 2));
    assert_int_equal(build_binary(&b, OP_Add, x, y), NODE_NONE);
    assert_int_equal(b.code, ERR_shape_mismatch);
    assert_int_equal(build_unary(&b, OP_Exp, x), NODE_NONE);
    assert_int_equal(build_reduce_to(&b, NODE_NONE, shape2(2, 3)), NODE_NONE);
    assert_int_equal(build_swap_last(&b, NODE_NONE), NODE_NONE);
    assert_int_equal(build_fill(&b, 1, shape2(2, 3)), NODE_NONE);
    assert_int_equal(b.code, ERR_shape_mismatch);
    assert_int_equal(err.total, 1);
    assert_int_equal(graph_size(g), 2);
    error_clear(&err);
    graph_free(g);
}

static void test_graph_refuses(void **state)
{
    (void)state;
    struct graph *g = graph_new(3);
    struct builder b = {.graph = g};
    node_id x = build_input(&b, "x", (struct shape){0}), id, later = 7;
    assert_int_equal(graph_add(g, &(struct node){.op = OP_Input, .name = "x"}, &id, NULL), ERR_duplicate_name);
    assert_int_equal(graph_add(g, &(struct node){.op = OP_Add, .inputs = &x, .input_count = 1}, &id, NULL),
                     ERR_wrong_arity);
    assert_int_equal(graph_add(g, &(struct node){.op = OP_Exp, .inputs = &later, .input_count = 1}, &id, NULL),
                     ERR_internal);
    assert_int_equal(graph_add(g, &(struct node){.op = OP_Input, .shape.rank = 9}, &id, NULL), ERR_rank_too_large);
    assert_int_equal(graph_add(g, &(struct node){.op = OP_Concat, .inputs = &x, .input_count = 1}, &id, NULL),
                     ERR_missing_attribute);
    assert_int_equal(graph_size(g), 1);
    build_unary(&b, OP_Exp, x);
    build_unary(&b, OP_Exp, x);
    assert_int_equal(b.code, ERR_ok);
    build_unary(&b, OP_Exp, x);
    assert_int_equal(b.code, ERR_limit_exceeded);
    graph_free(g);
    graph_free(NULL);
}

/* Attributes come in the order of ops.def, all of them, in their normal form. */
static void test_attributes_are_complete(void **state)
{
    (void)state;
    struct graph *g = fixture_graph(
        "a = Sum(x, keepdims=1); b = Sum(x, axes=[-1, 0]); c = Transpose(x); d = Slice(x, starts=-2, ends=9)",
        "x=(2,3)");
    static const struct {
        const char *name, *prefix;
    } nodes[] = {{"a", "(ReduceSum x axes=0,1 keepdims=1)"},
                 {"b", "(ReduceSum x axes=0,1 keepdims=0)"},
                 {"c", "(Transpose x perm=1,0)"},
                 {"d", "(Slice x starts=0 ends=2 axes=0 steps=1)"}};
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++) {
        char *prefix = fixture_prefix(g, graph_find(g, nodes[i].name));
        assert_string_equal(prefix, nodes[i].prefix);
        free(prefix);
    }
    assert_null(node_attribute(graph_node(g, graph_find(g, "a")), ATTRIBUTE_perm));
    graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_reduce_to),
        cmocka_unit_test(test_reshapes_nothing),
        cmocka_unit_test(test_first_failure_stays),
        cmocka_unit_test(test_graph_refuses),
        cmocka_unit_test(test_attributes_are_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
