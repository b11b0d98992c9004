/* The lesson's notation, parsed and printed.
 *
 *     expr  = term { ("+"|"-") term }      term = unary { ("*"|"/"|"@") unary }
 *     unary = ["-"] power                  power = atom [ ("^"|"**") unary ]
 *     atom  = number | name | op "(" args ")" | "(" expr ")"      args may be name=literal attributes
 *
 * `;` or a newline ends a line, `#` starts a comment, a newline inside parentheses or brackets is a space. */
#ifndef GRADD_GRAPH_NOTATION_H
#define GRADD_GRAPH_NOTATION_H

#include "base/text.h"
#include "graph/program.h"

struct notation_options {
    const char *pointer;      /* JSON Pointer of the text in the request, "/program"; for errors */
    const char *const *names; /* names that may be used without being assigned; NULL: any */
    size_t name_count;
    size_t names_max;   /* limit on names; 0: 10,000 */
    size_t nesting_max; /* limit on nesting; 0: 256 */
    bool tolerant;      /* *ret is written where the text has mistakes too, as a broken program: graph_build() finds the
                           mistakes of the other lines */
};

enum { NOTATION_LENGTH_MAX = 1 << 20, NOTATION_NAMES_MAX = 10000, NOTATION_NESTING_MAX = 256 };

/* Parses a whole program, adding every error with line and column (in characters); returns the first one's code, and
 * then *ret is not written. A name that is used and never assigned becomes an Input, appended before the node that uses
 * it first; with options->names, one that is not among them is `unknown_name`, with a guess. */
err_code notation_parse(const char *text, size_t length, const struct notation_options *options, struct program **ret,
                        struct error *err);

struct graph;

/* Prints the nodes that `outputs` need (all, if count is 0) as a program that parses to the same graph, a line a named
 * node, the formulas of unnamed nodes used once inside the line that uses them. Nodes that need a name get _1, _2, ...
 * A number that several nodes share is written out for each. Constants must be finite. */
err_code notation_print(const struct graph *g, const node_id *outputs, size_t count, struct text *out,
                        struct error *err);

/* One node as a formula over names, as "g * s1 * (1 - s1)": what has no name is written out wherever it is used.
 * limit_exceeded: longer than a mebibyte. */
err_code notation_print_formula(const struct graph *g, node_id node, struct text *out, struct error *err);

#endif
