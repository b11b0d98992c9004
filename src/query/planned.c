#include "query/planned.h"
#include "autodiff/gradient.h"
#include "base/size.h"
#include "graph/builder.h"
#include "graph/naming.h"
#include "graph/simplify.h"
#include <stdlib.h>
#include <string.h>

/* Tensors of the answer while the plan is being made: the nodes to compute, each once. */
struct making {
    const struct planning *planning;
    struct planned *planned;
    struct graph *graph; /* bound, expanded, and then the gradients */
    node_id *map;        /* written node -> node of graph */
    node_id *outputs;
    size_t output_count;
};

/* Where the mistake is that no single field makes. */
static const struct place whole = {.pointer = ""};

err_code add_missing_cotangent(const char *of, struct shape shape, struct error *err)
{
    char text[SHAPE_TEXT_MAX];
    return error_add(
        err, ERR_missing_cotangent, (struct place){.pointer = "/cotangent"},
        "'%s' is %s, not a scalar: say with `cotangent`, a tensor of that shape, how its elements are weighed", of,
        shape_text(shape, text));
}

void planned_free(struct planned *p)
{
    if (p) {
        plan_free(p->plan);
        graph_free(p->simple);
        graph_free(p->bound);
        free(p->values);
        free(p->gradients);
        free(p->independent);
        free(p->traced);
        arena_free(p->arena);
        free(p);
    }
}

static struct planned_tensor add_output(struct making *m, node_id node, struct shape shape)
{
    if (node == NODE_NONE) {
        return (struct planned_tensor){.shape = shape, .output = NO_OUTPUT};
    }
    m->outputs[m->output_count] = node;
    return (struct planned_tensor){.shape = shape, .output = m->output_count++};
}

static struct shape written_shape(const struct making *m, node_id written)
{
    return graph_node(m->planned->bound, written)->shape;
}

/* A trace names every node. */
static err_code name_all(struct planned *p, struct error *err)
{
    p->arena = arena_new();
    return p->arena ? graph_names(p->bound, p->arena, &p->names, err) : error_set(err, ERR_out_of_memory, NULL);
}

/* Which of wrt the value does not depend on, by the structure of the graph. */
static err_code mark_independent(struct making *m, struct error *err)
{
    const struct planning *p = m->planning;
    unsigned char *needed = calloc(graph_size(m->graph), 1);
    if (!needed) {
        return error_set(err, ERR_out_of_memory, NULL);
    }
    graph_mark_needed(m->graph, &m->map[p->of[0]], 1, needed);
    for (size_t i = 0; i < p->question->wrt_count; i++) {
        m->planned->independent[i] = !needed[m->map[p->wrt[i]]];
    }
    free(needed);
    return ERR_ok;
}

/* Appends the gradients of of[0]: by wrt, or by every written node for a trace. */
static err_code add_gradients(struct making *m, struct error *err)
{
    const struct planning *p = m->planning;
    const struct question *q = p->question;
    size_t written = graph_size(q->graph), count = q->trace ? written + q->wrt_count : q->wrt_count;
    node_id *by = calloc(count ? count : 1, sizeof *by), *gradients = calloc(count ? count : 1, sizeof *gradients);
    err_code code = by && gradients ? mark_independent(m, err) : error_set(err, ERR_out_of_memory, NULL);
    node_id of = m->map[p->of[0]], cotangent = NODE_NONE;
    int64_t elements;
    if (code == ERR_ok && !q->cotangent && (!shape_elements(written_shape(m, p->of[0]), &elements) || elements != 1)) {
        code = add_missing_cotangent(q->of[0].name, written_shape(m, p->of[0]), err);
    }
    if (code == ERR_ok && q->cotangent) {
        struct builder b = {.graph = m->graph, .err = err};
        cotangent = build_input(&b, COTANGENT_NAME, written_shape(m, p->of[0]));
        code = b.code;
    }
    if (code == ERR_ok) {
        for (size_t i = 0; i < q->wrt_count; i++) {
            by[i] = m->map[p->wrt[i]];
        }
        for (size_t i = q->wrt_count; i < count; i++) {
            by[i] = m->map[i - q->wrt_count];
        }
        code = gradient(m->graph, of, cotangent, by, count, gradients, err);
    }
    if (code == ERR_ok) {
        for (size_t i = 0; i < q->wrt_count; i++) {
            m->planned->gradients[i] = add_output(m, gradients[i], written_shape(m, p->wrt[i]));
        }
        for (size_t i = q->wrt_count; i < count; i++) {
            node_id node = (node_id)(i - q->wrt_count);
            m->planned->traced[2 * (size_t)node] = add_output(m, m->map[node], written_shape(m, node));
            m->planned->traced[2 * (size_t)node + 1] = add_output(m, gradients[i], written_shape(m, node));
        }
    }
    free(by);
    free(gradients);
    return code;
}

static err_code count_elements(struct making *m, const struct planned_tensor *tensors, size_t count, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        int64_t elements;
        if (!shape_elements(tensors[i].shape, &elements) ||
            !int64_add(m->planned->answer_elements, elements, &m->planned->answer_elements)) {
            return error_add(err, ERR_limit_exceeded, whole, "the answer is too large");
        }
    }
    return ERR_ok;
}

/* Refuses an answer over the limit before anything is planned. */
static err_code check_answer(struct making *m, struct error *err)
{
    const struct question *q = m->planning->question;
    err_code code = count_elements(m, m->planned->values, m->planned->value_count, err);
    if (code == ERR_ok) {
        code = count_elements(m, m->planned->gradients, m->planned->gradient_count, err);
    }
    if (code == ERR_ok && q->trace) {
        code = count_elements(m, m->planned->traced, 2 * graph_size(q->graph), err);
    }
    if (code == ERR_ok && m->planned->answer_elements > m->planning->answer_elements_max) {
        code = error_add(err, ERR_limit_exceeded, whole, "the answer would have %lld elements; the limit is %lld",
                         (long long)m->planned->answer_elements, (long long)m->planning->answer_elements_max);
    }
    return code;
}

static err_code simplify_and_plan(struct making *m, struct error *err)
{
    struct graph *simple = NULL;
    node_id *outputs = calloc(m->output_count ? m->output_count : 1, sizeof *outputs);
    err_code code = outputs ? graph_simplify(m->graph, m->outputs, m->output_count, &simple, outputs, err)
                            : error_set(err, ERR_out_of_memory, NULL);
    if (code == ERR_ok) {
        struct plan_spec spec = {.graph = simple,
                                 .dtype = m->planning->question->dtype,
                                 .outputs = outputs,
                                 .output_count = m->output_count,
                                 .described = m->planning->described};
        code = plan_make(&spec, &m->planned->plan, err);
    }
    if (code == ERR_ok && plan_arena_bytes(m->planned->plan) > m->planning->arena_bytes_max) {
        code = error_add(err, ERR_limit_exceeded, whole, "the answer takes %zu bytes to compute; the limit is %zu",
                         plan_arena_bytes(m->planned->plan), m->planning->arena_bytes_max);
    }
    if (code == ERR_ok && m->planning->described) {
        m->planned->simple = simple;
        simple = NULL;
    }
    graph_free(simple);
    free(outputs);
    return code;
}

static err_code begin(struct making *m, struct error *err)
{
    const struct question *q = m->planning->question;
    struct planned *p = m->planned;
    size_t written = graph_size(q->graph), outputs;
    if (!size_mul(written, q->trace ? 2 : 0, &outputs) ||
        !size_add(outputs, q->of_count + q->wrt_count + 1, &outputs)) {
        return error_add(err, ERR_limit_exceeded, whole, "the question is too large");
    }
    m->map = calloc(written ? written : 1, sizeof *m->map);
    m->outputs = calloc(outputs, sizeof *m->outputs);
    p->values = calloc(q->of_count + 1, sizeof *p->values);
    p->gradients = calloc(q->wrt_count + 1, sizeof *p->gradients);
    p->independent = calloc(q->wrt_count + 1, sizeof *p->independent);
    p->traced = calloc(q->trace ? 2 * written + 1 : 1, sizeof *p->traced);
    p->value_count = q->of_count;
    p->gradient_count = q->kind == QUESTION_GRADIENT ? q->wrt_count : 0;
    if (!m->map || !m->outputs || !p->values || !p->gradients || !p->independent || !p->traced) {
        return error_set(err, ERR_out_of_memory, NULL);
    }
    err_code code = m->planning->batch < 0 ? graph_copy(q->graph, &p->bound, err)
                                           : graph_bind(q->graph, m->planning->batch, &p->bound, err);
    if (code == ERR_ok && q->trace) {
        code = name_all(p, err);
    }
    return code == ERR_ok ? expand_grads(p->bound, &m->graph, m->map, err) : code;
}

/* A node of the bound graph, its name and its two tensors, about. */
enum { TRACED_NODE_BYTES = 512 };

static size_t bytes_of(const struct planned *p, const struct question *q)
{
    size_t traced = p->bound ? graph_size(p->bound) * TRACED_NODE_BYTES : 0;
    for (size_t i = 0; p->bound && i < graph_size(p->bound); i++) {
        const struct node *n = graph_node(p->bound, (node_id)i);
        if (n->op == OP_Constant) {
            traced += tensor_bytes(node_tensor(n, ATTRIBUTE_value));
        }
    }
    return sizeof *p + plan_bytes(p->plan) + traced + (q->of_count + 2 * q->wrt_count) * sizeof(struct planned_tensor);
}

err_code planned_make(const struct planning *planning, struct planned **ret, struct error *err)
{
    const struct question *q = planning->question;
    struct making m = {.planning = planning, .planned = calloc(1, sizeof(struct planned))};
    err_code code = m.planned ? begin(&m, err) : error_set(err, ERR_out_of_memory, NULL);
    if (code == ERR_ok) {
        for (size_t i = 0; i < q->of_count; i++) {
            m.planned->values[i] = add_output(&m, m.map[planning->of[i]], written_shape(&m, planning->of[i]));
        }
        if (q->kind == QUESTION_GRADIENT) {
            code = add_gradients(&m, err);
        }
    }
    if (code == ERR_ok) {
        code = check_answer(&m, err);
    }
    if (code == ERR_ok) {
        code = simplify_and_plan(&m, err);
    }
    graph_free(m.graph);
    free(m.map);
    free(m.outputs);
    if (code != ERR_ok) {
        error_prefix(err, whole.pointer); /* nodes of derivatives stand nowhere in the request */
        planned_free(m.planned);
        return code;
    }
    if (!q->trace) {
        graph_free(m.planned->bound);
        m.planned->bound = NULL;
    }
    m.planned->bytes = bytes_of(m.planned, q);
    *ret = m.planned;
    return ERR_ok;
}
