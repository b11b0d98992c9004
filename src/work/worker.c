#include "work/worker.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "data/transform_record.h"
#include "work/bind.h"
#include "work/compare.h"
#include "work/split.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

enum {
    SLICE_NANOSECONDS = 50 * 1000 * 1000, /* between two snapshots on the board, about */
    WARM_NANOSECONDS = 25 * 1000 * 1000,  /* before that the first steps, which are slow, are not taken for the speed */
    WRITE_NANOSECONDS =
        400 * 1000 * 1000,  /* between two writes of points and progress: a point is durable within half a second */
    CHECKPOINT_SECONDS = 5, /* from one checkpoint to the next, at least, */
    CHECKPOINT_SHARE = 50,  /* and so many times what the last one took */
    STATE_AT_STOP_MAX = 64 << 20, /* bytes that are written while the process waits to end */
    PENDING_MAX = 4096,           /* points that wait to be written */
    RETRY_MILLISECONDS = 200,     /* before what the store refused is tried again */
    LOAD_TRIES = 25,              /* at reading what a job needs, when the store fails */
};

/* One job in a worker's hands. */
struct training {
    const struct worker *worker;
    const struct store_job *job;
    const atomic_bool *stop;
    struct job_spec spec;
    struct held_model model;
    struct held_version start;
    struct tensor **own_start; /* what it starts with, where that is no version */
    struct bound_data bound;
    struct trainer *trainer;
    struct job_progress progress;
    struct cost_point *points;
    size_t point_count;
    size_t training_rows;
    int64_t slice_steps;
    int64_t begun, written; /* clock_monotonic */
    int64_t begun_step;     /* of the checkpoint that it goes on from, or 0 */
    int64_t checkpoint_due; /* clock_monotonic; where the job does not say at which steps */
    err_code refusal;       /* of the store, that was logged last */
};

static void training_clear(struct training *t)
{
    struct catalog *catalog = t->worker->config->catalog;
    trainer_free(t->trainer);
    bound_data_clear(&t->bound);
    if (t->own_start)
        tensors_free(t->own_start, t->model.model->parameter_count);
    t->own_start = NULL;
    catalog_release_version(catalog, &t->start);
    catalog_release_model(catalog, &t->model);
    job_spec_clear(&t->spec);
    free(t->points);
    t->trainer = NULL;
    t->points = NULL;
}

/* ---- when the store refuses ---- */

/* Whether what was refused may be taken later: the disk is full, the file is locked. */
static bool may_pass(err_code code)
{
    return code != ERR_ok && code != ERR_superseded && code != ERR_internal && code != ERR_not_found;
}

/* Logs it once, until another thing happens; clears err. */
static void tell_refusal(struct training *t, const char *what, err_code code, struct error *err)
{
    if (code != t->refusal)
        log_write(LOG_WARNING, "job %s: the store refused %s, it will be tried again: %s", t->job->id, what,
                  err && err->detail ? err->detail : err_title(code));
    t->refusal = code;
    if (err)
        error_clear(err);
}

/* Waits a little; false if the flag says that there is no use. */
static bool wait_to_retry(const atomic_bool *stop)
{
    if (atomic_load(stop))
        return false;
    nanosleep(&(struct timespec){.tv_nsec = RETRY_MILLISECONDS * 1000000L}, NULL);
    return true;
}

/* ---- the beginning ---- */

static err_code bind_tables(struct training *t, const struct table *table, const struct table *second,
                            struct row_split *split, struct error *err)
{
    struct bindings bindings = {0};
    uint32_t *order = NULL;
    err_code code = bindings_make(t->model.model, &t->spec, &table->info, &bindings, err);
    if (code == ERR_ok)
        code = split_make(&t->spec.validation, &table->info, table, second ? second->info.rows : 0, split, err);
    t->spec.train.validation_rows = split->validation;
    if (code == ERR_ok)
        code = train_split(&t->spec.train, (size_t)split->rows, split->marks, &order, &t->training_rows, err);
    if (code == ERR_ok)
        code = bind_data(t->model.model, &bindings, table, second, order, t->training_rows, &t->bound, err);
    t->bound.data.marks = split->marks;
    free(order);
    bindings_clear(&bindings);
    return code;
}

/* The tables are held only until their values are bound, the marks of the rows until the trainer is made. */
static err_code load_data(struct training *t, struct row_split *split, struct error *err)
{
    struct catalog *catalog = t->worker->config->catalog;
    struct held_table table = {0}, second = {0};
    err_code code = catalog_hold_table_id(catalog, t->job->dataset_id, &table, err);
    if (code == ERR_ok && t->job->validation_id != 0)
        code = catalog_hold_table_id(catalog, t->job->validation_id, &second, err);
    if (code == ERR_ok)
        code = bind_tables(t, table.table, second.table, split, err);
    catalog_release_table(catalog, &table);
    catalog_release_table(catalog, &second);
    return code;
}

/* Of a job that starts at a step of another one. */
static err_code load_own_start(struct training *t, struct error *err)
{
    const struct model *m = t->model.model;
    size_t size = (size_t)model_parameter_elements(m) * dtype_size(m->dtype);
    void *bytes = malloc(size + 1);
    if (!bytes)
        return error_set(err, ERR_out_of_memory, NULL);
    err_code code = store_job_start(t->worker->config->store, t->job->id, bytes, size, err);
    if (code == ERR_ok)
        code = catalog_unpack_parameters(m, bytes, size, &t->own_start, err);
    free(bytes);
    return code;
}

static err_code make_trainer(struct training *t, struct error *err)
{
    struct row_split split = {0};
    err_code code = load_data(t, &split, err);
    if (code == ERR_ok && t->job->from_step > 0)
        code = load_own_start(t, err);
    if (code == ERR_ok)
        code = trainer_new(t->model.model, &t->spec.train, &t->bound.data,
                           t->own_start ? t->own_start : t->start.parameters, &t->trainer, err);
    split_clear(&split);
    t->bound.data.marks = NULL;
    return code;
}

/* Goes on from the newest checkpoint. One that does not fit, because another version of gradd made it, is left: from
 * the start, training comes to the same bits. */
static err_code resume(struct training *t, struct error *err)
{
    struct store_checkpoint checkpoint = {0};
    bool found = false;
    err_code code = store_checkpoint_newest(t->worker->config->store, t->job->id, &checkpoint, &found, err);
    if (code != ERR_ok || !found)
        return code;
    struct error misfit = {0};
    if (trainer_restore(t->trainer, checkpoint.state, checkpoint.size, &misfit) == ERR_ok) {
        t->progress = checkpoint.progress;
        log_write(LOG_INFO, "job %s goes on from step %" PRId64, t->job->id, checkpoint.progress.step);
    } else {
        log_write(LOG_WARNING, "job %s begins again: %s", t->job->id, misfit.detail ? misfit.detail : "no reason");
    }
    error_clear(&misfit);
    store_checkpoint_clear(&checkpoint);
    return ERR_ok;
}

/* Everything that training needs, from the job's row. */
static err_code load(struct training *t, struct error *err)
{
    struct catalog *catalog = t->worker->config->catalog;
    t->points = calloc(PENDING_MAX, sizeof *t->points);
    if (!t->points)
        return error_set(err, ERR_out_of_memory, NULL);
    err_code code = t->worker->config->decode(t->job->spec, &t->spec, err);
    if (code == ERR_ok)
        code = catalog_hold_model_id(catalog, t->job->model_id, &t->model, err);
    if (code == ERR_ok)
        code = catalog_hold_version(catalog, &t->model, t->job->from_version, &t->start, err);
    if (code == ERR_ok)
        code = make_trainer(t, err);
    if (code == ERR_ok)
        code = resume(t, err);
    return code;
}

/* ---- training ---- */

static double lower(double a, double b)
{
    return isnan(a) || b < a ? b : a;
}

static struct job_scores scores_of(const double scores[SCORE_COUNT])
{
    return (struct job_scores){.accuracy = scores[SCORE_ACCURACY], .mae = scores[SCORE_MAE], .r2 = scores[SCORE_R2]};
}

/* Takes over what the last whole epoch came to. */
static void take_epoch(struct training *t)
{
    const struct train_epoch epoch = trainer_last_epoch(t->trainer);
    t->progress.epoch = trainer_epoch(t->trainer);
    t->progress.cost = epoch.cost;
    t->progress.validation_cost = epoch.validation_cost;
    t->progress.scores = scores_of(epoch.scores);
}

/* Keeps a point for the next write. The job's own costs are of whole epochs, and every epoch's end has a point. */
static void take_point(struct training *t, const struct train_point *p)
{
    t->points[t->point_count++] = (struct cost_point){.step = p->step,
                                                      .epoch = p->epoch,
                                                      .cost = p->cost,
                                                      .validation_cost = p->validation_cost,
                                                      .learning_rate = p->learning_rate,
                                                      .gradient_norm = p->gradient_norm,
                                                      .time = clock_now(),
                                                      .scores = scores_of(p->scores)};
    if (trainer_epoch(t->trainer) == t->progress.epoch)
        return;
    take_epoch(t);
    bool validates = t->training_rows < t->bound.data.rows;
    t->progress.best_cost = lower(t->progress.best_cost, validates ? p->validation_cost : t->progress.cost);
}

static void publish(struct training *t, int64_t now)
{
    t->progress.step = trainer_step(t->trainer);
    double seconds = (double)(now - t->begun) / 1e9;
    bool telling = now - t->begun >= WARM_NANOSECONDS || trainer_finished(t->trainer);
    if (seconds > 0 && telling) {
        double epochs =
            (double)(t->progress.step - t->begun_step) / (double)t->job->steps * (double)t->spec.train.epochs;
        t->progress.samples_per_second = epochs * (double)t->training_rows / seconds;
    }
    board_publish(t->worker->board, t->worker->place, &t->progress);
}

/* Writes points and progress. superseded: somebody cancelled or paused the job, or took it over. */
static err_code write_points(struct training *t, int64_t now, struct error *err)
{
    err_code code = store_job_advance(t->worker->config->store, t->job->id, t->job->attempts, &t->progress, t->points,
                                      t->point_count, err);
    if (code == ERR_ok) {
        t->point_count = 0;
        t->written = now;
        t->refusal = ERR_ok;
    }
    return code;
}

/* As many steps as take about a slice, by what the last one took. */
static void size_slice(struct training *t, int64_t steps, int64_t nanoseconds)
{
    if (steps > 0 && nanoseconds > 0) {
        double next = (double)steps * SLICE_NANOSECONDS / (double)nanoseconds;
        t->slice_steps = next < 1 ? 1 : next > 1e6 ? 1000000 : (int64_t)next;
    }
}

/* ---- which steps have a checkpoint ---- */

static int64_t after(int64_t step, int64_t every)
{
    return (step / every + 1) * every;
}

/* Steps of so many epochs; more than the job has: never. */
static int64_t steps_of(const struct training *t, int64_t epochs)
{
    int64_t most = t->spec.train.epochs;
    return epochs <= most ? t->job->steps / most * epochs : INT64_MAX;
}

static bool asks_for_steps(const struct training *t)
{
    return t->spec.checkpoint.every_steps > 0 || t->spec.checkpoint.every_epochs > 0;
}

/* The first step after this one that the job asks a checkpoint of; INT64_MAX: it asks for none. */
static int64_t next_checkpoint(const struct training *t, int64_t step)
{
    const struct job_checkpoint *rule = &t->spec.checkpoint;
    int64_t by_steps = rule->every_steps > 0 ? after(step, rule->every_steps) : INT64_MAX;
    int64_t by_epochs = rule->every_epochs > 0 ? after(step, steps_of(t, rule->every_epochs)) : INT64_MAX;
    return by_steps < by_epochs ? by_steps : by_epochs;
}

/* ---- slices ---- */

/* Trains for about one slice, or to the next step that has a checkpoint; on return the board is fresh. */
static err_code advance(struct training *t, struct error *err)
{
    int64_t from = trainer_step(t->trainer), start = clock_monotonic();
    int64_t to = from + t->slice_steps, stop = next_checkpoint(t, from);
    if (stop < to)
        to = stop;
    err_code code = ERR_ok;
    while (code == ERR_ok && trainer_step(t->trainer) < to && t->point_count < PENDING_MAX &&
           !trainer_finished(t->trainer)) {
        struct train_point point;
        bool has_point = false;
        code = trainer_advance(t->trainer, to - trainer_step(t->trainer), t->stop, &point, &has_point, err);
        if (has_point)
            take_point(t, &point);
    }
    if (trainer_finished(t->trainer)) /* perhaps by going back */
        take_epoch(t);
    int64_t now = clock_monotonic();
    size_slice(t, trainer_step(t->trainer) - from, now - start);
    publish(t, now);
    return code;
}

/* A write that the store refused is tried again with the next one. Points wait meanwhile; where there is no room for
 * more, training does too. */
static err_code write_if_due(struct training *t, struct error *err)
{
    while (t->point_count == PENDING_MAX || clock_monotonic() - t->written >= WRITE_NANOSECONDS) {
        int64_t now = clock_monotonic();
        err_code code = write_points(t, now, err);
        if (!may_pass(code))
            return code;
        tell_refusal(t, "its points", code, err);
        t->written = now;
        if (t->point_count == PENDING_MAX && !wait_to_retry(t->stop))
            return ERR_cancelled;
    }
    return ERR_ok;
}

/* ---- checkpoints ---- */

/* When the next is due, after one that was begun then, or after none. */
static void schedule_checkpoint(struct training *t, int64_t begun, int64_t now)
{
    int64_t least = t->worker->config->checkpoint_nanoseconds;
    int64_t wait = least > 0 ? least : INT64_C(1000000000) * CHECKPOINT_SECONDS;
    int64_t share = CHECKPOINT_SHARE * (now - begun);
    t->checkpoint_due = now + (share > wait ? share : wait);
}

static err_code write_checkpoint(struct training *t, struct error *err)
{
    size_t size = trainer_state_size(t->trainer);
    struct store_checkpoint checkpoint = {.progress = t->progress, .state = malloc(size), .size = size};
    if (!checkpoint.state)
        return error_set(err, ERR_out_of_memory, NULL);
    trainer_save(t->trainer, checkpoint.state);
    err_code code = store_job_checkpoint(t->worker->config->store, t->job->id, t->job->attempts, &checkpoint,
                                         (size_t)t->spec.checkpoint.keep, t->points, t->point_count, err);
    store_checkpoint_clear(&checkpoint);
    return code;
}

/* By time there is none at the end, which is written as the outcome. */
static bool checkpoint_is_due(const struct training *t, int64_t now)
{
    int64_t step = trainer_step(t->trainer);
    if (asks_for_steps(t))
        return step > 0 && next_checkpoint(t, step - 1) == step;
    return now >= t->checkpoint_due && !trainer_finished(t->trainer);
}

/* One that the store refuses, or that memory does not allow, is left for the next time: training goes on without. */
static err_code checkpoint_if_due(struct training *t, struct error *err)
{
    int64_t begun = clock_monotonic();
    if (!checkpoint_is_due(t, begun) || !trainer_state_finite(t->trainer))
        return ERR_ok;
    err_code code = write_checkpoint(t, err);
    int64_t now = clock_monotonic();
    schedule_checkpoint(t, begun, now);
    if (code == ERR_ok) {
        t->point_count = 0;
        t->written = now;
        t->refusal = ERR_ok;
    } else if (may_pass(code)) {
        tell_refusal(t, "a checkpoint", code, err);
        code = ERR_ok;
    }
    return code;
}

/* At a stop, and for a job that was paused: one that can be written in a moment, if a step was left undone. */
static void keep_at_stop(struct training *t)
{
    if (!t->trainer || !trainer_is_whole(t->trainer) || trainer_step(t->trainer) == 0 ||
        trainer_state_size(t->trainer) > STATE_AT_STOP_MAX || !trainer_state_finite(t->trainer))
        return;
    if (write_checkpoint(t, NULL) == ERR_ok)
        t->point_count = 0;
}

static err_code train(struct training *t, struct error *err)
{
    t->begun = t->written = clock_monotonic();
    t->begun_step = trainer_step(t->trainer);
    schedule_checkpoint(t, t->begun, t->begun);
    t->slice_steps = 1;
    err_code code = ERR_ok;
    while (code == ERR_ok && !trainer_finished(t->trainer)) {
        code = advance(t, err);
        if (code == ERR_ok)
            code = write_if_due(t, err);
        if (code == ERR_ok)
            code = checkpoint_if_due(t, err);
    }
    return code;
}

/* ---- the end ---- */

/* The end must be written: tried until the store takes it, or work ends. superseded, too, is an end. */
static err_code finish(struct training *t, const struct job_end *end, struct error *err)
{
    for (;;) {
        err_code code = store_job_finish(t->worker->config->store, t->job->id, t->job->attempts, end, err);
        if (!may_pass(code))
            return code;
        tell_refusal(t, "its end", code, err);
        if (!wait_to_retry(t->worker->stopping))
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
    err_code code = write_points(t, clock_monotonic(), err);
    if (code == ERR_ok)
        code = compare_histories(t->worker->config->store, t->job->id, t->job->verifies, &same, err);
    *ret_other = !same;
    return code;
}

/* Until the store lets it, or work ends. */
static err_code compare_patiently(struct training *t, bool *ret_other, struct error *err)
{
    err_code code = compare(t, ret_other, err);
    while (may_pass(code)) {
        tell_refusal(t, "its comparison", code, err);
        if (!wait_to_retry(t->worker->stopping))
            return ERR_cancelled;
        code = compare(t, ret_other, err);
    }
    return code;
}

/* The outcome becomes a version, and the best epoch another where it is not the outcome. */
static err_code succeed(struct training *t, struct error *err)
{
    struct text transforms = {0};
    struct making made = {0}, made_of_best = {0};
    struct train_outcome outcome = trainer_outcome(t->trainer), best = {0};
    bool has_best = trainer_best(t->trainer, &best) && best.step != outcome.step, other = false;
    err_code code = transforms_encode(t->bound.transforms, t->bound.transform_count, &transforms, err);
    if (code == ERR_ok)
        code = make_version(t, &outcome, &transforms, &made, err);
    if (code == ERR_ok && has_best)
        code = make_version(t, &best, &transforms, &made_of_best, err);
    if (code == ERR_ok)
        code = compare_patiently(t, &other, err);
    if (code == ERR_ok) {
        struct job_end end = end_with(t, JOB_SUCCEEDED);
        end.other_history = other;
        end.version = &made.version;
        end.parameters = made.parameters;
        end.size = made.size;
        end.best = has_best ? &made_of_best.version : NULL;
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
static void fail(struct training *t, err_code code, const struct error *err)
{
    if (code == ERR_internal)
        t->point_count = 0;
    struct job_end end = end_with(t, JOB_FAILED);
    end.error_code = err_name(code);
    end.error_detail = reason(err, code);
    log_write(code == ERR_internal ? LOG_ERROR : LOG_INFO, "job %s failed: %s", t->job->id, end.error_detail);
    (void)finish(t, &end, NULL);
}

static void requeue(struct training *t)
{
    struct job_end end = end_with(t, JOB_QUEUED);
    (void)finish(t, &end, NULL);
}

/* The row may have moved on between the claim and the worker's coming to the board, where it can be told to stop. If it
 * can't be read, training goes on: what is written tells. */
static bool still_ours(const struct worker *w, const struct store_job *job)
{
    struct store_job now = {0};
    err_code code = store_job_get(w->config->store, job->id, &now, NULL);
    bool moved_on =
        code == ERR_not_found || (code == ERR_ok && (now.state != JOB_RUNNING || now.attempts != job->attempts));
    store_job_clear(&now);
    return !moved_on;
}

/* Loads, and tries again for some seconds where the store fails. */
static err_code load_patiently(struct training *t, struct error *err)
{
    err_code code = load(t, err);
    for (int tries = 1; tries < LOAD_TRIES && (code == ERR_database_failed || code == ERR_database_locked); tries++) {
        tell_refusal(t, "what it needs", code, err);
        if (!wait_to_retry(t->stop))
            return ERR_cancelled;
        training_clear(t);
        code = load(t, err);
    }
    return code;
}

void worker_train(const struct worker *w, const struct store_job *job)
{
    struct training t = {.worker = w,
                         .job = job,
                         .progress = {.cost = NAN,
                                      .best_cost = NAN,
                                      .validation_cost = NAN,
                                      .samples_per_second = NAN,
                                      .scores = {NAN, NAN, NAN}}};
    struct error err = {0};
    t.stop = board_enter(w->board, w->place, job->id, job->attempts);
    if (still_ours(w, job)) {
        err_code code = atomic_load(w->stopping) ? ERR_cancelled : load_patiently(&t, &err);
        if (code == ERR_ok)
            code = train(&t, &err);
        if (code == ERR_ok)
            code = succeed(&t, &err);
        if (code == ERR_cancelled)
            keep_at_stop(&t);
        if (code == ERR_cancelled && atomic_load(w->stopping))
            requeue(&t);
        else if (code != ERR_ok && code != ERR_cancelled && code != ERR_superseded)
            fail(&t, code, &err);
    }
    board_leave(w->board, w->place);
    error_clear(&err);
    training_clear(&t);
}
