/* Tables: named columns of numbers and categories, as one row-major matrix of doubles.
 *
 * A number column of shape () is one value a row; one of shape (8,8) is 64 side by side. A category column is one value
 * a row: its code, an index into `labels`. Codes are in order of first sight; `order` is the permutation that sorts the
 * labels by bytes. A row is `width` doubles.
 *
 * A struct table_info is cleared by table_info_clear(), a struct table is freed by table_free(). */
#ifndef GRADD_DATA_TABLE_H
#define GRADD_DATA_TABLE_H

#include "base/digest.h"
#include "base/tensor.h"

enum column_type { COLUMN_NUMBER, COLUMN_CATEGORY };

enum {
    CATEGORIES_MAX = 100000,      /* labels of one column */
    COLUMNS_MAX = 100000,         /* columns of a table */
    COLUMN_NAME_MAX = 256,        /* bytes of a column's name */
    TABLE_WIDTH_MAX = 1 << 20,    /* doubles in a row */
    TABLE_LABELS_MAX = 128 << 20, /* bytes that all labels of a table may take, with what each costs to keep */
    COLUMN_GUESSES_MAX = 1000,    /* among more names or labels than these no "did you mean" is looked for */
};
#define TABLE_ROWS_MAX ((int64_t)UINT32_MAX) /* rows are named by uint32_t */

struct column {
    char *name; /* owned */
    enum column_type type;
    struct shape shape;         /* of a row's value: () for a category */
    size_t offset, width;       /* where its values stand in a row, in doubles */
    double min, max, mean, std; /* over all values; std is the population's; of numbers only, 0 for categories. mean and
                                 * std are not finite where a sum is beyond double's range */
    char **labels;              /* owned; category_count, in order of first sight */
    size_t category_count;
    uint32_t *order; /* owned; labels[order[0]] < labels[order[1]] < ... by bytes */
};

/* What is known of a table without its values. */
struct table_info {
    struct column *columns; /* owned */
    size_t column_count;
    size_t width; /* doubles in a row */
    int64_t rows;
    /* SHA-256 of names, types, shapes, the number of rows, the labels in order of first sight, and the SHA-256 of the
     * values (codes for categories, the bits of numbers, so -0 is not 0). The order of first sight follows from the
     * rows, so this is a function of the table alone, whatever text it was read from. */
    char digest[DIGEST_TEXT_MAX];
};
/* The digest of a table with this info whose values have that SHA-256. info->digest is not read. */
void table_digest(const struct table_info *info, const char *values_digest, char ret[DIGEST_TEXT_MAX]);
void table_info_clear(struct table_info *info); /* frees what it owns; NULL is fine */
bool table_find_column(const struct table_info *info, const char *name, size_t *ret);
/* The rank of a category's code in byte order: what "a category is its number" means. By binary search. */
uint32_t column_rank(const struct column *c, uint32_t code);
/* Writes the inverse of `order`: ret[code] is the code's rank; category_count of them. */
void column_ranks(const struct column *c, uint32_t *ret);
/* The column's name nearest to `name`, or NULL if none is near. */
const char *table_guess_column(const struct table_info *info, const char *name);

/* Receives rows while they are read: `count` values (whole rows), row-major. The buffer is the builder's. Returns
 * ERR_ok to go on; never ERR_invalid_dataset, which says that the data are wrong. */
typedef err_code table_sink(void *context, const double *values, size_t count, struct error *err);

/* Gathers rows from a reader, in bounded memory (blocks of about 1 MiB, and the labels): checks, statistics, codes,
 * digest; hands full blocks to the sink. After the first error rows are counted and their labels checked, but nothing
 * is handed on. The size of blocks depends on the table's width alone, so the bits of mean and std are the table's too.
 */
struct table_builder;
struct table_builder_column {
    const char *name; /* borrowed; valid UTF-8 */
    enum column_type type;
    struct shape shape; /* concrete; () for a category */
};
/* Are names told, short enough and unique? One item for each mistake, with the name as field (none for an empty one);
 * ERR_invalid_dataset if there are any. ERR_out_of_memory. */
err_code table_check_names(const struct table_builder_column *columns, size_t count, struct error *err);
/* Checks the columns as table_check_names() does, and their widths. */
err_code table_builder_new(const struct table_builder_column *columns, size_t count, table_sink *sink, void *context,
                           struct table_builder **ret, struct error *err);
/* One row: numbers[width]; for category columns the text of the label in labels[column] (length label_lengths[column]),
 * the number is ignored. labels may be NULL where no column is a category. ERR_invalid_dataset: the row is wrong, an
 * item a mistake was added (with row and field), and the reader may go on. Any other error is a failure of sink or
 * memory. */
err_code table_builder_row(struct table_builder *b, const double *numbers, const char *const *labels,
                           const size_t *label_lengths, struct error *err);
/* A row that the reader itself found to be wrong: it is counted, and nothing is handed on any more. */
void table_builder_skip(struct table_builder *b);
/* Ends the table: flushes, and hands over what is known of it. ERR_empty_table; ERR_invalid_dataset if a row was wrong.
 */
err_code table_builder_finish(struct table_builder *b, struct table_info *ret, struct error *err);
void table_builder_free(struct table_builder *b);

/* A table in memory. */
struct table {
    struct table_info info;
    double *values; /* owned; rows * width */
};
/* Takes over what `info` owns (leaving it empty) and `values`; on failure both stay the caller's. */
err_code table_new(struct table_info *info, double *values, struct table **ret, struct error *err);
void table_free(struct table *t);

/* A sink that gathers all rows in memory; the context is a struct table_memory, {0} at first. */
struct table_memory {
    double *values; /* owned, until table_new() takes it */
    size_t count, capacity;
};
err_code table_memory_sink(void *context, const double *values, size_t count, struct error *err);

#endif
