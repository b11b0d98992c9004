#include "work/bind.h"
#include "base/names.h"
#include "base/size.h"
#include "base/text.h"
#include "data/transform_record.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GUESSES_MAX = 10 }; /* unknown names that are compared with all others for "did you mean", a job */

void bindings_clear(struct bindings *b)
{
    free(b->items);
    *b = (struct bindings){0};
}

static const struct node *input_node(const struct model *m, size_t input)
{
    return graph_node(m->graph, m->inputs[input]);
}

/* ---- places ---- */

/* A JSON Pointer to the binding of an input: "/bind/X", escaped as RFC 6901 says. */
static void put_pointer(struct text *t, const char *input)
{
    text_puts(t, "/bind/");
    for (const char *c = input; *c; c++) {
        if (*c == '~' || *c == '/') {
            text_puts(t, *c == '~' ? "~0" : "~1");
        } else {
            text_putc(t, *c);
        }
    }
}

/* The place that a text points to; borrowed from it. */
static struct place place_of(const struct text *pointer)
{
    return (struct place){.pointer = pointer->failed ? "/bind" : pointer->data};
}

/* ---- which input is bound to what ---- */

static void add_unknown_input(const struct model *m, const char *name, struct error *err)
{
    struct guess guess = {.name = name};
    for (size_t i = 0; err->total < GUESSES_MAX && i < m->input_count; i++) {
        guess_offer(&guess, input_node(m, i)->name);
    }
    struct text pointer = {0};
    put_pointer(&pointer, name);
    if (guess.best) {
        error_add(err, ERR_unknown_name, place_of(&pointer), "the model has no input '%s'; did you mean '%s'?", name,
                  guess.best);
    } else {
        error_add(err, ERR_unknown_name, place_of(&pointer), "the model has no input '%s'", name);
    }
    text_clear(&pointer);
}

/* Finds what the spec binds: ret[node] is the binding of that input of the model. */
static void find_binds(const struct model *m, const struct job_spec *spec, const struct job_bind **ret,
                       struct error *err)
{
    for (size_t i = 0; i < spec->bind_count; i++) {
        const char *name = spec->binds[i].input;
        node_id node = graph_find(m->graph, name);
        bool known = false;
        for (size_t k = 0; node != NODE_NONE && !known && k < m->input_count; k++) {
            known = m->inputs[k] == node;
        }
        if (known) {
            ret[node] = &spec->binds[i];
        } else {
            add_unknown_input(m, name, err);
        }
    }
}

/* ---- columns ---- */

static void add_unknown_column(const struct table_info *info, const char *column, struct place place, bool is_default,
                               struct error *err)
{
    const char *guess = is_default || err->total >= GUESSES_MAX ? NULL : table_guess_column(info, column);
    if (is_default) {
        error_add(err, ERR_unknown_column, place,
                  "the data set has no column '%s': say with `bind` which columns feed the input '%s'", column, column);
    } else if (guess) {
        error_add(err, ERR_unknown_column, place, "the data set has no column '%s'; did you mean '%s'?", column, guess);
    } else {
        error_add(err, ERR_unknown_column, place, "the data set has no column '%s'", column);
    }
}

/* How many values a column gives a row under a transform; adds an item and returns false where they do not fit. */
static bool column_width(const struct column *c, enum transform_kind kind, struct place place, size_t *ret,
                         struct error *err)
{
    if (kind == TRANSFORM_ONE_HOT && c->type != COLUMN_CATEGORY) {
        error_add(err, ERR_wrong_type, place, "'%s' is a number: one_hot takes a category", c->name);
        return false;
    }
    if ((kind == TRANSFORM_STANDARDIZE || kind == TRANSFORM_MINMAX) && c->type == COLUMN_CATEGORY) {
        error_add(err, ERR_wrong_type, place, "'%s' is a category: it has no mean or range; use one_hot or none",
                  c->name);
        return false;
    }
    *ret = kind == TRANSFORM_ONE_HOT ? c->category_count : c->width;
    return true;
}

/* The sum of the columns' widths; false if some column is wrong, which is told. */
static bool sum_widths(const struct binding *b, bool is_default, const struct table_info *info, size_t *ret,
                       struct error *err)
{
    bool right = true;
    *ret = 0;
    for (size_t i = 0; i < b->column_count; i++) {
        struct text pointer = {0};
        if (is_default) {
            text_puts(&pointer, "/bind");
        } else {
            put_pointer(&pointer, b->name);
            text_printf(&pointer, "/columns/%zu", i);
        }
        size_t column, one = 0;
        if (!table_find_column(info, b->columns[i], &column)) {
            add_unknown_column(info, b->columns[i], place_of(&pointer), is_default, err);
            right = false;
        } else {
            right = column_width(&info->columns[column], b->transform, place_of(&pointer), &one, err) && right;
        }
        right = size_add(*ret, one, ret) && right;
        text_clear(&pointer);
    }
    return right;
}

/* Checks one input's columns against the table and the input's shape. */
static void check_columns(const struct model *m, const struct binding *b, bool is_default,
                          const struct table_info *info, struct error *err)
{
    size_t width;
    bool right = sum_widths(b, is_default, info, &width, err);
    struct shape shape = input_node(m, b->input)->shape, row = shape;
    row.dim[0] = 1;
    int64_t elements = 0;
    char text[SHAPE_TEXT_MAX];
    struct text pointer = {0};
    if (is_default) {
        text_puts(&pointer, "/bind");
    } else {
        put_pointer(&pointer, b->name);
    }
    if (shape.rank < 1 || shape.dim[0] != DIM_BATCH || !shape_elements(row, &elements)) {
        error_add(err, ERR_shape_mismatch, place_of(&pointer),
                  "the input '%s' is %s: only an input whose first axis, and no other, is batch can be fed with rows",
                  b->name, shape_text(shape, text));
    } else if (right && (size_t)elements != width) {
        error_add(err, ERR_shape_mismatch, place_of(&pointer),
                  "the input '%s' is %s, which takes %lld values a row; its columns give %zu", b->name,
                  shape_text(shape, text), (long long)elements, width);
    }
    text_clear(&pointer);
}

/* Adds the binding of one input, if it has or needs one. */
static void add_binding(const struct model *m, size_t input, const struct job_bind *bind, bool needed,
                        const struct table_info *info, struct bindings *b, struct error *err)
{
    const struct node *node = input_node(m, input);
    struct binding *item = &b->items[b->count];
    if (bind) {
        *item = (struct binding){input, node->name, (const char *const *)bind->columns, bind->column_count,
                                 bind->transform};
    } else if (needed) {
        *item = (struct binding){input, node->name, &node->name, 1, TRANSFORM_NONE};
    } else {
        return;
    }
    b->count++;
    check_columns(m, item, !bind, info, err);
}

static const struct place at_weight = {.pointer = "/weight"};

/* Of the table that trains (`name` NULL), or of a second one of that name for what it is. */
static void check_weight(const char *weight, const struct table_info *info, struct place place, struct error *err)
{
    size_t index;
    if (!table_find_column(info, weight, &index)) {
        add_unknown_column(info, weight, place, false, err);
        return;
    }
    const struct column *c = &info->columns[index];
    if (c->type != COLUMN_NUMBER || c->shape.rank > 0)
        error_add(err, ERR_wrong_type, place, "a weight is one number a row; '%s' is %s", c->name,
                  c->type == COLUMN_NUMBER ? "many" : "a category");
    else if (c->min < 0 || c->max == 0)
        error_add(err, ERR_out_of_range, place, "weights are at least 0, and not all of them 0; '%s' is from %g to %g",
                  c->name, c->min, c->max);
}

err_code bindings_make(const struct model *m, const struct job_spec *spec, const struct table_info *info,
                       struct bindings *ret, struct error *err)
{
    struct bindings b = {.items = calloc(m->input_count + 1, sizeof *b.items)};
    unsigned char *needed = calloc(graph_size(m->graph) + 1, 1);
    const struct job_bind **binds = calloc(graph_size(m->graph) + 1, sizeof(struct job_bind *));
    struct error found = {0};
    err_code code = b.items && needed && binds ? ERR_ok : error_set(&found, ERR_out_of_memory, NULL);
    if (code == ERR_ok) {
        find_binds(m, spec, binds, &found);
        if (m->cost != NODE_NONE) {
            graph_mark_needed(m->graph, &m->cost, 1, needed);
        }
        for (size_t i = 0; i < m->input_count; i++) {
            add_binding(m, i, binds[m->inputs[i]], needed[m->inputs[i]], info, &b, &found);
        }
        if (spec->weight) {
            check_weight(spec->weight, info, at_weight, &found);
        }
        b.weight = spec->weight;
        code = error_close(&found, ERR_invalid_job, "the job");
    }
    free(needed);
    free(binds);
    error_move(err, &found);
    if (code != ERR_ok) {
        bindings_clear(&b);
        return code;
    }
    *ret = b;
    return ERR_ok;
}

/* ---- a second data set ---- */

static const struct place at_second = {.pointer = "/validation/dataset"};

/* The first label of `b` in byte order that `a` lacks; NULL: it lacks none. */
static const char *new_label(const struct column *a, const struct column *b)
{
    size_t i = 0;
    for (size_t k = 0; k < b->category_count; k++) {
        const char *label = b->labels[b->order[k]];
        while (i < a->category_count && strcmp(a->labels[a->order[i]], label) < 0)
            i++;
        if (i == a->category_count || strcmp(a->labels[a->order[i]], label) != 0)
            return label;
    }
    return NULL;
}

static void check_second_column(const struct column *a, const struct table_info *second, struct error *err)
{
    size_t index;
    if (!table_find_column(second, a->name, &index)) {
        error_add(err, ERR_unknown_column, at_second, "the data set has no column '%s', which the job trains with",
                  a->name);
        return;
    }
    const struct column *b = &second->columns[index];
    char text[SHAPE_TEXT_MAX], other[SHAPE_TEXT_MAX];
    if (a->type != b->type)
        error_add(err, ERR_wrong_type, at_second, "'%s' is a %s there, and a %s in the data set to train with", a->name,
                  b->type == COLUMN_CATEGORY ? "category" : "number",
                  a->type == COLUMN_CATEGORY ? "category" : "number");
    else if (!shape_equal(a->shape, b->shape))
        error_add(err, ERR_shape_mismatch, at_second, "'%s' is %s there, and %s in the data set to train with", a->name,
                  shape_text(b->shape, text), shape_text(a->shape, other));
    else if (new_label(a, b))
        error_add(err, ERR_unknown_category, at_second,
                  "'%s' has a category '%s' there, which the job does not train with", a->name, new_label(a, b));
}

err_code bindings_check_second(const struct bindings *b, const struct table_info *first,
                               const struct table_info *second, struct error *err)
{
    size_t before = err->total, index;
    for (size_t i = 0; i < b->count; i++)
        for (size_t k = 0; k < b->items[i].column_count; k++)
            if (table_find_column(first, b->items[i].columns[k], &index))
                check_second_column(&first->columns[index], second, err);
    if (b->weight)
        check_weight(b->weight, second, at_second, err);
    return err->total > before ? ERR_invalid_job : ERR_ok;
}

/* ---- data ---- */

size_t bindings_bytes(const struct model *m, const struct bindings *b, int64_t rows)
{
    size_t sum = b->weight ? (size_t)rows * dtype_size(m->dtype) : 0;
    for (size_t i = 0; i < b->count; i++) {
        int64_t elements = 0;
        size_t bytes;
        (void)shape_elements(shape_bind(input_node(m, b->items[i].input)->shape, 1), &elements);
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
    put_pointer(&pointer, b->name);
    err_code code = transform_fit(b->name, b->transform, b->columns, b->column_count, from->first, from->training_rows,
                                  from->training_count, place_of(&pointer).pointer, t, err);
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
        return error_add(err, ERR_out_of_range, at_weight, "the weights of the training rows have no mean above 0");
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
