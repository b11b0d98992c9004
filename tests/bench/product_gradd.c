/* Products by gradd's own kernels, through a plan. */
#include "engine/run.h"
#include "graph/builder.h"
#include "products.h"
#include <stdlib.h>

struct way {
    struct graph *graph;
    struct plan *plan;
    struct run *run;
};

static void multiply(void *context)
{
    struct error err = {0};
    must(run_execute(((struct way *)context)->run, NULL, &err), "a product failed", &err);
}

static const float *result(const void *context)
{
    return run_output(((const struct way *)context)->run, 0);
}

static void end(void *context)
{
    struct way *w = context;
    run_free(w->run);
    plan_free(w->plan);
    graph_free(w->graph);
    free(w);
}

/* (rows,columns), stored the other way round where it is transposed. */
static node_id operand(struct builder *b, const char *name, int64_t rows, int64_t columns, bool transposed)
{
    const node_id leaf =
        build_input(b, name, shape_of(2, (int64_t[]){transposed ? columns : rows, transposed ? rows : columns}));
    return transposed ? build_swap_last(b, leaf) : leaf;
}

static void bind(struct way *w, const char *name, const float *values)
{
    size_t input = 0;
    if (!plan_find_input(w->plan, name, &input))
        give_up("a product without an operand", NULL);
    run_bind(w->run, input, values);
}

size_t gradd_ways(const struct operands *o, struct contender *ret)
{
    enum { NODES_MAX = 10 };
    const struct product *p = &o->product;
    struct error err = {0};
    struct way *w = must_have(calloc(1, sizeof *w));
    w->graph = must_have(graph_new(NODES_MAX));
    struct builder b = {.graph = w->graph, .err = &err};
    const node_id a = operand(&b, "a", p->m, p->k, p->a_transposed);
    const node_id c = build_binary(&b, OP_MatMul, a, operand(&b, "b", p->k, p->n, p->b_transposed));
    must(b.code, "no graph of a product", &err);
    const struct plan_spec spec = {.graph = w->graph, .dtype = DTYPE_FLOAT32, .outputs = &c, .output_count = 1};
    must(plan_make(&spec, &w->plan, &err), "no plan of a product", &err);
    must(run_new(w->plan, &w->run, &err), "no run of a product", &err);
    bind(w, "a", o->a);
    bind(w, "b", o->b);
    *ret = (struct contender){.library = LIBRARY_GRADD,
                              .how = "gradd",
                              .multiply = multiply,
                              .end = end,
                              .context = w,
                              .result = result,
                              .c_row = p->n};
    return 1;
}
