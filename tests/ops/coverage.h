/* What the cases of an op must show between them. An op without it is named by the test, so that adding an op to
 * ops.def asks for its cases by itself. */
#ifndef GRADD_TESTS_OPS_COVERAGE_H
#define GRADD_TESTS_OPS_COVERAGE_H

#include "case.h"

struct coverage {
    bool seen;
    bool differences;                /* a case whose derivatives are held against central differences */
    bool one_row, no_rows;           /* the op's first operand has a leading axis of 1, of 0 */
    bool tensor;                     /* a result that is no scalar */
    bool broadcasts;                 /* two operands of different shapes */
    bool attribute[ATTRIBUTE_COUNT]; /* given, with another value than its default */
};

/* Adds what the case shows of its op; false if its program, as it is written, has no such op. */
bool coverage_add(struct coverage *of, enum op op, const struct op_case *c);

/* What is missing, in words ("an empty batch"), or NULL: call with index 0, 1, ... `buffer` is for a name. */
const char *coverage_missing(const struct coverage *of, enum op op, size_t index, char buffer[64]);

#endif
