/* What a job is trained on, from JSON: which columns feed which input, which rows validate, what rows weigh. */
#include "api/codec_job.h"
#include "base/names.h"
#include <stdlib.h>

enum { BOUND_COLUMNS_MAX = COLUMNS_MAX };

/* ---- bind ---- */

static void take_columns(struct job_reading *r, const json_t *value, const struct where *at, struct job_bind *to)
{
    size_t count = json_array_size(value);
    if (!json_is_array(value) || count == 0 || count > BOUND_COLUMNS_MAX) {
        mistake(r->err, ERR_wrong_type, at, "this must be an array of 1 to %d names of columns", BOUND_COLUMNS_MAX);
        return;
    }
    to->columns = calloc(count, sizeof *to->columns);
    if (!to->columns) {
        error_set(r->err, ERR_out_of_memory, NULL);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct where column_at = {.up = at, .index = i};
        const char *name;
        if (!read_string(json_array_get(value, i), &column_at, &name, r->err))
            continue;
        to->columns[to->column_count] = job_keep(r, name);
        to->column_count += to->columns[to->column_count] != NULL;
    }
}

static void take_transform(struct job_reading *r, const json_t *value, const struct where *at, struct job_bind *to)
{
    const char *name;
    if (!read_string(value, at, &name, r->err) || transform_find(name, &to->transform))
        return;
    struct guess guess = {.name = name};
    struct text known = {0};
    for (int i = 0; i < TRANSFORM_KINDS; i++) {
        guess_offer(&guess, transform_name((enum transform_kind)i));
        text_printf(&known, "%s%s", i ? ", " : "", transform_name((enum transform_kind)i));
    }
    if (guess.best)
        mistake(r->err, ERR_invalid_value, at, "no transform '%.64s'; did you mean '%s'?", name, guess.best);
    else
        mistake(r->err, ERR_invalid_value, at, "no transform '%.64s'; there are %s", name,
                known.data ? known.data : "");
    text_clear(&known);
}

static void take_one_bind(struct job_reading *r, const char *input, const json_t *value, const struct where *at)
{
    static const char *const known[] = {"columns", "transform", NULL};
    struct job_bind *b = &r->spec->binds[r->spec->bind_count];
    *b = (struct job_bind){.input = job_keep(r, input), .transform = TRANSFORM_NONE};
    if (!b->input)
        return;
    r->spec->bind_count++;
    (void)read_object(value, known, at, r->err);
    const json_t *columns = json_is_object(value) ? required_field(value, "columns", at, r->err) : NULL;
    const json_t *transform = json_object_get(value, "transform");
    struct where columns_at = {.up = at, .key = "columns"}, transform_at = {.up = at, .key = "transform"};
    if (columns)
        take_columns(r, columns, &columns_at, b);
    if (transform)
        take_transform(r, transform, &transform_at, b);
}

void job_binds(struct job_reading *r)
{
    struct where at;
    const json_t *value = job_field(r, "bind", &at);
    if (!value)
        return;
    if (!json_is_object(value)) {
        mistake(r->err, ERR_wrong_type, &at, "`bind` is an object of inputs by name, not %s", json_kind(value));
        return;
    }
    r->spec->binds = calloc(json_object_size(value) + 1, sizeof *r->spec->binds);
    if (!r->spec->binds) {
        error_set(r->err, ERR_out_of_memory, NULL);
        return;
    }
    const char *input;
    json_t *bind;
    json_object_foreach((json_t *)value, input, bind)
    {
        struct where bind_at = {.up = &at, .key = input};
        take_one_bind(r, input, bind, &bind_at);
    }
}

/* ---- validation and weights ---- */

static void take_fraction(struct job_reading *r, const json_t *given, const struct where *at)
{
    double fraction;
    if (!read_number(given, at, &fraction, r->err))
        return;
    if (fraction > 0 && fraction < 1)
        r->spec->train.validation_fraction = fraction;
    else
        mistake(r->err, ERR_out_of_range, at, "fraction must be greater than 0 and below 1");
}

static void take_column_value(struct job_reading *r, const json_t *value, const struct where *at)
{
    struct job_validation *v = &r->spec->validation;
    const struct where column_at = {.up = at, .key = "column"}, value_at = {.up = at, .key = "value"};
    const json_t *column = required_field(value, "column", at, r->err);
    const json_t *wanted = required_field(value, "value", at, r->err);
    const char *text;
    if (column && read_string(column, &column_at, &text, r->err))
        v->column = job_keep(r, text);
    if (json_is_string(wanted))
        v->label = read_string(wanted, &value_at, &text, r->err) ? job_keep(r, text) : NULL;
    else if (json_is_number(wanted))
        (void)read_number(wanted, &value_at, &v->number, r->err);
    else if (wanted)
        mistake(r->err, ERR_wrong_type, &value_at, "this must be a number or a category, not %s", json_kind(wanted));
}

void job_validation(struct job_reading *r)
{
    static const char *const known[] = {"fraction", "dataset", "column", "value", NULL};
    struct where at;
    const json_t *value = job_field(r, "validation", &at);
    if (!value)
        return;
    (void)read_object(value, known, &at, r->err);
    if (!json_is_object(value))
        return;
    const struct where fraction_at = {.up = &at, .key = "fraction"}, dataset_at = {.up = &at, .key = "dataset"};
    const json_t *fraction = json_object_get(value, "fraction"), *dataset = json_object_get(value, "dataset");
    bool by_column = json_object_get(value, "column") || json_object_get(value, "value");
    const char *name;
    if ((fraction != NULL) + (dataset != NULL) + by_column != 1) {
        mistake(r->err, ERR_invalid_value, &at, "validation has a fraction, or a dataset, or a column and a value");
        return;
    }
    if (fraction)
        take_fraction(r, fraction, &fraction_at);
    else if (dataset && read_name(dataset, &dataset_at, &name, r->err))
        r->spec->validation.dataset = job_keep(r, name);
    else if (by_column)
        take_column_value(r, value, &at);
}

void job_weight(struct job_reading *r)
{
    struct where at;
    const json_t *value = job_field(r, "weight", &at);
    const char *column;
    if (value && read_string(value, &at, &column, r->err))
        r->spec->weight = job_keep(r, column);
    r->spec->train.weighted = r->spec->weight != NULL;
}
