#include "query/planned.h"
#include "autodiff/directional.h"
#include "autodiff/gradient.h"
#include "base/size.h"
#include "graph/builder.h"
#include "graph/naming.h"
#include "graph/simplify.h"
#include <stdio.h>
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

enum { DERIVATIVES_MAX = 10000000 }; /* tensors of a Hessian */

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
        free(p->derivatives);
        free(p->basis);
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
    err_code code = by && gradients ? ERR_ok : error_set(err, ERR_out_of_memory, NULL);
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
            m->planned->gradients[i].spread = q->many || q->per_sample ? SPREAD_EACH : SPREAD_ONCE;
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

struct shape planned_shape(const struct planned_tensor *t, int64_t each)
{
    struct shape s = t->shape;
    if (t->spread == SPREAD_EACH) {
        memmove(s.dim + 1, s.dim, (RANK_MAX - 1) * sizeof *s.dim);
        s.dim[0] = each;
        s.rank++;
    }
    return s;
}

/* Whether a leading axis would be one too many. */
static bool is_led_too_far(const struct planned_tensor *tensors, size_t count)
{
    bool found = false;
    for (size_t i = 0; i < count && !found; i++) {
        found = tensors[i].spread == SPREAD_EACH && tensors[i].shape.rank == RANK_MAX;
    }
    return found;
}

static bool count_elements(const struct planned_tensor *tensors, size_t count, int64_t each, int64_t *total)
{
    for (size_t i = 0; i < count; i++) {
        int64_t elements;
        if (!shape_elements(planned_shape(&tensors[i], each), &elements) || !int64_add(*total, elements, total)) {
            return false;
        }
    }
    return true;
}

err_code planned_check_answer(const struct planned *p, const struct question *q, int64_t each, int64_t elements_max,
                              struct error *err)
{
    int64_t total = 0;
    if (is_led_too_far(p->values, p->value_count) || is_led_too_far(p->gradients, p->gradient_count) ||
        is_led_too_far(p->derivatives, p->derivative_count)) {
        return error_add(err, ERR_rank_too_large, whole, "with a leading axis the answer has over %d dimensions",
                         RANK_MAX);
    }
    if (!count_elements(p->values, p->value_count, each, &total) ||
        !count_elements(p->gradients, p->gradient_count, each, &total) ||
        !count_elements(p->derivatives, p->derivative_count, each, &total) ||
        (q->trace && !count_elements(p->traced, 2 * graph_size(q->graph), each, &total))) {
        return error_add(err, ERR_limit_exceeded, whole, "the answer is too large; the limit is %lld elements",
                         (long long)elements_max);
    }
    if (total > elements_max) {
        return error_add(err, ERR_limit_exceeded, whole, "the answer would have %lld elements; the limit is %lld",
                         (long long)total, (long long)elements_max);
    }
    return ERR_ok;
}

/* ---- derivatives that take several runs, or a direction ---- */

/* A leaf for the direction of each wrt, of which ret has the ids. */
static err_code add_directions(struct making *m, node_id *ret, struct error *err)
{
    struct builder b = {.graph = m->graph, .err = err};
    for (size_t i = 0; i < m->planning->question->wrt_count; i++) {
        char name[sizeof DIRECTION_PREFIX + 24];
        snprintf(name, sizeof name, DIRECTION_PREFIX "%zu", i);
        ret[i] = build_input(&b, name, written_shape(m, m->planning->wrt[i]));
    }
    return b.code;
}

static int64_t elements_of(struct shape s)
{
    int64_t elements = 0;
    (void)shape_elements(s, &elements); /* a bound graph has no larger shapes */
    return elements;
}

/* A basis vector for each element of each wrt, one after the other. */
static void add_basis(struct making *m)
{
    struct planned *p = m->planned;
    p->runs = 0;
    for (size_t i = 0; i < m->planning->question->wrt_count; i++) {
        int64_t count = elements_of(written_shape(m, m->planning->wrt[i]));
        p->basis[i] = (struct planned_basis){.first = p->runs, .count = count};
        p->runs += count; /* at most ELEMENTS_MAX each, of at most program_names */
    }
}

/* shape(a) + shape(b) */
static err_code join_shapes(struct shape a, struct shape b, struct shape *ret, struct error *err)
{
    char a_text[SHAPE_TEXT_MAX], b_text[SHAPE_TEXT_MAX];
    if (a.rank + b.rank > RANK_MAX) {
        return error_add(err, ERR_rank_too_large, whole,
                         "a derivative of shape %s + %s would have %d dimensions; the limit is %d",
                         shape_text(a, a_text), shape_text(b, b_text), a.rank + b.rank, RANK_MAX);
    }
    memcpy(a.dim + a.rank, b.dim, (size_t)b.rank * sizeof *b.dim);
    a.rank += b.rank;
    *ret = a;
    return ERR_ok;
}

/* By forward mode a run for each element of wrt, a column each; by reverse mode one for each element of `of`, a row
 * each. */
static err_code add_jacobian(struct making *m, node_id *directions, node_id *ids, struct error *err)
{
    const struct planning *p = m->planning;
    size_t count = p->question->wrt_count;
    struct shape of = written_shape(m, p->of[0]);
    struct planned *planned = m->planned;
    err_code code = ERR_ok;
    add_basis(m);
    bool forward = planned->runs < elements_of(of);
    for (size_t i = 0; code == ERR_ok && i < count; i++) {
        code = join_shapes(of, written_shape(m, p->wrt[i]), &planned->derivatives[i].shape, err);
    }
    if (code == ERR_ok) {
        /* The size is refused before the work. */
        for (size_t i = 0; i < count; i++)
            planned->derivatives[i].output = NO_OUTPUT;
        planned->derivative_count = count;
        code = planned_check_answer(planned, p->question, p->each, p->answer_elements_max, err);
    }
    if (code == ERR_ok && forward) {
        node_id tangent = NODE_NONE;
        code = add_directions(m, directions, err);
        if (code == ERR_ok)
            code = jacobian_vector(m->graph, m->map[p->of[0]], ids, directions, count, &tangent, err);
        size_t output = code == ERR_ok ? add_output(m, tangent, of).output : NO_OUTPUT;
        for (size_t i = 0; i < count; i++) {
            planned->derivatives[i].output = planned->independent[i] ? NO_OUTPUT : output;
            planned->derivatives[i].spread = SPREAD_COLUMNS;
            planned->derivatives[i].first = planned->basis[i].first;
            planned->derivatives[i].count = planned->basis[i].count;
        }
    } else if (code == ERR_ok) {
        struct builder b = {.graph = m->graph, .err = err};
        node_id cotangent = build_input(&b, COTANGENT_NAME, of);
        planned->runs = elements_of(of);
        planned->basis[0] = (struct planned_basis){.count = planned->runs};
        code = b.code;
        if (code == ERR_ok)
            code = gradient(m->graph, m->map[p->of[0]], cotangent, ids, count, directions, err);
        for (size_t i = 0; code == ERR_ok && i < count; i++) {
            planned->derivatives[i].output = add_output(m, directions[i], of).output;
            planned->derivatives[i].spread = SPREAD_ROWS;
            planned->derivatives[i].count = planned->runs;
        }
    }
    return code;
}

static err_code add_tangent(struct making *m, node_id *directions, const node_id *ids, struct error *err)
{
    const struct planning *p = m->planning;
    node_id tangent = NODE_NONE;
    err_code code = add_directions(m, directions, err);
    if (code == ERR_ok)
        code = jacobian_vector(m->graph, m->map[p->of[0]], ids, directions, p->question->wrt_count, &tangent, err);
    if (code == ERR_ok) {
        m->planned->derivatives[0] = add_output(m, tangent, written_shape(m, p->of[0]));
        m->planned->derivatives[0].spread = p->question->many ? SPREAD_EACH : SPREAD_ONCE;
        m->planned->derivative_count = 1;
    }
    return code;
}

/* Products with a vector, or with each basis vector: the rows of the Hessian. */
static err_code add_products(struct making *m, node_id *directions, const node_id *ids, struct error *err)
{
    const struct planning *p = m->planning;
    struct planned *planned = m->planned;
    size_t count = p->question->wrt_count;
    bool hessian = p->question->kind == QUESTION_HESSIAN;
    node_id *gradients = reallocarray(NULL, count + 1, sizeof *gradients),
            *products = reallocarray(NULL, count + 1, sizeof *products);
    err_code code =
        gradients && products ? add_directions(m, directions, err) : error_set(err, ERR_out_of_memory, NULL);
    planned->derivative_count = hessian ? count * count : count;
    planned->gradient_count = count;
    for (size_t i = 0; i < count; i++)
        planned->gradients[i] = (struct planned_tensor){.shape = written_shape(m, p->wrt[i]), .output = NO_OUTPUT};
    if (hessian)
        add_basis(m);
    for (size_t i = 0; code == ERR_ok && hessian && i < count * count; i++) {
        planned->derivatives[i].output = NO_OUTPUT;
        planned->derivatives[i].spread = SPREAD_ROWS;
        planned->derivatives[i].first = planned->basis[i / count].first;
        planned->derivatives[i].count = planned->basis[i / count].count;
        code = join_shapes(written_shape(m, p->wrt[i / count]), written_shape(m, p->wrt[i % count]),
                           &planned->derivatives[i].shape, err);
    }
    if (code == ERR_ok)
        code = planned_check_answer(planned, p->question, p->each, p->answer_elements_max, err);
    if (code == ERR_ok)
        code = hessian_vector(m->graph, m->map[p->of[0]], ids, directions, count, gradients, products, err);
    for (size_t i = 0; code == ERR_ok && i < count; i++) {
        struct shape shape = written_shape(m, p->wrt[i]);
        planned->gradients[i] = add_output(m, gradients[i], shape);
        struct planned_tensor product = add_output(m, products[i], shape);
        product.spread = p->question->many ? SPREAD_EACH : SPREAD_ONCE;
        for (size_t a = 0; hessian && a < count; a++)
            planned->derivatives[a * count + i].output = product.output;
        if (!hessian)
            planned->derivatives[i] = product;
    }
    free(gradients);
    free(products);
    return code;
}

/* Appends the derivatives that the question asks for. */
static err_code add_derivatives(struct making *m, struct error *err)
{
    const struct question *q = m->planning->question;
    if (q->kind == QUESTION_EVALUATE)
        return ERR_ok;
    node_id *directions = reallocarray(NULL, q->wrt_count + 1, sizeof *directions),
            *ids = reallocarray(NULL, q->wrt_count + 1, sizeof *ids);
    err_code code = directions && ids ? mark_independent(m, err) : error_set(err, ERR_out_of_memory, NULL);
    for (size_t i = 0; code == ERR_ok && i < q->wrt_count; i++)
        ids[i] = m->map[m->planning->wrt[i]];
    if (code == ERR_ok && q->kind == QUESTION_GRADIENT)
        code = add_gradients(m, err);
    else if (code == ERR_ok && q->kind == QUESTION_JACOBIAN)
        code = add_jacobian(m, directions, ids, err);
    else if (code == ERR_ok && q->kind == QUESTION_JVP)
        code = add_tangent(m, directions, ids, err);
    else if (code == ERR_ok)
        code = add_products(m, directions, ids, err);
    free(directions);
    free(ids);
    return code;
}

/* ---- the whole ---- */

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
    size_t written = graph_size(q->graph), outputs, derivatives;
    if (!size_mul(written, q->trace ? 2 : 0, &outputs) ||
        !size_add(outputs, q->of_count + 2 * q->wrt_count + 1, &outputs) ||
        !size_mul(q->wrt_count, q->kind == QUESTION_HESSIAN ? q->wrt_count : 1, &derivatives) ||
        derivatives > (size_t)DERIVATIVES_MAX) {
        return error_add(err, ERR_limit_exceeded, whole, "the question is too large");
    }
    m->map = calloc(written ? written : 1, sizeof *m->map);
    m->outputs = calloc(outputs, sizeof *m->outputs);
    p->values = calloc(q->of_count + 1, sizeof *p->values);
    p->gradients = calloc(q->wrt_count + 1, sizeof *p->gradients);
    p->derivatives = calloc(derivatives + 1, sizeof *p->derivatives);
    p->basis =
        q->kind == QUESTION_JACOBIAN || q->kind == QUESTION_HESSIAN ? calloc(q->wrt_count + 1, sizeof *p->basis) : NULL;
    p->runs = -1;
    p->independent = calloc(q->wrt_count + 1, sizeof *p->independent);
    p->traced = calloc(q->trace ? 2 * written + 1 : 1, sizeof *p->traced);
    p->value_count = q->of_count;
    p->gradient_count = q->kind == QUESTION_GRADIENT ? q->wrt_count : 0;
    if (!m->map || !m->outputs || !p->values || !p->gradients || !p->derivatives || !p->independent || !p->traced ||
        (!p->basis && (q->kind == QUESTION_JACOBIAN || q->kind == QUESTION_HESSIAN))) {
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
    return sizeof *p + plan_bytes(p->plan) + traced +
           (q->of_count + 2 * q->wrt_count + p->derivative_count) * sizeof(struct planned_tensor);
}

err_code planned_make(const struct planning *planning, struct planned **ret, struct error *err)
{
    const struct question *q = planning->question;
    struct making m = {.planning = planning, .planned = calloc(1, sizeof(struct planned))};
    err_code code = m.planned ? begin(&m, err) : error_set(err, ERR_out_of_memory, NULL);
    if (code == ERR_ok) {
        for (size_t i = 0; i < q->of_count; i++) {
            m.planned->values[i] = add_output(&m, m.map[planning->of[i]], written_shape(&m, planning->of[i]));
            m.planned->values[i].spread = q->per_sample ? SPREAD_EACH : SPREAD_ONCE;
        }
        code = add_derivatives(&m, err);
    }
    if (code == ERR_ok) {
        code = planned_check_answer(m.planned, q, planning->each, planning->answer_elements_max, err);
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
    if (!q->trace && !q->symbolic) {
        graph_free(m.planned->bound);
        m.planned->bound = NULL;
    }
    m.planned->bytes = bytes_of(m.planned, q);
    *ret = m.planned;
    return ERR_ok;
}
