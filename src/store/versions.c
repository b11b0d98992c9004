#include "base/clock.h"
#include "store/inside.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void store_version_clear(struct store_version *v)
{
    if (!v)
        return;
    free(v->job);
    free(v->digest);
    free(v->transforms);
    *v = (struct store_version){0};
}

void store_version_list_free(struct store_version *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        store_version_clear(&list[i]);
    free(list);
}

/* ---- writing ---- */

static err_code insert_row(struct db *db, int64_t model_id, int64_t version, const char *job,
                           const struct store_version *v, size_t size, struct error *err)
{
    struct query q =
        query_start(db, "INSERT INTO version (model_id, version, created_at, job, epoch, step, cost, digest,"
                        " transforms, size) VALUES (:model_id, :version, :created_at, :job, :epoch, :step,"
                        " :cost, :digest, :transforms, :size)");
    query_integer(&q, ":model_id", model_id);
    query_integer(&q, ":version", version);
    query_integer(&q, ":created_at", time_or_now(v->created_at));
    query_text(&q, ":job", job);
    query_integer_or_null(&q, ":epoch", v->epoch, -1);
    query_integer_or_null(&q, ":step", v->step, -1);
    query_real(&q, ":cost", v->cost);
    query_text(&q, ":digest", v->digest);
    query_blob(&q, ":transforms", v->transforms, v->transforms_size);
    query_integer(&q, ":size", (int64_t)size);
    return query_finish(&q, err);
}

static err_code insert_chunk(struct db *db, int64_t model_id, int64_t version, size_t part, const void *bytes,
                             size_t size, struct error *err)
{
    struct query q = query_start(db, "INSERT INTO version_chunk (model_id, version, part, bytes)"
                                     " VALUES (:model_id, :version, :part, :bytes)");
    query_integer(&q, ":model_id", model_id);
    query_integer(&q, ":version", version);
    query_integer(&q, ":part", (int64_t)part);
    query_blob(&q, ":bytes", bytes, size);
    return query_finish(&q, err);
}

err_code version_insert(struct db *db, int64_t model_id, int64_t version, const char *job,
                        const struct store_version *v, const void *parameters, size_t size, struct error *err)
{
    const unsigned char *bytes = parameters;
    err_code code = insert_row(db, model_id, version, job, v, size, err);
    for (size_t at = 0; at < size && code == ERR_ok; at += CHUNK_BYTES) {
        size_t left = size - at;
        code = insert_chunk(db, model_id, version, at / CHUNK_BYTES, bytes + at,
                            left < CHUNK_BYTES ? left : CHUNK_BYTES, err);
    }
    return code;
}

err_code version_append(struct db *db, int64_t model_id, const char *job, const struct store_version *v,
                        const void *parameters, size_t size, int64_t *ret_version, struct error *err)
{
    struct query q = query_start(db, "UPDATE model SET version = version + 1 WHERE id = :id RETURNING version");
    query_integer(&q, ":id", model_id);
    int64_t version = query_row(&q) ? column_integer(&q, 0) : 0;
    err_code code = query_end(&q, err);
    if (code == ERR_ok && version == 0)
        code = error_set(err, ERR_not_found, "the model is no longer there");
    if (code == ERR_ok)
        code = version_insert(db, model_id, version, job, v, parameters, size, err);
    if (code == ERR_ok)
        *ret_version = version;
    return code;
}

struct add {
    const struct store_version *version;
    const void *parameters;
    size_t size;
    int64_t number;
};

static err_code add(struct db *db, void *context, struct error *err)
{
    struct add *a = context;
    return version_append(db, a->version->model_id, a->version->job, a->version, a->parameters, a->size, &a->number,
                          err);
}

err_code store_version_add(struct store *s, const struct store_version *v, const void *parameters, size_t size,
                           int64_t *ret_version, struct error *err)
{
    struct add a = {.version = v, .parameters = parameters, .size = size};
    err_code code = writer_run(s->writer, add, &a, err);
    if (code == ERR_ok)
        *ret_version = a.number;
    return code;
}

/* ---- reading ---- */

#define VERSION_COLUMNS "model_id, version, created_at, job, epoch, step, cost, digest, transforms"

static void read_row(struct query *q, struct store_version *ret)
{
    ret->model_id = column_integer(q, 0);
    ret->version = column_integer(q, 0);
    ret->created_at = column_integer(q, 0);
    ret->job = column_text(q);
    ret->epoch = column_integer(q, -1);
    ret->step = column_integer(q, -1);
    ret->cost = column_real(q);
    ret->digest = column_text(q);
    ret->transforms = column_blob(q, &ret->transforms_size);
}

err_code version_exists(struct db *db, int64_t model_id, int64_t version, bool *ret, struct error *err)
{
    struct query q = query_start(db, "SELECT 1 FROM version WHERE model_id = :model_id AND version = :version");
    query_integer(&q, ":model_id", model_id);
    query_integer(&q, ":version", version);
    return query_exists(&q, ret, err);
}

/* not_found without the model, else unknown_version. */
static err_code say_missing(struct db *db, int64_t model_id, int64_t version, struct error *err)
{
    bool found = false;
    err_code code = model_exists(db, model_id, &found, err);
    if (code != ERR_ok)
        return code;
    if (!found)
        return error_set(err, ERR_not_found, "the model is no longer there");
    return error_set(err, ERR_unknown_version, "the model has no version %" PRId64, version);
}

static err_code get(struct db *db, int64_t model_id, int64_t version, struct store_version *ret, struct error *err)
{
    struct query q = query_start(db, "SELECT " VERSION_COLUMNS " FROM version WHERE model_id = :model_id AND version ="
                                     " iif(:version = 0, (SELECT version FROM model WHERE id = :model_id), :version)");
    query_integer(&q, ":model_id", model_id);
    query_integer(&q, ":version", version);
    struct store_version v = {0};
    bool found = query_row(&q);
    if (found)
        read_row(&q, &v);
    err_code code = query_end(&q, err);
    if (code == ERR_ok && !found)
        code = say_missing(db, model_id, version, err);
    if (code == ERR_ok)
        *ret = v;
    else
        store_version_clear(&v);
    return code;
}

err_code store_version_get(struct store *s, int64_t model_id, int64_t version, struct store_version *ret,
                           struct error *err)
{
    struct db *db;
    err_code code = readers_take(s->readers, &db, err);
    if (code != ERR_ok)
        return code;
    code = get(db, model_id, version, ret, err);
    readers_give(s->readers, db);
    return code;
}

static err_code list(struct db *db, int64_t model_id, int64_t after, size_t limit, struct store_version **ret,
                     size_t *ret_count, struct error *err)
{
    struct query q = query_start(db, "SELECT " VERSION_COLUMNS " FROM version"
                                     " WHERE model_id = :model_id AND version > :after ORDER BY version LIMIT :limit");
    query_integer(&q, ":model_id", model_id);
    query_integer(&q, ":after", after);
    query_limit(&q, ":limit", limit);
    struct store_version *rows = NULL;
    size_t count = 0;
    while (query_row(&q) && query_room(&q, (void **)&rows, count, sizeof *rows))
        read_row(&q, &rows[count++]);
    err_code code = query_end(&q, err);
    if (code != ERR_ok) {
        store_version_list_free(rows, count);
        return code;
    }
    *ret = rows;
    *ret_count = count;
    return ERR_ok;
}

err_code store_version_list(struct store *s, int64_t model_id, int64_t after, size_t limit, struct store_version **ret,
                            size_t *ret_count, struct error *err)
{
    struct db *db;
    err_code code = readers_take(s->readers, &db, err);
    if (code != ERR_ok)
        return code;
    bool found = false;
    code = model_exists(db, model_id, &found, err);
    if (code == ERR_ok && !found)
        code = error_set(err, ERR_not_found, "the model is no longer there");
    if (code == ERR_ok)
        code = list(db, model_id, after, limit, ret, ret_count, err);
    readers_give(s->readers, db);
    return code;
}

/* How many bytes of parameters the version has. */
static err_code stored_size(struct db *db, int64_t model_id, int64_t version, int64_t *ret, struct error *err)
{
    struct query q = query_start(db, "SELECT size FROM version WHERE model_id = :model_id AND version = :version");
    query_integer(&q, ":model_id", model_id);
    query_integer(&q, ":version", version);
    bool found = query_row(&q);
    int64_t size = found ? column_integer(&q, 0) : 0;
    err_code code = query_end(&q, err);
    if (code == ERR_ok && !found)
        code = say_missing(db, model_id, version, err);
    if (code == ERR_ok)
        *ret = size;
    return code;
}

static err_code read_parameters(struct db *db, int64_t model_id, int64_t version, void *ret, size_t size,
                                struct error *err)
{
    int64_t stored = 0;
    err_code code = stored_size(db, model_id, version, &stored, err);
    if (code != ERR_ok)
        return code;
    if ((uint64_t)stored != size)
        return error_set(err, ERR_internal, "version %" PRId64 " has %" PRId64 " bytes of parameters, and not %zu",
                         version, stored, size);
    struct query q = query_start(db, "SELECT part, bytes FROM version_chunk"
                                     " WHERE model_id = :model_id AND version = :version ORDER BY part");
    query_integer(&q, ":model_id", model_id);
    query_integer(&q, ":version", version);
    bool whole = chunks_copy(&q, 0, ret, size);
    code = query_end(&q, err);
    if (code == ERR_ok && !whole)
        return error_set(err, ERR_database_failed, "parameters of version %" PRId64 " are missing", version);
    return code;
}

err_code store_version_parameters(struct store *s, int64_t model_id, int64_t version, void *ret, size_t size,
                                  struct error *err)
{
    struct db *db;
    err_code code = readers_take(s->readers, &db, err);
    if (code != ERR_ok)
        return code;
    code = read_parameters(db, model_id, version, ret, size, err);
    readers_give(s->readers, db);
    return code;
}
