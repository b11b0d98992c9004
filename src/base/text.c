/* A text that grows by doubling. */
#include "base/text.h"

#include "base/size.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_FIRST = 64 };

/* Makes room for `more` bytes and the NUL. */
static bool text_reserve(struct text *t, size_t more)
{
    size_t needed;
    if (t->failed)
        return false;
    if (!size_add(t->length, more, &needed) || !size_add(needed, 1, &needed)) {
        t->failed = true;
        return false;
    }
    if (t->data != NULL && needed <= t->capacity)
        return true;
    size_t capacity = t->capacity > 0 ? t->capacity : TEXT_FIRST;
    while (capacity < needed)
        if (!size_mul(capacity, 2, &capacity))
            capacity = needed;
    char *data = realloc(t->data, capacity);
    if (data == NULL) {
        t->failed = true;
        return false;
    }
    t->data = data;
    t->capacity = capacity;
    return true;
}

void text_add(struct text *t, const char *bytes, size_t length)
{
    if (!text_reserve(t, length))
        return;
    if (length > 0)
        memcpy(t->data + t->length, bytes, length);
    t->length += length;
    t->data[t->length] = '\0';
}

void text_puts(struct text *t, const char *string)
{
    text_add(t, string, strlen(string));
}

void text_putc(struct text *t, char c)
{
    if (t->failed || t->data == NULL || t->capacity - t->length < 2) {
        text_add(t, &c, 1);
        return;
    }
    t->data[t->length++] = c;
    t->data[t->length] = '\0';
}

char *text_room(struct text *t, size_t more)
{
    return text_reserve(t, more) ? t->data + t->length : NULL;
}

void text_whole(struct text *t, int64_t value)
{
    char buffer[24], *end = buffer + sizeof buffer, *at = end;
    uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;
    do
        *--at = (char)('0' + left % 10);
    while ((left /= 10) > 0);
    if (value < 0)
        *--at = '-';
    text_add(t, at, (size_t)(end - at));
}

void text_printf(struct text *t, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0)
        t->failed = true;
    if (length < 0 || !text_reserve(t, (size_t)length))
        return;
    va_start(arguments, format);
    vsnprintf(t->data + t->length, (size_t)length + 1, format, arguments);
    va_end(arguments);
    t->length += (size_t)length;
}

char *text_take(struct text *t)
{
    if (t->data == NULL)
        text_add(t, "", 0);
    if (t->failed) {
        text_clear(t);
        return NULL;
    }
    char *data = t->data;
    *t = (struct text){0};
    return data;
}

void text_clear(struct text *t)
{
    free(t->data);
    *t = (struct text){0};
}
