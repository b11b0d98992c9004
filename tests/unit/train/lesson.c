#include "lesson.h"

#include "base/rng.h"
#include "engine/run.h"
#include "graph/notation.h"
#include <stdlib.h>
#include <string.h>

void assert_ok(err_code code, struct error *err)
{
    if (code != ERR_ok) {
        print_error("%s: %s\n", err_name(code), err->detail != NULL ? err->detail : "");
        for (size_t i = 0; i < err->item_count; i++)
            print_error("  %s\n", err->items[i].detail);
    }
    assert_int_equal(code, ERR_ok);
}

int select_isa(void **state)
{
    const char *isa = getenv("GRADD_ISA");
    (void)state;
    return isa != NULL && *isa != '\0' && engine_select_isa(isa, NULL) != ERR_ok ? -1 : 0;
}

struct model *make_model(const char *program, enum dtype dtype, const struct leaf *leaves, size_t inputs, size_t count)
{
    enum { LEAVES_MAX = 16 };
    struct error err = {0};
    struct program *parsed = NULL;
    struct named_shape known[LEAVES_MAX];
    struct model *m = calloc(1, sizeof *m);
    const struct notation_options options = {.pointer = "/program"};
    assert_non_null(m);
    assert_true(count <= LEAVES_MAX);
    assert_ok(notation_parse(program, strlen(program), &options, &parsed, &err), &err);
    for (size_t i = 0; i < count; i++)
        known[i] = (struct named_shape){.name = leaves[i].name, .shape = leaves[i].shape};
    assert_ok(graph_build(parsed, known, count, 100000, &m->graph, &err), &err);
    program_free(parsed);
    m->inputs = calloc(inputs + 1, sizeof *m->inputs);
    m->parameters = calloc(count - inputs + 1, sizeof *m->parameters);
    assert_non_null(m->inputs);
    assert_non_null(m->parameters);
    m->input_count = inputs;
    m->parameter_count = count - inputs;
    for (size_t i = 0; i < count; i++) {
        node_id leaf = graph_find(m->graph, leaves[i].name);
        assert_int_not_equal(leaf, NODE_NONE);
        if (i < inputs)
            m->inputs[i] = leaf;
        else
            m->parameters[i - inputs].node = leaf;
    }
    m->cost = graph_find(m->graph, "cost");
    m->output = NODE_NONE;
    m->dtype = dtype;
    return m;
}

void free_model(struct model *m)
{
    model_free(m);
}

struct model *make_lesson(enum dtype dtype, int64_t in, int64_t hidden)
{
    const struct leaf leaves[] = {
        {"X", {2, {DIM_BATCH, in}}}, {"y", {2, {DIM_BATCH, 1}}}, {"W1", {2, {in, hidden}}},
        {"b1", {1, {hidden}}},       {"W2", {2, {hidden, 1}}},   {"b2", {1, {1}}},
    };
    struct model *m = make_model("l1 = Linear(X, W1, b1)\n"
                                 "s1 = Sigmoid(l1)\n"
                                 "l2 = Linear(s1, W2, b2)\n"
                                 "cost = MSE(l2, y)\n",
                                 dtype, leaves, 2, 6);
    m->output = graph_find(m->graph, "l2");
    return m;
}

struct tensor **make_start(const struct model *m, double scale, uint64_t seed)
{
    struct error err = {0};
    struct tensor **start = calloc(m->parameter_count, sizeof *start);
    assert_non_null(start);
    for (size_t p = 0; p < m->parameter_count; p++) {
        const struct rng r = {.seed = seed, .purpose = RNG_INITIAL, .ordinal = (uint32_t)p};
        assert_ok(tensor_new(m->dtype, graph_node(m->graph, m->parameters[p].node)->shape, &start[p], &err), &err);
        for (int64_t i = 0; i < tensor_elements(start[p]); i++)
            tensor_set(start[p], i, scale * rng_normal(&r, (uint64_t)i));
    }
    return start;
}

void make_rows(const struct model *m, size_t rows, uint64_t seed, struct rows *ret)
{
    assert_true(m->input_count <= 4);
    *ret = (struct rows){.data = {.inputs = ret->inputs, .rows = rows}};
    for (size_t i = 0; i < m->input_count; i++) {
        const struct rng r = {.seed = seed, .purpose = RNG_INITIAL, .ordinal = 1000 + (uint32_t)i};
        int64_t elements = 0;
        assert_true(shape_elements(shape_bind(graph_node(m->graph, m->inputs[i])->shape, (int64_t)rows), &elements));
        struct tensor table = {.dtype = m->dtype, .data = calloc((size_t)elements, dtype_size(m->dtype))};
        assert_non_null(table.data);
        for (int64_t k = 0; k < elements; k++)
            tensor_set(&table, k, rng_normal(&r, (uint64_t)k));
        ret->tables[i] = table.data;
        ret->inputs[i] = table.data;
    }
}

void free_rows(struct rows *r)
{
    for (size_t i = 0; i < 4; i++)
        free(r->tables[i]);
}

struct trainer *train_to_end(const struct model *m, const struct train_spec *spec, const struct train_data *data,
                             struct tensor *const *start)
{
    struct error err = {0};
    struct trainer *t = NULL;
    assert_ok(trainer_new(m, spec, data, start, &t, &err), &err);
    while (!trainer_finished(t)) {
        struct train_point point;
        bool has_point;
        assert_ok(trainer_advance(t, 1000, NULL, &point, &has_point, &err), &err);
    }
    return t;
}
