#include "query/question.h"
#include "base/text.h"
#include "engine/run.h"
#include "query/answer.h"
#include "query/cache.h"
#include "query/planned.h"
#include "query/resolve.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

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
    int64_t each;          /* items on the leading axis of the answer */
    int64_t runs;          /* 0 where the answer has no elements */
    struct binding *bound; /* of each input of the plan */
};

/* What a leaf is in each run: the same, the next row, the next of many tensors, or a basis vector. */
struct binding {
    const char *data;
    size_t stride;              /* bytes from run to run */
    const struct tensor **many; /* of each run, owned; else NULL */
    struct tensor **casts;      /* of the values that are not of the plan's dtype; owned */
    size_t cast_count;
    struct tensor *zeros; /* owned: a basis vector, or what is left out of many */
    const struct planned_basis *basis;
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

size_t plans_arena_max(const struct plans *p)
{
    return p->arena_bytes_max;
}

void plans_free(struct plans *p)
{
    if (p) {
        cache_free(p->cache);
        free(p);
    }
}

/* ---- the plan ---- */

static void add_to_key(struct text *key, int64_t number)
{
    text_putc(key, ' ');
    text_whole(key, number);
}

static char *plan_key(const struct question *q, const struct resolved *r, struct error *err)
{
    struct text key = {0};
    const int64_t plain[] = {q->kind,
                             q->dtype,
                             r->batch,
                             q->trace,
                             q->cotangent != NULL,
                             q->many,
                             q->per_sample,
                             q->symbolic,
                             (int64_t)q->of_count};
    text_puts(&key, q->graph_key);
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        add_to_key(&key, plain[i]);
    for (size_t i = 0; i < q->of_count; i++)
        add_to_key(&key, r->of[i]);
    for (size_t i = 0; i < q->wrt_count; i++)
        add_to_key(&key, r->wrt[i]);
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
                                .each = r->each,
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
    if (resolve(q, plans->answer_elements_max, &r, &ignored) == ERR_ok) {
        char *key = plan_key(q, &r, &ignored);
        has = key && cache_has(plans->cache, key);
        free(key);
    }
    error_clear(&ignored);
    resolved_clear(&r);
    return has;
}

/* ---- the values ---- */

/* The value in the question's dtype, which the binding owns if it had another. */
static err_code cast_value(const struct question *q, struct binding *b, const struct tensor *value,
                           const struct tensor **ret, struct error *err)
{
    *ret = value;
    if (value->dtype == q->dtype) {
        return ERR_ok;
    }
    struct tensor **casts = reallocarray(b->casts, b->cast_count + 1, sizeof(struct tensor *));
    if (!casts) {
        return error_set(err, ERR_out_of_memory, NULL);
    }
    b->casts = casts;
    err_code code = tensor_cast(value, q->dtype, &casts[b->cast_count], err);
    if (code == ERR_ok) {
        *ret = casts[b->cast_count++];
    }
    return code;
}

/* One tensor: the same in every run, or divided among them. */
static err_code bind_value(const struct prepared *p, struct binding *b, const struct tensor *value, bool divided,
                           struct shape leaf, struct error *err)
{
    int64_t elements = 0, given = tensor_elements(value);
    (void)shape_elements(leaf, &elements);
    if (divided ? given != p->each * elements : !shape_equal(value->shape, leaf)) {
        char expected[SHAPE_TEXT_MAX], shown[SHAPE_TEXT_MAX]; /* a cotangent whose shape only the batch told */
        error_add_shapes(err, ERR_shape_mismatch, p->question->cotangent_place, leaf, value->shape,
                         "the cotangent is %s but '%s' is %s", shape_text(value->shape, shown), p->question->of[0].name,
                         shape_text(leaf, expected));
        return error_close(err, ERR_invalid_query, "the query");
    }
    const struct tensor *cast;
    err_code code = cast_value(p->question, b, value, &cast, err);
    if (code == ERR_ok) {
        b->data = cast->data;
        b->stride = divided ? (size_t)elements * dtype_size(p->question->dtype) : 0;
    }
    return code;
}

static err_code bind_direction(const struct prepared *p, const struct resolved *r, struct binding *b, size_t wrt,
                               struct shape leaf, struct error *err)
{
    const struct question *q = p->question;
    b->many = calloc((size_t)p->each + 1, sizeof(struct tensor *));
    err_code code = b->many ? tensor_new(q->dtype, leaf, &b->zeros, err) : error_set(err, ERR_out_of_memory, NULL);
    for (size_t d = 0; code == ERR_ok && d < (size_t)p->each; d++) {
        const struct tensor *value = r->directions[d * q->wrt_count + wrt];
        if (value && !shape_equal(value->shape, leaf)) { /* only the batch told its shape */
            error_add_shapes(err, ERR_shape_mismatch, q->wrt[wrt].place, leaf, value->shape,
                             "a direction of '%s' has another shape", q->wrt[wrt].name);
            return error_close(err, ERR_invalid_query, "the query");
        }
        code = cast_value(q, b, value ? value : b->zeros, &b->many[d], err);
    }
    return code;
}

static err_code bind_leaf(const struct prepared *p, const struct resolved *r, struct binding *b, const char *name,
                          struct shape leaf, struct error *err)
{
    const struct question *q = p->question;
    const struct planned_basis *basis = p->planned->basis;
    size_t wrt = 0, prefix = strlen(DIRECTION_PREFIX);
    bool direction = strncmp(name, DIRECTION_PREFIX, prefix) == 0, cotangent = strcmp(name, COTANGENT_NAME) == 0;
    if (direction)
        wrt = strtoul(name + prefix, NULL, 10);
    if (basis && (direction || cotangent)) {
        b->basis = &basis[wrt];
        return tensor_new(q->dtype, leaf, &b->zeros, err);
    }
    if (direction)
        return bind_direction(p, r, b, wrt, leaf, err);
    if (cotangent)
        return bind_value(p, b, q->cotangent, q->many || q->per_sample, leaf, err);
    node_id node = graph_find(q->graph, name);
    bool divided = q->per_sample && leaf_has_rows(graph_node(q->graph, node));
    return bind_value(p, b, r->values[node], divided, leaf, err);
}

static err_code bind_values(struct prepared *p, const struct resolved *r, struct error *err)
{
    const struct plan *plan = p->planned->plan;
    size_t count = plan_input_count(plan);
    p->bound = calloc(count + 1, sizeof *p->bound);
    err_code code = p->bound ? ERR_ok : error_set(err, ERR_out_of_memory, NULL);
    for (size_t i = 0; code == ERR_ok && i < count; i++) {
        code = bind_leaf(p, r, &p->bound[i], plan_input_name(plan, i), plan_input_shape(plan, i), err);
    }
    return code;
}

/* Binds every leaf for run number `at`. */
static void bind_run(const struct prepared *p, struct run *run, int64_t at)
{
    for (size_t i = 0; i < plan_input_count(p->planned->plan); i++) {
        const struct binding *b = &p->bound[i];
        if (b->basis) {
            int64_t one = at - b->basis->first;
            if (one > 0 && one <= b->basis->count)
                tensor_set(b->zeros, one - 1, 0);
            if (one >= 0 && one < b->basis->count)
                tensor_set(b->zeros, one, 1);
            run_bind(run, i, b->zeros->data);
        } else if (b->many) {
            run_bind(run, i, b->many[at]->data);
        } else {
            run_bind(run, i, b->data + (size_t)at * b->stride);
        }
    }
}

/* How many runs: at least one for what is the same in all, but none where the answer has no rows. */
static void count_runs(struct prepared *p, const struct resolved *r)
{
    p->each = r->each;
    p->runs = p->planned->runs < 0 ? r->each : p->planned->runs;
    if (p->runs == 0 && !p->question->per_sample) {
        p->runs = 1;
    }
}

/* The size of the answer depends on more than the plan. */
static err_code check_answer(const struct prepared *p, struct error *err)
{
    err_code code = planned_check_answer(p->planned, p->question, p->each, p->plans->answer_elements_max, err);
    return code == ERR_ok ? code : error_close(err, ERR_invalid_query, "the query");
}

err_code question_prepare(struct plans *plans, const struct question *q, struct prepared **ret, struct error *err)
{
    struct resolved r = {0};
    struct prepared *p = calloc(1, sizeof *p);
    err_code code = p ? resolve(q, plans->answer_elements_max, &r, err) : error_set(err, ERR_out_of_memory, NULL);
    if (code == ERR_ok) {
        p->plans = plans;
        p->question = q;
        code = hold_plan(plans, q, &r, &p->entry, err);
    }
    if (code == ERR_ok) {
        p->planned = cache_value(p->entry);
        count_runs(p, &r);
        code = check_answer(p, err);
    }
    if (code == ERR_ok) {
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
    return plan_flops(p->planned->plan) * (double)p->runs;
}

static err_code run_prepared(const struct prepared *p, const atomic_bool *cancel, struct answer *ret, struct error *err)
{
    struct run *run = NULL;
    struct answer answer = {0};
    err_code code = run_new(p->planned->plan, &run, err);
    if (code == ERR_ok)
        code = answer_begin(p->question, p->planned, p->each, &answer, err);
    for (int64_t at = 0; code == ERR_ok && at < p->runs; at++) {
        bind_run(p, run, at);
        code = run_execute(run, cancel, err);
        if (code == ERR_ok)
            answer_take(p->planned, run, at, &answer);
    }
    if (code == ERR_ok)
        code = answer_end(p->question, p->planned, run, &answer, err);
    run_free(run);
    if (code == ERR_ok)
        *ret = answer;
    else
        answer_clear(&answer);
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
    for (size_t i = 0; p->bound && i < plan_input_count(p->planned->plan); i++) {
        struct binding *b = &p->bound[i];
        for (size_t k = 0; k < b->cast_count; k++) {
            tensor_free(b->casts[k]);
        }
        free(b->casts);
        free(b->many);
        tensor_free(b->zeros);
    }
    free(p->bound);
    if (p->entry) {
        cache_release(p->plans->cache, p->entry);
    }
    free(p);
}
