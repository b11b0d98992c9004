/* Ops that pick elements by place, and their adjoints, which lay them back: each is the other's derivative. */
#include "autodiff/rules.h"

static node_id gather(struct builder *b, const struct link *l, size_t input)
{
    int64_t axis = node_int(&l->node, ATTRIBUTE_axis);
    const struct attribute attributes[] = {
        attribute_int(ATTRIBUTE_axis, axis),
        attribute_int(ATTRIBUTE_size, build_shape(b, l->x[input]).dim[axis]),
    };
    const node_id inputs[] = {l->g, l->x[1]};
    return build_op(b, OP_ScatterAdd, inputs, 2, attributes, 2);
}
const struct rule rule_Gather = {.vjp = gather, .blocked = 1u << 1};

static node_id scatter_add(struct builder *b, const struct link *l, size_t input)
{
    (void)input;
    const struct attribute axis = attribute_int(ATTRIBUTE_axis, node_int(&l->node, ATTRIBUTE_axis));
    const node_id inputs[] = {l->g, l->x[1]};
    return build_op(b, OP_Gather, inputs, 2, &axis, 1);
}
const struct rule rule_ScatterAdd = {.vjp = scatter_add, .blocked = 1u << 1};

/* The attributes of a Slice or a ScatterSlice, in the normal form of graph/shapes_index.c: every start inside its axis.
 */
struct places {
    const int64_t *starts, *axes, *steps;
    size_t count;
};

static struct places places_of(const struct link *l)
{
    struct places p;
    p.starts = node_ints(&l->node, ATTRIBUTE_starts, &p.count);
    p.axes = node_ints(&l->node, ATTRIBUTE_axes, &p.count);
    p.steps = node_ints(&l->node, ATTRIBUTE_steps, &p.count);
    return p;
}

static node_id slice(struct builder *b, const struct link *l, size_t input)
{
    struct places p = places_of(l);
    struct shape shape = build_shape(b, l->x[input]);
    const struct attribute attributes[] = {
        attribute_ints(ATTRIBUTE_shape, shape.dim, (size_t)shape.rank),
        attribute_ints(ATTRIBUTE_starts, p.starts, p.count),
        attribute_ints(ATTRIBUTE_axes, p.axes, p.count),
        attribute_ints(ATTRIBUTE_steps, p.steps, p.count),
    };
    return build_op(b, OP_ScatterSlice, &l->g, 1, attributes, 4);
}
const struct rule rule_Slice = {.vjp = slice};

static node_id scatter_slice(struct builder *b, const struct link *l, size_t input)
{
    struct places p = places_of(l);
    struct shape laid = build_shape(b, l->x[input]), room = l->node.shape;
    int64_t ends[RANK_MAX] = {0};
    for (size_t k = 0; k < p.count; k++) {
        int64_t axis = p.axes[k], last = p.starts[k] + (laid.dim[axis] - 1) * p.steps[k];
        bool to_the_front = p.steps[k] < 0 && last == 0; /* -1 would mean the last element */
        ends[k] = to_the_front ? -room.dim[axis] - 1 : last + (p.steps[k] < 0 ? -1 : 1);
    }
    const struct attribute attributes[] = {
        attribute_ints(ATTRIBUTE_starts, p.starts, p.count),
        attribute_ints(ATTRIBUTE_ends, ends, p.count),
        attribute_ints(ATTRIBUTE_axes, p.axes, p.count),
        attribute_ints(ATTRIBUTE_steps, p.steps, p.count),
    };
    return build_op(b, OP_Slice, &l->g, 1, attributes, 4);
}
const struct rule rule_ScatterSlice = {.vjp = scatter_slice};
