/* Tables from JSON: {"columns": {name: [one value a row]}}, or {"header": [names], "rows": [[one cell a column]]}.
 *
 * Either way a column is described by its first value: a number, a label (a string), or nested arrays of numbers, whose
 * shape every row has. Then the rows go one by one into data's table builder. Mistakes in the JSON are told with their
 * pointers; the builder's own (labels, names) with row and field. */
#include "api/codec.h"
#include "api/codec_tensor.h"
#include <stdlib.h>
#include <string.h>

struct source {
    const char *name;
    enum column_type type;
    struct shape shape;     /* of a row's value */
    size_t offset, width;   /* in a row of numbers */
    struct tensor *numbers; /* `columns` form: all rows; owned */
    const json_t *labels;   /* `columns` form */
};

struct reading {
    const struct limits *limits;
    struct source *sources;
    size_t source_count;
    struct table_builder *builder;
    double *numbers; /* one row */
    const char **labels;
    size_t *label_lengths;
    struct error *err;
};

static err_code no_memory(struct error *err)
{
    return error_set(err, ERR_out_of_memory, NULL);
}

static void reading_clear(struct reading *r)
{
    for (size_t i = 0; i < r->source_count; i++)
        tensor_free(r->sources[i].numbers);
    free(r->sources);
    table_builder_free(r->builder);
    free(r->numbers);
    free(r->labels);
    free(r->label_lengths);
}

static err_code make_sources(struct reading *r, size_t count)
{
    if (count > COLUMNS_MAX) {
        error_add(r->err, ERR_limit_exceeded, (struct place){0}, "the table has %zu columns; the limit is %d", count,
                  COLUMNS_MAX);
        return ERR_limit_exceeded;
    }
    r->sources = calloc(count + 1, sizeof *r->sources);
    return r->sources ? ERR_ok : no_memory(r->err);
}

/* Makes the builder, once all sources are known. */
static err_code begin_rows(struct reading *r, table_sink *sink, void *context)
{
    struct table_builder_column *columns = calloc(r->source_count + 1, sizeof *columns);
    if (!columns)
        return no_memory(r->err);
    for (size_t i = 0; i < r->source_count; i++)
        columns[i] = (struct table_builder_column){
            .name = r->sources[i].name, .type = r->sources[i].type, .shape = r->sources[i].shape};
    err_code code = table_builder_new(columns, r->source_count, sink, context, &r->builder, r->err);
    free(columns);
    if (code != ERR_ok)
        return code;
    size_t width = 0; /* the builder has checked that it is bounded */
    for (size_t i = 0; i < r->source_count; i++) {
        int64_t elements = 0;
        (void)shape_elements(r->sources[i].shape, &elements);
        r->sources[i].offset = width;
        r->sources[i].width = (size_t)elements;
        width += (size_t)elements;
    }
    r->numbers = calloc(width + 1, sizeof *r->numbers);
    r->labels = calloc(r->source_count + 1, sizeof *r->labels);
    r->label_lengths = calloc(r->source_count + 1, sizeof *r->label_lengths);
    return r->numbers && r->labels && r->label_lengths ? ERR_ok : no_memory(r->err);
}

static void take_label(struct reading *r, size_t column, const json_t *label)
{
    r->labels[column] = json_string_value(label);
    r->label_lengths[column] = json_string_length(label);
}

/* Hands the row on. A wrong row is told, and the next ones are looked at too. */
static err_code end_row(struct reading *r, bool right)
{
    if (!right) {
        table_builder_skip(r->builder);
        return ERR_ok;
    }
    err_code code = table_builder_row(r->builder, r->numbers, r->labels, r->label_lengths, r->err);
    return code == ERR_invalid_dataset ? ERR_ok : code;
}

/* ---- columns ---- */

static bool read_labels(struct reading *r, const json_t *value, const struct where *at)
{
    bool right = true;
    size_t i;
    const json_t *label;
    json_array_foreach(value, i, label)
    {
        struct where label_at = {.up = at, .index = i};
        if (!json_is_string(label)) {
            mistake(r->err, ERR_wrong_type, &label_at,
                    "this must be a string, as the first value of the column is, not %s", json_kind(label));
            right = false;
        }
    }
    return right;
}

/* One column; its number of rows. */
static bool read_column(struct reading *r, const char *name, const json_t *value, const struct where *at,
                        int64_t *ret_rows)
{
    struct source *s = &r->sources[r->source_count++];
    *s = (struct source){.name = name};
    if (!json_is_array(value) && !json_is_object(value)) {
        mistake(r->err, ERR_wrong_type, at, "a column is an array with a value for each row, not %s", json_kind(value));
        return false;
    }
    if (json_is_string(json_array_get(value, 0))) {
        s->type = COLUMN_CATEGORY;
        s->labels = value;
        *ret_rows = (int64_t)json_array_size(value);
        return read_labels(r, value, at);
    }
    if (!read_tensor(value, DTYPE_FLOAT64, r->limits, at, &s->numbers, r->err))
        return false;
    struct shape shape = s->numbers->shape;
    if (shape.rank < 1) {
        mistake(r->err, ERR_invalid_tensor, at, "a column has a first axis: its rows");
        return false;
    }
    *ret_rows = shape.dim[0];
    s->shape = shape_of(shape.rank - 1, shape.dim + 1);
    return true;
}

static void read_columns(struct reading *r, const json_t *columns, const struct where *at, int64_t *ret_rows)
{
    const char *name, *first = NULL;
    json_t *value;
    json_object_foreach((json_t *)columns, name, value)
    {
        struct where column_at = {.up = at, .key = name};
        int64_t rows;
        if (!read_column(r, name, value, &column_at, &rows))
            continue;
        if (!first) {
            first = name;
            *ret_rows = rows;
        } else if (rows != *ret_rows) {
            mistake(r->err, ERR_shape_mismatch, &column_at, "this column has %lld rows, '%.64s' has %lld",
                    (long long)rows, first, (long long)*ret_rows);
        }
    }
}

static err_code feed_columns(struct reading *r, int64_t rows)
{
    err_code code = ERR_ok;
    for (int64_t row = 0; row < rows && code == ERR_ok; row++) {
        for (size_t i = 0; i < r->source_count; i++) {
            const struct source *s = &r->sources[i];
            if (s->labels)
                take_label(r, i, json_array_get(s->labels, (size_t)row));
            else
                memcpy(r->numbers + s->offset, (const double *)s->numbers->data + (size_t)row * s->width,
                       s->width * sizeof(double));
        }
        code = end_row(r, true);
    }
    return code;
}

static err_code take_columns(struct reading *r, const json_t *columns, const struct where *at, table_sink *sink,
                             void *context)
{
    if (!json_is_object(columns)) {
        mistake(r->err, ERR_wrong_type, at, "`columns` is an object of columns by name, not %s", json_kind(columns));
        return ERR_wrong_type;
    }
    int64_t rows = 0;
    err_code code = make_sources(r, json_object_size(columns));
    if (code == ERR_ok)
        read_columns(r, columns, at, &rows);
    if (code == ERR_ok && r->err->code == ERR_ok)
        code = begin_rows(r, sink, context);
    return code == ERR_ok && r->err->code == ERR_ok ? feed_columns(r, rows) : code;
}

/* ---- header and rows ---- */

static err_code read_header(struct reading *r, const json_t *header, const struct where *at)
{
    if (!json_is_array(header)) {
        mistake(r->err, ERR_wrong_type, at, "`header` is an array of names, not %s", json_kind(header));
        return ERR_wrong_type;
    }
    err_code code = make_sources(r, json_array_size(header));
    for (size_t i = 0; code == ERR_ok && i < json_array_size(header); i++) {
        struct where name_at = {.up = at, .index = i};
        struct source *s = &r->sources[r->source_count++];
        *s = (struct source){0};
        (void)read_string(json_array_get(header, i), &name_at, &s->name, r->err);
    }
    return code;
}

/* What the first row's cell says of its column. A cell that is no value at all is told when the row is read. */
static void describe(struct reading *r, const json_t *cell, const struct where *at, struct source *s)
{
    if (json_is_string(cell))
        s->type = COLUMN_CATEGORY;
    if (!json_is_array(cell))
        return;
    struct tensor *tensor = NULL;
    if (read_tensor(cell, DTYPE_FLOAT64, r->limits, at, &tensor, r->err))
        s->shape = tensor->shape;
    tensor_free(tensor);
}

static bool read_cell(struct reading *r, size_t column, const json_t *cell, const struct where *at)
{
    const struct source *s = &r->sources[column];
    if (s->type == COLUMN_CATEGORY) {
        if (!json_is_string(cell)) {
            mistake(r->err, ERR_wrong_type, at, "the column '%.64s' is one of strings by its first row; this is %s",
                    s->name, json_kind(cell));
            return false;
        }
        take_label(r, column, cell);
        return true;
    }
    if (s->shape.rank == 0 && !json_is_real(cell)) {
        mistake(r->err, ERR_wrong_type, at, "the column '%.64s' is one of numbers; this is %s", s->name,
                json_kind(cell));
        return false;
    }
    if (s->shape.rank == 0) {
        r->numbers[s->offset] = json_real_value(cell);
        return true;
    }
    struct tensor *tensor = NULL;
    if (!read_tensor(cell, DTYPE_FLOAT64, r->limits, at, &tensor, r->err))
        return false;
    bool fits = shape_equal(tensor->shape, s->shape);
    char expected[SHAPE_TEXT_MAX], given[SHAPE_TEXT_MAX];
    if (fits)
        memcpy(r->numbers + s->offset, tensor->data, tensor_bytes(tensor));
    else
        mistake(r->err, ERR_shape_mismatch, at, "the column '%.64s' is %s by its first row; this is %s", s->name,
                shape_text(s->shape, expected), shape_text(tensor->shape, given));
    tensor_free(tensor);
    return fits;
}

static bool check_row(struct reading *r, const json_t *row, const struct where *at)
{
    if (!json_is_array(row))
        mistake(r->err, ERR_wrong_type, at, "a row is an array of cells, not %s", json_kind(row));
    else if (json_array_size(row) != r->source_count)
        mistake(r->err, ERR_ragged_row, at, "the row has %zu cells, the header %zu", json_array_size(row),
                r->source_count);
    else
        return true;
    return false;
}

static err_code feed_rows(struct reading *r, const json_t *rows, const struct where *at)
{
    err_code code = ERR_ok;
    for (size_t row = 0; row < json_array_size(rows) && code == ERR_ok; row++) {
        const json_t *cells = json_array_get(rows, row);
        struct where row_at = {.up = at, .index = row};
        bool right = check_row(r, cells, &row_at);
        size_t count = right ? r->source_count : 0;
        for (size_t i = 0; i < count; i++) {
            struct where cell_at = {.up = &row_at, .index = i};
            right = read_cell(r, i, json_array_get(cells, i), &cell_at) && right;
        }
        code = end_row(r, right);
    }
    return code;
}

static err_code take_rows(struct reading *r, const json_t *header, const json_t *rows, const struct where *root,
                          table_sink *sink, void *context)
{
    struct where header_at = {.up = root, .key = "header"}, rows_at = {.up = root, .key = "rows"},
                 first_at = {.up = &rows_at, .index = 0};
    err_code code = read_header(r, header, &header_at);
    if (code != ERR_ok)
        return code;
    if (!json_is_array(rows)) {
        mistake(r->err, ERR_wrong_type, &rows_at, "`rows` is an array of rows, not %s", json_kind(rows));
        return ERR_wrong_type;
    }
    const json_t *first = json_array_get(rows, 0);
    for (size_t i = 0; i < r->source_count && json_is_array(first) && i < json_array_size(first); i++) {
        struct where cell_at = {.up = &first_at, .index = i};
        describe(r, json_array_get(first, i), &cell_at, &r->sources[i]);
    }
    if (r->err->code == ERR_ok)
        code = begin_rows(r, sink, context);
    return code == ERR_ok && r->builder ? feed_rows(r, rows, &rows_at) : code;
}

/* ---- both ---- */

static err_code take_table(struct reading *r, const json_t *body, const struct where *root, table_sink *sink,
                           void *context)
{
    static const char *const known[] = {"columns", "header", "rows", NULL};
    const json_t *columns = json_object_get(body, "columns"), *header = json_object_get(body, "header"),
                 *rows = json_object_get(body, "rows");
    struct where columns_at = {.up = root, .key = "columns"};
    if (!read_object(body, known, root, r->err))
        return r->err->code;
    if (columns && (header || rows)) {
        mistake(r->err, ERR_conflicting_fields, &columns_at, "give either `columns`, or `header` and `rows`");
        return ERR_conflicting_fields;
    }
    if (columns)
        return take_columns(r, columns, &columns_at, sink, context);
    if (!header && !rows) {
        mistake(r->err, ERR_missing_field, root, "a table has `columns`, or `header` and `rows`");
        return ERR_missing_field;
    }
    header = required_field(body, "header", root, r->err);
    rows = required_field(body, "rows", root, r->err);
    return header && rows ? take_rows(r, header, rows, root, sink, context) : ERR_missing_field;
}

err_code decode_table(const char *bytes, size_t size, const struct limits *limits, table_sink *sink, void *context,
                      struct table_info *ret, struct error *err)
{
    json_t *body = NULL;
    err_code code = json_read(bytes, size, limits->json_nesting, &body, err);
    if (code != ERR_ok)
        return code;
    struct where root = {0};
    struct error found = {0};
    struct reading r = {.limits = limits, .err = &found};
    code = take_table(&r, body, &root, sink, context);
    if (code == ERR_ok && found.total == 0)
        code = table_builder_finish(r.builder, ret, &found);
    if (found.total > 0 && (code == ERR_ok || err_class_of(code) == ERR_CLASS_INVALID))
        code = error_close(&found, ERR_invalid_dataset, "the data set");
    reading_clear(&r);
    json_decref(body);
    error_move(err, &found);
    return code;
}
