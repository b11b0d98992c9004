/* Planning grows with the program: eight times as many nodes take about eight times as long, not sixty-four times. Of
 * each shape of program that could make some part of it quadratic. */
#include "base/text.h"
#include "graph/notation.h"
#include "lesson.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SMALL = 500, RATIO = 8, LARGE = RATIO * SMALL, PARAMETERS_MAX = 2 * LARGE, TRIES = 3 };

/* A program over X (batch, 2) and y (batch, 2), and w (2) or W0, W1, ... of (2, 2). */
typedef void writer(struct text *to, int n);

static void write_deep(struct text *to, int n)
{
    text_puts(to, "h0 = X * w\n");
    for (int i = 1; i < n; i++)
        text_printf(to, "h%d = Tanh(h%d)\n", i, i - 1);
    text_printf(to, "cost = MSE(h%d, y)\n", n - 1);
}

/* Many values that live at once, added up one by one. */
static void write_wide(struct text *to, int n)
{
    for (int i = 0; i < n / 2; i++)
        text_printf(to, "h%d = Sin(X * w * %d)\n", i, i + 2);
    text_puts(to, "s0 = h0\n");
    for (int i = 1; i < n / 2; i++)
        text_printf(to, "s%d = s%d + h%d\n", i, i - 1, n / 2 - i);
    text_printf(to, "cost = MSE(s%d, y)\n", n / 2 - 1);
}

/* Each value used by the next two. */
static void write_woven(struct text *to, int n)
{
    text_puts(to, "h0 = X * w\nh1 = Sin(h0)\n");
    for (int i = 2; i < n; i++)
        text_printf(to, "h%d = h%d * h%d\n", i, i - 1, i - 2);
    text_printf(to, "cost = MSE(h%d, y)\n", n - 1);
}

/* One operation of many operands. */
static void write_concat(struct text *to, int n)
{
    for (int i = 0; i < n; i++)
        text_printf(to, "h%d = X * w * %d\n", i, i + 2);
    text_puts(to, "c = Concat(");
    for (int i = 0; i < n; i++)
        text_printf(to, "h%d, ", i);
    text_puts(to, "axis=1)\ncost = ReduceMean(c * c) + ReduceMean(y)\n");
}

static void write_parameters(struct text *to, int n)
{
    n *= 2;
    text_puts(to, "h0 = X\n");
    for (int i = 0; i < n; i++)
        text_printf(to, "h%d = Tanh(Linear(h%d, W%d))\n", i + 1, i, i);
    text_printf(to, "cost = MSE(h%d, y)\n", n);
}

static const struct {
    const char *name;
    writer *write;
} kinds[] = {
    {"deep", write_deep},
    {"wide", write_wide},
    {"woven", write_woven},
    {"concat", write_concat},
    {"parameters", write_parameters},
};

/* Every leaf but X and y is a parameter. */
static void take_leaves(struct model *m)
{
    const size_t size = graph_size(m->graph);
    m->inputs = calloc(2, sizeof *m->inputs);
    m->parameters = calloc(size, sizeof *m->parameters);
    assert_non_null(m->inputs);
    assert_non_null(m->parameters);
    for (node_id id = 0; id < size; id++) {
        const struct node *n = graph_node(m->graph, id);
        if (n->op != OP_Input)
            continue;
        if (strcmp(n->name, "X") == 0 || strcmp(n->name, "y") == 0)
            m->inputs[m->input_count++] = id;
        else
            m->parameters[m->parameter_count++].node = id;
    }
}

static struct model *model_of(writer *write, int n)
{
    const struct notation_options options = {.pointer = "/program", .names_max = 1000000};
    struct named_shape known[PARAMETERS_MAX + 3] = {{.name = "X", .shape = {2, {DIM_BATCH, 2}}},
                                                    {.name = "y", .shape = {2, {DIM_BATCH, 2}}},
                                                    {.name = "w", .shape = {1, {2}}}};
    char names[PARAMETERS_MAX][16];
    size_t count = 3;
    struct error err = {0};
    struct program *program = NULL;
    struct text text = {0};
    struct model *m = calloc(1, sizeof *m);
    assert_non_null(m);
    write(&text, n);
    assert_false(text.failed);
    if (write == write_parameters) {
        count = 2;
        for (int i = 0; i < 2 * n; i++) {
            snprintf(names[i], sizeof names[i], "W%d", i);
            known[count++] = (struct named_shape){.name = names[i], .shape = {2, {2, 2}}};
        }
    }
    assert_ok(notation_parse(text.data, text.length, &options, &program, &err), &err);
    assert_ok(graph_build(program, known, count, 10000000, &m->graph, &err), &err);
    program_free(program);
    text_clear(&text);
    take_leaves(m);
    m->cost = graph_find(m->graph, "cost");
    m->output = NODE_NONE;
    m->dtype = DTYPE_FLOAT32;
    return m;
}

/* Seconds of the processor to plan a job of the model. */
static double planning_time(const struct model *m)
{
    const struct train_spec spec = {
        .optimizer = {.name = OPTIMIZER_ADAM, .learning_rate = 0.01, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8},
        .epochs = 1,
        .batch_size = 4};
    struct train_size size;
    struct error err = {0};
    const clock_t start = clock();
    assert_ok(train_measure(m, &spec, 8, &size, &err), &err);
    return (double)(clock() - start) / CLOCKS_PER_SEC;
}

static void test_planning_grows_with_the_program(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        struct model *few = model_of(kinds[k].write, SMALL), *many = model_of(kinds[k].write, LARGE);
        double small = HUGE_VAL, large = HUGE_VAL; /* the least of tries in turns */
        for (int i = 0; i < TRIES; i++) {
            small = fmin(small, planning_time(few));
            large = fmin(large, planning_time(many));
        }
        free_model(few);
        free_model(many);
        print_message("%s: %d in %.1f ms, %d in %.1f ms\n", kinds[k].name, SMALL, 1e3 * small, LARGE, 1e3 * large);
        if (large > 4 * RATIO * small)
            fail_msg("%s: %d in %g s, %d in %g s", kinds[k].name, SMALL, small, LARGE, large);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_planning_grows_with_the_program)};
    return cmocka_run_group_tests(tests, select_isa, NULL);
}
