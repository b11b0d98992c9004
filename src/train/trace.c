/* A step, node by node. Every node of the step's graph that the cost or a parameter needs is an output of one plan,
 * which is run once. A node that is not finite is followed back through operands that are not finite either: an
 * infinity that the program masks (by Where, say) is nobody's fault. */
#include "train/replay.h"

#include "base/number.h"
#include "train/step.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* By node of the step's graph. */
struct trace {
    struct session *session;
    int64_t step;
    struct step_graph graph;
    unsigned char *needed; /* marks */
    unsigned char *blamed; /* marks: not finite, and the reason why a root is not */
    unsigned char *after;  /* marks: depends on the culprit */
    node_id *outputs;      /* the needed nodes, ascending */
    size_t output_count;
    size_t *output_of; /* of a needed node: its index in outputs */
    struct plan *plan;
    struct run *run;
};

static void trace_clear(struct trace *t)
{
    run_free(t->run);
    plan_free(t->plan);
    step_graph_clear(&t->graph);
    free(t->needed);
    free(t->blamed);
    free(t->after);
    free(t->outputs);
    free(t->output_of);
}

/* ---- computing ---- */

static bool trace_reserve(struct trace *t)
{
    size_t size = graph_size(t->graph.graph);
    t->needed = calloc(size, 1);
    t->blamed = calloc(size, 1);
    t->after = calloc(size, 1);
    t->outputs = calloc(size, sizeof *t->outputs);
    t->output_of = calloc(size, sizeof *t->output_of);
    return t->needed != NULL && t->blamed != NULL && t->after != NULL && t->outputs != NULL && t->output_of != NULL;
}

/* The cost, then the new parameters: what must be finite. */
static size_t list_roots(const struct trace *t, node_id *ret)
{
    size_t count = 0;
    ret[count++] = t->graph.cost;
    for (size_t p = 0; p < t->graph.parameter_count; p++)
        if (t->graph.updates[p * t->graph.stride] != NODE_NONE)
            ret[count++] = t->graph.updates[p * t->graph.stride];
    return count;
}

static err_code plan_every_node(struct trace *t, const node_id *roots, size_t root_count, struct error *err)
{
    const struct graph *g = t->graph.graph;
    const struct model *m = t->session->model;
    graph_mark_needed(g, roots, root_count, t->needed);
    for (size_t i = 0; i < graph_size(g); i++)
        if (t->needed[i]) {
            t->output_of[i] = t->output_count;
            t->outputs[t->output_count++] = (node_id)i;
        }
    node_id *gathered = calloc(m->input_count + 1, sizeof *gathered);
    if (gathered == NULL)
        return error_set(err, ERR_out_of_memory, "no memory to trace a step");
    size_t gathered_count = 0;
    for (size_t i = 0, count = row_leaves(m, g, gathered); i < count; i++)
        if (t->needed[gathered[i]])
            gathered[gathered_count++] = gathered[i];
    struct plan_spec spec = {
        .graph = g,
        .dtype = m->dtype,
        .outputs = t->outputs,
        .output_count = t->output_count,
        .gathered = gathered,
        .gathered_count = gathered_count,
        .training = true,
    };
    err_code code = plan_make(&spec, &t->plan, err);
    free(gathered);
    return code;
}

static err_code run_every_node(struct trace *t, struct error *err)
{
    err_code code = run_new(t->plan, &t->run, err);
    if (code != ERR_ok)
        return code;
    session_bind(t->session, t->plan, t->run);
    run_set_random(t->run, t->session->spec.seed, (uint64_t)t->step);
    return run_execute(t->run, NULL, err);
}

/* ---- looking ---- */

struct range {
    double least, most;
    bool finite;
};

static struct range range_of(const struct trace *t, node_id id)
{
    struct tensor view = {
        .dtype = plan_dtype(t->plan),
        .shape = plan_output_shape(t->plan, t->output_of[id]),
        .data = (void *)(uintptr_t)run_output(t->run, t->output_of[id]),
    };
    struct range range = {.least = INFINITY, .most = -INFINITY, .finite = true};
    for (int64_t i = 0; i < tensor_elements(&view); i++) {
        double x = tensor_get(&view, i);
        range.finite = range.finite && isfinite(x);
        range.least = x < range.least ? x : range.least;
        range.most = x > range.most ? x : range.most;
    }
    return range;
}

/* The first of the nodes that made a root non-finite: all its operands are finite. NODE_NONE: every root is finite. */
static node_id find_culprit(struct trace *t, const node_id *roots, size_t root_count)
{
    const struct graph *g = t->graph.graph;
    node_id first = NODE_NONE;
    for (size_t r = 0; r < root_count; r++)
        t->blamed[roots[r]] = 1;
    for (size_t i = graph_size(g); i-- > 0;) {
        if (!t->blamed[i] || range_of(t, (node_id)i).finite)
            continue;
        const struct node *n = graph_node(g, (node_id)i);
        first = (node_id)i;
        for (uint32_t k = 0; k < n->input_count; k++)
            t->blamed[n->inputs[k]] = 1;
    }
    return first;
}

/* ---- describing ---- */

static void describe_written(struct text *out, const struct node *n)
{
    if (n->name != NULL)
        text_printf(out, "node '%.64s' (%s)", n->name, op_name(n->op));
    else
        text_printf(out, "node %s at line %d, column %d", op_name(n->op), n->place.line, n->place.column);
}

static bool was_written(const struct node *n)
{
    return n->name != NULL || n->place.line > 0;
}

static bool depends_on_culprit(const struct trace *t, node_id id)
{
    const struct node *n = graph_node(t->graph.graph, id);
    for (uint32_t k = 0; k < n->input_count; k++)
        if (t->after[n->inputs[k]])
            return true;
    return false;
}

/* What derived node `id` is there for: a written node that it leads to, the gradient at one, or a parameter's update.
 * False if it is none of them. */
static bool describe_purpose(const struct trace *t, node_id id, struct text *out)
{
    const struct step_graph *s = &t->graph;
    if (id < s->forward && was_written(graph_node(s->graph, id))) {
        text_puts(out, " on the way to ");
        describe_written(out, graph_node(s->graph, id));
        return true;
    }
    for (size_t i = s->forward; i-- > 0;)
        if (s->adjoints[i] == id && was_written(graph_node(s->graph, (node_id)i))) {
            text_puts(out, " in the gradient at ");
            describe_written(out, graph_node(s->graph, (node_id)i));
            return true;
        }
    for (size_t u = 0; u < s->parameter_count * s->stride; u++)
        if (s->updates[u] == id) {
            const struct model *m = t->session->model;
            node_id parameter = m->parameters[u / s->stride].node;
            text_printf(out, " in the update of '%.64s'", graph_node(m->graph, parameter)->name);
            return true;
        }
    return false;
}

/* A node that no client wrote is told by the first purpose that it serves. */
static void describe_derived(struct trace *t, node_id culprit, struct text *out)
{
    text_puts(out, op_name(graph_node(t->graph.graph, culprit)->op));
    t->after[culprit] = 1;
    for (size_t i = culprit; i < graph_size(t->graph.graph); i++) {
        if (i > culprit)
            t->after[i] = depends_on_culprit(t, (node_id)i);
        if (t->after[i] && t->needed[i] && describe_purpose(t, (node_id)i, out))
            return;
    }
}

static void put_number(struct text *out, enum dtype dtype, double x)
{
    char buffer[NUMBER_TEXT_MAX];
    if (dtype == DTYPE_FLOAT32)
        number_print_float((float)x, buffer);
    else
        number_print(x, buffer);
    text_puts(out, buffer);
}

static void describe_operands(const struct trace *t, node_id culprit, struct text *out)
{
    const struct node *n = graph_node(t->graph.graph, culprit);
    for (uint32_t k = 0; k < n->input_count; k++) {
        const struct node *operand = graph_node(t->graph.graph, n->inputs[k]);
        struct range range = range_of(t, n->inputs[k]);
        text_puts(out, k == 0 ? "; " : ", ");
        text_printf(out, "%.64s", operand->name != NULL ? operand->name : op_name(operand->op));
        if (range.least > range.most) {
            text_puts(out, " empty");
            continue;
        }
        text_puts(out, " in [");
        put_number(out, plan_dtype(t->plan), range.least);
        text_puts(out, ", ");
        put_number(out, plan_dtype(t->plan), range.most);
        text_puts(out, "]");
    }
}

static void describe(struct trace *t, node_id culprit, struct text *out)
{
    const struct node *n = graph_node(t->graph.graph, culprit);
    if (was_written(n))
        describe_written(out, n);
    else
        describe_derived(t, culprit, out);
    text_puts(out, n->op == OP_Input ? " is not finite" : " became non-finite");
    describe_operands(t, culprit, out);
}

err_code trace_step(struct session *s, int64_t step, struct text *out, struct error *err)
{
    struct trace t = {.session = s, .step = step};
    enum phase phase = session_load(s, step);
    node_id *roots = calloc(s->model->parameter_count + 1, sizeof *roots);
    err_code code = ERR_ok;
    if (roots == NULL)
        code = error_set(err, ERR_out_of_memory, "no memory to trace a step");
    if (code == ERR_ok)
        code = step_graph_make(s->model, &s->spec, s->layout.batch[phase], true, &t.graph, err);
    if (code == ERR_ok && !trace_reserve(&t))
        code = error_set(err, ERR_out_of_memory, "no memory to trace a step");
    if (code == ERR_ok) {
        size_t root_count = list_roots(&t, roots);
        code = plan_every_node(&t, roots, root_count, err);
        if (code == ERR_ok)
            code = run_every_node(&t, err);
        node_id culprit = code == ERR_ok ? find_culprit(&t, roots, root_count) : NODE_NONE;
        if (culprit != NODE_NONE)
            describe(&t, culprit, out);
    }
    trace_clear(&t);
    free(roots);
    return code;
}
