#include "base/log.h"
#include "work/training.h"
#include <time.h>

enum { RETRY_MILLISECONDS = 200 }; /* before what the store refused is tried again */

bool training_may_retry(err_code code)
{
    return code != ERR_ok && code != ERR_superseded && code != ERR_internal && code != ERR_not_found;
}

void training_refused(struct training *t, const char *what, err_code code, struct error *err)
{
    if (code != t->refusal)
        log_write(LOG_WARNING, "job %s: the store refused %s, it will be tried again: %s", t->job->id, what,
                  err && err->detail ? err->detail : err_title(code));
    t->refusal = code;
    if (err)
        error_clear(err);
}

bool training_wait(const atomic_bool *stop)
{
    if (atomic_load(stop))
        return false;
    nanosleep(&(struct timespec){.tv_nsec = RETRY_MILLISECONDS * 1000000L}, NULL);
    return true;
}

err_code training_write_points(struct training *t, int64_t now, struct error *err)
{
    err_code code = store_job_advance(t->worker->config->store, t->job->id, t->job->attempts, &t->progress, t->points,
                                      t->point_count, err);
    if (code == ERR_ok) {
        t->point_count = 0;
        t->written = now;
        t->refusal = ERR_ok;
    }
    return code;
}
