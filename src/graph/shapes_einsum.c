/* The shape rule of Einsum. */
#include "graph/einsum.h"
#include "graph/rules.h"

/* The dimension of each label, and the operand that it was learned from. */
struct labels {
    int64_t dim[EINSUM_LABELS];
    size_t operand[EINSUM_LABELS];
    bool known[EINSUM_LABELS];
};

static err_code learn(const struct inference *i, struct labels *l, size_t k, const struct einsum_term *term)
{
    for (int axis = 0; axis < term->rank; axis++) {
        struct shape there, here = shape_of(1, &i->in[k].dim[axis]);
        unsigned char label = term->label[axis];
        int first = einsum_axis(term, label);
        if (!dim_agree(i->in[k].dim[first], here.dim[0]))
            return infer_unfit(i, k, ", but the axes of a diagonal must be equal");
        there = shape_of(1, &l->dim[label]);
        if (!l->known[label])
            there = here;
        if (!shape_broadcast(there, here, &there)) {
            struct shape expected = i->in[k];
            expected.dim[axis] = l->dim[label];
            return infer_disagree(i, l->operand[label], k, expected, i->in[k]);
        }
        if (!l->known[label] || l->dim[label] == 1)
            l->operand[label] = k;
        l->known[label] = true;
        l->dim[label] = there.dim[0];
    }
    return ERR_ok;
}

/* Operands are multiplied from the left to the right (composites_einsum.c): no product on the way may have too many
 * axes. `e` was read to its end. */
static err_code check_products(const struct inference *i, const char *equation, const struct einsum *e,
                               const struct einsum_term *out)
{
    struct einsum again = einsum_of(equation);
    for (size_t k = 0; k < i->count; k++) {
        struct einsum_term term;
        int axes = 0;
        if (!einsum_operand(&again, i->in[k], &term))
            return infer_bad_attribute(i, "%s", again.fault);
        for (int label = 0; label < EINSUM_LABELS; label++) {
            bool later = e->uses[label] > again.uses[label] || einsum_axis(out, (unsigned char)label) >= 0;
            axes += again.uses[label] > 0 && later;
        }
        if (axes > RANK_MAX)
            return error_add(i->err, ERR_rank_too_large, i->place,
                             "Einsum: the product of the first %zu operands has %d dimensions, the limit is %d", k + 1,
                             axes, RANK_MAX);
    }
    return ERR_ok;
}

err_code shape_einsum(struct inference *i)
{
    const char *equation = infer_attribute(i, ATTRIBUTE_equation)->string;
    struct einsum e = einsum_of(equation);
    struct einsum_term term;
    struct labels labels = {0};
    for (size_t k = 0; k < i->count; k++) {
        if (!einsum_operand(&e, i->in[k], &term))
            return infer_bad_attribute(i, "%s", e.fault);
        err_code code = learn(i, &labels, k, &term);
        if (code != ERR_ok)
            return code;
    }
    if (!einsum_result(&e, &term))
        return infer_bad_attribute(i, "%s", e.fault);
    i->out.rank = term.rank;
    for (int axis = 0; axis < term.rank; axis++)
        i->out.dim[axis] = labels.dim[term.label[axis]];
    return check_products(i, equation, &e, &term);
}
