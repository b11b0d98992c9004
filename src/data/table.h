/* Tables: named columns of numbers and categories, as one row-major matrix of doubles.
 *
 * A number column of shape () is one value a row; one of shape (8,8) is 64 side by side. A category column is one value a row: its code, an index
 * into `labels`. Codes are in order of first sight; `order` is the permutation that sorts labels by bytes. A row is `width` doubles. */
#ifndef GRADD_DATA_TABLE_H
#define GRADD_DATA_TABLE_H

#include "base/tensor.h"

enum column_type { COLUMN_NUMBER, COLUMN_CATEGORY };
enum { CATEGORIES_MAX = 100000 };

struct column {
    char *name;             /* owned */
    enum column_type type;
    struct shape shape;     /* of a row's value: () for a category */
    size_t offset, width;   /* where its values stand in a row, in doubles */
    double min, max, mean, std; /* over all values; std is the population's; of numbers only */
    char **labels;          /* owned; category_count, in order of first sight */
    size_t category_count;
    uint32_t *order;        /* owned; labels[order[0]] < labels[order[1]] < ... by bytes */
};

/* What is known of a table without its values. */
struct table_info {
    struct column *columns; /* owned */
    size_t column_count;
    size_t width;           /* doubles in a row */
    int64_t rows;
    char digest[65];        /* SHA-256 of names, types, shapes, labels in byte order, and values row by row (categories as rank in byte order), independent of how it came */
};
void table_info_clear(struct table_info *info);
bool table_find_column(const struct table_info *info, const char *name, size_t *ret);
/* The rank of a category's code in byte order: what "a category is its number" means. */
uint32_t column_rank(const struct column *c, uint32_t code);

/* Receives rows while they are read: `count` values (whole rows), row-major. The buffer is the builder's. Returns ERR_ok to go on. */
typedef err_code table_sink(void *context, const double *values, size_t count, struct error *err);

/* Gathers rows from a reader, in bounded memory (about 1 MiB and the labels): checks, statistics, codes, digest; hands full blocks to the sink.
 * After the first error rows are counted but no longer handed on. */
struct table_builder;
struct table_builder_column {
    const char *name;
    enum column_type type;
    struct shape shape;
};
err_code table_builder_new(const struct table_builder_column *columns, size_t count, table_sink *sink, void *context, struct table_builder **ret, struct error *err);
/* One row: numbers[width]; for category columns the text of the label in labels[column] (length label_lengths[column]), the number is ignored. */
err_code table_builder_row(struct table_builder *b, const double *numbers, const char *const *labels, const size_t *label_lengths, struct error *err);
/* Ends the table: flushes, and hands over what is known of it. */
err_code table_builder_finish(struct table_builder *b, struct table_info *ret, struct error *err);
void table_builder_free(struct table_builder *b);

#endif
