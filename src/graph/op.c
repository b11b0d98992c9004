#include "graph/op.h"

#include "base/number.h"
#include <stdlib.h>
#include <string.h>

struct op_entry {
    const char *name;
    int least, most;
    const char *attributes;
};

static const struct op_entry op_table[OP_COUNT] = {
#define OP(name, least, most, attributes, shape_rule) [OP_##name] = {#name, least, most, attributes},
#include "graph/ops.def"
};

static const struct {
    const char *name;
    enum op op;
} op_aliases[] = {{"Sum", OP_ReduceSum}, {"Mean", OP_ReduceMean}};

static const struct {
    const char *name;
    enum attribute_kind kind;
} attribute_table[ATTRIBUTE_COUNT] = {
#define ATTRIBUTE(name, kind) [ATTRIBUTE_##name] = {#name, KIND_##kind},
#include "graph/attributes.def"
#undef ATTRIBUTE
};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool same_folded(const char *known, const char *name, size_t length)
{
    size_t i = 0;
    while (i < length && known[i] != '\0' && lower(known[i]) == lower(name[i]))
        i++;
    return i == length && known[i] == '\0';
}

const char *op_name(enum op op)
{
    return op_table[op].name;
}

bool op_find(const char *name, size_t length, enum op *ret)
{
    for (int i = 0; i < OP_COUNT; i++) {
        if (same_folded(op_table[i].name, name, length)) {
            *ret = (enum op)i;
            return true;
        }
    }
    for (size_t i = 0; i < sizeof op_aliases / sizeof *op_aliases; i++) {
        if (same_folded(op_aliases[i].name, name, length)) {
            *ret = op_aliases[i].op;
            return true;
        }
    }
    return false;
}

int op_least_inputs(enum op op)
{
    return op_table[op].least;
}

int op_most_inputs(enum op op)
{
    return op_table[op].most;
}

const char *attribute_name(enum attribute_key key)
{
    return attribute_table[key].name;
}

bool attribute_find(const char *name, size_t length, enum attribute_key *ret)
{
    for (int i = 0; i < ATTRIBUTE_COUNT; i++) {
        if (strlen(attribute_table[i].name) == length && memcmp(attribute_table[i].name, name, length) == 0) {
            *ret = (enum attribute_key)i;
            return true;
        }
    }
    return false;
}

enum attribute_kind attribute_kind_of(enum attribute_key key)
{
    return attribute_table[key].kind;
}

const char *attribute_kind_text(enum attribute_kind kind)
{
    switch (kind) {
    case KIND_INT:
        return "an integer";
    case KIND_FLOAT:
        return "a finite number";
    case KIND_BOOL:
        return "true or false";
    case KIND_INTS:
        return "a list of integers";
    case KIND_STRING:
        return "a string";
    case KIND_TENSOR:
        break;
    }
    return "a tensor of finite numbers";
}

/* The default as ops.def writes it. Of a list, one digit: the one item, which stands for as many as the op takes. A
 * string is the rest of the text, so it comes last. */
static struct attribute read_default(enum attribute_key key, const char *text)
{
    static const int64_t digits[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    struct attribute a = {.key = key, .kind = attribute_kind_of(key)};
    switch (a.kind) {
    case KIND_FLOAT:
        number_scan(text, strcspn(text, " "), &a.number);
        break;
    case KIND_INT:
    case KIND_BOOL:
        a.integer = strtoll(text, NULL, 10);
        break;
    case KIND_INTS:
        a.ints.items = &digits[*text - '0'];
        a.ints.count = 1;
        break;
    case KIND_STRING:
        a.string = text;
        break;
    case KIND_TENSOR: /* none has a default */
        break;
    }
    return a;
}

bool op_attribute(enum op op, size_t index, struct attribute_spec *ret)
{
    const char *text = op_table[op].attributes;
    for (; index > 0 && *text != '\0'; index--) {
        text += strcspn(text, " ");
        text += strspn(text, " ");
    }
    if (*text == '\0')
        return false;
    size_t length = strcspn(text, "=? ");
    struct attribute_spec spec = {.presence = ATTRIBUTE_REQUIRED};
    if (!attribute_find(text, length, &spec.key))
        return false;
    if (text[length] == '?')
        spec.presence = ATTRIBUTE_OPTIONAL;
    if (text[length] == '=') {
        spec.presence = ATTRIBUTE_DEFAULTED;
        spec.fallback = read_default(spec.key, text + length + 1);
    }
    *ret = spec;
    return true;
}

bool op_has_attribute(enum op op, enum attribute_key key, bool *ret_required, struct attribute *ret_default)
{
    struct attribute_spec spec;
    for (size_t i = 0; op_attribute(op, i, &spec); i++) {
        if (spec.key != key)
            continue;
        if (ret_required)
            *ret_required = spec.presence == ATTRIBUTE_REQUIRED;
        if (ret_default && spec.presence == ATTRIBUTE_DEFAULTED)
            *ret_default = spec.fallback;
        return true;
    }
    return false;
}
