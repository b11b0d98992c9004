#include "autodiff/local.h"
#include "fixture.h"

#include "graph/notation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The formula of the derivative of the program's last node by its input; "0" where nothing flows. */
static void formula(const char *program, size_t input, const char *expected)
{
    struct graph *g = graph_of(program, 1000), *small = NULL;
    size_t size = graph_size(g);
    const char **names = calloc(size, sizeof *names);
    char(*made)[8] = calloc(size, sizeof *made);
    node_id roots[8];
    assert_non_null(names);
    assert_non_null(made);
    for (size_t i = 0, unnamed = 0; i < size; i++) {
        names[i] = graph_node(g, (node_id)i)->name;
        if (!names[i]) {
            (void)snprintf(made[i], sizeof made[i], "_%u", (unsigned)++unnamed % 1000);
            names[i] = made[i];
        }
    }
    struct error err = {0};
    assert_int_equal(local_derivatives(g, (node_id)(size - 1), names, &small, roots, &err), ERR_ok);
    struct text text = {0};
    if (roots[input] == NODE_NONE)
        text_puts(&text, "0");
    else
        assert_int_equal(notation_print_formula(small, roots[input], &text, &err), ERR_ok);
    char *printed = text_take(&text);
    assert_non_null(printed);
    assert_string_equal(printed, expected);
    free(printed);
    free(names);
    free(made);
    graph_free(small);
    graph_free(g);
}

static void rules_read_like_the_lesson(void **state)
{
    (void)state;
    formula("l1 = Linear(X, W, b); s1 = Sigmoid(l1)", 0, "g * s1 * (1 - s1)");
    formula("f = x^2", 0, "g * 2 * x");
    formula("f = x^3", 0, "g * 3 * Square(x)");
    formula("f = x^-2", 0, "g * -2 * x ^ -3");
    formula("f = 2 * x", 1, "g * 2");
    formula("f = x / y", 0, "g / y");
    formula("f = Tanh(x)", 0, "g * (1 - Square(f))");
    formula("f = Atan(x)", 0, "g / (1 + Square(x))");
    formula("f = Asin(x)", 0, "g / Sqrt(1 - Square(x))");
    formula("f = Asinh(x)", 0, "g / Sqrt(1 + Square(x))");
    formula("f = Lgamma(x)", 0, "g * Digamma(x)");
    formula("f = Exp(x)", 0, "g * f");
    formula("f = Relu(x)", 0, "Where(Greater(f, 0), g, 0)");
    formula("l = Linear(X, W, b)", 0, "g @ Transpose(W)");
    formula("l = Linear(X, W, b)", 1, "Transpose(X) @ g");
    formula("l = Linear(X, W, b)", 2, "ReduceSum(g, axes=[0])");
    formula("f = MSE(x, y)", 0, "2 * (g / Size(x)) * (x - y)");
}

static void composites_read_as_their_definitions(void **state)
{
    (void)state;
    formula("f = Silu(x)", 0, "g * Sigmoid(x) + g * x * SigmoidSlope(x)");
    formula("g = Silu(x); f = Silu(g)", 0, "g_1 * Sigmoid(g) + g_1 * g * SigmoidSlope(g)");
    formula("f = Gelu(x, approximate=\"tanh\") * 0 + Polygamma(x, n=1)", 1, "g");
    formula("f = Silu(2)", 0, "g * Sigmoid(2) + g * 2 * SigmoidSlope(2)");
}

static void corners_of_naming(void **state)
{
    (void)state;
    formula("f = x * x", 0, "g * x + g * x");
    formula("g = Sin(x); f = Exp(g) * g", 1, "g_1 * _1");
    formula("f = StopGradient(x)", 0, "0");
    formula("f = grad(x * x, x)", 0, "0");
    formula("f = Where(Greater(x, y), x, y)", 0, "0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_read_like_the_lesson),
        cmocka_unit_test(composites_read_as_their_definitions),
        cmocka_unit_test(corners_of_naming),
    };
    return cmocka_run_group_tests_name("local", tests, NULL, NULL);
}
