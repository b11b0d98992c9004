#include "data/table_record.h"
#include "base/names.h"
#include "data/record.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* rows, digest, columns: each name, type, shape, then min, max, mean, std of a number, or labels and order of a
 * category. */
static const char kind[4] = {'G', 'D', 'T', 'B'};
enum { VERSION = 1, COLUMN_LEAST = 4 + 4 + 4 + 8, LABEL_LEAST = 4 + 1, ORDER_LEAST = 4 };

static void put_column(struct text *t, const struct column *c)
{
    record_put_string(t, c->name);
    record_put_u32(t, (uint32_t)c->type);
    record_put_shape(t, c->shape);
    if (c->type == COLUMN_NUMBER) {
        record_put_double(t, c->min);
        record_put_double(t, c->max);
        record_put_double(t, c->mean);
        record_put_double(t, c->std);
        return;
    }
    record_put_u64(t, c->category_count);
    for (size_t i = 0; i < c->category_count; i++)
        record_put_string(t, c->labels[i]);
    for (size_t i = 0; i < c->category_count; i++)
        record_put_u32(t, c->order[i]);
}

err_code table_info_encode(const struct table_info *info, struct text *ret, struct error *err)
{
    struct text t = {0};
    record_start(&t, kind, VERSION);
    record_put_u64(&t, (uint64_t)info->rows);
    record_put_string(&t, info->digest);
    record_put_u64(&t, info->column_count);
    for (size_t i = 0; i < info->column_count; i++)
        put_column(&t, &info->columns[i]);
    record_seal(&t);
    if (t.failed) {
        text_clear(&t);
        return error_set(err, ERR_out_of_memory, "no memory for the record of a table");
    }
    *ret = t;
    return ERR_ok;
}

/* The order must sort the labels strictly: so it is a permutation, and no label is there twice. */
static void get_labels(struct record_reader *r, struct column *c)
{
    size_t count = record_get_count(r, LABEL_LEAST + ORDER_LEAST, CATEGORIES_MAX);
    record_expect(r, count > 0);
    c->labels = calloc(count ? count : 1, sizeof *c->labels);
    c->order = calloc(count ? count : 1, sizeof *c->order);
    if (!c->labels || !c->order) {
        r->no_memory = r->damaged = true;
        return;
    }
    for (size_t i = 0; i < count && !r->damaged; i++) {
        c->labels[i] = record_get_string(r);
        c->category_count = i + 1;
        record_expect(r, c->labels[i] && c->labels[i][0] != '\0');
    }
    for (size_t i = 0; i < count && !r->damaged; i++) {
        c->order[i] = record_get_u32(r);
        record_expect(r, c->order[i] < count);
        if (i > 0 && !r->damaged)
            record_expect(r, strcmp(c->labels[c->order[i - 1]], c->labels[c->order[i]]) < 0);
    }
}

static void get_column(struct record_reader *r, struct column *c, struct names *seen, size_t index)
{
    size_t other = 0;
    c->name = record_get_string(r);
    uint32_t type = record_get_u32(r);
    c->type = type == COLUMN_CATEGORY ? COLUMN_CATEGORY : COLUMN_NUMBER;
    c->shape = record_get_shape(r);
    record_expect(r, type <= COLUMN_CATEGORY && (type == COLUMN_NUMBER || c->shape.rank == 0));
    record_expect(r, c->name && c->name[0] != '\0' && strlen(c->name) <= COLUMN_NAME_MAX);
    if (r->damaged || !c->name)
        return;
    record_expect(r, !names_get(seen, c->name, strlen(c->name), &other));
    if (!names_put(seen, c->name, strlen(c->name), index))
        r->no_memory = r->damaged = true;
    if (c->type == COLUMN_CATEGORY) {
        get_labels(r, c);
        return;
    }
    c->min = record_get_double(r);
    c->max = record_get_double(r);
    c->mean = record_get_double(r);
    c->std = record_get_double(r);
    record_expect(r, isfinite(c->min) && isfinite(c->max) && c->min <= c->max);
}

/* Offsets and widths follow from the shapes. */
static void place_column(struct record_reader *r, struct table_info *info, struct column *c)
{
    int64_t elements = 0;
    if (r->damaged || !shape_elements(c->shape, &elements))
        return;
    c->offset = info->width;
    c->width = (size_t)elements;
    record_expect(r, c->width <= TABLE_WIDTH_MAX - info->width);
    if (!r->damaged)
        info->width += c->width;
}

static void get_digest(struct record_reader *r, struct table_info *info)
{
    char *digest = record_get_string(r);
    record_expect(r, digest && strlen(digest) == DIGEST_TEXT_MAX - 1 &&
                         strspn(digest, "0123456789abcdef") == DIGEST_TEXT_MAX - 1);
    if (digest && !r->damaged)
        memcpy(info->digest, digest, DIGEST_TEXT_MAX);
    free(digest);
}

static void get_info(struct record_reader *r, struct table_info *info)
{
    uint64_t rows = record_get_u64(r);
    record_expect(r, rows > 0 && rows <= (uint64_t)TABLE_ROWS_MAX);
    info->rows = r->damaged ? 0 : (int64_t)rows;
    get_digest(r, info);
    size_t count = record_get_count(r, COLUMN_LEAST, COLUMNS_MAX);
    record_expect(r, count > 0);
    struct names *seen = names_new();
    info->columns = calloc(count ? count : 1, sizeof *info->columns);
    if (!info->columns || !seen)
        r->no_memory = r->damaged = true;
    for (size_t i = 0; i < count && !r->damaged; i++) {
        info->column_count = i + 1;
        get_column(r, &info->columns[i], seen, i);
        place_column(r, info, &info->columns[i]);
    }
    names_free(seen);
}

err_code table_info_decode(const void *bytes, size_t size, struct table_info *ret, struct error *err)
{
    struct record_reader r = {0};
    struct table_info info = {0};
    err_code code = record_open(&r, bytes, size, kind, VERSION, err);
    if (code)
        return code;
    get_info(&r, &info);
    code = record_close(&r, "a table", err);
    if (code)
        table_info_clear(&info);
    else
        *ret = info;
    return code;
}
