/* Applying: what is known of table and transform is put into a list of pieces first; then each row is one loop over
 * them, in double, and a second loop that rounds. */
#include "base/names.h"
#include "data/transform.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RANK_UNKNOWN UINT32_MAX    /* the transform does not know this label */
#define RANK_TOLD (UINT32_MAX - 1) /* nor this one, and an item says so */

/* Values that stand side by side in the table and in the input; or one category. */
struct piece {
    size_t from, to; /* the first value's place in a row of the table and of the input */
    size_t width;    /* values in the input */
    uint32_t *ranks; /* owned; of a category: its code in the table -> the rank that the transform knows */
    size_t column;   /* of the transform: the piece's first */
    size_t source;   /* that column in the table */
};

struct application {
    const struct transform *t;
    const struct table *table;
    struct error *err;
    err_code first;       /* the first mistake's code */
    struct piece *pieces; /* owned */
    size_t piece_count;
    double *center, *scale; /* owned; t->width each */
    double *row;            /* owned; t->width: a row of the input before it is rounded */
};

static err_code no_memory(struct error *err)
{
    return error_set(err, ERR_out_of_memory, "no memory to apply a transform");
}

static void note(struct application *a, err_code code)
{
    a->first = a->first ? a->first : code;
}

/* Does the table have the column as the transform knows it? */
static void check_source(struct application *a, const struct transform_column *c, const struct names *names,
                         size_t *ret)
{
    const struct table_info *info = &a->table->info;
    if (!names_get(names, c->column, strlen(c->column), ret)) {
        note(a,
             error_add_cell(a->err, ERR_unknown_column, 0, 0, c->column, "the data set has no column '%s'", c->column));
        return;
    }
    const struct column *source = &info->columns[*ret];
    if (source->type != c->type) {
        note(a, error_add_cell(a->err, ERR_wrong_type, 0, 0, c->column, "column '%s' is a %s; it was a %s in training",
                               c->column, source->type == COLUMN_NUMBER ? "number" : "category",
                               c->type == COLUMN_NUMBER ? "number" : "category"));
    } else if (!shape_equal(source->shape, c->shape)) {
        char expected[SHAPE_TEXT_MAX];
        char actual[SHAPE_TEXT_MAX];
        note(a, error_add_cell(a->err, ERR_shape_mismatch, 0, 0, c->column,
                               "column '%s' has the shape %s; it was %s in training", c->column,
                               shape_text(source->shape, actual), shape_text(c->shape, expected)));
    }
}

/* The rank in the transform of each code in the table: both lists are walked in byte order. */
static uint32_t *map_ranks(const struct column *source, const struct transform_column *c)
{
    size_t known = 0;
    uint32_t *ranks = malloc((source->category_count ? source->category_count : 1) * sizeof *ranks);
    for (size_t i = 0; ranks && i < source->category_count; i++) {
        uint32_t code = source->order[i];
        while (known < c->category_count && strcmp(c->labels[known], source->labels[code]) < 0)
            known++;
        bool same = known < c->category_count && strcmp(c->labels[known], source->labels[code]) == 0;
        ranks[code] = same ? (uint32_t)known : RANK_UNKNOWN;
    }
    return ranks;
}

/* Adds column i, which goes to `to` in the input; numbers that follow on others join their piece. */
static bool add_piece(struct application *a, size_t i, size_t source, size_t to)
{
    const struct transform_column *c = &a->t->columns[i];
    const struct column *s = &a->table->info.columns[source];
    struct piece *p = &a->pieces[a->piece_count];
    if (c->type == COLUMN_NUMBER) {
        memcpy(a->center + to, c->center, c->width * sizeof *a->center);
        memcpy(a->scale + to, c->scale, c->width * sizeof *a->scale);
        if (a->piece_count > 0 && !p[-1].ranks && p[-1].from + p[-1].width == s->offset) {
            p[-1].width += c->width;
            return true;
        }
    }
    a->piece_count++;
    *p = (struct piece){.from = s->offset, .to = to, .width = c->width, .column = i, .source = source};
    if (c->type == COLUMN_CATEGORY)
        p->ranks = map_ranks(s, c);
    return c->type == COLUMN_NUMBER || p->ranks;
}

static err_code prepare(struct application *a)
{
    const struct transform *t = a->t;
    const struct table_info *info = &a->table->info;
    size_t to = 0;
    struct names *names = names_new();
    bool complete = names != NULL;
    a->pieces = calloc(t->column_count ? t->column_count : 1, sizeof *a->pieces);
    a->center = calloc(t->width + 1, 3 * sizeof *a->center);
    complete = complete && a->pieces && a->center;
    if (a->center) {
        a->scale = a->center + t->width;
        a->row = a->scale + t->width;
    }
    for (size_t i = 0; complete && i < info->column_count; i++)
        complete = names_put(names, info->columns[i].name, strlen(info->columns[i].name), i);
    for (size_t i = 0; complete && i < t->column_count; i++) {
        size_t source = 0;
        check_source(a, &t->columns[i], names, &source);
        if (!a->first)
            complete = add_piece(a, i, source, to);
        to += t->columns[i].width;
    }
    names_free(names);
    return complete ? a->first : no_memory(a->err);
}

static void release(struct application *a)
{
    for (size_t i = 0; i < a->piece_count; i++)
        free(a->pieces[i].ranks);
    free(a->pieces);
    free(a->center);
}

static void tell_unknown(struct application *a, struct piece *p, uint32_t code, size_t row)
{
    const struct transform_column *c = &a->t->columns[p->column];
    const char *label = a->table->info.columns[p->source].labels[code];
    struct guess guess = {.name = label};
    note(a, ERR_unknown_category);
    if (p->ranks[code] == RANK_TOLD)
        return;
    p->ranks[code] = RANK_TOLD;
    if (a->err && a->err->item_count < ERROR_ITEMS_MAX && c->category_count <= COLUMN_GUESSES_MAX) {
        for (size_t i = 0; i < c->category_count; i++)
            guess_offer(&guess, c->labels[i]);
    }
    error_add_cell(a->err, ERR_unknown_category, 0, (int64_t)row + 1, c->column,
                   "the category '%s' of column '%s' was not known in training%s%s%s", label, c->column,
                   guess.best ? "; did you mean '" : "", guess.best ? guess.best : "", guess.best ? "'?" : "");
}

static void apply_category(struct application *a, struct piece *p, double code, size_t row)
{
    uint32_t rank = p->ranks[(uint32_t)code];
    if (rank >= RANK_TOLD) {
        tell_unknown(a, p, (uint32_t)code, row);
        return;
    }
    double *out = a->row + p->to;
    if (a->t->kind != TRANSFORM_ONE_HOT) {
        *out = (double)rank;
        return;
    }
    memset(out, 0, p->width * sizeof *out);
    out[rank] = 1;
}

/* One row of the input into a->row. */
static void apply_row(struct application *a, size_t row)
{
    const double *values = a->table->values + row * a->table->info.width;
    for (size_t i = 0; i < a->piece_count; i++) {
        struct piece *p = &a->pieces[i];
        if (p->ranks) {
            apply_category(a, p, values[p->from], row);
            continue;
        }
        const double *in = values + p->from;
        const double *center = a->center + p->to;
        const double *scale = a->scale + p->to;
        double *out = a->row + p->to;
        for (size_t k = 0; k < p->width; k++)
            out[k] = (in[k] - center[k]) / scale[k];
    }
}

/* Rounds a->row into out; false if a value is not finite then. */
static bool round_row(const struct application *a, enum dtype dtype, void *out)
{
    size_t width = a->t->width;
    int beyond = 0;
    if (dtype == DTYPE_FLOAT64) {
        memcpy(out, a->row, width * sizeof *a->row);
        for (size_t k = 0; k < width; k++)
            beyond |= fabs(a->row[k]) > DBL_MAX;
        return !beyond;
    }
    float *rounded = out;
    for (size_t k = 0; k < width; k++) {
        rounded[k] = (float)a->row[k];
        beyond |= fabsf(rounded[k]) > FLT_MAX;
    }
    return !beyond;
}

static void tell_nonfinite(struct application *a, enum dtype dtype, size_t row)
{
    const struct transform *t = a->t;
    size_t k = 0;
    for (size_t i = 0; i < t->column_count; i++) {
        bool finite = true;
        for (size_t last = k + t->columns[i].width; k < last; k++)
            finite &= dtype == DTYPE_FLOAT64 ? isfinite(a->row[k]) : isfinite((float)a->row[k]);
        if (!finite)
            note(a, error_add_cell(a->err, ERR_nonfinite_number, 0, (int64_t)row + 1, t->columns[i].column,
                                   "the value of column '%s' is beyond the range of %s after the transform '%s'",
                                   t->columns[i].column, dtype_name(dtype), transform_name(t->kind)));
    }
}

err_code transform_apply(const struct transform *t, const struct table *table, const uint32_t *rows, size_t row_count,
                         enum dtype dtype, void *out, struct error *err)
{
    struct application a = {.t = t, .table = table, .err = err};
    size_t row_bytes = t->width * dtype_size(dtype);
    size_t count = rows ? row_count : (size_t)table->info.rows;
    err_code code = prepare(&a);
    for (size_t i = 0; !code && i < count; i++) {
        size_t row = rows ? rows[i] : i;
        apply_row(&a, row);
        if (!round_row(&a, dtype, (char *)out + i * row_bytes))
            tell_nonfinite(&a, dtype, row);
    }
    release(&a);
    return code ? code : a.first;
}
