#include "graph/attribute.h"

#include <math.h>
#include <string.h>

enum { TENSOR_ALIGNMENT = 64 };

struct tensor *arena_tensor(struct arena *arena, struct shape shape)
{
    int64_t elements;
    if (!shape_elements(shape, &elements))
        return NULL;
    struct tensor *t = arena_alloc(arena, sizeof *t);
    char *bytes = arena_alloc(arena, (size_t)elements * sizeof(double) + TENSOR_ALIGNMENT);
    if (!t || !bytes)
        return NULL;
    size_t past = (uintptr_t)bytes % TENSOR_ALIGNMENT;
    *t = (struct tensor){DTYPE_FLOAT64, shape, bytes + (past ? TENSOR_ALIGNMENT - past : 0)};
    return t;
}

static err_code copy_ints(struct arena *arena, const int64_t *items, size_t count, struct attribute *ret)
{
    int64_t *copy = arena_array(arena, count ? count : 1, sizeof *copy);
    if (!copy)
        return ERR_out_of_memory;
    if (count > 0)
        memcpy(copy, items, count * sizeof *copy);
    ret->ints.items = copy;
    ret->ints.count = count;
    return ERR_ok;
}

static err_code copy_tensor(struct arena *arena, const struct tensor *from, struct attribute *ret)
{
    struct tensor *t = arena_tensor(arena, from->shape);
    if (!t)
        return ERR_out_of_memory;
    int64_t elements = tensor_elements(from);
    for (int64_t i = 0; i < elements; i++) {
        double value = tensor_get(from, i);
        if (!isfinite(value))
            return ERR_invalid_attribute;
        ((double *)t->data)[i] = value;
    }
    ret->tensor = t;
    return ERR_ok;
}

static err_code tensor_of_numbers(struct arena *arena, const struct attribute *given, struct attribute *ret)
{
    bool is_list = given->kind == KIND_INTS;
    struct shape shape = {0};
    if (is_list)
        shape = (struct shape){.rank = 1, .dim = {(int64_t)given->ints.count}};
    struct tensor *t = arena_tensor(arena, shape);
    if (!t)
        return ERR_out_of_memory;
    double *data = t->data;
    if (!is_list)
        data[0] = given->kind == KIND_INT ? (double)given->integer : given->number;
    for (size_t i = 0; is_list && i < given->ints.count; i++)
        data[i] = (double)given->ints.items[i];
    ret->tensor = t;
    return is_list || isfinite(data[0]) ? ERR_ok : ERR_invalid_attribute;
}

static err_code convert(struct arena *arena, const struct attribute *given, struct attribute *ret)
{
    bool is_int = given->kind == KIND_INT;
    switch (ret->kind) {
    case KIND_FLOAT:
        ret->number = (double)given->integer;
        return is_int ? ERR_ok : ERR_invalid_attribute;
    case KIND_BOOL:
        ret->integer = given->integer;
        return is_int && (given->integer == 0 || given->integer == 1) ? ERR_ok : ERR_invalid_attribute;
    case KIND_INTS:
        return is_int ? copy_ints(arena, &given->integer, 1, ret) : ERR_invalid_attribute;
    case KIND_TENSOR:
        if (is_int || given->kind == KIND_FLOAT || given->kind == KIND_INTS)
            return tensor_of_numbers(arena, given, ret);
        return ERR_invalid_attribute;
    case KIND_INT:
    case KIND_STRING:
        break;
    }
    return ERR_invalid_attribute;
}

static err_code copy_same(struct arena *arena, const struct attribute *given, struct attribute *ret)
{
    switch (given->kind) {
    case KIND_INT:
    case KIND_BOOL:
        ret->integer = given->integer;
        return ERR_ok;
    case KIND_FLOAT:
        ret->number = given->number;
        return isfinite(given->number) ? ERR_ok : ERR_invalid_attribute;
    case KIND_INTS:
        return copy_ints(arena, given->ints.items, given->ints.count, ret);
    case KIND_STRING:
        ret->string = arena_copy(arena, given->string, strlen(given->string));
        return ret->string ? ERR_ok : ERR_out_of_memory;
    case KIND_TENSOR:
        break;
    }
    return copy_tensor(arena, given->tensor, ret);
}

err_code attribute_copy(struct arena *arena, const struct attribute *given, struct attribute *ret)
{
    struct attribute a = {.key = given->key, .kind = attribute_kind_of(given->key)};
    err_code code = given->kind == a.kind ? copy_same(arena, given, &a) : convert(arena, given, &a);
    if (code == ERR_ok)
        *ret = a;
    return code;
}

static size_t tensor_size(const struct tensor *t)
{
    return (size_t)tensor_elements(t) * dtype_size(t->dtype);
}

/* 0 and -0 differ. */
static uint64_t bits_of(double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

bool attribute_equal(const struct attribute *a, const struct attribute *b)
{
    if (a->key != b->key || a->kind != b->kind)
        return false;
    switch (a->kind) {
    case KIND_INT:
    case KIND_BOOL:
        return a->integer == b->integer;
    case KIND_FLOAT:
        return bits_of(a->number) == bits_of(b->number);
    case KIND_INTS:
        return a->ints.count == b->ints.count &&
               memcmp(a->ints.items, b->ints.items, a->ints.count * sizeof *a->ints.items) == 0;
    case KIND_STRING:
        return strcmp(a->string, b->string) == 0;
    case KIND_TENSOR:
        break;
    }
    return a->tensor->dtype == b->tensor->dtype && shape_equal(a->tensor->shape, b->tensor->shape) &&
           memcmp(a->tensor->data, b->tensor->data, tensor_size(a->tensor)) == 0;
}

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t length)
{
    const char *at = bytes;
    for (; length > 0;) {
        uint64_t word = 0;
        size_t part = length < sizeof word ? length : sizeof word;
        memcpy(&word, at, part);
        hash = hash_mix(hash, word);
        at += part;
        length -= part;
    }
    return hash;
}

uint64_t attribute_hash(const struct attribute *a, uint64_t seed)
{
    uint64_t hash = hash_mix(seed, (uint64_t)a->key);
    switch (a->kind) {
    case KIND_INT:
    case KIND_BOOL:
        return hash_mix(hash, (uint64_t)a->integer);
    case KIND_FLOAT:
        return hash_mix(hash, bits_of(a->number));
    case KIND_INTS:
        return hash_bytes(hash, a->ints.items, a->ints.count * sizeof *a->ints.items);
    case KIND_STRING:
        return hash_bytes(hash, a->string, strlen(a->string));
    case KIND_TENSOR:
        break;
    }
    return hash_bytes(hash_mix(hash, (uint64_t)a->tensor->shape.rank), a->tensor->data, tensor_size(a->tensor));
}
