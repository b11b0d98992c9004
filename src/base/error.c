/* Errors: the list, its strings, and the table of codes made from errors.def. */
#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *title;
    enum err_class class;
} codes[ERR_COUNT] = {
    [ERR_ok] = {"ok", "nothing is wrong", ERR_CLASS_NONE},
#define ERR(code, class, title) [ERR_##code] = {#code, title, ERR_CLASS_##class},
#include "base/errors.def"
#undef ERR
};

const char *err_name(err_code code)
{
    return code < ERR_COUNT ? codes[code].name : "internal";
}

const char *err_title(err_code code)
{
    return code < ERR_COUNT ? codes[code].title : codes[ERR_internal].title;
}

enum err_class err_class_of(err_code code)
{
    return code < ERR_COUNT ? codes[code].class : ERR_CLASS_BUG;
}

bool err_find(const char *name, err_code *ret)
{
    for (int code = ERR_ok + 1; code < ERR_COUNT; code++) {
        if (strcmp(codes[code].name, name) == 0) {
            *ret = (err_code)code;
            return true;
        }
    }
    return false;
}

/* The formatted sentence, cut to ERROR_DETAIL_MAX bytes between two UTF-8 characters; NULL if there is no memory. */
static char *format_detail(const char *format, va_list arguments)
{
    static const char ellipsis[] = "...";
    char *detail;
    if (vasprintf(&detail, format, arguments) < 0)
        return NULL;
    if (strlen(detail) > ERROR_DETAIL_MAX) {
        size_t end = ERROR_DETAIL_MAX - (sizeof ellipsis - 1);
        while (end > 0 && ((unsigned char)detail[end] & 0xC0) == 0x80)
            end--;
        memcpy(detail + end, ellipsis, sizeof ellipsis);
    }
    return detail;
}

static void item_clear(struct error_item *item)
{
    free(item->pointer);
    free(item->detail);
    free(item->field);
    *item = (struct error_item){0};
}

/* Room for one more item; NULL if the list is full or there is no memory. */
static struct error_item *next_item(struct error *err)
{
    if (err->item_count >= ERROR_ITEMS_MAX)
        return NULL;
    /* The array grows at powers of two: that is where the count is one. */
    if ((err->item_count & (err->item_count - 1)) == 0) {
        size_t capacity = err->item_count > 0 ? 2 * err->item_count : 1;
        struct error_item *items = realloc(err->items, capacity * sizeof *items);
        if (items == NULL)
            return NULL;
        err->items = items;
    }
    return &err->items[err->item_count];
}

/* Counts the item and lists it if there is room; takes over its strings. `complete` says that all of them could be
 * made. */
static void list_item(struct error *err, struct error_item item, bool complete)
{
    struct error_item *slot = complete ? next_item(err) : NULL;
    err->total++;
    if (err->code == ERR_ok)
        err->code = item.code;
    if (slot == NULL) {
        item_clear(&item);
        return;
    }
    *slot = item;
    err->item_count++;
}

/* Fills in the strings of the item and lists it. */
static void add_item(struct error *err, struct error_item item, const char *pointer, const char *field,
                     const char *format, va_list arguments)
{
    bool complete = true;
    item.detail = format_detail(format, arguments);
    complete = item.detail != NULL;
    if (pointer != NULL) {
        item.pointer = strdup(pointer);
        complete = complete && item.pointer != NULL;
    }
    if (field != NULL) {
        item.field = strdup(field);
        complete = complete && item.field != NULL;
    }
    list_item(err, item, complete);
}

err_code(error_set)(struct error *err, err_code code, const char *format, ...)
{
    if (err == NULL)
        return code;
    va_list arguments;
    va_start(arguments, format);
    char *detail = format_detail(format, arguments);
    va_end(arguments);
    free(err->detail);
    err->code = code;
    err->detail = detail;
    return code;
}

err_code(error_add)(struct error *err, err_code code, struct place place, const char *format, ...)
{
    if (err == NULL)
        return code;
    struct error_item item = {.code = code, .line = place.line, .column = place.column};
    va_list arguments;
    va_start(arguments, format);
    add_item(err, item, place.pointer, NULL, format, arguments);
    va_end(arguments);
    return code;
}

err_code(error_add_shapes)(struct error *err, err_code code, struct place place, struct shape expected,
                           struct shape actual, const char *format, ...)
{
    if (err == NULL)
        return code;
    struct error_item item = {.code = code,
                              .line = place.line,
                              .column = place.column,
                              .has_shapes = true,
                              .expected = expected,
                              .actual = actual};
    va_list arguments;
    va_start(arguments, format);
    add_item(err, item, place.pointer, NULL, format, arguments);
    va_end(arguments);
    return code;
}

err_code(error_add_cell)(struct error *err, err_code code, int line, int64_t row, const char *field, const char *format,
                         ...)
{
    if (err == NULL)
        return code;
    struct error_item item = {.code = code, .line = line, .row = row};
    va_list arguments;
    va_start(arguments, format);
    add_item(err, item, NULL, field, format, arguments);
    va_end(arguments);
    return code;
}

err_code error_close(struct error *err, err_code code, const char *what)
{
    if (err == NULL || err->total == 0)
        return ERR_ok;
    return error_set(err, code, "%zu error%s in %s", err->total, err->total == 1 ? "" : "s", what);
}

void error_prefix(struct error *err, const char *prefix)
{
    if (err == NULL)
        return;
    for (size_t i = 0; i < err->item_count; i++) {
        char *old = err->items[i].pointer;
        char *longer;
        if (asprintf(&longer, "%s%s", prefix, old != NULL ? old : "") < 0)
            longer = NULL; /* a pointer to the wrong place would be worse than none */
        free(old);
        err->items[i].pointer = longer;
    }
}

void error_move(struct error *to, struct error *from)
{
    if (to == from || from == NULL)
        return;
    if (to != NULL) {
        bool had_code = to->code != ERR_ok; /* listing an item sets it */
        size_t unlisted = from->total - from->item_count;
        for (size_t i = 0; i < from->item_count; i++)
            list_item(to, from->items[i], true);
        to->total += unlisted;
        if (!had_code) {
            to->code = from->code;
            free(to->detail);
            to->detail = from->detail;
            from->detail = NULL;
        }
        from->item_count = 0;
    }
    error_clear(from);
}

void error_clear(struct error *err)
{
    if (err == NULL)
        return;
    for (size_t i = 0; i < err->item_count; i++)
        item_clear(&err->items[i]);
    free(err->items);
    free(err->detail);
    *err = (struct error){0};
}
