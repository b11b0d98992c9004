/* Checkpoints of jobs. A job keeps its newest ones and the one of the lowest cost; the pages of those that are deleted
 * are used again by the next, so that the file grows to what is kept at a time, and no further. */
#include "base/digest.h"
#include "store/inside.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void store_checkpoint_clear(struct store_checkpoint *c)
{
    if (!c)
        return;
    free(c->state);
    *c = (struct store_checkpoint){0};
}

static void digest_state(const void *state, size_t size, char ret[DIGEST_TEXT_MAX])
{
    struct digest d;
    digest_start(&d);
    digest_bytes(&d, state, size);
    digest_end(&d, ret);
}

/* ---- writing ---- */

static err_code drop_same_step(struct db *db, const char *job, int64_t step, struct error *err)
{
    struct query q = query_start(db, "DELETE FROM checkpoint WHERE job = :job AND step = :step");
    query_text(&q, ":job", job);
    query_integer(&q, ":step", step);
    return query_finish(&q, err);
}

static err_code insert_row(struct db *db, const char *job, const struct store_checkpoint *c, struct error *err)
{
    char digest[DIGEST_TEXT_MAX];
    digest_state(c->state, c->size, digest);
    struct query q = query_start(db, "INSERT INTO checkpoint (job, step, epoch, cost, best_cost, validation_cost, size,"
                                     " digest, accuracy, mae, r2) VALUES (:job, :step, :epoch, :cost, :best_cost,"
                                     " :validation_cost, :size, :digest, :accuracy, :mae, :r2)");
    query_text(&q, ":job", job);
    query_integer(&q, ":step", c->progress.step);
    query_integer(&q, ":epoch", c->progress.epoch);
    query_real(&q, ":cost", c->progress.cost);
    query_real(&q, ":best_cost", c->progress.best_cost);
    query_real(&q, ":validation_cost", c->progress.validation_cost);
    query_integer(&q, ":size", (int64_t)c->size);
    query_text(&q, ":digest", digest);
    query_scores(&q, &c->progress.scores);
    return query_finish(&q, err);
}

static err_code insert_chunk(struct db *db, int64_t checkpoint, size_t part, const void *bytes, size_t size,
                             struct error *err)
{
    struct query q = query_start(db, "INSERT INTO checkpoint_chunk (checkpoint, part, bytes)"
                                     " VALUES (:checkpoint, :part, :bytes)");
    query_integer(&q, ":checkpoint", checkpoint);
    query_integer(&q, ":part", (int64_t)part);
    query_blob(&q, ":bytes", bytes, size);
    return query_finish(&q, err);
}

static err_code prune(struct db *db, const char *job, size_t keep, struct error *err)
{
    struct query q =
        query_start(db, "DELETE FROM checkpoint WHERE job = :job"
                        " AND id NOT IN (SELECT id FROM checkpoint WHERE job = :job ORDER BY step DESC LIMIT :keep)"
                        " AND id IS NOT (SELECT id FROM checkpoint WHERE job = :job AND cost IS NOT NULL"
                        " ORDER BY coalesce(validation_cost, cost), step LIMIT 1)");
    query_text(&q, ":job", job);
    query_limit(&q, ":keep", keep);
    return query_finish(&q, err);
}

/* The job has come further than where it died. */
static err_code forget_deaths(struct db *db, const char *job, struct error *err)
{
    struct query q = query_start(db, "UPDATE job SET deaths = 0 WHERE id = :job AND deaths > 0");
    query_text(&q, ":job", job);
    return query_finish(&q, err);
}

err_code checkpoint_insert(struct db *db, const char *job, const struct store_checkpoint *c, size_t keep,
                           struct error *err)
{
    const unsigned char *bytes = c->state;
    err_code code = drop_same_step(db, job, c->progress.step, err);
    if (code == ERR_ok)
        code = insert_row(db, job, c, err);
    int64_t id = db_last_id(db);
    for (size_t at = 0; at < c->size && code == ERR_ok; at += CHUNK_BYTES) {
        size_t left = c->size - at;
        code = insert_chunk(db, id, at / CHUNK_BYTES, bytes + at, left < CHUNK_BYTES ? left : CHUNK_BYTES, err);
    }
    if (code == ERR_ok)
        code = forget_deaths(db, job, err);
    return code == ERR_ok ? prune(db, job, keep, err) : code;
}

/* ---- reading ---- */

enum { NEWEST = -1 }; /* in place of a step */

/* The row of one, without its state; its id is 0 if there is none. */
static err_code find_row(struct db *db, const char *job, int64_t step, struct store_checkpoint *ret, int64_t *ret_id,
                         char **ret_digest, struct error *err)
{
    struct query q = query_start(db, "SELECT id, step, epoch, cost, best_cost, validation_cost, size, digest,"
                                     " accuracy, mae, r2"
                                     " FROM checkpoint WHERE job = :job AND (step = :step OR :step < 0)"
                                     " ORDER BY step DESC LIMIT 1");
    query_text(&q, ":job", job);
    query_integer(&q, ":step", step);
    int64_t id = 0;
    if (query_row(&q)) {
        id = column_integer(&q, 0);
        ret->progress.step = column_integer(&q, 0);
        ret->progress.epoch = column_integer(&q, 0);
        ret->progress.cost = column_real(&q);
        ret->progress.best_cost = column_real(&q);
        ret->progress.validation_cost = column_real(&q);
        ret->progress.samples_per_second = (double)NAN;
        ret->size = (size_t)column_integer(&q, 0);
        *ret_digest = column_text(&q);
        ret->progress.scores = column_scores(&q);
    }
    err_code code = query_end(&q, err);
    if (code == ERR_ok)
        *ret_id = id;
    return code;
}

static err_code read_state(struct db *db, int64_t id, const char *digest, struct store_checkpoint *c, struct error *err)
{
    c->state = malloc(c->size ? c->size : 1);
    if (!c->state)
        return error_set(err, ERR_out_of_memory, NULL);
    struct query q =
        query_start(db, "SELECT part, bytes FROM checkpoint_chunk WHERE checkpoint = :checkpoint ORDER BY part");
    query_integer(&q, ":checkpoint", id);
    bool whole = chunks_copy(&q, 0, c->state, c->size);
    err_code code = query_end(&q, err);
    if (code != ERR_ok)
        return code;
    char found[DIGEST_TEXT_MAX];
    if (whole)
        digest_state(c->state, c->size, found);
    if (!whole || strcmp(found, digest) != 0)
        return error_set(err, ERR_database_failed, "the checkpoint of step %" PRId64 " is damaged", c->progress.step);
    return ERR_ok;
}

struct reading {
    const char *job;
    int64_t step;
    struct store_checkpoint made; /* owned until it is handed over */
    bool found;
};

static err_code read_one(struct db *db, struct reading *r, struct error *err)
{
    int64_t id = 0;
    char *digest = NULL;
    err_code code = find_row(db, r->job, r->step, &r->made, &id, &digest, err);
    if (code == ERR_ok && id != 0)
        code = read_state(db, id, digest, &r->made, err);
    r->found = id != 0;
    free(digest);
    return code;
}

/* not_found, saying which steps there are. */
static err_code tell_steps(struct db *db, const struct reading *r, struct error *err)
{
    struct query q = query_start(db, "SELECT group_concat(step, ', ') FROM"
                                     " (SELECT step FROM checkpoint WHERE job = :job ORDER BY step)");
    query_text(&q, ":job", r->job);
    char *steps = query_row(&q) ? column_text(&q) : NULL;
    err_code code = query_end(&q, err);
    if (code == ERR_ok)
        code = error_set(err, ERR_not_found, "the job keeps no checkpoint of step %" PRId64 "%s%s", r->step,
                         steps ? ", but of steps " : "", steps ? steps : "");
    free(steps);
    return code;
}

static err_code read_checkpoint(struct store *s, struct reading *r, struct error *err)
{
    struct db *db;
    err_code code = readers_take(s->readers, &db, err);
    if (code != ERR_ok)
        return code;
    code = read_one(db, r, err);
    if (code == ERR_ok && !r->found && r->step != NEWEST)
        code = tell_steps(db, r, err);
    readers_give(s->readers, db);
    if (code != ERR_ok || !r->found)
        store_checkpoint_clear(&r->made);
    return code;
}

err_code store_checkpoint_newest(struct store *s, const char *job, struct store_checkpoint *ret, bool *ret_found,
                                 struct error *err)
{
    struct reading r = {.job = job, .step = NEWEST};
    err_code code = read_checkpoint(s, &r, err);
    if (code == ERR_ok) {
        *ret_found = r.found;
        if (r.found)
            *ret = r.made;
    }
    return code;
}

err_code store_checkpoint_get(struct store *s, const char *job, int64_t step, struct store_checkpoint *ret,
                              struct error *err)
{
    struct reading r = {.job = job, .step = step};
    err_code code = read_checkpoint(s, &r, err);
    if (code == ERR_ok)
        *ret = r.made;
    return code;
}
