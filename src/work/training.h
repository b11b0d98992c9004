/* One job in a worker's hands, from its loading to its end. What its files share. */
#ifndef GRADD_WORK_TRAINING_H
#define GRADD_WORK_TRAINING_H

#include "work/bind.h"
#include "work/worker.h"

enum { PENDING_MAX = 4096 }; /* points that wait to be written */

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
void training_clear(struct training *t);

/* ---- training_store.c ---- */

/* Whether what was refused may be taken later: the disk is full, the file is locked. */
bool training_may_retry(err_code code);
/* Logs it once, until another thing happens; clears err. */
void training_refused(struct training *t, const char *what, err_code code, struct error *err);
/* Waits a little; false if the flag says that there is no use. */
bool training_wait(const atomic_bool *stop);
/* Writes points and progress. superseded: somebody cancelled or paused the job, or took it over. */
err_code training_write_points(struct training *t, int64_t now, struct error *err);

/* ---- training_load.c ---- */

/* Everything that training needs, from the job's row; tries again for some seconds where the store fails. */
err_code training_load(struct training *t, struct error *err);

/* ---- training_run.c ---- */

/* Trains to the end, writing points and checkpoints. cancelled: the flag was set; superseded. */
err_code training_run(struct training *t, struct error *err);

/* ---- training_checkpoint.c ---- */

/* When the next is due, after one that was begun then, or after none. */
void training_schedule_checkpoint(struct training *t, int64_t begun, int64_t now);
/* The first step after this one that the job asks a checkpoint of; INT64_MAX: it asks for none. */
int64_t training_next_checkpoint(const struct training *t, int64_t step);
err_code training_checkpoint_if_due(struct training *t, struct error *err);
/* At a stop, and for a job that was paused: one that can be written in a moment, if no step was left undone. */
void training_keep(struct training *t);

/* ---- training_end.c ---- */

/* Each writes the end, tried until the store takes it or work ends. */
err_code training_succeed(struct training *t, struct error *err);
void training_fail(struct training *t, err_code code, const struct error *err);
void training_requeue(struct training *t);

#endif
