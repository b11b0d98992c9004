#include "api/codec_read.h"
#include "api/name.h"
#include "base/names.h"
#include "base/number.h"
#include "base/text.h"
#include "base/utf8.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the text ---- */

/* Line and column (in characters) of an offset, 1 = first. */
static struct place place_of(const char *bytes, size_t offset)
{
    struct place place = {.line = 1, .column = 1};
    for (size_t i = 0; i < offset; i++) {
        if (bytes[i] == '\n') {
            place.line++;
            place.column = 1;
        } else if (((unsigned char)bytes[i] & 0xc0) != 0x80) {
            place.column++;
        }
    }
    return place;
}

static err_code refuse(const char *bytes, size_t offset, struct error *err, const char *detail)
{
    error_add(err, ERR_invalid_json, place_of(bytes, offset), "%s", detail);
    return error_close(err, ERR_invalid_json, "the body");
}

/* What Jansson takes for values, about, in bytes: a number with its slot, an array, an object, a member's key. */
enum { NUMBER_BYTES = 48, ARRAY_BYTES = 144, OBJECT_BYTES = 256, KEY_BYTES = 80 };
#define VALUES_BYTES_MAX ((int64_t)1 << 30)

/* What can be told of a text before it is read. */
struct outline {
    bool too_deep;  /* brackets outside strings are nested deeper than allowed; Jansson's own limit is 2,048 */
    size_t deep_at; /* the offset where */
    int64_t memory; /* bytes that its values will take */
};

static struct outline outline_of(const char *bytes, size_t size, int64_t nesting)
{
    struct outline outline = {.memory = (int64_t)size};
    int64_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < size && !outline.too_deep; i++) {
        char c = bytes[i];
        if (in_string) {
            i += c == '\\';
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == ',') {
            outline.memory += NUMBER_BYTES;
        } else if (c == ':') {
            outline.memory += KEY_BYTES;
        } else if (c == '[' || c == '{') {
            outline.memory += c == '[' ? ARRAY_BYTES : OBJECT_BYTES;
            outline.too_deep = ++depth > nesting;
            outline.deep_at = i;
        } else if (c == ']' || c == '}') {
            depth--;
        }
    }
    return outline;
}

static const char *words_for(const json_error_t *e)
{
    switch (json_error_code(e)) {
    case json_error_duplicate_key:
        return "a key stands twice in one object";
    case json_error_numeric_overflow:
        return "a number is out of range";
    case json_error_premature_end_of_input:
        return "the text ends in the middle of a value";
    case json_error_end_of_input_expected:
        return "something follows the end of the value";
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return "a string has a NUL character";
    case json_error_out_of_memory:
        return NULL;
    default:
        return e->text;
    }
}

int64_t json_numbers_memory(size_t bytes, size_t numbers, size_t arrays)
{
    /* A comma before each number and each array but the first of their array. */
    return (int64_t)bytes + (int64_t)(numbers - 1) * NUMBER_BYTES + (int64_t)arrays * ARRAY_BYTES;
}

err_code json_read(const char *bytes, size_t size, int64_t nesting, json_t **ret, struct error *err)
{
    return json_read_rest(bytes, size, nesting, 0, ret, err);
}

err_code json_read_rest(const char *bytes, size_t size, int64_t nesting, int64_t lifted, json_t **ret,
                        struct error *err)
{
    size_t at = 0;
    if (size == 0)
        return error_set(err, ERR_missing_body, "the request needs a body: JSON");
    if (size >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
        return refuse(bytes, 0, err, "the text starts with a byte order mark");
    if (!utf8_valid(bytes, size, &at))
        return refuse(bytes, at, err, "the text is not UTF-8");
    const char *nul = memchr(bytes, '\0', size); /* Jansson passes over one that follows a number */
    if (nul)
        return refuse(bytes, (size_t)(nul - bytes), err, "the text has a NUL character");
    struct outline outline = outline_of(bytes, size, nesting);
    if (outline.too_deep) {
        error_add(err, ERR_invalid_json, place_of(bytes, outline.deep_at),
                  "arrays and objects are nested over %lld deep", (long long)nesting);
        return error_close(err, ERR_invalid_json, "the body");
    }
    outline.memory += lifted;
    if (outline.memory > VALUES_BYTES_MAX)
        return error_set(err, ERR_body_too_large, "the values of the body would take %lld bytes; the limit is %lld",
                         (long long)outline.memory, (long long)VALUES_BYTES_MAX);
    json_error_t e;
    json_t *value = json_loadb(bytes, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, &e);
    if (value) {
        *ret = value;
        return ERR_ok;
    }
    const char *words = words_for(&e);
    if (!words)
        return error_set(err, ERR_out_of_memory, NULL);
    error_add(err, ERR_invalid_json, (struct place){.line = e.line, .column = e.column}, "%s", words);
    return error_close(err, ERR_invalid_json, "the body");
}

/* ---- places ---- */

static void add_pointer(struct text *t, const struct where *at)
{
    /* From the root down: the chain is as deep as the nesting, which is bounded. */
    if (!at->up)
        return;
    add_pointer(t, at->up);
    text_putc(t, '/');
    if (!at->key) {
        text_printf(t, "%zu", at->index);
        return;
    }
    for (const char *c = at->key; *c; c++) {
        if (*c == '~')
            text_puts(t, "~0");
        else if (*c == '/')
            text_puts(t, "~1");
        else
            text_putc(t, *c);
    }
}

char *where_pointer(const struct where *at)
{
    struct text t = {0};
    add_pointer(&t, at);
    return text_take(&t);
}

void mistake(struct error *err, err_code code, const struct where *at, const char *format, ...)
{
    char detail[1024];
    va_list arguments;
    if (err->total >= ERROR_ITEMS_MAX) { /* counted, and cheap: there may be millions */
        error_add(err, code, (struct place){0}, "%s", "");
        return;
    }
    va_start(arguments, format);
    (void)vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    char *pointer = where_pointer(at);
    error_add(err, code, (struct place){.pointer = pointer}, "%s", detail);
    free(pointer);
}

/* ---- values ---- */

const char *json_kind(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "true or false";
    default:
        return "null";
    }
}

static bool wrong_type(const json_t *value, const struct where *at, const char *wanted, struct error *err)
{
    mistake(err, ERR_wrong_type, at, "this must be %s, not %s", wanted, json_kind(value));
    return false;
}

static bool is_known(const char *key, const char *const *known)
{
    while (*known && strcmp(*known, key) != 0)
        known++;
    return *known != NULL;
}

static void add_unknown_field(const char *key, const char *const *known, const struct where *at, struct error *err)
{
    struct where field = {.up = at, .key = key};
    struct guess guess = {.name = key};
    for (const char *const *k = known; *k && err->total < ERROR_ITEMS_MAX; k++)
        guess_offer(&guess, *k);
    if (guess.best || err->total >= ERROR_ITEMS_MAX) {
        mistake(err, ERR_unknown_field, &field, "there is no field '%.64s'; did you mean '%s'?", key, guess.best);
        return;
    }
    struct text names = {0};
    for (const char *const *k = known; *k; k++)
        text_printf(&names, "%s%s", k == known ? "" : ", ", *k);
    mistake(err, ERR_unknown_field, &field, "there is no field '%.64s'; the fields are: %s", key,
            names.data ? names.data : "");
    text_clear(&names);
}

bool read_object(const json_t *value, const char *const *known, const struct where *at, struct error *err)
{
    if (!json_is_object(value))
        return wrong_type(value, at, "an object", err);
    bool right = true;
    const char *key;
    json_t *ignored;
    json_object_foreach((json_t *)value, key, ignored)
    {
        if (!is_known(key, known)) {
            add_unknown_field(key, known, at, err);
            right = false;
        }
    }
    return right;
}

const json_t *required_field(const json_t *object, const char *name, const struct where *at, struct error *err)
{
    const json_t *value = json_object_get(object, name);
    if (!value) {
        struct where field = {.up = at, .key = name};
        mistake(err, ERR_missing_field, &field, "the field '%s' is required", name);
    }
    return value;
}

bool read_string(const json_t *value, const struct where *at, const char **ret, struct error *err)
{
    if (!json_is_string(value))
        return wrong_type(value, at, "a string", err);
    *ret = json_string_value(value);
    return true;
}

bool read_bool(const json_t *value, const struct where *at, bool *ret, struct error *err)
{
    if (!json_is_boolean(value))
        return wrong_type(value, at, "true or false", err);
    *ret = json_is_true(value);
    return true;
}

bool read_number(const json_t *value, const struct where *at, double *ret, struct error *err)
{
    if (!json_is_real(value))
        return wrong_type(value, at, "a number", err);
    *ret = json_real_value(value);
    return true;
}

bool read_whole(const json_t *value, int64_t least, int64_t most, const struct where *at, int64_t *ret,
                struct error *err)
{
    if (!json_is_real(value))
        return wrong_type(value, at, "a whole number", err);
    double number = json_real_value(value);
    char text[NUMBER_TEXT_MAX];
    if (number != floor(number)) {
        number_print(number, text);
        mistake(err, ERR_wrong_type, at, "this must be a whole number, not %s", text);
        return false;
    }
    if (number < (double)least || number > (double)most) {
        number_print(number, text);
        mistake(err, ERR_out_of_range, at, "this must be %lld to %lld, not %s", (long long)least, (long long)most,
                text);
        return false;
    }
    *ret = (int64_t)number;
    return true;
}

bool read_name(const json_t *value, const struct where *at, const char **ret, struct error *err)
{
    const char *name;
    if (!read_string(value, at, &name, err))
        return false;
    if (!name_valid(name)) {
        mistake(err, ERR_invalid_name, at,
                "a name starts with a letter or digit and has up to 64 letters, digits, '.', '_' and '-'");
        return false;
    }
    *ret = name;
    return true;
}

void put_value(struct json *j, const json_t *value)
{
    const char *key;
    json_t *item;
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        put_object(j);
        json_object_foreach((json_t *)value, key, item)
        {
            put_key(j, key);
            put_value(j, item);
        }
        put_object_end(j);
        return;
    case JSON_ARRAY:
        put_array(j);
        for (size_t i = 0; i < json_array_size(value); i++)
            put_value(j, json_array_get(value, i));
        put_array_end(j);
        return;
    case JSON_STRING:
        put_string(j, json_string_value(value));
        return;
    case JSON_INTEGER:
    case JSON_REAL:
        put_number(j, json_number_value(value));
        return;
    case JSON_TRUE:
    case JSON_FALSE:
        put_bool(j, json_is_true(value));
        return;
    case JSON_NULL:
        put_null(j);
        return;
    }
}
