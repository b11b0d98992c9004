/* Checkpoints: at the steps that a job asks for, or by time. */
#include "base/clock.h"
#include "work/training.h"
#include <stdlib.h>

enum {
    CHECKPOINT_SECONDS = 5,       /* from one checkpoint to the next, at least, */
    CHECKPOINT_SHARE = 50,        /* and so many times what the last one took */
    STATE_AT_STOP_MAX = 64 << 20, /* bytes that are written while the process waits to end */
};

/* ---- which steps have one ---- */

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

int64_t training_next_checkpoint(const struct training *t, int64_t step)
{
    const struct job_checkpoint *rule = &t->spec.checkpoint;
    int64_t by_steps = rule->every_steps > 0 ? after(step, rule->every_steps) : INT64_MAX;
    int64_t by_epochs = rule->every_epochs > 0 ? after(step, steps_of(t, rule->every_epochs)) : INT64_MAX;
    return by_steps < by_epochs ? by_steps : by_epochs;
}

/* ---- writing ---- */

void training_schedule_checkpoint(struct training *t, int64_t begun, int64_t now)
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
        return step > 0 && training_next_checkpoint(t, step - 1) == step;
    return now >= t->checkpoint_due && !trainer_finished(t->trainer);
}

/* One that the store refuses, or that memory does not allow, is left for the next time: training goes on without. */
err_code training_checkpoint_if_due(struct training *t, struct error *err)
{
    int64_t begun = clock_monotonic();
    if (!checkpoint_is_due(t, begun) || !trainer_state_finite(t->trainer))
        return ERR_ok;
    err_code code = write_checkpoint(t, err);
    int64_t now = clock_monotonic();
    training_schedule_checkpoint(t, begun, now);
    if (code == ERR_ok) {
        t->point_count = 0;
        t->written = now;
        t->refusal = ERR_ok;
    } else if (training_may_retry(code)) {
        training_refused(t, "a checkpoint", code, err);
        code = ERR_ok;
    }
    return code;
}

void training_keep(struct training *t)
{
    if (!t->trainer || !trainer_is_whole(t->trainer) || trainer_step(t->trainer) == 0 ||
        trainer_state_size(t->trainer) > STATE_AT_STOP_MAX || !trainer_state_finite(t->trainer))
        return;
    if (write_checkpoint(t, NULL) == ERR_ok)
        t->point_count = 0;
}
