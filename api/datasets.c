/* /v1/datasets: tables, streamed into the store through a stage. */
#include "api/codec.h"
#include "api/member.h"
#include "api/page.h"
#include "api/routes.h"
#include "base/size.h"
#include "data/csv.h"
#include "data/table_record.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_DEFAULT = 100, ROWS_MAX = 1000, READ_TRIES = 8 };

/* ---- a data set as JSON ---- */

static void put_column(struct json *j, const struct column *c)
{
    bool is_category = c->type == COLUMN_CATEGORY;
    put_object(j);
    member_string(j, "name", c->name);
    member_string(j, "type", is_category ? "category" : "number");
    put_key(j, "shape");
    put_shape(j, c->shape);
    if (is_category) {
        put_key(j, "categories");
        put_array(j);
        for (size_t i = 0; i < c->category_count; i++)
            put_string(j, c->labels[c->order[i]]);
        put_array_end(j);
    } else {
        put_key(j, "min");
        put_number(j, c->min);
        put_key(j, "max");
        put_number(j, c->max);
        put_key(j, "mean");
        put_number(j, c->mean);
        put_key(j, "std");
        put_number(j, c->std);
    }
    put_object_end(j);
}

/* The members that lists show too. */
static void put_summary(struct json *j, const struct store_dataset *d)
{
    member_string(j, "name", d->name);
    member_whole(j, "rows", d->rows);
    member_string(j, "digest", d->digest);
    member_time(j, "created_at", d->created_at);
}

static err_code put_dataset(struct text *to, const struct store_dataset *d, struct error *err)
{
    struct table_info info = {0};
    err_code code = table_info_decode(d->info, d->info_size, &info, err);
    if (code != ERR_ok)
        return code;
    struct json j = {.text = to};
    put_object(&j);
    put_summary(&j, d);
    put_key(&j, "columns");
    put_array(&j);
    for (size_t i = 0; i < info.column_count; i++)
        put_column(&j, &info.columns[i]);
    put_array_end(&j);
    put_nonfinite(&j);
    put_object_end(&j);
    table_info_clear(&info);
    return ERR_ok;
}

static void tag(const struct request *r, struct reply *ret, const struct store_dataset *d)
{
    struct text revision = {0};
    ret->content_type = "application/json";
    text_printf(&revision, "%" PRId64 " %s", d->id, d->digest);
    if (!revision.failed)
        reply_tagged(ret, r, revision.data);
    text_clear(&revision);
}

/* ---- reading ---- */

enum handled datasets_list(struct request *r, struct reply *ret)
{
    struct error err = {0};
    struct store_dataset *list = NULL;
    size_t found = 0;
    struct page page = request_page(r, &err);
    err_code code = error_close(&err, ERR_invalid_request, "the request");
    if (code == ERR_ok)
        code = store_dataset_list(r->app->store, page_and_one(page), &list, &found, &err);
    if (code != ERR_ok) {
        reply_problem(ret, r, &err);
        return HANDLED;
    }
    struct json j = {.text = &ret->body};
    size_t count = page_count(page, found);
    put_page(&j);
    for (size_t i = 0; i < count; i++) {
        put_object(&j);
        put_summary(&j, &list[i]);
        put_object_end(&j);
    }
    put_page_end(&j, r, ret, count < found ? list[count - 1].name : NULL);
    ret->status = 200;
    ret->content_type = "application/json";
    store_dataset_list_free(list, found);
    return HANDLED;
}

enum handled dataset_get(struct request *r, struct reply *ret)
{
    struct error err = {0};
    struct store_dataset d = {0};
    err_code code = store_dataset_get(r->app->store, r->arguments[0], &d, &err);
    if (code == ERR_ok)
        code = put_dataset(&ret->body, &d, &err);
    if (code == ERR_ok)
        tag(r, ret, &d);
    else
        reply_problem(ret, r, &err);
    store_dataset_clear(&d);
    return HANDLED;
}

enum handled dataset_delete(struct request *r, struct reply *ret)
{
    struct error err = {0};
    if (store_dataset_delete(r->app->store, r->arguments[0], &err) == ERR_ok)
        ret->status = 204;
    else
        reply_problem(ret, r, &err);
    return HANDLED;
}

/* ---- rows ---- */

/* Some rows of a data set, as they were when its name was looked up. */
struct excerpt {
    struct store_dataset dataset;
    struct table_info info;
    int64_t offset, count;
    double *values; /* count rows */
};

static void excerpt_clear(struct excerpt *e)
{
    store_dataset_clear(&e->dataset);
    table_info_clear(&e->info);
    free(e->values);
    *e = (struct excerpt){0};
}

static err_code read_rows(struct excerpt *e, const struct app *app, int64_t limit, struct error *err)
{
    int64_t left = e->offset < e->info.rows ? e->info.rows - e->offset : 0, width = (int64_t)e->info.width;
    e->count = left < limit ? left : limit;
    if (e->count * width > app->config->limits.answer_elements)
        return error_set(err, ERR_limit_exceeded,
                         "%" PRId64 " rows have %" PRId64 " values; the limit on an answer is %" PRId64, e->count,
                         e->count * width, app->config->limits.answer_elements);
    size_t row_bytes = e->info.width * sizeof(double), bytes = (size_t)e->count * row_bytes;
    e->values = malloc(bytes + 1);
    if (!e->values)
        return error_set(err, ERR_out_of_memory, NULL);
    if (bytes == 0)
        return ERR_ok;
    return store_dataset_read(app->store, e->dataset.id, e->offset * (int64_t)row_bytes, e->values, bytes, err);
}

static err_code read_excerpt(struct excerpt *e, const struct app *app, const char *name, int64_t limit,
                             struct error *err)
{
    err_code code = store_dataset_get(app->store, name, &e->dataset, err);
    if (code == ERR_ok)
        code = table_info_decode(e->dataset.info, e->dataset.info_size, &e->info, err);
    return code == ERR_ok ? read_rows(e, app, limit, err) : code;
}

static void put_cell(struct json *j, const struct excerpt *e, int64_t row, const struct column *c)
{
    double *values = e->values + (size_t)row * e->info.width + c->offset;
    put_key(j, c->name);
    if (c->type == COLUMN_CATEGORY) {
        size_t code = (size_t)values[0];
        put_string(j, code < c->category_count ? c->labels[code] : NULL);
        return;
    }
    struct tensor value = {.dtype = DTYPE_FLOAT64, .shape = c->shape, .data = values};
    put_tensor(j, &value, false);
}

static void put_rows(struct text *to, const struct excerpt *e)
{
    struct json j = {.text = to};
    put_object(&j);
    member_whole(&j, "offset", e->offset);
    member_whole(&j, "total", e->info.rows);
    put_key(&j, "rows");
    put_array(&j);
    for (int64_t row = 0; row < e->count; row++) {
        put_object(&j);
        for (size_t i = 0; i < e->info.column_count; i++)
            put_cell(&j, e, row, &e->info.columns[i]);
        put_object_end(&j);
    }
    put_array_end(&j);
    put_object_end(&j);
}

enum handled dataset_rows(struct request *r, struct reply *ret)
{
    struct error err = {0};
    struct excerpt e = {0};
    int64_t offset = request_whole(r, "offset", 0, TABLE_ROWS_MAX, 0, &err);
    int64_t limit = request_whole(r, "limit", 1, ROWS_MAX, ROWS_DEFAULT, &err);
    err_code code = error_close(&err, ERR_invalid_request, "the request");
    /* A table that was replaced between two steps is read again. */
    for (int i = 0; code == ERR_ok && i < READ_TRIES; i++) {
        excerpt_clear(&e);
        error_clear(&err);
        e.offset = offset;
        err_code read = read_excerpt(&e, r->app, r->arguments[0], limit, &err);
        if (read == ERR_ok || read != ERR_not_found || !e.dataset.name) {
            code = read;
            break;
        }
    }
    if (code == ERR_ok && err.code == ERR_ok) {
        put_rows(&ret->body, &e);
        tag(r, ret, &e.dataset);
    } else {
        reply_problem(ret, r, &err);
    }
    excerpt_clear(&e);
    return HANDLED;
}

/* ---- an upload ---- */

struct upload {
    const struct app *app;
    int64_t stage;
    bool is_csv;
    struct csv_reader *csv;
    struct text json; /* JSON is gathered: it is read as a whole */
};

static void upload_end(struct upload *u)
{
    if (u->stage != 0)
        store_stage_discard(u->app->store, u->stage);
    csv_free(u->csv);
    text_clear(&u->json);
    free(u);
}

static void upload_abort(void *upload)
{
    upload_end(upload);
}

/* The values, as the store keeps them: doubles, little-endian (data/table_builder.c asserts it). */
static err_code stage_values(void *context, const double *values, size_t count, struct error *err)
{
    const struct upload *u = context;
    return store_stage_append(u->app->store, u->stage, values, count * sizeof *values, err);
}

/* One "column:type" of the parameter `types`; cuts it at the colon. */
static void read_type(char *text, struct csv_type *ret, struct error *err)
{
    char *colon = strrchr(text, ':');
    const char *type = colon ? colon + 1 : "";
    if (!colon || (strcmp(type, "category") != 0 && strcmp(type, "number") != 0)) {
        error_add(err, ERR_invalid_value, (struct place){0},
                  "the query parameter types is a list like zip:category,age:number; '%.64s' is no part of one", text);
        return;
    }
    *colon = '\0';
    *ret = (struct csv_type){.column = text, .type = type[0] == 'c' ? COLUMN_CATEGORY : COLUMN_NUMBER};
}

static err_code begin_csv(struct upload *u, const char *types_text, struct error *err)
{
    size_t count = 0, room = 2;
    for (const char *c = types_text; c && *c; c++)
        room += *c == ',';
    char *text = strdup(types_text ? types_text : ""), *rest = text;
    struct csv_type *types = calloc(room, sizeof *types);
    err_code code = text && types ? ERR_ok : error_set(err, ERR_out_of_memory, NULL);
    for (char *one = NULL; code == ERR_ok && types_text && (one = strsep(&rest, ",")) != NULL; count++)
        read_type(one, &types[count], err);
    if (code == ERR_ok)
        code = error_close(err, ERR_invalid_request, "the request");
    if (code == ERR_ok)
        code = csv_new(types, count, stage_values, u, &u->csv, err);
    free(types);
    free(text);
    return code;
}

static err_code begin_upload(struct upload *u, struct request *r, struct error *err)
{
    const char *types = request_parameter(r, "types");
    u->is_csv = strcmp(request_content_type(r), "text/csv") == 0;
    if (types && !u->is_csv)
        error_add(err, ERR_conflicting_fields, (struct place){0},
                  "the query parameter types goes with text/csv: in JSON a string is a label, and a number a number");
    err_code code = error_close(err, ERR_invalid_request, "the request");
    if (code == ERR_ok && u->is_csv)
        code = begin_csv(u, types, err);
    return code == ERR_ok ? store_stage_new(r->app->store, &u->stage, err) : code;
}

static err_code upload_begin(struct request *r, void **ret, struct error *err)
{
    struct upload *u = calloc(1, sizeof *u);
    if (!u)
        return error_set(err, ERR_out_of_memory, NULL);
    u->app = r->app;
    err_code code = begin_upload(u, r, err);
    if (code == ERR_ok)
        *ret = u;
    else
        upload_end(u);
    return code;
}

static err_code upload_feed(void *upload, const char *bytes, size_t size, struct error *err)
{
    struct upload *u = upload;
    if (u->is_csv)
        return csv_feed(u->csv, bytes, size, err);
    int64_t limit = u->app->config->limits.query_bytes;
    if (u->json.length + size > (size_t)limit)
        return error_set(err, ERR_body_too_large,
                         "a data set as JSON may have %" PRId64 " bytes; send a larger one as text/csv", limit);
    text_add(&u->json, bytes, size);
    return u->json.failed ? error_set(err, ERR_out_of_memory, NULL) : ERR_ok;
}

static err_code publish(struct upload *u, const char *name, struct store_dataset *ret, enum put_result *ret_result,
                        struct error *err)
{
    struct table_info info = {0};
    struct text record = {0};
    err_code code =
        u->is_csv ? csv_finish(u->csv, &info, err)
                  : decode_table(u->json.data, u->json.length, &u->app->config->limits, stage_values, u, &info, err);
    if (code == ERR_ok)
        code = table_info_encode(&info, &record, err);
    if (code == ERR_ok) {
        struct store_dataset d = {.name = (char *)name,
                                  .rows = info.rows,
                                  .digest = info.digest,
                                  .info = record.data,
                                  .info_size = record.length};
        code = store_stage_publish(u->app->store, u->stage, &d, ret, ret_result, err);
    }
    table_info_clear(&info);
    text_clear(&record);
    return code;
}

static void upload_finish(void *upload, struct request *r, struct reply *ret)
{
    struct error err = {0};
    struct store_dataset d = {0};
    enum put_result result = PUT_UNCHANGED;
    err_code code = publish(upload, r->arguments[0], &d, &result, &err);
    if (code == ERR_ok)
        code = put_dataset(&ret->body, &d, &err);
    if (code == ERR_ok) {
        ret->status = result == PUT_CREATED ? 201 : 200;
        if (result == PUT_CREATED)
            reply_header(ret, "Location", "/v1/datasets/%s", d.name);
        tag(r, ret, &d);
    } else {
        reply_problem(ret, r, &err);
    }
    store_dataset_clear(&d);
    upload_end(upload);
}

const struct upload_handler dataset_put = {
    .begin = upload_begin, .feed = upload_feed, .finish = upload_finish, .abort = upload_abort};
