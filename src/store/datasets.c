/* A data set is a row without a name while it is uploaded: a stage. To publish it is to name it. To delete or replace a
 * data set takes its name away, at once and for good; its chunks then go in short transactions, so that a large one
 * does not keep other writers waiting. What is left without a name when the process ends goes at the next start. */
#include "store/inside.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNKS_A_REMOVAL = 16 };

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

static err_code find_name(struct db *db, const char *name, struct store_dataset *ret, bool *ret_found,
                          struct error *err)
{
    struct query q = query_start(db, "SELECT " DATASET_COLUMNS " FROM dataset WHERE name = :name");
    query_text(&q, ":name", name);
    return end_one(&q, ret, ret_found, err);
}

static err_code find_id(struct db *db, int64_t id, struct store_dataset *ret, bool *ret_found, struct error *err)
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
    code = find_name(db, name, ret, &found, err);
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
    code = find_id(db, id, ret, &found, err);
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

bool chunks_copy(struct query *q, int64_t offset, void *ret, size_t size)
{
    unsigned char *to = ret;
    int64_t part = offset / CHUNK_BYTES;
    size_t skip = (size_t)(offset % CHUNK_BYTES);
    while (size > 0 && query_row(q)) {
        bool next = column_integer(q, -1) == part++;
        size_t there;
        const unsigned char *bytes = column_bytes(q, &there);
        if (!next || !bytes || there <= skip)
            return false;
        size_t taken = there - skip < size ? there - skip : size;
        memcpy(to, bytes + skip, taken);
        to += taken;
        size -= taken;
        skip = 0;
    }
    return size == 0;
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

/* The bytes of values that a data set or a stage has; not_found. `sql` takes :id. */
static err_code stored_size(struct db *db, const char *sql, int64_t id, int64_t *ret, struct error *err)
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
    code = stored_size(db, "SELECT size FROM dataset WHERE id = :id AND name IS NOT NULL", id, &stored, err);
    if (code == ERR_ok && (offset < 0 || offset > stored || size > (uint64_t)(stored - offset)))
        code = error_set(err, ERR_internal, "%zu bytes from %" PRId64 " on, of a data set of %" PRId64, size, offset,
                         stored);
    if (code == ERR_ok)
        code = read_values(db, id, offset, ret, size, err);
    readers_give(s->readers, db);
    return code;
}

/* ---- staging ---- */

static err_code insert_stage(struct db *db, void *context, struct error *err)
{
    struct query q = query_start(db, "INSERT INTO dataset (created_at) VALUES (:now)");
    query_integer(&q, ":now", time_or_now(0));
    err_code code = query_finish(&q, err);
    if (code == ERR_ok)
        *(int64_t *)context = db_last_id(db);
    return code;
}

err_code store_stage_new(struct store *s, int64_t *ret_stage, struct error *err)
{
    int64_t stage = 0;
    err_code code = writer_run(s->writer, insert_stage, &stage, err);
    if (code == ERR_ok)
        *ret_stage = stage;
    return code;
}

/* Adds to the last chunk, or begins one. `||` joins bytes, and makes a text of them. */
static err_code write_chunk(struct db *db, int64_t stage, int64_t part, const void *bytes, size_t size,
                            struct error *err)
{
    struct query q =
        query_start(db, "INSERT INTO dataset_chunk (dataset_id, part, bytes) VALUES (:stage, :part, :bytes)"
                        " ON CONFLICT DO UPDATE SET bytes = CAST(bytes || excluded.bytes AS BLOB)");
    query_integer(&q, ":stage", stage);
    query_integer(&q, ":part", part);
    query_blob(&q, ":bytes", bytes, size);
    return query_finish(&q, err);
}

static err_code grow_stage(struct db *db, int64_t stage, size_t size, struct error *err)
{
    struct query q = query_start(db, "UPDATE dataset SET size = size + :size WHERE id = :stage");
    query_integer(&q, ":stage", stage);
    query_integer(&q, ":size", (int64_t)size);
    return query_finish(&q, err);
}

struct append {
    int64_t stage;
    const unsigned char *bytes;
    size_t size;
    size_t taken; /* of them, by the last transaction */
};

/* Takes as many of the bytes as make the last chunk full. */
static err_code append(struct db *db, void *context, struct error *err)
{
    struct append *a = context;
    int64_t before = 0;
    err_code code = stored_size(db, "SELECT size FROM dataset WHERE id = :id AND name IS NULL", a->stage, &before, err);
    if (code != ERR_ok)
        return code;
    size_t room = CHUNK_BYTES - (size_t)(before % CHUNK_BYTES);
    a->taken = a->size < room ? a->size : room;
    code = write_chunk(db, a->stage, before / CHUNK_BYTES, a->bytes, a->taken, err);
    return code == ERR_ok ? grow_stage(db, a->stage, a->taken, err) : code;
}

err_code store_stage_append(struct store *s, int64_t stage, const void *bytes, size_t size, struct error *err)
{
    struct append a = {.stage = stage, .bytes = bytes, .size = size};
    while (a.size > 0) {
        err_code code = writer_run(s->writer, append, &a, err);
        if (code != ERR_ok)
            return code;
        a.bytes += a.taken;
        a.size -= a.taken;
    }
    return ERR_ok;
}

struct removal {
    int64_t id;
    bool done;
};

/* Some of the chunks of what has no name; then the row. What has a name stays. */
static err_code remove_some(struct db *db, void *context, struct error *err)
{
    struct removal *r = context;
    struct query q = query_start(db, "DELETE FROM dataset_chunk WHERE rowid IN (SELECT c.rowid FROM dataset_chunk AS c"
                                     " JOIN dataset AS d ON d.id = c.dataset_id"
                                     " WHERE c.dataset_id = :id AND d.name IS NULL LIMIT :limit)");
    query_integer(&q, ":id", r->id);
    query_limit(&q, ":limit", CHUNKS_A_REMOVAL);
    err_code code = query_finish(&q, err);
    if (code != ERR_ok)
        return code;
    r->done = db_changed_rows(db) < CHUNKS_A_REMOVAL;
    if (!r->done)
        return ERR_ok;
    q = query_start(db, "DELETE FROM dataset WHERE id = :id AND name IS NULL");
    query_integer(&q, ":id", r->id);
    return query_finish(&q, err);
}

void store_stage_discard(struct store *s, int64_t stage)
{
    struct removal r = {.id = stage};
    while (!r.done) {
        if (writer_run(s->writer, remove_some, &r, NULL) != ERR_ok)
            return; /* the next start removes it */
    }
}

/* ---- publishing and deleting ---- */

/* Takes the name away. in_use while a job that is not finished needs the data set; other jobs forget it. */
static err_code unname(struct db *db, const struct store_dataset *d, struct error *err)
{
    struct query q = query_start(db, "SELECT 1 FROM job WHERE dataset_id = :id"
                                     " AND state IN ('queued', 'running', 'paused') LIMIT 1");
    query_integer(&q, ":id", d->id);
    bool used = false;
    err_code code = query_exists(&q, &used, err);
    if (code == ERR_ok && used)
        code = error_set(err, ERR_in_use, "the data set '%s' has jobs that are not finished", d->name);
    if (code != ERR_ok)
        return code;
    q = query_start(db, "UPDATE job SET dataset_id = NULL, revision = revision + 1 WHERE dataset_id = :id");
    query_integer(&q, ":id", d->id);
    code = query_finish(&q, err);
    if (code != ERR_ok)
        return code;
    q = query_start(db, "UPDATE dataset SET name = NULL WHERE id = :id");
    query_integer(&q, ":id", d->id);
    return query_finish(&q, err);
}

struct publication {
    int64_t stage;
    const struct store_dataset *dataset;
    int64_t useless;           /* has no name any more; 0: none */
    struct store_dataset made; /* owned until it is handed over */
    enum put_result result;
};

static err_code name_stage(struct db *db, int64_t stage, const struct store_dataset *d, struct error *err)
{
    struct query q = query_start(db, "UPDATE dataset SET name = :name, rows = :rows, digest = :digest, info = :info,"
                                     " created_at = :created_at WHERE id = :stage AND name IS NULL");
    query_integer(&q, ":stage", stage);
    query_text(&q, ":name", d->name);
    query_integer(&q, ":rows", d->rows);
    query_text(&q, ":digest", d->digest);
    query_blob(&q, ":info", d->info ? d->info : "", d->info_size);
    query_integer(&q, ":created_at", time_or_now(d->created_at));
    err_code code = query_finish(&q, err);
    if (code == ERR_ok && db_changed_rows(db) == 0)
        code = error_set(err, ERR_not_found, "the upload is no longer there");
    return code;
}

static err_code publish_over(struct db *db, struct publication *p, const struct store_dataset *old, struct error *err)
{
    err_code code = ERR_ok;
    p->useless = old->id;
    p->result = old->id != 0 ? PUT_REPLACED : PUT_CREATED;
    if (old->id != 0)
        code = unname(db, old, err);
    if (code == ERR_ok)
        code = name_stage(db, p->stage, p->dataset, err);
    bool found = false;
    return code == ERR_ok ? find_id(db, p->stage, &p->made, &found, err) : code;
}

static err_code publish(struct db *db, void *context, struct error *err)
{
    struct publication *p = context;
    struct store_dataset old = {0};
    bool found = false;
    err_code code = find_name(db, p->dataset->name, &old, &found, err);
    if (code != ERR_ok)
        return code;
    if (found && strcmp(old.digest, p->dataset->digest) == 0) {
        p->result = PUT_UNCHANGED;
        p->useless = p->stage;
        p->made = old;
        return ERR_ok;
    }
    code = publish_over(db, p, &old, err);
    store_dataset_clear(&old);
    return code;
}

err_code store_stage_publish(struct store *s, int64_t stage, const struct store_dataset *d, struct store_dataset *ret,
                             enum put_result *ret_result, struct error *err)
{
    struct publication p = {.stage = stage, .dataset = d};
    err_code code = writer_run(s->writer, publish, &p, err);
    if (code != ERR_ok) {
        store_dataset_clear(&p.made);
        return code;
    }
    if (p.useless != 0)
        store_stage_discard(s, p.useless);
    *ret = p.made;
    *ret_result = p.result;
    return ERR_ok;
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
    err_code code = find_name(db, deletion->name, &d, &found, err);
    if (code == ERR_ok && !found)
        code = error_set(err, ERR_not_found, "there is no data set '%s'", deletion->name);
    if (code == ERR_ok)
        code = unname(db, &d, err);
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
