/* Reductions, softmax and losses become steps. */
#include "engine/planner.h"
#include <math.h>

/* Reduces the axes first to last of x, which becomes the result with those axes of one element. */
static err_code reduce_group(struct planner *p, const struct node *n, struct view *x, int first, int last,
                             double divisor)
{
    const struct kernels_of_dtype *k = p->plan->kernels;
    const bool max = n->op == OP_ReduceMax;
    struct shape shape = x->shape;
    err_code code = ERR_ok;
    if (!view_is_merged(x, first, last) || !view_is_merged(x, last + 1, shape.rank - 1))
        code = lower_contiguous(p, x);
    for (int axis = first; axis <= last; axis++)
        shape.dim[axis] = 1;
    struct draft d = {.kind = DRAFT_REDUCTION,
                      .step = {.kernel = max ? k->max : k->sum, .name = max ? "max" : "sum"},
                      .node = p->node,
                      .space = x->shape,
                      .x = *x,
                      .first = first,
                      .last = last,
                      .divisor = divisor};
    if (code == ERR_ok)
        code = planner_tensor(p, shape, &d.out);
    if (code != ERR_ok)
        return code;
    p->plan->flops += (double)view_elements(x);
    *x = d.out;
    return planner_draft(p, &d);
}

/* Neighbouring axes are reduced together, the last group first. A mean over nothing is not a number. */
err_code lower_reduce(struct planner *p, const struct node *n, const struct view *in, struct view *ret)
{
    size_t count;
    const int64_t *axes = node_ints(n, ATTRIBUTE_axes, &count);
    struct view x = in[0];
    double divisor = 1;
    err_code code = ERR_ok;
    for (size_t i = 0; i < count; i++)
        divisor *= (double)x.shape.dim[axes[i]];
    if (divisor == 0)
        divisor = NAN;
    for (size_t end = count; code == ERR_ok && end > 0;) {
        size_t start = end - 1;
        while (start > 0 && axes[start - 1] == axes[start] - 1)
            start--;
        const bool mean = n->op == OP_ReduceMean && start == 0;
        code = reduce_group(p, n, &x, (int)axes[start], (int)axes[end - 1], mean ? divisor : 0);
        end = start;
    }
    if (code == ERR_ok && !view_reshape(&x, n->shape, ret)) {
        code = lower_contiguous(p, &x);
        view_reshape(&x, n->shape, ret);
    }
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
    struct step step = {.name = n->op == OP_Softmax ? "softmax" : "log_softmax",
                        .kernel = n->op == OP_Softmax ? k->softmax : k->log_softmax,
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
    const struct step step = {.name = "loss",
                              .kernel = p->plan->kernels->loss[n->op],
                              .ref_count = 3,
                              .refs = {view_ref(ret), view_ref(&x), view_ref(&y)}};
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
    struct step step = {.name = "cross_entropy",
                        .kernel = p->plan->kernels->cross_entropy,
                        .ref_count = 5,
                        .refs = {view_ref(ret), view_ref(&z), view_ref(&y), {rows, 0}, REF_NONE}};
    p->plan->flops += 20 * (double)args.n * (double)args.k;
    if (!classes)
        return planner_step(p, &step, &args, sizeof args);
    step.refs[2] = REF_NONE;
    return planner_indexed_step(p, n, &step, &args, sizeof args, &y, args.k, false);
}
