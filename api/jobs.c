/* /v1/jobs: submitting, watching, stopping. */
#include "api/jobs.h"

#include "api/codec.h"
#include "api/member.h"
#include "api/page.h"
#include "api/problem.h"
#include "api/routes.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/names.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WAIT_MAX = 60 }; /* seconds */

/* ---- a job as JSON ---- */

/* Puts what the worker has published in place of what the row says, which is up to half a second older. */
static void freshen(const struct app *app, struct store_job *job)
{
    if (job->state == JOB_RUNNING)
        (void)work_board(app->work, job->id, job->attempts, &job->progress);
}

/* Seconds to the end at the rate of this attempt; NaN where nothing is known of it. */
static double eta_seconds(const struct store_job *job)
{
    const struct job_progress *p = &job->progress;
    if (job->state != JOB_RUNNING || p->step <= 0 || job->steps <= 0 || !(p->samples_per_second > 0) ||
        job->training_rows <= 0)
        return NAN;
    double samples = (double)job->epochs * (double)job->training_rows;
    double left = 1 - (double)p->step / (double)job->steps;
    return rint(samples * left / p->samples_per_second * 1000) / 1000;
}

static void put_error(struct json *j, const struct store_job *job)
{
    put_key(j, "error");
    if (!job->error_code) {
        put_null(j);
        return;
    }
    struct error err = {0};
    err_code code = ERR_internal;
    (void)err_find(job->error_code, &code);
    if (job->error_detail)
        error_set(&err, code, "%s", job->error_detail);
    else
        error_set(&err, code, NULL);
    problem_write(j, &err, NULL);
    error_clear(&err);
}

static void put_lineage(struct json *j, const struct store_job *job)
{
    put_key(j, "lineage");
    put_object(j);
    member_string(j, "model_digest", job->model_digest);
    member_string(j, "dataset_digest", job->dataset_digest);
    if (job->validation_digest)
        member_string(j, "validation_digest", job->validation_digest);
    member_string(j, "start_digest", job->start_digest);
    member_string(j, "final_digest", job->digest);
    member_string(j, "gradd_version", job->gradd_version);
    put_object_end(j);
}

static void put_origin(struct json *j, const struct store_job *job)
{
    member_string(j, "forked_from", job->forked_from);
    member_whole_or_null(j, "from_step", job->from_step, job->from_step > 0);
    member_string(j, "verifies", job->verifies);
    put_key(j, "same");
    if (job->same < 0)
        put_null(j);
    else
        put_bool(j, job->same == 1);
}

static void put_score(struct json *j, const char *name, double value)
{
    if (!isnan(value))
        member_number(j, name, value);
}

void put_scores(struct json *j, const struct job_scores *scores)
{
    put_key(j, "scores");
    put_object(j);
    put_score(j, "accuracy", scores->accuracy);
    put_score(j, "mae", scores->mae);
    put_score(j, "r2", scores->r2);
    put_object_end(j);
}

static void put_progress(struct json *j, const struct store_job *job)
{
    const struct job_progress *p = &job->progress;
    member_whole(j, "epoch", p->epoch);
    member_whole(j, "step", p->step);
    member_whole(j, "steps", job->steps);
    member_number(j, "progress", job->steps > 0 ? (double)p->step / (double)job->steps : 0);
    member_number(j, "eta_seconds", eta_seconds(job));
    member_number(j, "cost", p->cost);
    member_number(j, "best_cost", p->best_cost);
    member_number(j, "validation_cost", p->validation_cost);
    put_scores(j, &p->scores);
    member_number(j, "samples_per_second", p->samples_per_second);
}

void job_json(struct json *j, const struct store_job *job)
{
    size_t length = strlen(job->spec);
    put_object(j);
    member_string(j, "id", job->id);
    member_string(j, "state", job_state_name(job->state));
    member_time(j, "created_at", job->created_at);
    member_time(j, "started_at", job->started_at);
    member_time(j, "finished_at", job->finished_at);
    put_progress(j, job);
    member_whole(j, "memory_bytes", job->memory_bytes);
    member_whole(j, "attempts", job->attempts);
    put_error(j, job);
    member_whole_or_null(j, "version", job->version, job->version > 0);
    member_whole_or_null(j, "best_version", job->best_version, job->best_version > 0);
    member_string(j, "stopped", job->stopped);
    member_string(j, "digest", job->digest);
    put_lineage(j, job);
    put_origin(j, job);
    member_whole(j, "priority", job->priority);
    member_whole(j, "from_version", job->from_version);
    if (length > 2) /* the members of the canonical text, without its brackets */
        put_raw(j, job->spec + 1, length - 2);
    put_object_end(j);
}

/* Answers with the job. */
static void reply_job(struct request *r, struct reply *ret, struct store_job *job, int status)
{
    struct json j = {.text = &ret->body};
    struct text revision = {0};
    freshen(r->app, job);
    job_json(&j, job);
    ret->status = status;
    ret->content_type = "application/json";
    text_printf(&revision, "%s %" PRId64 " %" PRId64, job->id, job->revision, job->progress.step);
    if (!revision.failed)
        reply_tagged(ret, r, revision.data);
    text_clear(&revision);
}

/* ---- submitting ---- */

/* Answers with the job that was made, or the reason why not; clears the job. */
static enum handled accepted(struct request *r, struct reply *ret, err_code code, struct store_job *job,
                             struct error *err)
{
    if (code == ERR_ok) {
        reply_job(r, ret, job, 202);
        reply_header(ret, "Location", "/v1/jobs/%s", job->id);
    } else {
        reply_problem(ret, r, err);
    }
    store_job_clear(job);
    return HANDLED;
}

enum handled jobs_post(struct request *r, struct reply *ret)
{
    struct error err = {0};
    struct job_spec spec = {0};
    struct store_job job = {0};
    struct store_key key;
    char digest[DIGEST_TEXT_MAX], *canonical = NULL;
    bool repeated = false, has_key = request_key(r, digest, &key, &err);
    err_code code = error_close(&err, ERR_invalid_request, "the request");
    if (code == ERR_ok)
        code = decode_job_request(r->body, r->body_size, &r->app->config->limits, &spec, &canonical, &err);
    if (code == ERR_ok)
        code = work_submit(r->app->work, &spec, canonical, has_key ? &key : NULL, &job, &repeated, &err);
    job_spec_clear(&spec);
    free(canonical);
    return accepted(r, ret, code, &job, &err);
}

/* ---- again, and with changes ---- */

enum handled job_verify(struct request *r, struct reply *ret)
{
    struct error err = {0};
    struct store_job job = {0};
    struct store_key key;
    char digest[DIGEST_TEXT_MAX];
    bool repeated = false, has_key = request_key(r, digest, &key, &err);
    err_code code = error_close(&err, ERR_invalid_request, "the request");
    if (code == ERR_ok)
        code = work_verify(r->app->work, r->arguments[0], has_key ? &key : NULL, &job, &repeated, &err);
    return accepted(r, ret, code, &job, &err);
}

static err_code fork_from(const struct request *r, const struct store_job *origin, const struct store_key *key,
                          struct store_job *ret, struct error *err)
{
    struct job_spec spec = {0};
    char *canonical = NULL;
    int64_t from_step = 0;
    bool repeated = false;
    err_code code = decode_job_fork(r->body, r->body_size, origin->spec, origin->priority, &r->app->config->limits,
                                    &spec, &canonical, &from_step, err);
    if (code == ERR_ok && spec.from_version == 0)
        spec.from_version = from_step > 0 ? origin->from_version : origin->version;
    if (code == ERR_ok && spec.from_version == 0) {
        error_add(err, ERR_missing_field, (struct place){.pointer = "/from_version"},
                  "the job made no version: say from_version, or from_step");
        code = error_close(err, ERR_invalid_job, "the job");
    }
    if (code == ERR_ok)
        code = work_fork(r->app->work, origin, &spec, canonical, from_step, key, ret, &repeated, err);
    job_spec_clear(&spec);
    free(canonical);
    return code;
}

enum handled job_fork(struct request *r, struct reply *ret)
{
    struct error err = {0};
    struct store_job job = {0}, origin = {0};
    struct store_key key;
    char digest[DIGEST_TEXT_MAX];
    bool repeated = false, has_key = request_key(r, digest, &key, &err);
    err_code code = error_close(&err, ERR_invalid_request, "the request");
    if (code == ERR_ok && has_key) /* the job may be gone by now */
        code = store_job_find_key(r->app->store, &key, &job, &repeated, &err);
    if (code == ERR_ok && !repeated)
        code = store_job_get(r->app->store, r->arguments[0], &origin, &err);
    if (code == ERR_ok && !repeated)
        code = fork_from(r, &origin, has_key ? &key : NULL, &job, &err);
    store_job_clear(&origin);
    return accepted(r, ret, code, &job, &err);
}

/* ---- reading ---- */

/* A job that has ended between the look at its row and the look at the board would seem to go back: it is read again.
 */
static err_code read_job(const struct app *app, const char *id, struct store_job *ret, struct error *err)
{
    struct job_progress ignored;
    err_code code = store_job_get(app->store, id, ret, err);
    if (code == ERR_ok && ret->state == JOB_RUNNING && !work_board(app->work, id, ret->attempts, &ignored)) {
        store_job_clear(ret);
        code = store_job_get(app->store, id, ret, err);
    }
    return code;
}

/* The first time: until when a request with ?wait= may sleep, and from where on changes count. */
static void begin_wait(struct request *r, int64_t seconds)
{
    strncpy(r->sleeper.job, r->arguments[0], sizeof r->sleeper.job - 1);
    r->sleeper.due = clock_monotonic() + seconds * 1000000000;
}

/* Whether to answer now: what the client knows is not so any more, the job is finished, or the time is over. A client
 * that names no ETag knows what was when it asked. */
static bool wait_is_over(const struct request *r, const struct store_job *job, bool first, int status)
{
    const bool knows = request_header(r, "If-None-Match") != NULL;
    const bool changed = knows ? status != 304 : !first;
    return changed || job_state_finished(job->state) || clock_monotonic() >= r->sleeper.due || atomic_load(r->cancel) ||
           feed_ended(r->app->feed);
}

enum handled job_get(struct request *r, struct reply *ret)
{
    struct error err = {0};
    struct store_job job = {0};
    enum handled handled = HANDLED;
    const bool first = r->sleeper.due == 0;
    const int64_t seconds = request_whole(r, "wait", 0, WAIT_MAX, 0, &err);
    err_code code = error_close(&err, ERR_invalid_request, "the request");
    r->sleeper.seen = feed_head(r->app->feed);
    if (code == ERR_ok && first)
        begin_wait(r, seconds);
    if (code == ERR_ok)
        code = read_job(r->app, r->arguments[0], &job, &err);
    if (code == ERR_ok) {
        reply_job(r, ret, &job, 200);
        handled = wait_is_over(r, &job, first, ret->status) ? HANDLED : ASLEEP;
    } else {
        reply_problem(ret, r, &err);
    }
    store_job_clear(&job);
    return handled;
}

static void read_state_filter(const char *text, struct job_filter *filter, struct error *err)
{
    enum job_state state;
    if (job_state_find(text, &state)) {
        filter->state = (int)state;
        return;
    }
    struct text known = {0};
    for (int i = 0; i < JOB_STATE_COUNT; i++)
        text_printf(&known, "%s%s", i ? ", " : "", job_state_name((enum job_state)i));
    error_add(err, ERR_invalid_value, (struct place){0}, "the query parameter state is one of %s",
              known.data ? known.data : "the states");
    text_clear(&known);
}

static struct job_filter read_filter(const struct request *r, struct error *err)
{
    const char *state = request_parameter(r, "state"), *sort = request_parameter(r, "sort");
    struct job_filter filter = {
        .state = -1, .model = request_parameter(r, "model"), .label = request_parameter(r, "label")};
    if (state)
        read_state_filter(state, &filter, err);
    if (filter.label && !strchr(filter.label, ':'))
        error_add(err, ERR_invalid_value, (struct place){0}, "the query parameter label is a key and a value: team:a");
    if (sort && strcmp(sort, "-created_at") != 0 && strcmp(sort, "created_at") != 0)
        error_add(err, ERR_invalid_value, (struct place){0},
                  "the query parameter sort is created_at or -created_at (the newest first)");
    filter.newest_first = sort && sort[0] == '-';
    return filter;
}

enum handled jobs_list(struct request *r, struct reply *ret)
{
    struct error err = {0};
    struct store_job *list = NULL;
    size_t found = 0;
    struct page page = request_page(r, &err);
    struct job_filter filter = read_filter(r, &err);
    err_code code = error_close(&err, ERR_invalid_request, "the request");
    if (code == ERR_ok)
        code = store_job_list(r->app->store, &filter, page_and_one(page), &list, &found, &err);
    if (code != ERR_ok) {
        reply_problem(ret, r, &err);
        return HANDLED;
    }
    struct json j = {.text = &ret->body};
    size_t count = page_count(page, found);
    put_page(&j);
    for (size_t i = 0; i < count; i++) {
        freshen(r->app, &list[i]);
        job_json(&j, &list[i]);
    }
    put_page_end(&j, r, ret, count < found ? list[count - 1].id : NULL);
    ret->status = 200;
    ret->content_type = "application/json";
    store_job_list_free(list, found);
    return HANDLED;
}

/* ---- changing ---- */

static enum handled act(struct request *r, struct reply *ret, enum job_action action)
{
    struct error err = {0};
    struct store_job job = {0};
    if (work_act(r->app->work, r->arguments[0], action, &job, &err) == ERR_ok)
        reply_job(r, ret, &job, 200);
    else
        reply_problem(ret, r, &err);
    store_job_clear(&job);
    return HANDLED;
}

enum handled job_cancel(struct request *r, struct reply *ret)
{
    return act(r, ret, JOB_CANCEL);
}

enum handled job_pause(struct request *r, struct reply *ret)
{
    return act(r, ret, JOB_PAUSE);
}

enum handled job_resume(struct request *r, struct reply *ret)
{
    return act(r, ret, JOB_RESUME);
}

enum handled job_patch(struct request *r, struct reply *ret)
{
    struct error err = {0};
    struct store_job job = {0};
    int64_t priority = 0;
    err_code code = decode_job_patch(r->body, r->body_size, &r->app->config->limits, &priority, &err);
    if (code == ERR_ok)
        code = store_job_set_priority(r->app->store, r->arguments[0], priority, &job, &err);
    if (code == ERR_ok)
        reply_job(r, ret, &job, 200);
    else
        reply_problem(ret, r, &err);
    store_job_clear(&job);
    return HANDLED;
}

enum handled job_delete(struct request *r, struct reply *ret)
{
    struct error err = {0};
    if (store_job_delete(r->app->store, r->arguments[0], &err) == ERR_ok)
        ret->status = 204;
    else
        reply_problem(ret, r, &err);
    return HANDLED;
}
