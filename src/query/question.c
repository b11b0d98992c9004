#include "query/question.h"
#include "base/names.h"
#include "base/text.h"
#include "engine/run.h"
#include "query/answer.h"
#include "query/cache.h"
#include "query/planned.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { GUESSES_MAX = 10 }; /* names that are compared with all others for "did you mean", a question */

struct plans {
    struct cache *cache;
    int64_t answer_elements_max;
    size_t arena_bytes_max;   /* of one run */
    size_t running_bytes_max; /* of all runs together */
    atomic_size_t running_bytes;
};

struct prepared {
    struct plans *plans;
    const struct question *question;
    struct cache_entry *entry;
    const struct planned *planned;
    const void **bound;    /* of each input of the plan */
    struct tensor **casts; /* owned; NULL where the client's tensor is used as it is */
};

static void end_planned(void *value)
{
    planned_free(value);
}

size_t query_arena_max(const struct limits *limits)
{
    return (size_t)limits->memory_bytes / 8;
}

err_code plans_new(const struct limits *limits, struct plans **ret, struct error *err)
{
    struct plans *p = calloc(1, sizeof *p);
    if (!p) {
        return error_set(err, ERR_out_of_memory, NULL);
    }
    p->answer_elements_max = limits->answer_elements;
    p->arena_bytes_max = query_arena_max(limits);
    p->running_bytes_max = (size_t)limits->memory_bytes / 4;
    err_code code = cache_new((size_t)limits->memory_bytes / 16, end_planned, &p->cache, err);
    if (code != ERR_ok) {
        free(p);
        return code;
    }
    *ret = p;
    return ERR_ok;
}

void plans_free(struct plans *p)
{
    if (p) {
        cache_free(p->cache);
        free(p);
    }
}

/* ---- what the question says, looked up ---- */

/* The names of a question as nodes of its graph, and what follows from the shapes of the values. */
struct resolved {
    node_id *of, *wrt;
    const struct tensor **values; /* by node: of the leaves that are given */
    int64_t batch;                /* < 0: the graph has no symbolic shapes */
};

static void resolved_clear(struct resolved *r)
{
    free(r->of);
    free(r->wrt);
    free(r->values);
}

static void add_unknown_name(const struct graph *g, const char *name, struct place place, struct error *err)
{
    struct guess guess = {.name = name};
    for (size_t i = 0; err->total < GUESSES_MAX && i < graph_size(g); i++) {
        const char *candidate = graph_node(g, (node_id)i)->name;
        if (candidate) {
            guess_offer(&guess, candidate);
        }
    }
    if (guess.best) {
        error_add(err, ERR_unknown_name, place, "no node is named '%s'; did you mean '%s'?", name, guess.best);
    } else {
        error_add(err, ERR_unknown_name, place, "no node is named '%s'", name);
    }
}

/* One id a name, NODE_NONE for those with a mistake. */
static err_code resolve_names(const struct graph *g, const struct named_place *names, size_t count, node_id **ret,
                              struct error *err)
{
    node_id *nodes = calloc(count + 1, sizeof *nodes);
    unsigned char *seen = calloc(graph_size(g) + 1, 1);
    if (!nodes || !seen) {
        free(nodes);
        free(seen);
        return error_set(err, ERR_out_of_memory, NULL);
    }
    for (size_t i = 0; i < count; i++) {
        nodes[i] = graph_find(g, names[i].name);
        if (nodes[i] == NODE_NONE) {
            add_unknown_name(g, names[i].name, names[i].place, err);
        } else if (seen[nodes[i]]) {
            error_add(err, ERR_invalid_value, names[i].place, "'%s' is asked for twice", names[i].name);
        } else {
            seen[nodes[i]] = 1;
        }
    }
    free(seen);
    *ret = nodes;
    return ERR_ok;
}

/* The batch that a value tells, checked against the one known so far; written only if it agrees. */
static bool batch_agrees(struct shape declared, struct shape given, int64_t *batch)
{
    int64_t told = *batch;
    for (int i = 0; i < declared.rank; i++) {
        if (declared.dim[i] < 0 && declared.dim[i] != DIM_ANY) {
            int64_t times = -declared.dim[i];
            if (given.dim[i] % times != 0 || (told >= 0 && given.dim[i] / times != told)) {
                return false;
            }
            told = given.dim[i] / times;
        }
    }
    *batch = told;
    return true;
}

static bool shape_fits(struct shape declared, struct shape given)
{
    bool fits = declared.rank == given.rank;
    for (int i = 0; fits && i < declared.rank; i++) {
        fits = declared.dim[i] < 0 || declared.dim[i] == given.dim[i];
    }
    return fits;
}

static void take_value(const struct question *q, const struct named_tensor *value, struct resolved *r,
                       struct error *err)
{
    node_id node = graph_find(q->graph, value->name);
    if (node == NODE_NONE) {
        add_unknown_name(q->graph, value->name, value->place, err);
        return;
    }
    const struct node *leaf = graph_node(q->graph, node);
    struct shape given = value->tensor->shape;
    char text[SHAPE_TEXT_MAX], declared[SHAPE_TEXT_MAX], bound[SHAPE_TEXT_MAX];
    if (leaf->op != OP_Input) {
        error_add(err, ERR_invalid_value, value->place, "'%s' is computed by the program; only inputs take values",
                  value->name);
    } else if (r->values[node]) {
        error_add(err, ERR_invalid_value, value->place, "'%s' is a parameter: its value is the version's", value->name);
    } else if (!shape_fits(leaf->shape, given)) {
        error_add_shapes(err, ERR_shape_mismatch, value->place, leaf->shape, given, "'%s' is %s but its value is %s",
                         value->name, shape_text(leaf->shape, declared), shape_text(given, text));
    } else if (!batch_agrees(leaf->shape, given, &r->batch)) {
        struct shape expected = r->batch < 0 ? leaf->shape : shape_bind(leaf->shape, r->batch);
        error_add_shapes(err, ERR_shape_mismatch, value->place, expected, given,
                         "'%s' is %s, which must be %s with the batch of the other inputs, but its value is %s",
                         value->name, shape_text(leaf->shape, declared), shape_text(expected, bound),
                         shape_text(given, text));
    }
    if (leaf->op == OP_Input && !r->values[node]) {
        r->values[node] = value->tensor; /* one with a mistake is not missing too */
    }
}

static bool has_symbolic_leaf(const struct graph *g)
{
    for (size_t i = 0; i < graph_size(g); i++) {
        const struct node *n = graph_node(g, (node_id)i);
        if (n->op == OP_Input && !shape_is_concrete(n->shape)) {
            return true;
        }
    }
    return false;
}

/* Every leaf that the question needs must have a value: all of them for a trace, else what `of` needs. */
static err_code check_needed(const struct question *q, const struct resolved *r, struct error *err)
{
    unsigned char *needed = calloc(graph_size(q->graph) + 1, 1);
    if (!needed) {
        return error_set(err, ERR_out_of_memory, NULL);
    }
    for (size_t i = 0; i < q->of_count; i++) {
        if (r->of[i] != NODE_NONE) {
            graph_mark_needed(q->graph, &r->of[i], 1, needed);
        }
    }
    for (size_t i = 0; i < graph_size(q->graph); i++) {
        const struct node *n = graph_node(q->graph, (node_id)i);
        if (n->op == OP_Input && (needed[i] || q->trace) && !r->values[i]) {
            char text[SHAPE_TEXT_MAX];
            error_add(err, ERR_missing_input, (struct place){.pointer = "/inputs"}, "'%s' %s has no value", n->name,
                      shape_text(n->shape, text));
        }
    }
    free(needed);
    return ERR_ok;
}

static void check_cotangent(const struct question *q, const struct resolved *r, struct error *err)
{
    if (q->kind != QUESTION_GRADIENT || r->of[0] == NODE_NONE) {
        return;
    }
    struct shape of = graph_node(q->graph, r->of[0])->shape;
    struct shape bound = r->batch < 0 ? of : shape_bind(of, r->batch);
    char expected[SHAPE_TEXT_MAX], given[SHAPE_TEXT_MAX];
    int64_t elements;
    if (q->cotangent) {
        if (shape_is_concrete(bound) && !shape_equal(bound, q->cotangent->shape)) {
            error_add_shapes(err, ERR_shape_mismatch, q->cotangent_place, bound, q->cotangent->shape,
                             "'%s' is %s but its cotangent is %s", q->of[0].name, shape_text(bound, expected),
                             shape_text(q->cotangent->shape, given));
        }
    } else if (shape_is_concrete(bound) && shape_elements(bound, &elements) && elements != 1) {
        add_missing_cotangent(q->of[0].name, bound, err);
    }
}

/* Looks everything up; all mistakes are items of `found`. */
static err_code resolve_all(const struct question *q, struct resolved *r, struct error *found)
{
    if (q->kind == QUESTION_GRADIENT && q->of_count != 1) {
        return error_set(found, ERR_internal, "a gradient of %zu values was asked for", q->of_count);
    }
    if (q->trace && q->kind != QUESTION_GRADIENT) {
        error_add(found, ERR_conflicting_fields, (struct place){.pointer = "/trace"}, "only a gradient has a trace");
    }
    r->batch = -1;
    r->values = calloc(graph_size(q->graph) + 1, sizeof(struct tensor *));
    if (!r->values || resolve_names(q->graph, q->of, q->of_count, &r->of, found) != ERR_ok ||
        resolve_names(q->graph, q->wrt, q->wrt_count, &r->wrt, found) != ERR_ok) {
        return error_set(found, ERR_out_of_memory, NULL);
    }
    for (size_t i = 0; i < q->parameter_count; i++) {
        take_value(q, &q->parameters[i], r, found);
    }
    for (size_t i = 0; i < q->input_count; i++) {
        take_value(q, &q->inputs[i], r, found);
    }
    if (r->batch < 0 && has_symbolic_leaf(q->graph)) {
        r->batch = 1; /* no value tells it, so no value depends on it */
    }
    check_cotangent(q, r, found);
    return check_needed(q, r, found);
}

static err_code resolve(const struct question *q, struct resolved *r, struct error *err)
{
    struct error found = {0};
    err_code code = resolve_all(q, r, &found);
    if (code == ERR_ok)
        code = error_close(&found, ERR_invalid_query, "the query");
    error_move(err, &found);
    return code;
}

/* ---- the plan ---- */

static char *plan_key(const struct question *q, const struct resolved *r, struct error *err)
{
    struct text key = {0};
    text_printf(&key, "%s %d %d %" PRId64 " %d%d", q->graph_key, (int)q->kind, (int)q->dtype, r->batch, q->trace,
                q->cotangent != NULL);
    for (size_t i = 0; i < q->of_count; i++) {
        text_printf(&key, " %" PRIu32, r->of[i]);
    }
    text_puts(&key, " by");
    for (size_t i = 0; i < q->wrt_count; i++) {
        text_printf(&key, " %" PRIu32, r->wrt[i]);
    }
    char *taken = text_take(&key);
    if (!taken) {
        error_set(err, ERR_out_of_memory, NULL);
    }
    return taken;
}

static err_code make_plan(void *context, void **ret_value, size_t *ret_bytes, struct error *err)
{
    struct planned *p = NULL;
    err_code code = planned_make(context, &p, err);
    if (code == ERR_ok) {
        *ret_value = p;
        *ret_bytes = p->bytes;
    }
    return code;
}

static err_code hold_plan(struct plans *plans, const struct question *q, const struct resolved *r,
                          struct cache_entry **ret, struct error *err)
{
    struct planning planning = {.question = q,
                                .of = r->of,
                                .wrt = r->wrt,
                                .batch = r->batch,
                                .answer_elements_max = plans->answer_elements_max,
                                .arena_bytes_max = plans->arena_bytes_max};
    struct error found = {0};
    char *key = plan_key(q, r, &found);
    err_code code = key ? cache_hold(plans->cache, key, make_plan, &planning, ret, &found) : ERR_out_of_memory;
    free(key);
    if (code != ERR_ok && err_class_of(code) == ERR_CLASS_INVALID && found.total > 0) {
        code = error_close(&found, ERR_invalid_query, "the query");
    }
    error_move(err, &found);
    return code;
}

bool question_is_planned(struct plans *plans, const struct question *q)
{
    struct resolved r = {0};
    struct error ignored = {0};
    bool has = false;
    if (resolve(q, &r, &ignored) == ERR_ok) {
        char *key = plan_key(q, &r, &ignored);
        has = key && cache_has(plans->cache, key);
        free(key);
    }
    error_clear(&ignored);
    resolved_clear(&r);
    return has;
}

/* ---- the values ---- */

static const struct tensor *value_of(const struct question *q, const struct resolved *r, const char *leaf)
{
    return strcmp(leaf, COTANGENT_NAME) == 0 ? q->cotangent : r->values[graph_find(q->graph, leaf)];
}

static err_code bind_values(struct prepared *p, const struct resolved *r, struct error *err)
{
    const struct plan *plan = p->planned->plan;
    size_t count = plan_input_count(plan);
    p->bound = calloc(count + 1, sizeof *p->bound);
    p->casts = calloc(count + 1, sizeof *p->casts);
    if (!p->bound || !p->casts) {
        return error_set(err, ERR_out_of_memory, NULL);
    }
    for (size_t i = 0; i < count; i++) {
        const struct tensor *value = value_of(p->question, r, plan_input_name(plan, i));
        if (!shape_equal(value->shape, plan_input_shape(plan, i))) { /* a cotangent whose shape only the batch told */
            char expected[SHAPE_TEXT_MAX], given[SHAPE_TEXT_MAX];
            error_add_shapes(err, ERR_shape_mismatch, p->question->cotangent_place, plan_input_shape(plan, i),
                             value->shape, "the cotangent is %s but '%s' is %s", shape_text(value->shape, given),
                             p->question->of[0].name, shape_text(plan_input_shape(plan, i), expected));
            return error_close(err, ERR_invalid_query, "the query");
        }
        if (value->dtype != p->question->dtype) {
            err_code code = tensor_cast(value, p->question->dtype, &p->casts[i], err);
            if (code != ERR_ok) {
                return code;
            }
            value = p->casts[i];
        }
        p->bound[i] = value->data;
    }
    return ERR_ok;
}

err_code question_prepare(struct plans *plans, const struct question *q, struct prepared **ret, struct error *err)
{
    struct resolved r = {0};
    struct prepared *p = calloc(1, sizeof *p);
    err_code code = p ? resolve(q, &r, err) : error_set(err, ERR_out_of_memory, NULL);
    if (code == ERR_ok) {
        p->plans = plans;
        p->question = q;
        code = hold_plan(plans, q, &r, &p->entry, err);
    }
    if (code == ERR_ok) {
        p->planned = cache_value(p->entry);
        code = bind_values(p, &r, err);
    }
    resolved_clear(&r);
    if (code != ERR_ok) {
        prepared_free(p);
        return code;
    }
    *ret = p;
    return ERR_ok;
}

double prepared_flops(const struct prepared *p)
{
    return plan_flops(p->planned->plan);
}

static err_code run_prepared(const struct prepared *p, const atomic_bool *cancel, struct answer *ret, struct error *err)
{
    struct run *run = NULL;
    err_code code = run_new(p->planned->plan, &run, err);
    if (code == ERR_ok) {
        for (size_t i = 0; i < plan_input_count(p->planned->plan); i++)
            run_bind(run, i, p->bound[i]);
        code = run_execute(run, cancel, err);
    }
    if (code == ERR_ok)
        code = answer_make(p->question, p->planned, run, ret, err);
    run_free(run);
    return code;
}

/* A mistake that only the values show (an index out of range) is an item, too. */
static err_code tell_mistake(err_code code, struct error *found, struct error *err)
{
    if (err_class_of(code) == ERR_CLASS_INVALID && found->total == 0) {
        error_add(err, code, (struct place){.pointer = "/inputs"}, "%s",
                  found->detail ? found->detail : err_title(code));
        error_clear(found);
        return error_close(err, ERR_invalid_query, "the query");
    }
    error_move(err, found);
    return code;
}

/* Queries take turns when together they would need too much memory: who comes too late is told to come again. */
err_code prepared_run(struct prepared *p, const atomic_bool *cancel, struct answer *ret, struct error *err)
{
    struct plans *plans = p->plans;
    size_t bytes = plan_arena_bytes(p->planned->plan);
    size_t before = atomic_fetch_add(&plans->running_bytes, bytes);
    bool fits = bytes <= plans->running_bytes_max && before <= plans->running_bytes_max - bytes;
    struct error found = {0};
    err_code code =
        fits ? run_prepared(p, cancel, ret, &found)
             : error_set(&found, ERR_too_busy, "other queries use the memory that this one needs, %zu bytes", bytes);
    atomic_fetch_sub(&plans->running_bytes, bytes);
    return tell_mistake(code, &found, err);
}

void prepared_free(struct prepared *p)
{
    if (!p) {
        return;
    }
    for (size_t i = 0; p->casts && i < plan_input_count(p->planned->plan); i++) {
        tensor_free(p->casts[i]);
    }
    free(p->casts);
    free(p->bound);
    if (p->entry) {
        cache_release(p->plans->cache, p->entry);
    }
    free(p);
}
