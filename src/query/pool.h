/* The compute pool: a few threads for what is too dear for an I/O thread. Tasks wait in a bounded queue, first come first served. */
#ifndef GRADD_QUERY_POOL_H
#define GRADD_QUERY_POOL_H

#include "base/error.h"
#include <stdatomic.h>

struct pool;

/* A task is called once, on a thread of the pool. `cancel` becomes true when its deadline passes or the pool stops. */
typedef void pool_task(void *context, const atomic_bool *cancel);

err_code pool_new(int threads, size_t queue_max, struct pool **ret, struct error *err);
/* Sets every cancel flag, runs what is queued (quickly, as it is cancelled), ends the threads. */
void pool_free(struct pool *p);
/* ERR_too_busy if the queue is full, ERR_stopping; then the task is not called. `seconds`: deadline from now, 0: none. */
err_code pool_submit(struct pool *p, pool_task *task, void *context, int64_t seconds, struct error *err);

#endif
