/* The writer of replies' JSON. */
#include "api/reply.h"

#include "base/clock.h"
#include "base/number.h"
#include "base/utf8.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static void separate(struct json *j)
{
    if (j->comma)
        text_putc(j->text, ',');
    j->comma = true;
}

static void open_with(struct json *j, char bracket)
{
    separate(j);
    text_putc(j->text, bracket);
    j->comma = false;
}

static void close_with(struct json *j, char bracket)
{
    text_putc(j->text, bracket);
    j->comma = true;
}

void put_object(struct json *j)
{
    open_with(j, '{');
}

void put_object_end(struct json *j)
{
    close_with(j, '}');
}

void put_array(struct json *j)
{
    open_with(j, '[');
}

void put_array_end(struct json *j)
{
    close_with(j, ']');
}

static void write_escaped(struct text *t, unsigned char c)
{
    static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    for (size_t i = 0; letters[i] != '\0'; i += 2) {
        if ((unsigned char)letters[i] == c) {
            const char pair[] = {'\\', letters[i + 1]};
            text_add(t, pair, 2);
            return;
        }
    }
    text_printf(t, "\\u%04x", c);
}

/* A quoted string. Bytes that are not UTF-8 are told as the replacement character, so that the whole stays JSON. */
static void write_string(struct text *t, const char *value)
{
    size_t length = strlen(value), from = 0, i = 0;
    text_putc(t, '"');
    while (i < length) {
        unsigned char c = (unsigned char)value[i];
        size_t bytes = c < 0x80 ? 1 : utf8_character(value + i, length - i);
        if (bytes > 0 && c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) {
            i += bytes;
            continue;
        }
        text_add(t, value + from, i - from);
        if (bytes == 0)
            text_puts(t, "\xef\xbf\xbd");
        else
            write_escaped(t, c);
        from = ++i;
    }
    text_add(t, value + from, length - from);
    text_putc(t, '"');
}

void put_key(struct json *j, const char *key)
{
    separate(j);
    write_string(j->text, key);
    text_putc(j->text, ':');
    j->comma = false;
}

void put_string(struct json *j, const char *value)
{
    separate(j);
    if (value == NULL)
        text_puts(j->text, "null");
    else
        write_string(j->text, value);
}

void put_whole(struct json *j, int64_t value)
{
    separate(j);
    text_whole(j->text, value);
}

/* Writes an element of a tensor; room for NUMBER_TEXT_MAX bytes. */
static size_t print_number(double value, char *out, bool *nonfinite)
{
    if (isfinite(value))
        return number_print(value, out);
    *nonfinite = true;
    memcpy(out, "null", 4);
    return 4;
}

static size_t print_float(float value, char *out, bool *nonfinite)
{
    if (isfinite(value))
        return number_print_float(value, out);
    *nonfinite = true;
    memcpy(out, "null", 4);
    return 4;
}

void put_number(struct json *j, double value)
{
    char out[NUMBER_TEXT_MAX];
    separate(j);
    text_add(j->text, out, print_number(value, out, &j->nonfinite));
}

void put_float(struct json *j, float value)
{
    char out[NUMBER_TEXT_MAX];
    separate(j);
    text_add(j->text, out, print_float(value, out, &j->nonfinite));
}

void put_bool(struct json *j, bool value)
{
    separate(j);
    text_puts(j->text, value ? "true" : "false");
}

void put_null(struct json *j)
{
    separate(j);
    text_puts(j->text, "null");
}

void put_raw(struct json *j, const char *text, size_t length)
{
    separate(j);
    text_add(j->text, text, length);
}

void put_time(struct json *j, int64_t milliseconds)
{
    char out[CLOCK_TEXT_MAX];
    put_string(j, milliseconds != 0 ? clock_text(milliseconds, out) : NULL);
}

void put_shape(struct json *j, struct shape shape)
{
    put_array(j);
    for (int i = 0; i < shape.rank; i++) {
        char name[32];
        if (shape.dim[i] >= 0) {
            put_whole(j, shape.dim[i]);
        } else if (shape.dim[i] == DIM_BATCH) {
            put_string(j, "batch");
        } else if (shape.dim[i] == DIM_ANY) {
            put_null(j);
        } else {
            snprintf(name, sizeof name, "%lld*batch", (long long)-shape.dim[i]);
            put_string(j, name);
        }
    }
    put_array_end(j);
}

/* Elements [from, from + count) with commas between them, through a stretch of room for several: a text grows byte by
 * byte too slowly. */
static void write_elements(struct json *j, const struct tensor *t, int64_t from, int64_t count)
{
    enum { STRETCH = 64 };
    const int64_t end = from + count;
    for (int64_t i = from; i < end;) {
        const int64_t stop = end - i < STRETCH ? end : i + STRETCH;
        char *room = text_room(j->text, (size_t)(stop - i) * (NUMBER_TEXT_MAX + 1)), *at = room;
        if (room == NULL)
            return;
        for (; i < stop; i++) {
            if (i > from)
                *at++ = ',';
            if (t->dtype == DTYPE_FLOAT32)
                at += print_float(((const float *)t->data)[i], at, &j->nonfinite);
            else
                at += print_number(((const double *)t->data)[i], at, &j->nonfinite);
        }
        *at = '\0';
        j->text->length += (size_t)(at - room);
    }
}

/* The part of the tensor under the first `axis` indices, whose elements start at *from. */
static void write_nested(struct json *j, const struct tensor *t, int axis, int64_t *from)
{
    if (axis == t->shape.rank) {
        write_elements(j, t, *from, 1);
        *from += 1;
        return;
    }
    int64_t count = t->shape.dim[axis];
    text_putc(j->text, '[');
    if (axis == t->shape.rank - 1) {
        write_elements(j, t, *from, count);
        *from += count;
    } else {
        for (int64_t i = 0; i < count; i++) {
            if (i > 0)
                text_putc(j->text, ',');
            write_nested(j, t, axis + 1, from);
        }
    }
    text_putc(j->text, ']');
}

void put_tensor(struct json *j, const struct tensor *t, bool flat)
{
    if (!flat) {
        int64_t from = 0;
        separate(j);
        write_nested(j, t, 0, &from);
        return;
    }
    put_object(j);
    put_key(j, "shape");
    put_shape(j, t->shape);
    put_key(j, "data");
    separate(j);
    text_putc(j->text, '[');
    write_elements(j, t, 0, tensor_elements(t));
    text_putc(j->text, ']');
    put_object_end(j);
}

void put_nonfinite(struct json *j)
{
    if (!j->nonfinite)
        return;
    put_key(j, "nonfinite");
    put_bool(j, true);
}
