/* Derivatives as formulas over the inputs of a program: "2 * x". Each can be posted again behind a name and `=`. */
#ifndef GRADD_QUERY_SYMBOLIC_H
#define GRADD_QUERY_SYMBOLIC_H

#include "base/arena.h"
#include "query/question.h"

/* The gradients of q's one `of` by each wrt, simplified, in the arena. bound: the question's graph with its batch
 * known. A cotangent is the input `cotangent`, or where that name is taken `cotangent_1` and so on. limit_exceeded: a
 * formula of over a mebibyte. */
err_code symbolic_gradients(const struct question *q, const struct graph *bound, struct arena *arena, char ***ret,
                            struct error *err);

#endif
