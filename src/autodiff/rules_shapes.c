/* Ops that move elements: the gradient moves them back. */
#include "autodiff/rules.h"

const struct rule rule_OneHot = {0};
const struct rule rule_Size = {0};

static node_id transpose(struct builder *b, const struct link *l, size_t input)
{
    (void)input;
    size_t rank;
    const int64_t *perm = node_ints(&l->node, ATTRIBUTE_perm, &rank);
    int64_t inverse[RANK_MAX] = {0};
    for (size_t i = 0; i < rank; i++)
        inverse[perm[i]] = (int64_t)i;
    return build_transpose(b, l->g, inverse);
}
const struct rule rule_Transpose = {.vjp = transpose};

static node_id reshape(struct builder *b, const struct link *l, size_t input)
{
    return build_reshape(b, l->g, build_shape(b, l->x[input]));
}
const struct rule rule_Reshape = {.vjp = reshape};

/* What was repeated is summed by rule_apply(). */
static node_id expand(struct builder *b, const struct link *l, size_t input)
{
    (void)b, (void)input;
    return l->g;
}
const struct rule rule_Expand = {.vjp = expand};

static node_id concat(struct builder *b, const struct link *l, size_t input)
{
    int64_t axis = node_int(&l->node, ATTRIBUTE_axis), step = 1;
    struct cursor *c = l->cursor;
    for (; c->input < input; c->input++)
        c->start += build_shape(b, l->x[c->input]).dim[axis];
    int64_t start = c->start;
    int64_t end = start + build_shape(b, l->x[input]).dim[axis];
    const struct attribute attributes[] = {
        attribute_ints(ATTRIBUTE_starts, &start, 1),
        attribute_ints(ATTRIBUTE_ends, &end, 1),
        attribute_ints(ATTRIBUTE_axes, &axis, 1),
        attribute_ints(ATTRIBUTE_steps, &step, 1),
    };
    return build_op(b, OP_Slice, &l->g, 1, attributes, 4);
}
const struct rule rule_Concat = {.vjp = concat};
