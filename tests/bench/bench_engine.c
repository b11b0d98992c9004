/* The engine alone, one thread, float32: GFLOP/s of square products, and microseconds of a step of `seed` (13-10-1,
 * Sigmoid, MSE, a batch of 32 gathered from a table, SGD) as one plan; on every instruction set of this machine. */
#include "autodiff/gradient.h"
#include "base/clock.h"
#include "engine/isa.h"
#include "engine/run.h"
#include "graph/builder.h"
#include "graph/simplify.h"
#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS = 5 };

static _Noreturn void give_up(const char *what, const struct error *err)
{
    fprintf(stderr, "bench_engine: %s: %s\n", what, err->detail != NULL ? err->detail : err_name(err->code));
    exit(1);
}

/* Microseconds of one execution: the best of a few rounds of about 20 ms. */
static double microseconds(struct run *run)
{
    double best = 1e30;
    int64_t count = 1;
    struct error err = {0};
    for (int round = 0; round < ROUNDS;) {
        const int64_t start = clock_monotonic();
        for (int64_t i = 0; i < count; i++)
            if (run_execute(run, NULL, &err) != ERR_ok)
                give_up("a run failed", &err);
        const double elapsed = (double)(clock_monotonic() - start) / 1000;
        if (elapsed < 20000) {
            count *= 2;
            continue;
        }
        best = elapsed / (double)count < best ? elapsed / (double)count : best;
        round++;
    }
    return best;
}

static float *random_floats(int64_t count)
{
    float *x = malloc((size_t)count * sizeof *x);
    uint32_t state = 1;
    for (int64_t i = 0; x != NULL && i < count; i++) {
        state = state * 1664525 + 1013904223;
        x[i] = (float)(state >> 8) * 0x1p-24F - 0.5F;
    }
    return x;
}

static struct run *start(const struct plan_spec *spec, const struct kernels *isa, struct plan **ret_plan)
{
    struct error err = {0};
    struct run *run = NULL;
    if (plan_make_isa(spec, isa, ret_plan, &err) != ERR_ok || run_new(*ret_plan, &run, &err) != ERR_ok)
        give_up("no plan", &err);
    return run;
}

static void bench_product(const struct kernels *isa, int64_t n)
{
    struct builder b = {.graph = graph_new(10)};
    const struct shape square = shape_of(2, (int64_t[]){n, n});
    const node_id x = build_input(&b, "x", square);
    const node_id out = build_binary(&b, OP_MatMul, x, build_input(&b, "w", square));
    const struct plan_spec spec = {.graph = b.graph, .dtype = DTYPE_FLOAT32, .outputs = &out, .output_count = 1};
    struct plan *plan = NULL;
    struct run *run = start(&spec, isa, &plan);
    float *values = random_floats(n * n);
    run_bind(run, 0, values);
    run_bind(run, 1, values);
    const double us = microseconds(run);
    printf("{\"bench\":\"engine/product\",\"isa\":\"%s\",\"size\":%lld,\"us\":%.3f,\"gflops\":%.1f}\n", isa->isa,
           (long long)n, us, 2 * (double)n * (double)n * (double)n / us / 1000);
    free(values);
    run_free(run);
    plan_free(plan);
    graph_free(b.graph);
}

/* The leaves of `seed`, in the order of the graph. */
enum { X, Y, W1, B1, W2, B2, LEAVES };

static void bench_seed(const struct kernels *isa)
{
    enum { BATCH = 32, ROWS = 4096 };
    static const char *const names[LEAVES] = {"X", "y", "W1", "b1", "W2", "b2"};
    const struct shape shapes[LEAVES] = {{2, {BATCH, 13}}, {2, {BATCH, 1}}, {2, {13, 10}},
                                         {1, {10}},        {2, {10, 1}},    {1, {1}}};
    struct error err = {0};
    struct builder b = {.graph = graph_new(1000), .err = &err};
    node_id leaf[LEAVES];
    for (int i = 0; i < LEAVES; i++)
        leaf[i] = build_input(&b, names[i], shapes[i]);
    const node_id l1 = build_op(&b, OP_Linear, (node_id[]){leaf[X], leaf[W1], leaf[B1]}, 3, NULL, 0);
    const node_id s1 = build_unary(&b, OP_Sigmoid, l1);
    const node_id l2 = build_op(&b, OP_Linear, (node_id[]){s1, leaf[W2], leaf[B2]}, 3, NULL, 0);
    node_id outputs[5] = {build_binary(&b, OP_MSE, l2, leaf[Y])};
    node_id gradients[4];
    struct plan_shared shared[4];
    if (b.code != ERR_ok || gradient(b.graph, outputs[0], NODE_NONE, &leaf[W1], 4, gradients, &err) != ERR_ok)
        give_up("no gradient", &err);
    for (int i = 0; i < 4; i++)
        outputs[i + 1] =
            build_binary(&b, OP_Sub, leaf[W1 + i], build_binary(&b, OP_Mul, build_scalar(&b, 0.01), gradients[i]));
    struct graph *simple = NULL;
    if (b.code != ERR_ok || graph_simplify(b.graph, outputs, 5, &simple, outputs, &err) != ERR_ok)
        give_up("no step", &err);
    for (int i = 0; i < LEAVES; i++)
        leaf[i] = graph_find(simple, names[i]);
    for (int i = 0; i < 4; i++)
        shared[i] = (struct plan_shared){(size_t)i + 1, leaf[W1 + i]};
    const struct plan_spec spec = {.graph = simple,
                                   .dtype = DTYPE_FLOAT32,
                                   .outputs = outputs,
                                   .output_count = 5,
                                   .shared = shared,
                                   .shared_count = 4,
                                   .gathered = leaf,
                                   .gathered_count = 2,
                                   .training = true};
    struct plan *plan = NULL;
    struct run *run = start(&spec, isa, &plan);
    float *values[LEAVES];
    uint32_t rows[BATCH];
    for (uint32_t i = 0; i < BATCH; i++)
        rows[i] = (i * 2654435761U) % ROWS;
    for (int i = 0; i < LEAVES; i++) {
        size_t input = 0;
        if (!plan_find_input(plan, names[i], &input))
            give_up("a leaf is missing", &err);
        values[i] = random_floats(i < W1 ? ROWS * 13 : 130);
        if (i < W1)
            run_bind_rows(run, input, values[i], rows);
        else
            run_bind_shared(run, input, values[i]);
    }
    printf("{\"bench\":\"engine/seed\",\"isa\":\"%s\",\"steps\":%zu,\"arena_bytes\":%zu,\"us_per_step\":%.3f}\n",
           isa->isa, plan_step_count(plan), plan_arena_bytes(plan), microseconds(run));
    for (int i = 0; i < LEAVES; i++)
        free(values[i]);
    run_free(run);
    plan_free(plan);
    graph_free(simple);
    graph_free(b.graph);
}

int main(void)
{
    static const int64_t sizes[] = {8, 32, 64, 128, 256, 512};
    for (size_t i = 0; isa_at(i) != NULL; i++) {
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
            bench_product(isa_at(i), sizes[s]);
        bench_seed(isa_at(i));
    }
    return 0;
}
