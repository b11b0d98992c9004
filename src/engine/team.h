/* A team: threads that compute the pieces of one thing at a time, together with the thread that asks.
 *
 * Who asks publishes the pieces, takes pieces itself, and goes on when all are done; a member that comes late finds
 * nothing to do. Members spin for a short while, because the next pieces come soon, and then sleep. When more threads
 * of teams are awake than there are processors, nobody spins. Only futexes are called. */
#ifndef GRADD_ENGINE_TEAM_H
#define GRADD_ENGINE_TEAM_H

#include "base/error.h"

struct team;

/* threads: 1 and up, with the one that asks. */
err_code team_new(int threads, struct team **ret, struct error *err);
void team_free(struct team *t); /* NULL is fine */
int team_threads(const struct team *t);

/* Computes piece `piece` as thread `thread` (0: who asks), each below their numbers. */
typedef void team_task(void *context, uint32_t piece, int thread);
/* Runs all pieces, in any order, and returns when they are done. One asks at a time. */
void team_run(struct team *t, uint32_t pieces, team_task *task, void *context);

#endif
