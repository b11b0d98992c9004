/* Shapes that follow from other shapes, forwards and backwards: Linear's W from X and the cost. Inside graph/ only.
 *
 * A shape may be partly known: a rank of RANK_OPEN, or dimensions that are DIM_OPEN. Each node relates the shapes of
 * its operands and its own; what one relation finds out wakes the nodes around, until nothing changes. A dimension is
 * found out once, so the time is about linear in the program. Nothing is guessed: where broadcasting leaves a choice, a
 * shape stays open. Contradictions are left for the shape rules to tell. */
#ifndef GRADD_GRAPH_SOLVE_H
#define GRADD_GRAPH_SOLVE_H

#include "graph/program.h"

enum { RANK_OPEN = -1 };
#define DIM_OPEN (INT64_MIN + 1)

/* `shapes`: program_size(p) of them, those known filled in, the others open; more of them are known after it. Errors:
 * out_of_memory. */
err_code solve_shapes(const struct program *p, struct shape *shapes, struct error *err);

bool shape_is_open(struct shape s);

#endif
