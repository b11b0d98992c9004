/* A text that grows. After a failed allocation it is `failed`, keeps what it had and ignores what comes; check once, at
 * the end. */
#ifndef GRADD_BASE_TEXT_H
#define GRADD_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
    char *data; /* owned; NUL-terminated once anything was added, else NULL */
    size_t length, capacity;
    bool failed;
};

void text_add(struct text *t, const char *bytes, size_t length);
void text_puts(struct text *t, const char *string);
void text_putc(struct text *t, char c);
/* Where the next `more` bytes go, for the caller to write and to add to `length`; NULL if failed. No NUL stands behind
 * them until something is added. */
char *text_room(struct text *t, size_t more);
void text_whole(struct text *t, int64_t value); /* decimal */
void text_printf(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *text_take(struct text *t); /* hands over the bytes ("" if none) and empties t; NULL if failed */
void text_clear(struct text *t);

#endif
