#include "api/answers.h"
#include "api/nodes.h"
#include <string.h>

bool question_is_dear(struct plans *plans, const struct question *q)
{
    return graph_size(q->graph) > CHEAP_NODES && !question_is_planned(plans, q);
}

bool prepared_is_dear(const struct prepared *p)
{
    return prepared_flops(p) > CHEAP_FLOPS;
}

static void put_tensors(struct json *j, const char *name, const struct answer_tensor *tensors, size_t count, bool flat)
{
    put_key(j, name);
    put_object(j);
    for (size_t i = 0; i < count; i++) {
        put_key(j, tensors[i].name);
        put_tensor(j, tensors[i].tensor, flat);
    }
    put_object_end(j);
}

static void put_names(struct json *j, const char *name, const char *const *names, size_t count)
{
    put_key(j, name);
    put_array(j);
    for (size_t i = 0; i < count; i++)
        put_string(j, names[i]);
    put_array_end(j);
}

/* Whether an earlier input of the node is the same: their derivatives are one. */
static bool stands_before(const struct trace_node *t, size_t input)
{
    bool before = false;
    for (size_t i = 0; i < input && !before; i++)
        before = strcmp(t->inputs[i], t->inputs[input]) == 0;
    return before;
}

static void put_trace_node(struct json *j, const struct trace_node *t, bool flat)
{
    put_object(j);
    put_key(j, "name");
    put_string(j, t->name);
    put_key(j, "op");
    put_string(j, op_name(t->node->op));
    put_names(j, "inputs", t->inputs, t->node->input_count);
    put_key(j, "attributes");
    put_attributes(j, t->node, flat);
    put_key(j, "shape");
    put_shape(j, t->node->shape);
    put_key(j, "value");
    put_tensor(j, t->value, flat);
    put_key(j, "gradient");
    put_tensor(j, t->gradient, flat);
    put_key(j, "derivatives");
    put_object(j);
    for (size_t i = 0; i < t->node->input_count; i++) {
        if (t->derivatives[i] && !stands_before(t, i)) {
            put_key(j, t->inputs[i]);
            put_string(j, t->derivatives[i]);
        }
    }
    put_object_end(j);
    put_object_end(j);
}

void put_values(struct json *j, const char *name, const struct answer *a, bool flat)
{
    put_tensors(j, name, a->values, a->value_count, flat);
}

/* {a: {b: tensor}} */
static void put_hessians(struct json *j, const struct answer *a, bool flat)
{
    size_t count = a->gradient_count;
    put_key(j, "hessians");
    put_object(j);
    for (size_t i = 0; i < count; i++)
        put_tensors(j, a->gradients[i].name, &a->derivatives[i * count], count, flat);
    put_object_end(j);
}

static void put_derivatives(struct json *j, enum question_kind kind, const struct answer *a, bool flat)
{
    if (kind == QUESTION_GRADIENT || kind == QUESTION_HVP || kind == QUESTION_HESSIAN)
        put_tensors(j, "gradients", a->gradients, a->gradient_count, flat);
    if (kind == QUESTION_JACOBIAN) {
        put_tensors(j, "jacobians", a->derivatives, a->derivative_count, flat);
    } else if (kind == QUESTION_HVP) {
        put_tensors(j, "products", a->derivatives, a->derivative_count, flat);
    } else if (kind == QUESTION_HESSIAN) {
        put_hessians(j, a, flat);
    } else if (kind == QUESTION_JVP) {
        put_key(j, "tangent");
        put_tensor(j, a->derivatives[0].tensor, flat);
    }
}

/* The index of an element, an axis each. */
static void put_index(struct json *j, struct shape shape, int64_t index)
{
    int64_t places[RANK_MAX];
    for (int i = shape.rank; i-- > 0; index /= shape.dim[i])
        places[i] = index % shape.dim[i];
    put_array(j);
    for (int i = 0; i < shape.rank; i++)
        put_whole(j, places[i]);
    put_array_end(j);
}

static void put_checked(struct json *j, const struct checked *c)
{
    put_object(j);
    put_key(j, "name");
    put_string(j, c->name);
    put_key(j, "index");
    put_index(j, c->shape, c->index);
    put_key(j, "backprop");
    put_number(j, c->backprop);
    put_key(j, "difference");
    put_number(j, c->difference);
    put_key(j, "relative_error");
    put_number(j, c->relative_error);
    put_object_end(j);
}

void put_check(struct json *j, const char *of, const struct check_answer *a)
{
    put_key(j, "of");
    put_string(j, of);
    put_key(j, "ok");
    put_bool(j, a->ok);
    put_key(j, "worst");
    if (a->node_count > 0)
        put_checked(j, &a->nodes[a->worst]);
    else
        put_null(j);
    put_key(j, "nodes");
    put_array(j);
    for (size_t i = 0; i < a->node_count; i++)
        put_checked(j, &a->nodes[i]);
    put_array_end(j);
    if (a->independent_count > 0)
        put_names(j, "independent", a->independent, a->independent_count);
}

void put_question_answer(struct json *j, const struct question *q, const struct answer *a, bool flat)
{
    if (q->kind == QUESTION_EVALUATE) {
        put_values(j, "values", a, flat);
        return;
    }
    put_key(j, "of");
    put_string(j, a->values[0].name);
    put_key(j, "value");
    put_tensor(j, a->values[0].tensor, flat);
    put_derivatives(j, q->kind, a, flat);
    if (q->symbolic) {
        put_key(j, "programs");
        put_object(j);
        for (size_t i = 0; i < a->gradient_count; i++) {
            put_key(j, a->gradients[i].name);
            put_string(j, a->programs[i]);
        }
        put_object_end(j);
    }
    if (a->independent_count > 0)
        put_names(j, "independent", a->independent, a->independent_count);
    if (!q->trace)
        return;
    put_key(j, "nodes");
    put_array(j);
    for (size_t i = 0; i < a->node_count; i++)
        put_trace_node(j, &a->nodes[i], flat);
    put_array_end(j);
    put_names(j, "backward", a->backward, a->backward_count);
}
