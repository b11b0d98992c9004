/* The words of the notation: a scanner without memory of its own, so a copy of it is a place to come back to. Inside
 * graph/ only. */
#ifndef GRADD_GRAPH_LEXER_H
#define GRADD_GRAPH_LEXER_H

#include <stdbool.h>
#include <stddef.h>

enum token_kind {
    TOKEN_END,
    TOKEN_NEWLINE, /* LF, CR, CRLF; inside brackets it is the reader who skips it */
    TOKEN_SEMICOLON,
    TOKEN_NAME,
    TOKEN_NUMBER,
    TOKEN_STRING,      /* with its quotes */
    TOKEN_OPEN_STRING, /* a quote that the line does not close */
    TOKEN_POWER,       /* ^ or ** */
    TOKEN_SIGN,        /* any other character of the grammar: text[0] tells which */
    TOKEN_STRANGE,     /* a character that the notation does not know */
};

struct token {
    enum token_kind kind;
    const char *text; /* into the source, not terminated */
    size_t length;
    int line, column; /* 1 = first; columns count characters */
    double number;    /* TOKEN_NUMBER; infinite beyond double's range */
};

struct lexer {
    const char *at, *end;
    int line, column;
};

void lexer_start(struct lexer *l, const char *text, size_t length);
struct token lexer_next(struct lexer *l);

#endif
