/* What clients do to a job that is there: cancel, pause, resume, another priority, delete. */
#include "base/clock.h"
#include "store/job_rows.h"
#include <string.h>

static const char *const action_words[JOB_ACTION_COUNT] = {
    [JOB_CANCEL] = "cancelled",
    [JOB_PAUSE] = "paused",
    [JOB_RESUME] = "resumed",
    [JOB_DELETE] = "deleted",
};

struct request {
    const char *id;
    enum job_action action;
    int64_t priority;
    struct store_job made; /* owned until it is handed over */
};

/* wrong_state unless the table says that the action is legal now. */
static err_code check_action(struct db *db, const char *id, enum job_action action, enum job_state *ret_next,
                             struct error *err)
{
    struct store_job j = {0};
    err_code code = job_row_find(db, id, &j, err);
    if (code == ERR_ok && !job_action_legal(j.state, action, ret_next))
        code = error_set(err, ERR_wrong_state, "the job is %s, and can't be %s", job_state_name(j.state),
                         action_words[action]);
    store_job_clear(&j);
    return code;
}

static err_code act(struct db *db, void *context, struct error *err)
{
    struct request *r = context;
    enum job_state next = JOB_QUEUED;
    err_code code = check_action(db, r->id, r->action, &next, err);
    if (code != ERR_ok)
        return code;
    struct query q = query_start(
        db, "UPDATE job SET state = :state, revision = revision + 1,"
            " finished_at = max(:finished_at, coalesce(started_at, created_at)) WHERE id = :id RETURNING " JOB_COLUMNS);
    query_text(&q, ":id", r->id);
    query_text(&q, ":state", job_state_name(next));
    if (job_state_finished(next))
        query_integer(&q, ":finished_at", clock_now());
    bool found = false;
    return job_row_end(&q, &r->made, &found, err);
}

/* Runs a request whose outcome is the job. */
static err_code run(struct store *s, write_fn *fn, struct request *r, struct store_job *ret, struct error *err)
{
    err_code code = writer_run(s->writer, fn, r, err);
    if (code == ERR_ok)
        *ret = r->made;
    else
        store_job_clear(&r->made);
    return code;
}

err_code store_job_act(struct store *s, const char *id, enum job_action action, struct store_job *ret,
                       struct error *err)
{
    struct request r = {.id = id, .action = action};
    if (action == JOB_DELETE)
        return error_set(err, ERR_internal, "a job is deleted by store_job_delete");
    return run(s, act, &r, ret, err);
}

static err_code set_priority(struct db *db, void *context, struct error *err)
{
    struct request *r = context;
    struct query q = query_start(db, "UPDATE job SET priority = :priority, revision = revision + 1"
                                     " WHERE id = :id AND state IN ('queued', 'paused') RETURNING " JOB_COLUMNS);
    query_text(&q, ":id", r->id);
    query_integer(&q, ":priority", r->priority);
    bool done = false;
    err_code code = job_row_end(&q, &r->made, &done, err);
    if (code != ERR_ok || done)
        return code;
    code = job_row_find(db, r->id, &r->made, err);
    if (code != ERR_ok)
        return code;
    return error_set(err, ERR_wrong_state, "the job is %s, and its priority can't be changed",
                     job_state_name(r->made.state));
}

err_code store_job_set_priority(struct store *s, const char *id, int64_t priority, struct store_job *ret,
                                struct error *err)
{
    struct request r = {.id = id, .priority = priority};
    return run(s, set_priority, &r, ret, err);
}

err_code job_remove(struct db *db, const char *id, struct error *err)
{
    err_code code = key_drop_job(db, id, err);
    if (code != ERR_ok)
        return code;
    struct query q = query_start(db, "DELETE FROM job WHERE id = :id");
    query_text(&q, ":id", id);
    return query_finish(&q, err);
}

static err_code delete_finished(struct db *db, void *context, struct error *err)
{
    const struct request *r = context;
    enum job_state next = JOB_QUEUED;
    err_code code = check_action(db, r->id, JOB_DELETE, &next, err);
    return code == ERR_ok ? job_remove(db, r->id, err) : code;
}

err_code store_job_delete(struct store *s, const char *id, struct error *err)
{
    struct request r = {.id = id};
    return writer_run(s->writer, delete_finished, &r, err);
}
