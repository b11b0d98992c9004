/* Benchmarks of training and of queries: bench_train [NAME]. Prints JSON lines; each number stands beside what it is to
 * be held against, measured in the same run, in turns.
 *
 *   us_per_step             a step of the trainer, one thread, float32, its batch gathered from a shuffled data set
 *   products_us             the step's matrix products alone, each by whoever is quickest at it
 *   torch_us                a step of PyTorch, eager, one thread; null where it is not installed
 *   peak_rss_mb             of a process that has the data set and trains
 *   one_thread_us           a step on one thread in real time, where several share it
 *   us_per_query            over HTTP: real time by the number of answers, all connections together
 *   bare_us                 of a bare libmicrohttpd server with as many threads, bodies and answers as long
 *
 * NAME picks those whose name has it in it: "seed", "train/". The environment's OPENBLAS_... is not heeded. */
#include "echo.h"
#include "engine/run.h"
#include "graph/simplify.h"
#include "http_queries.h"
#include "products.h"
#include "queries.h"
#include "report.h"
#include "torch.h"
#include "train/step.h"
#include "workloads.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SECONDS = 4, WINDOW_US = 2000, CONTESTANTS_MAX = 1 + 1 + PRODUCTS_MAX * LIBRARY_COUNT * WAYS_MAX };

/* ---- a trainer */

struct training {
    struct loaded loaded;
    struct trainer *trainer;
    atomic_bool cancel; /* never set, but looked at, as a worker's is */
};

static err_code training_start(const struct workload *w, int threads, struct training *ret, struct error *err)
{
    err_code code = workload_load(w, &ret->loaded, err);
    if (code != ERR_ok)
        return code;
    ret->loaded.spec.threads = threads;
    const struct loaded *l = &ret->loaded;
    must(trainer_new(l->model, &l->spec, &l->data, l->start, &ret->trainer, err), "no trainer", err);
    return ERR_ok;
}

static void training_end(struct training *t)
{
    trainer_free(t->trainer);
    workload_unload(&t->loaded);
}

static void take_steps(struct training *t, int64_t count)
{
    struct error err = {0};
    const int64_t end = trainer_step(t->trainer) + count;
    for (int64_t step = end - count; step < end; step = trainer_step(t->trainer)) {
        struct train_point point;
        bool has_point;
        must(trainer_advance(t->trainer, end - step, &t->cancel, &point, &has_point, &err), "training failed", &err);
    }
}

static double train(void *context, int64_t count)
{
    take_steps(context, 1);
    const double start = thread_us();
    take_steps(context, count);
    return thread_us() - start;
}

/* ---- memory */

/* Trains for a while and tells the most memory that this process ever held, in MB. */
static int tell_peak(const char *name)
{
    struct training t = {0};
    struct error err = {0};
    char line[256];
    double kilobytes = -1;
    must(training_start(workload_find(name), 1, &t, &err), name, &err);
    take_steps(&t, 2 * t.loaded.workload->rows / t.loaded.workload->batch);
    FILE *status = fopen("/proc/self/status", "r");
    while (status != NULL && fgets(line, sizeof line, status) != NULL)
        if (strncmp(line, "VmHWM:", 6) == 0)
            kilobytes = strtod(line + 6, NULL);
    if (status != NULL)
        (void)fclose(status);
    training_end(&t);
    printf("%g\n", kilobytes / 1024);
    return 0;
}

static double peak_rss_mb(const char *name)
{
    struct child child;
    double mb = -1;
    if (!child_start(&child, (const char *const[]){"/proc/self/exe", "--peak", name, NULL}))
        return -1;
    if (!child_ask(&child, NULL, &mb))
        mb = -1;
    child_end(&child);
    return mb;
}

/* ---- a workload */

/* The products of the very graph that the step's plan is made of. */
static void products_of_step(const struct loaded *l, struct product_list *ret)
{
    struct step_graph s = {0};
    struct graph *simple = NULL;
    struct error err = {0};
    must(step_graph_make(l->model, &l->spec, l->spec.batch_size, false, &s, &err), "no step", &err);
    const size_t updates = s.parameter_count * s.stride;
    node_id *outputs = must_have(calloc(updates + 1, sizeof *outputs));
    size_t count = 0;
    outputs[count++] = s.cost;
    for (size_t i = 0; i < updates; i++)
        if (s.updates[i] != NODE_NONE)
            outputs[count++] = s.updates[i];
    must(graph_simplify(s.graph, outputs, count, &simple, outputs, &err), "no step", &err);
    products_of_graph(simple, outputs, count, ret);
    graph_free(simple);
    free(outputs);
    step_graph_clear(&s);
    const double flops = workload_product_flops(l->workload);
    if (flops != 0 && flops != products_flops(ret))
        give_up("a step has other products than its layers tell", NULL);
}

static void bench_workload(const struct workload *w, struct child *torch)
{
    static struct contestant contestants[CONTESTANTS_MAX];
    static struct product_list products;
    struct training t = {0};
    struct error err = {0};
    char name[64];
    if (training_start(w, 1, &t, &err) != ERR_ok) {
        printf("{\"bench\":\"train/%s\",\"skipped\":\"%s\"}\n", w->name,
               err.item_count > 0 ? err.items[0].detail : err_name(err.code));
        error_clear(&err);
        return;
    }
    products_of_step(&t.loaded, &products);
    struct contest *contest = contest_new(&products);
    struct torch_work work = {torch, w->name};
    contestants[0] = (struct contestant){.turn = train, .context = &t};
    contestants[1] = torch_contestant(&work);
    const size_t count = 2 + contest_contestants(contest, contestants + 2);
    rounds(contestants, count, SECONDS, WINDOW_US);
    contest_take(contest, contestants + 2);
    const double us = contestants[0].us;
    const double torch_us = contestants[1].us;
    printf("{\"bench\":\"train/%s\",\"threads\":1,\"isa\":\"%s\"", w->name, engine_isa());
    print_us("us_per_step", us);
    print_us("products_us", contest_us(contest));
    print_ratio("times_products", us / contest_us(contest));
    print_us("torch_us", torch_us);
    print_ratio("times_faster_than_torch", torch_us / us);
    printf(",\"peak_rss_mb\":%.1f}\n", peak_rss_mb(w->name));
    (void)snprintf(name, sizeof name, "train/%s/product", w->name);
    contest_print(contest, name);
    contest_free(contest);
    training_end(&t);
}

/* ---- threads */

static double train_together(void *context, int64_t count)
{
    take_steps(context, 1);
    const double start = wall_us();
    take_steps(context, count);
    return wall_us() - start;
}

/* Threads that share a step, two and far more than there are processors, against one, in real time. */
static void bench_threads(const struct workload *w)
{
    static const int threads[] = {1, 2, 8};
    enum { CONTESTANTS = sizeof threads / sizeof *threads };
    struct training t[CONTESTANTS];
    struct contestant contestants[CONTESTANTS];
    struct error err = {0};
    memset(t, 0, sizeof t);
    for (size_t i = 0; i < CONTESTANTS; i++) {
        must(training_start(w, threads[i], &t[i], &err), w->name, &err);
        contestants[i] = (struct contestant){.turn = train_together, .context = &t[i]};
    }
    rounds(contestants, CONTESTANTS, SECONDS, 10 * WINDOW_US);
    for (size_t i = 1; i < CONTESTANTS; i++) {
        printf("{\"bench\":\"train/%s\",\"threads\":%d,\"isa\":\"%s\"", w->name, threads[i], engine_isa());
        print_us("us_per_step", contestants[i].us);
        print_us("one_thread_us", contestants[0].us);
        print_ratio("times_faster_than_one_thread", contestants[0].us / contestants[i].us);
        printf("}\n");
    }
    for (size_t i = 0; i < CONTESTANTS; i++)
        training_end(&t[i]);
}

/* ---- products */

static void bench_square(int64_t n)
{
    static struct contestant contestants[CONTESTANTS_MAX];
    const struct product_list list = {.product = {{.m = n, .n = n, .k = n, .count = 1}}, .count = 1};
    struct contest *contest = contest_new(&list);
    rounds(contestants, contest_contestants(contest, contestants), 0.3, WINDOW_US);
    contest_take(contest, contestants);
    contest_print(contest, "product");
    contest_free(contest);
}

/* ---- */

static void clean_environment(void)
{
    static const char *const names[] = {"OPENBLAS_CORETYPE",
                                        "OPENBLAS_L2_SIZE",
                                        "OPENBLAS_VERBOSE",
                                        "OPENBLAS_BLOCK_FACTOR",
                                        "OPENBLAS_THREAD_TIMEOUT",
                                        "OPENBLAS_MAIN_FREE",
                                        "OPENBLAS_DEFAULT_NUM_THREADS",
                                        "GOTO_NUM_THREADS",
                                        "OMP_NUM_THREADS",
                                        "LIBXSMM_TARGET"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    setenv("OPENBLAS_NUM_THREADS", "1", 1);
}

int main(int argc, char **argv)
{
    const char *isa = getenv("GRADD_ISA");
    struct error err = {0};
    if (isa != NULL && *isa != '\0')
        must(engine_select_isa(isa, &err), "GRADD_ISA", &err);
    if (argc == 3 && strcmp(argv[1], "--peak") == 0)
        return tell_peak(argv[2]);
    if (argc == 3 && strcmp(argv[1], "--echo") == 0)
        return echo_serve((int)strtol(argv[2], NULL, 10));
    const char *picked = argc > 1 ? argv[1] : "";
    struct child torch = {0};
    clean_environment();
    (void)signal(SIGPIPE, SIG_IGN);
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    torch_start(&torch);
    for (const struct workload *w = workloads; w->name != NULL; w++) {
        char name[64];
        (void)snprintf(name, sizeof name, "train/%s", w->name);
        if (strstr(name, picked) != NULL)
            bench_workload(w, &torch);
        if (strstr(name, picked) != NULL && (strcmp(w->name, "tab") == 0 || strcmp(w->name, "wide") == 0))
            bench_threads(w);
    }
    for (int64_t n = 4; n <= 1024 && strstr("product", picked) != NULL; n *= 2)
        bench_square(n);
    if (strstr("query/gradient/seed", picked) != NULL)
        bench_gradients(&torch);
    if (strstr("query/hvp/tab", picked) != NULL)
        bench_hessian_product(&torch);
    if (strstr("query/parts/seed", picked) != NULL)
        bench_parts();
    child_end(&torch);
    bench_http(picked);
    return 0;
}
