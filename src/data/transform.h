/* Transforms: from a table's columns to the values of a model's input, and back. One function for training and predict.
 *
 * standardize: (x - mean) / std, std 0 counts as 1; minmax: (x - min) / (max - min), 0 / 0 is 0; one_hot: a category as
 * 0s and a 1, in byte order of labels; none: the number, or a category's rank in byte order. All in double; the result
 * is rounded to the dtype last. The fit looks at the training rows alone, in the order in which they are given: mean is
 * their sum divided by their number, std the root of the mean of the squared deviations from it. The categories are
 * those of the whole table, so that a label which only a validation row has is known too.
 *
 * A struct transform is cleared by transform_clear(). */
#ifndef GRADD_DATA_TRANSFORM_H
#define GRADD_DATA_TRANSFORM_H

#include "data/table.h"

enum transform_kind { TRANSFORM_NONE, TRANSFORM_STANDARDIZE, TRANSFORM_MINMAX, TRANSFORM_ONE_HOT };
enum { TRANSFORM_KINDS = TRANSFORM_ONE_HOT + 1 };
bool transform_find(const char *name, enum transform_kind *ret);
const char *transform_name(enum transform_kind kind);

/* One column of a bound input. */
struct transform_column {
    char *column; /* owned */
    enum column_type type;
    struct shape shape;
    size_t width;           /* of the values out: category_count for one_hot, else the product of `shape` */
    double *center, *scale; /* owned; for each value in: out = (x - center) / scale; 0 and 1 where none. Their number is
                             * the product of `shape` */
    char **labels;          /* owned; categories in byte order */
    size_t category_count;
};

/* How one model input is made of columns, side by side. The record that versions keep. */
struct transform {
    char *input; /* owned; the model input's name */
    enum transform_kind kind;
    struct transform_column *columns; /* owned */
    size_t column_count;
    size_t width; /* values in a row of the input; at most TABLE_WIDTH_MAX */
};
void transform_clear(struct transform *t); /* NULL is fine */

/* Fits to the rows named by `rows` (all of the table, if NULL; then row_count is ignored). All mistakes are items, with
 * pointers below `pointer` ("/bind/X" gives "/bind/X/columns/2"; NULL gives none): unknown_column; wrong_type (one_hot
 * of a number, mean or range of a category); nonfinite_number where mean, std or range are beyond double's range;
 * empty_table without rows; limit_exceeded. Returns the code of the first. */
err_code transform_fit(const char *input, enum transform_kind kind, const char *const *columns, size_t count,
                       const struct table *table, const uint32_t *rows, size_t row_count, const char *pointer,
                       struct transform *ret, struct error *err);

/* Applies to rows of the same table, or of another with columns of those names, types and shapes (all of it, if `rows`
 * is NULL; then row_count is ignored): rows * t->width elements of dtype into out. Mistakes are items with row and
 * field: unknown_column, wrong_type, shape_mismatch; unknown_category, once a label, with a guess; nonfinite_number
 * where the result is beyond the dtype's range. After an error `out` is undefined. */
err_code transform_apply(const struct transform *t, const struct table *table, const uint32_t *rows, size_t row_count,
                         enum dtype dtype, void *out, struct error *err);

/* One value of column c, in: numbers (as many as the product of its shape) for a number, else a label; the other is
 * NULL. Writes the column's outputs (its width doubles). wrong_type; unknown_category with a guess (none any more once
 * `err` lists all it can); nonfinite_number. Items carry the column's name as field. */
err_code transform_value(const struct transform *t, size_t column, const double *numbers, const char *label,
                         double *ret, struct error *err);

/* The inverse of column c's k-th value: x = value * scale + center. Of a category, the value itself. */
double transform_invert(const struct transform *t, size_t column, size_t k, double value);

#endif
