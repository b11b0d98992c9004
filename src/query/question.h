/* Questions about a graph, and their answers: the one door to the calculus, whoever asks.
 *
 * A question is asked in two steps: question_prepare finds or makes the plan and checks the values against it;
 * prepared_run computes. Plans are cached by (graph, shapes, kind, of, wrt, dtype, trace), bounded, shared, and made
 * outside locks.
 *
 * A plan may be run several times for one answer: once a basis vector for a Jacobian or a Hessian, once a vector where
 * many are given, once a row for per-sample gradients. */
#ifndef GRADD_QUERY_QUESTION_H
#define GRADD_QUERY_QUESTION_H

#include "base/config.h"
#include "graph/graph.h"
#include <stdatomic.h>

struct plans; /* the cache of plans */
err_code plans_new(const struct limits *limits, struct plans **ret, struct error *err);
void plans_free(struct plans *p);
size_t plans_arena_max(const struct plans *p);       /* bytes that one run may take */
size_t query_arena_max(const struct limits *limits); /* bytes that one query may take to compute */

struct named_tensor {
    const char *name;
    const struct tensor *tensor; /* any float dtype: cast to the question's when it is bound */
    struct place place;          /* of the value in the request; pointer "/inputs/X" */
};

enum question_kind {
    QUESTION_EVALUATE,
    QUESTION_GRADIENT,
    QUESTION_JACOBIAN,
    QUESTION_JVP,     /* the Jacobian times a vector */
    QUESTION_HVP,     /* the Hessian times a vector */
    QUESTION_HESSIAN, /* of one element */
    QUESTION_CHECK,   /* of gradients, by differences: asked by check_run (query/check.h) */
};

struct named_place {
    const char *name;
    struct place place;
};

/* A vector of the space of all wrt: a tensor for some of them, zeros for the others. */
struct direction {
    const struct named_tensor *tensors;
    size_t count;
};

struct question {
    enum question_kind kind;
    const struct graph *graph; /* as written; may have `batch` and Grad nodes */
    const char *graph_key;     /* what tells this graph from all others: "model:17" or "program:<digest>" */
    enum dtype dtype;
    const struct named_place *of; /* names of nodes; evaluate: any number; else one */
    size_t of_count;
    const struct named_place *wrt; /* names of leaves or inner nodes */
    size_t wrt_count;
    const struct named_tensor *inputs; /* values of leaves, by name */
    size_t input_count;
    const struct named_tensor
        *parameters; /* values of the other leaves; never in the client's hands, so unknown names are bugs */
    size_t parameter_count;
    const struct tensor *cotangent; /* gradient: of's shape; NULL if of has one element */
    struct place cotangent_place;
    const struct direction *directions; /* jvp: tangents; hvp: vectors */
    size_t direction_count;
    bool many; /* the cotangent has a leading axis, or directions are a list: the answer has a leading axis */
    bool
        per_sample; /* gradient: every row as a batch of one; value, cotangent and answer have a leading axis of rows */
    bool symbolic;  /* gradient: each also as a formula */
    bool trace;     /* gradient: every node's value and gradient */
};

struct answer_tensor {
    const char *name;      /* borrowed from the answer */
    struct tensor *tensor; /* owned by the answer */
};

struct trace_node {            /* strings are borrowed from the prepared or the answer */
    const char *name;          /* as written, or _1, _2, ... in the order of the program */
    const struct node *node;   /* of the bound graph; borrowed from the prepared */
    const char *const *inputs; /* names, node->input_count */
    struct tensor *value;
    struct tensor *gradient; /* zeros where none flows */
    char **derivatives;      /* by input: a formula, "g * s1 * (1 - s1)"; NULL where nothing flows to that input */
};

struct answer {
    struct answer_tensor *values; /* of each `of` */
    size_t value_count;
    struct answer_tensor *gradients; /* gradient, hvp, hessian: of each wrt */
    size_t gradient_count;
    struct answer_tensor *derivatives; /* jacobian: shape(of) + shape(wrt), of each wrt; jvp: one, the tangent, named as
                                          of; hvp: the products, of each wrt; hessian: shape(a) + shape(b), b the name,
                                          for each a all b */
    size_t derivative_count;
    char **programs;          /* symbolic: of each wrt, a formula over inputs; else NULL */
    const char **independent; /* those of wrt that `of` does not depend on */
    size_t independent_count;
    struct trace_node *nodes;
    size_t node_count;
    const char **backward; /* names, in the order in which gradients were computed */
    size_t backward_count;
    bool nonfinite;      /* some element of some tensor is not finite */
    struct arena *arena; /* owns names and arrays */
};
void answer_clear(struct answer *a);

struct prepared;
/* Checks everything and finds or makes the plan. All mistakes are items: unknown names (with a guess) in of, wrt and
 * inputs, missing inputs, shapes, batch sizes that do not agree, a missing cotangent, directions of what is not among
 * wrt, an answer over the limit on elements, a computation over the limit on memory. */
err_code question_prepare(struct plans *p, const struct question *q, struct prepared **ret, struct error *err);
/* Whether question_prepare would find the plan in the cache: if not, preparing may take long. */
bool question_is_planned(struct plans *p, const struct question *q);
double prepared_flops(const struct prepared *p); /* of all runs */
/* The question's tensors must still live, and the prepared must outlive the answer. */
err_code prepared_run(struct prepared *p, const atomic_bool *cancel, struct answer *ret, struct error *err);
void prepared_free(struct prepared *p);

#endif
