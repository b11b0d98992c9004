/* CSV (RFC 4180), as a stream: fed in pieces of any size, in memory that does not grow with the text.
 *
 * Comma, UTF-8, a BOM is skipped, LF or CRLF, a header of unique names, at least one row. Spaces are part of a cell.
 * Blank lines at the end are dropped; elsewhere they are rows like others. A column is a number if its cell in the
 * first row is one, else a category; `types` decides otherwise. A first cell that only looks like a number (nan, inf,
 * hexadecimal, with spaces around it, beyond double's range) makes the column one of numbers too, so that it is told
 * and not taken for a label. A number is [+-] digits [. digits] [e [+-] digits], finite.
 *
 * Every mistake is an item with line (where the row starts; for breaks of the grammar, where they stand), row (1 =
 * first after the header, 0 = the header) and field (the column's name, where there is one); the first 100 are kept,
 * all are counted. The mistakes do not depend on how the text was cut into pieces. */
#ifndef GRADD_DATA_CSV_H
#define GRADD_DATA_CSV_H

#include "data/table.h"

struct csv_type {
    const char *column; /* borrowed; csv_new() copies it */
    enum column_type type;
};

struct csv_reader;
err_code csv_new(const struct csv_type *types, size_t type_count, table_sink *sink, void *context,
                 struct csv_reader **ret, struct error *err);
/* Errors of the text are gathered inside, and reading goes on; only failures of the sink or of memory are returned, and
 * then again by every later call. */
err_code csv_feed(struct csv_reader *r, const char *bytes, size_t length, struct error *err);
/* The end of the text. With mistakes: ERR_invalid_dataset and all items. */
err_code csv_finish(struct csv_reader *r, struct table_info *ret, struct error *err);
void csv_free(struct csv_reader *r);

#endif
