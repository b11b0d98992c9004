#include "store/inside.h"
#include <stdlib.h>
#include <string.h>

void store_model_clear(struct store_model *m)
{
    if (!m)
        return;
    free(m->name);
    free(m->spec);
    free(m->digest);
    *m = (struct store_model){0};
}

void store_model_list_free(struct store_model *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        store_model_clear(&list[i]);
    free(list);
}

/* ---- reading ---- */

#define MODEL_COLUMNS "id, name, spec, digest, created_at, version"

static void read_row(struct query *q, struct store_model *ret)
{
    ret->id = column_integer(q, 0);
    ret->name = column_text(q);
    ret->spec = column_text(q);
    ret->digest = column_text(q);
    ret->created_at = column_integer(q, 0);
    ret->version = column_integer(q, 0);
}

/* Ends a query that answers one model or none. */
static err_code end_one(struct query *q, struct store_model *ret, bool *ret_found, struct error *err)
{
    struct store_model m = {0};
    bool found = query_row(q);
    if (found)
        read_row(q, &m);
    err_code code = query_end(q, err);
    if (code != ERR_ok) {
        store_model_clear(&m);
        return code;
    }
    *ret = m;
    *ret_found = found;
    return ERR_ok;
}

static err_code find_name(struct db *db, const char *name, struct store_model *ret, bool *ret_found, struct error *err)
{
    struct query q = query_start(db, "SELECT " MODEL_COLUMNS " FROM model WHERE name = :name");
    query_text(&q, ":name", name);
    return end_one(&q, ret, ret_found, err);
}

static err_code find_id(struct db *db, int64_t id, struct store_model *ret, bool *ret_found, struct error *err)
{
    struct query q = query_start(db, "SELECT " MODEL_COLUMNS " FROM model WHERE id = :id");
    query_integer(&q, ":id", id);
    return end_one(&q, ret, ret_found, err);
}

err_code model_exists(struct db *db, int64_t id, bool *ret, struct error *err)
{
    struct query q = query_start(db, "SELECT 1 FROM model WHERE id = :id");
    query_integer(&q, ":id", id);
    return query_exists(&q, ret, err);
}

err_code store_model_get(struct store *s, const char *name, struct store_model *ret, struct error *err)
{
    struct db *db;
    err_code code = readers_take(s->readers, &db, err);
    if (code != ERR_ok)
        return code;
    bool found = false;
    code = find_name(db, name, ret, &found, err);
    readers_give(s->readers, db);
    if (code == ERR_ok && !found)
        code = error_set(err, ERR_not_found, "there is no model '%s'", name);
    return code;
}

err_code store_model_get_id(struct store *s, int64_t id, struct store_model *ret, struct error *err)
{
    struct db *db;
    err_code code = readers_take(s->readers, &db, err);
    if (code != ERR_ok)
        return code;
    bool found = false;
    code = find_id(db, id, ret, &found, err);
    readers_give(s->readers, db);
    if (code == ERR_ok && !found)
        code = error_set(err, ERR_not_found, "the model is no longer there");
    return code;
}

static err_code list(struct db *db, struct page page, struct store_model **ret, size_t *ret_count, struct error *err)
{
    struct query q =
        query_start(db, "SELECT " MODEL_COLUMNS " FROM model WHERE name > :after ORDER BY name LIMIT :limit");
    query_text(&q, ":after", page.after ? page.after : "");
    query_limit(&q, ":limit", page.limit);
    struct store_model *rows = NULL;
    size_t count = 0;
    while (query_row(&q) && query_room(&q, (void **)&rows, count, sizeof *rows))
        read_row(&q, &rows[count++]);
    err_code code = query_end(&q, err);
    if (code != ERR_ok) {
        store_model_list_free(rows, count);
        return code;
    }
    *ret = rows;
    *ret_count = count;
    return ERR_ok;
}

err_code store_model_list(struct store *s, struct page page, struct store_model **ret, size_t *ret_count,
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

/* ---- creating and replacing ---- */

static err_code check_unused(struct db *db, const struct store_model *m, struct error *err)
{
    struct query q = query_start(db, "SELECT 1 FROM job WHERE model_id = :id"
                                     " AND state IN ('queued', 'running', 'paused') LIMIT 1");
    query_integer(&q, ":id", m->id);
    bool used = false;
    err_code code = query_exists(&q, &used, err);
    if (code == ERR_ok && used)
        code = error_set(err, ERR_in_use, "the model '%s' has jobs that are not finished", m->name);
    return code;
}

/* Jobs keep the model's name and their records, and forget the model and the version that they made. */
static err_code forget_in_jobs(struct db *db, int64_t id, struct error *err)
{
    struct query q =
        query_start(db, "UPDATE job SET model_id = NULL, version = NULL, best_version = NULL, revision = revision + 1"
                        " WHERE model_id = :id");
    query_integer(&q, ":id", id);
    return query_finish(&q, err);
}

static err_code delete_row(struct db *db, int64_t id, struct error *err)
{
    struct query q = query_start(db, "DELETE FROM model WHERE id = :id");
    query_integer(&q, ":id", id);
    return query_finish(&q, err);
}

static err_code insert_row(struct db *db, const struct store_model *m, int64_t *ret_id, struct error *err)
{
    struct query q = query_start(db, "INSERT INTO model (name, spec, digest, created_at, version)"
                                     " VALUES (:name, :spec, :digest, :created_at, 1)");
    query_text(&q, ":name", m->name);
    query_text(&q, ":spec", m->spec);
    query_text(&q, ":digest", m->digest);
    query_integer(&q, ":created_at", time_or_now(m->created_at));
    err_code code = query_finish(&q, err);
    if (code == ERR_ok)
        *ret_id = db_last_id(db);
    return code;
}

struct put {
    const struct store_model *model;
    const struct store_version *initial;
    const void *parameters;
    size_t size;
    bool replace;
    const struct store_key *key;
    struct store_model made; /* owned until it is handed over */
    enum put_result result;
};

/* Puts the model where `old` was (id 0: nothing was), and hands over its id. */
static err_code store_new(struct db *db, const struct put *p, const struct store_model *old, int64_t *ret_id,
                          struct error *err)
{
    err_code code = ERR_ok;
    if (old->id != 0) {
        code = check_unused(db, old, err);
        if (code == ERR_ok)
            code = forget_in_jobs(db, old->id, err);
        if (code == ERR_ok)
            code = delete_row(db, old->id, err);
    }
    int64_t id = 0;
    if (code == ERR_ok)
        code = insert_row(db, p->model, &id, err);
    if (code == ERR_ok)
        code = version_insert(db, id, 1, p->initial->job, p->initial, p->parameters, p->size, err);
    if (code == ERR_ok && old->id != 0)
        code = key_move_model(db, old->id, id, err);
    if (code == ERR_ok)
        code = key_keep(db, p->key, id, NULL, err);
    if (code == ERR_ok)
        *ret_id = id;
    return code;
}

/* Decides what the request means, given the model that has the name now (id 0: none). */
static err_code put_over(struct db *db, struct put *p, const struct store_model *old, int64_t *ret_id,
                         struct error *err)
{
    if (old->id != 0 && !p->replace)
        return error_set(err, ERR_name_taken, "there is a model '%s' already", p->model->name);
    if (old->id != 0 && strcmp(old->digest, p->model->digest) == 0) {
        p->result = PUT_UNCHANGED;
        *ret_id = old->id;
        return key_keep(db, p->key, old->id, NULL, err);
    }
    p->result = old->id != 0 ? PUT_REPLACED : PUT_CREATED;
    return store_new(db, p, old, ret_id, err);
}

static err_code put_named(struct db *db, struct put *p, int64_t *ret_id, struct error *err)
{
    struct store_model old = {0};
    bool found = false;
    err_code code = find_name(db, p->model->name, &old, &found, err);
    if (code == ERR_ok)
        code = put_over(db, p, &old, ret_id, err);
    store_model_clear(&old);
    return code;
}

static err_code put(struct db *db, void *context, struct error *err)
{
    struct put *p = context;
    struct key_made earlier = {0};
    err_code code = key_find(db, p->key, &earlier, err);
    if (code != ERR_ok)
        return code;
    int64_t id = earlier.model_id;
    if (earlier.job)
        code = error_set(err, ERR_key_reused, "the key '%s' was used for a job", p->key->key);
    else if (earlier.found)
        p->result = PUT_REPEATED;
    else
        code = put_named(db, p, &id, err);
    free(earlier.job);
    bool found = false;
    if (code == ERR_ok)
        code = find_id(db, id, &p->made, &found, err);
    return code;
}

err_code store_model_put(struct store *s, const struct store_model *m, const struct store_version *initial,
                         const void *parameters, size_t size, bool replace, const struct store_key *key,
                         struct store_model *ret, enum put_result *ret_result, struct error *err)
{
    struct put p = {
        .model = m, .initial = initial, .parameters = parameters, .size = size, .replace = replace, .key = key};
    err_code code = writer_run(s->writer, put, &p, err);
    if (code != ERR_ok) {
        store_model_clear(&p.made);
        return code;
    }
    *ret = p.made;
    *ret_result = p.result;
    return ERR_ok;
}

/* ---- deleting ---- */

struct removal {
    const char *name;
    bool cascade;
};

static err_code next_job(struct db *db, int64_t model_id, char **ret, struct error *err)
{
    struct query q = query_start(db, "SELECT id FROM job WHERE model_id = :id LIMIT 1");
    query_integer(&q, ":id", model_id);
    char *job = query_row(&q) ? column_text(&q) : NULL;
    err_code code = query_end(&q, err);
    if (code == ERR_ok)
        *ret = job;
    else
        free(job);
    return code;
}

/* Without cascade it is an error that there is one. */
static err_code remove_jobs(struct db *db, const struct store_model *m, bool cascade, struct error *err)
{
    for (;;) {
        char *job = NULL;
        err_code code = next_job(db, m->id, &job, err);
        if (code != ERR_ok || !job)
            return code;
        code = cascade ? job_remove(db, job, err) : error_set(err, ERR_in_use, "the model '%s' has jobs", m->name);
        free(job);
        if (code != ERR_ok)
            return code;
    }
}

static err_code remove_found(struct db *db, const struct store_model *m, bool cascade, struct error *err)
{
    err_code code = check_unused(db, m, err);
    if (code == ERR_ok)
        code = remove_jobs(db, m, cascade, err);
    if (code == ERR_ok)
        code = key_drop_model(db, m->id, err);
    return code == ERR_ok ? delete_row(db, m->id, err) : code;
}

static err_code remove_named(struct db *db, void *context, struct error *err)
{
    const struct removal *r = context;
    struct store_model m = {0};
    bool found = false;
    err_code code = find_name(db, r->name, &m, &found, err);
    if (code == ERR_ok && !found)
        code = error_set(err, ERR_not_found, "there is no model '%s'", r->name);
    if (code == ERR_ok)
        code = remove_found(db, &m, r->cascade, err);
    store_model_clear(&m);
    return code;
}

err_code store_model_delete(struct store *s, const char *name, bool cascade, struct error *err)
{
    struct removal r = {.name = name, .cascade = cascade};
    return writer_run(s->writer, remove_named, &r, err);
}
