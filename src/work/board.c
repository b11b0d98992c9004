#include "work/board.h"
#include "base/clock.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct place_of_worker {
    char id[UUID_TEXT_MAX]; /* "": nobody */
    int64_t attempt;
    bool published;
    struct job_progress progress;
    atomic_bool stop;
};

struct board {
    pthread_mutex_t mutex;
    pthread_cond_t left; /* somebody left */
    int workers;
    struct place_of_worker places[];
};

err_code board_new(int workers, struct board **ret, struct error *err)
{
    struct board *b = calloc(1, sizeof *b + (size_t)workers * sizeof b->places[0]);
    if (!b) {
        return error_set(err, ERR_out_of_memory, NULL);
    }
    pthread_mutex_init(&b->mutex, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&b->left, &monotonic);
    pthread_condattr_destroy(&monotonic);
    b->workers = workers;
    *ret = b;
    return ERR_ok;
}

void board_free(struct board *b)
{
    if (b) {
        pthread_cond_destroy(&b->left);
        pthread_mutex_destroy(&b->mutex);
        free(b);
    }
}

const atomic_bool *board_enter(struct board *b, int worker, const char *id, int64_t attempt)
{
    struct place_of_worker *p = &b->places[worker];
    pthread_mutex_lock(&b->mutex);
    strncpy(p->id, id, sizeof p->id - 1);
    p->attempt = attempt;
    p->published = false;
    atomic_store(&p->stop, false);
    pthread_mutex_unlock(&b->mutex);
    return &p->stop;
}

void board_publish(struct board *b, int worker, const struct job_progress *progress)
{
    struct place_of_worker *p = &b->places[worker];
    pthread_mutex_lock(&b->mutex);
    p->progress = *progress;
    p->published = true;
    pthread_mutex_unlock(&b->mutex);
}

void board_leave(struct board *b, int worker)
{
    pthread_mutex_lock(&b->mutex);
    b->places[worker].id[0] = '\0';
    pthread_cond_broadcast(&b->left);
    pthread_mutex_unlock(&b->mutex);
}

bool board_read(struct board *b, const char *id, int64_t attempt, struct job_progress *ret)
{
    bool found = false;
    pthread_mutex_lock(&b->mutex);
    for (int i = 0; i < b->workers && !found; i++) {
        const struct place_of_worker *p = &b->places[i];
        found = p->published && p->attempt == attempt && strcmp(p->id, id) == 0;
        if (found) {
            *ret = p->progress;
        }
    }
    pthread_mutex_unlock(&b->mutex);
    return found;
}

void board_stop(struct board *b, const char *id, int64_t attempt)
{
    pthread_mutex_lock(&b->mutex);
    for (int i = 0; i < b->workers; i++) {
        if (b->places[i].attempt <= attempt && strcmp(b->places[i].id, id) == 0) {
            atomic_store(&b->places[i].stop, true);
        }
    }
    pthread_mutex_unlock(&b->mutex);
}

void board_stop_all(struct board *b)
{
    pthread_mutex_lock(&b->mutex);
    for (int i = 0; i < b->workers; i++) {
        atomic_store(&b->places[i].stop, true);
    }
    pthread_mutex_unlock(&b->mutex);
}

static bool is_held(const struct board *b, const char *id)
{
    for (int i = 0; i < b->workers; i++)
        if (strcmp(b->places[i].id, id) == 0)
            return true;
    return false;
}

void board_await(struct board *b, const char *id, int64_t milliseconds)
{
    const int64_t due = clock_monotonic() + milliseconds * 1000000;
    const struct timespec until = {.tv_sec = due / 1000000000, .tv_nsec = due % 1000000000};
    pthread_mutex_lock(&b->mutex);
    while (is_held(b, id) && pthread_cond_timedwait(&b->left, &b->mutex, &until) == 0)
        ;
    pthread_mutex_unlock(&b->mutex);
}
