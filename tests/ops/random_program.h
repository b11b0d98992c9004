/* Random programs as text in gradd's notation: any op of ops.def on whatever fits, gradients of them too.
 *
 * A line is proposed from the table of ops alone (operands among the names so far, attributes by their kind), and kept
 * if the program then builds, runs and stays finite and small. So an op that is added to ops.def occurs by itself. */
#ifndef GRADD_TESTS_OPS_RANDOM_PROGRAM_H
#define GRADD_TESTS_OPS_RANDOM_PROGRAM_H

#include "evaluate.h"

enum { PROGRAM_INPUTS = 5, PROGRAM_LINES_MAX = 40, PROGRAM_LINE_MAX = 160 };

struct random_program {
    struct array inputs[PROGRAM_INPUTS];             /* "a", "b", ... */
    char lines[PROGRAM_LINES_MAX][PROGRAM_LINE_MAX]; /* "v3 = Mul(a, v1)" */
    size_t line_count;
    unsigned outputs; /* bit i: line i is asked for; the last one always is */
};

/* The same from the same seed. Free with random_program_free. */
void random_program_make(uint64_t seed, size_t lines, struct random_program *ret);
void random_program_free(struct random_program *p);

/* How the ways differ in which a program is computed (plan as it is, node by node, ...), in words; NULL: they agree
 * bit for bit. The words are valid until the next call. */
const char *random_program_differs(const struct random_program *p, enum dtype dtype);

/* Drops lines and outputs as long as the ways still differ. */
void random_program_shrink(struct random_program *p, enum dtype dtype);
void random_program_print(const struct random_program *p);

/* Adds the ops of the program, its gradients and composites expanded, to those seen. */
void random_program_ops(const struct random_program *p, bool seen[OP_COUNT]);

#endif
