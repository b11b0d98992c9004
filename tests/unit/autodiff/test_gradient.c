#include "autodiff/gradient.h"
#include "fixture.h"

static void what_does_not_lead_is_not_built(void **state)
{
    (void)state;
    struct graph *g = graph_of("f = Sum(x * Sin(y) + Exp(z))", 1000);
    const node_id wrt[] = {graph_find(g, "x")};
    node_id ret[1];
    size_t exps = count_of(g, OP_Exp), cosines = count_of(g, OP_Cos);
    assert_int_equal(gradient(g, graph_find(g, "f"), NODE_NONE, wrt, 1, ret, NULL), ERR_ok);
    assert_true(shape_equal(graph_node(g, ret[0])->shape, graph_node(g, wrt[0])->shape));
    assert_int_equal(count_of(g, OP_Exp), exps);
    assert_int_equal(count_of(g, OP_Cos), cosines);
    graph_free(g);
}

static void independence_is_told(void **state)
{
    (void)state;
    struct graph *g = graph_of("f = Sum(Greater(x, y) * z + StopGradient(x)); later = x + y", 1000);
    size_t size = graph_size(g);
    const node_id wrt[] = {graph_find(g, "x"), graph_find(g, "y"), graph_find(g, "later")};
    node_id ret[3] = {0, 0, 0};
    assert_int_equal(gradient(g, graph_find(g, "f"), NODE_NONE, wrt, 3, ret, NULL), ERR_ok);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(ret[i], NODE_NONE);
    assert_int_equal(graph_size(g), size);
    graph_free(g);
}

static void by_itself_it_is_the_cotangent(void **state)
{
    (void)state;
    struct graph *g = graph_of("f = x * y", 1000);
    node_id f = graph_find(g, "f"), cotangent = graph_find(g, "y"), ret;
    assert_int_equal(gradient(g, f, cotangent, &f, 1, &ret, NULL), ERR_ok);
    assert_int_equal(ret, cotangent);
    graph_free(g);
}

static void inner_nodes_and_leaves_in_one_walk(void **state)
{
    (void)state;
    struct graph *g = graph_of("h = Sin(x); f = Sum(Exp(h))", 1000);
    const node_id wrt[] = {graph_find(g, "h"), graph_find(g, "x"), graph_find(g, "h")};
    node_id ret[3];
    assert_int_equal(gradient(g, graph_find(g, "f"), NODE_NONE, wrt, 3, ret, NULL), ERR_ok);
    assert_int_equal(ret[0], ret[2]);
    const struct node *by_x = graph_node(g, ret[1]);
    assert_int_equal(by_x->op, OP_Mul);
    assert_int_equal(by_x->inputs[0], ret[0]);
    graph_free(g);
}

static void empty_tensors_have_no_gradient(void **state)
{
    (void)state;
    struct graph *g = graph_of("f = Sum(Slice(x, starts=[2], ends=[2])) + Sum(y)", 1000);
    const node_id wrt[] = {graph_find(g, "x"), graph_find(g, "y")};
    node_id ret[2];
    assert_int_equal(gradient(g, graph_find(g, "f"), NODE_NONE, wrt, 2, ret, NULL), ERR_ok);
    assert_int_equal(ret[0], NODE_NONE);
    assert_int_not_equal(ret[1], NODE_NONE);
    graph_free(g);
}

/* Half a million nodes in a row: no recursion. */
static void a_deep_graph_is_no_danger(void **state)
{
    (void)state;
    struct graph *g = graph_of("f = x + 1", 2000000);
    node_id x = graph_find(g, "x"), last = chain(g, 500000), ret = NODE_NONE;
    assert_int_equal(gradient(g, last, NODE_NONE, &x, 1, &ret, NULL), ERR_ok);
    assert_int_equal(count_of(g, OP_Cos), 500000);
    graph_free(g);
}

static void the_limit_on_nodes_holds(void **state)
{
    (void)state;
    struct graph *g = graph_of("f = x + 1", 150);
    struct error err = {0};
    node_id x = graph_find(g, "x"), last = chain(g, 100), ret = 12345;
    assert_int_equal(gradient(g, last, NODE_NONE, &x, 1, &ret, &err), ERR_limit_exceeded);
    assert_int_equal(ret, 12345);
    assert_true(graph_size(g) <= 150);
    error_clear(&err);
    graph_free(g);
}

static void grad_nodes_and_composites_must_be_expanded_before(void **state)
{
    (void)state;
    struct graph *g = graph_of("f = grad(x * x, x)", 100);
    struct error err = {0};
    node_id x = graph_find(g, "x"), ret;
    assert_int_equal(gradient(g, graph_find(g, "f"), NODE_NONE, &x, 1, &ret, &err), ERR_internal);
    error_clear(&err);
    graph_free(g);
    g = graph_of("f = Silu(x)", 100);
    assert_int_equal(gradient(g, graph_find(g, "f"), NODE_NONE, &x, 1, &ret, &err), ERR_internal);
    error_clear(&err);
    graph_free(g);
}

/* A Concat of very many: what each begins at is not searched from the start. */
static void many_inputs_are_not_quadratic(void **state)
{
    (void)state;
    enum { MANY = 100000 };
    static node_id inputs[MANY];
    struct graph *g = graph_of("f = x + 1", 1000000);
    node_id x = graph_find(g, "x"), all, ret;
    for (size_t i = 0; i < MANY; i++)
        inputs[i] = x;
    const struct attribute axis = {.key = ATTRIBUTE_axis, .kind = KIND_INT, .integer = 0};
    const struct node concat = {
        .op = OP_Concat, .inputs = inputs, .input_count = MANY, .attributes = &axis, .attribute_count = 1};
    assert_int_equal(graph_add(g, &concat, &all, NULL), ERR_ok);
    assert_int_equal(gradient(g, all, NODE_NONE, &x, 1, &ret, NULL), ERR_ok);
    assert_int_equal(count_of(g, OP_Slice), MANY);
    graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_does_not_lead_is_not_built),
        cmocka_unit_test(independence_is_told),
        cmocka_unit_test(by_itself_it_is_the_cotangent),
        cmocka_unit_test(inner_nodes_and_leaves_in_one_walk),
        cmocka_unit_test(empty_tensors_have_no_gradient),
        cmocka_unit_test(a_deep_graph_is_no_danger),
        cmocka_unit_test(the_limit_on_nodes_holds),
        cmocka_unit_test(grad_nodes_and_composites_must_be_expanded_before),
        cmocka_unit_test(many_inputs_are_not_quadratic),
    };
    return cmocka_run_group_tests_name("gradient", tests, NULL, NULL);
}
