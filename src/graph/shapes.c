/* What the shape rules share; the rules themselves are in shapes_*.c. */
#include "graph/attribute.h"
#include "graph/rules.h"

#include <stdio.h>
#include <string.h>

shape_rule *const shape_rules[OP_COUNT] = {
#define OP(name, least, most, attributes, rule) [OP_##name] = shape_##rule,
#include "graph/ops.def"
};

/* Elements if batch is 1; saturates at INT64_MAX. */
static int64_t least_elements(struct shape s)
{
    int64_t elements = 1;
    bool beyond = false;
    for (int i = 0; i < s.rank; i++) {
        int64_t dim = s.dim[i] == DIM_ANY ? 1 : s.dim[i] < 0 ? -s.dim[i] : s.dim[i];
        if (dim == 0)
            return 0;
        beyond = beyond || __builtin_mul_overflow(elements, dim, &elements);
    }
    return beyond ? INT64_MAX : elements;
}

err_code infer_bounded(const struct inference *i, struct shape shape)
{
    int64_t elements = least_elements(shape);
    if (elements <= ELEMENTS_MAX)
        return ERR_ok;
    char text[SHAPE_TEXT_MAX];
    return error_add(i->err, ERR_limit_exceeded, i->place, "%s: %s has %s%lld elements, the limit is %lld",
                     op_name(i->op), shape_text(shape, text), elements == INT64_MAX ? "more than " : "",
                     (long long)elements, (long long)ELEMENTS_MAX);
}

err_code infer_shape(struct inference *i)
{
    err_code code = shape_rules[i->op](i);
    if (code != ERR_ok)
        return code;
    if (i->out.rank > RANK_MAX)
        return error_add(i->err, ERR_rank_too_large, i->place, "%s: the result has %d dimensions, the limit is %d",
                         op_name(i->op), i->out.rank, RANK_MAX);
    return infer_bounded(i, i->out);
}

/* ---- attributes */

/* Fills `slot` with the attribute that `spec` asks for; *ret_filled is false where it is optional and not given. */
static err_code fill_attribute(struct inference *i, const struct attribute_spec *spec, const struct attribute *given,
                               size_t count, struct attribute *slot, bool *ret_filled)
{
    size_t k = 0;
    while (k < count && given[k].key != spec->key)
        k++;
    *ret_filled = k < count || spec->presence == ATTRIBUTE_DEFAULTED;
    if (k == count) {
        if (spec->presence == ATTRIBUTE_REQUIRED)
            return error_add(i->err, ERR_missing_attribute, i->place, "%s needs %s=", op_name(i->op),
                             attribute_name(spec->key));
        if (spec->presence == ATTRIBUTE_DEFAULTED)
            *slot = spec->fallback;
        return ERR_ok;
    }
    err_code code = attribute_copy(i->arena, &given[k], slot);
    if (code == ERR_out_of_memory)
        return error_set(i->err, code, "no memory for a graph");
    if (code != ERR_ok)
        return error_add(i->err, code, i->place, "%s: %s= takes %s", op_name(i->op), attribute_name(spec->key),
                         attribute_kind_text(attribute_kind_of(spec->key)));
    return ERR_ok;
}

err_code infer_fill_attributes(struct inference *i, const struct attribute *given, size_t count)
{
    struct attribute_spec spec;
    size_t capacity = 0, filled = 0;
    while (op_attribute(i->op, capacity, &spec))
        capacity++;
    for (size_t k = 0; k < count; k++)
        if (!op_has_attribute(i->op, given[k].key, NULL, NULL))
            return error_add(i->err, ERR_unknown_attribute, i->place, "%s has no attribute '%s'", op_name(i->op),
                             attribute_name(given[k].key));
    if (capacity == 0)
        return ERR_ok;
    struct attribute *attributes = arena_array(i->arena, capacity, sizeof *attributes);
    if (!attributes)
        return error_set(i->err, ERR_out_of_memory, "no memory for a graph");
    for (size_t k = 0; op_attribute(i->op, k, &spec); k++) {
        bool is_there = false;
        err_code code = fill_attribute(i, &spec, given, count, &attributes[filled], &is_there);
        if (code != ERR_ok)
            return code;
        filled += is_there;
    }
    i->attributes = attributes;
    i->attribute_count = filled;
    return ERR_ok;
}

const struct attribute *infer_attribute(const struct inference *i, enum attribute_key key)
{
    for (size_t k = 0; k < i->attribute_count; k++)
        if (i->attributes[k].key == key)
            return &i->attributes[k];
    return NULL;
}

/* The place of an attribute, made where the op's order has it: equal nodes have equal lists. */
static struct attribute *attribute_slot(struct inference *i, enum attribute_key key)
{
    struct attribute_spec spec;
    size_t at = 0;
    for (size_t k = 0; op_attribute(i->op, k, &spec) && spec.key != key; k++)
        at += at < i->attribute_count && i->attributes[at].key == spec.key;
    struct attribute *slot = &i->attributes[at];
    if (at < i->attribute_count && slot->key == key)
        return slot;
    memmove(slot + 1, slot, (i->attribute_count - at) * sizeof *slot);
    i->attribute_count++;
    *slot = (struct attribute){.key = key, .kind = attribute_kind_of(key)};
    return slot;
}

err_code infer_set_ints(struct inference *i, enum attribute_key key, const int64_t *items, size_t count)
{
    int64_t *copy = arena_array(i->arena, count ? count : 1, sizeof *copy);
    if (!copy)
        return error_set(i->err, ERR_out_of_memory, "no memory for a graph");
    if (count > 0)
        memcpy(copy, items, count * sizeof *copy);
    struct attribute *slot = attribute_slot(i, key);
    slot->ints.items = copy;
    slot->ints.count = count;
    return ERR_ok;
}

void infer_set_int(struct inference *i, enum attribute_key key, int64_t value)
{
    attribute_slot(i, key)->integer = value;
}

const char *infer_operand(const struct inference *i, size_t k, char buffer[OPERAND_TEXT_MAX])
{
    if (i->names && i->names[k])
        (void)snprintf(buffer, OPERAND_TEXT_MAX, "%.64s", i->names[k]);
    else
        (void)snprintf(buffer, OPERAND_TEXT_MAX, "operand %zu", k + 1);
    return buffer;
}

err_code infer_disagree(const struct inference *i, size_t a, size_t b, struct shape expected, struct shape actual)
{
    char name_a[OPERAND_TEXT_MAX], name_b[OPERAND_TEXT_MAX], text_a[SHAPE_TEXT_MAX], text_b[SHAPE_TEXT_MAX];
    return error_add_shapes(i->err, ERR_shape_mismatch, i->place, expected, actual, "%s: %s is %s but %s is %s",
                            op_name(i->op), infer_operand(i, a, name_a), shape_text(i->in[a], text_a),
                            infer_operand(i, b, name_b), shape_text(i->in[b], text_b));
}

err_code infer_unfit(const struct inference *i, size_t k, const char *why)
{
    char name[OPERAND_TEXT_MAX], text[SHAPE_TEXT_MAX];
    return error_add(i->err, ERR_shape_mismatch, i->place, "%s: %s is %s%s", op_name(i->op), infer_operand(i, k, name),
                     shape_text(i->in[k], text), why);
}

err_code infer_bad_attribute(const struct inference *i, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return error_add(i->err, ERR_invalid_attribute, i->place, "%s: %s", op_name(i->op), text);
}

err_code infer_axis(const struct inference *i, const char *what, int64_t axis, int rank, int *ret)
{
    if (rank == 0)
        return infer_bad_attribute(i, "%s is %lld, but a scalar has no axes", what, (long long)axis);
    if (axis < -rank || axis >= rank)
        return infer_bad_attribute(i, "%s is %lld, but must be from %d to %d", what, (long long)axis, -rank, rank - 1);
    *ret = (int)(axis < 0 ? axis + rank : axis);
    return ERR_ok;
}

err_code infer_axes(const struct inference *i, const struct attribute *axes, int rank, int64_t *ret)
{
    bool seen[RANK_MAX] = {false};
    if (axes->ints.count > (size_t)rank)
        return infer_bad_attribute(i, "%zu axes are given, but there are %d", axes->ints.count, rank);
    for (size_t k = 0; k < axes->ints.count; k++) {
        int axis = 0;
        err_code code = infer_axis(i, "an axis", axes->ints.items[k], rank, &axis);
        if (code != ERR_ok)
            return code;
        if (seen[axis])
            return infer_bad_attribute(i, "axis %d is given twice", axis);
        seen[axis] = true;
        ret[k] = axis;
    }
    return ERR_ok;
}

/* ---- dimensions */

bool dim_agree(int64_t a, int64_t b)
{
    return a == b || a == DIM_ANY || b == DIM_ANY;
}

int64_t dim_join(int64_t a, int64_t b)
{
    return a == DIM_ANY ? b : a;
}

int64_t dim_add(int64_t a, int64_t b)
{
    if (a == 0 || b == 0)
        return a == 0 ? b : a;
    if (a == DIM_ANY || b == DIM_ANY || (a < 0) != (b < 0))
        return DIM_ANY;
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum) || sum == DIM_ANY)
        return a < 0 ? -INT64_MAX : INT64_MAX;
    return sum;
}

int64_t dim_multiply(int64_t a, int64_t b)
{
    if (a == 0 || b == 0)
        return 0;
    if (a == DIM_ANY || b == DIM_ANY || (a < 0 && b < 0))
        return DIM_ANY;
    int64_t product;
    if (__builtin_mul_overflow(a, b, &product) || product == DIM_ANY)
        return a < 0 || b < 0 ? -INT64_MAX : INT64_MAX;
    return product;
}

bool shape_agree(struct shape a, struct shape b)
{
    bool agree = a.rank == b.rank;
    for (int i = 0; agree && i < a.rank; i++)
        agree = dim_agree(a.dim[i], b.dim[i]);
    return agree;
}

static bool dim_broadcast(int64_t a, int64_t b, int64_t *ret)
{
    if (a == 1 || b == 1 || a == b) {
        *ret = a == 1 ? b : a;
        return true;
    }
    if (a != DIM_ANY && b != DIM_ANY)
        return false;
    /* DIM_ANY may turn out to be 1, and so may batch: only a number is certain. */
    int64_t other = dim_join(a, b);
    *ret = other < 0 ? DIM_ANY : other;
    return true;
}

bool shape_broadcast(struct shape a, struct shape b, struct shape *ret)
{
    struct shape out = {.rank = a.rank > b.rank ? a.rank : b.rank};
    for (int i = 1; i <= out.rank; i++) {
        int64_t x = i <= a.rank ? a.dim[a.rank - i] : 1;
        int64_t y = i <= b.rank ? b.dim[b.rank - i] : 1;
        if (!dim_broadcast(x, y, &out.dim[out.rank - i]))
            return false;
    }
    *ret = out;
    return true;
}
