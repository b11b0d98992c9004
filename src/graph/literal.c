/* Literals: numbers, true and false, strings, and lists of lists of numbers, which are read without recursion. */
#include "graph/attribute.h"
#include "graph/parser.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A list as it is read: `level` brackets are open, numbers stand at level `leaf` (0: not known yet). */
struct list {
    double *numbers;   /* owned */
    int64_t *integers; /* owned */
    size_t count, capacity;
    bool all_integers, ragged;
    int level, leaf;
    int64_t counts[RANK_MAX + 1];  /* items so far in the open bracket of each level */
    int64_t extents[RANK_MAX + 1]; /* items in a closed one; -1: none was closed yet */
};

/* Digits only, that fit into 64 bits. -0 is no integer: it has a sign to keep. */
static bool read_integer(const struct token *t, bool negative, int64_t *ret)
{
    int64_t value = 0;
    for (size_t i = 0; i < t->length; i++) {
        if (t->text[i] < '0' || t->text[i] > '9')
            return false;
        int digit = t->text[i] - '0';
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_sub_overflow(value, digit, &value))
            return false;
    }
    if (!negative)
        return !__builtin_sub_overflow(0, value, ret);
    *ret = value;
    return value != 0;
}

/* [+-] number */
static bool read_number(struct parser *p, double *ret, int64_t *ret_integer, bool *ret_is_integer)
{
    bool negative = parser_is_sign(p, '-');
    if (negative || parser_is_sign(p, '+'))
        parser_advance(p);
    if (p->token.kind != TOKEN_NUMBER)
        return parser_unexpected(p, "a number");
    if (isinf(p->token.number)) {
        parser_complain(p, ERR_out_of_range, parser_place(p, &p->token), "the number is beyond the range of double");
        return false;
    }
    *ret = negative ? -p->token.number : p->token.number;
    *ret_is_integer = read_integer(&p->token, negative, ret_integer);
    parser_advance(p);
    return true;
}

static bool list_push(struct parser *p, struct list *l, double number, int64_t integer)
{
    if (l->count == l->capacity) {
        size_t capacity = l->capacity ? 2 * l->capacity : 16;
        double *numbers = reallocarray(l->numbers, capacity, sizeof *numbers);
        if (!numbers)
            return parser_no_memory(p);
        l->numbers = numbers;
        int64_t *integers = reallocarray(l->integers, capacity, sizeof *integers);
        if (!integers)
            return parser_no_memory(p);
        l->integers = integers;
        l->capacity = capacity;
    }
    l->numbers[l->count] = number;
    l->integers[l->count++] = integer;
    return true;
}

static bool list_open(struct parser *p, struct list *l)
{
    if (l->level == RANK_MAX) {
        parser_complain(p, ERR_rank_too_large, parser_place(p, &p->token),
                        "lists are nested deeper than %d, the most dimensions of a tensor", RANK_MAX);
        return false;
    }
    l->level++;
    l->counts[l->level] = 0;
    l->ragged = l->ragged || (l->leaf > 0 && l->level > l->leaf);
    parser_open(p);
    return true;
}

static void list_close(struct parser *p, struct list *l)
{
    int64_t count = l->counts[l->level];
    if (l->leaf == 0)
        l->leaf = l->level;
    bool differs = l->extents[l->level] >= 0 && l->extents[l->level] != count;
    l->ragged = l->ragged || differs || (count == 0 && l->level != l->leaf);
    l->extents[l->level] = count;
    l->level--;
    l->counts[l->level]++;
    parser_close(p);
}

static bool list_number(struct parser *p, struct list *l)
{
    double number = 0;
    int64_t integer = 0;
    bool is_integer = false;
    if (!read_number(p, &number, &integer, &is_integer))
        return false;
    if (l->leaf == 0)
        l->leaf = l->level;
    l->ragged = l->ragged || l->leaf != l->level;
    l->all_integers = l->all_integers && is_integer;
    l->counts[l->level]++;
    return list_push(p, l, number, integer);
}

/* From '[' to the ']' that closes it. */
static bool read_items(struct parser *p, struct list *l)
{
    if (!list_open(p, l))
        return false;
    while (l->level > 0) {
        if (parser_is_sign(p, ']')) {
            if (l->counts[l->level] > 0 && p->previous.kind == TOKEN_SIGN && p->previous.text[0] == ',')
                return parser_unexpected(p, "a number");
            list_close(p, l);
        } else if (parser_is_sign(p, '[')) {
            if (!list_open(p, l))
                return false;
            continue;
        } else if (!list_number(p, l)) {
            return false;
        }
        if (l->level > 0 && parser_is_sign(p, ','))
            parser_advance(p);
        else if (l->level > 0 && !parser_is_sign(p, ']'))
            return parser_unexpected(p, "',' or ']'");
    }
    return true;
}

static bool keep_list(struct parser *p, const struct list *l, struct attribute *ret)
{
    if (l->leaf == 1 && l->all_integers) {
        int64_t *items = arena_array(p->scratch, l->count + 1, sizeof *items);
        if (!items)
            return parser_no_memory(p);
        if (l->count > 0)
            memcpy(items, l->integers, l->count * sizeof *items);
        ret->kind = KIND_INTS;
        ret->ints.items = items;
        ret->ints.count = l->count;
        return true;
    }
    struct tensor *t = arena_tensor(p->scratch, shape_of(l->leaf, &l->extents[1]));
    if (!t)
        return parser_no_memory(p);
    if (l->count > 0)
        memcpy(t->data, l->numbers, l->count * sizeof *l->numbers);
    ret->kind = KIND_TENSOR;
    ret->tensor = t;
    return true;
}

static bool parse_list(struct parser *p, struct attribute *ret)
{
    struct list l = {.all_integers = true};
    struct place place = parser_place(p, &p->token);
    for (int i = 0; i <= RANK_MAX; i++)
        l.extents[i] = -1;
    bool read = read_items(p, &l);
    if (read && l.ragged) {
        parser_complain(p, ERR_invalid_attribute, place, "the lists inside the list are of different lengths");
        /* The line goes on with a value that every kind of attribute refuses in silence. */
        *ret = (struct attribute){.key = ATTRIBUTE_COUNT};
    } else if (read) {
        read = keep_list(p, &l, ret);
    }
    free(l.numbers);
    free(l.integers);
    return read;
}

static bool parse_string(struct parser *p, struct attribute *ret)
{
    ret->kind = KIND_STRING;
    ret->string = arena_copy(p->scratch, p->token.text + 1, p->token.length - 2);
    if (!ret->string)
        return parser_no_memory(p);
    parser_advance(p);
    return true;
}

bool parse_literal(struct parser *p, struct attribute *ret)
{
    const struct token *t = &p->token;
    if (parser_is_sign(p, '['))
        return parse_list(p, ret);
    if (t->kind == TOKEN_STRING)
        return parse_string(p, ret);
    bool is_true = t->kind == TOKEN_NAME && t->length == 4 && memcmp(t->text, "true", 4) == 0;
    bool is_false = t->kind == TOKEN_NAME && t->length == 5 && memcmp(t->text, "false", 5) == 0;
    if (is_true || is_false) {
        ret->kind = KIND_BOOL;
        ret->integer = is_true;
        parser_advance(p);
        return true;
    }
    if (t->kind != TOKEN_NUMBER && !parser_is_sign(p, '-') && !parser_is_sign(p, '+'))
        return parser_unexpected(p, "a number, a string, a list, true or false");
    double number = 0;
    int64_t integer = 0;
    bool is_integer = false;
    if (!read_number(p, &number, &integer, &is_integer))
        return false;
    ret->kind = is_integer ? KIND_INT : KIND_FLOAT;
    if (is_integer)
        ret->integer = integer;
    else
        ret->number = number;
    return true;
}
