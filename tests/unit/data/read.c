#include "read.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Each piece is a block of its own, so that reading beyond it is seen. */
static err_code feed(struct csv_reader *r, struct text_piece text, size_t piece, struct error *err)
{
    err_code code = ERR_ok;
    for (size_t at = 0; at < text.length && !code; at += piece) {
        size_t length = text.length - at < piece ? text.length - at : piece;
        char *copy = malloc(length);
        assert_non_null(copy);
        memcpy(copy, text.bytes + at, length);
        code = csv_feed(r, copy, length, err);
        free(copy);
    }
    return code;
}

err_code read_pieces(struct text_piece text, size_t piece, const struct csv_type *types, size_t type_count,
                     struct table **ret, struct error *err)
{
    struct csv_reader *r = NULL;
    struct table_memory memory = {0};
    struct table_info info = {0};
    assert_int_equal(csv_new(types, type_count, table_memory_sink, &memory, &r, err), ERR_ok);
    err_code code = feed(r, text, piece, err);
    if (!code)
        code = csv_finish(r, &info, err);
    csv_free(r);
    if (!code) {
        assert_int_equal(memory.count, (size_t)info.rows * info.width);
        code = table_new(&info, memory.values, ret, err);
    }
    if (code)
        free(memory.values);
    return code;
}

struct table *read_table(struct text_piece text)
{
    struct table *t = NULL;
    struct error err = {0};
    err_code code = read_pieces(text, text.length, NULL, 0, &t, &err);
    if (code)
        fail_msg("%s: %s", err_name(code), err.item_count ? err.items[0].detail : err.detail);
    error_clear(&err);
    return t;
}

char *read_file(const char *path, size_t *ret_length)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long size = ftell(file);
    assert_true(size > 0);
    assert_int_equal(fseek(file, 0, SEEK_SET), 0);
    char *bytes = malloc((size_t)size);
    assert_non_null(bytes);
    *ret_length = fread(bytes, 1, (size_t)size, file);
    assert_int_equal(*ret_length, (size_t)size);
    fclose(file);
    return bytes;
}

struct table *read_file_table(const char *path)
{
    size_t length = 0;
    char *bytes = read_file(path, &length);
    struct table *t = read_table((struct text_piece){bytes, length});
    free(bytes);
    return t;
}

size_t column_at(const struct table *t, const char *name)
{
    size_t i = 0;
    assert_true(table_find_column(&t->info, name, &i));
    return i;
}
