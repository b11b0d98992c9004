/* Nodes become steps: elementwise ops, and ops that only read their operand in another way. */
#include "engine/planner.h"
#include <math.h>
#include <stdlib.h>

enum { FOLDED_ELEMENTS_MAX = 1024 };

/* ---------------------------------------------------------------- elementwise ops */

/* Without axes of one element, which matter to nobody. */
static struct view squeezed(const struct view *v)
{
    struct view out = {.storage = v->storage, .offset = v->offset};
    for (int axis = 0; axis < v->shape.rank; axis++)
        if (v->shape.dim[axis] != 1) {
            out.stride[out.shape.rank] = v->stride[axis];
            out.shape.dim[out.shape.rank++] = v->shape.dim[axis];
        }
    return out;
}

static struct map map_of(const struct planner *p, enum op op, const struct view *out, const struct view *in, int count)
{
    struct map map = {.op = op, .count = count, .node = p->node, .out = squeezed(out)};
    for (int o = 0; o < count; o++)
        map.in[o] = squeezed(&in[o]);
    return map;
}

static err_code append_map(struct planner *p, enum op op, const struct view *out, const struct view *in, int count)
{
    struct draft d = {.kind = DRAFT_MAPS, .maps = arena_alloc(p->memory, sizeof *d.maps), .map_count = 1};
    if (d.maps == NULL)
        return error_set(p->err, ERR_out_of_memory, "there is no memory for a plan");
    *d.maps = map_of(p, op, out, in, count);
    d.map_capacity = 1;
    d.space = d.maps->out.shape;
    p->plan->flops += (double)view_elements(out);
    return planner_draft(p, &d);
}

err_code planner_product(struct planner *p, const struct step *step, const struct view *c,
                         const struct long_product_args *args)
{
    struct long_product_args *copy = arena_alloc(p->plan->memory, sizeof *copy);
    struct draft d = {.kind = DRAFT_PRODUCT,
                      .node = p->node,
                      .step = *step,
                      .maps = arena_alloc(p->memory, sizeof *d.maps),
                      .map_count = 1,
                      .map_capacity = 1};
    if (copy == NULL || d.maps == NULL)
        return error_set(p->err, ERR_out_of_memory, "there is no memory for a plan");
    *copy = *args;
    d.step.args = copy;
    *d.maps = map_of(p, OP_MatMul, c, NULL, 0);
    d.space = d.maps->out.shape;
    return planner_draft(p, &d);
}

/* Whether all that is read is constant, and the result small enough to be made now. */
static bool can_fold(const struct planner *p, const struct view *operands, int count, struct shape shape)
{
    int64_t elements;
    for (int o = 0; o < count; o++)
        if (p->storages[operands[o].storage].kind != STORAGE_CONSTANTS)
            return false;
    return shape_elements(shape, &elements) && elements <= FOLDED_ELEMENTS_MAX;
}

static err_code fold_elementwise(struct planner *p, enum op op, const struct view *operands, int count,
                                 struct shape shape, struct view *ret)
{
    void *data;
    const err_code code = planner_constant(p, shape, ret, &data);
    if (code != ERR_ok)
        return code;
    const struct map map = map_of(p, op, ret, operands, count);
    return fold_map(p, &map, data);
}

/* Axes in the order in which a view's elements lie in memory. */
static void order_in_memory(const struct view *v, int64_t perm[RANK_MAX])
{
    for (int axis = 0; axis < v->shape.rank; axis++) {
        int at = axis;
        for (; at > 0 && v->stride[perm[at - 1]] < v->stride[axis]; at--)
            perm[at] = perm[at - 1];
        perm[at] = axis;
    }
}

/* A new tensor whose elements lie in memory as those of its first whole operand do. */
static err_code tensor_like(struct planner *p, const struct view *in, int count, struct shape shape, struct view *ret)
{
    int64_t perm[RANK_MAX], back[RANK_MAX];
    int like = 0;
    for (bool whole = false; like < count; like++) {
        whole = true;
        for (int axis = 0; axis < shape.rank; axis++)
            whole = whole && in[like].stride[axis] > 0;
        if (whole)
            break;
    }
    if (like == count)
        return planner_result(p, shape, ret);
    order_in_memory(&in[like], perm);
    bool moved = false;
    struct shape order = shape;
    for (int axis = 0; axis < shape.rank; axis++) {
        moved = moved || perm[axis] != axis;
        order.dim[axis] = shape.dim[perm[axis]];
        back[perm[axis]] = axis;
    }
    if (!moved)
        return planner_result(p, shape, ret);
    const err_code code = planner_tensor(p, order, ret);
    if (code == ERR_ok)
        *ret = view_transpose(ret, back);
    return code;
}

err_code lower_elementwise(struct planner *p, enum op op, const struct view *operands, int count, struct shape shape,
                           struct view *ret)
{
    struct view in[OPERANDS_MAX];
    struct shape once = shape;
    for (int o = 0; o < count; o++)
        in[o] = view_broadcast(&operands[o], shape);
    for (int axis = 0; axis < shape.rank; axis++) {
        bool repeated = shape.dim[axis] > 1;
        for (int o = 0; o < count; o++)
            repeated = repeated && in[o].stride[axis] == 0;
        if (!repeated)
            continue;
        once.dim[axis] = 1;
        for (int o = 0; o < count; o++)
            in[o].shape.dim[axis] = 1;
    }
    err_code code;
    if (can_fold(p, in, count, once)) {
        code = fold_elementwise(p, op, in, count, once, ret);
    } else {
        code = tensor_like(p, in, count, once, ret);
        if (code == ERR_ok)
            code = append_map(p, op, ret, in, count);
    }
    if (code == ERR_ok)
        *ret = view_broadcast(ret, shape);
    return code;
}

err_code lower_copy(struct planner *p, const struct view *to, const struct view *from)
{
    return append_map(p, OP_Identity, to, from, 1);
}

err_code lower_contiguous(struct planner *p, struct view *view)
{
    if (view_is_contiguous(view))
        return ERR_ok;
    struct view copy = {0};
    if (can_fold(p, view, 1, view->shape)) {
        const err_code code = fold_elementwise(p, OP_Identity, view, 1, view->shape, &copy);
        if (code == ERR_ok)
            *view = copy;
        return code;
    }
    err_code code = planner_tensor(p, view->shape, &copy);
    if (code == ERR_ok)
        code = lower_copy(p, &copy, view);
    if (code == ERR_ok)
        *view = copy;
    return code;
}

static err_code lower_map(struct planner *p, const struct node *n, const struct view *in, struct view *ret)
{
    return lower_elementwise(p, n->op, in, (int)n->input_count, n->shape, ret);
}

/* Powers that have kernels of their own. */
static err_code lower_pow(struct planner *p, const struct node *n, const struct view *in, struct view *ret)
{
    const struct view *y = &in[1];
    bool constant = p->storages[y->storage].kind == STORAGE_CONSTANTS && view_elements(y) > 0;
    for (int axis = 0; axis < y->shape.rank; axis++)
        constant = constant && (y->shape.dim[axis] == 1 || y->stride[axis] == 0);
    if (constant) {
        const void *data = p->plan->constants;
        const double exponent = p->spec->dtype == DTYPE_FLOAT32 ? (double)((const float *)data)[y->offset]
                                                                : ((const double *)data)[y->offset];
        if (exponent == 2)
            return lower_elementwise(p, OP_Square, in, 1, n->shape, ret);
        if (exponent == -1)
            return lower_elementwise(p, OP_Reciprocal, in, 1, n->shape, ret);
    }
    return lower_map(p, n, in, ret);
}

/* The kernel reads n as an operand. */
static err_code lower_polygamma(struct planner *p, const struct node *n, const struct view *in, struct view *ret)
{
    struct view operands[2] = {{0}, in[0]};
    void *data;
    const err_code code = planner_constant(p, (struct shape){0}, &operands[0], &data);
    if (code != ERR_ok)
        return code;
    if (p->spec->dtype == DTYPE_FLOAT32)
        *(float *)data = (float)node_int(n, ATTRIBUTE_n);
    else
        *(double *)data = (double)node_int(n, ATTRIBUTE_n);
    return lower_elementwise(p, OP_Polygamma, operands, 2, n->shape, ret);
}

static err_code lower_dropout(struct planner *p, const struct node *n, const struct view *in, struct view *ret)
{
    if (!p->spec->training) {
        *ret = in[0];
        return ERR_ok;
    }
    struct view x = in[0];
    const double ratio = node_float(n, ATTRIBUTE_ratio);
    const struct dropout_args args = {.count = view_elements(&x),
                                      .threshold = (uint64_t)ceil(ratio * 0x1p53),
                                      .scale = ratio < 1 ? 1 / (1 - ratio) : 0,
                                      .ordinal = (uint32_t)node_int(n, ATTRIBUTE_ordinal)};
    err_code code = lower_contiguous(p, &x);
    if (code == ERR_ok)
        code = planner_tensor(p, n->shape, ret);
    if (code != ERR_ok)
        return code;
    const struct step step = {.execute = execute_dropout,
                              .name = "dropout",
                              .kernel = p->plan->kernels->dropout,
                              .ref_count = 2,
                              .refs = {view_ref(ret), view_ref(&x)}};
    p->plan->flops += 30 * (double)args.count;
    return planner_step(p, &step, &args, sizeof args);
}

/* ---------------------------------------------------------------- ops that only read in another way */

static err_code lower_same(struct planner *p, const struct node *n, const struct view *in, struct view *ret)
{
    (void)p, (void)n;
    *ret = in[0];
    return ERR_ok;
}

static err_code lower_transpose(struct planner *p, const struct node *n, const struct view *in, struct view *ret)
{
    (void)p;
    size_t count;
    *ret = view_transpose(&in[0], node_ints(n, ATTRIBUTE_perm, &count));
    return ERR_ok;
}

static err_code lower_reshape(struct planner *p, const struct node *n, const struct view *in, struct view *ret)
{
    if (view_reshape(&in[0], n->shape, ret))
        return ERR_ok;
    struct view x = in[0];
    const err_code code = lower_contiguous(p, &x);
    if (code == ERR_ok)
        view_reshape(&x, n->shape, ret);
    return code;
}

static err_code lower_expand(struct planner *p, const struct node *n, const struct view *in, struct view *ret)
{
    (void)p;
    *ret = view_broadcast(&in[0], n->shape);
    return ERR_ok;
}

/* The part of x that a node's starts, axes and steps say; as many elements along each axis as `counts` has. */
static struct view slice_of(const struct node *n, const struct view *x, struct shape counts)
{
    size_t count;
    const int64_t *starts = node_ints(n, ATTRIBUTE_starts, &count);
    const int64_t *axes = node_ints(n, ATTRIBUTE_axes, &count);
    const int64_t *steps = node_ints(n, ATTRIBUTE_steps, &count);
    struct view part = *x;
    for (size_t i = 0; i < count; i++)
        part = view_slice(&part, (int)axes[i], starts[i], steps[i], counts.dim[axes[i]]);
    return part;
}

static err_code lower_slice(struct planner *p, const struct node *n, const struct view *in, struct view *ret)
{
    (void)p;
    *ret = slice_of(n, &in[0], n->shape);
    return ERR_ok;
}

static err_code lower_scatter_slice(struct planner *p, const struct node *n, const struct view *in, struct view *ret)
{
    err_code code = planner_zeros(p, n->shape, ret);
    if (code != ERR_ok)
        return code;
    const struct view part = slice_of(n, ret, in[0].shape);
    return lower_copy(p, &part, &in[0]);
}

static err_code lower_concat(struct planner *p, const struct node *n, const struct view *in, struct view *ret)
{
    const int axis = (int)node_int(n, ATTRIBUTE_axis);
    int64_t start = 0;
    err_code code = planner_tensor(p, n->shape, ret);
    for (uint32_t i = 0; code == ERR_ok && i < n->input_count; i++) {
        const int64_t count = in[i].shape.dim[axis];
        const struct view part = view_slice(ret, axis, start, 1, count);
        code = lower_copy(p, &part, &in[i]);
        start += count;
    }
    return code;
}

static err_code lower_size(struct planner *p, const struct node *n, const struct view *in, struct view *ret)
{
    void *data;
    const err_code code = planner_constant(p, n->shape, ret, &data);
    if (code != ERR_ok)
        return code;
    if (p->spec->dtype == DTYPE_FLOAT32)
        *(float *)data = (float)view_elements(&in[0]);
    else
        *(double *)data = (double)view_elements(&in[0]);
    return ERR_ok;
}

static err_code lower_constant(struct planner *p, const struct node *n, const struct view *in, struct view *ret)
{
    (void)in;
    const struct tensor *value = node_tensor(n, ATTRIBUTE_value);
    const int64_t count = tensor_elements(value);
    void *data;
    const err_code code = planner_constant(p, n->shape, ret, &data);
    if (code != ERR_ok)
        return code;
    for (int64_t i = 0; i < count; i++)
        if (p->spec->dtype == DTYPE_FLOAT32)
            ((float *)data)[i] = (float)tensor_get(value, i);
        else
            ((double *)data)[i] = tensor_get(value, i);
    return ERR_ok;
}

/* ---------------------------------------------------------------- every op */

static const lower_fn lowerings[OP_COUNT] = {
    [OP_Constant] = lower_constant,
    [OP_Identity] = lower_same,
    [OP_Neg] = lower_map,
    [OP_Abs] = lower_map,
    [OP_Sign] = lower_map,
    [OP_Reciprocal] = lower_map,
    [OP_Square] = lower_map,
    [OP_Sqrt] = lower_map,
    [OP_Exp] = lower_map,
    [OP_Log] = lower_map,
    [OP_Log1p] = lower_map,
    [OP_Expm1] = lower_map,
    [OP_Sin] = lower_map,
    [OP_Cos] = lower_map,
    [OP_Tan] = lower_map,
    [OP_Asin] = lower_map,
    [OP_Acos] = lower_map,
    [OP_Atan] = lower_map,
    [OP_Sinh] = lower_map,
    [OP_Cosh] = lower_map,
    [OP_Floor] = lower_map,
    [OP_Ceil] = lower_map,
    [OP_Round] = lower_map,
    [OP_Tanh] = lower_map,
    [OP_Asinh] = lower_map,
    [OP_Acosh] = lower_map,
    [OP_Atanh] = lower_map,
    [OP_Bell] = lower_map,
    [OP_Erf] = lower_map,
    [OP_Erfc] = lower_map,
    [OP_Lgamma] = lower_map,
    [OP_Digamma] = lower_map,
    [OP_Polygamma] = lower_polygamma,
    [OP_Sigmoid] = lower_map,
    [OP_SigmoidSlope] = lower_map,
    [OP_Softplus] = lower_map,
    [OP_Softsign] = lower_map,
    [OP_LnCosh] = lower_map,
    [OP_Relu] = lower_map,
    [OP_StopGradient] = lower_same,
    [OP_Dropout] = lower_dropout,
    [OP_Add] = lower_map,
    [OP_Sub] = lower_map,
    [OP_Mul] = lower_map,
    [OP_Div] = lower_map,
    [OP_Pow] = lower_pow,
    [OP_Atan2] = lower_map,
    [OP_Max] = lower_map,
    [OP_Min] = lower_map,
    [OP_Equal] = lower_map,
    [OP_NotEqual] = lower_map,
    [OP_Less] = lower_map,
    [OP_LessOrEqual] = lower_map,
    [OP_Greater] = lower_map,
    [OP_GreaterOrEqual] = lower_map,
    [OP_Where] = lower_map,
    [OP_MatMul] = lower_matmul,
    [OP_Linear] = lower_linear,
    [OP_Transpose] = lower_transpose,
    [OP_Reshape] = lower_reshape,
    [OP_Expand] = lower_expand,
    [OP_Concat] = lower_concat,
    [OP_Slice] = lower_slice,
    [OP_ScatterSlice] = lower_scatter_slice,
    [OP_Gather] = lower_gather,
    [OP_ScatterAdd] = lower_scatter_add,
    [OP_OneHot] = lower_one_hot,
    [OP_Size] = lower_size,
    [OP_Windows] = lower_windows,
    [OP_FoldWindows] = lower_fold_windows,
    [OP_MaxPool] = lower_max_pool,
    [OP_PickMax] = lower_pick_max,
    [OP_PlaceMax] = lower_place_max,
    [OP_ReduceSum] = lower_reduce,
    [OP_ReduceMean] = lower_reduce,
    [OP_ReduceMax] = lower_reduce,
    [OP_ReduceL2] = lower_norm,
    [OP_CumSum] = lower_cum_sum,
    [OP_ArgMax] = lower_arg_max,
    [OP_Softmax] = lower_softmax,
    [OP_LogSoftmax] = lower_softmax,
    [OP_MSE] = lower_loss,
    [OP_MAE] = lower_loss,
    [OP_BCE] = lower_loss,
    [OP_BCEWithLogits] = lower_loss,
    [OP_CrossEntropy] = lower_cross_entropy,
};

err_code lower_node(struct planner *p, node_id id)
{
    const struct node *n = graph_node(p->spec->graph, id);
    if (lowerings[n->op] == NULL)
        return error_set(p->err, ERR_internal, "the engine has no kernel for %s", op_name(n->op));
    if (p->operand_capacity < n->input_count) {
        struct view *grown = realloc(p->operands, n->input_count * sizeof *grown);
        if (grown == NULL)
            return error_set(p->err, ERR_out_of_memory, "no memory for a plan");
        p->operands = grown;
        p->operand_capacity = n->input_count;
    }
    p->node = id;
    for (uint32_t i = 0; i < n->input_count; i++)
        p->operands[i] = p->values[n->inputs[i]];
    return lowerings[n->op](p, n, p->operands, &p->values[id]);
}
