/* Transforms: from a table's columns to the values of a model's input, and back. One function for training and predict.
 * standardize: (x - mean) / std, std 0 counts as 1; minmax: (x - min) / (max - min), 0 / 0 is 0; one_hot: a category as 0s and a 1, in byte order of labels.
 * Fitted on the training rows, in double; the result is rounded to the dtype last. */
#ifndef GRADD_DATA_TRANSFORM_H
#define GRADD_DATA_TRANSFORM_H

#include "data/table.h"

enum transform_kind { TRANSFORM_NONE, TRANSFORM_STANDARDIZE, TRANSFORM_MINMAX, TRANSFORM_ONE_HOT };
bool transform_find(const char *name, enum transform_kind *ret);
const char *transform_name(enum transform_kind kind);

/* One column of a bound input. */
struct transform_column {
    char *column;           /* owned */
    enum column_type type;
    struct shape shape;
    size_t width;           /* of the values out: 1 a number, category_count for one_hot */
    double *center, *scale; /* owned; for each value in: out = (x - center) / scale; 0 and 1 where none. Their number is the product of `shape` */
    char **labels;          /* owned; categories in byte order */
    size_t category_count;
};

/* How one model input is made of columns, side by side. The record that versions keep. */
struct transform {
    char *input;            /* owned; the model input's name */
    enum transform_kind kind;
    struct transform_column *columns; /* owned */
    size_t column_count;
    size_t width;           /* values in a row of the input */
};
void transform_clear(struct transform *t);

struct table; /* a table in memory: info and values */
struct table {
    struct table_info info;
    double *values; /* owned; rows * width */
};
void table_free(struct table *t);

/* Fits to the rows named by `rows` (all of the table, if NULL). Errors: unknown_column, one_hot of a number, ... with places below `pointer` ("/bind/X"). */
err_code transform_fit(const char *input, enum transform_kind kind, const char *const *columns, size_t count, const struct table *table, const uint32_t *rows,
                       size_t row_count, const char *pointer, struct transform *ret, struct error *err);
/* Applies to rows of the same table, or of another with columns of those names and types: row_count * t->width elements of dtype into out. */
err_code transform_apply(const struct transform *t, const struct table *table, const uint32_t *rows, size_t row_count, enum dtype dtype, void *out, struct error *err);
/* One value of column c, in: a number, or a label. Writes the column's outputs (its width doubles). ERR_unknown_category with a guess. */
err_code transform_value(const struct transform *t, size_t column, const double *numbers, const char *label, double *ret, struct error *err);
/* The inverse of one number of column c's k-th value. */
double transform_invert(const struct transform *t, size_t column, size_t k, double value);

#endif
