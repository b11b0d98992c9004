/* Shape inference: what the rules shape_<rule>() of ops.def are given, and the words that they share. Inside graph/
 * only.
 *
 * A rule looks at the shapes of the operands and at the attributes, writes i->out, and may rewrite attributes into
 * their normal form. What it rewrites must be a fixed point: inferring again from the normal form, with `batch` a
 * number or not, gives the same node. */
#ifndef GRADD_GRAPH_INFER_H
#define GRADD_GRAPH_INFER_H

#include "base/arena.h"
#include "graph/graph.h"

struct inference {
    enum op op;
    const struct shape *in;   /* shapes of the operands */
    const char *const *names; /* of the operands, NULL where one has none; NULL: none has */
    size_t count;
    struct attribute *attributes; /* of the op, in its order; those that are left out and have no default are missing */
    size_t attribute_count;       /* with room for all that the op has */
    struct place place;
    struct arena *arena; /* for attributes that a rule rewrites */
    struct shape out;    /* of the result; what an Input is given */
    struct error *err;
};

/* Calls the op's rule and checks the limits of its result. */
err_code infer_shape(struct inference *i);

/* The attributes of an op: those given, in the kind that their keys have, and the defaults; in the arena. Errors:
 * unknown, missing, invalid_attribute. */
err_code infer_fill_attributes(struct inference *i, const struct attribute *given, size_t count);

/* ---- words for the rules */

const struct attribute *infer_attribute(const struct inference *i, enum attribute_key key); /* NULL: not given */
/* Sets a list; ERR_out_of_memory. */
err_code infer_set_ints(struct inference *i, enum attribute_key key, const int64_t *items, size_t count);
void infer_set_int(struct inference *i, enum attribute_key key, int64_t value);

/* "X", or "operand 2" (k = 1) for one without a name. */
enum { OPERAND_TEXT_MAX = 80 };
const char *infer_operand(const struct inference *i, size_t k, char buffer[OPERAND_TEXT_MAX]);

/* "<op>: X is (batch,10) but W2 is (8,1)": operand b does not agree with a; `expected` and `actual` are told of one of
 * them. */
err_code infer_disagree(const struct inference *i, size_t a, size_t b, struct shape expected, struct shape actual);
/* "<op>: X is (batch,10)" and why that is wrong. */
err_code infer_unfit(const struct inference *i, size_t k, const char *why);
/* ERR_invalid_attribute: "<op>: ..." */
err_code infer_bad_attribute(const struct inference *i, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ERR_limit_exceeded: a tensor of that shape has too many elements, even if batch is 1. */
err_code infer_bounded(const struct inference *i, struct shape shape);

/* An axis from -rank to rank - 1 as 0 to rank - 1. */
err_code infer_axis(const struct inference *i, const char *what, int64_t axis, int rank, int *ret);
/* A list of axes, each once, in the order given; `ret` has RANK_MAX places. */
err_code infer_axes(const struct inference *i, const struct attribute *axes, int rank, int64_t *ret);

/* Dimensions as shape.h has them: numbers, multiples of batch, DIM_ANY. */
bool dim_agree(int64_t a, int64_t b);   /* equal, or one is DIM_ANY */
int64_t dim_join(int64_t a, int64_t b); /* of two that agree, the one that says more */
int64_t dim_add(int64_t a, int64_t b);
int64_t dim_multiply(int64_t a, int64_t b); /* saturates far beyond the limits */
bool shape_agree(struct shape a, struct shape b);
/* NumPy's rule; false: they do not broadcast, or not to a rank that is allowed. */
bool shape_broadcast(struct shape a, struct shape b, struct shape *ret);

#endif
