#include "http_queries.h"

#include "base/cores.h"
#include "echo.h"
#include "http.h"
#include "load.h"
#include "measure.h"
#include "report.h"
#include "served.h"
#include <string.h>

enum { IO_THREADS = 2, CONNECTIONS = 16 };
static const double SECONDS = 4;
static const double WINDOW_US = 200000;

/* What is asked, again and again. */
struct query {
    const char *name;
    const char *path;
    struct text body;
    const char *varied; /* digits in the body, of which each request has others; NULL: all are the same */
    size_t connections;
};

static void bench_query(const struct served *served, struct echo *echo, const struct query *q)
{
    struct text request = {0};
    http_write_request(&request, "POST", q->path, "application/json", q->body.data);
    struct load *gradd = load_new(served->port, q->connections, &request);
    struct load *bare = load_new(echo->port, q->connections, &request);
    if (q->varied != NULL)
        load_vary(gradd, (size_t)(strstr(request.data, q->varied) - request.data), strlen(q->varied));
    (void)load_turn(gradd, 1);
    echo_size(echo, load_answer_bytes(gradd));
    struct contestant by[] = {{.turn = load_turn, .context = gradd}, {.turn = load_turn, .context = bare}};
    rounds(by, sizeof by / sizeof *by, SECONDS, WINDOW_US);
    const double half = load_us(gradd, 0.5);
    const double most = load_us(gradd, 0.99);
    printf("{\"bench\":\"%s\",\"connections\":%zu,\"body_bytes\":%zu,\"answer_bytes\":%zu", q->name, q->connections,
           q->body.length, load_answer_bytes(gradd));
    print_us("us_per_query", by[0].us);
    print_us("bare_us", by[1].us);
    print_ratio("times_bare_speed", by[1].us / by[0].us);
    print_us("p50_us", half);
    print_us("p99_us", most);
    print_ratio("p99_times_p50", most / half);
    print_us("bare_p99_us", load_us(bare, 0.99));
    puts("}");
    load_free(gradd);
    load_free(bare);
    text_clear(&request);
}

/* Unless the picked name is another one. */
static void bench_picked(const char *picked, const struct served *served, struct echo *echo, struct query *q)
{
    if (strstr(q->name, picked) != NULL)
        bench_query(served, echo, q);
    text_clear(&q->body);
}

static void write_inputs(struct text *to, const struct workload *w, int64_t batch)
{
    text_puts(to, "\"inputs\":");
    write_values(to, w, batch);
}

static struct text gradient_body(const struct workload *w, int64_t batch)
{
    struct text body = {0};
    text_puts(&body, "{");
    write_inputs(&body, w, batch);
    text_puts(&body, "}");
    return body;
}

static void bench_gradients(const char *picked, const struct served *served, struct echo *echo)
{
    static const struct {
        const char *name;
        int64_t batch;
        size_t connections;
    } cases[] = {{"query/gradient-http/seed/1", 1, CONNECTIONS},
                 {"query/gradient-http/seed/32", 32, CONNECTIONS},
                 {"query/gradient-http/seed/1/alone", 1, 1},
                 {"query/gradient-http/seed/32/alone", 32, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct query q = {.name = cases[i].name,
                          .path = "/v1/models/seed/gradient",
                          .body = gradient_body(workload_find("seed"), cases[i].batch),
                          .connections = cases[i].connections};
        bench_picked(picked, served, echo, &q);
    }
}

/* The Hessian of tab's cost times a vector as long as its parameters. */
static void bench_hvp(const char *picked, const struct served *served, struct echo *echo)
{
    static const struct workload vector = {
        .input_count = 4,
        .leaf = {{"W1", {2, {784, 128}}}, {"b1", {1, {128}}}, {"W2", {2, {128, 10}}}, {"b2", {1, {10}}}}};
    const struct workload *tab = workload_find("tab");
    struct query q = {.name = "query/hvp-http/tab", .path = "/v1/models/tab/hvp", .connections = 2};
    text_puts(&q.body, "{\"vector\":");
    write_values(&q.body, &vector, 0);
    text_puts(&q.body, ",");
    write_inputs(&q.body, tab, tab->batch);
    text_puts(&q.body, "}");
    bench_picked(picked, served, echo, &q);
}

/* 10 outputs by 100 inputs, of each of 32 rows by each: 1,024,000 numbers. */
static void bench_jacobian(const char *picked, const struct served *served, struct echo *echo)
{
    static const struct workload layer = {.input_count = 2,
                                          .leaf = {{"X", {2, {DIM_BATCH, 100}}}, {"W", {2, {100, 10}}}}};
    struct query q = {.name = "query/jacobian-http/10x100", .path = "/v1/differentiate", .connections = 2};
    text_puts(&q.body, "{\"program\":\"f = Tanh(X @ W)\",\"query\":\"jacobian\",\"wrt\":\"X\",\"dtype\":\"float32\",");
    write_inputs(&q.body, &layer, 32);
    text_puts(&q.body, "}");
    bench_picked(picked, served, echo, &q);
}

static void bench_differentiate(const char *picked, const struct served *served, struct echo *echo)
{
    struct query q = {.name = "query/differentiate-http/never-seen",
                      .path = "/v1/differentiate",
                      .varied = "0000000000",
                      .connections = CONNECTIONS};
    text_puts(&q.body, "{\"program\":\"f0000000000 = x^2\",\"inputs\":{\"x\":4}}");
    bench_picked(picked, served, echo, &q);
}

static void bench_while_training(const char *picked, struct echo *echo)
{
    const struct workload *seed = workload_find("seed");
    const struct workload *deep = workload_find("deep");
    struct served served;
    struct query q = {.name = "query/gradient-http/seed/1/training",
                      .path = "/v1/models/seed/gradient",
                      .body = gradient_body(seed, 1),
                      .connections = CONNECTIONS};
    if (strstr(q.name, picked) != NULL && served_start(&served, IO_THREADS)) {
        served_model(&served, seed);
        served_model(&served, deep);
        served_train(&served, deep, cores_count());
        bench_query(&served, echo, &q);
        served_end(&served);
    }
    text_clear(&q.body);
}

/* Whether one of these queries has `picked` in its name: servers are started for nothing else. */
static bool is_picked(const char *picked)
{
    static const char *const names[] = {
        "query/gradient-http/seed/1/alone",
        "query/gradient-http/seed/32/alone",
        "query/hvp-http/tab",
        "query/jacobian-http/10x100",
        "query/differentiate-http/never-seen",
        "query/gradient-http/seed/1/training",
    };
    bool found = false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        found = found || strstr(names[i], picked) != NULL;
    return found;
}

void bench_http(const char *picked)
{
    static const char *const models[] = {"seed", "tab"};
    struct served served;
    struct echo echo;
    if (!is_picked(picked))
        return;
    if (!served_start(&served, IO_THREADS)) {
        puts("{\"bench\":\"query/http\",\"skipped\":\"GRADD does not name the binary\"}");
        return;
    }
    echo_start(&echo, IO_THREADS);
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        served_model(&served, workload_find(models[i]));
    bench_gradients(picked, &served, &echo);
    bench_hvp(picked, &served, &echo);
    bench_jacobian(picked, &served, &echo);
    bench_differentiate(picked, &served, &echo);
    served_end(&served);
    bench_while_training(picked, &echo);
    echo_end(&echo);
}
