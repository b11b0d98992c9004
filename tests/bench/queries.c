#include "queries.h"

#include "api/answers.h"
#include "api/codec.h"
#include "autodiff/gradient.h"
#include "base/config.h"
#include "engine/run.h"
#include "graph/builder.h"
#include "graph/simplify.h"
#include "products.h"
#include "query/planned.h"
#include "report.h"
#include "torch.h"
#include "workloads.h"
#include <stdlib.h>

enum { CONTESTANTS_MAX = 8 + PRODUCTS_MAX * LIBRARY_COUNT * WAYS_MAX };
static const double SECONDS = 2;
static const double WINDOW_US = 2000;

/* ---- a plan that is run */

struct running {
    struct run *run;
    float *values[WORKLOAD_LEAVES_MAX * 2];
};

static void running_start(const struct plan *plan, struct running *ret)
{
    struct error err = {0};
    *ret = (struct running){0};
    must(run_new(plan, &ret->run, &err), "no run", &err);
    for (size_t i = 0; i < plan_input_count(plan); i++) {
        int64_t elements = 0;
        if (i >= sizeof ret->values / sizeof *ret->values || !shape_elements(plan_input_shape(plan, i), &elements))
            give_up("a plan with too many leaves", NULL);
        ret->values[i] = random_floats(elements, 1 + (uint32_t)i);
        /* y may hold class numbers. */
        for (int64_t k = 0; plan_input_name(plan, i)[0] == 'y' && k < elements; k++)
            ret->values[i][k] = (float)(k % 10);
        run_bind(ret->run, i, ret->values[i]);
    }
}

static void running_end(struct running *r)
{
    run_free(r->run);
    for (size_t i = 0; i < sizeof r->values / sizeof *r->values; i++)
        free(r->values[i]);
}

static void execute(void *context)
{
    struct error err = {0};
    must(run_execute(((struct running *)context)->run, NULL, &err), "a run failed", &err);
}

static double run_turn(void *context, int64_t count)
{
    return time_calls(execute, context, count);
}

/* ---- the gradient of seed as a question */

struct asking {
    struct question question;
    struct named_place of, wrt[WORKLOAD_LEAVES_MAX];
    struct named_tensor inputs[WORKLOAD_LEAVES_MAX], parameters[WORKLOAD_LEAVES_MAX];
    struct tensor *values[WORKLOAD_LEAVES_MAX];
    node_id of_id, wrt_ids[WORKLOAD_LEAVES_MAX];
    struct planning planning;
    struct plans *plans;
};

static void asking_start(const struct loaded *l, int64_t batch, const struct limits *limits, struct asking *a)
{
    const struct model *m = l->model;
    struct error err = {0};
    *a = (struct asking){.of = {.name = "cost"}, .of_id = m->cost};
    for (size_t i = 0; i < m->input_count; i++) {
        const struct node *n = graph_node(m->graph, m->inputs[i]);
        must(tensor_new(m->dtype, shape_bind(n->shape, batch), &a->values[i], &err), "no memory", &err);
        for (int64_t k = 0; k < tensor_elements(a->values[i]); k++)
            tensor_set(a->values[i], k, (double)(k % 7) / 7 - 0.4);
        a->inputs[i] = (struct named_tensor){.name = n->name, .tensor = a->values[i]};
    }
    for (size_t p = 0; p < m->parameter_count; p++) {
        a->wrt_ids[p] = m->parameters[p].node;
        a->wrt[p].name = graph_node(m->graph, a->wrt_ids[p])->name;
        a->parameters[p] = (struct named_tensor){.name = a->wrt[p].name, .tensor = l->start[p]};
    }
    a->question = (struct question){.kind = QUESTION_GRADIENT,
                                    .graph = m->graph,
                                    .graph_key = "model:1",
                                    .dtype = m->dtype,
                                    .of = &a->of,
                                    .of_count = 1,
                                    .wrt = a->wrt,
                                    .wrt_count = m->parameter_count,
                                    .inputs = a->inputs,
                                    .input_count = m->input_count,
                                    .parameters = a->parameters,
                                    .parameter_count = m->parameter_count};
    a->planning = (struct planning){.question = &a->question,
                                    .of = &a->of_id,
                                    .wrt = a->wrt_ids,
                                    .batch = batch,
                                    .answer_elements_max = limits->answer_elements,
                                    .arena_bytes_max = (size_t)limits->memory_bytes};
    must(plans_new(limits, &a->plans, &err), "no cache", &err);
}

static void asking_end(struct asking *a)
{
    plans_free(a->plans);
    for (size_t i = 0; i < WORKLOAD_LEAVES_MAX; i++)
        tensor_free(a->values[i]);
}

static void ask(void *context)
{
    struct asking *a = context;
    struct prepared *prepared = NULL;
    struct answer answer = {0};
    struct error err = {0};
    must(question_prepare(a->plans, &a->question, &prepared, &err), "no plan of a question", &err);
    must(prepared_run(prepared, NULL, &answer, &err), "no answer", &err);
    answer_clear(&answer);
    prepared_free(prepared);
}

static double ask_turn(void *context, int64_t count)
{
    return time_calls(ask, context, count);
}

static struct planned *make_plan(const struct asking *a)
{
    struct planned *planned = NULL;
    struct error err = {0};
    must(planned_make(&a->planning, &planned, &err), "no plan of a question", &err);
    return planned;
}

static void plan_anew(void *context)
{
    planned_free(make_plan(context));
}

static double plan_turn(void *context, int64_t count)
{
    return time_calls(plan_anew, context, count);
}

static void bench_gradient(const struct loaded *l, int64_t batch, const struct limits *limits, struct child *torch)
{
    struct asking asking;
    struct running running;
    char name[64];
    asking_start(l, batch, limits, &asking);
    struct planned *planned = make_plan(&asking);
    running_start(planned->plan, &running);
    (void)snprintf(name, sizeof name, "gradient/%s/%lld", l->workload->name, (long long)batch);
    struct torch_work work = {torch, name};
    struct contestant by[] = {{.turn = run_turn, .context = &running},
                              {.turn = ask_turn, .context = &asking},
                              {.turn = plan_turn, .context = &asking},
                              torch_contestant(&work)};
    rounds(by, sizeof by / sizeof *by, SECONDS, WINDOW_US);
    printf("{\"bench\":\"query/%s\"", name);
    print_us("us_per_run", by[0].us);
    print_us("us_per_question", by[1].us);
    print_ratio("question_times_run", by[1].us / by[0].us);
    print_us("planning_us", by[2].us);
    print_us("torch_us", by[3].us);
    print_ratio("times_faster_than_torch", by[3].us / by[1].us);
    puts("}");
    running_end(&running);
    planned_free(planned);
    asking_end(&asking);
}

void bench_gradients(struct child *torch)
{
    struct loaded loaded;
    struct config config;
    struct error err = {0};
    must(config_read(0, NULL, &config, &err), "no limits", &err);
    must(workload_load(workload_find("seed"), &loaded, &err), "seed", &err);
    bench_gradient(&loaded, 1, &config.limits, torch);
    bench_gradient(&loaded, loaded.workload->batch, &config.limits, torch);
    workload_unload(&loaded);
    config_clear(&config);
}

/* ---- the Hessian of tab times a vector */

struct derivative {
    struct graph *graph; /* simplified */
    node_id outputs[WORKLOAD_LEAVES_MAX];
    size_t count;
    struct plan *plan;
    struct running running;
};

/* The gradient by the parameters, or, with `product`, the gradient of its inner product with a vector. */
static void make_derivative(const struct loaded *l, bool product, struct derivative *ret)
{
    const struct model *m = l->model;
    const size_t count = m->parameter_count;
    struct graph *graph = NULL;
    struct error err = {0};
    node_id parameters[WORKLOAD_LEAVES_MAX];
    node_id gradients[WORKLOAD_LEAVES_MAX];
    *ret = (struct derivative){.count = count};
    must(graph_bind(m->graph, l->workload->batch, &graph, &err), "no graph", &err);
    for (size_t p = 0; p < count; p++)
        parameters[p] = m->parameters[p].node;
    must(gradient(graph, m->cost, NODE_NONE, parameters, count, gradients, &err), "no gradient", &err);
    if (product) {
        static const int64_t axes[] = {0, 1};
        struct builder b = {.graph = graph, .err = &err};
        node_id sum = NODE_NONE;
        for (size_t p = 0; p < count; p++) {
            char name[32];
            (void)snprintf(name, sizeof name, "v%zu", p);
            const node_id v = build_input(&b, name, build_shape(&b, parameters[p]));
            const node_id terms = build_binary(&b, OP_Mul, gradients[p], v);
            const node_id term =
                build_reduce(&b, OP_ReduceSum, terms, axes, (size_t)build_shape(&b, terms).rank, false);
            sum = p == 0 ? term : build_binary(&b, OP_Add, sum, term);
        }
        must(b.code, "no inner product", &err);
        must(gradient(graph, sum, NODE_NONE, parameters, count, gradients, &err), "no Hessian product", &err);
    }
    must(graph_simplify(graph, gradients, count, &ret->graph, ret->outputs, &err), "no graph", &err);
    graph_free(graph);
    const struct plan_spec spec = {
        .graph = ret->graph, .dtype = m->dtype, .outputs = ret->outputs, .output_count = count};
    must(plan_make(&spec, &ret->plan, &err), "no plan", &err);
    running_start(ret->plan, &ret->running);
}

static void free_derivative(struct derivative *h)
{
    running_end(&h->running);
    plan_free(h->plan);
    graph_free(h->graph);
}

void bench_hessian_product(struct child *torch)
{
    static struct contestant contestants[CONTESTANTS_MAX];
    static struct product_list products;
    struct loaded loaded;
    struct derivative product;
    struct derivative first;
    struct error err = {0};
    struct torch_work work = {torch, "hvp/tab"};
    must(workload_load(workload_find("tab"), &loaded, &err), "tab", &err);
    make_derivative(&loaded, true, &product);
    make_derivative(&loaded, false, &first);
    products_of_graph(product.graph, product.outputs, product.count, &products);
    struct contest *contest = contest_new(&products);
    contestants[0] = (struct contestant){.turn = run_turn, .context = &product.running};
    contestants[1] = (struct contestant){.turn = run_turn, .context = &first.running};
    contestants[2] = torch_contestant(&work);
    rounds(contestants, 3 + contest_contestants(contest, contestants + 3), SECONDS, WINDOW_US);
    contest_take(contest, contestants + 3);
    const double us = contestants[0].us;
    printf("{\"bench\":\"query/hvp/tab\"");
    print_us("us_per_run", us);
    print_us("gradient_us", contestants[1].us);
    print_ratio("times_gradient", us / contestants[1].us);
    print_us("products_us", contest_us(contest));
    print_ratio("times_products", us / contest_us(contest));
    print_us("torch_us", contestants[2].us);
    print_ratio("times_faster_than_torch", contestants[2].us / us);
    puts("}");
    contest_free(contest);
    free_derivative(&product);
    free_derivative(&first);
    workload_unload(&loaded);
}

/* ---- the numbers of a gradient, beside computing it */

struct parts {
    struct text body;
    const struct limits *limits;
    struct asking *asking;
    struct prepared *prepared;
    struct answer answer;
};

static void read_body(void *context)
{
    const struct parts *p = context;
    struct query_request request = {0};
    struct error err = {0};
    must(decode_query_request(p->body.data, p->body.length, FORM_GRADIENT, DTYPE_FLOAT32, p->limits, &request, &err),
         "a body that is not read", &err);
    query_request_clear(&request);
}

static double read_turn(void *context, int64_t count)
{
    return time_calls(read_body, context, count);
}

static void print_answer(void *context)
{
    const struct parts *p = context;
    struct text text = {0};
    struct json j = {.text = &text};
    put_object(&j);
    put_question_answer(&j, &p->asking->question, &p->answer, false);
    put_object_end(&j);
    text_clear(&text);
}

static double print_turn(void *context, int64_t count)
{
    return time_calls(print_answer, context, count);
}

/* {"inputs": {"X": [[...]], "y": [[...]]}} */
static void write_body(struct text *to, const struct asking *a)
{
    struct json j = {.text = to};
    put_object(&j);
    put_key(&j, "inputs");
    put_object(&j);
    for (size_t i = 0; i < a->question.input_count; i++) {
        float *values = random_floats(tensor_elements(a->values[i]), 1 + (uint32_t)i);
        const struct tensor t = {.dtype = DTYPE_FLOAT32, .shape = a->values[i]->shape, .data = values};
        put_key(&j, a->inputs[i].name);
        put_tensor(&j, &t, false);
        free(values);
    }
    put_object_end(&j);
    put_object_end(&j);
}

static void bench_gradient_parts(const struct loaded *l, int64_t batch, const struct limits *limits)
{
    struct asking asking;
    struct error err = {0};
    asking_start(l, batch, limits, &asking);
    struct parts parts = {.limits = limits, .asking = &asking};
    write_body(&parts.body, &asking);
    must(question_prepare(asking.plans, &asking.question, &parts.prepared, &err), "no plan of a question", &err);
    must(prepared_run(parts.prepared, NULL, &parts.answer, &err), "no answer", &err);
    struct contestant by[] = {{.turn = read_turn, .context = &parts},
                              {.turn = ask_turn, .context = &asking},
                              {.turn = print_turn, .context = &parts}};
    rounds(by, sizeof by / sizeof *by, SECONDS, WINDOW_US);
    printf("{\"bench\":\"query/parts/%s/%lld\",\"body_bytes\":%zu", l->workload->name, (long long)batch,
           parts.body.length);
    print_us("reading_us", by[0].us);
    print_us("computing_us", by[1].us);
    print_us("printing_us", by[2].us);
    puts("}");
    answer_clear(&parts.answer);
    prepared_free(parts.prepared);
    text_clear(&parts.body);
    asking_end(&asking);
}

void bench_parts(void)
{
    struct loaded loaded;
    struct config config;
    struct error err = {0};
    must(config_read(0, NULL, &config, &err), "no limits", &err);
    must(workload_load(workload_find("seed"), &loaded, &err), "seed", &err);
    bench_gradient_parts(&loaded, 1, &config.limits);
    bench_gradient_parts(&loaded, loaded.workload->batch, &config.limits);
    workload_unload(&loaded);
    config_clear(&config);
}
