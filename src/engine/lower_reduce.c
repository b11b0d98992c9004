/* Reductions, softmax and losses become steps. */
#include "engine/planner.h"

/* Reduces the axes first to last of a contiguous x, which becomes the result with those axes of one element. */
static err_code reduce_group(struct planner *p, const struct node *n, struct view *x, int first, int last,
                             double divisor)
{
    struct reduce_args args = {1, 1, 1, divisor};
    struct shape shape = x->shape;
    for (int axis = 0; axis < shape.rank; axis++) {
        int64_t *size = axis < first ? &args.outer : axis <= last ? &args.reduced : &args.inner;
        *size *= shape.dim[axis];
        if (axis >= first && axis <= last)
            shape.dim[axis] = 1;
    }
    struct view out;
    const err_code code = planner_tensor(p, shape, &out);
    if (code != ERR_ok)
        return code;
    const struct kernels_of_dtype *k = p->plan->kernels;
    const bool lanes = last == shape.rank - 1;
    struct step step = {.ref_count = 2, .refs = {view_ref(&out), view_ref(x)}};
    if (n->op == OP_ReduceMax)
        step.kernel = lanes ? k->max_lanes : k->max;
    else
        step.kernel = lanes ? k->sum_lanes : k->sum;
    p->plan->flops += (double)view_elements(x);
    *x = out;
    return planner_step(p, &step, &args, sizeof args);
}

/* Neighbouring axes are reduced together, the last group first; whether lanes are used depends on the axes alone. */
err_code lower_reduce(struct planner *p, const struct node *n, const struct view *in, struct view *ret)
{
    size_t count;
    const int64_t *axes = node_ints(n, ATTRIBUTE_axes, &count);
    struct view x = in[0];
    double divisor = 1;
    err_code code = lower_contiguous(p, &x);
    for (size_t i = 0; i < count; i++)
        divisor *= (double)x.shape.dim[axes[i]];
    for (size_t end = count; code == ERR_ok && end > 0;) {
        size_t start = end - 1;
        while (start > 0 && axes[start - 1] == axes[start] - 1)
            start--;
        const bool mean = n->op == OP_ReduceMean && start == 0;
        code = reduce_group(p, n, &x, (int)axes[start], (int)axes[end - 1], mean ? divisor : 0);
        end = start;
    }
    if (code == ERR_ok)
        view_reshape(&x, n->shape, ret);
    return code;
}

err_code lower_softmax(struct planner *p, const struct node *n, const struct view *in, struct view *ret)
{
    const struct kernels_of_dtype *k = p->plan->kernels;
    const int along = (int)node_int(n, ATTRIBUTE_axis);
    struct softmax_args args = {1, 1, 1};
    struct view x = in[0];
    for (int axis = 0; axis < n->shape.rank; axis++) {
        int64_t *size = axis < along ? &args.outer : axis == along ? &args.k : &args.inner;
        *size *= n->shape.dim[axis];
    }
    err_code code = lower_contiguous(p, &x);
    if (code == ERR_ok)
        code = planner_tensor(p, n->shape, ret);
    struct step step = {.kernel = n->op == OP_Softmax ? k->softmax : k->log_softmax,
                        .ref_count = 3,
                        .refs = {view_ref(ret), view_ref(&x), REF_NONE}};
    if (code == ERR_ok && args.inner != 1) {
        step.refs[2].offset = 0;
        code = planner_storage(p, 2 * args.k, dtype_size(p->spec->dtype), &step.refs[2].base);
    }
    p->plan->flops += 20 * (double)view_elements(&x);
    return code != ERR_ok ? code : planner_step(p, &step, &args, sizeof args);
}

err_code lower_loss(struct planner *p, const struct node *n, const struct view *in, struct view *ret)
{
    struct view x = in[0];
    struct view y = in[1];
    const struct loss_args args = {view_elements(&x)};
    err_code code = lower_contiguous(p, &x);
    if (code == ERR_ok)
        code = lower_contiguous(p, &y);
    if (code == ERR_ok)
        code = planner_tensor(p, n->shape, ret);
    if (code != ERR_ok)
        return code;
    const struct step step = {
        .kernel = p->plan->kernels->loss[n->op], .ref_count = 3, .refs = {view_ref(ret), view_ref(&x), view_ref(&y)}};
    p->plan->flops += 3 * (double)args.count;
    return planner_step(p, &step, &args, sizeof args);
}

err_code lower_cross_entropy(struct planner *p, const struct node *n, const struct view *in, struct view *ret)
{
    struct view z = in[0];
    struct view y = in[1];
    const struct cross_entropy_args args = {z.shape.dim[0], z.shape.dim[1]};
    const bool classes = y.shape.rank == 1 || y.shape.dim[1] == 1;
    err_code code = lower_contiguous(p, &z);
    if (code == ERR_ok)
        code = lower_contiguous(p, &y);
    if (code == ERR_ok)
        code = planner_tensor(p, n->shape, ret);
    uint32_t rows = 0;
    if (code == ERR_ok)
        code = planner_storage(p, args.n, dtype_size(p->spec->dtype), &rows);
    if (code != ERR_ok)
        return code;
    struct step step = {.kernel = p->plan->kernels->cross_entropy,
                        .ref_count = 5,
                        .refs = {view_ref(ret), view_ref(&z), view_ref(&y), {rows, 0}, REF_NONE}};
    p->plan->flops += 20 * (double)args.n * (double)args.k;
    if (!classes)
        return planner_step(p, &step, &args, sizeof args);
    step.refs[2] = REF_NONE;
    return planner_indexed_step(p, n, &step, &args, sizeof args, &y, args.k, false);
}
