#include "workloads.h"

#include "graph/notation.h"
#include "measure.h"
#include <stdlib.h>
#include <string.h>

#define VECTOR(n)                                                                                                      \
    {                                                                                                                  \
        1,                                                                                                             \
        {                                                                                                              \
            n                                                                                                          \
        }                                                                                                              \
    }
#define MATRIX(m, n)                                                                                                   \
    {                                                                                                                  \
        2,                                                                                                             \
        {                                                                                                              \
            m, n                                                                                                       \
        }                                                                                                              \
    }

const struct workload workloads[] = {
    {.name = "seed",
     .program = "l1 = Linear(X, W1, b1); s1 = Sigmoid(l1); l2 = Linear(s1, W2, b2); cost = MSE(l2, y)",
     .input_count = 2,
     .rows = 8192,
     .batch = 32,
     .learning_rate = 0.01,
     .widths = (const int64_t[]){13, 10, 1, 0},
     .leaf = {{"X", MATRIX(DIM_BATCH, 13)},
              {"y", MATRIX(DIM_BATCH, 1)},
              {"W1", MATRIX(13, 10)},
              {"b1", VECTOR(10)},
              {"W2", MATRIX(10, 1)},
              {"b2", VECTOR(1)}}},
    {.name = "tab",
     .program = "l1 = Linear(X, W1, b1); s1 = Relu(l1); l2 = Linear(s1, W2, b2); cost = CrossEntropy(l2, y)",
     .input_count = 2,
     .classes = 10,
     .rows = 8192,
     .batch = 64,
     .learning_rate = 0.01,
     .widths = (const int64_t[]){784, 128, 10, 0},
     .leaf = {{"X", MATRIX(DIM_BATCH, 784)},
              {"y", VECTOR(DIM_BATCH)},
              {"W1", MATRIX(784, 128)},
              {"b1", VECTOR(128)},
              {"W2", MATRIX(128, 10)},
              {"b2", VECTOR(10)}}},
    {.name = "wide",
     .program = "s1 = Relu(Linear(X, W1, b1)); s2 = Relu(Linear(s1, W2, b2)); l3 = Linear(s2, W3, b3)\n"
                "cost = CrossEntropy(l3, y)",
     .input_count = 2,
     .classes = 10,
     .rows = 8192,
     .batch = 256,
     .learning_rate = 0.01,
     .widths = (const int64_t[]){1024, 1024, 1024, 10, 0},
     .leaf = {{"X", MATRIX(DIM_BATCH, 1024)},
              {"y", VECTOR(DIM_BATCH)},
              {"W1", MATRIX(1024, 1024)},
              {"b1", VECTOR(1024)},
              {"W2", MATRIX(1024, 1024)},
              {"b2", VECTOR(1024)},
              {"W3", MATRIX(1024, 10)},
              {"b3", VECTOR(10)}}},
    {.name = "deep",
     .program = "s1 = Tanh(Linear(X, W1, b1)); s2 = Tanh(Linear(s1, W2, b2)); s3 = Tanh(Linear(s2, W3, b3))\n"
                "s4 = Tanh(Linear(s3, W4, b4)); s5 = Tanh(Linear(s4, W5, b5)); l6 = Linear(s5, W6, b6)\n"
                "cost = MSE(l6, y)",
     .input_count = 2,
     .rows = 8192,
     .batch = 64,
     .learning_rate = 0.01,
     .widths = (const int64_t[]){64, 64, 64, 64, 64, 64, 1, 0},
     .leaf = {{"X", MATRIX(DIM_BATCH, 64)},
              {"y", MATRIX(DIM_BATCH, 1)},
              {"W1", MATRIX(64, 64)},
              {"b1", VECTOR(64)},
              {"W2", MATRIX(64, 64)},
              {"b2", VECTOR(64)},
              {"W3", MATRIX(64, 64)},
              {"b3", VECTOR(64)},
              {"W4", MATRIX(64, 64)},
              {"b4", VECTOR(64)},
              {"W5", MATRIX(64, 64)},
              {"b5", VECTOR(64)},
              {"W6", MATRIX(64, 1)},
              {"b6", VECTOR(1)}}},
    {.name = "conv",
     .program = "c1 = MaxPool(Relu(Conv(X, K1, b1)), kernel=2); c2 = Relu(Conv(c1, K2, b2))\n"
                "l3 = Linear(Flatten(c2), W3, b3); cost = CrossEntropy(l3, y)",
     .input_count = 2,
     .classes = 10,
     .rows = 1792,
     .batch = 64,
     .learning_rate = 0.01,
     .leaf = {{"X", {4, {DIM_BATCH, 1, 8, 8}}},
              {"y", VECTOR(DIM_BATCH)},
              {"K1", {4, {16, 1, 3, 3}}},
              {"b1", VECTOR(16)},
              {"K2", {4, {32, 16, 3, 3}}},
              {"b2", VECTOR(32)},
              {"W3", MATRIX(32, 10)},
              {"b3", VECTOR(10)}}},
    {.name = "pinn",
     .program = "s1 = Tanh(Linear(X, W1, b1)); s2 = Tanh(Linear(s1, W2, b2)); u = Linear(s2, W3, b3)\n"
                "du = grad(u, X)\n"
                "u0 = Slice(du, starts=[0], ends=[1], axes=[1]); u1 = Slice(du, starts=[1], ends=[2], axes=[1])\n"
                "u00 = Slice(grad(u0, X), starts=[0], ends=[1], axes=[1])\n"
                "u11 = Slice(grad(u1, X), starts=[1], ends=[2], axes=[1])\n"
                "cost = MSE(u00 + u11, y)",
     .input_count = 2,
     .rows = 8192,
     .batch = 256,
     .learning_rate = 0.001,
     .leaf = {{"X", MATRIX(DIM_BATCH, 2)},
              {"y", MATRIX(DIM_BATCH, 1)},
              {"W1", MATRIX(2, 32)},
              {"b1", VECTOR(32)},
              {"W2", MATRIX(32, 32)},
              {"b2", VECTOR(32)},
              {"W3", MATRIX(32, 1)},
              {"b3", VECTOR(1)}}},
    {.name = NULL},
};

const struct workload *workload_find(const char *name)
{
    for (const struct workload *w = workloads; w->name != NULL; w++)
        if (strcmp(w->name, name) == 0)
            return w;
    return NULL;
}

double workload_product_flops(const struct workload *w)
{
    double flops = 0;
    for (const int64_t *width = w->widths; width != NULL && width[1] != 0; width++)
        flops += 2 * (double)w->batch * (double)width[0] * (double)width[1] * (width == w->widths ? 2 : 3);
    return flops;
}

static err_code build_graph(const struct workload *w, size_t leaves, struct graph **ret, struct error *err)
{
    enum { NODES_MAX = 100000 };
    struct named_shape known[WORKLOAD_LEAVES_MAX];
    const struct notation_options options = {.pointer = "/program"};
    struct program *program = NULL;
    err_code code = notation_parse(w->program, strlen(w->program), &options, &program, err);
    if (code != ERR_ok)
        return code;
    for (size_t i = 0; i < leaves; i++)
        known[i] = (struct named_shape){.name = w->leaf[i].name, .shape = w->leaf[i].shape};
    code = graph_build(program, known, leaves, NODES_MAX, ret, err);
    program_free(program);
    return code;
}

static struct model *make_model(const struct workload *w, size_t leaves, struct graph *graph)
{
    struct model *m = must_have(calloc(1, sizeof *m));
    *m = (struct model){.graph = graph,
                        .inputs = must_have(calloc(w->input_count, sizeof *m->inputs)),
                        .input_count = w->input_count,
                        .parameters = must_have(calloc(leaves - w->input_count, sizeof *m->parameters)),
                        .parameter_count = leaves - w->input_count,
                        .cost = graph_find(graph, "cost"),
                        .output = NODE_NONE,
                        .dtype = DTYPE_FLOAT32,
                        .seed = 1};
    for (size_t i = 0; i < leaves; i++) {
        const node_id leaf = graph_find(graph, w->leaf[i].name);
        if (i < w->input_count)
            m->inputs[i] = leaf;
        else
            m->parameters[i - w->input_count] =
                (struct parameter){.node = leaf, .init = w->leaf[i].shape.rank == 1 ? INIT_ZEROS : INIT_GLOROT_UNIFORM};
    }
    return m;
}

/* Numbers in [-1, 1), or class numbers. */
static void *make_table(const struct workload *w, size_t input)
{
    int64_t elements = 0;
    if (!shape_elements(shape_bind(w->leaf[input].shape, w->rows), &elements))
        give_up("a data set is too large", NULL);
    float *table = random_floats(elements, 1 + (uint32_t)input);
    const bool is_class = w->classes > 0 && input == w->input_count - 1;
    for (int64_t i = 0; i < elements; i++)
        table[i] = is_class ? (float)(int)((table[i] + 0.5F) * (float)w->classes) : 2 * table[i];
    return table;
}

err_code workload_load(const struct workload *w, struct loaded *ret, struct error *err)
{
    size_t leaves = 0;
    while (leaves < WORKLOAD_LEAVES_MAX && w->leaf[leaves].name != NULL)
        leaves++;
    struct graph *graph = NULL;
    err_code code = build_graph(w, leaves, &graph, err);
    if (code != ERR_ok)
        return code;
    *ret = (struct loaded){.workload = w, .model = make_model(w, leaves, graph)};
    ret->spec = (struct train_spec){.optimizer = optimizer_defaults(OPTIMIZER_SGD),
                                    .epochs = 1000000,
                                    .batch_size = w->batch,
                                    .shuffle = true,
                                    .seed = 1};
    ret->spec.optimizer.learning_rate = w->learning_rate;
    for (size_t i = 0; i < w->input_count; i++)
        ret->tables[i] = make_table(w, i);
    ret->data = (struct train_data){.inputs = (const void *const *)ret->tables, .rows = (size_t)w->rows};
    must(model_initial(ret->model, &ret->start, err), "no parameters", err);
    return ERR_ok;
}

void workload_unload(struct loaded *l)
{
    tensors_free(l->start, l->model->parameter_count);
    for (size_t i = 0; i < l->workload->input_count; i++)
        free(l->tables[i]);
    model_free(l->model);
    *l = (struct loaded){0};
}
