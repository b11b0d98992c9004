/* The parameters that a job starts with, where they are no version's. */
#include "store/inside.h"

static err_code insert_chunk(struct db *db, const char *job, size_t part, const void *bytes, size_t size,
                             struct error *err)
{
    struct query q = query_start(db, "INSERT INTO job_start (job, part, bytes) VALUES (:job, :part, :bytes)");
    query_text(&q, ":job", job);
    query_integer(&q, ":part", (int64_t)part);
    query_blob(&q, ":bytes", bytes, size);
    return query_finish(&q, err);
}

err_code job_start_insert(struct db *db, const char *job, const void *bytes, size_t size, struct error *err)
{
    err_code code = ERR_ok;
    for (size_t at = 0; at < size && code == ERR_ok; at += CHUNK_BYTES) {
        size_t left = size - at;
        code = insert_chunk(db, job, at / CHUNK_BYTES, (const char *)bytes + at,
                            left < CHUNK_BYTES ? left : CHUNK_BYTES, err);
    }
    return code;
}

static err_code read_start(struct db *db, const char *job, void *ret, size_t size, struct error *err)
{
    struct query q = query_start(db, "SELECT part, bytes FROM job_start WHERE job = :job ORDER BY part");
    query_text(&q, ":job", job);
    bool whole = chunks_copy(&q, 0, ret, size);
    err_code code = query_end(&q, err);
    if (code == ERR_ok && !whole)
        code = error_set(err, ERR_database_failed, "parameters that the job starts with are missing");
    return code;
}

err_code store_job_start(struct store *s, const char *id, void *ret, size_t size, struct error *err)
{
    struct db *db;
    err_code code = readers_take(s->readers, &db, err);
    if (code != ERR_ok)
        return code;
    code = read_start(db, id, ret, size, err);
    readers_give(s->readers, db);
    return code;
}
