/* A line of tests/ops/exact: program | inputs | the value of the last name. */
#ifndef GRADD_TESTS_OPS_EXACT_H
#define GRADD_TESTS_OPS_EXACT_H

#include "case.h"

struct exact_line {
    char text[1024];
    char program[512];
    struct array inputs[CASE_INPUTS_MAX];
    size_t input_count;
    struct array expected;
};

/* The next line of a file; false at its end. Free with exact_free. */
bool exact_next(FILE *file, struct exact_line *ret);
void exact_free(struct exact_line *line);
/* Fails the test if the line does not hold. */
void exact_check(const struct exact_line *line);

#endif
