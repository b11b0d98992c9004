/* CumSum, ArgMax and ReduceL2 become steps. */
#include "engine/planner.h"

/* The axes before `first`, from there to `last`, and after it. */
static struct scan_args sizes_of(struct shape shape, int first, int last)
{
    struct scan_args args = {1, 1, 1};
    for (int axis = 0; axis < shape.rank; axis++) {
        int64_t *size = axis < first ? &args.outer : axis <= last ? &args.k : &args.inner;
        *size *= shape.dim[axis];
    }
    return args;
}

/* A new tensor of that shape, filled by one kernel from x, which is contiguous. */
static err_code append_scan(struct planner *p, kernel_fn kernel, const struct scan_args *args, const struct view *x,
                            struct shape shape, struct view *ret)
{
    const err_code code = planner_tensor(p, shape, ret);
    if (code != ERR_ok)
        return code;
    const struct step step = {.kernel = kernel, .ref_count = 2, .refs = {view_ref(ret), view_ref(x)}};
    p->plan->flops += 2 * (double)view_elements(x);
    return planner_step(p, &step, args, sizeof *args);
}

err_code lower_cum_sum(struct planner *p, const struct node *n, const struct view *in, struct view *ret)
{
    struct view x = in[0];
    const int axis = (int)node_int(n, ATTRIBUTE_axis);
    const struct scan_args args = sizes_of(x.shape, axis, axis);
    const err_code code = lower_contiguous(p, &x);
    return code != ERR_ok ? code : append_scan(p, p->plan->kernels->cum_sum, &args, &x, n->shape, ret);
}

err_code lower_arg_max(struct planner *p, const struct node *n, const struct view *in, struct view *ret)
{
    struct view x = in[0];
    const int axis = (int)node_int(n, ATTRIBUTE_axis);
    const struct scan_args args = sizes_of(x.shape, axis, axis);
    const err_code code = lower_contiguous(p, &x);
    return code != ERR_ok ? code : append_scan(p, p->plan->kernels->arg_max, &args, &x, n->shape, ret);
}

/* Neighbouring axes are reduced together, the last group first: the norm of norms is the norm. */
err_code lower_norm(struct planner *p, const struct node *n, const struct view *in, struct view *ret)
{
    size_t count;
    const int64_t *axes = node_ints(n, ATTRIBUTE_axes, &count);
    struct view x = in[0];
    if (count == 0)
        return lower_elementwise(p, OP_Abs, in, 1, n->shape, ret);
    err_code code = lower_contiguous(p, &x);
    for (size_t end = count; code == ERR_ok && end > 0;) {
        size_t start = end - 1;
        while (start > 0 && axes[start - 1] == axes[start] - 1)
            start--;
        const struct scan_args args = sizes_of(x.shape, (int)axes[start], (int)axes[end - 1]);
        struct shape shape = x.shape;
        struct view out = {0};
        for (size_t k = start; k < end; k++)
            shape.dim[axes[k]] = 1;
        code = append_scan(p, p->plan->kernels->norm, &args, &x, shape, &out);
        x = out;
        end = start;
    }
    if (code == ERR_ok)
        view_reshape(&x, n->shape, ret);
    return code;
}
