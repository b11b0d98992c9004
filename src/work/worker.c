#include "work/worker.h"
#include "work/deaths.h"
#include "work/training.h"
#include <math.h>

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
    deaths_enter(w->place, job->id);
    t.stop = board_enter(w->board, w->place, job->id, job->attempts);
    if (still_ours(w, job)) {
        err_code code = atomic_load(w->stopping) ? ERR_cancelled : training_load(&t, &err);
        if (code == ERR_ok)
            code = training_run(&t, &err);
        if (code == ERR_ok)
            code = training_succeed(&t, &err);
        if (code == ERR_cancelled)
            training_keep(&t);
        if (code == ERR_cancelled && atomic_load(w->stopping))
            training_requeue(&t);
        else if (code != ERR_ok && code != ERR_cancelled && code != ERR_superseded)
            training_fail(&t, code, &err);
    }
    board_leave(w->board, w->place);
    deaths_leave(w->place);
    error_clear(&err);
    training_clear(&t);
}
