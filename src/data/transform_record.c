#include "data/transform_record.h"
#include "data/record.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The number of transforms; each input, kind, and columns: each name, type, shape, then centers and scales of a number,
 * or labels in byte order of a category. */
static const char kind[4] = {'G', 'D', 'T', 'R'};
enum {
    VERSION = 1,
    TRANSFORM_LEAST = 4 + 4 + 8,
    COLUMN_LEAST = 4 + 4 + 4,
    LABEL_LEAST = 4 + 1,
    TRANSFORMS_MAX = 1 << 20
};

static size_t number_count(struct shape shape)
{
    int64_t elements = 0;
    return shape_elements(shape, &elements) ? (size_t)elements : 0;
}

static void put_column(struct text *t, const struct transform_column *c)
{
    record_put_string(t, c->column);
    record_put_u32(t, (uint32_t)c->type);
    record_put_shape(t, c->shape);
    if (c->type == COLUMN_CATEGORY) {
        record_put_u64(t, c->category_count);
        for (size_t i = 0; i < c->category_count; i++)
            record_put_string(t, c->labels[i]);
        return;
    }
    for (size_t k = 0; k < number_count(c->shape); k++) {
        record_put_double(t, c->center[k]);
        record_put_double(t, c->scale[k]);
    }
}

err_code transforms_encode(const struct transform *transforms, size_t count, struct text *ret, struct error *err)
{
    struct text t = {0};
    record_start(&t, kind, VERSION);
    record_put_u64(&t, count);
    for (size_t i = 0; i < count; i++) {
        record_put_string(&t, transforms[i].input);
        record_put_u32(&t, (uint32_t)transforms[i].kind);
        record_put_u64(&t, transforms[i].column_count);
        for (size_t k = 0; k < transforms[i].column_count; k++)
            put_column(&t, &transforms[i].columns[k]);
    }
    record_seal(&t);
    if (t.failed) {
        text_clear(&t);
        return error_set(err, ERR_out_of_memory, "no memory for the record of transforms");
    }
    *ret = t;
    return ERR_ok;
}

static void get_labels(struct record_reader *r, struct transform_column *c)
{
    size_t count = record_get_count(r, LABEL_LEAST, CATEGORIES_MAX);
    record_expect(r, count > 0);
    c->labels = calloc(count ? count : 1, sizeof *c->labels);
    if (!c->labels) {
        r->no_memory = r->damaged = true;
        return;
    }
    for (size_t i = 0; i < count && !r->damaged; i++) {
        c->labels[i] = record_get_string(r);
        c->category_count = i + 1;
        record_expect(r, c->labels[i] && c->labels[i][0] != '\0');
        if (i > 0 && c->labels[i - 1] && c->labels[i])
            record_expect(r, strcmp(c->labels[i - 1], c->labels[i]) < 0);
    }
}

/* Numbers bring a center and a scale for each value; categories have 0 and 1. */
static void get_scales(struct record_reader *r, struct transform_column *c, size_t count)
{
    record_expect(r, count <= TABLE_WIDTH_MAX);
    if (c->type == COLUMN_NUMBER)
        record_expect(r, count <= (size_t)(r->end - r->at) / (2 * sizeof(double)));
    if (r->damaged)
        return;
    c->center = calloc(count ? count : 1, sizeof *c->center);
    c->scale = calloc(count ? count : 1, sizeof *c->scale);
    if (!c->center || !c->scale) {
        r->no_memory = r->damaged = true;
        return;
    }
    for (size_t k = 0; k < count; k++) {
        c->center[k] = c->type == COLUMN_NUMBER ? record_get_double(r) : 0;
        c->scale[k] = c->type == COLUMN_NUMBER ? record_get_double(r) : 1;
        record_expect(r, isfinite(c->center[k]) && isfinite(c->scale[k]) && c->scale[k] > 0);
    }
}

static void get_column(struct record_reader *r, struct transform_column *c, enum transform_kind transform)
{
    c->column = record_get_string(r);
    uint32_t type = record_get_u32(r);
    c->type = type == COLUMN_CATEGORY ? COLUMN_CATEGORY : COLUMN_NUMBER;
    c->shape = record_get_shape(r);
    record_expect(r, c->column && c->column[0] != '\0' && strlen(c->column) <= COLUMN_NAME_MAX);
    record_expect(r, type <= COLUMN_CATEGORY && (type == COLUMN_NUMBER || c->shape.rank == 0));
    record_expect(r, transform == TRANSFORM_NONE || (transform == TRANSFORM_ONE_HOT) == (type == COLUMN_CATEGORY));
    if (c->type == COLUMN_CATEGORY && !r->damaged)
        get_labels(r, c);
    if (r->damaged)
        return;
    size_t count = number_count(c->shape);
    get_scales(r, c, count);
    c->width = transform == TRANSFORM_ONE_HOT ? c->category_count : count;
}

static void get_transform(struct record_reader *r, struct transform *t)
{
    t->input = record_get_string(r);
    uint32_t found = record_get_u32(r);
    record_expect(r, found < TRANSFORM_KINDS && t->input && t->input[0] != '\0');
    size_t count = record_get_count(r, COLUMN_LEAST, TABLE_WIDTH_MAX);
    record_expect(r, count > 0);
    if (r->damaged)
        return;
    t->kind = (enum transform_kind)found;
    t->columns = calloc(count ? count : 1, sizeof *t->columns);
    if (!t->columns) {
        r->no_memory = r->damaged = true;
        return;
    }
    for (size_t i = 0; i < count && !r->damaged; i++) {
        t->column_count = i + 1;
        get_column(r, &t->columns[i], t->kind);
        t->width += t->columns[i].width;
        record_expect(r, t->width <= TABLE_WIDTH_MAX);
    }
}

err_code transforms_decode(const void *bytes, size_t size, struct transform **ret, size_t *ret_count, struct error *err)
{
    struct record_reader r = {0};
    err_code code = record_open(&r, bytes, size, kind, VERSION, err);
    if (code)
        return code;
    size_t count = record_get_count(&r, TRANSFORM_LEAST, TRANSFORMS_MAX);
    struct transform *transforms = calloc(count ? count : 1, sizeof *transforms);
    r.no_memory |= !transforms;
    for (size_t i = 0; transforms && i < count && !r.damaged; i++)
        get_transform(&r, &transforms[i]);
    code = record_close(&r, "transforms", err);
    if (code) {
        transforms_free(transforms, count);
        return code;
    }
    *ret = transforms;
    *ret_count = count;
    return ERR_ok;
}

void transforms_free(struct transform *transforms, size_t count)
{
    for (size_t i = 0; transforms && i < count; i++)
        transform_clear(&transforms[i]);
    free(transforms);
}
