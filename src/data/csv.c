#include "data/csv.h"
#include "base/names.h"
#include "base/utf8.h"
#include "data/csv_cell.h"
#include "data/csv_scan.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* A column of the text. */
struct csv_column {
    char *name; /* owned */
    bool typed; /* its type is known: told by the caller, or seen in the first row */
    enum column_type type;
};

struct csv_reader {
    struct csv_scan scan;
    struct csv_type *types; /* owned, with the names */
    size_t type_count;
    table_sink *sink;
    void *context;
    struct error mistakes;
    err_code failure; /* of sink or memory: reading is over */
    bool stopped;     /* a mistake after which the rest of the text has no meaning */

    struct csv_column *columns; /* owned; NULL until the header was read */
    size_t column_count, typed_count;
    int64_t rows;                    /* data rows so far */
    int64_t blank_count, blank_line; /* blank lines just seen, and where the first stands */
    double *numbers;                 /* owned; one a column */
    const char **labels;             /* owned; one a column, into the scanned row */
    size_t *lengths;                 /* owned; of the labels */
    struct table_builder *builder;   /* owned; NULL until all columns are typed */
};

static err_code no_memory(struct error *err)
{
    return error_set(err, ERR_out_of_memory, "no memory to read CSV");
}

static int line_number(int64_t line)
{
    return line < INT_MAX ? (int)line : INT_MAX;
}

/* False where one more item would not be listed; then it is only counted, and costs nothing. */
static bool has_room(struct csv_reader *r)
{
    if (r->mistakes.item_count < ERROR_ITEMS_MAX)
        return true;
    r->mistakes.total++;
    return false;
}

err_code csv_new(const struct csv_type *types, size_t type_count, table_sink *sink, void *context,
                 struct csv_reader **ret, struct error *err)
{
    struct csv_reader *r = calloc(1, sizeof *r);
    if (!r)
        return no_memory(err);
    csv_scan_init(&r->scan, COLUMNS_MAX);
    r->sink = sink;
    r->context = context;
    r->types = calloc(type_count ? type_count : 1, sizeof *r->types);
    for (size_t i = 0; r->types && i < type_count; i++) {
        char *name = strdup(types[i].column);
        if (!name)
            break;
        r->types[r->type_count++] = (struct csv_type){.column = name, .type = types[i].type};
    }
    if (!r->types || r->type_count < type_count) {
        csv_free(r);
        return no_memory(err);
    }
    *ret = r;
    return ERR_ok;
}

void csv_free(struct csv_reader *r)
{
    if (!r)
        return;
    for (size_t i = 0; r->types && i < r->type_count; i++)
        free((char *)r->types[i].column);
    for (size_t i = 0; i < r->column_count; i++)
        free(r->columns[i].name);
    free(r->types);
    free(r->columns);
    free(r->numbers);
    free(r->labels);
    free(r->lengths);
    table_builder_free(r->builder);
    csv_scan_clear(&r->scan);
    error_clear(&r->mistakes);
    free(r);
}

/* ---------------------------------------------------------------- the header */

static const char *field_at(const struct csv_reader *r, size_t column)
{
    return r->columns && column < r->column_count ? r->columns[column].name : NULL;
}

/* The mistake that the scanner found in the row. */
static void add_scan_mistake(struct csv_reader *r)
{
    const struct csv_scan *s = &r->scan;
    if (has_room(r))
        error_add_cell(&r->mistakes, ERR_invalid_csv, line_number(s->mistake_line), r->rows,
                       field_at(r, s->mistake_cell), "%s (cell %zu of its row)", s->mistake, s->mistake_cell + 1);
}

/* Moves the items of `from`, whose maker did not know the line. */
static void move_items(struct csv_reader *r, struct error *from)
{
    for (size_t i = 0; i < from->item_count; i++) {
        from->items[i].line = line_number(r->scan.row_line);
        from->items[i].row = r->rows;
    }
    error_move(&r->mistakes, from);
}

static bool copy_names(struct csv_reader *r)
{
    size_t count = r->scan.cell_count;
    r->columns = calloc(count, sizeof *r->columns);
    r->numbers = calloc(count, sizeof *r->numbers);
    r->labels = calloc(count, sizeof *r->labels);
    r->lengths = calloc(count, sizeof *r->lengths);
    if (!r->columns || !r->numbers || !r->labels || !r->lengths)
        return false;
    for (size_t i = 0; i < count; i++) {
        size_t length = 0;
        const char *text = csv_scan_cell(&r->scan, i, &length);
        r->columns[i].name = strndup(text, length);
        if (!r->columns[i].name)
            return false;
        r->column_count = i + 1;
    }
    return true;
}

/* Names must be text. False if one is not. */
static bool check_header_text(struct csv_reader *r)
{
    size_t before = r->mistakes.total;
    int line = line_number(r->scan.row_line);
    for (size_t i = 0; i < r->scan.cell_count; i++) {
        size_t length = 0;
        const char *text = csv_scan_cell(&r->scan, i, &length);
        if (!utf8_valid(text, length, NULL)) {
            if (has_room(r))
                error_add_cell(&r->mistakes, ERR_invalid_utf8, line, 0, NULL, "the name of column %zu is not UTF-8",
                               i + 1);
        } else if (memchr(text, 0, length)) {
            if (has_room(r))
                error_add_cell(&r->mistakes, ERR_invalid_csv, line, 0, NULL, "the name of column %zu has a NUL in it",
                               i + 1);
        }
    }
    return r->mistakes.total == before;
}

static struct table_builder_column *builder_columns(const struct csv_reader *r)
{
    struct table_builder_column *columns = calloc(r->column_count, sizeof *columns);
    for (size_t i = 0; columns && i < r->column_count; i++) {
        columns[i].name = r->columns[i].name;
        columns[i].type = r->columns[i].type;
    }
    return columns;
}

static err_code check_names(struct csv_reader *r, struct error *err)
{
    struct error found = {0};
    struct table_builder_column *columns = builder_columns(r);
    if (!columns)
        return no_memory(err);
    err_code code = table_check_names(columns, r->column_count, &found);
    free(columns);
    if (code == ERR_invalid_dataset) {
        move_items(r, &found);
        r->stopped = true;
        return ERR_ok;
    }
    error_clear(&found);
    return code ? no_memory(err) : ERR_ok;
}

static const char *guess_column(const struct csv_reader *r, const char *name)
{
    struct guess guess = {.name = name};
    if (r->column_count <= COLUMN_GUESSES_MAX) {
        for (size_t i = 0; i < r->column_count; i++)
            guess_offer(&guess, r->columns[i].name);
    }
    return guess.best;
}

static void apply_type(struct csv_reader *r, const struct csv_type *type, const struct names *names)
{
    size_t i = 0;
    int line = line_number(r->scan.row_line);
    if (!names_get(names, type->column, strlen(type->column), &i)) {
        if (!has_room(r))
            return;
        const char *guess = guess_column(r, type->column);
        error_add_cell(&r->mistakes, ERR_unknown_column, line, 0, type->column,
                       "a type is given for column '%s', which the header does not have%s%s%s", type->column,
                       guess ? "; did you mean '" : "", guess ? guess : "", guess ? "'?" : "");
        return;
    }
    if (r->columns[i].typed) {
        if (has_room(r))
            error_add_cell(&r->mistakes, ERR_invalid_value, line, 0, type->column, "column '%s' is given a type twice",
                           type->column);
        return;
    }
    r->columns[i].typed = true;
    r->columns[i].type = type->type;
    r->typed_count++;
}

static err_code apply_types(struct csv_reader *r, struct error *err)
{
    struct names *names = names_new();
    bool complete = names != NULL;
    for (size_t i = 0; complete && i < r->column_count; i++)
        complete = names_put(names, r->columns[i].name, strlen(r->columns[i].name), i);
    for (size_t i = 0; complete && i < r->type_count; i++)
        apply_type(r, &r->types[i], names);
    names_free(names);
    return complete ? ERR_ok : no_memory(err);
}

/* Rows have no meaning without a header: its mistakes, all of them, end the reading. */
static err_code take_header(struct csv_reader *r, struct error *err)
{
    if (r->scan.cell_count > COLUMNS_MAX) {
        error_add_cell(&r->mistakes, ERR_limit_exceeded, line_number(r->scan.row_line), 0, NULL,
                       "the header has %zu columns; the limit is %d", r->scan.cell_count, COLUMNS_MAX);
        r->stopped = true;
        return ERR_ok;
    }
    if (r->scan.mistake)
        add_scan_mistake(r);
    if (!check_header_text(r) || r->scan.mistake) {
        r->stopped = true;
        return ERR_ok;
    }
    if (!copy_names(r))
        return no_memory(err);
    err_code code = check_names(r, err);
    if (code || r->stopped)
        return code;
    r->scan.cell_limit = r->column_count;
    return apply_types(r, err);
}

/* ---------------------------------------------------------------- rows */

/* Columns whose type is still open take that of their cell in this row, where there is one. */
static void decide_types(struct csv_reader *r)
{
    for (size_t i = 0; i < r->column_count; i++) {
        struct csv_column *c = &r->columns[i];
        size_t length = 0;
        double value = 0;
        const char *text = csv_scan_cell(&r->scan, i, &length);
        if (c->typed || length == 0)
            continue;
        bool number = cell_number(text, length, &value) || cell_is_like_number(text, length);
        c->type = number ? COLUMN_NUMBER : COLUMN_CATEGORY;
        c->typed = true;
        r->typed_count++;
    }
}

/* A cell that is neither the number nor the label that it should be. */
static void add_cell_mistake(struct csv_reader *r, size_t i, const char *text, size_t length)
{
    const struct csv_column *c = &r->columns[i];
    int line = line_number(r->scan.row_line);
    char shown[CELL_EXCERPT_MAX];
    if (!has_room(r))
        return;
    if (length == 0) {
        error_add_cell(&r->mistakes, ERR_empty_cell, line, r->rows, c->name, "the cell of column '%s' is empty",
                       c->name);
    } else if (!utf8_valid(text, length, NULL)) {
        error_add_cell(&r->mistakes, ERR_invalid_utf8, line, r->rows, c->name, "the cell of column '%s' is not UTF-8",
                       c->name);
    } else if (memchr(text, 0, length)) {
        error_add_cell(&r->mistakes, ERR_invalid_csv, line, r->rows, c->name, "the cell of column '%s' has a NUL in it",
                       c->name);
    } else {
        const char *reason = cell_reason(text, length);
        error_add_cell(&r->mistakes, ERR_invalid_number, line, r->rows, c->name,
                       "'%s' in column '%s' is not a finite decimal number%s%s%s", cell_excerpt(text, length, shown),
                       c->name, reason ? ": " : "", reason ? reason : "",
                       r->rows == 1 ? "; a column of labels needs the type category" : "");
    }
}

/* Fills numbers, labels and lengths; false if a cell is wrong. */
static bool read_cells(struct csv_reader *r)
{
    bool right = true;
    for (size_t i = 0; i < r->column_count; i++) {
        const struct csv_column *c = &r->columns[i];
        size_t length = 0;
        const char *text = csv_scan_cell(&r->scan, i, &length);
        bool taken = false;
        if (length > 0 && c->typed) {
            if (c->type == COLUMN_NUMBER)
                taken = cell_number(text, length, &r->numbers[i]);
            else
                taken = utf8_valid(text, length, NULL) && !memchr(text, 0, length);
        }
        r->labels[i] = text;
        r->lengths[i] = length;
        if (!taken) {
            add_cell_mistake(r, i, text, length);
            right = false;
        }
    }
    return right;
}

static err_code make_builder(struct csv_reader *r, struct error *err)
{
    struct table_builder_column *columns = builder_columns(r);
    if (!columns)
        return no_memory(err);
    err_code code = table_builder_new(columns, r->column_count, r->sink, r->context, &r->builder, err);
    free(columns);
    if (!code && r->mistakes.total > 0)
        table_builder_skip(r->builder);
    return code;
}

/* A row without mistakes of its own. */
static err_code hand_row(struct csv_reader *r, struct error *err)
{
    struct error found = {0};
    err_code code = table_builder_row(r->builder, r->numbers, r->labels, r->lengths, &found);
    if (code == ERR_invalid_dataset) {
        move_items(r, &found);
        return ERR_ok;
    }
    if (code && err) {
        error_clear(err);
        *err = found;
    } else {
        error_clear(&found);
    }
    return code;
}

static bool check_cell_count(struct csv_reader *r)
{
    size_t count = r->scan.cell_count;
    if (count == r->column_count)
        return true;
    if (has_room(r))
        error_add_cell(&r->mistakes, ERR_ragged_row, line_number(r->scan.row_line), r->rows, NULL,
                       "the row has %zu cell%s; the header has %zu", count, count == 1 ? "" : "s", r->column_count);
    return false;
}

static err_code take_row(struct csv_reader *r, struct error *err)
{
    bool right = false;
    r->rows++;
    if (r->scan.mistake) {
        add_scan_mistake(r);
    } else if (check_cell_count(r)) {
        if (r->typed_count < r->column_count)
            decide_types(r);
        right = read_cells(r);
    }
    if (!r->builder && r->typed_count == r->column_count) {
        err_code code = make_builder(r, err);
        if (code)
            return code;
    }
    if (right)
        return hand_row(r, err);
    if (r->builder)
        table_builder_skip(r->builder);
    return ERR_ok;
}

/* Blank lines that other rows follow are rows without cells; of a table of one column, rows with an empty cell. */
static void tell_blank_lines(struct csv_reader *r)
{
    for (int64_t i = 0; i < r->blank_count; i++) {
        int line = line_number(r->blank_line + i);
        r->rows++;
        if (!has_room(r))
            continue;
        if (r->column_count == 1)
            error_add_cell(&r->mistakes, ERR_empty_cell, line, r->rows, r->columns[0].name, "the line is blank");
        else
            error_add_cell(&r->mistakes, ERR_ragged_row, line, r->rows, NULL,
                           "the line is blank; the header has %zu cells", r->column_count);
    }
    if (r->blank_count > 0 && r->builder)
        table_builder_skip(r->builder);
    r->blank_count = 0;
}

static err_code take_event(struct csv_reader *r, enum csv_event event, struct error *err)
{
    switch (event) {
    case CSV_MORE:
        return ERR_ok;
    case CSV_ROW:
        tell_blank_lines(r);
        return r->columns ? take_row(r, err) : take_header(r, err);
    case CSV_BLANK:
        if (!r->columns) {
            error_add_cell(&r->mistakes, ERR_missing_header, line_number(r->scan.row_line), 0, NULL,
                           "the first line is blank; it must name the columns");
            r->stopped = true;
        } else if (r->blank_count++ == 0) {
            r->blank_line = r->scan.row_line;
        }
        return ERR_ok;
    case CSV_STOP:
        tell_blank_lines(r);
        if (r->columns)
            r->rows++;
        add_scan_mistake(r);
        r->stopped = true;
        return ERR_ok;
    case CSV_NO_MEMORY:
        break;
    }
    return no_memory(err);
}

static err_code failed_before(const struct csv_reader *r, struct error *err)
{
    return error_set(err, r->failure, "reading CSV failed before");
}

err_code csv_feed(struct csv_reader *r, const char *bytes, size_t length, struct error *err)
{
    const char *at = bytes;
    const char *end = bytes + length;
    if (r->failure)
        return failed_before(r, err);
    while (at < end && !r->stopped && !r->failure)
        r->failure = take_event(r, csv_scan_next(&r->scan, &at, end), err);
    return r->failure;
}

/* What only the end of the text tells. */
static err_code take_end(struct csv_reader *r, struct error *err)
{
    r->failure = take_event(r, csv_scan_end(&r->scan), err);
    if (r->failure || r->stopped)
        return r->failure;
    if (!r->columns)
        error_add_cell(&r->mistakes, ERR_missing_header, 1, 0, NULL,
                       "the text is empty; its first line must name the columns");
    else if (r->rows == 0)
        error_add_cell(&r->mistakes, ERR_empty_table, line_number(r->scan.line), 0, NULL, "no row follows the header");
    return ERR_ok;
}

err_code csv_finish(struct csv_reader *r, struct table_info *ret, struct error *err)
{
    if (r->failure)
        return failed_before(r, err);
    err_code code = r->stopped ? ERR_ok : take_end(r, err);
    if (code)
        return code;
    if (r->mistakes.total > 0) {
        error_move(err, &r->mistakes);
        error_close(err, ERR_invalid_dataset, "the table");
        return ERR_invalid_dataset;
    }
    return table_builder_finish(r->builder, ret, err);
}
