#include "work/worker.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "data/transform_record.h"
#include "work/bind.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

enum {
    SLICE_NANOSECONDS = 50 * 1000 * 1000, /* between two snapshots on the board, about */
    WRITE_NANOSECONDS =
        400 * 1000 * 1000,    /* between two writes of points and progress: a point is durable within half a second */
    POINTS_MAX = 4096,        /* points that wait to be written */
    RETRY_MILLISECONDS = 200, /* before the end of a job is written again, when the store failed */
};

/* One job in a worker's hands. */
struct training {
    const struct worker *worker;
    const struct store_job *job;
    const atomic_bool *stop;
    struct job_spec spec;
    struct held_model model;
    struct held_version start;
    struct held_table table;
    struct bound_data bound;
    struct trainer *trainer;
    struct job_progress progress;
    struct cost_point *points;
    size_t point_count;
    int64_t slice_steps;
    int64_t begun, written; /* clock_monotonic */
};

static void training_clear(struct training *t)
{
    struct catalog *catalog = t->worker->config->catalog;
    trainer_free(t->trainer);
    bound_data_clear(&t->bound);
    catalog_release_table(catalog, &t->table);
    catalog_release_version(catalog, &t->start);
    catalog_release_model(catalog, &t->model);
    job_spec_clear(&t->spec);
    free(t->points);
}

static err_code load_data(struct training *t, struct error *err)
{
    const struct table *table = t->table.table;
    struct bindings bindings = {0};
    uint32_t *order = NULL;
    size_t training_count = 0;
    err_code code = bindings_make(t->model.model, &t->spec, &table->info, &bindings, err);
    if (code == ERR_ok)
        code = train_split(&t->spec.train, (size_t)table->info.rows, &order, &training_count, err);
    if (code == ERR_ok)
        code = bind_data(t->model.model, &bindings, table, order, training_count, &t->bound, err);
    free(order);
    bindings_clear(&bindings);
    return code;
}

/* Everything that training needs, from the job's row. */
static err_code load(struct training *t, struct error *err)
{
    struct catalog *catalog = t->worker->config->catalog;
    t->points = calloc(POINTS_MAX, sizeof *t->points);
    if (!t->points)
        return error_set(err, ERR_out_of_memory, NULL);
    err_code code = t->worker->config->decode(t->job->spec, &t->spec, err);
    if (code == ERR_ok)
        code = catalog_hold_model_id(catalog, t->job->model_id, &t->model, err);
    if (code == ERR_ok)
        code = catalog_hold_version(catalog, &t->model, t->job->from_version, &t->start, err);
    if (code == ERR_ok)
        code = catalog_hold_table_id(catalog, t->job->dataset_id, &t->table, err);
    if (code == ERR_ok)
        code = load_data(t, err);
    if (code == ERR_ok)
        code = trainer_new(t->model.model, &t->spec.train, &t->bound.data, t->start.parameters, &t->trainer, err);
    return code;
}

static double lower(double a, double b)
{
    return isnan(a) || b < a ? b : a;
}

/* Keeps a point for the next write, and what the progress says of it. */
static void take_point(struct training *t, const struct train_point *p)
{
    t->points[t->point_count++] = (struct cost_point){.step = p->step,
                                                      .epoch = p->epoch,
                                                      .cost = p->cost,
                                                      .validation_cost = p->validation_cost,
                                                      .learning_rate = p->learning_rate,
                                                      .gradient_norm = p->gradient_norm,
                                                      .time = clock_now()};
    t->progress.cost = p->cost;
    bool validates = t->spec.train.validation_fraction > 0;
    if (!isnan(p->validation_cost))
        t->progress.validation_cost = p->validation_cost;
    double watched = validates ? p->validation_cost : p->cost;
    if (!isnan(watched))
        t->progress.best_cost = lower(t->progress.best_cost, watched);
}

static void publish(struct training *t, int64_t now)
{
    t->progress.step = trainer_step(t->trainer);
    t->progress.epoch = trainer_epoch(t->trainer);
    double seconds = (double)(now - t->begun) / 1e9;
    if (seconds > 0) {
        double epochs = (double)t->progress.step / (double)t->job->steps * (double)t->spec.train.epochs;
        t->progress.samples_per_second = epochs * (double)t->bound.data.rows / seconds;
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

/* Trains for about one slice; on return the board is fresh. */
static err_code advance(struct training *t, struct error *err)
{
    int64_t from = trainer_step(t->trainer), start = clock_monotonic();
    int64_t to = from + t->slice_steps;
    err_code code = ERR_ok;
    while (code == ERR_ok && trainer_step(t->trainer) < to && t->point_count < POINTS_MAX &&
           !trainer_finished(t->trainer)) {
        struct train_point point;
        bool has_point = false;
        code = trainer_advance(t->trainer, to - trainer_step(t->trainer), t->stop, &point, &has_point, err);
        if (has_point)
            take_point(t, &point);
    }
    int64_t now = clock_monotonic();
    size_slice(t, trainer_step(t->trainer) - from, now - start);
    publish(t, now);
    return code;
}

/* A write that the store refused for reasons of its own (a full disk) is tried again with the next one; points wait
 * meanwhile. */
static err_code write_if_due(struct training *t, struct error *err)
{
    int64_t now = clock_monotonic();
    if (t->point_count < POINTS_MAX && now - t->written < WRITE_NANOSECONDS)
        return ERR_ok;
    err_code code = write_points(t, now, err);
    if (code == ERR_ok || code == ERR_superseded || code == ERR_internal || t->point_count == POINTS_MAX)
        return code;
    log_write(LOG_WARNING, "job %s: its points could not be written: %s", t->job->id,
              err->detail ? err->detail : err_title(code));
    error_clear(err);
    t->written = now;
    return ERR_ok;
}

static err_code train(struct training *t, struct error *err)
{
    t->begun = t->written = clock_monotonic();
    t->slice_steps = 1;
    err_code code = ERR_ok;
    while (code == ERR_ok && !trainer_finished(t->trainer)) {
        code = advance(t, err);
        if (code == ERR_ok)
            code = write_if_due(t, err);
    }
    return code;
}

/* ---- the end ---- */

/* The end must be written: tried until the store takes it, or work ends. */
static void finish(const struct training *t, const struct job_end *end)
{
    for (;;) {
        struct error err = {0};
        err_code code = store_job_finish(t->worker->config->store, t->job->id, t->job->attempts, end, &err);
        if (code != ERR_ok && code != ERR_superseded)
            log_write(LOG_ERROR, "job %s: its end could not be written: %s", t->job->id,
                      err.detail ? err.detail : err_title(code));
        error_clear(&err);
        if (code == ERR_ok || code == ERR_superseded || code == ERR_internal || atomic_load(t->worker->stopping))
            return;
        nanosleep(&(struct timespec){.tv_nsec = RETRY_MILLISECONDS * 1000000L}, NULL);
    }
}

static struct job_end end_with(const struct training *t, enum job_state state)
{
    return (struct job_end){
        .state = state, .progress = &t->progress, .points = t->points, .point_count = t->point_count};
}

static err_code succeed(struct training *t, struct error *err)
{
    void *parameters = NULL;
    struct text transforms = {0};
    size_t size = 0, count = t->model.model->parameter_count;
    err_code code = catalog_pack_parameters(trainer_parameters(t->trainer), count, &parameters, &size, err);
    if (code == ERR_ok)
        code = transforms_encode(t->bound.transforms, t->bound.transform_count, &transforms, err);
    if (code == ERR_ok) {
        char digest[65];
        tensors_digest(trainer_parameters(t->trainer), count, digest);
        struct store_version version = {.model_id = t->job->model_id,
                                        .created_at = clock_now(),
                                        .job = t->job->id,
                                        .epoch = t->progress.epoch,
                                        .step = t->progress.step,
                                        .cost = t->progress.cost,
                                        .digest = digest,
                                        .transforms = transforms.data,
                                        .transforms_size = transforms.length};
        struct job_end end = end_with(t, JOB_SUCCEEDED);
        end.version = &version;
        end.parameters = parameters;
        end.size = size;
        finish(t, &end);
    }
    free(parameters);
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

static void fail(struct training *t, err_code code, const struct error *err)
{
    struct job_end end = end_with(t, JOB_FAILED);
    end.error_code = err_name(code);
    end.error_detail = reason(err, code);
    log_write(LOG_INFO, "job %s failed: %s", t->job->id, end.error_detail);
    finish(t, &end);
}

/* The row may have moved on between the claim and the worker's coming to the board, where it can be told to stop. */
static bool still_ours(const struct worker *w, const struct store_job *job)
{
    struct store_job now = {0};
    bool ours = store_job_get(w->config->store, job->id, &now, NULL) == ERR_ok && now.state == JOB_RUNNING &&
                now.attempts == job->attempts;
    store_job_clear(&now);
    return ours;
}

void worker_train(const struct worker *w, const struct store_job *job)
{
    struct training t = {
        .worker = w,
        .job = job,
        .progress = {.cost = NAN, .best_cost = NAN, .validation_cost = NAN, .samples_per_second = NAN}};
    struct error err = {0};
    t.stop = board_enter(w->board, w->place, job->id, job->attempts);
    if (still_ours(w, job)) {
        err_code code = atomic_load(w->stopping) ? ERR_cancelled : load(&t, &err);
        if (code == ERR_ok)
            code = train(&t, &err);
        if (code == ERR_ok)
            code = succeed(&t, &err);
        if (code == ERR_cancelled && atomic_load(w->stopping)) {
            struct job_end end = end_with(&t, JOB_QUEUED);
            finish(&t, &end);
        } else if (code != ERR_ok && code != ERR_cancelled && code != ERR_superseded) {
            fail(&t, code, &err);
        }
    }
    board_leave(w->board, w->place);
    error_clear(&err);
    training_clear(&t);
}
