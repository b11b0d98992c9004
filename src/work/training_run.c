/* Training in slices: points, progress on the board, and what is written of them. */
#include "base/clock.h"
#include "work/training.h"
#include <math.h>

enum {
    SLICE_NANOSECONDS = 50 * 1000 * 1000, /* between two snapshots on the board, about */
    WARM_NANOSECONDS = 25 * 1000 * 1000,  /* before that the first steps, which are slow, are not taken for the speed */
    WRITE_NANOSECONDS = 400 * 1000 * 1000, /* between two writes: a point is durable within half a second */
};

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

/* As many steps as take about a slice, by what the last one took. */
static void size_slice(struct training *t, int64_t steps, int64_t nanoseconds)
{
    if (steps > 0 && nanoseconds > 0) {
        double next = (double)steps * SLICE_NANOSECONDS / (double)nanoseconds;
        t->slice_steps = next < 1 ? 1 : next > 1e6 ? 1000000 : (int64_t)next;
    }
}

/* Trains for about one slice, or to the next step that has a checkpoint; on return the board is fresh. */
static err_code advance(struct training *t, struct error *err)
{
    int64_t from = trainer_step(t->trainer), start = clock_monotonic();
    int64_t to = from + t->slice_steps, stop = training_next_checkpoint(t, from);
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
        err_code code = training_write_points(t, now, err);
        if (!training_may_retry(code))
            return code;
        training_refused(t, "its points", code, err);
        t->written = now;
        if (t->point_count == PENDING_MAX && !training_wait(t->stop))
            return ERR_cancelled;
    }
    return ERR_ok;
}

err_code training_run(struct training *t, struct error *err)
{
    t->begun = t->written = clock_monotonic();
    t->begun_step = trainer_step(t->trainer);
    training_schedule_checkpoint(t, t->begun, t->begun);
    t->slice_steps = 1;
    err_code code = ERR_ok;
    while (code == ERR_ok && !trainer_finished(t->trainer)) {
        code = advance(t, err);
        if (code == ERR_ok)
            code = write_if_due(t, err);
        if (code == ERR_ok)
            code = training_checkpoint_if_due(t, err);
    }
    return code;
}
