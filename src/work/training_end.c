/* The end of a job: the versions that it made, or why it made none. */
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "data/transform_record.h"
#include "work/compare.h"
#include "work/training.h"
#include <stdlib.h>

/* The end must be written: tried until the store takes it, or work ends. superseded, too, is an end. */
static err_code finish(struct training *t, const struct job_end *end, struct error *err)
{
    for (;;) {
        err_code code = store_job_finish(t->worker->config->store, t->job->id, t->job->attempts, end, err);
        if (!training_may_retry(code))
            return code;
        training_refused(t, "its end", code, err);
        if (!training_wait(t->worker->stopping))
            return ERR_cancelled;
    }
}

static struct job_end end_with(const struct training *t, enum job_state state)
{
    return (struct job_end){
        .state = state, .progress = &t->progress, .points = t->points, .point_count = t->point_count};
}

/* A version that is to be made, as bytes and as a record; cleared by making_clear(). */
struct making {
    void *parameters;
    size_t size;
    char digest[DIGEST_TEXT_MAX];
    struct store_version version;
};

static void making_clear(struct making *m)
{
    free(m->parameters);
}

static err_code make_version(const struct training *t, const struct train_outcome *o, const struct text *transforms,
                             struct making *ret, struct error *err)
{
    size_t count = t->model.model->parameter_count;
    tensors_digest(o->parameters, count, ret->digest);
    ret->version = (struct store_version){.model_id = t->job->model_id,
                                          .created_at = clock_now(),
                                          .job = t->job->id,
                                          .epoch = o->epoch,
                                          .step = o->step,
                                          .cost = o->cost,
                                          .digest = ret->digest,
                                          .transforms = transforms->data,
                                          .transforms_size = transforms->length};
    return catalog_pack_parameters(o->parameters, count, &ret->parameters, &ret->size, err);
}

/* For a job that verifies another: what is left of its points is written, then the histories are compared. */
static err_code compare(struct training *t, bool *ret_other, struct error *err)
{
    bool same = true;
    if (!t->job->verifies)
        return ERR_ok;
    err_code code = training_write_points(t, clock_monotonic(), err);
    if (code == ERR_ok)
        code = compare_histories(t->worker->config->store, t->job->id, t->job->verifies, &same, err);
    *ret_other = !same;
    return code;
}

/* Until the store lets it, or work ends. */
static err_code compare_patiently(struct training *t, bool *ret_other, struct error *err)
{
    err_code code = compare(t, ret_other, err);
    while (training_may_retry(code)) {
        training_refused(t, "its comparison", code, err);
        if (!training_wait(t->worker->stopping))
            return ERR_cancelled;
        code = compare(t, ret_other, err);
    }
    return code;
}

/* The outcome becomes a version, and the best epoch another where it is not the outcome. */
err_code training_succeed(struct training *t, struct error *err)
{
    struct text transforms = {0};
    struct making made = {0}, made_of_best = {0};
    struct train_outcome outcome = trainer_outcome(t->trainer), best = {0};
    const bool watched = trainer_best(t->trainer, &best), is_best = watched && best.step == outcome.step;
    bool other = false;
    err_code code = transforms_encode(t->bound.transforms, t->bound.transform_count, &transforms, err);
    if (code == ERR_ok)
        code = make_version(t, &outcome, &transforms, &made, err);
    if (code == ERR_ok && watched && !is_best)
        code = make_version(t, &best, &transforms, &made_of_best, err);
    if (code == ERR_ok)
        code = compare_patiently(t, &other, err);
    if (code == ERR_ok) {
        struct job_end end = end_with(t, JOB_SUCCEEDED);
        end.other_history = other;
        end.version = &made.version;
        end.parameters = made.parameters;
        end.size = made.size;
        end.is_best = is_best;
        end.best = watched && !is_best ? &made_of_best.version : NULL;
        end.best_parameters = made_of_best.parameters;
        end.stopped = trainer_stopped(t->trainer);
        code = finish(t, &end, err);
    }
    making_clear(&made);
    making_clear(&made_of_best);
    text_clear(&transforms);
    return code;
}

/* A sentence for the job's `error`: the whole's, or the first item's where the list was closed. */
static const char *reason(const struct error *err, err_code code)
{
    if (err->item_count > 0 && err->items[0].detail)
        return err->items[0].detail;
    return err->detail ? err->detail : err_title(code);
}

/* A bug may be that the points are not those of an earlier attempt: then they are left out, so that the job can end. */
void training_fail(struct training *t, err_code code, const struct error *err)
{
    if (code == ERR_internal)
        t->point_count = 0;
    struct job_end end = end_with(t, JOB_FAILED);
    end.error_code = err_name(code);
    end.error_detail = reason(err, code);
    log_write(code == ERR_internal ? LOG_ERROR : LOG_INFO, "job %s failed: %s", t->job->id, end.error_detail);
    (void)finish(t, &end, NULL);
}

void training_requeue(struct training *t)
{
    struct job_end end = end_with(t, JOB_QUEUED);
    (void)finish(t, &end, NULL);
}
