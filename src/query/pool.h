/* The compute pool: a few threads for what is too dear for an I/O thread. Tasks wait in a bounded queue, first come
 * first served. */
#ifndef GRADD_QUERY_POOL_H
#define GRADD_QUERY_POOL_H

#include "base/error.h"
#include <stdatomic.h>

struct pool;

/* A task is called once, on a thread of the pool. */
typedef void pool_task(void *context);

err_code pool_new(int threads, size_t queue_max, struct pool **ret, struct error *err);
/* Sets every cancel flag, runs what is queued (quickly, as it is cancelled), ends the threads. NULL is fine. */
void pool_free(struct pool *p);
/* `cancel` (may be NULL) is the submitter's; it is set when `seconds` (0: no deadline) are over, waiting included, or
 * the pool ends, and must live until the task has returned. ERR_too_busy if the queue is full, ERR_stopping; then the
 * task is not called. */
err_code pool_submit(struct pool *p, pool_task *task, void *context, atomic_bool *cancel, int64_t seconds,
                     struct error *err);

#endif
