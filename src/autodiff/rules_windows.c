/* Windows of images. Windows and FoldWindows are each other's derivative, and so are PickMax and PlaceMax: to read, and
 * to add where was read. */
#include "autodiff/rules.h"

/* The lists that a node of windows has, for an op that takes them too; returns how many. */
static size_t lists_of(const struct node *n, bool kernel, bool dilations, struct attribute ret[4])
{
    const enum attribute_key keys[] = {ATTRIBUTE_kernel, ATTRIBUTE_strides, ATTRIBUTE_pads, ATTRIBUTE_dilations};
    const bool wanted[] = {kernel, true, true, dilations};
    size_t filled = 0;
    for (size_t k = 0; k < 4; k++) {
        const struct attribute *a = wanted[k] ? node_attribute(n, keys[k]) : NULL;
        if (a)
            ret[filled++] = *a;
    }
    return filled;
}

static node_id windows(struct builder *b, const struct link *l, size_t input)
{
    struct shape image = build_shape(b, l->x[input]);
    struct attribute attributes[5];
    size_t count = lists_of(&l->node, false, true, attributes);
    attributes[count++] = attribute_ints(ATTRIBUTE_shape, image.dim + 2, (size_t)image.rank - 2);
    return build_op(b, OP_FoldWindows, &l->g, 1, attributes, count);
}
const struct rule rule_Windows = {.vjp = windows};

static node_id fold_windows(struct builder *b, const struct link *l, size_t input)
{
    struct shape wide = build_shape(b, l->x[input]);
    size_t axes = (size_t)(wide.rank - 2) / 2;
    struct attribute attributes[5];
    size_t count = lists_of(&l->node, false, true, attributes);
    attributes[count++] = attribute_ints(ATTRIBUTE_kernel, wide.dim + 2 + axes, axes);
    return build_op(b, OP_Windows, &l->g, 1, attributes, count);
}
const struct rule rule_FoldWindows = {.vjp = fold_windows};

static node_id by_maximum(struct builder *b, enum op op, const struct link *l, node_id image)
{
    const node_id inputs[] = {l->g, image};
    struct attribute attributes[4];
    size_t count = lists_of(&l->node, true, false, attributes);
    return build_op(b, op, inputs, 2, attributes, count);
}

static node_id max_pool(struct builder *b, const struct link *l, size_t input)
{
    return by_maximum(b, OP_PlaceMax, l, l->x[input]);
}
const struct rule rule_MaxPool = {.vjp = max_pool};

static node_id pick_max(struct builder *b, const struct link *l, size_t input)
{
    (void)input;
    return by_maximum(b, OP_PlaceMax, l, l->x[1]);
}
const struct rule rule_PickMax = {.vjp = pick_max, .blocked = 1u << 1};

static node_id place_max(struct builder *b, const struct link *l, size_t input)
{
    (void)input;
    return by_maximum(b, OP_PickMax, l, l->x[1]);
}
const struct rule rule_PlaceMax = {.vjp = place_max, .blocked = 1u << 1};
