/* Bindings: which columns of a table feed which input of a model. Checked once when a job is accepted, and made again
 * when it runs. */
#ifndef GRADD_WORK_BIND_H
#define GRADD_WORK_BIND_H

#include "base/text.h"
#include "graph/model.h"
#include "work/job.h"

/* One bound input. Strings are borrowed from the job's spec and the model. */
struct binding {
    size_t input; /* index into the model's inputs */
    const char *name;
    const char *const *columns; /* column_count names */
    size_t column_count;
    enum transform_kind transform;
};

struct bindings {
    struct binding *items; /* owned */
    size_t count;
    const char *weight; /* the column of the rows' weights, borrowed from the spec; NULL */
};
void bindings_clear(struct bindings *b);

/* Every input that the cost needs, and every one that the spec binds. Mistakes are items with pointers into the job
 * ("/bind/X/columns/2"): unknown inputs and columns (with a guess), transforms that do not fit a column, counts that do
 * not fit the input's shape, an input without a batch axis; weights that are not one number a row, or negative. */
err_code bindings_make(const struct model *m, const struct job_spec *spec, const struct table_info *info,
                       struct bindings *ret, struct error *err);

/* Whether a second data set, to validate on, has the columns that are bound, of the same types and shapes, and no
 * category that the first lacks. Mistakes are items at /validation/dataset. */
err_code bindings_check_second(const struct bindings *b, const struct table_info *first,
                               const struct table_info *second, struct error *err);

/* Appends a JSON Pointer to the binding of an input: "/bind/X", escaped as RFC 6901 says. */
void binding_pointer(const char *input, struct text *t);

/* ---- bind_data.c ---- */

/* What bind_data() will hold for so many rows; SIZE_MAX if it is more. */
size_t bindings_bytes(const struct model *m, const struct bindings *b, int64_t rows);

/* The inputs' values for all rows, in the model's dtype: what a trainer takes; those of a second table, if there is
 * one, behind the first's. Transforms are fitted to the training rows, which are the first table's. */
struct bound_data {
    struct train_data data; /* data.inputs points into `values` */
    void **values;          /* owned; one a model input, NULL where it is not bound */
    size_t value_count;
    struct transform *transforms; /* owned; one a binding */
    size_t transform_count;
    void *weights;        /* owned; data.weights: divided by their mean over the training rows */
    double *target_scale; /* owned; data.target_scale: of the input that the output is held against, if it is bound */
};
err_code bind_data(const struct model *m, const struct bindings *b, const struct table *table,
                   const struct table *second, const uint32_t *training_rows, size_t training_count,
                   struct bound_data *ret, struct error *err);
void bound_data_clear(struct bound_data *d);

#endif
