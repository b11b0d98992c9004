/* The elements of losses, and means of them that are weighted by rows. */
#include "graph/losses.h"

#include "graph/composites.h"
#include "graph/words.h"
#include <stdlib.h>

/* ---- primitives ---- */

static node_id elements_MSE(struct builder *b, const struct node *n, const node_id *in)
{
    (void)n;
    return build_unary(b, OP_Square, minus(b, in[0], in[1]));
}

static node_id elements_MAE(struct builder *b, const struct node *n, const node_id *in)
{
    (void)n;
    return build_unary(b, OP_Abs, minus(b, in[0], in[1]));
}

node_id clamped_log(struct builder *b, node_id q)
{
    node_id free = build_binary(b, OP_Greater, q, build_scalar(b, LOSS_EXP_LOG_FLOOR));
    node_id safe = build_where(b, free, q, build_scalar(b, 1));
    node_id log = build_unary(b, OP_Log, safe);
    return build_where(b, free, log, build_scalar(b, LOSS_LOG_FLOOR));
}

static node_id elements_BCE(struct builder *b, const struct node *n, const node_id *in)
{
    (void)n;
    node_id q = one_minus(b, in[0]), not_y = one_minus(b, in[1]);
    node_id log_p = clamped_log(b, in[0]), log_q = clamped_log(b, q);
    node_id yes = times(b, in[1], log_p), no = times(b, not_y, log_q);
    return negative(b, plus(b, yes, no));
}

/* (1 - y) softplus(z) + y softplus(-z): its derivative keeps its digits where y is 1 and z is large. */
static node_id elements_BCEWithLogits(struct builder *b, const struct node *n, const node_id *in)
{
    (void)n;
    node_id not_y = one_minus(b, in[1]);
    node_id no = times(b, not_y, build_unary(b, OP_Softplus, in[0]));
    node_id yes = times(b, in[1], build_unary(b, OP_Softplus, negative(b, in[0])));
    return plus(b, no, yes);
}

static node_id elements_CrossEntropy(struct builder *b, const struct node *n, const node_id *in)
{
    (void)n;
    const struct shape shape = build_shape(b, in[0]), of_y = build_shape(b, in[1]);
    const struct attribute axis = attribute_int(ATTRIBUTE_axis, 1);
    const struct attribute depth = attribute_int(ATTRIBUTE_depth, shape.dim[1]);
    node_id y = in[1];
    if (!shape_equal(of_y, shape)) {
        if (of_y.rank != 1)
            y = build_reshape(b, y, (struct shape){.rank = 1, .dim = {shape.dim[0]}});
        y = build_op(b, OP_OneHot, &y, 1, &depth, 1);
    }
    return negative(b, times(b, y, build_op(b, OP_LogSoftmax, &in[0], 1, &axis, 1)));
}

/* ---- composites ---- */

static node_id elements_Huber(struct builder *b, const struct node *n, const node_id *in)
{
    double delta = node_float(n, ATTRIBUTE_delta);
    node_id difference = minus(b, in[0], in[1]), distance = build_unary(b, OP_Abs, difference);
    node_id is_near = build_binary(b, OP_Less, distance, build_scalar(b, delta));
    node_id near = scaled(b, 0.5, build_unary(b, OP_Square, where_else_zero(b, is_near, difference)));
    node_id far = scaled(b, delta, minus(b, distance, build_scalar(b, 0.5 * delta)));
    return build_where(b, is_near, near, far);
}

static node_id elements_LogCosh(struct builder *b, const struct node *n, const node_id *in)
{
    (void)n;
    return build_unary(b, OP_LnCosh, minus(b, in[0], in[1]));
}

/* Where q is 0, its logarithm is never made, and logp may be -inf. */
static node_id elements_KLDiv(struct builder *b, const struct node *n, const node_id *in)
{
    (void)n;
    node_id none = build_binary(b, OP_Equal, in[1], build_scalar(b, 0));
    node_id q = build_where(b, none, build_scalar(b, 1), in[1]);
    node_id ratio = minus(b, build_unary(b, OP_Log, q), zero_where(b, none, in[0]));
    return times(b, in[1], ratio);
}

static node_id elements_Hinge(struct builder *b, const struct node *n, const node_id *in)
{
    (void)n;
    return build_unary(b, OP_Relu, one_minus(b, times(b, in[0], in[1])));
}

static node_id elements_PoissonNLL(struct builder *b, const struct node *n, const node_id *in)
{
    (void)n;
    node_id expected = build_unary(b, OP_Exp, in[0]), told = times(b, in[0], in[1]);
    return minus(b, expected, told);
}

static node_id elements_GaussianNLL(struct builder *b, const struct node *n, const node_id *in)
{
    (void)n;
    struct shape mu = build_shape(b, in[0]), column = mu;
    node_id least = build_scalar(b, 1e-6), var = in[2];
    if (build_shape(b, var).rank < mu.rank) {
        column.dim[mu.rank - 1] = 1;
        var = build_reshape(b, var, column);
    }
    node_id small = build_binary(b, OP_Less, var, least);
    node_id v = build_where(b, small, least, var);
    node_id error = over(b, build_unary(b, OP_Square, minus(b, in[0], in[1])), v);
    return scaled(b, 0.5, plus(b, build_unary(b, OP_Log, v), error));
}

/* ---- the table ---- */

typedef node_id elements_fn(struct builder *b, const struct node *n, const node_id *in);

static const struct {
    enum op op;
    elements_fn *elements;
} losses[] = {
    {OP_MSE, elements_MSE},
    {OP_MAE, elements_MAE},
    {OP_BCE, elements_BCE},
    {OP_BCEWithLogits, elements_BCEWithLogits},
    {OP_CrossEntropy, elements_CrossEntropy},
    {OP_Huber, elements_Huber},
    {OP_LogCosh, elements_LogCosh},
    {OP_KLDiv, elements_KLDiv},
    {OP_Hinge, elements_Hinge},
    {OP_PoissonNLL, elements_PoissonNLL},
    {OP_GaussianNLL, elements_GaussianNLL},
};

static elements_fn *find_elements(enum op op)
{
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++)
        if (losses[i].op == op)
            return losses[i].elements;
    return NULL;
}

bool op_is_loss(enum op op)
{
    return find_elements(op) != NULL;
}

node_id loss_elements(struct builder *b, const struct node *n, const node_id *in)
{
    elements_fn *elements = find_elements(n->op);
    return elements != NULL ? elements(b, n, in) : NODE_NONE;
}

node_id loss_count(struct builder *b, enum op op, node_id elements)
{
    if (op != OP_KLDiv && op != OP_CrossEntropy)
        return build_size(b, elements);
    const struct shape shape = build_shape(b, elements);
    return build_scalar(b, shape.rank > 0 ? (double)shape.dim[0] : 1);
}

/* ---- weighing ---- */

size_t graph_mark_losses(const struct graph *g, node_id cost, unsigned char *marks)
{
    size_t count = 0;
    graph_mark_needed(g, &cost, 1, marks);
    for (size_t id = 0; id < graph_size(g); id++) {
        const struct node *n = graph_node(g, (node_id)id);
        const struct shape *rows = op_is_loss(n->op) ? &graph_node(g, n->inputs[0])->shape : NULL;
        marks[id] = marks[id] && rows != NULL && rows->rank > 0 && rows->dim[0] == DIM_BATCH;
        count += marks[id];
    }
    return count;
}

/* The weights, reshaped to stand beside elements of that shape. */
static node_id beside(struct builder *b, node_id weights, struct shape elements)
{
    struct shape shape = {.rank = elements.rank};
    for (int axis = 0; axis < shape.rank; axis++)
        shape.dim[axis] = axis == 0 ? elements.dim[0] : 1;
    return build_reshape(b, weights, shape);
}

static node_id weighted_mean(struct builder *b, const struct node *n, const node_id *in, node_id weights)
{
    int64_t axes[RANK_MAX];
    node_id elements = loss_elements(b, n, in);
    const struct shape shape = build_shape(b, elements);
    for (int axis = 0; axis < shape.rank; axis++)
        axes[axis] = axis;
    node_id weighted = times(b, elements, beside(b, weights, shape));
    node_id sum = build_reduce(b, OP_ReduceSum, weighted, axes, (size_t)shape.rank, false);
    return over(b, sum, loss_count(b, n->op, elements));
}

static err_code weigh_node(struct builder *b, const struct node *from, const node_id *in, node_id weights, node_id *ret)
{
    const node_id value = weighted_mean(b, from, in, weights);
    const struct node identity = {
        .op = OP_Identity, .inputs = &value, .input_count = 1, .name = from->name, .place = from->place};
    return b->code != ERR_ok ? b->code : graph_add(b->graph, &identity, ret, b->err);
}

static err_code weigh_all(const struct graph *g, const unsigned char *marks, struct builder *b, node_id weights,
                          node_id *in, node_id *ret_map)
{
    err_code code = b->code;
    for (size_t id = 0; id < graph_size(g) && code == ERR_ok; id++) {
        struct node n = *graph_node(g, (node_id)id);
        for (uint32_t i = 0; i < n.input_count; i++)
            in[i] = ret_map[n.inputs[i]];
        n.inputs = in;
        if (marks[id])
            code = weigh_node(b, &n, in, weights, &ret_map[id]);
        else
            code = graph_add(b->graph, &n, &ret_map[id], b->err);
    }
    return code;
}

static uint32_t most_inputs(const struct graph *g)
{
    uint32_t most = 1;
    for (size_t id = 0; id < graph_size(g); id++)
        if (graph_node(g, (node_id)id)->input_count > most)
            most = graph_node(g, (node_id)id)->input_count;
    return most;
}

/* Rows of a marked loss. */
static int64_t rows_of(const struct graph *g, const unsigned char *marks)
{
    for (size_t id = 0; id < graph_size(g); id++)
        if (marks[id])
            return graph_node(g, graph_node(g, (node_id)id)->inputs[0])->shape.dim[0];
    return 0;
}

err_code graph_weigh(const struct graph *g, const unsigned char *marks, const char *leaf, struct graph **ret,
                     node_id *ret_map, struct error *err)
{
    struct builder b = {.graph = graph_new(graph_nodes_max(g)), .err = err};
    node_id *in = calloc(most_inputs(g), sizeof *in);
    err_code code = ERR_ok;
    if (b.graph == NULL || in == NULL) {
        code = error_set(err, ERR_out_of_memory, "no memory for a weighted cost");
    } else {
        node_id weights = build_input(&b, leaf, (struct shape){.rank = 1, .dim = {rows_of(g, marks)}});
        code = weigh_all(g, marks, &b, weights, in, ret_map);
    }
    free(in);
    if (code == ERR_ok)
        *ret = b.graph;
    else
        graph_free(b.graph);
    return code;
}
