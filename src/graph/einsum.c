#include "graph/einsum.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LABEL_ELLIPSIS = EINSUM_LABELS, TERM_END, BROKEN };

static bool __attribute__((format(printf, 2, 3))) fail(struct einsum *e, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(e->fault, sizeof e->fault, format, arguments);
    va_end(arguments);
    return false;
}

static void skip_spaces(struct einsum *e)
{
    e->at += strspn(e->at, " ");
}

struct einsum einsum_of(const char *equation)
{
    return (struct einsum){.at = equation};
}

int einsum_axis(const struct einsum_term *term, unsigned char label)
{
    for (int axis = 0; axis < term->rank; axis++)
        if (term->label[axis] == label)
            return axis;
    return -1;
}

void einsum_append(struct einsum_term *term, unsigned char label)
{
    term->label[term->rank++] = label;
}

/* The next label of a term, LABEL_ELLIPSIS, TERM_END (before a comma, an arrow or the end), or BROKEN. */
static int next_label(struct einsum *e)
{
    skip_spaces(e);
    char c = *e->at;
    if (c == '\0' || c == ',' || strncmp(e->at, "->", 2) == 0)
        return TERM_END;
    if (strncmp(e->at, "...", 3) == 0) {
        e->at += 3;
        return LABEL_ELLIPSIS;
    }
    e->at++;
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c > ' ' && c <= '~')
        (void)fail(e, "the equation has '%c', but may have letters, commas, one -> and ...", c);
    else
        (void)fail(e, "the equation may have letters, commas, one -> and ...");
    return BROKEN;
}

/* A term as it is written, with `ellipsis` axes in the place of `...`. */
struct written {
    int labels; /* letters */
    int before; /* of them, those before `...`; -1: there is none */
    unsigned char letter[RANK_MAX];
};

static bool read_term(struct einsum *e, struct written *ret)
{
    struct written w = {.before = -1};
    for (int label = next_label(e); label != TERM_END; label = next_label(e)) {
        if (label == BROKEN)
            return false;
        if (label == LABEL_ELLIPSIS) {
            if (w.before >= 0)
                return fail(e, "a term has ... twice");
            w.before = w.labels;
            continue;
        }
        if (w.labels == RANK_MAX)
            return fail(e, "a term has more than %d letters", RANK_MAX);
        w.letter[w.labels++] = (unsigned char)label;
    }
    *ret = w;
    return true;
}

static struct einsum_term spell(const struct written *w, int ellipsis)
{
    struct einsum_term term = {0};
    for (int k = 0; k <= w->labels; k++) {
        for (int axis = 0; k == w->before && axis < ellipsis; axis++)
            einsum_append(&term, (unsigned char)(EINSUM_LABELS - ellipsis + axis));
        if (k < w->labels)
            einsum_append(&term, w->letter[k]);
    }
    return term;
}

bool einsum_operand(struct einsum *e, struct shape shape, struct einsum_term *ret)
{
    struct written w = {.before = -1};
    skip_spaces(e);
    if (e->operands > 0 && *e->at != ',')
        return fail(e, "there are more operands than the %zu terms of the equation", e->operands);
    e->at += e->operands > 0;
    if (!read_term(e, &w))
        return false;
    e->operands++;
    int ellipsis = shape.rank - w.labels;
    if (w.before >= 0 ? ellipsis < 0 : ellipsis != 0)
        return fail(e, "term %zu names %d axes, but its operand has %d", e->operands, w.labels, shape.rank);
    struct einsum_term term = spell(&w, ellipsis);
    e->ellipsis = ellipsis > e->ellipsis ? ellipsis : e->ellipsis;
    for (int axis = 0; axis < term.rank; axis++) {
        e->occurrences[term.label[axis]]++;
        e->uses[term.label[axis]] += einsum_axis(&term, term.label[axis]) == axis;
    }
    *ret = term;
    return true;
}

/* What the result has where no arrow says it. */
static bool implicit_result(struct einsum *e, struct einsum_term *ret)
{
    const struct written w = {.before = 0};
    struct einsum_term term = spell(&w, e->ellipsis);
    for (int label = 0; label < EINSUM_LETTERS; label++) {
        if (e->occurrences[label] != 1)
            continue;
        if (term.rank == RANK_MAX)
            return fail(e, "the result has more than %d axes", RANK_MAX);
        einsum_append(&term, (unsigned char)label);
    }
    *ret = term;
    return true;
}

bool einsum_result(struct einsum *e, struct einsum_term *ret)
{
    struct written w = {.before = -1};
    skip_spaces(e);
    if (*e->at == ',')
        return fail(e, "the equation has more terms than the %zu operands", e->operands);
    if (*e->at == '\0')
        return implicit_result(e, ret);
    e->at += strlen("->");
    if (!read_term(e, &w))
        return false;
    if (*e->at != '\0')
        return fail(e, "the equation goes on after its result");
    if (w.labels + (w.before >= 0 ? e->ellipsis : 0) > RANK_MAX)
        return fail(e, "the result has more than %d axes", RANK_MAX);
    struct einsum_term term = spell(&w, e->ellipsis);
    for (int axis = 0; axis < term.rank; axis++) {
        unsigned char label = term.label[axis];
        char letter = (char)(label < 26 ? 'A' + label : 'a' + label - 26);
        if (einsum_axis(&term, label) != axis)
            return fail(e, "the result has '%c' twice", letter);
        if (e->uses[label] == 0)
            return fail(e, "the result has '%c', which no operand has", letter);
    }
    *ret = term;
    return true;
}
