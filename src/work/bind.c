#include "work/bind.h"
#include "base/names.h"
#include "base/size.h"
#include "data/transform_record.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POINTER_MAX = 256 };

void bindings_clear(struct bindings *b)
{
    free(b->items);
    *b = (struct bindings){0};
}

static const struct node *input_node(const struct model *m, size_t input)
{
    return graph_node(m->graph, m->inputs[input]);
}

static const struct job_bind *find_bind(const struct job_spec *spec, const char *input)
{
    for (size_t i = 0; i < spec->bind_count; i++) {
        if (strcmp(spec->binds[i].input, input) == 0) {
            return &spec->binds[i];
        }
    }
    return NULL;
}

static void check_bound_inputs(const struct model *m, const struct job_spec *spec, struct error *err)
{
    for (size_t i = 0; i < spec->bind_count; i++) {
        struct guess guess = {.name = spec->binds[i].input};
        bool known = false;
        for (size_t k = 0; k < m->input_count; k++) {
            known = known || strcmp(input_node(m, k)->name, spec->binds[i].input) == 0;
            guess_offer(&guess, input_node(m, k)->name);
        }
        char pointer[POINTER_MAX];
        snprintf(pointer, sizeof pointer, "/bind/%s", spec->binds[i].input);
        struct place place = {.pointer = pointer};
        if (!known && guess.best) {
            error_add(err, ERR_unknown_name, place, "the model has no input '%s'; did you mean '%s'?",
                      spec->binds[i].input, guess.best);
        } else if (!known) {
            error_add(err, ERR_unknown_name, place, "the model has no input '%s'", spec->binds[i].input);
        }
    }
}

static void add_unknown_column(const struct table_info *info, const char *column, struct place place, bool is_default,
                               struct error *err)
{
    struct guess guess = {.name = column};
    for (size_t i = 0; i < info->column_count; i++) {
        guess_offer(&guess, info->columns[i].name);
    }
    if (is_default) {
        error_add(err, ERR_unknown_column, place,
                  "the data set has no column '%s': say with `bind` which columns feed the input '%s'", column, column);
    } else if (guess.best) {
        error_add(err, ERR_unknown_column, place, "the data set has no column '%s'; did you mean '%s'?", column,
                  guess.best);
    } else {
        error_add(err, ERR_unknown_column, place, "the data set has no column '%s'", column);
    }
}

/* How many values a column gives a row under a transform; adds an item and returns false where they do not fit. */
static bool column_width(const struct column *c, enum transform_kind kind, struct place place, size_t *ret,
                         struct error *err)
{
    if (kind == TRANSFORM_ONE_HOT && c->type != COLUMN_CATEGORY) {
        error_add(err, ERR_invalid_value, place, "'%s' is a number: one_hot takes a category", c->name);
        return false;
    }
    if ((kind == TRANSFORM_STANDARDIZE || kind == TRANSFORM_MINMAX) && c->type == COLUMN_CATEGORY) {
        error_add(err, ERR_invalid_value, place, "'%s' is a category: it has no mean or range; use one_hot or none",
                  c->name);
        return false;
    }
    *ret = kind == TRANSFORM_ONE_HOT ? c->category_count : c->width;
    return true;
}

/* Checks one input's columns against the table and the input's shape. */
static void check_columns(const struct model *m, const struct binding *b, bool is_default,
                          const struct table_info *info, struct error *err)
{
    char pointer[POINTER_MAX];
    size_t width = 0;
    bool right = true;
    for (size_t i = 0; i < b->column_count; i++) {
        if (is_default) {
            snprintf(pointer, sizeof pointer, "/bind");
        } else {
            snprintf(pointer, sizeof pointer, "/bind/%s/columns/%zu", b->name, i);
        }
        struct place place = {.pointer = pointer};
        size_t column, one = 0;
        if (!table_find_column(info, b->columns[i], &column)) {
            add_unknown_column(info, b->columns[i], place, is_default, err);
            right = false;
        } else if (!column_width(&info->columns[column], b->transform, place, &one, err) ||
                   !size_add(width, one, &width)) {
            right = false;
        }
    }
    struct shape shape = input_node(m, b->input)->shape, row = shape;
    char text[SHAPE_TEXT_MAX];
    snprintf(pointer, sizeof pointer, "/bind%s%s", is_default ? "" : "/", is_default ? "" : b->name);
    struct place place = {.pointer = pointer};
    if (shape.rank < 1 || shape.dim[0] != DIM_BATCH) {
        error_add(err, ERR_shape_mismatch, place,
                  "the input '%s' is %s: only an input whose first axis is batch can be fed with rows", b->name,
                  shape_text(shape, text));
        return;
    }
    row.dim[0] = 1;
    int64_t elements;
    if (right && shape_elements(row, &elements) && (size_t)elements != width) {
        error_add(err, ERR_shape_mismatch, place,
                  "the input '%s' is %s, which takes %lld values a row; its columns give %zu", b->name,
                  shape_text(shape, text), (long long)elements, width);
    }
}

err_code bindings_make(const struct model *m, const struct job_spec *spec, const struct table_info *info,
                       struct bindings *ret, struct error *err)
{
    struct binding *items = calloc(m->input_count + 1, sizeof *items);
    unsigned char *needed = calloc(graph_size(m->graph) + 1, 1);
    if (!items || !needed) {
        free(items);
        free(needed);
        return error_set(err, ERR_out_of_memory, NULL);
    }
    struct error found = {0};
    check_bound_inputs(m, spec, &found);
    if (m->cost != NODE_NONE) {
        graph_mark_needed(m->graph, &m->cost, 1, needed);
    }
    size_t count = 0;
    for (size_t i = 0; i < m->input_count; i++) {
        const struct node *input = input_node(m, i);
        const struct job_bind *bind = find_bind(spec, input->name);
        struct binding *b = &items[count];
        if (bind) {
            *b = (struct binding){i, input->name, (const char *const *)bind->columns, bind->column_count,
                                  bind->transform};
        } else if (needed[m->inputs[i]]) {
            *b = (struct binding){i, input->name, &input->name, 1, TRANSFORM_NONE};
        } else {
            continue;
        }
        check_columns(m, b, !bind, info, &found);
        count++;
    }
    free(needed);
    err_code code = error_close(&found, ERR_invalid_job, "the job");
    error_move(err, &found);
    if (code != ERR_ok) {
        free(items);
        return code;
    }
    *ret = (struct bindings){.items = items, .count = count};
    return ERR_ok;
}

err_code bind_data(const struct model *m, const struct bindings *b, const struct table *table,
                   const uint32_t *training_rows, size_t training_count, struct bound_data *ret, struct error *err)
{
    size_t rows = (size_t)table->info.rows;
    struct bound_data d = {.value_count = m->input_count, .data.rows = rows};
    d.values = calloc(m->input_count + 1, sizeof(void *));
    d.transforms = calloc(b->count + 1, sizeof *d.transforms);
    err_code code = d.values && d.transforms ? ERR_ok : error_set(err, ERR_out_of_memory, NULL);
    for (size_t i = 0; code == ERR_ok && i < b->count; i++) {
        const struct binding *one = &b->items[i];
        struct transform *t = &d.transforms[i];
        char pointer[POINTER_MAX];
        snprintf(pointer, sizeof pointer, "/bind/%s", one->name);
        code = transform_fit(one->name, one->transform, one->columns, one->column_count, table, training_rows,
                             training_count, pointer, t, err);
        if (code != ERR_ok) {
            break;
        }
        d.transform_count = i + 1;
        size_t bytes;
        if (!size_mul(rows, t->width, &bytes) || !size_mul(bytes, dtype_size(m->dtype), &bytes)) {
            code = error_set(err, ERR_limit_exceeded, "the values of the input '%s' are too large", one->name);
            break;
        }
        void *values = aligned_alloc(64, (bytes + 64) / 64 * 64);
        d.values[one->input] = values;
        code = values ? transform_apply(t, table, NULL, rows, m->dtype, values, err)
                      : error_set(err, ERR_out_of_memory, NULL);
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
    transforms_free(d->transforms, d->transform_count);
    *d = (struct bound_data){0};
}
