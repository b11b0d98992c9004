/* Reading CSV into a table in memory, as the tests of this folder do it. */
#ifndef GRADD_TESTS_DATA_READ_H
#define GRADD_TESTS_DATA_READ_H

#include "data/csv.h"
#include "support/near.h"

struct text_piece {
    const char *bytes;
    size_t length;
};
/* A string literal, which may have NULs in it: as an initializer, and as a value. */
#define TEXT_OF(literal)                                                                                               \
    {                                                                                                                  \
        literal, sizeof(literal) - 1                                                                                   \
    }
#define TEXT(literal) ((struct text_piece)TEXT_OF(literal))

/* Feeds the text in pieces of `piece` bytes. */
err_code read_pieces(struct text_piece text, size_t piece, const struct csv_type *types, size_t type_count,
                     struct table **ret, struct error *err);
/* All at once, without types; fails the test where that fails. */
struct table *read_table(struct text_piece text);
/* A whole file of tests/data, to be freed. */
char *read_file(const char *path, size_t *ret_length);
struct table *read_file_table(const char *path);
size_t column_at(const struct table *t, const char *name);

#endif
