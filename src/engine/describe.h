/* What a plan does, step by step: for whoever wants to see what the planner made of a graph, and for tests that pin it.
 *
 * Only a plan made with plan_spec.described can be described. A view borrows everything from the plan; the graph is the
 * one that the plan was made of. */
#ifndef GRADD_ENGINE_DESCRIBE_H
#define GRADD_ENGINE_DESCRIBE_H

#include "base/text.h"
#include "engine/plan.h"

/* What a step uses. */
enum piece_role { PIECE_WRITTEN, PIECE_READ, PIECE_SCRATCH };
enum piece_place { PIECE_IN_ARENA, PIECE_IN_CONSTANTS, PIECE_IN_LEAF, PIECE_IN_ROW_NUMBERS };
enum { PIECES_MAX = 32 };
struct plan_piece {
    enum piece_role role;
    enum piece_place place;
    const char *leaf; /* the leaf's name: of a leaf, or of a gathered leaf's row numbers; else NULL */
    size_t offset;    /* bytes from the start of the arena or of the constants; 0: of a leaf's */
    size_t bytes;     /* of the whole piece, of which the step may use a part */
};

struct plan_step_view {
    const char *kernel;   /* "product" */
    const node_id *nodes; /* of the graph, in their order: what the step computes */
    uint32_t node_count;
    double flops;
    size_t bytes; /* of what it writes and reads, scratch left out */
    struct plan_piece pieces[PIECES_MAX];
    uint32_t piece_count;
};
void plan_step_view(const struct plan *p, size_t step, struct plan_step_view *ret); /* step < plan_step_count */

size_t plan_constant_bytes(const struct plan *p);
/* What all values that are computed would take if no two shared memory: of each node but leaves and constants. */
size_t plan_unshared_bytes(const struct plan *p, const struct graph *g);

/* What a node is called: its name, or "Mul#12". */
enum { NODE_LABEL_MAX = 96 };
const char *node_label(const struct graph *g, node_id id, char buffer[NODE_LABEL_MAX]);

const char *piece_role_name(enum piece_role role);    /* "written", "read", "scratch" */
const char *piece_place_name(enum piece_place place); /* "arena", "constants", "leaf", "rows" */

/* The plan in words: a line of totals, then three lines a step. `*ret_bytes`-like sizes are bytes; "arena 64+128" is
 * 128 bytes from byte 64 of the arena. */
void plan_describe(const struct plan *p, const struct graph *g, struct text *to);

#endif
