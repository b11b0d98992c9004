/* Work: the queue, the workers, and the board. The only code that owns training threads.
 *
 * The store's rows are the truth; a worker is woken, claims the next row, trains in slices, and writes points, progress
 * and the end with its attempt. The board holds one published snapshot a running job, fresher than the row. */
#ifndef GRADD_WORK_WORK_H
#define GRADD_WORK_WORK_H

#include "query/catalog.h"
#include "work/job.h"

struct work;

struct work_config {
    struct store *store;
    struct catalog *catalog;
    job_decoder *decode;
    int workers;
    int64_t checkpoint_nanoseconds; /* from one checkpoint of a job to the next, at least; 0: 5 s */
    const struct limits *limits;
};

err_code work_start(const struct work_config *config, struct work **ret, struct error *err);
/* Within 2 s: running jobs are set back to queued. NULL is fine. */
void work_stop(struct work *w);

/* Checks the job against model, data set and memory, stores it, wakes a worker. A request that was answered before, by
 * its key, is answered before anything is checked: what it names may be gone by now. `spec_text`: the canonical text.
 * All mistakes are items with pointers into the request
 * ("/bind/X/columns/2"). Results as store_job_add. */
err_code work_submit(struct work *w, const struct job_spec *spec, const char *spec_text, const struct store_key *key,
                     struct store_job *ret, bool *ret_repeated, struct error *err);
/* Trains a job again, to compare the bits: a job whose `verifies` is its id. Results as work_submit, and not_found;
 * wrong_state unless it has succeeded, and model and data sets are there as they were. */
err_code work_verify(struct work *w, const char *id, const struct store_key *key, struct store_job *ret,
                     bool *ret_repeated, struct error *err);
/* A fork of a job: the spec is its own with changes, of the same model. from_step: 0, or it starts with the parameters
 * of that step, of which the job keeps a checkpoint (a mistake at /from_step if not). Results as work_submit;
 * wrong_state if the model, or the data set where it is the same, is not there as it was. */
err_code work_fork(struct work *w, const struct store_job *origin, const struct job_spec *spec, const char *spec_text,
                   int64_t from_step, const struct store_key *key, struct store_job *ret, bool *ret_repeated,
                   struct error *err);
/* cancel, pause, resume: the row changes at once, a running trainer stops within a step. A job that was paused while it
 * ran is resumed when its checkpoint is written. */
err_code work_act(struct work *w, const char *id, enum job_action action, struct store_job *ret, struct error *err);

/* Something that a worker may claim was stored. */
void work_wake(struct work *w);
const struct work_config *work_config_of(const struct work *w);

/* The live progress of a running job; false if it is not on the board. samples_per_second and eta are as of the
 * snapshot. */
bool work_board(struct work *w, const char *id, int64_t attempt, struct job_progress *ret);

#endif
