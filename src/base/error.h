/* Errors: one code for the whole, and a list of what is wrong and where.
 *
 * Every function that can fail returns an err_code (ERR_ok is 0) and fills a `struct error` that its caller owns: start
 * with `struct error err = {0}`, end with error_clear(). `err` may be NULL everywhere: then only the code is told. A
 * reader of client input adds an item for each mistake and goes on; whoever knows what was being read closes the list
 * with error_close(). Nothing here fails for want of memory: what can't be stored is counted. */
#ifndef GRADD_BASE_ERROR_H
#define GRADD_BASE_ERROR_H

#include "base/shape.h"
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum err_code {
    ERR_ok = 0,
#define ERR(code, class, title) ERR_##code,
#include "base/errors.def"
#undef ERR
    ERR_COUNT
} err_code;

enum err_class {
    ERR_CLASS_NONE,
    ERR_CLASS_MALFORMED,
    ERR_CLASS_MISSING,
    ERR_CLASS_METHOD,
    ERR_CLASS_ACCEPT,
    ERR_CLASS_LENGTH,
    ERR_CLASS_LARGE,
    ERR_CLASS_MEDIA,
    ERR_CLASS_EXPECT,
    ERR_CLASS_INVALID,
    ERR_CLASS_CONFLICT,
    ERR_CLASS_GONE,
    ERR_CLASS_BUSY,
    ERR_CLASS_FULL,
    ERR_CLASS_BUG,
};

enum {
    ERROR_ITEMS_MAX = 100,  /* items that are listed; more are only counted */
    ERROR_DETAIL_MAX = 2000 /* bytes of a detail; longer ones, which quote a client, are cut */
};

/* Where in a request something stands. Zero or NULL means: not told. Strings are borrowed, and copied by error_add().
 */
struct place {
    const char *pointer; /* JSON Pointer into the request, "/program" */
    int line, column;    /* in a text, 1 = first */
};

struct error_item {
    err_code code;
    char *pointer; /* owned */
    char *detail;  /* owned; a sentence in plain English */
    char *field;   /* owned; the column's name, for errors in data */
    int line, column;
    int64_t row;     /* 1 = first after the header */
    bool has_shapes; /* `expected` and `actual` are told */
    struct shape expected, actual;
};

struct error {
    err_code code;            /* of the whole: the problem's type */
    char *detail;             /* owned; may be NULL */
    struct error_item *items; /* owned; the first ERROR_ITEMS_MAX */
    size_t item_count;        /* items that are listed */
    size_t total;             /* items that were added */
};

/* Sets the whole's code and detail in place of earlier ones; the items stay. Returns code. */
err_code error_set(struct error *err, err_code code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Adds one item; returns code. The whole's code becomes this one if it has none yet. */
err_code error_add(struct error *err, err_code code, struct place place, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* As error_add, for two shapes that do not agree. */
err_code error_add_shapes(struct error *err, err_code code, struct place place, struct shape expected,
                          struct shape actual, const char *format, ...) __attribute__((format(printf, 6, 7)));

/* As error_add, for a cell of a table. `field` may be NULL; row and line are 0 where they are not known. */
err_code error_add_cell(struct error *err, err_code code, int line, int64_t row, const char *field, const char *format,
                        ...) __attribute__((format(printf, 6, 7)));

/* If items were added since the start: sets the whole's code, with a detail like "2 errors in <what>", and returns
 * code; else ERR_ok. */
err_code error_close(struct error *err, err_code code, const char *what);

/* Prefixes every item's pointer ("/model" + "/program"), where a reader was called for a part. */
void error_prefix(struct error *err, const char *prefix);

/* Moves the items of `from` to the end of `to`, and its code and detail where `to` has no code yet; clears `from`. */
void error_move(struct error *to, struct error *from);

void error_clear(struct error *err);

const char *err_name(err_code code);  /* "shape_mismatch" */
const char *err_title(err_code code); /* "operand shapes do not agree" */
enum err_class err_class_of(err_code code);
bool err_find(const char *name, err_code *ret); /* by name */

#ifdef __clang_analyzer__
/* The analyzer does not see that these return their code. error.c writes (error_set)(...) where it defines them. */
#define error_set(err, code, ...) ((void)error_set(err, code, __VA_ARGS__), (code))
#define error_add(err, code, ...) ((void)error_add(err, code, __VA_ARGS__), (code))
#define error_add_shapes(err, code, ...) ((void)error_add_shapes(err, code, __VA_ARGS__), (code))
#define error_add_cell(err, code, ...) ((void)error_add_cell(err, code, __VA_ARGS__), (code))
#endif

#endif
