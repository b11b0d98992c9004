/* A plan: how the outputs of a graph are computed. Made once for (graph, outputs, dtype), immutable, shared by any
 * number of runs and threads.
 *
 * Planning keeps only what the outputs need, chooses a kernel for every step and lays the results out in one arena
 * whose exact size is known before anything runs. */
#ifndef GRADD_ENGINE_PLAN_H
#define GRADD_ENGINE_PLAN_H

#include "graph/graph.h"

struct plan;

/* `output` (an index into outputs) is written where input `input` (a leaf) lies, after every other read of it: an
 * optimizer's update. */
struct plan_shared {
    size_t output;
    node_id input;
};

struct plan_spec {
    const struct graph *graph; /* concrete shapes, no Grad nodes */
    enum dtype dtype;
    const node_id *outputs;
    size_t output_count;
    const struct plan_shared *shared;
    size_t shared_count;
    const node_id *gathered; /* leaves whose rows (first axis) are picked from a table at every run: run_bind_rows */
    size_t gathered_count;
    int threads;    /* that may share a run, each with scratch of its own in the arena; 0 is 1 */
    bool training;  /* Dropout drops; else it is the identity */
    bool plain;     /* without fusion, work in place and reuse of memory: the same bits, for comparison */
    bool described; /* keeps what describe.h tells of each step */
};

/* Errors: limit_exceeded (arena over SIZE_MAX / 4), out_of_memory. */
err_code plan_make(const struct plan_spec *spec, struct plan **ret, struct error *err);
void plan_free(struct plan *p);

size_t plan_arena_bytes(const struct plan *p); /* exact: what run_new allocates for values and scratch */
size_t plan_bytes(const struct plan *p);       /* of the plan itself, without what describes it */
double plan_flops(const struct plan *p);       /* estimate for one run */
size_t plan_step_count(const struct plan *p);

/* Leaves, in the order of the graph. */
size_t plan_input_count(const struct plan *p);
const char *plan_input_name(const struct plan *p, size_t input);
struct shape plan_input_shape(const struct plan *p, size_t input);
bool plan_find_input(const struct plan *p, const char *name,
                     size_t *ret); /* false too where no output needs the leaf */
size_t plan_output_count(const struct plan *p);
struct shape plan_output_shape(const struct plan *p, size_t output);
enum dtype plan_dtype(const struct plan *p);

#endif
