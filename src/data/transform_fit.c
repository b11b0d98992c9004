/* Fitting: which columns, of which type, and the center and scale of each value. */
#include "base/names.h"
#include "data/transform.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is being fitted, and to which rows. */
struct fit {
    const struct table *table;
    const uint32_t *rows; /* NULL: all */
    size_t row_count;
    const char *pointer;
    struct error *err;
    err_code first;  /* the first mistake's code */
    size_t *sources; /* owned; the index in the table of each column */
    /* Owned; one for each value that is fitted, in the order of the transform's columns. */
    size_t value_count;
    size_t *offsets; /* where it stands in a row of the table */
    double *min, *max, *mean, *squares;
};

static err_code no_memory(struct error *err)
{
    return error_set(err, ERR_out_of_memory, "no memory to fit a transform");
}

/* Adds an item about column i; `detail` may have one %s, for its name. */
static void complain(struct fit *f, err_code code, size_t i, const char *name, const char *detail)
{
    char *pointer = NULL;
    if (f->pointer && asprintf(&pointer, "%s/columns/%zu", f->pointer, i) < 0)
        pointer = NULL;
    error_add(f->err, code, (struct place){.pointer = pointer}, "column '%s' %s", name, detail);
    free(pointer);
    f->first = f->first ? f->first : code;
}

static void complain_unknown(struct fit *f, size_t i, const char *name)
{
    const char *guess = NULL;
    char *detail = NULL;
    if (f->err && f->err->item_count < ERROR_ITEMS_MAX)
        guess = table_guess_column(&f->table->info, name);
    if (guess && asprintf(&detail, "is not in the data set; did you mean '%s'?", guess) < 0)
        detail = NULL;
    complain(f, ERR_unknown_column, i, name, detail ? detail : "is not in the data set");
    free(detail);
}

/* Does the kind make sense for the column's type? */
static void check_kind(struct fit *f, enum transform_kind kind, size_t i, const struct column *c)
{
    if (kind == TRANSFORM_ONE_HOT && c->type == COLUMN_NUMBER)
        complain(f, ERR_wrong_type, i, c->name, "is a number; one_hot is for categories");
    else if (kind == TRANSFORM_STANDARDIZE && c->type == COLUMN_CATEGORY)
        complain(f, ERR_wrong_type, i, c->name, "is a category, which has no mean: use one_hot");
    else if (kind == TRANSFORM_MINMAX && c->type == COLUMN_CATEGORY)
        complain(f, ERR_wrong_type, i, c->name, "is a category, which has no range: use one_hot");
}

/* Finds the columns in the table. */
static err_code find_sources(struct fit *f, enum transform_kind kind, const char *const *columns, size_t count)
{
    const struct table_info *info = &f->table->info;
    struct names *names = names_new();
    bool complete = names != NULL;
    for (size_t i = 0; complete && i < info->column_count; i++)
        complete = names_put(names, info->columns[i].name, strlen(info->columns[i].name), i);
    for (size_t i = 0; complete && i < count; i++) {
        if (names_get(names, columns[i], strlen(columns[i]), &f->sources[i]))
            check_kind(f, kind, i, &info->columns[f->sources[i]]);
        else
            complain_unknown(f, i, columns[i]);
    }
    names_free(names);
    return complete ? ERR_ok : no_memory(f->err);
}

/* Copies what the transform keeps of a column. */
static bool copy_column(struct transform_column *t, const struct column *c, enum transform_kind kind)
{
    t->type = c->type;
    t->shape = c->shape;
    t->width = kind == TRANSFORM_ONE_HOT ? c->category_count : c->width;
    t->column = strdup(c->name);
    t->center = calloc(c->width, sizeof *t->center);
    t->scale = malloc(c->width * sizeof *t->scale);
    t->labels = calloc(c->category_count ? c->category_count : 1, sizeof *t->labels);
    if (!t->column || !t->center || !t->scale || !t->labels)
        return false;
    for (size_t k = 0; k < c->width; k++)
        t->scale[k] = 1;
    for (size_t k = 0; k < c->category_count; k++) {
        t->labels[k] = strdup(c->labels[c->order[k]]);
        if (!t->labels[k])
            return false;
        t->category_count = k + 1;
    }
    return true;
}

static err_code copy_columns(const struct fit *f, struct transform *t, size_t count)
{
    t->columns = calloc(count, sizeof *t->columns);
    if (!t->columns)
        return no_memory(f->err);
    for (size_t i = 0; i < count; i++) {
        t->column_count = i + 1;
        if (!copy_column(&t->columns[i], &f->table->info.columns[f->sources[i]], t->kind))
            return no_memory(f->err);
    }
    return ERR_ok;
}

/* Adds up the widths, before anything of that size is made. */
static void measure(struct fit *f, struct transform *t, size_t count)
{
    size_t width = 0;
    for (size_t i = 0; i < count && width <= TABLE_WIDTH_MAX; i++) {
        const struct column *c = &f->table->info.columns[f->sources[i]];
        width += t->kind == TRANSFORM_ONE_HOT ? c->category_count : c->width;
        f->value_count += c->width;
    }
    t->width = width;
    if (width <= TABLE_WIDTH_MAX)
        return;
    f->first = ERR_limit_exceeded;
    error_add(f->err, ERR_limit_exceeded, (struct place){.pointer = f->pointer},
              "the columns of '%s' make more than %d values a row", t->input, TABLE_WIDTH_MAX);
}

static const double *row_at(const struct fit *f, size_t i)
{
    return f->table->values + (f->rows ? f->rows[i] : i) * f->table->info.width;
}

static bool allocate_sums(struct fit *f)
{
    f->offsets = calloc(f->value_count, sizeof *f->offsets);
    f->min = calloc(f->value_count, 4 * sizeof *f->min);
    if (!f->offsets || !f->min)
        return false;
    f->max = f->min + f->value_count;
    f->mean = f->max + f->value_count;
    f->squares = f->mean + f->value_count;
    return true;
}

/* Two passes over the rows: extremes and means, then squared deviations. */
static void sum_rows(struct fit *f)
{
    for (size_t k = 0; k < f->value_count; k++)
        f->min[k] = f->max[k] = row_at(f, 0)[f->offsets[k]];
    for (size_t i = 0; i < f->row_count; i++) {
        const double *row = row_at(f, i);
        for (size_t k = 0; k < f->value_count; k++) {
            double x = row[f->offsets[k]];
            f->min[k] = x < f->min[k] ? x : f->min[k];
            f->max[k] = x > f->max[k] ? x : f->max[k];
            f->mean[k] += x;
        }
    }
    for (size_t k = 0; k < f->value_count; k++)
        f->mean[k] /= (double)f->row_count;
    for (size_t i = 0; i < f->row_count; i++) {
        const double *row = row_at(f, i);
        for (size_t k = 0; k < f->value_count; k++) {
            double deviation = row[f->offsets[k]] - f->mean[k];
            f->squares[k] += deviation * deviation;
        }
    }
}

/* The center and scale of value k. Equal values have exactly their own value as mean, and no spread: a mean that is
 * rounded would give them one. */
static void scale_value(const struct fit *f, enum transform_kind kind, size_t k, double *ret_center, double *ret_scale)
{
    double scale = f->max[k] - f->min[k];
    *ret_center = f->min[k];
    if (kind == TRANSFORM_STANDARDIZE && scale != 0) {
        *ret_center = f->mean[k];
        scale = sqrt(f->squares[k] / (double)f->row_count);
    }
    *ret_scale = scale == 0 ? 1 : scale;
}

static err_code fit_values(struct fit *f, struct transform *t)
{
    size_t value = 0;
    if (!allocate_sums(f))
        return no_memory(f->err);
    for (size_t i = 0; i < t->column_count; i++) {
        const struct column *c = &f->table->info.columns[f->sources[i]];
        for (size_t k = 0; k < c->width; k++)
            f->offsets[value++] = c->offset + k;
    }
    sum_rows(f);
    value = 0;
    for (size_t i = 0; i < t->column_count; i++) {
        struct transform_column *c = &t->columns[i];
        bool finite = true;
        for (size_t k = 0; k < c->width; k++, value++) {
            scale_value(f, t->kind, value, &c->center[k], &c->scale[k]);
            finite &= isfinite(c->center[k]) && isfinite(c->scale[k]);
        }
        if (!finite)
            complain(f, ERR_nonfinite_number, i, c->column, "has values whose spread is beyond the range of a double");
    }
    return f->first;
}

static err_code run(struct fit *f, struct transform *t, const char *const *columns, size_t count)
{
    err_code code = find_sources(f, t->kind, columns, count);
    if (code || f->first)
        return code ? code : f->first;
    measure(f, t, count);
    if (f->first)
        return f->first;
    code = copy_columns(f, t, count);
    if (!code && (t->kind == TRANSFORM_STANDARDIZE || t->kind == TRANSFORM_MINMAX))
        code = fit_values(f, t);
    return code;
}

err_code transform_fit(const char *input, enum transform_kind kind, const char *const *columns, size_t count,
                       const struct table *table, const uint32_t *rows, size_t row_count, const char *pointer,
                       struct transform *ret, struct error *err)
{
    struct fit f = {.table = table, .rows = rows, .row_count = row_count, .pointer = pointer, .err = err};
    struct transform t = {.kind = kind};
    if (!rows)
        f.row_count = (size_t)table->info.rows;
    if (count == 0)
        return error_add(err, ERR_missing_field, (struct place){.pointer = pointer}, "'%s' is bound to no column",
                         input);
    if (f.row_count == 0)
        return error_add(err, ERR_empty_table, (struct place){.pointer = pointer}, "there are no rows to fit '%s' to",
                         input);
    t.input = strdup(input);
    f.sources = calloc(count, sizeof *f.sources);
    err_code code = t.input && f.sources ? run(&f, &t, columns, count) : no_memory(err);
    free(f.sources);
    free(f.offsets);
    free(f.min);
    if (code)
        transform_clear(&t);
    else
        *ret = t;
    return code;
}
