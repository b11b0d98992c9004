/* Strict reading of JSON (RFC 8259, RFC 7493) by Jansson, and the checks that every part of the codec shares.
 *
 * A reader of a value takes where it stands (a chain on the stack, written out as a JSON Pointer only when there is a
 * mistake to tell), adds an item for each mistake and returns false, so that its caller can go on with the rest. */
#ifndef GRADD_API_CODEC_READ_H
#define GRADD_API_CODEC_READ_H

#include "api/reply.h"
#include "base/error.h"
#include <jansson.h>

/* Where a value stands: below `up`, by key or, if key is NULL, by index. The root has no `up`. */
struct where {
    const struct where *up;
    const char *key;
    size_t index;
};

/* The whole text as one value. invalid_json with line and column: syntax, duplicate keys, invalid UTF-8, a BOM, NUL,
 * nesting over `nesting`, a number out of range. body_too_large: so many values that they would take over 1 GiB. */
err_code json_read(const char *bytes, size_t size, int64_t nesting, json_t **ret, struct error *err);
/* As json_read, of a text from which something was lifted whose values would have taken `lifted` bytes. */
err_code json_read_rest(const char *bytes, size_t size, int64_t nesting, int64_t lifted, json_t **ret,
                        struct error *err);
/* What json_read counts for nested arrays of numbers: bytes of text, numbers, and arrays. */
int64_t json_numbers_memory(size_t bytes, size_t numbers, size_t arrays);

/* Adds an item that stands at `at`. */
void mistake(struct error *err, err_code code, const struct where *at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The JSON Pointer (RFC 6901) of `at`, for the caller to free; NULL if there is no memory. */
char *where_pointer(const struct where *at);

/* "a string", "an object", ...: for messages. */
const char *json_kind(const json_t *value);

/* An object with no fields but `known` (NULL-ended): unknown_field for each other, with a guess. */
bool read_object(const json_t *value, const char *const *known, const struct where *at, struct error *err);
/* A field that must be there: missing_field if not. */
const json_t *required_field(const json_t *object, const char *name, const struct where *at, struct error *err);

bool read_string(const json_t *value, const struct where *at, const char **ret, struct error *err);
bool read_bool(const json_t *value, const struct where *at, bool *ret, struct error *err);
bool read_number(const json_t *value, const struct where *at, double *ret, struct error *err);
bool read_whole(const json_t *value, int64_t least, int64_t most, const struct where *at, int64_t *ret,
                struct error *err);
/* A name of a model or data set: [A-Za-z0-9][A-Za-z0-9._-]{0,63}. */
bool read_name(const json_t *value, const struct where *at, const char **ret, struct error *err);

/* A value as Jansson holds it, written again, keys in their order. */
void put_value(struct json *j, const json_t *value);

#define WHOLE_MAX ((int64_t)9007199254740991) /* 2^53 - 1 */

#endif
