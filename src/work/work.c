#include "work/work.h"
#include "base/cores.h"
#include "base/log.h"
#include "work/deaths.h"
#include "work/worker.h"
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

/* Workers sleep until `wakings` grows: it is read before a claim, so that a job which is stored after the claim found
 * none is not slept over. */
struct work {
    struct work_config config;
    struct board *board;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    unsigned long wakings;
    atomic_bool stopping;
    int worker_count;
    struct thread_of_work {
        pthread_t thread;
        struct worker worker;
        struct work *work;
    } threads[];
};

static unsigned long wakings_now(struct work *w)
{
    pthread_mutex_lock(&w->mutex);
    unsigned long now = w->wakings;
    pthread_mutex_unlock(&w->mutex);
    return now;
}

static void wake_all(struct work *w)
{
    pthread_mutex_lock(&w->mutex);
    w->wakings++;
    pthread_cond_broadcast(&w->wake);
    pthread_mutex_unlock(&w->mutex);
}

static void start_waking(struct work *w)
{
    pthread_condattr_t monotonic;
    pthread_mutex_init(&w->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

/* Sleeps until something happened since `seen`; after a failed claim for a second at most. */
static void sleep_until_woken(struct work *w, unsigned long seen, bool failed)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += 1;
    pthread_mutex_lock(&w->mutex);
    while (w->wakings == seen && !atomic_load(&w->stopping)) {
        if (!failed)
            pthread_cond_wait(&w->wake, &w->mutex);
        else if (pthread_cond_timedwait(&w->wake, &w->mutex, &until) != 0)
            break;
    }
    pthread_mutex_unlock(&w->mutex);
}

static void *run_worker(void *context)
{
    struct thread_of_work *t = context;
    struct work *w = t->work;
    cores_give_way(); /* requests are answered first */
    while (!atomic_load(&w->stopping)) {
        unsigned long seen = wakings_now(w);
        struct store_job job = {0};
        struct error err = {0};
        bool found = false;
        err_code code = store_job_claim(w->config.store, w->config.limits->memory_bytes, &job, &found, &err);
        if (code != ERR_ok)
            log_write(LOG_ERROR, "no job could be claimed: %s", err.detail ? err.detail : err_title(code));
        if (code == ERR_ok && found) {
            worker_train(&t->worker, &job);
            wake_all(w); /* what waits for memory may fit now */
        } else {
            sleep_until_woken(w, seen, code != ERR_ok);
        }
        store_job_clear(&job);
        error_clear(&err);
    }
    return NULL;
}

err_code work_start(const struct work_config *config, struct work **ret, struct error *err)
{
    struct work *w = calloc(1, sizeof *w + (size_t)config->workers * sizeof w->threads[0]);
    if (!w)
        return error_set(err, ERR_out_of_memory, NULL);
    w->config = *config;
    start_waking(w);
    err_code code = board_new(config->workers, &w->board, err);
    if (code == ERR_ok)
        code = deaths_watch(store_deaths(config->store), config->workers, err);
    for (int i = 0; code == ERR_ok && i < config->workers; i++) {
        struct thread_of_work *t = &w->threads[i];
        *t = (struct thread_of_work){
            .work = w, .worker = {.config = &w->config, .board = w->board, .place = i, .stopping = &w->stopping}};
        if (pthread_create(&t->thread, NULL, run_worker, t) != 0)
            code = error_set(err, ERR_out_of_memory, "a worker's thread could not be started");
        else
            w->worker_count++;
    }
    if (code != ERR_ok) {
        work_stop(w);
        return code;
    }
    *ret = w;
    return ERR_ok;
}

void work_stop(struct work *w)
{
    if (!w)
        return;
    atomic_store(&w->stopping, true);
    if (w->board)
        board_stop_all(w->board);
    wake_all(w);
    for (int i = 0; i < w->worker_count; i++)
        pthread_join(w->threads[i].thread, NULL);
    deaths_unwatch();
    board_free(w->board);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->mutex);
    free(w);
}

void work_wake(struct work *w)
{
    wake_all(w);
}

enum { LET_GO_MILLISECONDS = 10000 }; /* for a worker to stop and to write a checkpoint */

/* A worker that still has a paused job in hands may write its checkpoint as long as the row is paused. */
static err_code await_checkpoint(struct work *w, const char *id, struct error *err)
{
    struct store_job job = {0};
    err_code code = store_job_get(w->config.store, id, &job, err);
    if (code == ERR_ok && job.state == JOB_PAUSED)
        board_await(w->board, id, LET_GO_MILLISECONDS);
    store_job_clear(&job);
    return code;
}

err_code work_act(struct work *w, const char *id, enum job_action action, struct store_job *ret, struct error *err)
{
    err_code code = action == JOB_RESUME ? await_checkpoint(w, id, err) : ERR_ok;
    if (code == ERR_ok)
        code = store_job_act(w->config.store, id, action, ret, err);
    if (code == ERR_ok && action == JOB_RESUME)
        wake_all(w);
    else if (code == ERR_ok)
        board_stop(w->board, id, ret->attempts);
    return code;
}

bool work_board(struct work *w, const char *id, int64_t attempt, struct job_progress *ret)
{
    return board_read(w->board, id, attempt, ret);
}

const struct work_config *work_config_of(const struct work *w)
{
    return &w->config;
}
