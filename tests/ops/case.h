/* A case of tests/ops/cases with what PyTorch says of it, from the dump. */
#ifndef GRADD_TESTS_OPS_CASE_H
#define GRADD_TESTS_OPS_CASE_H

#include "evaluate.h"

#include <stdio.h>

enum { CASE_INPUTS_MAX = 8, CASE_LINE_MAX = 65536 };

struct case_input {
    struct array values;
    bool differentiable; /* the rest is given for it alone */
    struct array gradient, direction, second;
};

struct op_case {
    char text[1024]; /* the line */
    char op[32];     /* its fields */
    char program[512];
    char options[32];
    struct case_input inputs[CASE_INPUTS_MAX];
    size_t input_count;
    struct array value, cotangent;
};

/* The names of the .txt files of a directory, sorted. Free each and the list. */
size_t list_texts(const char *directory, char ***ret);
/* A file of cases, of the dump or of exact values, under tests/ of the directory in which the test runs. */
FILE *open_cases(const char *path);
/* The next line that is neither empty nor a comment, without its newline; false at the end. */
bool next_line(FILE *file, char *line, size_t size);
/* The field of a line "a | b | c", without spaces around it; "" if there is none. */
void field_of(const char *line, int index, char *ret, size_t size);

/* Reads the next case from both files, which must agree; false at the end of both. Free with case_free. */
bool next_case(FILE *cases, FILE *dump, struct op_case *ret);
void case_free(struct op_case *c);

#endif
