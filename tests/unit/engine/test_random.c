/* Random graphs: the plan of all nodes against a scalar evaluator; plans of a few outputs, where memory is used again
 * and again, against the plan of all nodes, bit by bit; and every instruction set against the first, bit by bit. */
#include "engine/reference.h"
#include <stdlib.h>

enum { GRAPHS = 150, NODES = 60 };

struct sample {
    struct builder b;
    double **leaves;
    node_id *all;
    size_t size;
};

static struct sample sample_new(struct dice *d)
{
    struct sample s = {.b = test_builder()};
    random_graph(&s.b, d, NODES);
    s.size = graph_size(s.b.graph);
    s.leaves = random_leaves(s.b.graph, d, -1.5, 1.5);
    s.all = malloc(s.size * sizeof *s.all);
    assert_non_null(s.all);
    for (node_id id = 0; id < s.size; id++)
        s.all[id] = id;
    return s;
}

static void sample_free(struct sample *s)
{
    values_free(s->leaves, s->size);
    free(s->all);
    graph_free(s->b.graph);
}

static void compare(const struct graph *g, const node_id *outputs, size_t count, double **actual, double **expected,
                    bool by_output)
{
    for (size_t i = 0; i < count; i++)
        for (int64_t e = 0; e < elements_of(g, outputs[i]); e++)
            assert_same(actual[i][e], expected[by_output ? i : outputs[i]][e]);
}

static void all_nodes_agree_with_scalar_loops(void **state)
{
    (void)state;
    struct dice d = {1};
    for (int i = 0; i < GRAPHS; i++) {
        struct sample s = sample_new(&d);
        double **expected = reference_values(s.b.graph, s.leaves);
        double **actual = run_graph(s.b.graph, DTYPE_FLOAT64, s.all, s.size, s.leaves, isa_selected());
        for (node_id id = 0; id < s.size; id++)
            for (int64_t e = 0; e < elements_of(s.b.graph, id); e++)
                assert_near(actual[id][e], expected[id][e], 1e-9, 1e-11);
        values_free(expected, s.size);
        values_free(actual, s.size);
        sample_free(&s);
    }
}

static void memory_that_is_used_again_changes_nothing(void **state)
{
    (void)state;
    struct dice d = {2};
    for (int i = 0; i < GRAPHS; i++) {
        struct sample s = sample_new(&d);
        const enum dtype dtype = i % 2 == 0 ? DTYPE_FLOAT32 : DTYPE_FLOAT64;
        double **expected = run_graph(s.b.graph, dtype, s.all, s.size, s.leaves, isa_selected());
        for (int tries = 0; tries < 4; tries++) {
            node_id outputs[4];
            const size_t count = 1 + (size_t)dice_below(&d, 4);
            for (size_t o = 0; o < count; o++)
                outputs[o] = (node_id)(s.size - 1 - (size_t)dice_below(&d, (int64_t)s.size / 2));
            double **actual = run_graph(s.b.graph, dtype, outputs, count, s.leaves, isa_selected());
            compare(s.b.graph, outputs, count, actual, expected, false);
            values_free(actual, count);
        }
        values_free(expected, s.size);
        sample_free(&s);
    }
}

static void instruction_sets_give_the_same_bits(void **state)
{
    (void)state;
    struct dice d = {3};
    for (int i = 0; i < GRAPHS / 2; i++) {
        struct sample s = sample_new(&d);
        for (enum dtype dtype = DTYPE_FLOAT32; dtype <= DTYPE_FLOAT64; dtype++) {
            double **expected = run_graph(s.b.graph, dtype, s.all, s.size, s.leaves, isa_at(0));
            for (size_t isa = 1; isa_at(isa) != NULL; isa++) {
                double **actual = run_graph(s.b.graph, dtype, s.all, s.size, s.leaves, isa_at(isa));
                compare(s.b.graph, s.all, s.size, actual, expected, true);
                values_free(actual, s.size);
            }
            values_free(expected, s.size);
        }
        sample_free(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_nodes_agree_with_scalar_loops),
        cmocka_unit_test(memory_that_is_used_again_changes_nothing),
        cmocka_unit_test(instruction_sets_give_the_same_bits),
    };
    return select_isa_of_environment() ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
