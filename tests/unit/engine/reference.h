/* What tests of the engine share: a scalar evaluator of graphs that has nothing from the engine, random graphs, and
 * running a plan. */
#ifndef GRADD_TESTS_ENGINE_REFERENCE_H
#define GRADD_TESTS_ENGINE_REFERENCE_H

#include "engine/isa.h"
#include "engine/plan.h"
#include "engine/run.h"
#include "graph/builder.h"
#include "support/near.h"

/* Numbers from a seed: the same everywhere. */
struct dice {
    uint64_t state;
};
uint64_t dice_next(struct dice *d);
int64_t dice_below(struct dice *d, int64_t n);
double dice_real(struct dice *d, double low, double high);

/* An attribute that is a whole number, or a list of them (borrowed). */
struct attribute int_attribute(enum attribute_key key, int64_t value);
struct attribute ints_attribute(enum attribute_key key, const int64_t *items, size_t count);

struct builder test_builder(void); /* with a new graph; fails the test if there is no memory */
node_id test_input(struct builder *b, int rank, const int64_t *dims);

/* The value of every node in double, by plain loops: values[id] is owned by the caller (values_free); those of Input
 * nodes are given. Dropout is the identity. */
double **reference_values(const struct graph *g, double *const *leaves);
void values_free(double **values, size_t count);

/* Values of the leaves of a graph by node id, NULL elsewhere; from low to high, already rounded to float so that both
 * dtypes agree. */
double **random_leaves(const struct graph *g, struct dice *d, double low, double high);

/* Runs a plan of the outputs and returns their elements as doubles, one array an output (values_free). Fails the test
 * on any error. */
double **run_graph(const struct graph *g, enum dtype dtype, const node_id *outputs, size_t count, double *const *leaves,
                   const struct kernels *kernels);

/* Selects the instruction set that GRADD_ISA names, if it is set; false if this machine has none of that name. */
bool select_isa_of_environment(void);

/* Appends `count` random nodes over random leaves. Every op of the engine but Dropout occurs. */
void random_graph(struct builder *b, struct dice *d, size_t count);

int64_t elements_of(const struct graph *g, node_id id);

#endif
