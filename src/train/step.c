#include "train/step.h"

#include "autodiff/gradient.h"
#include "graph/losses.h"
#include "graph/simplify.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *state_leaf(size_t parameter, size_t state, char buffer[LEAF_NAME_MAX])
{
    (void)snprintf(buffer, LEAF_NAME_MAX, "state %zu of parameter %zu", state + 1, parameter + 1);
    return buffer;
}

const char *scalar_leaf(size_t scalar, char buffer[LEAF_NAME_MAX])
{
    (void)snprintf(buffer, LEAF_NAME_MAX, "scalar %zu of the optimizer", scalar + 1);
    return buffer;
}

const char *const weight_leaf = "weight of a row";

size_t row_leaves(const struct model *m, const struct graph *g, node_id *ret)
{
    size_t count = 0;
    for (size_t i = 0; i <= m->input_count; i++) {
        const bool is_input = i < m->input_count;
        node_id leaf = graph_find(g, is_input ? graph_node(m->graph, m->inputs[i])->name : weight_leaf);
        if (leaf != NODE_NONE)
            ret[count++] = leaf;
    }
    return count;
}

static err_code no_memory(struct error *err)
{
    return error_set(err, ERR_out_of_memory, "no memory for the graph of a training step");
}

/* ---- the graph ---- */

/* The model's graph for so many rows with its losses weighted; ret_map[id]: where its nodes went. */
static err_code weigh(const struct model *m, const struct graph *bound, struct graph **ret, node_id *ret_map,
                      struct error *err)
{
    unsigned char *marks = calloc(graph_size(m->graph) + 1, 1);
    if (marks == NULL)
        return no_memory(err);
    (void)graph_mark_losses(m->graph, m->cost, marks);
    err_code code = graph_weigh(bound, marks, weight_leaf, ret, ret_map, err);
    free(marks);
    return code;
}

/* Expands the gradients of g, and moves a map that leads to g on. */
static err_code expand_on(const struct graph *g, node_id *map, size_t count, struct graph **ret, struct error *err)
{
    node_id *moved = calloc(graph_size(g) + 1, sizeof *moved);
    err_code code = moved == NULL ? no_memory(err) : expand_grads(g, ret, moved, err);
    for (size_t i = 0; i < count && code == ERR_ok; i++)
        map[i] = moved[map[i]];
    free(moved);
    return code;
}

/* The model's graph for so many rows, without Grad nodes, and where its nodes went. */
static err_code bind_model(const struct model *m, const struct train_spec *spec, int64_t batch, struct graph **ret,
                           node_id **ret_map, struct error *err)
{
    struct graph *bound = NULL, *weighted = NULL;
    const size_t size = graph_size(m->graph);
    node_id *map = calloc(size + 1, sizeof *map);
    err_code code = map == NULL ? no_memory(err) : graph_bind(m->graph, batch, &bound, err);
    for (size_t i = 0; i < size && code == ERR_ok; i++)
        map[i] = (node_id)i;
    if (code == ERR_ok && spec->weighted)
        code = weigh(m, bound, &weighted, map, err);
    if (code == ERR_ok)
        code = expand_on(weighted != NULL ? weighted : bound, map, size, ret, err);
    graph_free(bound);
    graph_free(weighted);
    if (code != ERR_ok) {
        free(map);
        return code;
    }
    *ret_map = map;
    return ERR_ok;
}

/* Appends the gradients by the parameters (leaves[p]) and, if asked, by every node. */
static err_code differentiate(struct step_graph *s, const node_id *leaves, bool with_adjoints, node_id *ret_gradients,
                              struct error *err)
{
    if (!with_adjoints)
        return gradient(s->graph, s->cost, NODE_NONE, leaves, s->parameter_count, ret_gradients, err);
    node_id *all = calloc(s->forward, sizeof *all);
    s->adjoints = calloc(s->forward, sizeof *s->adjoints);
    if (all == NULL || s->adjoints == NULL) {
        free(all);
        return no_memory(err);
    }
    for (size_t i = 0; i < s->forward; i++)
        all[i] = (node_id)i;
    err_code code = gradient(s->graph, s->cost, NODE_NONE, all, s->forward, s->adjoints, err);
    for (size_t p = 0; p < s->parameter_count && code == ERR_ok; p++)
        ret_gradients[p] = s->adjoints[leaves[p]];
    free(all);
    return code;
}

/* ---- the gradient's norm ---- */

/* The root of the sum of all squares; of no gradients 0. */
static node_id gradient_norm(struct builder *b, const node_id *gradients, size_t count)
{
    node_id sum = NODE_NONE;
    for (size_t p = 0; p < count; p++) {
        if (gradients[p] == NODE_NONE)
            continue;
        const struct shape shape = build_shape(b, gradients[p]);
        int64_t axes[RANK_MAX];
        for (int axis = 0; axis < shape.rank; axis++)
            axes[axis] = axis;
        node_id squares = build_unary(b, OP_Square, gradients[p]);
        node_id part =
            shape.rank > 0 ? build_reduce(b, OP_ReduceSum, squares, axes, (size_t)shape.rank, false) : squares;
        sum = sum == NODE_NONE ? part : build_binary(b, OP_Add, sum, part);
    }
    return sum == NODE_NONE ? build_scalar(b, 0) : build_unary(b, OP_Sqrt, sum);
}

/* All gradients times min(1, most / (norm + 1e-6)): Pascanu, Mikolov, Bengio, "On the difficulty of training recurrent
 * neural networks", 2013, with PyTorch's addend. */
static void clip(struct builder *b, node_id norm, double most, node_id *gradients, size_t count)
{
    node_id ratio =
        build_binary(b, OP_Div, build_scalar(b, most), build_binary(b, OP_Add, norm, build_scalar(b, 1e-6)));
    node_id factor = build_binary(b, OP_Min, ratio, build_scalar(b, 1));
    for (size_t p = 0; p < count; p++)
        if (gradients[p] != NODE_NONE)
            gradients[p] = build_binary(b, OP_Mul, gradients[p], factor);
}

/* ---- the updates ---- */

static void leave_frozen(const struct model *m, const struct train_spec *spec, node_id *gradients)
{
    for (size_t p = 0; p < m->parameter_count; p++)
        for (size_t i = 0; i < spec->freeze_count; i++)
            if (strcmp(graph_node(m->graph, m->parameters[p].node)->name, spec->freeze[i]) == 0)
                gradients[p] = NODE_NONE;
}

/* LBFGS drives the gradient itself. */
static void list_gradients(struct step_graph *s, struct builder *b, const node_id *leaves, const node_id *gradients)
{
    for (size_t p = 0; p < s->parameter_count; p++)
        s->updates[p] = gradients[p] != NODE_NONE ? gradients[p] : build_fill(b, 0, build_shape(b, leaves[p]));
}

/* Appends the update of each parameter that has a gradient, with leaves for its states. */
static err_code append_updates(struct step_graph *s, const struct train_spec *spec, const node_id *leaves,
                               node_id *gradients, struct error *err)
{
    const struct optimizer *o = &spec->optimizer;
    struct builder b = {.graph = s->graph, .err = err};
    s->norm = gradient_norm(&b, gradients, s->parameter_count);
    if (spec->clip_gradient_norm > 0)
        clip(&b, s->norm, spec->clip_gradient_norm, gradients, s->parameter_count);
    if (o->name == OPTIMIZER_LBFGS) {
        list_gradients(s, &b, leaves, gradients);
        return b.code;
    }
    char name[LEAF_NAME_MAX];
    node_id scalars[OPTIMIZER_SCALARS_MAX], states[OPTIMIZER_STATES_MAX];
    for (size_t i = 0; i < optimizer_scalar_count(o); i++)
        scalars[i] = build_input(&b, scalar_leaf(i, name), (struct shape){0});
    for (size_t p = 0; p < s->parameter_count; p++) {
        node_id *updates = s->updates + p * s->stride;
        if (gradients[p] == NODE_NONE)
            continue;
        for (size_t k = 0; k + 1 < s->stride; k++)
            states[k] = build_input(&b, state_leaf(p, k, name), build_shape(&b, leaves[p]));
        optimizer_update(o, &b, leaves[p], gradients[p], states, scalars, updates, updates + 1);
    }
    return b.code;
}

static err_code build_step(struct step_graph *s, const struct model *m, const struct train_spec *spec, int64_t batch,
                           bool with_adjoints, node_id *leaves, node_id *gradients, struct error *err)
{
    node_id *map = NULL;
    err_code code = bind_model(m, spec, batch, &s->graph, &map, err);
    if (code != ERR_ok)
        return code;
    s->forward = graph_size(s->graph);
    s->cost = map[m->cost];
    for (size_t p = 0; p < s->parameter_count; p++)
        leaves[p] = map[m->parameters[p].node];
    free(map);
    code = differentiate(s, leaves, with_adjoints, gradients, err);
    if (code != ERR_ok)
        return code;
    leave_frozen(m, spec, gradients);
    return append_updates(s, spec, leaves, gradients, err);
}

err_code step_graph_make(const struct model *m, const struct train_spec *spec, int64_t batch, bool with_adjoints,
                         struct step_graph *ret, struct error *err)
{
    struct step_graph s = {.parameter_count = m->parameter_count,
                           .stride = 1 + optimizer_state_count(&spec->optimizer)};
    size_t update_count = s.parameter_count * s.stride;
    node_id *leaves = calloc(s.parameter_count + 1, sizeof *leaves);
    node_id *gradients = calloc(s.parameter_count + 1, sizeof *gradients);
    s.updates = calloc(update_count + 1, sizeof *s.updates);
    err_code code = ERR_ok;
    if (leaves == NULL || gradients == NULL || s.updates == NULL) {
        code = no_memory(err);
    } else {
        memset(s.updates, 0xff, update_count * sizeof *s.updates);
        code = build_step(&s, m, spec, batch, with_adjoints, leaves, gradients, err);
    }
    free(leaves);
    free(gradients);
    if (code == ERR_ok)
        *ret = s;
    else
        step_graph_clear(&s);
    return code;
}

void step_graph_clear(struct step_graph *s)
{
    graph_free(s->graph);
    free(s->adjoints);
    free(s->updates);
    *s = (struct step_graph){0};
}

/* ---- the plan ---- */

/* What a plan is made of: outputs, and the names of the leaves where those after the first lie. */
struct wanted {
    node_id *outputs; /* ids before simplification, then after */
    struct plan_shared *shared;
    node_id *gathered;
    size_t output_count, shared_count, gathered_count;
};

static bool wanted_new(struct wanted *w, size_t outputs_max, size_t inputs_max)
{
    *w = (struct wanted){
        .outputs = calloc(outputs_max, sizeof *w->outputs),
        .shared = calloc(outputs_max, sizeof *w->shared),
        .gathered = calloc(inputs_max + 1, sizeof *w->gathered),
    };
    return w->outputs != NULL && w->shared != NULL && w->gathered != NULL;
}

static void wanted_clear(struct wanted *w)
{
    free(w->outputs);
    free(w->shared);
    free(w->gathered);
}

/* Each output from `first` on lies where the parameter, or its state, does. */
static void share_updates(const struct model *m, const struct step_graph *s, const struct graph *simple, size_t first,
                          struct wanted *w)
{
    char name[LEAF_NAME_MAX];
    for (size_t p = 0; p < s->parameter_count; p++)
        for (size_t k = 0; k < s->stride; k++) {
            if (s->updates[p * s->stride + k] == NODE_NONE)
                continue;
            const char *home = k > 0 ? state_leaf(p, k - 1, name) : graph_node(m->graph, m->parameters[p].node)->name;
            w->shared[w->shared_count] =
                (struct plan_shared){.output = first + w->shared_count, .input = graph_find(simple, home)};
            w->shared_count++;
        }
}

/* Plans outputs of a simplified graph. */
static err_code plan_wanted(const struct model *m, const struct train_spec *job, const struct graph *simple,
                            struct wanted *w, bool training, struct plan **ret, struct error *err)
{
    w->gathered_count = row_leaves(m, simple, w->gathered);
    struct plan_spec spec = {
        .graph = simple,
        .dtype = m->dtype,
        .outputs = w->outputs,
        .output_count = w->output_count,
        .shared = w->shared,
        .shared_count = w->shared_count,
        .gathered = w->gathered,
        .gathered_count = w->gathered_count,
        .threads = job->threads,
        .training = training,
    };
    return plan_make(&spec, ret, err);
}

err_code step_plan(const struct model *m, const struct train_spec *spec, int64_t batch, bool with_norm,
                   struct plan **ret, struct error *err)
{
    struct step_graph s = {0};
    struct wanted w = {0};
    struct graph *simple = NULL;
    err_code code = step_graph_make(m, spec, batch, false, &s, err);
    if (code != ERR_ok)
        return code;
    size_t update_count = s.parameter_count * s.stride;
    if (!wanted_new(&w, update_count + 2, m->input_count)) {
        code = no_memory(err);
        goto end;
    }
    w.outputs[w.output_count++] = s.cost;
    if (with_norm)
        w.outputs[w.output_count++] = s.norm;
    const size_t first = w.output_count;
    for (size_t u = 0; u < update_count; u++)
        if (s.updates[u] != NODE_NONE)
            w.outputs[w.output_count++] = s.updates[u];
    code = graph_simplify(s.graph, w.outputs, w.output_count, &simple, w.outputs, err);
    if (code == ERR_ok) {
        if (spec->optimizer.name != OPTIMIZER_LBFGS)
            share_updates(m, &s, simple, first, &w);
        code = plan_wanted(m, spec, simple, &w, true, ret, err);
    }
end:
    graph_free(simple);
    wanted_clear(&w);
    step_graph_clear(&s);
    return code;
}

err_code cost_plan(const struct model *m, const struct train_spec *spec, int64_t batch, struct plan **ret,
                   struct error *err)
{
    struct graph *graph = NULL, *simple = NULL;
    node_id *map = NULL;
    struct wanted w = {0};
    err_code code = bind_model(m, spec, batch, &graph, &map, err);
    if (code != ERR_ok)
        return code;
    if (!wanted_new(&w, 2, m->input_count)) {
        code = no_memory(err);
        goto end;
    }
    w.outputs[w.output_count++] = map[m->cost];
    if (spec->metrics != 0)
        w.outputs[w.output_count++] = map[m->output];
    code = graph_simplify(graph, w.outputs, w.output_count, &simple, w.outputs, err);
    if (code == ERR_ok)
        code = plan_wanted(m, spec, simple, &w, false, ret, err);
end:
    graph_free(simple);
    graph_free(graph);
    free(map);
    wanted_clear(&w);
    return code;
}
