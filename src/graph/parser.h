/* The reader of the notation: the token that it looks at, and what it knows so far. parser.c moves, tells mistakes and
 * finds the next line after one; literal.c reads the values of attributes; notation.c knows the grammar. Inside graph/
 * only.
 *
 * Functions that return bool return false after a mistake that ends the line: it was told, and the reader goes on at
 * the next line. Mistakes that leave the grammar intact (an unknown name) are told, make a broken node, and reading
 * goes on. */
#ifndef GRADD_GRAPH_PARSER_H
#define GRADD_GRAPH_PARSER_H

#include "base/arena.h"
#include "base/names.h"
#include "graph/lexer.h"
#include "graph/notation.h"

struct parser {
    struct lexer lexer;
    struct token token;    /* looked at, not yet taken */
    struct token previous; /* taken last */
    int depth;             /* open brackets: where it is not 0, a newline is a space */
    size_t nesting, nesting_max;

    const struct notation_options *options;
    struct names *listed;   /* options->names; NULL: any name may be used */
    struct names *assigned; /* every name that some line assigns, with its line */
    size_t name_count, names_max;
    struct program *program;
    struct arena *scratch; /* for values of attributes */

    /* Stacks that nested calls share: operands, and the names left of '='. */
    node_id *inputs;
    struct place *input_places;
    size_t input_count, input_capacity;
    struct token *targets;
    size_t target_count, target_capacity;

    struct error *err;
    err_code code; /* of the first mistake */
    bool stopped;  /* no memory, or a limit of the whole program: nothing more is read */
};

void parser_advance(struct parser *p);
bool parser_is_sign(const struct parser *p, char sign);
struct token parser_peek(const struct parser *p); /* the token after the one looked at */
struct place parser_place(const struct parser *p, const struct token *t);

/* Takes an opening or closing bracket. */
void parser_open(struct parser *p);
void parser_close(struct parser *p);

/* Tells a mistake: the line can go on. */
void parser_complain(struct parser *p, err_code code, struct place place, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Tells that the token looked at can't stand there: "unexpected 'x' after ')'", or "expected <wanted> after 'x'".
 * Returns false. */
bool parser_unexpected(struct parser *p, const char *wanted);
bool parser_no_memory(struct parser *p);

/* After a mistake: on to where the next line begins. */
void parser_recover(struct parser *p);

/* Puts the names that lines assign into p->assigned. */
bool parser_collect_assigned(struct parser *p, const char *text, size_t length);

/* Whether a guess is worth its time: no more is, once as many errors as are listed are known. */
bool parser_may_guess(const struct parser *p);

/* Reads the value of an attribute. What it points to is in p->scratch. */
bool parse_literal(struct parser *p, struct attribute *ret);

#endif
