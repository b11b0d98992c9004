/* Ops with index operands become steps that check the numbers first. */
#include "engine/planner.h"
#include <string.h>

err_code planner_indexed_step(struct planner *p, const struct node *n, struct step *step, const void *kernel_args,
                              size_t kernel_args_size, const struct view *numbers, int64_t size, bool negative)
{
    struct arena *memory = p->plan->memory;
    void *copy = arena_alloc(memory, kernel_args_size);
    const char *name = n->name != NULL ? arena_copy(memory, n->name, strlen(n->name)) : NULL;
    if (copy == NULL || (n->name != NULL && name == NULL))
        return error_set(p->err, ERR_out_of_memory, "no memory for a plan");
    memcpy(copy, kernel_args, kernel_args_size);
    struct indexed_args args = {.kernel_args = copy,
                                .dtype = p->spec->dtype,
                                .count = view_elements(numbers),
                                .size = size,
                                .negative = negative,
                                .into = (int)step->ref_count - 1,
                                .numbers = (int)step->ref_count,
                                .name = name,
                                .op = op_name(n->op),
                                .line = n->place.line};
    step->execute = execute_indexed;
    step->refs[args.into] = (struct ref){0, 0};
    step->refs[args.numbers] = view_ref(numbers);
    step->ref_count++;
    const err_code code = planner_storage(p, args.count, sizeof(int64_t), &step->refs[args.into].base);
    return code != ERR_ok ? code : planner_step(p, step, &args, sizeof args);
}

/* The product of dimensions from `first` up to, not including, `end`. */
static int64_t elements_between(struct shape shape, int first, int end)
{
    int64_t count = 1;
    for (int axis = first; axis < end; axis++)
        count *= shape.dim[axis];
    return count;
}

err_code lower_gather(struct planner *p, const struct node *n, const struct view *in, struct view *ret)
{
    struct view data = in[0];
    struct view index = in[1];
    const int axis = (int)node_int(n, ATTRIBUTE_axis);
    const struct index_args args = {.outer = elements_between(data.shape, 0, axis),
                                    .size = data.shape.dim[axis],
                                    .count = view_elements(&index),
                                    .inner = elements_between(data.shape, axis + 1, data.shape.rank)};
    err_code code = lower_contiguous(p, &data);
    if (code == ERR_ok)
        code = lower_contiguous(p, &index);
    if (code == ERR_ok)
        code = planner_tensor(p, n->shape, ret);
    if (code != ERR_ok)
        return code;
    struct step step = {
        .name = "gather", .kernel = p->plan->kernels->gather, .ref_count = 3, .refs = {view_ref(ret), view_ref(&data)}};
    p->plan->flops += (double)view_elements(ret);
    return planner_indexed_step(p, n, &step, &args, sizeof args, &index, args.size, true);
}

err_code lower_scatter_add(struct planner *p, const struct node *n, const struct view *in, struct view *ret)
{
    struct view g = in[0];
    struct view index = in[1];
    const int axis = (int)node_int(n, ATTRIBUTE_axis);
    const struct index_args args = {.outer = elements_between(n->shape, 0, axis),
                                    .size = n->shape.dim[axis],
                                    .count = view_elements(&index),
                                    .inner = elements_between(n->shape, axis + 1, n->shape.rank)};
    err_code code = lower_contiguous(p, &g);
    if (code == ERR_ok)
        code = lower_contiguous(p, &index);
    if (code == ERR_ok)
        code = planner_zeros(p, n->shape, ret);
    if (code != ERR_ok)
        return code;
    struct step step = {.name = "scatter_add",
                        .kernel = p->plan->kernels->scatter_add,
                        .ref_count = 3,
                        .refs = {view_ref(ret), view_ref(&g)}};
    p->plan->flops += (double)view_elements(&g);
    return planner_indexed_step(p, n, &step, &args, sizeof args, &index, args.size, true);
}

err_code lower_one_hot(struct planner *p, const struct node *n, const struct view *in, struct view *ret)
{
    struct view index = in[0];
    const struct one_hot_args args = {view_elements(&index), node_int(n, ATTRIBUTE_depth)};
    err_code code = lower_contiguous(p, &index);
    if (code == ERR_ok)
        code = planner_tensor(p, n->shape, ret);
    if (code != ERR_ok)
        return code;
    struct step step = {
        .name = "one_hot", .kernel = p->plan->kernels->one_hot, .ref_count = 2, .refs = {view_ref(ret)}};
    p->plan->flops += (double)view_elements(ret);
    return planner_indexed_step(p, n, &step, &args, sizeof args, &index, args.depth, false);
}
