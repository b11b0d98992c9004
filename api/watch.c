#include "api/watch.h"

#include "base/clock.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS_MAX = 64, TICK_MS = 50 };
static const int64_t LEFT_GRACE = 500 * (int64_t)1000000;
static const int64_t LINGER_TIME = 10 * (int64_t)1000000000;
static const uint64_t WAKE = UINT64_MAX;

struct slot {
    int fd;              /* -1: free */
    uint32_t generation; /* tells an event of an earlier use */
    atomic_bool *cancel; /* NULL: lingers */
    int64_t due;         /* when to cancel or to close; 0: nothing is due */
};

struct watch {
    pthread_mutex_t mutex;
    pthread_t thread;
    int epoll, wake;
    struct slot *slots; /* owned */
    size_t slot_count;
    bool ending, cancelling;
};

static uint64_t key_of(const struct watch *w, size_t slot)
{
    return (uint64_t)slot << 32 | w->slots[slot].generation;
}

/* A free slot, already filled; WATCH_NONE if there is no memory or the socket can't be watched. */
static size_t take_slot(struct watch *w, int fd, uint32_t events, atomic_bool *cancel, int64_t due)
{
    size_t i = 0;
    while (i < w->slot_count && w->slots[i].fd >= 0)
        i++;
    if (i == w->slot_count) {
        size_t count = w->slot_count > 0 ? 2 * w->slot_count : 64;
        struct slot *slots = realloc(w->slots, count * sizeof *slots);
        if (slots == NULL)
            return WATCH_NONE;
        for (size_t k = w->slot_count; k < count; k++)
            slots[k] = (struct slot){.fd = -1};
        w->slots = slots;
        w->slot_count = count;
    }
    struct slot *s = &w->slots[i];
    *s = (struct slot){.fd = fd, .generation = s->generation + 1, .cancel = cancel, .due = due};
    struct epoll_event event = {.events = events, .data.u64 = key_of(w, i)};
    if (epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        s->fd = -1;
        return WATCH_NONE;
    }
    return i;
}

static void free_slot(struct watch *w, size_t slot)
{
    epoll_ctl(w->epoll, EPOLL_CTL_DEL, w->slots[slot].fd, NULL);
    w->slots[slot].fd = -1;
}

static void end_linger(struct watch *w, size_t slot)
{
    int fd = w->slots[slot].fd;
    free_slot(w, slot);
    close(fd);
}

/* One read an event: a fast sender does not hold up the others. */
static void drop_bytes(struct watch *w, size_t slot)
{
    char bytes[65536];
    if (recv(w->slots[slot].fd, bytes, sizeof bytes, MSG_DONTWAIT) <= 0)
        end_linger(w, slot);
}

static void handle_event(struct watch *w, const struct epoll_event *event)
{
    size_t i = event->data.u64 >> 32;
    if (i >= w->slot_count || w->slots[i].fd < 0 || key_of(w, i) != event->data.u64)
        return;
    struct slot *s = &w->slots[i];
    if (s->cancel == NULL) {
        drop_bytes(w, i);
        return;
    }
    /* Half-closed: once is enough to know. Reset: nobody reads any more. */
    epoll_ctl(w->epoll, EPOLL_CTL_MOD, s->fd, &(struct epoll_event){.events = 0, .data.u64 = event->data.u64});
    if (event->events & (EPOLLERR | EPOLLHUP)) {
        atomic_store(s->cancel, true);
        s->due = 0;
        epoll_ctl(w->epoll, EPOLL_CTL_DEL, s->fd, NULL);
    } else if (s->due == 0) {
        s->due = clock_monotonic() + LEFT_GRACE;
    }
}

/* Does what is due; returns whether more will be. */
static bool handle_due(struct watch *w)
{
    bool more = false;
    int64_t now = clock_monotonic();
    for (size_t i = 0; i < w->slot_count; i++) {
        struct slot *s = &w->slots[i];
        if (s->fd < 0 || s->due == 0)
            continue;
        if (s->due > now) {
            more = true;
        } else if (s->cancel == NULL) {
            end_linger(w, i);
        } else {
            atomic_store(s->cancel, true);
            s->due = 0;
        }
    }
    return more;
}

static void *watch_run(void *context)
{
    struct watch *w = context;
    bool more = false;
    for (;;) {
        struct epoll_event events[EVENTS_MAX];
        int count = epoll_wait(w->epoll, events, EVENTS_MAX, more ? TICK_MS : -1);
        pthread_mutex_lock(&w->mutex);
        bool ending = w->ending;
        for (int i = 0; i < count; i++) {
            uint64_t told;
            if (events[i].data.u64 != WAKE)
                handle_event(w, &events[i]);
            else if (read(w->wake, &told, sizeof told) < 0)
                continue;
        }
        more = handle_due(w);
        pthread_mutex_unlock(&w->mutex);
        if (ending)
            return NULL;
    }
}

static void wake(struct watch *w)
{
    uint64_t one = 1;
    ssize_t written = write(w->wake, &one, sizeof one);
    (void)written; /* fails only when the thread has 2^64 - 2 wakes to read */
}

err_code watch_new(struct watch **ret, struct error *err)
{
    struct watch *w = calloc(1, sizeof *w);
    if (w == NULL)
        return error_set(err, ERR_out_of_memory, "there is no memory to watch connections");
    w->epoll = epoll_create1(EPOLL_CLOEXEC);
    w->wake = eventfd(0, EFD_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = WAKE};
    bool ready = w->epoll >= 0 && w->wake >= 0 && epoll_ctl(w->epoll, EPOLL_CTL_ADD, w->wake, &event) == 0;
    if (ready && pthread_mutex_init(&w->mutex, NULL) == 0) {
        if (pthread_create(&w->thread, NULL, watch_run, w) == 0) {
            *ret = w;
            return ERR_ok;
        }
        pthread_mutex_destroy(&w->mutex);
    }
    if (w->epoll >= 0)
        close(w->epoll);
    if (w->wake >= 0)
        close(w->wake);
    free(w);
    return error_set(err, ERR_internal, "connections can't be watched: no more files or threads");
}

void watch_free(struct watch *w)
{
    if (w == NULL)
        return;
    pthread_mutex_lock(&w->mutex);
    w->ending = true;
    pthread_mutex_unlock(&w->mutex);
    wake(w);
    pthread_join(w->thread, NULL);
    for (size_t i = 0; i < w->slot_count; i++)
        if (w->slots[i].fd >= 0 && w->slots[i].cancel == NULL)
            end_linger(w, i);
    close(w->epoll);
    close(w->wake);
    pthread_mutex_destroy(&w->mutex);
    free(w->slots);
    free(w);
}

size_t watch_add(struct watch *w, int fd, atomic_bool *cancel)
{
    pthread_mutex_lock(&w->mutex);
    size_t slot = take_slot(w, fd, EPOLLRDHUP, cancel, 0);
    if (w->cancelling)
        atomic_store(cancel, true);
    pthread_mutex_unlock(&w->mutex);
    return slot;
}

void watch_remove(struct watch *w, size_t slot)
{
    if (slot == WATCH_NONE)
        return;
    pthread_mutex_lock(&w->mutex);
    free_slot(w, slot);
    pthread_mutex_unlock(&w->mutex);
}

void watch_cancel_all(struct watch *w)
{
    pthread_mutex_lock(&w->mutex);
    w->cancelling = true;
    for (size_t i = 0; i < w->slot_count; i++)
        if (w->slots[i].fd >= 0 && w->slots[i].cancel != NULL)
            atomic_store(w->slots[i].cancel, true);
    pthread_mutex_unlock(&w->mutex);
}

void watch_linger(struct watch *w, int fd)
{
    pthread_mutex_lock(&w->mutex);
    size_t slot = w->ending ? WATCH_NONE : take_slot(w, fd, EPOLLIN, NULL, clock_monotonic() + LINGER_TIME);
    pthread_mutex_unlock(&w->mutex);
    if (slot == WATCH_NONE)
        close(fd);
    else
        wake(w);
}
