#include "query/pool.h"
#include "base/clock.h"
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

/* One mutex guards everything. Tasks that wait or run stand in one list, in the order of their coming; a watchdog
 * sleeps until the nearest deadline. */
struct task {
    struct task *next;
    pool_task *call;
    void *context;
    atomic_bool *cancel;
    int64_t deadline; /* clock_monotonic; INT64_MAX: none */
    bool running;
};

struct pool {
    pthread_mutex_t mutex;
    pthread_cond_t work;  /* a task has come, or the pool ends */
    pthread_cond_t watch; /* a nearer deadline has come, or the pool ends */
    struct task *first, **last;
    size_t waiting, queue_max;
    bool ending;
    pthread_t watchdog;
    bool has_watchdog;
    int thread_count;
    pthread_t threads[];
};

static struct task *next_waiting(struct pool *p)
{
    struct task *t = p->first;
    while (t && t->running) {
        t = t->next;
    }
    return t;
}

static void remove_task(struct pool *p, const struct task *t)
{
    struct task **at = &p->first;
    while (*at != t) {
        at = &(*at)->next;
    }
    *at = t->next;
    if (!*at) {
        p->last = at;
    }
}

static void *work(void *context)
{
    struct pool *p = context;
    pthread_mutex_lock(&p->mutex);
    for (;;) {
        struct task *t = next_waiting(p);
        if (!t) {
            if (p->ending) {
                break;
            }
            pthread_cond_wait(&p->work, &p->mutex);
            continue;
        }
        t->running = true;
        p->waiting--;
        pthread_mutex_unlock(&p->mutex);
        t->call(t->context);
        pthread_mutex_lock(&p->mutex);
        remove_task(p, t);
        free(t);
    }
    pthread_mutex_unlock(&p->mutex);
    return NULL;
}

/* Sets the flags of tasks whose deadline has passed; returns the nearest of the others. */
static int64_t cancel_late(struct pool *p, int64_t now)
{
    int64_t nearest = INT64_MAX;
    for (struct task *t = p->first; t; t = t->next) {
        if (t->deadline <= now) {
            atomic_store(t->cancel, true);
            t->deadline = INT64_MAX;
        } else if (t->deadline < nearest) {
            nearest = t->deadline;
        }
    }
    return nearest;
}

static void *watch(void *context)
{
    struct pool *p = context;
    pthread_mutex_lock(&p->mutex);
    while (!p->ending) {
        int64_t nearest = cancel_late(p, clock_monotonic());
        if (nearest == INT64_MAX) {
            pthread_cond_wait(&p->watch, &p->mutex);
        } else {
            struct timespec until = {.tv_sec = nearest / 1000000000, .tv_nsec = nearest % 1000000000};
            pthread_cond_timedwait(&p->watch, &p->mutex, &until);
        }
    }
    pthread_mutex_unlock(&p->mutex);
    return NULL;
}

static void condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

err_code pool_new(int threads, size_t queue_max, struct pool **ret, struct error *err)
{
    struct pool *p = calloc(1, sizeof *p + (size_t)threads * sizeof p->threads[0]);
    if (!p) {
        return error_set(err, ERR_out_of_memory, NULL);
    }
    pthread_mutex_init(&p->mutex, NULL);
    condition_init(&p->work);
    condition_init(&p->watch);
    p->last = &p->first;
    p->queue_max = queue_max;
    p->has_watchdog = pthread_create(&p->watchdog, NULL, watch, p) == 0;
    while (p->has_watchdog && p->thread_count < threads &&
           pthread_create(&p->threads[p->thread_count], NULL, work, p) == 0) {
        p->thread_count++;
    }
    if (p->thread_count < threads) {
        pool_free(p);
        return error_set(err, ERR_out_of_memory, "a thread of the compute pool could not be started");
    }
    *ret = p;
    return ERR_ok;
}

void pool_free(struct pool *p)
{
    if (!p) {
        return;
    }
    pthread_mutex_lock(&p->mutex);
    p->ending = true;
    for (struct task *t = p->first; t; t = t->next) {
        if (t->cancel) {
            atomic_store(t->cancel, true);
        }
    }
    pthread_cond_broadcast(&p->work);
    pthread_cond_broadcast(&p->watch);
    pthread_mutex_unlock(&p->mutex);
    for (int i = 0; i < p->thread_count; i++) {
        pthread_join(p->threads[i], NULL);
    }
    if (p->has_watchdog) {
        pthread_join(p->watchdog, NULL);
    }
    pthread_cond_destroy(&p->work);
    pthread_cond_destroy(&p->watch);
    pthread_mutex_destroy(&p->mutex);
    free(p);
}

/* Takes the task over, unless it is refused. */
static err_code enqueue(struct pool *p, struct task *t)
{
    err_code refused = ERR_ok;
    pthread_mutex_lock(&p->mutex);
    if (p->ending) {
        refused = ERR_stopping;
    } else if (p->waiting >= p->queue_max) {
        refused = ERR_too_busy;
    } else {
        *p->last = t;
        p->last = &t->next;
        p->waiting++;
        pthread_cond_signal(&p->work);
        if (t->deadline != INT64_MAX) {
            pthread_cond_signal(&p->watch);
        }
    }
    pthread_mutex_unlock(&p->mutex);
    return refused;
}

err_code pool_submit(struct pool *p, pool_task *task, void *context, atomic_bool *cancel, int64_t seconds,
                     struct error *err)
{
    struct task *t = calloc(1, sizeof *t);
    if (!t) {
        return error_set(err, ERR_out_of_memory, NULL);
    }
    t->call = task;
    t->context = context;
    t->cancel = cancel;
    t->deadline = cancel && seconds > 0 ? clock_monotonic() + seconds * 1000000000 : INT64_MAX;
    err_code code = enqueue(p, t);
    if (code != ERR_ok) {
        free(t);
    }
    if (code == ERR_stopping) {
        return error_set(err, code, "the server is stopping");
    }
    if (code == ERR_too_busy) {
        return error_set(err, code, "%zu requests wait for the compute pool already", p->queue_max);
    }
    return code;
}
