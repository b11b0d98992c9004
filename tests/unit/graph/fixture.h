/* Graphs from text, and errors as text: what the tables of these tests are written in. */
#ifndef GRADD_TESTS_GRAPH_FIXTURE_H
#define GRADD_TESTS_GRAPH_FIXTURE_H

#include "graph/graph.h"
#include "graph/notation.h"
#include "support/near.h"

/* The lesson's network, word for word, and the shapes of its leaves. */
extern const char fixture_lesson[];
extern const char fixture_lesson_shapes[];

/* A program that must be free of mistakes. */
struct program *fixture_program(const char *text);

/* The graph of a program; `shapes` as "X=(batch,10) y=(3,1) s=() W1", where W1 is listed without a shape. NULL where
 * there are mistakes: err tells them, those of the text and those of the shapes. */
struct graph *fixture_build(const char *text, const char *shapes, struct error *err);
/* The same, which must succeed. */
struct graph *fixture_graph(const char *text, const char *shapes);

/* "unknown_op 6:6 no op 'Sigmod'; did you mean 'Sigmoid'?\n..."; the caller frees it. */
char *fixture_errors(const struct error *err);

/* Shape of a named node as text; the buffer is the caller's. */
const char *fixture_shape(const struct graph *g, const char *name, char buffer[SHAPE_TEXT_MAX]);

/* A node in prefix notation with all its attributes: "(Add x (Constant value=2))"; leaves and named nodes by name. The
 * caller frees it. */
char *fixture_prefix(const struct graph *g, node_id id);

/* The next of a sequence of pseudo-random numbers (splitmix64). */
uint64_t fixture_random(uint64_t *state);

#endif
