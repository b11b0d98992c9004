/* Programs and graphs, computed: what the tests of ops share. Every failure is a failed test, with what was being read.
 */
#ifndef GRADD_TESTS_OPS_EVALUATE_H
#define GRADD_TESTS_OPS_EVALUATE_H

#include "engine/run.h"
#include "graph/graph.h"

enum { NAME_MAX_LENGTH = 32 };

/* An input's name, shape and values, row-major. The values are the holder's. */
struct array {
    char name[NAME_MAX_LENGTH];
    struct shape shape;
    int64_t count;
    double *values;
};

/* "(2,3)" at *text, which moves behind it. */
struct shape read_shape(const char **text);
/* Numbers to the end of the line or to the next word that is none: "1 -0.5 inf". Allocates the array's values. */
void read_values(const char **text, struct array *ret);
/* Names an array prefix + name. */
void array_name(struct array *a, const char *prefix, const char *name);
void array_free(struct array *a);

/* Whether the program takes inputs of these shapes; if so, *ret_value is the shape of the name assigned last. */
bool program_fits(const char *program, const struct array *inputs, size_t count, struct shape *ret_value);
/* The graph of a program as it is written; *ret_of is the node of the name assigned last. */
struct graph *graph_as_written(const char *program, const struct array *inputs, size_t count, node_id *ret_of);
/* The same with its Grad nodes and composites expanded; *ret_of is that node there. */
struct graph *graph_of_program(const char *program, const struct array *inputs, size_t count, node_id *ret_of);

enum way { AS_BUILT, SIMPLIFIED };

/* A plan and its run, with room for the inputs in the dtype. */
struct machine;
struct machine *machine_new(const struct graph *g, const node_id *outputs, size_t count, enum dtype dtype, enum way way,
                            bool training);
void machine_free(struct machine *m);
/* Sets an input; one that no output needs is ignored. */
void machine_bind(struct machine *m, const struct array *input);
void machine_run(struct machine *m);
struct run *machine_run_of(struct machine *m);
enum dtype machine_dtype(const struct machine *m);
int64_t machine_count(const struct machine *m, size_t output);
double machine_value(const struct machine *m, size_t output, int64_t element);

#endif
