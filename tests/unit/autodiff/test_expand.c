#include "autodiff/gradient.h"
#include "fixture.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

static err_code expand(const char *program, size_t nodes_max, struct graph **ret_from, struct graph **ret,
                       node_id **ret_map)
{
    struct error err = {0};
    *ret_from = graph_of(program, nodes_max);
    *ret_map = calloc(graph_size(*ret_from), sizeof **ret_map);
    assert_non_null(*ret_map);
    err_code code = expand_grads(*ret_from, ret, *ret_map, &err);
    error_clear(&err);
    return code;
}

static void names_places_and_shapes_stay(void **state)
{
    (void)state;
    struct graph *from, *to;
    node_id *map;
    assert_int_equal(expand("h = x * x\nd = grad(h, x)\nf = grad(d, x) * d", 1000, &from, &to, &map), ERR_ok);
    assert_int_equal(count_of(to, OP_Grad), 0);
    for (size_t i = 0; i < graph_size(from); i++) {
        const struct node *before = graph_node(from, (node_id)i), *after = graph_node(to, map[i]);
        assert_true(shape_equal(before->shape, after->shape));
        assert_int_equal(before->place.line, after->place.line);
        assert_int_equal(before->place.column, after->place.column);
        if (before->name)
            assert_string_equal(before->name, after->name);
        assert_int_equal(after->op, before->op == OP_Grad ? OP_Identity : before->op);
    }
    graph_free(from);
    graph_free(to);
    free(map);
}

static void written_nodes_stay_apart(void **state)
{
    (void)state;
    struct graph *from, *to;
    node_id *map;
    assert_int_equal(expand("h = x * y; a1 = grad(h, x); a2 = grad(h, x); c = grad(x, x)", 1000, &from, &to, &map),
                     ERR_ok);
    assert_int_not_equal(map[graph_find(from, "a1")], map[graph_find(from, "a2")]);
    assert_int_equal(graph_find(to, "c"), map[graph_find(from, "c")]);
    graph_free(from);
    graph_free(to);
    free(map);
}

/* All gradients of one value share a walk: Cos is built once. */
static void one_walk_for_one_value(void **state)
{
    (void)state;
    struct graph *from, *to;
    node_id *map;
    assert_int_equal(
        expand("c = Sin(x * y * z); g1 = grad(c, x); g2 = grad(c, y); g3 = grad(c, z)", 1000, &from, &to, &map),
        ERR_ok);
    assert_int_equal(count_of(to, OP_Cos), 1);
    graph_free(from);
    graph_free(to);
    free(map);
}

static void zeros_where_nothing_depends(void **state)
{
    (void)state;
    struct graph *from, *to;
    node_id *map;
    assert_int_equal(expand("f = grad(s * s, x)", 1000, &from, &to, &map), ERR_ok);
    const struct node *zeros = graph_node(to, graph_node(to, graph_find(to, "f"))->inputs[0]);
    assert_int_equal(zeros->op, OP_Expand);
    const struct node *zero = graph_node(to, zeros->inputs[0]);
    assert_true(tensor_get(node_tensor(zero, ATTRIBUTE_value), 0) == 0);
    graph_free(from);
    graph_free(to);
    free(map);
}

/* By a composite itself one can differentiate too, and its Grad nodes see through it. */
static void composites_become_their_definitions(void **state)
{
    (void)state;
    struct graph *from, *to;
    node_id *map;
    assert_int_equal(expand("h = Silu(x); a = Silu(x); f = grad(grad(h * h, h), x)", 1000, &from, &to, &map), ERR_ok);
    assert_int_equal(count_of(from, OP_Silu), 2);
    assert_int_equal(count_of(to, OP_Silu), 0);
    const char *const names[] = {"h", "a"};
    for (size_t i = 0; i < 2; i++) {
        const struct node *before = graph_node(from, graph_find(from, names[i]));
        const struct node *after = graph_node(to, graph_find(to, names[i]));
        assert_int_equal(after->op, OP_Identity);
        assert_int_equal(graph_node(to, after->inputs[0])->op, OP_Mul);
        assert_int_equal(graph_find(to, names[i]), map[graph_find(from, names[i])]);
        assert_int_equal(before->place.column, after->place.column);
    }
    assert_int_not_equal(map[graph_find(from, "h")], map[graph_find(from, "a")]);
    graph_free(from);
    graph_free(to);
    free(map);
    assert_int_equal(expand("h = Silu(x)", 3, &from, &to, &map), ERR_limit_exceeded);
    graph_free(from);
    free(map);
}

/* Each order of this multiplies the size: the limit stops it. */
static void an_exploding_gradient_is_refused(void **state)
{
    (void)state;
    struct text program = {0};
    text_puts(&program, "f0 = Sin(s) * Exp(s) * Tanh(s)\n");
    for (int i = 0; i < 30; i++)
        text_printf(&program, "f%d = grad(f%d * Sin(f%d), s)\n", i + 1, i, i);
    char *source = text_take(&program);
    assert_non_null(source);
    struct graph *from, *to = NULL;
    node_id *map;
    assert_int_equal(expand(source, 200000, &from, &to, &map), ERR_limit_exceeded);
    assert_null(to);
    graph_free(from);
    free(map);
    free(source);
}

/* Thousands of gradients, none of which builds much, of values that are all deep: the walks are bounded too. */
static void many_long_walks_are_refused(void **state)
{
    (void)state;
    struct text program = {0};
    text_puts(&program, "f0 = x + t\n");
    for (int i = 0; i < 3000; i++)
        text_printf(&program, "f%d = f%d + x\n", i + 1, i);
    for (int i = 0; i < 3000; i++)
        text_printf(&program, "g%d = grad(f3000 + %d * s, t)\n", i, i);
    char *source = text_take(&program);
    assert_non_null(source);
    struct graph *from, *to = NULL;
    node_id *map;
    assert_int_equal(expand(source, 100000, &from, &to, &map), ERR_limit_exceeded);
    graph_free(from);
    free(map);
    free(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_places_and_shapes_stay),
        cmocka_unit_test(written_nodes_stay_apart),
        cmocka_unit_test(one_walk_for_one_value),
        cmocka_unit_test(zeros_where_nothing_depends),
        cmocka_unit_test(composites_become_their_definitions),
        cmocka_unit_test(an_exploding_gradient_is_refused),
        cmocka_unit_test(many_long_walks_are_refused),
    };
    return cmocka_run_group_tests_name("expand", tests, NULL, NULL);
}
