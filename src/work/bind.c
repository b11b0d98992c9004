#include "work/bind.h"
#include "base/names.h"
#include "base/size.h"
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

void binding_pointer(const char *input, struct text *t)
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
    binding_pointer(name, &pointer);
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
            binding_pointer(b->name, &pointer);
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
        binding_pointer(b->name, &pointer);
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
