#include "graph/lexer.h"

#include "base/number.h"
#include <string.h>

void lexer_start(struct lexer *l, const char *text, size_t length)
{
    *l = (struct lexer){text, text + length, 1, 1};
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Bytes 10xxxxxx continue a character of UTF-8. */
static bool continues(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

static void skip_blanks(struct lexer *l)
{
    while (l->at < l->end && (*l->at == ' ' || *l->at == '\t')) {
        l->at++;
        l->column++;
    }
    while (l->at < l->end && *l->at == '#')
        while (l->at < l->end && *l->at != '\n' && *l->at != '\r')
            l->column += !continues(*l->at++);
}

static size_t name_length(const struct lexer *l)
{
    const char *at = l->at;
    while (at < l->end && (is_letter(*at) || is_digit(*at)))
        at++;
    return (size_t)(at - l->at);
}

/* To the closing quote, which must stand on the same line. */
static size_t string_length(const struct lexer *l, bool *ret_closed)
{
    const char *at = l->at + 1;
    while (at < l->end && *at != *l->at && *at != '\n' && *at != '\r')
        at++;
    *ret_closed = at < l->end && *at == *l->at;
    return (size_t)(at - l->at) + *ret_closed;
}

static size_t character_length(const struct lexer *l)
{
    const char *at = l->at + 1;
    while (at < l->end && continues(*at) && at - l->at < 4)
        at++;
    return (size_t)(at - l->at);
}

static void classify(const struct lexer *l, struct token *t)
{
    char c = *l->at, next = l->end - l->at > 1 ? l->at[1] : '\0';
    bool closed;
    t->length = 1;
    if (c == '\n' || c == '\r') {
        t->kind = TOKEN_NEWLINE;
        t->length = c == '\r' && next == '\n' ? 2 : 1;
    } else if (c == ';') {
        t->kind = TOKEN_SEMICOLON;
    } else if (is_letter(c)) {
        t->kind = TOKEN_NAME;
        t->length = name_length(l);
    } else if (is_digit(c) || (c == '.' && is_digit(next))) {
        t->kind = TOKEN_NUMBER;
        t->length = number_scan(l->at, (size_t)(l->end - l->at), &t->number);
    } else if (c == '"' || c == '\'') {
        t->length = string_length(l, &closed);
        t->kind = closed ? TOKEN_STRING : TOKEN_OPEN_STRING;
    } else if (c == '^' || (c == '*' && next == '*')) {
        t->kind = TOKEN_POWER;
        t->length = c == '*' ? 2 : 1;
    } else if (c != '\0' && strchr("+-*/@()[],=", c)) {
        t->kind = TOKEN_SIGN;
    } else {
        t->kind = TOKEN_STRANGE;
        t->length = character_length(l);
    }
}

struct token lexer_next(struct lexer *l)
{
    skip_blanks(l);
    struct token t = {.kind = TOKEN_END, .text = l->at, .line = l->line, .column = l->column};
    if (l->at == l->end)
        return t;
    classify(l, &t);
    for (size_t i = 0; i < t.length; i++)
        l->column += !continues(t.text[i]);
    l->at += t.length;
    if (t.kind == TOKEN_NEWLINE) {
        l->line++;
        l->column = 1;
    }
    return t;
}
