/* A data set is a row without a name while it is uploaded: a stage. To publish it is to name it. To delete or replace a
 * data set takes its name away, at once and for good; its chunks then go in short transactions, so that a large one
 * does not keep other writers waiting. What is left without a name when the process ends goes at the next start. */
#include "store/inside.h"
#include <stdlib.h>
#include <string.h>

enum { CHUNKS_A_REMOVAL = 16 };

/* ---- uploads ---- */

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
    err_code code =
        dataset_size(db, "SELECT size FROM dataset WHERE id = :id AND name IS NULL", a->stage, &before, err);
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

/* ---- publishing ---- */

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
        code = dataset_unname(db, old, err);
    if (code == ERR_ok)
        code = name_stage(db, p->stage, p->dataset, err);
    bool found = false;
    return code == ERR_ok ? dataset_find_id(db, p->stage, &p->made, &found, err) : code;
}

static err_code publish(struct db *db, void *context, struct error *err)
{
    struct publication *p = context;
    struct store_dataset old = {0};
    bool found = false;
    err_code code = dataset_find_name(db, p->dataset->name, &old, &found, err);
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
