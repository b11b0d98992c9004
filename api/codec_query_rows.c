/* Rows in the place of inputs: of the request itself, or of a stored table. */
#include "api/codec_query.h"
#include <string.h>

static bool take_cell(struct query_reading *r, const char *column, const json_t *value, const struct where *at,
                      struct cell *ret)
{
    *ret = (struct cell){.column = query_keep(r, column), .place = query_place(r, at)};
    if (json_is_string(value) && !lifted_is_array(r->lifted, value)) {
        ret->label = query_keep(r, json_string_value(value));
        return ret->column && ret->label;
    }
    enum dtype dtype = r->dtype;
    r->dtype = DTYPE_FLOAT64; /* the data's own units: rounded to the model's dtype after the transform */
    const struct tensor *numbers = query_tensor(r, value, at);
    r->dtype = dtype;
    if (!numbers)
        return false;
    ret->numbers = numbers->data;
    ret->count = (size_t)tensor_elements(numbers);
    return ret->column != NULL;
}

static void take_row(struct query_reading *r, const json_t *value, const struct where *at, struct row *ret)
{
    *ret = (struct row){.place = query_place(r, at)};
    if (!json_is_object(value)) {
        mistake(r->err, ERR_wrong_type, at, "a row is an object of cells by column, not %s", json_kind(value));
        return;
    }
    struct cell *cells = arena_array(r->request->arena, json_object_size(value) + 1, sizeof *cells);
    if (!cells) {
        query_no_memory(r);
        return;
    }
    const char *key;
    json_t *cell;
    json_object_foreach((json_t *)value, key, cell)
    {
        struct where cell_at = {.up = at, .key = key};
        ret->count += take_cell(r, key, cell, &cell_at, &cells[ret->count]);
    }
    ret->cells = cells;
}

void query_rows(struct query_reading *r)
{
    const json_t *rows = json_object_get(r->body, "rows");
    struct where at = {.up = r->root, .key = "rows"};
    if (!rows)
        return;
    if (json_object_get(r->body, "inputs"))
        mistake(r->err, ERR_conflicting_fields, &at, "give either `rows` or `inputs`");
    if (!json_is_array(rows) || json_array_size(rows) == 0) {
        mistake(r->err, ERR_wrong_type, &at, "rows are an array of at least one object");
        return;
    }
    size_t count = json_array_size(rows);
    r->request->rows = arena_array(r->request->arena, count, sizeof *r->request->rows);
    if (!r->request->rows) {
        query_no_memory(r);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct where row_at = {.up = &at, .index = i};
        take_row(r, json_array_get(rows, i), &row_at, &r->request->rows[i]);
    }
    r->request->row_count = count;
}

/* ---- rows of a stored table ---- */

/* [from, to]: half-open. */
static void take_row_range(struct query_reading *r)
{
    const json_t *range = json_object_get(r->body, "row_range");
    struct where at = {.up = r->root, .key = "row_range"};
    int64_t ends[2];
    if (!range)
        return;
    if (!json_object_get(r->body, "dataset"))
        mistake(r->err, ERR_missing_field, &at, "`row_range` is of a `dataset`, which is missing");
    if (!json_is_array(range) || json_array_size(range) != 2) {
        mistake(r->err, ERR_wrong_type, &at, "a row_range is [from, to], from the first row to before another");
        return;
    }
    bool whole = true;
    for (size_t i = 0; i < 2; i++) {
        struct where item = {.up = &at, .index = i};
        whole = read_whole(json_array_get(range, i), 0, WHOLE_MAX, &item, &ends[i], r->err) && whole;
    }
    if (whole && ends[0] >= ends[1])
        mistake(r->err, ERR_out_of_range, &at, "there are no rows from %lld to before %lld", (long long)ends[0],
                (long long)ends[1]);
    else if (whole)
        r->request->range = (struct row_range){.from = ends[0], .to = ends[1], .has_end = true};
}

void query_dataset(struct query_reading *r)
{
    static const char *const others[] = {"inputs", "rows"};
    const json_t *dataset = json_object_get(r->body, "dataset");
    struct where at = {.up = r->root, .key = "dataset"};
    const char *name;
    take_row_range(r);
    if (!dataset)
        return;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (json_object_get(r->body, others[i]))
            mistake(r->err, ERR_conflicting_fields, &at, "give either `dataset` or `%s`", others[i]);
    if (read_name(dataset, &at, &name, r->err))
        r->request->dataset = query_keep(r, name);
}
