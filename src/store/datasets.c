/* Data sets that are published. */
#include "store/inside.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void store_dataset_clear(struct store_dataset *d)
{
    if (!d)
        return;
    free(d->name);
    free(d->digest);
    free(d->info);
    *d = (struct store_dataset){0};
}

void store_dataset_list_free(struct store_dataset *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        store_dataset_clear(&list[i]);
    free(list);
}

/* ---- reading ---- */

#define DATASET_COLUMNS "id, name, rows, digest, info, created_at"

static void read_row(struct query *q, struct store_dataset *ret)
{
    ret->id = column_integer(q, 0);
    ret->name = column_text(q);
    ret->rows = column_integer(q, 0);
    ret->digest = column_text(q);
    ret->info = column_blob(q, &ret->info_size);
    ret->created_at = column_integer(q, 0);
}

/* Ends a query that answers one data set or none. */
static err_code end_one(struct query *q, struct store_dataset *ret, bool *ret_found, struct error *err)
{
    struct store_dataset d = {0};
    bool found = query_row(q);
    if (found)
        read_row(q, &d);
    err_code code = query_end(q, err);
    if (code != ERR_ok) {
        store_dataset_clear(&d);
        return code;
    }
    *ret = d;
    *ret_found = found;
    return ERR_ok;
}

err_code dataset_find_name(struct db *db, const char *name, struct store_dataset *ret, bool *ret_found,
                           struct error *err)
{
    struct query q = query_start(db, "SELECT " DATASET_COLUMNS " FROM dataset WHERE name = :name");
    query_text(&q, ":name", name);
    return end_one(&q, ret, ret_found, err);
}

err_code dataset_find_id(struct db *db, int64_t id, struct store_dataset *ret, bool *ret_found, struct error *err)
{
    struct query q = query_start(db, "SELECT " DATASET_COLUMNS " FROM dataset WHERE id = :id AND name IS NOT NULL");
    query_integer(&q, ":id", id);
    return end_one(&q, ret, ret_found, err);
}

err_code dataset_exists(struct db *db, int64_t id, bool *ret, struct error *err)
{
    struct query q = query_start(db, "SELECT 1 FROM dataset WHERE id = :id AND name IS NOT NULL");
    query_integer(&q, ":id", id);
    return query_exists(&q, ret, err);
}

err_code store_dataset_get(struct store *s, const char *name, struct store_dataset *ret, struct error *err)
{
    struct db *db;
    err_code code = readers_take(s->readers, &db, err);
    if (code != ERR_ok)
        return code;
    bool found = false;
    code = dataset_find_name(db, name, ret, &found, err);
    readers_give(s->readers, db);
    if (code == ERR_ok && !found)
        code = error_set(err, ERR_not_found, "there is no data set '%s'", name);
    return code;
}

err_code store_dataset_get_id(struct store *s, int64_t id, struct store_dataset *ret, struct error *err)
{
    struct db *db;
    err_code code = readers_take(s->readers, &db, err);
    if (code != ERR_ok)
        return code;
    bool found = false;
    code = dataset_find_id(db, id, ret, &found, err);
    readers_give(s->readers, db);
    if (code == ERR_ok && !found)
        code = error_set(err, ERR_not_found, "the data set is no longer there");
    return code;
}

static err_code list(struct db *db, struct page page, struct store_dataset **ret, size_t *ret_count, struct error *err)
{
    struct query q = query_start(db, "SELECT " DATASET_COLUMNS " FROM dataset"
                                     " WHERE name > :after ORDER BY name LIMIT :limit");
    query_text(&q, ":after", page.after ? page.after : "");
    query_limit(&q, ":limit", page.limit);
    struct store_dataset *rows = NULL;
    size_t count = 0;
    while (query_row(&q) && query_room(&q, (void **)&rows, count, sizeof *rows))
        read_row(&q, &rows[count++]);
    err_code code = query_end(&q, err);
    if (code != ERR_ok) {
        store_dataset_list_free(rows, count);
        return code;
    }
    *ret = rows;
    *ret_count = count;
    return ERR_ok;
}

err_code store_dataset_list(struct store *s, struct page page, struct store_dataset **ret, size_t *ret_count,
                            struct error *err)
{
    struct db *db;
    err_code code = readers_take(s->readers, &db, err);
    if (code != ERR_ok)
        return code;
    code = list(db, page, ret, ret_count, err);
    readers_give(s->readers, db);
    return code;
}

static err_code read_values(struct db *db, int64_t id, int64_t offset, void *ret, size_t size, struct error *err)
{
    struct query q = query_start(db, "SELECT part, bytes FROM dataset_chunk"
                                     " WHERE dataset_id = :id AND part >= :part ORDER BY part");
    query_integer(&q, ":id", id);
    query_integer(&q, ":part", offset / CHUNK_BYTES);
    bool whole = chunks_copy(&q, offset, ret, size);
    err_code code = query_end(&q, err);
    if (code == ERR_ok && !whole)
        code = error_set(err, ERR_database_failed, "values of a data set are missing");
    return code;
}

err_code dataset_size(struct db *db, const char *sql, int64_t id, int64_t *ret, struct error *err)
{
    struct query q = query_start(db, sql);
    query_integer(&q, ":id", id);
    bool found = query_row(&q);
    int64_t size = found ? column_integer(&q, 0) : 0;
    err_code code = query_end(&q, err);
    if (code == ERR_ok && !found)
        code = error_set(err, ERR_not_found, "the data set is no longer there");
    if (code == ERR_ok)
        *ret = size;
    return code;
}

err_code store_dataset_read(struct store *s, int64_t id, int64_t offset, void *ret, size_t size, struct error *err)
{
    struct db *db;
    err_code code = readers_take(s->readers, &db, err);
    if (code != ERR_ok)
        return code;
    int64_t stored = 0;
    code = dataset_size(db, "SELECT size FROM dataset WHERE id = :id AND name IS NOT NULL", id, &stored, err);
    if (code == ERR_ok && (offset < 0 || offset > stored || size > (uint64_t)(stored - offset)))
        code = error_set(err, ERR_internal, "%zu bytes from %" PRId64 " on, of a data set of %" PRId64, size, offset,
                         stored);
    if (code == ERR_ok)
        code = read_values(db, id, offset, ret, size, err);
    readers_give(s->readers, db);
    return code;
}

/* ---- deleting ---- */

err_code dataset_unname(struct db *db, const struct store_dataset *d, struct error *err)
{
    struct query q = query_start(db, "SELECT 1 FROM job WHERE (dataset_id = :id OR validation_id = :id)"
                                     " AND state IN ('queued', 'running', 'paused') LIMIT 1");
    query_integer(&q, ":id", d->id);
    bool used = false;
    err_code code = query_exists(&q, &used, err);
    if (code == ERR_ok && used)
        code = error_set(err, ERR_in_use, "the data set '%s' has jobs that are not finished", d->name);
    if (code != ERR_ok)
        return code;
    q = query_start(db,
                    "UPDATE job SET dataset_id = nullif(dataset_id, :id), validation_id = nullif(validation_id, :id),"
                    " revision = revision + 1 WHERE dataset_id = :id OR validation_id = :id");
    query_integer(&q, ":id", d->id);
    code = query_finish(&q, err);
    if (code != ERR_ok)
        return code;
    q = query_start(db, "UPDATE dataset SET name = NULL WHERE id = :id");
    query_integer(&q, ":id", d->id);
    return query_finish(&q, err);
}

struct deletion {
    const char *name;
    int64_t id; /* that it had */
};

static err_code unname_named(struct db *db, void *context, struct error *err)
{
    struct deletion *deletion = context;
    struct store_dataset d = {0};
    bool found = false;
    err_code code = dataset_find_name(db, deletion->name, &d, &found, err);
    if (code == ERR_ok && !found)
        code = error_set(err, ERR_not_found, "there is no data set '%s'", deletion->name);
    if (code == ERR_ok)
        code = dataset_unname(db, &d, err);
    deletion->id = d.id;
    store_dataset_clear(&d);
    return code;
}

err_code store_dataset_delete(struct store *s, const char *name, struct error *err)
{
    struct deletion deletion = {.name = name};
    err_code code = writer_run(s->writer, unname_named, &deletion, err);
    if (code == ERR_ok)
        store_stage_discard(s, deletion.id);
    return code;
}
