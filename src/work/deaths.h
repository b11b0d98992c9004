/* Deaths of the process by a job: the handler of SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGABRT writes the job's id to the
 * store's file of deaths (store_deaths()), and lets the process die as it would have. Who dies by SIGKILL writes
 * nothing. One for a process. */
#ifndef GRADD_WORK_DEATHS_H
#define GRADD_WORK_DEATHS_H

#include "base/error.h"

/* Installs the handler for `count` workers; `file` stays the caller's. out_of_memory. */
err_code deaths_watch(int file, int count, struct error *err);
/* The default again. Nobody may be between enter and leave. */
void deaths_unwatch(void);

/* The calling thread, which is worker `place`, trains the job from here on. A death of this thread is that job's; one
 * of a thread that trains none may be a helper's of any, and is counted for all that are in hand. */
void deaths_enter(int place, const char *job);
void deaths_leave(int place);

#endif
