#include "query/rows.h"
#include "base/functions.h"
#include "base/names.h"
#include "base/text.h"
#include <stdlib.h>
#include <string.h>

/* The input of the model that a transform makes, or NODE_NONE. */
static node_id input_of(const struct model *m, const struct transform *t)
{
    for (size_t i = 0; i < m->input_count; i++) {
        const char *name = graph_node(m->graph, m->inputs[i])->name;
        if (strcmp(name, t->input) == 0) {
            return m->inputs[i];
        }
    }
    return NODE_NONE;
}

/* The column of that name in any of the version's transforms. */
static bool knows_column(const struct held_version *v, const char *column, struct guess *guess)
{
    for (size_t i = 0; i < v->transform_count; i++) {
        for (size_t k = 0; k < v->transforms[i].column_count; k++) {
            if (strcmp(v->transforms[i].columns[k].column, column) == 0) {
                return true;
            }
            guess_offer(guess, v->transforms[i].columns[k].column);
        }
    }
    return false;
}

static void check_columns(const struct held_version *v, const struct row *row, struct error *err)
{
    for (size_t i = 0; i < row->count; i++) {
        struct guess guess = {.name = row->cells[i].column};
        if (knows_column(v, row->cells[i].column, &guess)) {
            continue;
        }
        if (guess.best) {
            error_add(err, ERR_unknown_column, row->cells[i].place,
                      "no column '%s' was bound in training; did you mean '%s'?", row->cells[i].column, guess.best);
        } else {
            error_add(err, ERR_unknown_column, row->cells[i].place, "no column '%s' was bound in training",
                      row->cells[i].column);
        }
    }
}

static const struct cell *find_cell(const struct row *row, const char *column)
{
    for (size_t i = 0; i < row->count; i++) {
        if (strcmp(row->cells[i].column, column) == 0) {
            return &row->cells[i];
        }
    }
    return NULL;
}

static size_t values_of(struct shape shape)
{
    int64_t elements = 0;
    return shape_elements(shape, &elements) ? (size_t)elements : 0;
}

/* One cell through its column's transform into `width` values. */
static void transform_cell(const struct transform *t, size_t column, const struct row *row, double *ret,
                           struct error *err)
{
    const struct transform_column *c = &t->columns[column];
    const struct cell *cell = find_cell(row, c->column);
    if (!cell) {
        error_add(err, ERR_missing_field, row->place, "the row has no '%s'", c->column);
    } else if (c->type == COLUMN_CATEGORY && !cell->label) {
        error_add(err, ERR_wrong_type, cell->place, "'%s' is a category: give its label as a string", c->column);
    } else if (c->type == COLUMN_NUMBER && cell->label) {
        error_add(err, ERR_wrong_type, cell->place, "'%s' is a number, not a string", c->column);
    } else if (c->type == COLUMN_NUMBER && cell->count != values_of(c->shape)) {
        error_add(err, ERR_shape_mismatch, cell->place, "'%s' has %zu values, not %zu", c->column, values_of(c->shape),
                  cell->count);
    } else {
        struct error found = {0};
        if (transform_value(t, column, cell->numbers, cell->label, ret, &found) != ERR_ok) {
            error_add(err, found.code, cell->place, "%s", found.detail ? found.detail : err_title(found.code));
        }
        error_clear(&found);
    }
}

/* All rows of one input. */
static err_code fill_input(const struct model *m, const struct transform *t, node_id node, const struct row *rows,
                           size_t row_count, struct tensor **ret, struct error *err)
{
    struct shape shape = shape_bind(graph_node(m->graph, node)->shape, (int64_t)row_count);
    struct tensor *tensor = NULL;
    double *values = calloc(t->width + 1, sizeof *values);
    err_code code = values ? tensor_new(m->dtype, shape, &tensor, err) : error_set(err, ERR_out_of_memory, NULL);
    if (code == ERR_ok && (size_t)tensor_elements(tensor) != row_count * t->width) {
        code = error_set(err, ERR_internal, "the transform of '%s' does not fit the model", t->input);
    }
    for (size_t r = 0; code == ERR_ok && r < row_count; r++) {
        double *at = values;
        for (size_t k = 0; k < t->column_count; k++) {
            transform_cell(t, k, &rows[r], at, err);
            at += t->columns[k].width;
        }
        for (size_t k = 0; k < t->width; k++) {
            tensor_set(tensor, (int64_t)(r * t->width + k), values[k]);
        }
    }
    free(values);
    if (code != ERR_ok) {
        tensor_free(tensor);
        return code;
    }
    *ret = tensor;
    return ERR_ok;
}

err_code rows_to_inputs(const struct held_model *m, const struct held_version *v, const struct row *rows,
                        size_t row_count, const node_id *outputs, size_t output_count, const char **ret_names,
                        struct tensor **ret_tensors, size_t *ret_count, struct error *err)
{
    if (v->transform_count == 0) {
        return error_set(err, ERR_invalid_query,
                         "version %lld has no transforms: it was not made by a job, so it takes `inputs`, not `rows`",
                         (long long)v->record->version);
    }
    unsigned char *needed = calloc(graph_size(m->model->graph) + 1, 1);
    if (!needed) {
        return error_set(err, ERR_out_of_memory, NULL);
    }
    graph_mark_needed(m->model->graph, outputs, output_count, needed);
    struct error found = {0};
    for (size_t r = 0; r < row_count; r++) {
        check_columns(v, &rows[r], &found);
    }
    err_code code = ERR_ok;
    size_t count = 0;
    for (size_t i = 0; code == ERR_ok && i < v->transform_count; i++) {
        node_id node = input_of(m->model, &v->transforms[i]);
        if (node != NODE_NONE && needed[node]) {
            code = fill_input(m->model, &v->transforms[i], node, rows, row_count, &ret_tensors[count], &found);
            ret_names[count] = v->transforms[i].input;
            count += code == ERR_ok;
        }
    }
    free(needed);
    if (code == ERR_ok)
        code = error_close(&found, ERR_invalid_query, "the rows");
    error_move(err, &found);
    if (code != ERR_ok) {
        for (size_t i = 0; i < count; i++) {
            tensor_free(ret_tensors[i]);
        }
        return code;
    }
    *ret_count = count;
    return ERR_ok;
}

/* ---- outputs in the data's words ---- */

struct prediction prediction_of(const struct held_model *m, const struct held_version *v)
{
    const struct model *model = m->model;
    struct prediction none = {.kind = PREDICTION_NONE};
    unsigned char *needed = calloc(graph_size(model->graph) + 1, 1);
    if (!needed || model->output == NODE_NONE) {
        free(needed);
        return none;
    }
    graph_mark_needed(model->graph, &model->output, 1, needed);
    const struct transform *target = NULL;
    size_t others = 0;
    for (size_t i = 0; i < v->transform_count; i++) {
        node_id node = input_of(model, &v->transforms[i]);
        if (node != NODE_NONE && !needed[node]) {
            target = &v->transforms[i];
            others++;
        }
    }
    free(needed);
    struct shape output = graph_node(model->graph, model->output)->shape;
    if (others != 1 || output.rank < 1 || output.dim[0] != DIM_BATCH) {
        return none;
    }
    bool is_class =
        model->cost != NODE_NONE && graph_node(model->graph, model->cost)->op == OP_CrossEntropy && output.rank == 2;
    if (is_class) {
        return (struct prediction){.kind = PREDICTION_CLASS, .target = target};
    }
    int64_t width = 1;
    for (int i = 1; i < output.rank; i++) {
        width *= output.dim[i];
    }
    return width == (int64_t)target->width ? (struct prediction){.kind = PREDICTION_NUMBERS, .target = target} : none;
}

void prediction_numbers(const struct prediction *p, const struct tensor *output, int64_t row, double *ret)
{
    const struct transform *t = p->target;
    size_t at = 0;
    for (size_t k = 0; k < t->column_count; k++) {
        for (size_t i = 0; i < t->columns[k].width; i++, at++) {
            ret[at] = transform_invert(t, k, i, tensor_get(output, row * (int64_t)t->width + (int64_t)at));
        }
    }
}

void prediction_class(const struct tensor *output, int64_t row, double *ret_probabilities, size_t *ret_class)
{
    int64_t count = output->shape.dim[1];
    size_t best = 0;
    for (int64_t i = 0; i < count; i++) {
        ret_probabilities[i] = tensor_get(output, row * count + i);
        best = ret_probabilities[i] > ret_probabilities[best] ? (size_t)i : best;
    }
    double most = ret_probabilities[best], sum = 0;
    for (int64_t i = 0; i < count; i++) {
        ret_probabilities[i] = fn_exp(ret_probabilities[i] - most);
        sum += ret_probabilities[i];
    }
    for (int64_t i = 0; i < count; i++) {
        ret_probabilities[i] /= sum;
    }
    *ret_class = best;
}
