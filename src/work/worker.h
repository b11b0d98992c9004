/* A worker's life: claim a job, train it, write what it made. */
#ifndef GRADD_WORK_WORKER_H
#define GRADD_WORK_WORKER_H

#include "work/board.h"
#include "work/work.h"

struct worker {
    const struct work_config *config;
    struct board *board;
    int place;                   /* on the board */
    const atomic_bool *stopping; /* the whole of work ends: running jobs go back to the queue */
};

/* Trains one claimed job to its end, or until it is stopped. Every outcome is in the store, or in the log where the
 * store can't be written. */
void worker_train(const struct worker *w, const struct store_job *job);

#endif
