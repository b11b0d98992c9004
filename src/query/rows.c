#include "query/rows.h"
#include "base/functions.h"
#include "base/names.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GUESSES_MAX = 10 }; /* unknown columns that are compared with all others for "did you mean", a request */

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

/* ---- cells by column ---- */

/* The columns that the version's transforms know, each once, and the cells of one row by column. */
struct columns {
    const struct held_version *version;
    struct names *slots;       /* column -> index into cells */
    const struct cell **cells; /* of the row in hand; NULL where it has none */
    size_t count;
};

static void columns_clear(struct columns *c)
{
    names_free(c->slots);
    free(c->cells);
}

static err_code columns_make(const struct held_version *v, struct columns *ret, struct error *err)
{
    struct columns c = {.version = v, .slots = names_new()};
    bool made = c.slots != NULL;
    for (size_t i = 0; made && i < v->transform_count; i++) {
        for (size_t k = 0; made && k < v->transforms[i].column_count; k++) {
            const char *name = v->transforms[i].columns[k].column;
            size_t slot;
            if (!names_get(c.slots, name, strlen(name), &slot)) {
                made = names_put(c.slots, name, strlen(name), c.count++);
            }
        }
    }
    c.cells = calloc(c.count + 1, sizeof(struct cell *));
    if (!made || !c.cells) {
        columns_clear(&c);
        return error_set(err, ERR_out_of_memory, NULL);
    }
    *ret = c;
    return ERR_ok;
}

static void add_unknown_column(const struct columns *c, const struct cell *cell, struct error *err)
{
    struct guess guess = {.name = cell->column};
    const struct held_version *v = c->version;
    for (size_t i = 0; err->total < GUESSES_MAX && i < v->transform_count; i++) {
        for (size_t k = 0; k < v->transforms[i].column_count; k++) {
            guess_offer(&guess, v->transforms[i].columns[k].column);
        }
    }
    if (guess.best) {
        error_add(err, ERR_unknown_column, cell->place, "no column '%s' was bound in training; did you mean '%s'?",
                  cell->column, guess.best);
    } else {
        error_add(err, ERR_unknown_column, cell->place, "no column '%s' was bound in training", cell->column);
    }
}

/* Takes a row in hand. */
static void columns_take(struct columns *c, const struct row *row, struct error *err)
{
    memset(c->cells, 0, c->count * sizeof(struct cell *));
    for (size_t i = 0; i < row->count; i++) {
        const struct cell *cell = &row->cells[i];
        size_t slot;
        if (names_get(c->slots, cell->column, strlen(cell->column), &slot)) {
            c->cells[slot] = cell;
        } else {
            add_unknown_column(c, cell, err);
        }
    }
}

static const struct cell *columns_cell(const struct columns *c, const char *column)
{
    size_t slot;
    return names_get(c->slots, column, strlen(column), &slot) ? c->cells[slot] : NULL;
}

/* ---- from cells to inputs ---- */

static size_t values_of(struct shape shape)
{
    int64_t elements = 0;
    return shape_elements(shape, &elements) ? (size_t)elements : 0;
}

/* Whether the cell is of the column's type and has as many values. */
static bool check_cell(const struct transform_column *c, const struct cell *cell, struct error *err)
{
    if (c->type == COLUMN_CATEGORY && !cell->label) {
        error_add(err, ERR_wrong_type, cell->place, "'%s' is a category: give its label as a string", c->column);
    } else if (c->type == COLUMN_NUMBER && cell->label) {
        error_add(err, ERR_wrong_type, cell->place, "'%s' is a number, not a string", c->column);
    } else if (c->type == COLUMN_NUMBER && cell->count != values_of(c->shape)) {
        error_add(err, ERR_shape_mismatch, cell->place, "'%s' has %zu values, not %zu", c->column, values_of(c->shape),
                  cell->count);
    } else {
        return true;
    }
    return false;
}

/* One cell through its column's transform into the tensor, from element `at` on. `values`: room for its width. */
static void put_cell(const struct transform *t, size_t column, const struct cell *cell, double *values,
                     struct tensor *tensor, int64_t at, struct error *err)
{
    const struct transform_column *c = &t->columns[column];
    struct error found = {0};
    if (transform_value(t, column, cell->numbers, cell->label, values, &found) != ERR_ok) {
        error_add(err, found.code, cell->place, "%s",
                  found.item_count > 0 ? found.items[0].detail : err_title(found.code));
        error_clear(&found);
        return;
    }
    for (size_t k = 0; k < c->width; k++) {
        tensor_set(tensor, at + (int64_t)k, values[k]);
        if (!isfinite(tensor_get(tensor, at + (int64_t)k))) {
            error_add(err, ERR_nonfinite_number, cell->place, "the value of '%s' is beyond the range of %s", c->column,
                      dtype_name(tensor->dtype));
            return;
        }
    }
}

/* An input that the rows make. */
struct made_input {
    const struct transform *transform;
    struct tensor *tensor; /* (rows, ...) */
    double *values;        /* room for one row */
};

static void put_row(const struct made_input *in, const struct columns *c, const struct row *row, size_t index,
                    struct error *err)
{
    const struct transform *t = in->transform;
    int64_t at = (int64_t)(index * t->width);
    for (size_t k = 0; k < t->column_count; k++) {
        const struct cell *cell = columns_cell(c, t->columns[k].column);
        if (!cell) {
            error_add(err, ERR_missing_field, row->place, "the row has no '%s'", t->columns[k].column);
        } else if (check_cell(&t->columns[k], cell, err)) {
            put_cell(t, k, cell, in->values, in->tensor, at, err);
        }
        at += (int64_t)t->columns[k].width;
    }
}

static err_code made_input_new(const struct model *m, const struct transform *t, node_id node, enum dtype dtype,
                               size_t row_count, struct made_input *ret, struct error *err)
{
    struct made_input in = {.transform = t};
    err_code code =
        tensor_new(dtype, shape_bind(graph_node(m->graph, node)->shape, (int64_t)row_count), &in.tensor, err);
    if (code == ERR_ok && (size_t)tensor_elements(in.tensor) != row_count * t->width) {
        code = error_set(err, ERR_internal, "the transform of '%s' does not fit the model", t->input);
    }
    if (code == ERR_ok && !(in.values = calloc(t->width + 1, sizeof *in.values))) {
        code = error_set(err, ERR_out_of_memory, NULL);
    }
    if (code != ERR_ok) {
        tensor_free(in.tensor);
        return code;
    }
    *ret = in;
    return ERR_ok;
}

/* Makes an input for each transform that the outputs need. */
static err_code make_inputs(const struct model *m, const struct held_version *v, enum dtype dtype, size_t row_count,
                            const node_id *outputs, size_t output_count, struct made_input *inputs, size_t *ret_count,
                            struct error *err)
{
    unsigned char *needed = calloc(graph_size(m->graph) + 1, 1);
    if (!needed) {
        return error_set(err, ERR_out_of_memory, NULL);
    }
    graph_mark_needed(m->graph, outputs, output_count, needed);
    err_code code = ERR_ok;
    for (size_t i = 0; code == ERR_ok && i < v->transform_count; i++) {
        node_id node = input_of(m, &v->transforms[i]);
        if (node != NODE_NONE && needed[node]) {
            code = made_input_new(m, &v->transforms[i], node, dtype, row_count, &inputs[*ret_count], err);
            *ret_count += code == ERR_ok;
        }
    }
    free(needed);
    return code;
}

static err_code no_transforms(const struct held_version *v, const char *field, struct error *err)
{
    return error_set(err, ERR_invalid_query,
                     "version %lld has no transforms: it was not made by a job, so it takes `inputs`, not `%s`",
                     (long long)v->record->version, field);
}

/* Hands over the tensors after a success, and frees them after a failure. */
static void end_inputs(struct made_input *inputs, size_t count, err_code code, const char **ret_names,
                       struct tensor **ret_tensors, size_t *ret_count)
{
    for (size_t i = 0; i < count; i++) {
        free(inputs[i].values);
        if (code == ERR_ok) {
            ret_names[i] = inputs[i].transform->input;
            ret_tensors[i] = inputs[i].tensor;
        } else {
            tensor_free(inputs[i].tensor);
        }
    }
    free(inputs);
    if (code == ERR_ok) {
        *ret_count = count;
    }
}

err_code rows_to_inputs(const struct held_model *m, const struct held_version *v, const struct row *rows,
                        size_t row_count, const node_id *outputs, size_t output_count, const char **ret_names,
                        struct tensor **ret_tensors, size_t *ret_count, struct error *err)
{
    if (v->transform_count == 0) {
        return no_transforms(v, "rows", err);
    }
    struct columns columns = {0};
    struct error found = {0};
    size_t count = 0;
    struct made_input *inputs = calloc(v->transform_count, sizeof *inputs);
    err_code code = inputs ? columns_make(v, &columns, &found) : error_set(&found, ERR_out_of_memory, NULL);
    if (code == ERR_ok) {
        code = make_inputs(m->model, v, m->model->dtype, row_count, outputs, output_count, inputs, &count, &found);
    }
    for (size_t r = 0; code == ERR_ok && r < row_count; r++) {
        columns_take(&columns, &rows[r], &found);
        for (size_t i = 0; i < count; i++) {
            put_row(&inputs[i], &columns, &rows[r], r, &found);
        }
    }
    if (code == ERR_ok) {
        code = error_close(&found, ERR_invalid_query, "the rows");
    }
    error_move(err, &found);
    end_inputs(inputs, count, code, ret_names, ret_tensors, ret_count);
    columns_clear(&columns);
    return code;
}

/* ---- from a table to inputs ---- */

static const struct place at_dataset = {.pointer = "/dataset"}, at_range = {.pointer = "/row_range"};

static err_code check_range(const struct table *table, const struct row_range *range, int64_t *ret_to,
                            struct error *err)
{
    int64_t to = range->has_end ? range->to : table->info.rows;
    *ret_to = to;
    if (to <= table->info.rows) {
        return ERR_ok;
    }
    error_add(err, ERR_out_of_range, at_range, "the rows %lld to %lld were asked for; the data set has %lld",
              (long long)range->from, (long long)to, (long long)table->info.rows);
    return ERR_out_of_range;
}

static err_code check_size(const struct held_version *v, int64_t rows, enum dtype dtype, size_t bytes_max,
                           struct error *err)
{
    double width = 0;
    for (size_t i = 0; i < v->transform_count; i++) {
        width += (double)v->transforms[i].width;
    }
    double bytes = width * (double)rows * (double)dtype_size(dtype);
    if (bytes <= (double)bytes_max) {
        return ERR_ok;
    }
    error_add(err, ERR_limit_exceeded, at_range, "the values of %lld rows take %.0f bytes; the limit is %zu",
              (long long)rows, bytes, bytes_max);
    return ERR_limit_exceeded;
}

/* The table is the client's by its name alone: what is wrong with it is told there. */
static void apply(const struct made_input *in, const struct table *table, const uint32_t *rows, size_t row_count,
                  struct error *err)
{
    struct error found = {0};
    err_code code = transform_apply(in->transform, table, rows, row_count, in->tensor->dtype, in->tensor->data, &found);
    for (size_t i = 0; i < found.item_count; i++) {
        const struct error_item *item = &found.items[i];
        error_add(err, item->code, at_dataset, "%s", item->detail ? item->detail : err_title(item->code));
    }
    if (code != ERR_ok && found.item_count == 0) {
        (void)error_set(err, code, "%s", found.detail ? found.detail : err_title(code));
    }
    error_clear(&found);
}

static err_code apply_all(const struct made_input *inputs, size_t count, const struct table *table, int64_t from,
                          size_t row_count, struct error *err)
{
    uint32_t *rows = calloc(row_count + 1, sizeof *rows);
    if (!rows) {
        return error_set(err, ERR_out_of_memory, NULL);
    }
    for (size_t i = 0; i < row_count; i++) {
        rows[i] = (uint32_t)(from + (int64_t)i);
    }
    for (size_t i = 0; i < count && err->code == ERR_ok; i++) {
        apply(&inputs[i], table, rows, row_count, err);
    }
    free(rows);
    return err->code;
}

err_code table_to_inputs(const struct held_model *m, const struct held_version *v, const struct table *table,
                         const struct row_range *range, const node_id *outputs, size_t output_count, enum dtype dtype,
                         size_t bytes_max, const char **ret_names, struct tensor **ret_tensors, size_t *ret_count,
                         struct error *err)
{
    if (v->transform_count == 0) {
        return no_transforms(v, "dataset", err);
    }
    struct error found = {0};
    int64_t to = 0;
    size_t count = 0;
    struct made_input *inputs = calloc(v->transform_count, sizeof *inputs);
    err_code code = inputs ? check_range(table, range, &to, &found) : error_set(&found, ERR_out_of_memory, NULL);
    const int64_t rows = to - range->from;
    if (code == ERR_ok) {
        code = check_size(v, rows, dtype, bytes_max, &found);
    }
    if (code == ERR_ok) {
        code = make_inputs(m->model, v, dtype, (size_t)rows, outputs, output_count, inputs, &count, &found);
    }
    if (code == ERR_ok) {
        code = apply_all(inputs, count, table, range->from, (size_t)rows, &found);
    }
    if (found.total > 0) {
        code = error_close(&found, ERR_invalid_query, "the query");
    }
    error_move(err, &found);
    end_inputs(inputs, count, code, ret_names, ret_tensors, ret_count);
    return code;
}

/* ---- outputs in the data's words ---- */

/* Whether the model's output is what a CrossEntropy of the program takes. */
static bool is_logits(const struct model *m)
{
    bool found = false;
    for (size_t i = 0; !found && i < graph_size(m->graph); i++) {
        const struct node *n = graph_node(m->graph, (node_id)i);
        found = n->op == OP_CrossEntropy && n->inputs[0] == m->output;
    }
    return found;
}

static bool is_of_numbers(const struct transform *t)
{
    bool all = true;
    for (size_t k = 0; k < t->column_count; k++) {
        all = all && t->columns[k].type == COLUMN_NUMBER;
    }
    return all;
}

static enum prediction_kind kind_of(const struct model *m, const struct transform *target)
{
    struct shape output = graph_node(m->graph, m->output)->shape;
    if (output.rank < 1 || output.dim[0] != DIM_BATCH) {
        return PREDICTION_NONE;
    }
    if (is_logits(m)) {
        return output.rank == 2 ? PREDICTION_CLASS : PREDICTION_NONE;
    }
    return is_of_numbers(target) && values_of(shape_bind(output, 1)) == target->width ? PREDICTION_NUMBERS
                                                                                      : PREDICTION_NONE;
}

err_code prediction_of(const struct held_model *m, const struct held_version *v, struct prediction *ret,
                       struct error *err)
{
    const struct model *model = m->model;
    *ret = (struct prediction){.kind = PREDICTION_NONE};
    if (model->output == NODE_NONE) {
        return ERR_ok;
    }
    unsigned char *needed = calloc(graph_size(model->graph), 1);
    if (!needed) {
        return error_set(err, ERR_out_of_memory, NULL);
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
    if (others == 1) {
        *ret = (struct prediction){.kind = kind_of(model, target), .target = target};
    }
    return ERR_ok;
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
