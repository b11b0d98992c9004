/* The values of a job's data as a trainer takes them: inputs through their transforms, and weights. */
#include "base/size.h"
#include "data/transform_record.h"
#include "work/bind.h"
#include <math.h>
#include <stdlib.h>

size_t bindings_bytes(const struct model *m, const struct bindings *b, int64_t rows)
{
    size_t sum = b->weight ? (size_t)rows * dtype_size(m->dtype) : 0;
    for (size_t i = 0; i < b->count; i++) {
        int64_t elements = 0;
        size_t bytes;
        (void)shape_elements(shape_bind(graph_node(m->graph, m->inputs[b->items[i].input])->shape, 1), &elements);
        if (!size_mul((size_t)elements * dtype_size(m->dtype), (size_t)rows, &bytes) || !size_add(sum, bytes, &sum)) {
            return SIZE_MAX;
        }
    }
    return sum;
}

/* The tables of a job, and which rows of the first one train. */
struct sources {
    const struct table *first, *second; /* second: NULL without */
    const uint32_t *training_rows;
    size_t training_count;
};

static err_code bind_one(const struct model *m, const struct binding *b, const struct sources *from,
                         struct bound_data *d, struct error *err)
{
    struct transform *t = &d->transforms[d->transform_count];
    struct text pointer = {0};
    binding_pointer(b->name, &pointer);
    err_code code = transform_fit(b->name, b->transform, b->columns, b->column_count, from->first, from->training_rows,
                                  from->training_count, pointer.failed ? "/bind" : pointer.data, t, err);
    text_clear(&pointer);
    if (code != ERR_ok) {
        return code;
    }
    d->transform_count++;
    size_t bytes;
    if (!size_mul(d->data.rows, t->width, &bytes) || !size_mul(bytes, dtype_size(m->dtype), &bytes) ||
        bytes > SIZE_MAX / 2) {
        return error_set(err, ERR_limit_exceeded, "the values of the input '%s' are too large", b->name);
    }
    void *values = aligned_alloc(64, (bytes + 64) / 64 * 64);
    if (!values) {
        return error_set(err, ERR_out_of_memory, NULL);
    }
    d->values[b->input] = values;
    code = transform_apply(t, from->first, NULL, 0, m->dtype, values, err);
    char *behind = (char *)values + (size_t)from->first->info.rows * t->width * dtype_size(m->dtype);
    if (code == ERR_ok && from->second)
        code = transform_apply(t, from->second, NULL, 0, m->dtype, behind, err);
    return code;
}

/* The weights of a table's rows over `mean`, in the model's dtype, into `to`. */
static void put_weights(const struct table *table, const char *column, double mean, enum dtype dtype, void *to)
{
    size_t index = 0;
    (void)table_find_column(&table->info, column, &index); /* it was found before */
    const double *from = table->values + table->info.columns[index].offset;
    for (size_t row = 0; row < (size_t)table->info.rows; row++) {
        const double weight = from[row * table->info.width] / mean;
        if (dtype == DTYPE_FLOAT32)
            ((float *)to)[row] = (float)weight;
        else
            ((double *)to)[row] = weight;
    }
}

static double mean_weight(const struct sources *from, const char *column)
{
    size_t index = 0;
    double sum = 0;
    (void)table_find_column(&from->first->info, column, &index);
    const double *values = from->first->values + from->first->info.columns[index].offset;
    for (size_t i = 0; i < from->training_count; i++)
        sum += values[from->training_rows[i] * from->first->info.width];
    return sum / (double)from->training_count;
}

static err_code bind_weights(const struct model *m, const char *column, const struct sources *from,
                             struct bound_data *d, struct error *err)
{
    const double mean = mean_weight(from, column);
    if (!(mean > 0 && isfinite(mean)))
        return error_add(err, ERR_out_of_range, (struct place){.pointer = "/weight"},
                         "the weights of the training rows have no mean above 0");
    d->weights = malloc(d->data.rows * dtype_size(m->dtype));
    if (!d->weights)
        return error_set(err, ERR_out_of_memory, NULL);
    put_weights(from->first, column, mean, m->dtype, d->weights);
    if (from->second)
        put_weights(from->second, column, mean, m->dtype,
                    (char *)d->weights + (size_t)from->first->info.rows * dtype_size(m->dtype));
    d->data.weights = d->weights;
    return ERR_ok;
}

/* What one step of each value of a bound input is in the data's own units: a category is its own. */
static err_code scale_of(const struct transform *t, double **ret, struct error *err)
{
    double *scale = malloc((t->width + 1) * sizeof *scale);
    if (!scale)
        return error_set(err, ERR_out_of_memory, NULL);
    size_t at = 0;
    for (size_t i = 0; i < t->column_count; i++)
        for (size_t k = 0; k < t->columns[i].width; k++)
            scale[at++] = t->columns[i].type == COLUMN_NUMBER ? t->columns[i].scale[k] : 1;
    *ret = scale;
    return ERR_ok;
}

static err_code scale_target(const struct model *m, const struct bindings *b, struct bound_data *d, struct error *err)
{
    size_t target;
    bool found = false;
    err_code code = score_target(m, &target, &found, err);
    for (size_t i = 0; code == ERR_ok && found && i < b->count; i++)
        if (b->items[i].input == target)
            code = scale_of(&d->transforms[i], &d->target_scale, err);
    d->data.target_scale = d->target_scale;
    return code;
}

err_code bind_data(const struct model *m, const struct bindings *b, const struct table *table,
                   const struct table *second, const uint32_t *training_rows, size_t training_count,
                   struct bound_data *ret, struct error *err)
{
    const struct sources from = {table, second, training_rows, training_count};
    struct bound_data d = {.value_count = m->input_count,
                           .data.rows = (size_t)(table->info.rows + (second ? second->info.rows : 0))};
    d.values = calloc(m->input_count + 1, sizeof(void *));
    d.transforms = calloc(b->count + 1, sizeof *d.transforms);
    err_code code = d.values && d.transforms ? ERR_ok : error_set(err, ERR_out_of_memory, NULL);
    for (size_t i = 0; code == ERR_ok && i < b->count; i++) {
        code = bind_one(m, &b->items[i], &from, &d, err);
    }
    if (code == ERR_ok) {
        code = scale_target(m, b, &d, err);
    }
    if (code == ERR_ok && b->weight) {
        code = bind_weights(m, b->weight, &from, &d, err);
    }
    if (code != ERR_ok) {
        bound_data_clear(&d);
        return code;
    }
    d.data.inputs = (const void *const *)d.values;
    *ret = d;
    return ERR_ok;
}

void bound_data_clear(struct bound_data *d)
{
    for (size_t i = 0; d->values && i < d->value_count; i++) {
        free(d->values[i]);
    }
    free(d->values);
    free(d->target_scale);
    free(d->weights);
    transforms_free(d->transforms, d->transform_count);
    *d = (struct bound_data){0};
}
