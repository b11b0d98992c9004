#include "query/answer.h"
#include "autodiff/local.h"
#include "base/arena.h"
#include "base/text.h"
#include "graph/notation.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct copying {
    const struct question *question;
    const struct planned *planned;
    const struct run *run;
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

static err_code copy_tensors(struct copying *c, const struct named_place *names, const struct planned_tensor *from,
                             size_t count, struct answer_tensor **ret, size_t *ret_count, struct error *err)
{
    struct answer_tensor *to = arena_array(c->answer->arena, count + 1, sizeof *to);
    if (!to) {
        return error_set(err, ERR_out_of_memory, NULL);
    }
    *ret = to;
    for (size_t i = 0; i < count; i++) {
        to[i].name = keep(c, names[i].name);
        err_code code =
            to[i].name ? copy_tensor(c, &from[i], &to[i].tensor, err) : error_set(err, ERR_out_of_memory, NULL);
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
    for (size_t i = 0; i < c->planned->gradient_count; i++) {
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

err_code answer_make(const struct question *q, const struct planned *p, const struct run *run, struct answer *ret,
                     struct error *err)
{
    struct answer answer = {.arena = arena_new()};
    struct copying c = {.question = q, .planned = p, .run = run, .answer = &answer};
    err_code code = answer.arena
                        ? copy_tensors(&c, q->of, p->values, p->value_count, &answer.values, &answer.value_count, err)
                        : error_set(err, ERR_out_of_memory, NULL);
    if (code == ERR_ok) {
        code =
            copy_tensors(&c, q->wrt, p->gradients, p->gradient_count, &answer.gradients, &answer.gradient_count, err);
    }
    if (code == ERR_ok) {
        code = copy_independent(&c, err);
    }
    if (code == ERR_ok && q->trace) {
        code = copy_trace(&c, err);
    }
    if (code != ERR_ok) {
        answer_clear(&answer);
        return code;
    }
    *ret = answer;
    return ERR_ok;
}

void answer_clear(struct answer *a)
{
    for (size_t i = 0; i < a->value_count; i++) {
        tensor_free(a->values[i].tensor);
    }
    for (size_t i = 0; i < a->gradient_count; i++) {
        tensor_free(a->gradients[i].tensor);
    }
    for (size_t i = 0; i < a->node_count; i++) {
        tensor_free(a->nodes[i].value);
        tensor_free(a->nodes[i].gradient);
    }
    arena_free(a->arena);
    *a = (struct answer){0};
}
