/* A program: what a client wrote, before anything is known of shapes. The notation, the `nodes` form and the `layers`
 * form of a model all become a program; graph_build() makes a graph of it, node i of the program being node i of the
 * graph.
 *
 * A program owns everything in it. Nodes are in topological order: inputs have lower indices. Leaves are Input nodes,
 * and are named. */
#ifndef GRADD_GRAPH_PROGRAM_H
#define GRADD_GRAPH_PROGRAM_H

#include "base/arena.h"
#include "graph/op.h"

typedef uint32_t node_id;
#define NODE_NONE UINT32_MAX

struct program_node {
    enum op op;
    const char *name; /* NULL: unnamed */
    const node_id *inputs;
    size_t input_count;
    const struct attribute *attributes; /* those written; checked against the op, of the right kind, no defaults */
    size_t attribute_count;
    struct place place;               /* of the op's name in the source */
    const struct place *input_places; /* input_count of them, or NULL: where each input was written */
    bool broken;                      /* has a mistake that was told: graph_build() skips it and what depends on it */
};

struct program;

struct program *program_new(void); /* NULL: no memory */
void program_free(struct program *p);
size_t program_size(const struct program *p);
struct arena *program_arena(struct program *p); /* for what belongs to the program and dies with it */
const struct program_node *program_node(const struct program *p,
                                        node_id id);             /* the pointer holds until the next node is added */
node_id program_find(const struct program *p, const char *name); /* NODE_NONE if there is none */

/* Copies `node` into the program. Checks arity, attributes (unknown, missing, kind; an integer is taken for a number, a
 * list of one, a flag or a scalar tensor) and that the name is valid and free; adds an item to err for each mistake. A
 * node with mistakes is still added, as broken (without its name, if that is the mistake), so that reading can go on,
 * and then *ret is valid too; only for want of memory it is not, and is NODE_NONE. Of a node that is broken already
 * only the name is checked. */
err_code program_add(struct program *p, const struct program_node *node, node_id *ret, struct error *err);

/* Names a node that has no name yet, as `place` says where. Errors: invalid_name, duplicate_name; then the node is
 * broken. */
err_code program_set_name(struct program *p, node_id id, const char *name, struct place place, struct error *err);

/* Whether some node is broken. */
bool program_is_broken(const struct program *p);

/* The node named last: the default of `of`. NODE_NONE in a program without names. */
node_id program_last(const struct program *p);

#endif
