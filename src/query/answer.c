#include "query/answer.h"
#include "autodiff/local.h"
#include "base/arena.h"
#include "base/text.h"
#include "graph/notation.h"
#include "query/symbolic.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct copying {
    const struct question *question;
    const struct planned *planned;
    const struct run *run; /* of a trace */
    int64_t each;
    struct answer *answer;
};

static bool has_nonfinite(const struct tensor *t)
{
    int64_t count = tensor_elements(t);
    double sum = 0;
    if (t->dtype == DTYPE_FLOAT32) {
        const float *x = t->data;
        for (int64_t i = 0; i < count; i++) {
            sum += x[i] - x[i]; /* 0 for a finite number, NaN for others */
        }
    } else {
        const double *x = t->data;
        for (int64_t i = 0; i < count; i++) {
            sum += x[i] - x[i];
        }
    }
    return sum != 0;
}

static err_code copy_tensor(struct copying *c, const struct planned_tensor *from, struct tensor **ret,
                            struct error *err)
{
    struct tensor *t = NULL;
    err_code code = tensor_new(c->question->dtype, from->shape, &t, err);
    if (code == ERR_ok) {
        if (from->output != NO_OUTPUT) {
            memcpy(t->data, run_output(c->run, from->output), tensor_bytes(t));
        }
        c->answer->nonfinite |= has_nonfinite(t);
        *ret = t;
    }
    return code;
}

static const char *keep(struct copying *c, const char *name)
{
    return arena_copy(c->answer->arena, name, strlen(name));
}

/* Zeros, for the runs to fill. The names repeat after name_count of them. */
static err_code make_tensors(struct copying *c, const struct named_place *names, size_t name_count,
                             const struct planned_tensor *from, size_t count, struct answer_tensor **ret,
                             size_t *ret_count, struct error *err)
{
    struct answer_tensor *to = arena_array(c->answer->arena, count + 1, sizeof *to);
    if (!to) {
        return error_set(err, ERR_out_of_memory, NULL);
    }
    *ret = to;
    for (size_t i = 0; i < count; i++) {
        to[i].name = keep(c, names[i % name_count].name);
        err_code code = to[i].name
                            ? tensor_new(c->question->dtype, planned_shape(&from[i], c->each), &to[i].tensor, err)
                            : error_set(err, ERR_out_of_memory, NULL);
        if (code != ERR_ok) {
            return code;
        }
        *ret_count = i + 1;
    }
    return ERR_ok;
}

static err_code copy_independent(struct copying *c, struct error *err)
{
    const struct question *q = c->question;
    struct answer *a = c->answer;
    a->independent = arena_array(a->arena, q->wrt_count + 1, sizeof *a->independent);
    if (!a->independent) {
        return error_set(err, ERR_out_of_memory, NULL);
    }
    for (size_t i = 0; q->kind != QUESTION_EVALUATE && i < q->wrt_count; i++) {
        if (c->planned->independent[i]) {
            const char *name = keep(c, q->wrt[i].name);
            if (!name) {
                return error_set(err, ERR_out_of_memory, NULL);
            }
            a->independent[a->independent_count++] = name;
        }
    }
    return ERR_ok;
}

/* The node's derivatives by its inputs as formulas; NULL stays where nothing flows. */
static err_code derive(struct copying *c, node_id node, char **derivatives, struct error *err)
{
    const struct node *n = graph_node(c->planned->bound, node);
    struct graph *local = NULL;
    node_id *roots = calloc(n->input_count + 1, sizeof *roots);
    err_code code = roots ? local_derivatives(c->planned->bound, node, c->planned->names, &local, roots, err)
                          : error_set(err, ERR_out_of_memory, NULL);
    for (size_t i = 0; code == ERR_ok && i < n->input_count; i++) {
        if (roots[i] == NODE_NONE)
            continue;
        struct text formula = {0};
        code = notation_print_formula(local, roots[i], &formula, err);
        if (code == ERR_ok) {
            derivatives[i] = formula.failed ? NULL : arena_copy(c->answer->arena, formula.data, formula.length);
            code = derivatives[i] ? ERR_ok : error_set(err, ERR_out_of_memory, NULL);
        }
        text_clear(&formula);
    }
    graph_free(local);
    free(roots);
    return code;
}

static err_code trace_one(struct copying *c, node_id id, struct trace_node *t, struct error *err)
{
    const struct node *n = graph_node(c->planned->bound, id);
    const char **inputs = arena_array(c->answer->arena, n->input_count + 1, sizeof *inputs);
    t->derivatives = arena_array(c->answer->arena, n->input_count + 1, sizeof(char *));
    if (!inputs || !t->derivatives)
        return error_set(err, ERR_out_of_memory, NULL);
    for (size_t i = 0; i < n->input_count; i++)
        inputs[i] = c->planned->names[n->inputs[i]];
    t->name = c->planned->names[id];
    t->node = n;
    t->inputs = inputs;
    err_code code = copy_tensor(c, &c->planned->traced[2 * (size_t)id], &t->value, err);
    if (code == ERR_ok)
        code = copy_tensor(c, &c->planned->traced[2 * (size_t)id + 1], &t->gradient, err);
    return code == ERR_ok ? derive(c, id, t->derivatives, err) : code;
}

static err_code copy_trace(struct copying *c, struct error *err)
{
    struct answer *a = c->answer;
    size_t count = graph_size(c->planned->bound);
    a->nodes = arena_array(a->arena, count + 1, sizeof *a->nodes);
    a->backward = arena_array(a->arena, count + 1, sizeof *a->backward);
    if (!a->nodes || !a->backward) {
        return error_set(err, ERR_out_of_memory, NULL);
    }
    for (size_t i = 0; i < count; i++) {
        a->node_count = i + 1;
        err_code code = trace_one(c, (node_id)i, &a->nodes[i], err);
        if (code != ERR_ok) {
            return code;
        }
    }
    for (size_t i = count; i-- > 0;) {
        if (c->planned->traced[2 * i + 1].output != NO_OUTPUT) {
            a->backward[a->backward_count++] = a->nodes[i].name;
        }
    }
    return ERR_ok;
}

err_code answer_begin(const struct question *q, const struct planned *p, int64_t each, struct answer *ret,
                      struct error *err)
{
    struct answer answer = {.arena = arena_new()};
    struct copying c = {.question = q, .planned = p, .each = each, .answer = &answer};
    const struct named_place *derived = q->kind == QUESTION_JVP ? q->of : q->wrt;
    err_code code = answer.arena ? make_tensors(&c, q->of, q->of_count, p->values, p->value_count, &answer.values,
                                                &answer.value_count, err)
                                 : error_set(err, ERR_out_of_memory, NULL);
    if (code == ERR_ok) {
        code = make_tensors(&c, q->wrt, q->wrt_count, p->gradients, p->gradient_count, &answer.gradients,
                            &answer.gradient_count, err);
    }
    if (code == ERR_ok) {
        code = make_tensors(&c, derived, q->kind == QUESTION_JVP ? 1 : q->wrt_count, p->derivatives,
                            p->derivative_count, &answer.derivatives, &answer.derivative_count, err);
    }
    if (code == ERR_ok) {
        code = copy_independent(&c, err);
    }
    if (code != ERR_ok) {
        answer_clear(&answer);
        return code;
    }
    *ret = answer;
    return ERR_ok;
}

/* What run number `at` gives to a tensor. */
static void take_one(const struct planned_tensor *from, const struct run *run, int64_t at, struct tensor *to)
{
    int64_t i = at - from->first, count = from->spread == SPREAD_ONCE ? 1 : from->count;
    size_t size = dtype_size(to->dtype), all = tensor_bytes(to);
    if (from->spread == SPREAD_EACH)
        count = to->shape.dim[0];
    if (from->output == NO_OUTPUT || i < 0 || i >= count)
        return;
    const char *source = run_output(run, from->output);
    size_t bytes = all / (size_t)count;
    char *data = to->data;
    if (from->spread != SPREAD_COLUMNS) {
        memcpy(data + (size_t)i * bytes, source, bytes);
        return;
    }
    for (size_t row = 0; row < bytes / size; row++)
        memcpy(data + (row * (size_t)count + (size_t)i) * size, source + row * size, size);
}

static void take_all(const struct planned_tensor *from, const struct run *run, int64_t at, struct answer_tensor *to,
                     size_t count)
{
    for (size_t i = 0; i < count; i++)
        take_one(&from[i], run, at, to[i].tensor);
}

void answer_take(const struct planned *p, const struct run *run, int64_t at, struct answer *a)
{
    take_all(p->values, run, at, a->values, a->value_count);
    take_all(p->gradients, run, at, a->gradients, a->gradient_count);
    take_all(p->derivatives, run, at, a->derivatives, a->derivative_count);
}

static bool any_nonfinite(const struct answer_tensor *tensors, size_t count)
{
    bool found = false;
    for (size_t i = 0; i < count && !found; i++)
        found = has_nonfinite(tensors[i].tensor);
    return found;
}

err_code answer_end(const struct question *q, const struct planned *p, const struct run *run, struct answer *a,
                    struct error *err)
{
    struct copying c = {.question = q, .planned = p, .run = run, .answer = a};
    a->nonfinite = any_nonfinite(a->values, a->value_count) || any_nonfinite(a->gradients, a->gradient_count) ||
                   any_nonfinite(a->derivatives, a->derivative_count);
    err_code code = q->symbolic ? symbolic_gradients(q, p->bound, a->arena, &a->programs, err) : ERR_ok;
    return code == ERR_ok && q->trace ? copy_trace(&c, err) : code;
}

void answer_clear(struct answer *a)
{
    for (size_t i = 0; i < a->value_count; i++) {
        tensor_free(a->values[i].tensor);
    }
    for (size_t i = 0; i < a->gradient_count; i++) {
        tensor_free(a->gradients[i].tensor);
    }
    for (size_t i = 0; i < a->derivative_count; i++) {
        tensor_free(a->derivatives[i].tensor);
    }
    for (size_t i = 0; i < a->node_count; i++) {
        tensor_free(a->nodes[i].value);
        tensor_free(a->nodes[i].gradient);
    }
    arena_free(a->arena);
    *a = (struct answer){0};
}
