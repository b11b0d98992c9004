/* Einsum's equations, as torch.einsum reads them. Inside graph/ only.
 *
 * "ij,jk->ik": a term for each operand, with a label (A to Z, a to z) for each of its axes; the result has the labels
 * behind the arrow, and what is not there is summed. A label twice in one term takes the diagonal; `...` stands for any
 * number of axes, which broadcast from the last one on. Without an arrow the result has the axes of `...`, then every
 * label that occurs once, upper case first. An axis of 1 broadcasts against the other axes of its label. Spaces mean
 * nothing. */
#ifndef GRADD_GRAPH_EINSUM_H
#define GRADD_GRAPH_EINSUM_H

#include "base/shape.h"

/* Labels as numbers: A to Z, a to z, then the axes of `...`, of which the last is the last. */
enum { EINSUM_LETTERS = 52, EINSUM_LABELS = EINSUM_LETTERS + RANK_MAX };

struct einsum_term {
    int rank;
    unsigned char label[RANK_MAX]; /* of each axis */
};

/* A reader: start it with the equation, ask for each operand's term in order, then for the result's. */
struct einsum {
    const char *at;                      /* what is not read yet */
    size_t operands;                     /* terms that were read */
    uint32_t uses[EINSUM_LABELS];        /* operands that have the label */
    uint32_t occurrences[EINSUM_LABELS]; /* axes that have it */
    int ellipsis;                        /* the most axes that a `...` stood for */
    char fault[160];                     /* what is wrong, after false */
};

struct einsum einsum_of(const char *equation);
bool einsum_operand(struct einsum *e, struct shape shape, struct einsum_term *ret);
/* Also false where the result has more than RANK_MAX axes. */
bool einsum_result(struct einsum *e, struct einsum_term *ret);

/* The axis that has the label; -1: none has. */
int einsum_axis(const struct einsum_term *term, unsigned char label);
void einsum_append(struct einsum_term *term, unsigned char label);

#endif
