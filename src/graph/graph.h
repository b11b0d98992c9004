/* A graph: a directed acyclic graph of ops whose shapes are known, but perhaps for the symbol `batch`.
 *
 * Nodes are appended and never change, so ids are in topological order. A graph is built, then shared as const; a
 * transformation makes a new graph or appends to its own copy. Nodes that a client wrote keep their identity: nothing
 * is merged here. Merging is simplify.h's, after differentiation. A graph owns everything that its nodes point to. */
#ifndef GRADD_GRAPH_GRAPH_H
#define GRADD_GRAPH_GRAPH_H

#include "graph/program.h"

struct node {
    enum op op;
    uint32_t input_count;
    const node_id *inputs;
    const struct attribute *attributes; /* every attribute of the op, defaults filled in, normalised (axes in 0..rank-1,
                                           ascending where order has no meaning) */
    size_t attribute_count;
    struct shape shape;
    const char *name;   /* NULL: unnamed */
    struct place place; /* where it was written; all zero for derived nodes */
};

struct graph;

struct named_shape {
    const char *name;
    struct shape shape; /* rank -1: the leaf is listed, its shape is not told */
    struct place place; /* of the shape in the request, for errors */
};

struct graph *graph_new(size_t nodes_max); /* limit on nodes; NULL: no memory */
void graph_free(struct graph *g);
err_code graph_copy(const struct graph *g, struct graph **ret, struct error *err);
size_t graph_size(const struct graph *g);
size_t graph_nodes_max(const struct graph *g);
const struct node *graph_node(const struct graph *g, node_id id); /* the pointer holds until the next node is added */
node_id graph_find(const struct graph *g, const char *name);

/* Appends a node and infers its shape. `spec` is copied: op, inputs, attributes (defaults are filled in), name, place;
 * for OP_Input, `shape` is taken. Each mistake is an item of err, with both shapes where two do not agree. */
err_code graph_add(struct graph *g, const struct node *spec, node_id *ret, struct error *err);

/* Builds the graph of a program. `known` are the shapes of inputs and parameters that the client gave; the shapes of
 * the others are solved from the rest, forwards and backwards (Linear's W from X and the cost, ...). Errors:
 * unknown_shape for every leaf whose shape follows from nothing; shape_mismatch and the like, all at once; unknown_name
 * for what is known of no input. Of a broken program the mistakes of shapes are told, then the code is that of the
 * first, or invalid_program. A Dropout without ordinal gets its place among the program's Dropouts. */
err_code graph_build(const struct program *p, const struct named_shape *known, size_t count, size_t nodes_max,
                     struct graph **ret, struct error *err);

/* The same graph, the same ids, with `batch` a number: every shape is inferred anew and is concrete. batch >= 0. */
err_code graph_bind(const struct graph *g, int64_t batch, struct graph **ret, struct error *err);

/* Marks (count = graph_size(g) bytes, 1 or 0) of the nodes that `roots` need, themselves included. */
void graph_mark_needed(const struct graph *g, const node_id *roots, size_t count, unsigned char *marks);

/* Attributes of a node, which must have them. */
int64_t node_int(const struct node *n, enum attribute_key key);
double node_float(const struct node *n, enum attribute_key key);
const int64_t *node_ints(const struct node *n, enum attribute_key key, size_t *ret_count);
const char *node_string(const struct node *n, enum attribute_key key);
const struct tensor *node_tensor(const struct node *n, enum attribute_key key);
const struct attribute *node_attribute(const struct node *n,
                                       enum attribute_key key); /* NULL: not there, or optional and not given */

#endif
