#include "api/codec_tensor.h"
#include "base/number.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct reading {
    struct tensor *tensor;
    int64_t next; /* element that is read next */
    bool right;
    struct error *err;
};

static bool take_number(struct reading *r, const json_t *value, const struct where *at)
{
    if (!json_is_real(value)) {
        mistake(r->err, ERR_wrong_type, at, "this must be a number, not %s", json_kind(value));
        return false;
    }
    double number = json_real_value(value);
    if (r->tensor->dtype == DTYPE_FLOAT32 && !isfinite((float)number)) {
        char text[NUMBER_TEXT_MAX];
        number_print(number, text);
        mistake(r->err, ERR_nonfinite_number, at, "%s is beyond the range of float32", text);
        return false;
    }
    tensor_set(r->tensor, r->next++, number);
    return true;
}

static void take_numbers(struct reading *r, const json_t *array, const struct where *at)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        struct where element = {.up = at, .index = i};
        r->right = take_number(r, json_array_get(array, i), &element) && r->right;
    }
}

/* The elements of a rectangle, of which `depth` axes are left. Recursion is as deep as the rank. */
static void take_elements(struct reading *r, const json_t *value, int depth, const struct where *at)
{
    if (depth == 0) {
        r->right = take_number(r, value, at) && r->right;
    } else if (depth == 1) {
        take_numbers(r, value, at);
    } else {
        for (size_t i = 0; i < json_array_size(value); i++) {
            struct where element = {.up = at, .index = i};
            take_elements(r, json_array_get(value, i), depth - 1, &element);
        }
    }
}

/* Whether the arrays from `axis` on have the sizes of `shape`. Asked before there is a tensor: what is not rectangular
 * could claim far more elements than the text has. */
static bool is_rectangle(const json_t *value, const struct shape *shape, int axis, const struct where *at,
                         struct error *err)
{
    if (axis == shape->rank)
        return true; /* numbers are checked when they are read */
    if (!json_is_array(value)) {
        mistake(err, ERR_invalid_tensor, at, "this must be an array of %lld, as its neighbours are, not %s",
                (long long)shape->dim[axis], json_kind(value));
        return false;
    }
    if ((int64_t)json_array_size(value) != shape->dim[axis]) {
        mistake(err, ERR_invalid_tensor, at, "this array has %zu elements, its neighbours have %lld",
                json_array_size(value), (long long)shape->dim[axis]);
        return false;
    }
    bool right = true;
    for (size_t i = 0; axis + 1 < shape->rank && i < json_array_size(value); i++) {
        struct where element = {.up = at, .index = i};
        right = is_rectangle(json_array_get(value, i), shape, axis + 1, &element, err) && right;
    }
    return right;
}

static bool new_tensor(enum dtype dtype, struct shape shape, const struct limits *limits, const struct where *at,
                       struct tensor **ret, struct error *err)
{
    int64_t elements;
    char text[SHAPE_TEXT_MAX];
    if (!shape_elements(shape, &elements) || elements > limits->tensor_elements) {
        mistake(err, ERR_limit_exceeded, at, "a tensor %s has over %lld elements", shape_text(shape, text),
                (long long)limits->tensor_elements);
        return false;
    }
    return tensor_new(dtype, shape, ret, err) == ERR_ok;
}

/* The shape that nested arrays have along their first elements. */
static bool nested_shape(const json_t *value, const struct limits *limits, const struct where *at, struct shape *ret,
                         struct error *err)
{
    *ret = (struct shape){0};
    while (json_is_array(value)) {
        if (ret->rank >= limits->rank || ret->rank >= RANK_MAX) {
            mistake(err, ERR_rank_too_large, at, "a tensor has at most %lld dimensions", (long long)limits->rank);
            return false;
        }
        ret->dim[ret->rank++] = (int64_t)json_array_size(value);
        value = json_array_get(value, 0);
        if (!value)
            break;
    }
    return true;
}

/* {"shape", "data"} */
static bool read_flat(const json_t *value, enum dtype dtype, const struct limits *limits, const struct where *at,
                      struct tensor **ret, struct error *err)
{
    static const char *const known[] = {"shape", "data", NULL};
    bool right = read_object(value, known, at, err);
    const json_t *sizes = required_field(value, "shape", at, err), *data = required_field(value, "data", at, err);
    struct where at_shape = {.up = at, .key = "shape"}, at_data = {.up = at, .key = "data"};
    struct shape shape = {0};
    right = sizes && read_shape(sizes, limits, &at_shape, &shape, err) && right;
    if (data && !json_is_array(data)) {
        mistake(err, ERR_wrong_type, &at_data, "this must be an array of numbers, not %s", json_kind(data));
        right = false;
    }
    if (!right || !data)
        return false;
    if (!shape_is_concrete(shape)) {
        mistake(err, ERR_invalid_tensor, &at_shape, "the shape of a value is made of numbers");
        return false;
    }
    struct reading r = {.right = true, .err = err};
    int64_t elements;
    if (shape_elements(shape, &elements) && elements != (int64_t)json_array_size(data)) {
        mistake(err, ERR_invalid_tensor, &at_data, "the shape has %lld elements, the data %zu", (long long)elements,
                json_array_size(data));
        return false;
    }
    if (!new_tensor(dtype, shape, limits, at, &r.tensor, err))
        return false;
    take_numbers(&r, data, &at_data);
    if (!r.right) {
        tensor_free(r.tensor);
        return false;
    }
    *ret = r.tensor;
    return true;
}

bool read_tensor(const json_t *value, enum dtype dtype, const struct limits *limits, const struct where *at,
                 struct tensor **ret, struct error *err)
{
    if (json_is_object(value))
        return read_flat(value, dtype, limits, at, ret, err);
    if (!json_is_array(value) && !json_is_real(value)) {
        mistake(err, ERR_wrong_type, at,
                "this must be a tensor (a number, nested arrays, or {\"shape\", \"data\"}), not %s", json_kind(value));
        return false;
    }
    struct shape shape;
    struct reading r = {.right = true, .err = err};
    if (!nested_shape(value, limits, at, &shape, err) || !is_rectangle(value, &shape, 0, at, err) ||
        !new_tensor(dtype, shape, limits, at, &r.tensor, err))
        return false;
    take_elements(&r, value, shape.rank, at);
    if (!r.right) {
        tensor_free(r.tensor);
        return false;
    }
    *ret = r.tensor;
    return true;
}

bool read_shape(const json_t *value, const struct limits *limits, const struct where *at, struct shape *ret,
                struct error *err)
{
    if (!json_is_array(value)) {
        mistake(err, ERR_wrong_type, at, "a shape is an array of sizes, the first of which may be \"batch\", not %s",
                json_kind(value));
        return false;
    }
    size_t rank = json_array_size(value);
    if (rank > (size_t)limits->rank || rank > RANK_MAX) {
        mistake(err, ERR_rank_too_large, at, "a tensor has at most %lld dimensions, not %zu", (long long)limits->rank,
                rank);
        return false;
    }
    struct shape shape = {.rank = (int)rank};
    bool right = true;
    for (size_t i = 0; i < rank; i++) {
        const json_t *size = json_array_get(value, i);
        struct where element = {.up = at, .index = i};
        if (json_is_string(size)) {
            shape.dim[i] = DIM_BATCH;
            if (i > 0 || strcmp(json_string_value(size), "batch") != 0) {
                mistake(err, ERR_invalid_value, &element,
                        "only the first size may be a word, and the word is \"batch\"");
                right = false;
            }
        } else {
            right = read_whole(size, 0, limits->tensor_elements, &element, &shape.dim[i], err) && right;
        }
    }
    if (right)
        *ret = shape;
    return right;
}

bool read_wholes(const json_t *value, int64_t least, int64_t most_value, size_t most, const struct where *at,
                 int64_t **ret, size_t *ret_count, struct error *err)
{
    bool is_array = json_is_array(value);
    size_t count = is_array ? json_array_size(value) : 1;
    if (count > most) {
        mistake(err, ERR_limit_exceeded, at, "there may be %zu numbers here, not %zu", most, count);
        return false;
    }
    int64_t *items = calloc(count + 1, sizeof *items);
    if (!items) {
        error_set(err, ERR_out_of_memory, NULL);
        return false;
    }
    bool right = true;
    for (size_t i = 0; i < count; i++) {
        struct where element = {.up = at, .index = i};
        right = read_whole(is_array ? json_array_get(value, i) : value, least, most_value, is_array ? &element : at,
                           &items[i], err) &&
                right;
    }
    if (!right) {
        free(items);
        return false;
    }
    *ret = items;
    *ret_count = count;
    return true;
}
