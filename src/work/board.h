/* The board: one place a worker, with the job it trains, its published progress, and the flag that stops it.
 * Thread-safe. */
#ifndef GRADD_WORK_BOARD_H
#define GRADD_WORK_BOARD_H

#include "base/uuid.h"
#include "store/store.h"
#include <stdatomic.h>

struct board;

err_code board_new(int workers, struct board **ret, struct error *err);
void board_free(struct board *b); /* NULL is fine */

/* For the worker in that place. The flag is false at first, and is the worker's to look at until it leaves. */
const atomic_bool *board_enter(struct board *b, int worker, const char *id, int64_t attempt);
void board_publish(struct board *b, int worker, const struct job_progress *progress);
void board_leave(struct board *b, int worker);

/* For everyone. */
bool board_read(struct board *b, const char *id, int64_t attempt,
                struct job_progress *ret); /* false: not there, or nothing published yet */
/* Sets the flag of whoever trains it with this attempt or an earlier one; a later attempt is not meant. */
void board_stop(struct board *b, const char *id, int64_t attempt);
void board_stop_all(struct board *b);
/* Waits until nobody has the job in hands, at most so long. */
void board_await(struct board *b, const char *id, int64_t milliseconds);

#endif
