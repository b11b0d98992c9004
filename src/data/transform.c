#include "data/transform.h"
#include "base/names.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const kind_names[TRANSFORM_KINDS] = {
    [TRANSFORM_NONE] = "none",
    [TRANSFORM_STANDARDIZE] = "standardize",
    [TRANSFORM_MINMAX] = "minmax",
    [TRANSFORM_ONE_HOT] = "one_hot",
};

bool transform_find(const char *name, enum transform_kind *ret)
{
    for (int i = 0; i < TRANSFORM_KINDS; i++) {
        if (strcmp(kind_names[i], name) == 0) {
            *ret = (enum transform_kind)i;
            return true;
        }
    }
    return false;
}

const char *transform_name(enum transform_kind kind)
{
    return kind_names[kind];
}

void transform_clear(struct transform *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->column_count; i++) {
        struct transform_column *c = &t->columns[i];
        for (size_t k = 0; k < c->category_count; k++)
            free(c->labels[k]);
        free(c->labels);
        free(c->center);
        free(c->scale);
        free(c->column);
    }
    free(t->columns);
    free(t->input);
    *t = (struct transform){0};
}

/* The rank of a label, by binary search. */
static bool find_label(const struct transform_column *c, const char *label, size_t *ret)
{
    size_t low = 0;
    size_t high = c->category_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(c->labels[middle], label);
        if (order == 0) {
            *ret = middle;
            return true;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* A list that is full needs no guesses: a client can't make this search run without end. */
static const char *guess_label(const struct transform_column *c, const char *label, const struct error *err)
{
    struct guess guess = {.name = label};
    if (!err || err->item_count >= ERROR_ITEMS_MAX || c->category_count > COLUMN_GUESSES_MAX)
        return NULL;
    for (size_t i = 0; i < c->category_count; i++)
        guess_offer(&guess, c->labels[i]);
    return guess.best;
}

static err_code category_value(const struct transform *t, const struct transform_column *c, const char *label,
                               double *ret, struct error *err)
{
    size_t rank = 0;
    if (!label)
        return error_add_cell(err, ERR_wrong_type, 0, 0, c->column, "column '%s' is a category: its value is a label",
                              c->column);
    if (!find_label(c, label, &rank)) {
        const char *guess = guess_label(c, label, err);
        return error_add_cell(err, ERR_unknown_category, 0, 0, c->column, "column '%s' has no category '%s'%s%s%s",
                              c->column, label, guess ? "; did you mean '" : "", guess ? guess : "", guess ? "'?" : "");
    }
    if (t->kind != TRANSFORM_ONE_HOT) {
        *ret = (double)rank;
        return ERR_ok;
    }
    memset(ret, 0, c->width * sizeof *ret);
    ret[rank] = 1;
    return ERR_ok;
}

err_code transform_value(const struct transform *t, size_t column, const double *numbers, const char *label,
                         double *ret, struct error *err)
{
    const struct transform_column *c = &t->columns[column];
    if (c->type == COLUMN_CATEGORY)
        return category_value(t, c, label, ret, err);
    if (!numbers)
        return error_add_cell(err, ERR_wrong_type, 0, 0, c->column, "column '%s' is a number, not a label", c->column);
    for (size_t k = 0; k < c->width; k++) {
        ret[k] = (numbers[k] - c->center[k]) / c->scale[k];
        if (!isfinite(ret[k]))
            return error_add_cell(err, ERR_nonfinite_number, 0, 0, c->column,
                                  "the value of column '%s' is beyond the range of a double after %s", c->column,
                                  transform_name(t->kind));
    }
    return ERR_ok;
}

double transform_invert(const struct transform *t, size_t column, size_t k, double value)
{
    const struct transform_column *c = &t->columns[column];
    return c->type == COLUMN_CATEGORY ? value : value * c->scale[k] + c->center[k];
}
