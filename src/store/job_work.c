/* What workers do to a job. A worker holds a job by its attempt: once the row is no longer running with that attempt,
 * because a client cancelled or paused it, all that the worker still writes is refused. */
#include "base/clock.h"
#include "store/job_rows.h"
#include <inttypes.h>

/* ---- claiming ---- */

struct claim {
    int64_t memory;
    struct store_job job; /* owned until it is handed over */
    bool found;
};

static err_code claim(struct db *db, void *context, struct error *err)
{
    struct claim *c = context;
    struct query q = query_start(
        db, "UPDATE job SET state = 'running', attempts = attempts + 1, started_at = coalesce(started_at, max(:now, "
            "created_at)),"
            " revision = revision + 1"
            " WHERE id = (SELECT id FROM job INDEXED BY job_queue WHERE state = 'queued' ORDER BY priority DESC, id "
            "LIMIT 1)"
            " AND (SELECT count(*) = 0 OR sum(memory_bytes + data_bytes) <= :memory - job.memory_bytes - job.data_bytes"
            " FROM job AS other WHERE other.state = 'running')"
            " RETURNING " JOB_COLUMNS);
    query_integer(&q, ":now", clock_now());
    query_integer(&q, ":memory", c->memory);
    return job_row_end(&q, &c->job, &c->found, err);
}

err_code store_job_claim(struct store *s, int64_t memory, struct store_job *ret, bool *ret_found, struct error *err)
{
    struct claim c = {.memory = memory};
    err_code code = writer_run(s->writer, claim, &c, err);
    if (code != ERR_ok) {
        store_job_clear(&c.job);
        return code;
    }
    if (c.found)
        *ret = c.job;
    *ret_found = c.found;
    return ERR_ok;
}

/* ---- advancing ---- */

struct news {
    const char *id;
    int64_t attempt;
    const struct job_progress *progress; /* NULL: as it was */
    const struct cost_point *points;
    size_t count;
    const struct job_end *end; /* NULL: it goes on */
};

static err_code check_attempt(struct db *db, const struct news *n, struct error *err)
{
    struct query q = query_start(db, "SELECT 1 FROM job WHERE id = :id AND state = 'running' AND attempts = :attempt");
    query_text(&q, ":id", n->id);
    query_integer(&q, ":attempt", n->attempt);
    bool found = false;
    err_code code = query_exists(&q, &found, err);
    if (code == ERR_ok && !found)
        code = error_set(err, ERR_superseded, "the job is no longer running with attempt %" PRId64, n->attempt);
    return code;
}

static err_code write_progress(struct db *db, const char *id, const struct job_progress *p, struct error *err)
{
    struct query q =
        query_start(db, "UPDATE job SET epoch = :epoch, step = :step, cost = :cost, best_cost = :best_cost,"
                        " validation_cost = :validation_cost, samples_per_second = :samples_per_second,"
                        " accuracy = :accuracy, mae = :mae, r2 = :r2, revision = revision + 1 WHERE id = :id");
    query_text(&q, ":id", id);
    query_integer(&q, ":epoch", p->epoch);
    query_integer(&q, ":step", p->step);
    query_real(&q, ":cost", p->cost);
    query_real(&q, ":best_cost", p->best_cost);
    query_real(&q, ":validation_cost", p->validation_cost);
    query_real(&q, ":samples_per_second", p->samples_per_second);
    query_scores(&q, &p->scores);
    return query_finish(&q, err);
}

static err_code advance(struct db *db, void *context, struct error *err)
{
    const struct news *n = context;
    err_code code = check_attempt(db, n, err);
    if (code == ERR_ok && n->progress)
        code = write_progress(db, n->id, n->progress, err);
    return code == ERR_ok ? costs_append(db, n->id, n->points, n->count, err) : code;
}

err_code store_job_advance(struct store *s, const char *id, int64_t attempt, const struct job_progress *p,
                           const struct cost_point *points, size_t count, struct error *err)
{
    struct news n = {.id = id, .attempt = attempt, .progress = p, .points = points, .count = count};
    return writer_run(s->writer, advance, &n, err);
}

/* ---- checkpoints ---- */

struct save {
    const struct news *news;
    const struct store_checkpoint *checkpoint;
    size_t keep;
};

/* Whether the row still is this attempt's, be it paused since. */
static err_code check_keeps(struct db *db, const struct news *n, struct error *err)
{
    struct query q = query_start(db, "SELECT 1 FROM job WHERE id = :id"
                                     " AND state IN ('running', 'paused') AND attempts = :attempt");
    query_text(&q, ":id", n->id);
    query_integer(&q, ":attempt", n->attempt);
    bool found = false;
    err_code code = query_exists(&q, &found, err);
    if (code == ERR_ok && !found)
        code = error_set(err, ERR_superseded, "the job has moved on from attempt %" PRId64, n->attempt);
    return code;
}

static err_code save(struct db *db, void *context, struct error *err)
{
    const struct save *v = context;
    const struct news *n = v->news;
    err_code code = check_keeps(db, n, err);
    if (code == ERR_ok)
        code = write_progress(db, n->id, n->progress, err);
    if (code == ERR_ok)
        code = costs_append(db, n->id, n->points, n->count, err);
    return code == ERR_ok ? checkpoint_insert(db, n->id, v->checkpoint, v->keep, err) : code;
}

err_code store_job_checkpoint(struct store *s, const char *id, int64_t attempt, const struct store_checkpoint *c,
                              size_t keep, const struct cost_point *points, size_t count, struct error *err)
{
    struct news n = {.id = id, .attempt = attempt, .progress = &c->progress, .points = points, .count = count};
    struct save v = {.news = &n, .checkpoint = c, .keep = keep};
    return writer_run(s->writer, save, &v, err);
}

/* ---- finishing ---- */

static err_code model_of(struct db *db, const char *id, int64_t *ret, bool *ret_verifies, struct error *err)
{
    struct query q = query_start(db, "SELECT model_id, verifies IS NOT NULL FROM job WHERE id = :id");
    query_text(&q, ":id", id);
    bool found = query_row(&q);
    int64_t model_id = found ? column_integer(&q, 0) : 0;
    bool verifies = found && column_integer(&q, 0) != 0;
    err_code code = query_end(&q, err);
    if (code == ERR_ok) {
        *ret = model_id;
        *ret_verifies = verifies;
    }
    return code;
}

/* The versions that a job made; 0: none. */
struct made {
    int64_t version, best;
};

/* Adds what a job that has succeeded made, but one that verifies another: its outcome is there already, or should be.
 * The best comes first, so that the outcome is the newest. */
static err_code add_versions(struct db *db, const struct news *n, struct made *ret, struct error *err)
{
    const struct job_end *end = n->end;
    if (end->state != JOB_SUCCEEDED)
        return ERR_ok;
    int64_t model_id = 0;
    bool verifies = false;
    err_code code = model_of(db, n->id, &model_id, &verifies, err);
    if (code != ERR_ok || verifies)
        return code;
    if (end->best)
        code = version_append(db, model_id, n->id, end->best, end->best_parameters, end->size, &ret->best, err);
    if (code == ERR_ok)
        code = version_append(db, model_id, n->id, end->version, end->parameters, end->size, &ret->version, err);
    if (end->is_best)
        ret->best = ret->version;
    return code;
}

static err_code write_end(struct db *db, const struct news *n, const struct made *made, struct error *err)
{
    const struct job_end *end = n->end;
    struct query q = query_start(
        db,
        "UPDATE job SET state = :state, finished_at = max(:finished_at, started_at), version = :version,"
        " best_version = :best_version, stopped = :stopped, digest = :digest,"
        " same = CASE WHEN verifies IS NOT NULL THEN expected_digest = :digest AND NOT :other_history END, error_code "
        "= :error_code, error_detail = :error_detail,"
        " revision = revision + 1 WHERE id = :id");
    query_text(&q, ":id", n->id);
    query_text(&q, ":state", job_state_name(end->state));
    if (job_state_finished(end->state))
        query_integer(&q, ":finished_at", clock_now());
    query_integer_or_null(&q, ":version", made->version, 0);
    query_integer_or_null(&q, ":best_version", made->best, 0);
    query_integer(&q, ":other_history", end->other_history);
    query_text(&q, ":stopped", end->state == JOB_SUCCEEDED ? end->stopped : NULL);
    query_text(&q, ":digest", end->state == JOB_SUCCEEDED ? end->version->digest : NULL);
    query_text(&q, ":error_code", end->state == JOB_FAILED ? end->error_code : NULL);
    query_text(&q, ":error_detail", end->state == JOB_FAILED ? end->error_detail : NULL);
    return query_finish(&q, err);
}

static err_code finish(struct db *db, void *context, struct error *err)
{
    struct news *n = context;
    struct made made = {0};
    err_code code = advance(db, n, err);
    if (code == ERR_ok)
        code = add_versions(db, n, &made, err);
    return code == ERR_ok ? write_end(db, n, &made, err) : code;
}

err_code store_job_finish(struct store *s, const char *id, int64_t attempt, const struct job_end *end,
                          struct error *err)
{
    bool complete = (end->state == JOB_SUCCEEDED && end->version) || (end->state == JOB_FAILED && end->error_code) ||
                    end->state == JOB_QUEUED;
    if (!complete)
        return error_set(err, ERR_internal, "a worker can't end a job as %s", job_state_name(end->state));
    struct news n = {.id = id,
                     .attempt = attempt,
                     .progress = end->progress,
                     .points = end->points,
                     .count = end->point_count,
                     .end = end};
    return writer_run(s->writer, finish, &n, err);
}
