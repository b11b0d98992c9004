/* Einsum by Transpose, Reshape and MatMul.
 *
 * Operands are multiplied from the left to the right, and a label is summed as soon as nothing later needs it. Of two
 * operands, the labels that both have are either kept (a batch) or summed by the product; the others are its rows and
 * its columns: each group becomes one axis, and MatMul does the work. Where nothing is summed it is an elementwise
 * product, which broadcasts. */
#include "graph/composites.h"
#include "graph/einsum.h"

/* A value, and the label of each of its axes, no two of them equal. */
struct part {
    node_id node;
    struct einsum_term term;
};

static int64_t dim_of(const struct builder *b, const struct part *p, unsigned char label)
{
    int axis = einsum_axis(&p->term, label);
    return axis < 0 ? 1 : build_shape(b, p->node).dim[axis];
}

/* The product of the dimensions of the labels, each the larger one of the two parts. */
static int64_t elements_of(const struct builder *b, const struct part *x, const struct part *y,
                           const struct einsum_term *labels)
{
    int64_t elements = 1;
    for (int k = 0; k < labels->rank; k++) {
        int64_t dim = dim_of(b, x, labels->label[k]), other = dim_of(b, y, labels->label[k]);
        elements *= dim == 1 ? other : dim;
    }
    return elements;
}

static node_id permuted(struct builder *b, node_id x, int rank, const int64_t *perm)
{
    bool in_place = true;
    for (int k = 0; k < rank; k++)
        in_place = in_place && perm[k] == k;
    return in_place ? x : build_transpose(b, x, perm);
}

/* An operand whose term has labels twice: the diagonal over every such pair of axes, which goes to the end. */
static struct part diagonal(struct builder *b, struct part p)
{
    for (int second = 1; second < p.term.rank; second++) {
        unsigned char label = p.term.label[second];
        int first = einsum_axis(&p.term, label), last = p.term.rank - 1;
        if (first == second)
            continue;
        struct einsum_term term = {0};
        struct shape shape = build_shape(b, p.node), flat = {0};
        int64_t perm[RANK_MAX] = {0}, dim = shape.dim[first];
        for (int k = 0; k <= last; k++) {
            if (k == first || k == second)
                continue;
            perm[term.rank] = k;
            flat.dim[flat.rank++] = shape.dim[k];
            einsum_append(&term, p.term.label[k]);
        }
        perm[last - 1] = first;
        perm[last] = second;
        flat.dim[flat.rank++] = dim * dim;
        einsum_append(&term, label);
        node_id rows = permuted(b, p.node, p.term.rank, perm);
        node_id pairs = build_reshape(b, rows, flat);
        p = (struct part){build_slice(b, pairs, flat.rank - 1, 0, dim + 1, dim), term};
        second = 0;
    }
    return p;
}

/* Without the axes of those labels, which are summed. */
static struct part summed(struct builder *b, struct part p, const struct einsum_term *labels)
{
    struct einsum_term term = {0};
    int64_t axes[RANK_MAX] = {0};
    size_t count = 0;
    for (int k = 0; k < p.term.rank; k++) {
        if (einsum_axis(labels, p.term.label[k]) >= 0)
            axes[count++] = k;
        else
            einsum_append(&term, p.term.label[k]);
    }
    if (count == 0)
        return p;
    return (struct part){build_reduce(b, OP_ReduceSum, p.node, axes, count, false), term};
}

/* The axes in the order of `labels`, with 1 for those that the part has not. */
static node_id arranged(struct builder *b, const struct part *p, const struct einsum_term *labels)
{
    struct shape shape = {.rank = labels->rank};
    int64_t perm[RANK_MAX] = {0};
    int rank = 0;
    for (int k = 0; k < labels->rank; k++) {
        int axis = einsum_axis(&p->term, labels->label[k]);
        shape.dim[k] = dim_of(b, p, labels->label[k]);
        if (axis >= 0)
            perm[rank++] = axis;
    }
    return build_reshape(b, permuted(b, p->node, rank, perm), shape);
}

static struct einsum_term joined(const struct einsum_term *x, const struct einsum_term *y)
{
    struct einsum_term both = *x;
    for (int k = 0; k < y->rank; k++)
        einsum_append(&both, y->label[k]);
    return both;
}

/* The labels of two parts by what becomes of them. */
struct groups {
    struct einsum_term batch, gone, rows, columns;
};

static struct groups groups_of(const struct part *x, const struct part *y, const uint32_t *uses)
{
    struct groups g = {0};
    for (int k = 0; k < x->term.rank; k++) {
        unsigned char label = x->term.label[k];
        bool shared = einsum_axis(&y->term, label) >= 0;
        einsum_append(!shared ? &g.rows : uses[label] > 0 ? &g.batch : &g.gone, label);
    }
    for (int k = 0; k < y->term.rank; k++)
        if (einsum_axis(&x->term, y->term.label[k]) < 0)
            einsum_append(&g.columns, y->term.label[k]);
    return g;
}

/* One part as the operand of MatMul: the batch, then two groups, each one axis; without a batch and without labels of
 * its own, a vector. `own`: rows or columns. */
static node_id matrix(struct builder *b, const struct part *p, const struct part *other, const struct groups *g,
                      bool left)
{
    const struct einsum_term *own = left ? &g->rows : &g->columns;
    struct einsum_term inner = left ? joined(own, &g->gone) : joined(&g->gone, own);
    struct einsum_term all = joined(&g->batch, &inner);
    node_id x = arranged(b, p, &all);
    struct shape full = build_shape(b, x), flat = {0};
    int64_t gone = elements_of(b, p, other, &g->gone), lines = elements_of(b, p, other, own);
    for (int k = 0; k < g->batch.rank; k++)
        full.dim[k] = full.dim[k] == 1 ? dim_of(b, other, g->batch.label[k]) : full.dim[k];
    if (g->batch.rank > 0)
        flat.dim[flat.rank++] = elements_of(b, p, other, &g->batch);
    if (left && (own->rank > 0 || g->batch.rank > 0))
        flat.dim[flat.rank++] = lines;
    flat.dim[flat.rank++] = gone;
    if (!left && (own->rank > 0 || g->batch.rank > 0))
        flat.dim[flat.rank++] = lines;
    return build_reshape(b, build_expand(b, x, full), flat);
}

static struct part by_matmul(struct builder *b, const struct part *x, const struct part *y, const struct groups *g)
{
    struct einsum_term own = joined(&g->rows, &g->columns), out = joined(&g->batch, &own);
    struct shape shape = {.rank = out.rank};
    for (int k = 0; k < out.rank; k++) {
        const struct einsum_term one = {1, {out.label[k]}};
        shape.dim[k] = elements_of(b, x, y, &one);
    }
    node_id left = matrix(b, x, y, g, true);
    node_id right = matrix(b, y, x, g, false);
    node_id product = build_binary(b, OP_MatMul, left, right);
    return (struct part){build_reshape(b, product, shape), out};
}

/* Labels that are summed, but of which one part has only 1: the other is summed on its own. */
static struct einsum_term repeated_labels(const struct builder *b, const struct part *x, const struct part *y,
                                          const struct einsum_term *gone)
{
    struct einsum_term repeated = {0};
    for (int k = 0; k < gone->rank; k++)
        if (dim_of(b, x, gone->label[k]) != dim_of(b, y, gone->label[k]))
            einsum_append(&repeated, gone->label[k]);
    return repeated;
}

/* `uses`: how often a label is needed after this product. */
static struct part multiplied(struct builder *b, struct part x, struct part y, const uint32_t *uses)
{
    struct groups g = groups_of(&x, &y, uses);
    const struct einsum_term repeated = repeated_labels(b, &x, &y, &g.gone);
    if (repeated.rank > 0) {
        x = summed(b, x, &repeated);
        y = summed(b, y, &repeated);
        g = groups_of(&x, &y, uses);
    }
    bool rows_of_batch = g.batch.rank > 0 && g.rows.rank == 0 && g.columns.rank == 0;
    if (g.gone.rank > 0 && !rows_of_batch)
        return by_matmul(b, &x, &y, &g);
    struct einsum_term own = joined(&g.rows, &g.columns), inner = joined(&own, &g.gone);
    struct part product = {.term = joined(&g.batch, &inner)};
    node_id left = arranged(b, &x, &product.term);
    node_id right = arranged(b, &y, &product.term);
    product.node = build_binary(b, OP_Mul, left, right);
    return summed(b, product, &g.gone);
}

/* The labels that nothing needs any more. */
static struct einsum_term unused(const struct part *p, const struct part *beside, const uint32_t *uses)
{
    struct einsum_term labels = {0};
    for (int k = 0; k < p->term.rank; k++)
        if (uses[p->term.label[k]] == 0 && (!beside || einsum_axis(&beside->term, p->term.label[k]) < 0))
            einsum_append(&labels, p->term.label[k]);
    return labels;
}

node_id compose_Einsum(struct builder *b, const struct node *n, const node_id *in)
{
    const char *equation = node_string(n, ATTRIBUTE_equation);
    struct einsum e = einsum_of(equation), again = e;
    struct einsum_term out, term;
    bool is_read = true;
    for (uint32_t k = 0; k < n->input_count && is_read; k++)
        is_read = einsum_operand(&e, build_shape(b, in[k]), &term);
    if (b->code != ERR_ok || !is_read || !einsum_result(&e, &out))
        return NODE_NONE;
    for (int k = 0; k < out.rank; k++)
        e.uses[out.label[k]]++;
    struct part product = {0};
    for (uint32_t k = 0; k < n->input_count; k++) {
        struct part operand = {.node = in[k]};
        if (!einsum_operand(&again, build_shape(b, in[k]), &operand.term))
            return NODE_NONE;
        operand = diagonal(b, operand);
        for (int axis = 0; axis < operand.term.rank; axis++)
            e.uses[operand.term.label[axis]]--;
        struct einsum_term alone = unused(&operand, k > 0 ? &product : NULL, e.uses);
        operand = summed(b, operand, &alone);
        product = k == 0 ? operand : multiplied(b, product, operand, e.uses);
    }
    return arranged(b, &product, &out);
}
