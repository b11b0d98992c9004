#include "query/check.h"
#include "autodiff/gradient.h"
#include "engine/run.h"
#include "graph/simplify.h"
#include "graph/words.h"
#include "query/difference.h"
#include "query/resolve.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Leaves that stand for values: of what is behind StopGradient, and of the node that moves. */
#define FIXED_PREFIX "@fixed"
#define MOVED_NAME "@moved"

struct checking {
    const struct plans *plans;
    const struct question *q;
    struct resolved r;
    struct graph *graph; /* bound and expanded; `sum` is the number that is checked */
    node_id *map;        /* written node -> node of graph */
    node_id sum;
    unsigned char *leads;   /* nodes of graph that `of` needs */
    node_id *moved;         /* what is checked: nodes of graph */
    const char **names;     /* of each */
    node_id *gradients;     /* of each; NODE_NONE: zeros */
    struct tensor **values; /* of each, and of its gradient, by turns */
    size_t count;
    struct tensor **fixed; /* by node of graph: the values of StopGradient */
    const atomic_bool *cancel;
    struct check_answer *answer;
};

static void checking_clear(struct checking *c)
{
    for (size_t i = 0; c->values && i < 2 * c->count; i++)
        tensor_free(c->values[i]);
    for (size_t i = 0; c->fixed && i < graph_size(c->graph); i++)
        tensor_free(c->fixed[i]);
    free(c->values);
    free(c->fixed);
    free(c->gradients);
    free(c->names);
    free(c->moved);
    free(c->leads);
    free(c->map);
    graph_free(c->graph);
    resolved_clear(&c->r);
}

static err_code no_memory(struct error *err)
{
    return error_set(err, ERR_out_of_memory, "no memory for a check");
}

/* A plan of some nodes, with a run whose leaves are bound to what the question gives. */
struct execution {
    struct plan *plan;
    struct run *run;
    struct tensor **casts;
};

static void execution_clear(struct execution *e)
{
    for (size_t i = 0; e->casts && i < plan_input_count(e->plan); i++)
        tensor_free(e->casts[i]);
    free(e->casts);
    run_free(e->run);
    plan_free(e->plan);
}

/* The value of a leaf: of the question, or of what is behind a StopGradient. NULL: of the node that moves. */
static const struct tensor *leaf_value(const struct checking *c, const char *name)
{
    size_t prefix = strlen(FIXED_PREFIX);
    if (strncmp(name, FIXED_PREFIX, prefix) == 0)
        return c->fixed[strtoul(name + prefix, NULL, 10)];
    return strcmp(name, MOVED_NAME) == 0 ? NULL : c->r.values[graph_find(c->q->graph, name)];
}

static err_code bind_leaves(const struct checking *c, struct execution *e, struct error *err)
{
    size_t count = plan_input_count(e->plan);
    e->casts = calloc(count + 1, sizeof(struct tensor *));
    err_code code = e->casts ? ERR_ok : no_memory(err);
    for (size_t i = 0; code == ERR_ok && i < count; i++) {
        const struct tensor *value = leaf_value(c, plan_input_name(e->plan, i));
        if (!value)
            continue;
        code = tensor_cast(value, DTYPE_FLOAT64, &e->casts[i], err);
        if (code == ERR_ok)
            run_bind(e->run, i, e->casts[i]->data);
    }
    return code;
}

static err_code execution_make(const struct checking *c, const struct graph *g, const node_id *outputs, size_t count,
                               struct execution *ret, struct error *err)
{
    struct graph *simple = NULL;
    node_id *simpler = calloc(count + 1, sizeof *simpler);
    err_code code = simpler ? graph_simplify(g, outputs, count, &simple, simpler, err) : no_memory(err);
    struct plan_spec spec = {.graph = simple, .dtype = DTYPE_FLOAT64, .outputs = simpler, .output_count = count};
    if (code == ERR_ok)
        code = plan_make(&spec, &ret->plan, err);
    if (code == ERR_ok && plan_arena_bytes(ret->plan) > plans_arena_max(c->plans)) {
        error_add(err, ERR_limit_exceeded, (struct place){.pointer = ""},
                  "the check takes %zu bytes to compute; the limit is %zu", plan_arena_bytes(ret->plan),
                  plans_arena_max(c->plans));
        code = error_close(err, ERR_invalid_query, "the query");
    }
    if (code == ERR_ok)
        code = run_new(ret->plan, &ret->run, err);
    if (code == ERR_ok)
        code = bind_leaves(c, ret, err);
    graph_free(simple);
    free(simpler);
    return code;
}

/* ---- what is checked ---- */

/* A sum of the elements of `of`, of weights that differ: equal ones would hide what adds up to nothing, as a Softmax
 * does. */
static err_code add_sum(struct checking *c, struct error *err)
{
    struct builder b = {.graph = c->graph, .err = err};
    node_id of = c->map[c->r.of[0]];
    struct shape shape = graph_node(c->graph, of)->shape;
    struct tensor *weights = NULL;
    err_code code = tensor_new(DTYPE_FLOAT64, shape, &weights, err);
    if (code != ERR_ok)
        return code;
    int64_t count = tensor_elements(weights);
    for (int64_t i = 0; i < count; i++)
        tensor_set(weights, i, count == 1 ? 1 : (double)(i % 7 + 1) / 4);
    struct attribute value = {.key = ATTRIBUTE_value, .kind = KIND_TENSOR, .tensor = weights};
    node_id constant = build_op(&b, OP_Constant, NULL, 0, &value, 1), product = times(&b, of, constant);
    c->sum = build_reduce_to(&b, product, (struct shape){0});
    tensor_free(weights);
    return b.code;
}

static void add_checked(struct checking *c, node_id node, const char *name)
{
    const struct node *n = graph_node(c->graph, node);
    int64_t elements;
    for (size_t i = 0; i < c->count; i++)
        if (c->moved[i] == node)
            return;
    if (!shape_elements(n->shape, &elements) || elements == 0)
        return;
    c->moved[c->count] = node;
    c->names[c->count++] = name;
}

/* Each wrt, and each written node that has a name and leads from some wrt to `of`. */
static err_code list_checked(struct checking *c, struct error *err)
{
    const struct graph *written = c->q->graph;
    size_t size = graph_size(c->graph);
    unsigned char *behind = calloc(size + 1, 1); /* depends on some wrt */
    if (!behind)
        return no_memory(err);
    graph_mark_needed(c->graph, &c->map[c->r.of[0]], 1, c->leads);
    for (size_t i = 0; i < c->q->wrt_count; i++) {
        behind[c->map[c->r.wrt[i]]] = 1;
        add_checked(c, c->map[c->r.wrt[i]], c->q->wrt[i].name);
    }
    for (size_t i = 0; i < size; i++) {
        const struct node *n = graph_node(c->graph, (node_id)i);
        for (uint32_t k = 0; k < n->input_count && n->op != OP_StopGradient; k++)
            behind[i] |= behind[n->inputs[k]];
    }
    for (size_t i = 0; i < graph_size(written); i++) {
        const struct node *n = graph_node(written, (node_id)i);
        if (n->name && n->op != OP_Input && behind[c->map[i]] && c->leads[c->map[i]])
            add_checked(c, c->map[i], n->name);
    }
    free(behind);
    return ERR_ok;
}

static err_code begin(struct checking *c, struct error *err)
{
    const struct question *q = c->q;
    struct graph *bound = NULL;
    size_t written = graph_size(q->graph);
    c->map = calloc(written + 1, sizeof *c->map);
    c->moved = calloc(written + 1, sizeof *c->moved);
    c->names = calloc(written + 1, sizeof *c->names);
    c->gradients = calloc(written + 1, sizeof *c->gradients);
    c->values = calloc(2 * written + 1, sizeof(struct tensor *));
    if (!c->map || !c->moved || !c->names || !c->gradients || !c->values)
        return no_memory(err);
    err_code code = c->r.batch < 0 ? graph_copy(q->graph, &bound, err) : graph_bind(q->graph, c->r.batch, &bound, err);
    if (code == ERR_ok)
        code = expand_grads(bound, &c->graph, c->map, err);
    graph_free(bound);
    if (code == ERR_ok) {
        c->leads = calloc(graph_size(c->graph) + 1, 1);
        code = c->leads ? list_checked(c, err) : no_memory(err);
    }
    return code == ERR_ok ? add_sum(c, err) : code;
}

/* ---- backprop, and the values that stay ---- */

static err_code copy_output(const struct execution *e, size_t output, struct tensor **ret, struct error *err)
{
    err_code code = tensor_new(DTYPE_FLOAT64, plan_output_shape(e->plan, output), ret, err);
    if (code == ERR_ok)
        memcpy((*ret)->data, run_output(e->run, output), tensor_bytes(*ret));
    return code;
}

static err_code run_backprop(struct checking *c, struct error *err)
{
    size_t size = graph_size(c->graph), output_count = 0;
    struct execution e = {0};
    err_code code = gradient(c->graph, c->sum, NODE_NONE, c->moved, c->count, c->gradients, err);
    node_id *outputs = calloc(2 * c->count + size + 1, sizeof *outputs);
    c->fixed = calloc(graph_size(c->graph) + 1, sizeof(struct tensor *));
    if (code == ERR_ok && (!outputs || !c->fixed))
        code = no_memory(err);
    for (size_t i = 0; code == ERR_ok && i < c->count; i++) {
        outputs[output_count++] = c->moved[i];
        outputs[output_count++] = c->gradients[i] != NODE_NONE ? c->gradients[i] : c->moved[i];
    }
    for (size_t i = 0; code == ERR_ok && i < size; i++)
        if (graph_node(c->graph, (node_id)i)->op == OP_StopGradient && c->leads[i])
            outputs[output_count++] = (node_id)i;
    if (code == ERR_ok)
        code = execution_make(c, c->graph, outputs, output_count, &e, err);
    if (code == ERR_ok)
        code = run_execute(e.run, c->cancel, err);
    for (size_t i = 0; code == ERR_ok && i < output_count; i++)
        code = copy_output(&e, i, i < 2 * c->count ? &c->values[i] : &c->fixed[outputs[i]], err);
    for (size_t i = 0; code == ERR_ok && i < c->count; i++)
        if (c->gradients[i] == NODE_NONE)
            memset(c->values[2 * i + 1]->data, 0, tensor_bytes(c->values[2 * i + 1]));
    execution_clear(&e);
    free(outputs);
    return code;
}

/* ---- differences ---- */

/* The sum as a function of one node alone, which becomes a leaf; so does every StopGradient. */
static err_code copy_with_leaves(const struct checking *c, node_id moved, struct graph **ret, node_id *ret_sum,
                                 struct error *err)
{
    struct builder b = {.graph = graph_new(graph_nodes_max(c->graph)), .err = err};
    size_t size = (size_t)c->sum + 1;
    node_id *to = calloc(size, sizeof *to), *inputs = calloc(size, sizeof *inputs);
    if (!b.graph || !to || !inputs)
        b.code = no_memory(err);
    for (size_t i = 0; b.code == ERR_ok && i < size; i++) {
        struct node n = *graph_node(c->graph, (node_id)i);
        char name[sizeof FIXED_PREFIX + 24] = MOVED_NAME;
        bool fixed = c->fixed[i] != NULL && i != moved;
        if (fixed)
            snprintf(name, sizeof name, FIXED_PREFIX "%zu", i);
        if (fixed || i == moved) {
            to[i] = build_input(&b, name, n.shape);
            continue;
        }
        for (uint32_t k = 0; k < n.input_count; k++)
            inputs[k] = to[n.inputs[k]];
        n.inputs = inputs;
        b.code = graph_add(b.graph, &n, &to[i], err);
    }
    if (b.code == ERR_ok) {
        *ret = b.graph;
        *ret_sum = to[c->sum];
    } else {
        graph_free(b.graph);
    }
    free(inputs);
    free(to);
    return b.code;
}

/* The function of one element that difference.h sees. */
struct moving {
    const struct checking *c;
    struct execution e;
    double *element;
    struct error *err;
};

static err_code evaluate(void *context, double x, double *ret)
{
    struct moving *m = context;
    double stays = *m->element;
    *m->element = x;
    err_code code = run_execute(m->e.run, m->c->cancel, m->err);
    if (code == ERR_ok)
        *ret = *(const double *)run_output(m->e.run, 0); /* which may be the element itself */
    *m->element = stays;
    return code;
}

static err_code check_elements(struct moving *m, size_t i, struct checked *ret, struct error *err)
{
    struct tensor *value = m->c->values[2 * i];
    const struct tensor *gradients = m->c->values[2 * i + 1];
    double *elements = value->data;
    err_code code = ERR_ok;
    *ret = (struct checked){.name = m->c->names[i], .shape = value->shape, .relative_error = -1, .ok = true};
    for (int64_t k = 0; code == ERR_ok && k < tensor_elements(value); k++) {
        struct difference d;
        m->element = &elements[k];
        m->err = err;
        code = difference_check(evaluate, m, elements[k], tensor_get(gradients, k), &d);
        if (code == ERR_ok && ((ret->ok && !d.ok) || (ret->ok == d.ok && d.relative_error > ret->relative_error))) {
            ret->index = k;
            ret->backprop = tensor_get(gradients, k);
            ret->difference = d.value;
            ret->relative_error = d.relative_error;
            ret->ok = d.ok;
        }
    }
    return code;
}

static err_code check_node(const struct checking *c, size_t i, struct checked *ret, struct error *err)
{
    struct moving m = {.c = c};
    struct graph *g = NULL;
    node_id sum;
    size_t input;
    err_code code = copy_with_leaves(c, c->moved[i], &g, &sum, err);
    if (code == ERR_ok)
        code = execution_make(c, g, &sum, 1, &m.e, err);
    if (code == ERR_ok) {
        if (plan_find_input(m.e.plan, MOVED_NAME, &input))
            run_bind(m.e.run, input, c->values[2 * i]->data);
        code = check_elements(&m, i, ret, err);
    }
    execution_clear(&m.e);
    graph_free(g);
    return code;
}

/* ---- the whole ---- */

static bool is_worse(const struct checked *a, const struct checked *than)
{
    return a->ok == than->ok ? a->relative_error > than->relative_error : !a->ok;
}

static err_code keep_names(struct checking *c, struct error *err)
{
    struct check_answer *a = c->answer;
    a->independent = arena_array(a->arena, c->q->wrt_count + 1, sizeof *a->independent);
    if (!a->independent)
        return no_memory(err);
    for (size_t i = 0; i < c->q->wrt_count; i++)
        if (!c->leads[c->map[c->r.wrt[i]]])
            a->independent[a->independent_count++] = arena_copy(a->arena, c->q->wrt[i].name, strlen(c->q->wrt[i].name));
    for (size_t i = 0; i < a->node_count; i++) {
        a->nodes[i].name = arena_copy(a->arena, a->nodes[i].name, strlen(a->nodes[i].name));
        if (!a->nodes[i].name)
            return no_memory(err);
    }
    for (size_t i = 0; i < a->independent_count; i++)
        if (!a->independent[i])
            return no_memory(err);
    return ERR_ok;
}

static err_code check_all(struct checking *c, struct error *err)
{
    struct check_answer *a = c->answer;
    err_code code = begin(c, err);
    if (code == ERR_ok)
        code = run_backprop(c, err);
    if (code == ERR_ok) {
        a->nodes = arena_array(a->arena, c->count + 1, sizeof *a->nodes);
        code = a->nodes ? ERR_ok : no_memory(err);
    }
    a->ok = true;
    for (size_t i = 0; code == ERR_ok && i < c->count; i++) {
        code = check_node(c, i, &a->nodes[i], err);
        a->node_count = i + 1;
        a->ok = a->ok && a->nodes[i].ok;
        if (code == ERR_ok && is_worse(&a->nodes[i], &a->nodes[a->worst]))
            a->worst = i;
    }
    return code == ERR_ok ? keep_names(c, err) : code;
}

err_code check_run(struct plans *plans, const struct question *q, const atomic_bool *cancel, struct check_answer *ret,
                   struct error *err)
{
    struct check_answer answer = {.arena = arena_new()};
    struct checking c = {.plans = plans, .q = q, .cancel = cancel, .answer = &answer};
    err_code code = answer.arena ? resolve(q, INT64_MAX, &c.r, err) : no_memory(err);
    if (code == ERR_ok)
        code = check_all(&c, err);
    checking_clear(&c);
    if (code == ERR_ok)
        *ret = answer;
    else
        check_answer_clear(&answer);
    return code;
}

void check_answer_clear(struct check_answer *a)
{
    arena_free(a->arena);
    *a = (struct check_answer){0};
}
