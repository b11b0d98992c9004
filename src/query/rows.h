/* Rows in the data's own words: from cells to a model's inputs through a version's transforms, and from outputs back to
 * units and labels. */
#ifndef GRADD_QUERY_ROWS_H
#define GRADD_QUERY_ROWS_H

#include "query/catalog.h"

/* One cell of a row as a client gave it. */
struct cell {
    const char *column;
    const char *label;     /* a string; NULL: a number or numbers */
    const double *numbers; /* as many as the column's shape */
    size_t count;
    struct place place; /* "/rows/3/age" */
};

struct row {
    const struct cell *cells;
    size_t count;
    struct place place;
};

/* Values of every bound input that `outputs` of the model need (the target is not asked for): tensors (rows, ...) of
 * the model's dtype; ret_names borrowed from the version. All mistakes are items: missing and unknown columns, labels,
 * wrong counts. invalid_query if the version has no transforms. */
err_code rows_to_inputs(const struct held_model *m, const struct held_version *v, const struct row *rows,
                        size_t row_count, const node_id *outputs, size_t output_count, const char **ret_names,
                        struct tensor **ret_tensors, size_t *ret_count, struct error *err);

/* Rows from `from` to before `to` of a stored table; has_end false: to its last. */
struct row_range {
    int64_t from, to;
    bool has_end;
};

/* The same from rows of a table, as values of `dtype`; tensors of no more than `bytes_max` together. Mistakes are items
 * at /dataset and /row_range: columns that are missing or of another type, labels that training did not know, a range
 * beyond the table, too many rows. */
err_code table_to_inputs(const struct held_model *m, const struct held_version *v, const struct table *table,
                         const struct row_range *range, const node_id *outputs, size_t output_count, enum dtype dtype,
                         size_t bytes_max, const char **ret_names, struct tensor **ret_tensors, size_t *ret_count,
                         struct error *err);

/* How the output is told in the data's words. */
enum prediction_kind {
    PREDICTION_NONE,    /* nothing to invert: the raw output */
    PREDICTION_NUMBERS, /* the target's columns, all numbers, transformed back */
    PREDICTION_CLASS,   /* the output is what a CrossEntropy takes: labels and probabilities */
};
struct prediction {
    enum prediction_kind kind;
    const struct transform *target; /* NUMBERS, CLASS: of the one bound input that the output does not depend on */
};
err_code prediction_of(const struct held_model *m, const struct held_version *v, struct prediction *ret,
                       struct error *err);
/* NUMBERS: width values of row `row` of the output, transformed back, in the order of the target's columns. */
void prediction_numbers(const struct prediction *p, const struct tensor *output, int64_t row, double *ret);
/* CLASS: softmax of row `row` (k values), deterministic, and the class with the highest. Labels:
 * target->columns[0].labels in byte order (there may be fewer than k), or NULL where the classes are numbers. */
void prediction_class(const struct tensor *output, int64_t row, double *ret_probabilities, size_t *ret_class);

#endif
