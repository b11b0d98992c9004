/* The lesson's network as it stands, against backpropagation written out by hand, number by number; and Dropout in
 * training. */
#include "lesson.h"

#include "evaluate.h"

#include "autodiff/gradient.h"
#include "base/functions.h"
#include "graph/builder.h"
#include "graph/notation.h"
#include "graph/simplify.h"
#include "support/near.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 3, IN = 2, HIDDEN = 4 };

static const char LESSON[] = "X, y = Input(), Input()\n"
                             "W1, b1 = Input(), Input()\n"
                             "W2, b2 = Input(), Input()\n"
                             "\n"
                             "l1 = Linear(X, W1, b1)\n"
                             "s1 = Sigmoid(l1)\n"
                             "l2 = Linear(s1, W2, b2)\n"
                             "cost = MSE(l2, y)\n";

/* The network's numbers, and the gradients of the cost by them. */
struct network {
    double X[ROWS][IN], y[ROWS], W1[IN][HIDDEN], b1[HIDDEN], W2[HIDDEN], b2;
};

/* From back to front: each line needs only its node's own inputs and the gradient that arrived. */
static double backpropagate(const struct network *n, struct network *ret)
{
    double cost = 0;
    memset(ret, 0, sizeof *ret);
    for (int r = 0; r < ROWS; r++) {
        double s1[HIDDEN], l2 = n->b2;
        for (int h = 0; h < HIDDEN; h++) {
            double l1 = n->b1[h];
            for (int i = 0; i < IN; i++)
                l1 += n->X[r][i] * n->W1[i][h];
            s1[h] = 1 / (1 + fn_exp(-l1));
            l2 += s1[h] * n->W2[h];
        }
        cost += (l2 - n->y[r]) * (l2 - n->y[r]) / ROWS;
        double by_l2 = 2 * (l2 - n->y[r]) / ROWS;
        ret->y[r] = -by_l2;
        ret->b2 += by_l2;
        for (int h = 0; h < HIDDEN; h++) {
            ret->W2[h] += by_l2 * s1[h];
            double by_l1 = by_l2 * n->W2[h] * s1[h] * (1 - s1[h]);
            ret->b1[h] += by_l1;
            for (int i = 0; i < IN; i++) {
                ret->W1[i][h] += by_l1 * n->X[r][i];
                ret->X[r][i] += by_l1 * n->W1[i][h];
            }
        }
    }
    return cost;
}

/* The values stay the caller's. */
static struct array array_of(const char *name, double *values, int rank, int64_t first, int64_t second)
{
    struct array a = {.shape = {.rank = rank, .dim = {first, second}}};
    a.values = values;
    array_name(&a, "", name);
    assert_true(shape_elements(a.shape, &a.count));
    return a;
}

void the_network_is_backpropagation(void **state)
{
    (void)state;
    struct network n = {0}, expected;
    double *all = (double *)&n;
    for (size_t i = 0; i < sizeof n / sizeof *all; i++)
        all[i] = fmod((double)(i * 7919 % 101) / 37, 2) - 1;
    double cost = backpropagate(&n, &expected);
    struct array inputs[] = {
        array_of("X", &n.X[0][0], 2, ROWS, IN),     array_of("y", n.y, 2, ROWS, 1),
        array_of("W1", &n.W1[0][0], 2, IN, HIDDEN), array_of("b1", n.b1, 1, HIDDEN, 0),
        array_of("W2", n.W2, 2, HIDDEN, 1),         array_of("b2", &n.b2, 1, 1, 0),
    };
    const double *gradients[] = {&expected.X[0][0], expected.y,  &expected.W1[0][0],
                                 expected.b1,       expected.W2, &expected.b2};
    node_id outputs[7], wrt[6];
    struct graph *g = graph_of_program(LESSON, inputs, 6, &outputs[0]);
    for (size_t i = 0; i < 6; i++)
        wrt[i] = graph_find(g, inputs[i].name);
    assert_int_equal(gradient(g, outputs[0], NODE_NONE, wrt, 6, &outputs[1], NULL), ERR_ok);
    for (int way = AS_BUILT; way <= SIMPLIFIED; way++) {
        struct machine *m = machine_new(g, outputs, 7, DTYPE_FLOAT64, (enum way)way, true);
        for (size_t i = 0; i < 6; i++)
            machine_bind(m, &inputs[i]);
        machine_run(m);
        assert_near(machine_value(m, 0, 0), cost, 1e-14, 0);
        for (size_t i = 0; i < 6; i++)
            for (int64_t k = 0; k < inputs[i].count; k++)
                assert_near(machine_value(m, 1 + i, k), gradients[i][k], 1e-13, 1e-15);
        machine_free(m);
    }
    graph_free(g);
}

/* What is kept is scaled by 1 / (1 - ratio); the gradient has the same mask, and so has the second derivative; two
 * Dropouts have two. */
void dropout_drops_the_same_backwards(void **state)
{
    (void)state;
    enum { COUNT = 2000 };
    static double x[COUNT];
    for (int i = 0; i < COUNT; i++)
        x[i] = 1 + i;
    struct array input = array_of("x", x, 1, COUNT, 0);
    node_id outputs[4];
    struct graph *g = graph_of_program("d = Dropout(x, ratio=0.25); e = Dropout(x, ratio=0.25); f = d^2 + 0 * e",
                                       &input, 1, &outputs[0]);
    node_id wrt = graph_find(g, "x");
    assert_int_equal(gradient(g, outputs[0], NODE_NONE, &wrt, 1, &outputs[1], NULL), ERR_ok);
    assert_int_equal(gradient(g, outputs[1], NODE_NONE, &wrt, 1, &outputs[2], NULL), ERR_ok);
    outputs[3] = graph_find(g, "e");
    struct machine *m = machine_new(g, outputs, 4, DTYPE_FLOAT64, SIMPLIFIED, true);
    machine_bind(m, &input);
    run_set_random(machine_run_of(m), 7, 3);
    machine_run(m);
    int kept = 0, other = 0;
    for (int i = 0; i < COUNT; i++) {
        double scale = machine_value(m, 0, i) == 0 ? 0 : 1 / 0.75;
        kept += scale != 0;
        other += (scale != 0) != (machine_value(m, 3, i) != 0);
        assert_near(machine_value(m, 0, i), scale * scale * x[i] * x[i], 1e-14, 0);
        assert_near(machine_value(m, 1, i), scale * scale * 2 * x[i], 1e-14, 0);
        assert_near(machine_value(m, 2, i), scale * scale * 2, 1e-14, 0);
    }
    assert_in_range(kept, 1400, 1600);
    assert_in_range(other, 600, 900);
    machine_free(m);
    graph_free(g);
}

/* The network is six leaves and four nodes. Its gradients add 18: seven of the cost's derivative (2, 1, Size and what
 * combines them, the difference, their product), two products with a transposition each and a sum for the two layers'
 * parameters, and for what arrives at the first a transposition, a product, 1 - s1 and two factors; all of which stand
 * in the lines below. */
static const char GRADIENTS_WRITTEN_OUT[] = "_1 = 2 * (1 / Size(l2)) * (l2 - y)\n"
                                            "_2 = Transpose(s1) @ _1\n"
                                            "_3 = ReduceSum(_1, axes=[0])\n"
                                            "_4 = _1 @ Transpose(W2) * s1 * (1 - s1)\n"
                                            "_5 = Transpose(X) @ _4\n"
                                            "_6 = ReduceSum(_4, axes=[0])\n";

void the_gradient_has_no_superfluous_node(void **state)
{
    (void)state;
    struct network n = {0};
    const struct array inputs[] = {
        array_of("X", &n.X[0][0], 2, ROWS, IN),     array_of("y", n.y, 2, ROWS, 1),
        array_of("W1", &n.W1[0][0], 2, IN, HIDDEN), array_of("b1", n.b1, 1, HIDDEN, 0),
        array_of("W2", n.W2, 2, HIDDEN, 1),         array_of("b2", &n.b2, 1, 1, 0),
    };
    static const char *const parameters[] = {"W1", "b1", "W2", "b2"};
    node_id outputs[5], wrt[4], ignored[5];
    struct graph *g = graph_of_program(LESSON, inputs, 6, &outputs[0]), *simple = NULL;
    for (size_t i = 0; i < 4; i++)
        wrt[i] = graph_find(g, parameters[i]);
    assert_int_equal(gradient(g, outputs[0], NODE_NONE, wrt, 4, &outputs[1], NULL), ERR_ok);
    assert_int_equal(graph_simplify(g, outputs, 1, &simple, ignored, NULL), ERR_ok);
    assert_int_equal(graph_size(simple), 10);
    graph_free(simple);
    assert_int_equal(graph_simplify(g, outputs, 5, &simple, ignored, NULL), ERR_ok);
    assert_int_equal(graph_size(simple), 28);
    struct text text = {0};
    assert_int_equal(notation_print(simple, ignored, 5, &text, NULL), ERR_ok);
    assert_non_null(strstr(text.data, GRADIENTS_WRITTEN_OUT));
    text_clear(&text);
    graph_free(simple);
    graph_free(g);
}
