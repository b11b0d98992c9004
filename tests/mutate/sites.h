/* Mutants of the derivative rules and of the definitions of composites, chosen at run time.
 *
 * The linker sends every call of graph_add, rule_apply and compose from one file to another through sites.c (--wrap).
 * A site is a place where a rule (one op, one of its inputs) or a definition appends a node: known by the return
 * addresses between graph_add and the rule, so that the same word of builder.h in two lines is two sites, and the code
 * of rules needs to know nothing of this. A mutant is a site and a change. Recording lists the sites that a test
 * comes by; with a mutant chosen, the change is made whenever its site is reached. */
#ifndef GRADD_TESTS_MUTATE_SITES_H
#define GRADD_TESTS_MUTATE_SITES_H

#include "graph/graph.h"

enum change {
    CHANGE_SIGN,    /* the node is followed by a Neg */
    CHANGE_FIRST,   /* its first operand instead of the node: a term, a factor, a transposition dropped */
    CHANGE_SECOND,  /* its second */
    CHANGE_THIRD,   /* its third */
    CHANGE_SWAP,    /* two operands swapped, where that is not the same; of Where the branches */
    CHANGE_OP,      /* its counterpart: Add and Sub, Greater and GreaterOrEqual, ReduceSum and ReduceMean, ... */
    CHANGE_NUMBER,  /* a scalar constant + 1 */
    CHANGE_NOTHING, /* of a whole rule: nothing flows */
    CHANGE_COUNT
};
const char *change_name(enum change c);

enum { FRAMES_MAX = 16, INPUT_OF_COMPOSITE = -1 };

struct site {
    enum op op;                     /* whose rule or definition */
    int input;                      /* by which the rule differentiates; INPUT_OF_COMPOSITE: a definition */
    bool whole;                     /* what the whole rule or definition returns */
    enum op built;                  /* the node appended; not of a whole one */
    const void *frames[FRAMES_MAX]; /* the return addresses, innermost first */
    size_t frame_count;
    unsigned changes;     /* bit c: change c has been possible */
    unsigned char *tests; /* a byte each: whether it comes by here */
};

extern struct site *sites;
extern size_t site_count;

/* From now on sites are recorded as reached by this test, of so many. */
void sites_record(size_t test, size_t test_count);
/* From now on the change is made at the site, and nothing is recorded. */
void sites_mutate(size_t site, enum change c);

/* Whether some rule for that input of the op, or the definition, has been reached. */
bool sites_reached(enum op op, int input);

#endif
