#include "base/clock.h"
#include "store/inside.h"
#include <stdlib.h>
#include <string.h>

/* A key lives as long as what it made, and then for a day, which no jump of the clock shortens. */
static const int64_t day = INT64_C(24) * 60 * 60 * 1000;

static err_code check_found(const struct store_key *key, const char *request_digest, const struct key_made *made,
                            struct error *err)
{
    if (strcmp(request_digest, key->request_digest) != 0)
        return error_set(err, ERR_key_reused, "the key '%s' was used for another request", key->key);
    if (made->model_id == 0 && !made->job)
        return error_set(err, ERR_gone, "what the request with the key '%s' has made was deleted", key->key);
    return ERR_ok;
}

err_code key_find(struct db *db, const struct store_key *key, struct key_made *ret, struct error *err)
{
    struct key_made made = {0};
    char *request_digest = NULL;
    err_code code = ERR_ok;
    if (key) {
        struct query q = query_start(db, "SELECT request_digest, model_id, job FROM idempotency_key WHERE key = :key");
        query_text(&q, ":key", key->key);
        made.found = query_row(&q);
        if (made.found) {
            request_digest = column_text(&q);
            made.model_id = column_integer(&q, 0);
            made.job = column_text(&q);
        }
        code = query_end(&q, err);
        if (code == ERR_ok && made.found)
            code = check_found(key, request_digest, &made, err);
    }
    free(request_digest);
    if (code == ERR_ok)
        *ret = made;
    else
        free(made.job);
    return code;
}

static err_code purge(struct db *db, struct error *err)
{
    struct query q = query_start(db, "DELETE FROM idempotency_key WHERE gone_at < :time");
    query_integer(&q, ":time", clock_steady() - day);
    return query_finish(&q, err);
}

err_code key_keep(struct db *db, const struct store_key *key, int64_t model_id, const char *job, struct error *err)
{
    if (!key)
        return ERR_ok;
    err_code code = purge(db, err);
    if (code != ERR_ok)
        return code;
    struct query q = query_start(db, "INSERT INTO idempotency_key (key, request_digest, model_id, job, created_at)"
                                     " VALUES (:key, :request_digest, :model_id, :job, :now)");
    query_text(&q, ":key", key->key);
    query_text(&q, ":request_digest", key->request_digest);
    query_integer_or_null(&q, ":model_id", model_id, 0);
    query_text(&q, ":job", job);
    query_integer(&q, ":now", clock_now());
    return query_finish(&q, err);
}

err_code key_move_model(struct db *db, int64_t from, int64_t to, struct error *err)
{
    struct query q = query_start(db, "UPDATE idempotency_key SET model_id = :to WHERE model_id = :from");
    query_integer(&q, ":from", from);
    query_integer(&q, ":to", to);
    return query_finish(&q, err);
}

err_code key_drop_model(struct db *db, int64_t model_id, struct error *err)
{
    struct query q =
        query_start(db, "UPDATE idempotency_key SET model_id = NULL, gone_at = :now WHERE model_id = :model_id");
    query_integer(&q, ":model_id", model_id);
    query_integer(&q, ":now", clock_steady());
    return query_finish(&q, err);
}

err_code key_drop_job(struct db *db, const char *job, struct error *err)
{
    struct query q = query_start(db, "UPDATE idempotency_key SET job = NULL, gone_at = :now WHERE job = :job");
    query_text(&q, ":job", job);
    query_integer(&q, ":now", clock_steady());
    return query_finish(&q, err);
}
