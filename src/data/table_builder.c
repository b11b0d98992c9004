#include "base/names.h"
#include "base/text.h"
#include "base/utf8.h"
#include "data/moments.h"
#include "data/table.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The values' bytes are what the digest is of, and they are hashed where they stand. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "digests are of little-endian values");

enum {
    BLOCK_VALUES = 1 << 17, /* doubles in a block: 1 MiB */
    LABEL_OVERHEAD = 128,   /* bytes that a label costs beside its text, about */
};

/* How a category column learns its labels. */
struct label_state {
    size_t capacity; /* of the column's labels */
    bool full;       /* a limit was met and told: labels that are new are ignored */
};

struct table_builder {
    struct table_info info;     /* columns as they become known; rows counts all */
    struct label_state *labels; /* owned; one a column */
    size_t *categories;         /* owned; the columns that are categories */
    size_t category_columns;
    size_t label_bytes;
    struct names *codes; /* owned; the index of a column (its four bytes) and a label -> the label's code */
    struct text key;     /* where such a key is put together */
    table_sink *sink;
    void *context;
    double *block; /* owned; block_rows rows */
    size_t block_rows, filled;
    struct moments moments;
    struct digest values;
    bool wrong; /* an error was found: nothing is handed on any more */
};

static err_code no_memory(struct error *err)
{
    return error_set(err, ERR_out_of_memory, "no memory to build a table");
}

static err_code check_name(struct names *seen, const char *name, size_t index, bool *ret_wrong, struct error *err)
{
    size_t length = strlen(name);
    size_t first = 0;
    if (length == 0) {
        *ret_wrong = true;
        error_add_cell(err, ERR_invalid_name, 0, 0, NULL, "column %zu has no name", index + 1);
        return ERR_ok;
    }
    if (length > COLUMN_NAME_MAX) {
        *ret_wrong = true;
        error_add_cell(err, ERR_invalid_name, 0, 0, NULL, "the name of column %zu has %zu bytes; the limit is %d",
                       index + 1, length, COLUMN_NAME_MAX);
        return ERR_ok;
    }
    if (names_get(seen, name, length, &first)) {
        *ret_wrong = true;
        error_add_cell(err, ERR_duplicate_column, 0, 0, name, "columns %zu and %zu are both named '%s'", first + 1,
                       index + 1, name);
        return ERR_ok;
    }
    return names_put(seen, name, length, index) ? ERR_ok : no_memory(err);
}

err_code table_check_names(const struct table_builder_column *columns, size_t count, struct error *err)
{
    bool wrong = false;
    if (count == 0 || count > COLUMNS_MAX) {
        err_code code = count ? ERR_limit_exceeded : ERR_missing_header;
        error_add_cell(err, code, 0, 0, NULL, "the table has %zu columns; it may have 1 to %d", count, COLUMNS_MAX);
        return ERR_invalid_dataset;
    }
    struct names *seen = names_new();
    if (!seen)
        return no_memory(err);
    err_code code = ERR_ok;
    for (size_t i = 0; i < count && !code; i++)
        code = check_name(seen, columns[i].name, i, &wrong, err);
    names_free(seen);
    if (code)
        return code;
    return wrong ? ERR_invalid_dataset : ERR_ok;
}

/* Adds up the columns' widths. */
static err_code measure(const struct table_builder_column *columns, size_t count, size_t *ret_width, struct error *err)
{
    size_t width = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t elements = 0;
        if (!shape_elements(columns[i].shape, &elements) || elements < 1 ||
            (columns[i].type == COLUMN_CATEGORY && columns[i].shape.rank != 0)) {
            char text[SHAPE_TEXT_MAX];
            error_add_cell(err, ERR_invalid_tensor, 0, 0, columns[i].name,
                           "a row of column '%s' can't have the shape %s", columns[i].name,
                           shape_text(columns[i].shape, text));
            return ERR_invalid_dataset;
        }
        width += (size_t)elements;
        if (width > TABLE_WIDTH_MAX) {
            error_add_cell(err, ERR_limit_exceeded, 0, 0, columns[i].name,
                           "a row has more than %d values up to column '%s'", TABLE_WIDTH_MAX, columns[i].name);
            return ERR_invalid_dataset;
        }
    }
    *ret_width = width;
    return ERR_ok;
}

static bool add_columns(struct table_builder *b, const struct table_builder_column *columns, size_t count)
{
    size_t offset = 0;
    for (size_t i = 0; i < count; i++) {
        struct column *c = &b->info.columns[i];
        int64_t elements = 0;
        c->name = strdup(columns[i].name);
        if (!c->name || !shape_elements(columns[i].shape, &elements))
            return false;
        c->type = columns[i].type;
        c->shape = columns[i].shape;
        c->offset = offset;
        c->width = (size_t)elements;
        offset += c->width;
        if (c->type == COLUMN_CATEGORY)
            b->categories[b->category_columns++] = i;
    }
    return true;
}

static bool allocate(struct table_builder *b, const struct table_builder_column *columns, size_t count, size_t width)
{
    b->info.width = width;
    b->info.columns = calloc(count, sizeof *b->info.columns);
    b->labels = calloc(count, sizeof *b->labels);
    b->categories = calloc(count, sizeof *b->categories);
    b->codes = names_new();
    if (!b->info.columns || !b->labels || !b->categories || !b->codes)
        return false;
    b->info.column_count = count;
    b->block_rows = width < BLOCK_VALUES ? BLOCK_VALUES / width : 1;
    b->block = malloc(b->block_rows * width * sizeof *b->block);
    return b->block && moments_init(&b->moments, width) && add_columns(b, columns, count);
}

err_code table_builder_new(const struct table_builder_column *columns, size_t count, table_sink *sink, void *context,
                           struct table_builder **ret, struct error *err)
{
    size_t width = 0;
    err_code code = table_check_names(columns, count, err);
    if (!code)
        code = measure(columns, count, &width, err);
    if (code)
        return code;
    struct table_builder *b = calloc(1, sizeof *b);
    if (!b || !allocate(b, columns, count, width)) {
        table_builder_free(b);
        return no_memory(err);
    }
    b->sink = sink;
    b->context = context;
    digest_start(&b->values);
    *ret = b;
    return ERR_ok;
}

void table_builder_free(struct table_builder *b)
{
    if (!b)
        return;
    table_info_clear(&b->info);
    names_free(b->codes);
    text_clear(&b->key);
    moments_clear(&b->moments);
    free(b->labels);
    free(b->categories);
    free(b->block);
    free(b);
}

static err_code flush(struct table_builder *b, struct error *err)
{
    size_t count = b->filled * b->info.width;
    if (count == 0)
        return ERR_ok;
    moments_add(&b->moments, b->block, b->filled);
    digest_bytes(&b->values, b->block, count * sizeof *b->block);
    b->filled = 0;
    return b->sink(b->context, b->block, count, err);
}

/* Why a label that is not known can't be taken, told as an item; ERR_ok if it can. */
static err_code check_new_label(struct table_builder *b, size_t index, const char *label, size_t length,
                                struct error *err)
{
    const struct column *c = &b->info.columns[index];
    int64_t row = b->info.rows;
    if (length == 0)
        return error_add_cell(err, ERR_empty_cell, 0, row, c->name, "the cell of column '%s' is empty", c->name);
    if (memchr(label, 0, length))
        return error_add_cell(err, ERR_invalid_value, 0, row, c->name, "a label of column '%s' has a NUL in it",
                              c->name);
    if (!utf8_valid(label, length, NULL))
        return error_add_cell(err, ERR_invalid_utf8, 0, row, c->name, "a label of column '%s' is not UTF-8", c->name);
    if (c->category_count == CATEGORIES_MAX) {
        b->labels[index].full = true;
        return error_add_cell(err, ERR_too_many_categories, 0, row, c->name,
                              "column '%s' has more than %d categories; this row has the first one too many", c->name,
                              CATEGORIES_MAX);
    }
    if (length + LABEL_OVERHEAD > TABLE_LABELS_MAX - b->label_bytes) {
        for (size_t i = 0; i < b->info.column_count; i++)
            b->labels[i].full = true;
        return error_add_cell(err, ERR_limit_exceeded, 0, row, c->name,
                              "the labels of the table's categories take more than %d bytes", TABLE_LABELS_MAX);
    }
    return ERR_ok;
}

/* Puts together the key of a label in b->key; false: no memory. */
static bool make_key(struct table_builder *b, size_t index, const char *label, size_t length)
{
    uint32_t column = (uint32_t)index;
    b->key.length = 0;
    text_add(&b->key, (const char *)&column, sizeof column);
    text_add(&b->key, label, length);
    return !b->key.failed;
}

/* Gives the next code to the label whose key was made. */
static bool add_label(struct table_builder *b, size_t index, const char *label, size_t length)
{
    struct column *c = &b->info.columns[index];
    struct label_state *s = &b->labels[index];
    if (c->category_count == s->capacity) {
        size_t capacity = s->capacity ? 2 * s->capacity : 8;
        char **grown = realloc(c->labels, capacity * sizeof *grown);
        if (!grown)
            return false;
        c->labels = grown;
        s->capacity = capacity;
    }
    char *copy = strndup(label, length);
    if (!copy || !names_put(b->codes, b->key.data, b->key.length, c->category_count)) {
        free(copy);
        return false;
    }
    c->labels[c->category_count++] = copy;
    b->label_bytes += length + LABEL_OVERHEAD;
    return true;
}

/* The code of a row's label in a category column. */
static err_code take_label(struct table_builder *b, size_t index, const char *label, size_t length, double *ret,
                           struct error *err)
{
    struct label_state *s = &b->labels[index];
    size_t code = 0;
    if (!make_key(b, index, label, length))
        return no_memory(err);
    if (names_get(b->codes, b->key.data, b->key.length, &code)) {
        *ret = (double)code;
        return ERR_ok;
    }
    if (s->full)
        return ERR_ok;
    code = b->info.columns[index].category_count;
    if (check_new_label(b, index, label, length, err)) {
        b->wrong = true;
        return ERR_invalid_dataset;
    }
    if (!add_label(b, index, label, length))
        return no_memory(err);
    *ret = (double)code;
    return ERR_ok;
}

/* Items for the numbers of a row that are not finite. */
static err_code refuse_nonfinite(struct table_builder *b, const double *row, struct error *err)
{
    for (size_t i = 0; i < b->info.column_count; i++) {
        const struct column *c = &b->info.columns[i];
        for (size_t k = 0; k < c->width; k++) {
            if (!isfinite(row[c->offset + k])) {
                error_add_cell(err, ERR_nonfinite_number, 0, b->info.rows, c->name,
                               "a value of column '%s' is not a finite number", c->name);
                break;
            }
        }
    }
    b->wrong = true;
    return ERR_invalid_dataset;
}

/* Copies numbers and codes into `row`. */
static err_code fill_row(struct table_builder *b, double *row, const double *numbers, const char *const *labels,
                         const size_t *label_lengths, struct error *err)
{
    bool finite = true;
    err_code wrong = ERR_ok;
    memcpy(row, numbers, b->info.width * sizeof *row);
    for (size_t i = 0; i < b->category_columns; i++) {
        size_t index = b->categories[i];
        double *place = &row[b->info.columns[index].offset];
        *place = 0;
        err_code code = take_label(b, index, labels[index], label_lengths[index], place, err);
        if (code && code != ERR_invalid_dataset)
            return code;
        wrong = code ? code : wrong;
    }
    for (size_t k = 0; k < b->info.width; k++)
        finite &= isfinite(row[k]) != 0;
    return finite ? wrong : refuse_nonfinite(b, row, err);
}

err_code table_builder_row(struct table_builder *b, const double *numbers, const char *const *labels,
                           const size_t *label_lengths, struct error *err)
{
    b->info.rows++;
    if (b->info.rows > TABLE_ROWS_MAX) {
        b->wrong = true;
        return error_set(err, ERR_limit_exceeded, "a table has at most %lld rows", (long long)TABLE_ROWS_MAX);
    }
    err_code code = fill_row(b, b->block + b->filled * b->info.width, numbers, labels, label_lengths, err);
    if (code || b->wrong)
        return code;
    b->filled++;
    return b->filled == b->block_rows ? flush(b, err) : ERR_ok;
}

void table_builder_skip(struct table_builder *b)
{
    b->info.rows++;
    b->wrong = true;
}

static int compare_labels(const void *a, const void *b, void *labels)
{
    char *const *texts = labels;
    return strcmp(texts[*(const uint32_t *)a], texts[*(const uint32_t *)b]);
}

static bool sort_labels(struct column *c)
{
    c->order = malloc((c->category_count ? c->category_count : 1) * sizeof *c->order);
    if (!c->order)
        return false;
    for (size_t i = 0; i < c->category_count; i++)
        c->order[i] = (uint32_t)i;
    qsort_r(c->order, c->category_count, sizeof *c->order, compare_labels, c->labels);
    return true;
}

static void take_digest(struct table_builder *b)
{
    char values[DIGEST_TEXT_MAX];
    digest_end(&b->values, values);
    table_digest(&b->info, values, b->info.digest);
}

static bool describe_columns(struct table_builder *b)
{
    for (size_t i = 0; i < b->info.column_count; i++) {
        struct column *c = &b->info.columns[i];
        if (c->type == COLUMN_CATEGORY) {
            if (!sort_labels(c))
                return false;
            continue;
        }
        struct summary s = moments_summary(&b->moments, c->offset, c->width);
        c->min = s.min;
        c->max = s.max;
        c->mean = s.mean;
        c->std = s.std;
    }
    return true;
}

err_code table_builder_finish(struct table_builder *b, struct table_info *ret, struct error *err)
{
    if (b->wrong)
        return error_set(err, ERR_invalid_dataset, "the table has wrong rows");
    if (b->info.rows == 0)
        return error_add_cell(err, ERR_empty_table, 0, 0, NULL, "the table has no rows");
    err_code code = flush(b, err);
    if (code)
        return code;
    if (!describe_columns(b))
        return no_memory(err);
    take_digest(b);
    *ret = b->info;
    b->info = (struct table_info){0};
    return ERR_ok;
}
