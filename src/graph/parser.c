#include "graph/parser.h"

#include <stdio.h>
#include <string.h>

void parser_advance(struct parser *p)
{
    p->previous = p->token;
    do
        p->token = lexer_next(&p->lexer);
    while (p->depth > 0 && p->token.kind == TOKEN_NEWLINE);
}

static bool is_sign(const struct token *t, char sign)
{
    return t->kind == TOKEN_SIGN && t->text[0] == sign;
}

bool parser_is_sign(const struct parser *p, char sign)
{
    return is_sign(&p->token, sign);
}

struct token parser_peek(const struct parser *p)
{
    struct lexer lexer = p->lexer;
    struct token t;
    do
        t = lexer_next(&lexer);
    while (p->depth > 0 && t.kind == TOKEN_NEWLINE);
    return t;
}

void parser_open(struct parser *p)
{
    p->depth++;
    parser_advance(p);
}

void parser_close(struct parser *p)
{
    p->depth--;
    parser_advance(p);
}

struct place parser_place(const struct parser *p, const struct token *t)
{
    return (struct place){p->options->pointer, t->line, t->column};
}

/* ---- mistakes */

void parser_complain(struct parser *p, err_code code, struct place place, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    error_add(p->err, code, place, "%s", text);
    if (p->code == ERR_ok)
        p->code = code;
}

bool parser_no_memory(struct parser *p)
{
    error_set(p->err, ERR_out_of_memory, "no memory to read a program");
    p->code = ERR_out_of_memory;
    p->stopped = true;
    return false;
}

enum { TOKEN_TEXT_MAX = 64 };

static const char *describe(const struct token *t, char buffer[TOKEN_TEXT_MAX])
{
    enum { SHOWN_MAX = 40 };
    switch (t->kind) {
    case TOKEN_END:
        return "the end of the program";
    case TOKEN_NEWLINE:
        return "the end of the line";
    case TOKEN_STRING:
        return "a string";
    case TOKEN_OPEN_STRING:
        return "a string without its closing quote";
    case TOKEN_STRANGE:
        if ((unsigned char)t->text[0] < 0x20 || (unsigned char)t->text[0] >= 0x7F) {
            (void)snprintf(buffer, TOKEN_TEXT_MAX, "a strange character (byte 0x%02X)",
                           (unsigned)(unsigned char)t->text[0]);
            return buffer;
        }
        break;
    default:
        break;
    }
    bool cut = t->length > SHOWN_MAX;
    (void)snprintf(buffer, TOKEN_TEXT_MAX, "'%.*s%s'", (int)(cut ? SHOWN_MAX : t->length), t->text, cut ? "..." : "");
    return buffer;
}

/* Behind a token, on its line. */
static struct place place_behind(const struct parser *p, const struct token *t)
{
    return (struct place){p->options->pointer, t->line, t->column + (int)t->length};
}

static bool starts_line(const struct parser *p)
{
    return p->token.kind == TOKEN_END || p->token.line > p->previous.line;
}

bool parser_unexpected(struct parser *p, const char *wanted)
{
    char found[TOKEN_TEXT_MAX], before[TOKEN_TEXT_MAX];
    struct place place = parser_place(p, &p->token);
    const char *what = describe(&p->token, found);
    if (p->token.kind == TOKEN_OPEN_STRING)
        parser_complain(p, ERR_syntax_error, place, "%s", what);
    else if (p->previous.kind == TOKEN_END || p->previous.kind == TOKEN_NEWLINE)
        parser_complain(p, ERR_syntax_error, place, "expected %s, not %s", wanted ? wanted : "an expression", what);
    else if (wanted && starts_line(p))
        parser_complain(p, ERR_syntax_error, place_behind(p, &p->previous), "expected %s after %s", wanted,
                        describe(&p->previous, before));
    else if (wanted)
        parser_complain(p, ERR_syntax_error, place, "expected %s after %s, not %s", wanted,
                        describe(&p->previous, before), what);
    else
        parser_complain(p, ERR_syntax_error, place, "unexpected %s after %s", what, describe(&p->previous, before));
    return false;
}

bool parser_may_guess(const struct parser *p)
{
    return p->err && p->err->total < ERROR_ITEMS_MAX;
}

/* ---- lines */

/* Reads "name, name =" from t on; calls `note` for each name if it is one. *ret is what follows the '=', or where it is
 * none. */
static bool reads_as_assignment(struct lexer *lexer, struct token *t)
{
    while (t->kind == TOKEN_NAME) {
        *t = lexer_next(lexer);
        if (is_sign(t, '='))
            return true;
        if (!is_sign(t, ','))
            return false;
        *t = lexer_next(lexer);
    }
    return false;
}

static bool looks_at_assignment(const struct parser *p)
{
    struct lexer lexer = p->lexer;
    struct token t = p->token;
    return reads_as_assignment(&lexer, &t);
}

/* The rest of the line goes. Brackets that are open may go on over several lines: they end where they close, or before
 * a line that reads as an assignment. */
void parser_recover(struct parser *p)
{
    int depth = p->depth;
    bool line_starts = p->token.line > p->previous.line;
    p->depth = 0;
    p->nesting = 0;
    while (p->token.kind != TOKEN_END) {
        if (line_starts && looks_at_assignment(p))
            return;
        bool ends = p->token.kind == TOKEN_SEMICOLON || (p->token.kind == TOKEN_NEWLINE && depth <= 0);
        line_starts = p->token.kind == TOKEN_NEWLINE;
        depth += parser_is_sign(p, '(') || parser_is_sign(p, '[');
        depth -= parser_is_sign(p, ')') || parser_is_sign(p, ']');
        if (ends)
            return;
        parser_advance(p);
    }
}

static bool note_assigned(struct parser *p, const struct token *t)
{
    size_t line;
    return names_get(p->assigned, t->text, t->length, &line) ||
           names_put(p->assigned, t->text, t->length, (size_t)t->line);
}

bool parser_collect_assigned(struct parser *p, const char *text, size_t length)
{
    struct lexer lexer;
    lexer_start(&lexer, text, length);
    int depth = 0;
    bool line_starts = true;
    for (struct token t = lexer_next(&lexer); t.kind != TOKEN_END; t = lexer_next(&lexer)) {
        if (line_starts && t.kind == TOKEN_NAME) {
            struct lexer ahead = lexer;
            struct token name = t;
            bool assigns = reads_as_assignment(&ahead, &name);
            for (bool more = assigns; more; more = is_sign(&t, ',')) {
                if (is_sign(&t, ','))
                    t = lexer_next(&lexer);
                if (!note_assigned(p, &t))
                    return parser_no_memory(p);
                t = lexer_next(&lexer);
            }
        }
        depth += is_sign(&t, '(') || is_sign(&t, '[');
        depth -= depth > 0 && (is_sign(&t, ')') || is_sign(&t, ']'));
        line_starts = depth == 0 && (t.kind == TOKEN_NEWLINE || t.kind == TOKEN_SEMICOLON);
    }
    return true;
}
