#include "api/feed.h"

#include "api/jobs.h"
#include "base/clock.h"
#include "base/log.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PAGE = 64, TICK_MS = 250, RETRY_MS = 200 };

struct event {
    char job[UUID_TEXT_MAX];
    int64_t number;
    bool is_last; /* its job is finished */
    char *text;   /* owned */
    size_t size;
};

struct feed {
    const struct app *app;
    pthread_t thread;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t wanted;
    bool changed, ending, stopping;
    struct event events[FEED_EVENTS]; /* a ring: event i stands in events[i % FEED_EVENTS] */
    uint64_t count;                   /* of all events so far */
    int64_t head, lost;               /* numbers: of the last change, and of the newest event that is gone */
    struct sleeper *sleepers;
};

void feed_write(const struct job_change *change, struct text *to)
{
    struct json j = {.text = to};
    text_printf(to, "id: %lld\nevent: %s\ndata: ", (long long)change->number, change->of_state ? "state" : "progress");
    job_json(&j, &change->job);
    text_puts(to, "\n\n");
}

/* ---- sleepers; all under the mutex ---- */

static void link_sleeper(struct feed *f, struct sleeper *s)
{
    s->next = f->sleepers;
    s->back = &f->sleepers;
    if (s->next != NULL)
        s->next->back = &s->next;
    f->sleepers = s;
}

/* Moves a sleeper to the list of those who are to be woken. */
static void rouse(struct sleeper *s, struct sleeper **woken)
{
    *s->back = s->next;
    if (s->next != NULL)
        s->next->back = s->back;
    s->next = *woken;
    *woken = s;
}

/* Without the mutex: whoever is woken may sleep again at once. */
static void wake_all(struct sleeper *woken)
{
    while (woken != NULL) {
        struct sleeper *next = woken->next;
        woken->wake(woken);
        woken = next;
    }
}

static bool concerns(const char *whom, const struct event *e)
{
    return whom[0] == '\0' || strcmp(whom, e->job) == 0;
}

static void tell_sleepers(struct feed *f, const struct event *e, struct sleeper **woken)
{
    for (struct sleeper *s = f->sleepers, *next; s != NULL; s = next) {
        next = s->next;
        if (e->number <= s->seen)
            continue;
        if (concerns(s->job, e))
            rouse(s, woken);
        else
            s->seen = e->number;
    }
}

static void rouse_due(struct feed *f, struct sleeper **woken)
{
    const int64_t now = clock_monotonic();
    for (struct sleeper *s = f->sleepers, *next; s != NULL; s = next) {
        next = s->next;
        if (f->ending || s->due <= now || atomic_load_explicit(s->cancel, memory_order_relaxed))
            rouse(s, woken);
    }
}

/* ---- events ---- */

static void keep_event(struct feed *f, const struct event *e)
{
    struct event *place = &f->events[f->count % FEED_EVENTS];
    if (f->count >= FEED_EVENTS)
        f->lost = place->number;
    free(place->text);
    *place = *e;
    f->count++;
}

/* A change without memory for its text still wakes: those who wait look at the job themselves; streams are behind. */
static void take_change(struct feed *f, const struct job_change *change)
{
    struct text text = {0};
    struct sleeper *woken = NULL;
    struct event e = {.number = change->number, .is_last = job_state_finished(change->job.state)};
    strncpy(e.job, change->job.id, sizeof e.job - 1);
    feed_write(change, &text);
    e.size = text.length;
    e.text = text_take(&text);
    pthread_mutex_lock(&f->mutex);
    f->head = e.number;
    if (e.text != NULL)
        keep_event(f, &e);
    else
        f->lost = e.number;
    tell_sleepers(f, &e, &woken);
    pthread_mutex_unlock(&f->mutex);
    wake_all(woken);
}

/* Takes all that has changed since the last time. False: the store could not be read. */
static bool take_changes(struct feed *f)
{
    const struct change_filter all = {0};
    size_t count = PAGE;
    while (count == PAGE) {
        struct job_change *list = NULL;
        if (store_job_changes(f->app->store, &all, f->head, PAGE, &list, &count, NULL) != ERR_ok)
            return false;
        for (size_t i = 0; i < count; i++)
            take_change(f, &list[i]);
        store_job_change_list_free(list, count);
    }
    return true;
}

/* ---- the thread ---- */

static void wait_some(struct feed *f, int64_t milliseconds)
{
    const int64_t end = clock_monotonic() + milliseconds * 1000000;
    const struct timespec until = {.tv_sec = (time_t)(end / 1000000000), .tv_nsec = (long)(end % 1000000000)};
    (void)pthread_cond_timedwait(&f->wanted, &f->mutex, &until);
}

static void *feed_run(void *context)
{
    struct feed *f = context;
    bool again = false;
    for (;;) {
        struct sleeper *woken = NULL;
        pthread_mutex_lock(&f->mutex);
        if (again)
            wait_some(f, RETRY_MS);
        else if (!f->changed && !f->stopping && f->sleepers != NULL)
            wait_some(f, TICK_MS);
        while (!f->changed && !f->stopping && f->sleepers == NULL)
            pthread_cond_wait(&f->wanted, &f->mutex);
        const bool changed = f->changed, stopping = f->stopping;
        f->changed = false;
        rouse_due(f, &woken);
        pthread_mutex_unlock(&f->mutex);
        wake_all(woken);
        if (stopping)
            return NULL;
        again = (changed || again) && !take_changes(f);
    }
}

/* The store's listener. */
static void hear(void *context)
{
    struct feed *f = context;
    pthread_mutex_lock(&f->mutex);
    f->changed = true;
    pthread_cond_signal(&f->wanted);
    pthread_mutex_unlock(&f->mutex);
}

static void release(struct feed *f)
{
    for (size_t i = 0; i < FEED_EVENTS; i++)
        free(f->events[i].text);
    pthread_cond_destroy(&f->wanted);
    pthread_mutex_destroy(&f->mutex);
    free(f);
}

err_code feed_new(const struct app *app, struct feed **ret, struct error *err)
{
    struct feed *f = calloc(1, sizeof *f);
    if (f == NULL)
        return error_set(err, ERR_out_of_memory, "there is no memory for the feed of changes");
    f->app = app;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&f->mutex, NULL);
    pthread_cond_init(&f->wanted, &attributes);
    pthread_condattr_destroy(&attributes);
    err_code code = store_job_last_change(app->store, &f->head, err);
    f->lost = f->head;
    if (code == ERR_ok && pthread_create(&f->thread, NULL, feed_run, f) != 0)
        code = error_set(err, ERR_out_of_memory, "the feed's thread can't be started");
    if (code != ERR_ok) {
        release(f);
        return code;
    }
    store_on_job_change(app->store, hear, f);
    hear(f); /* what changed meanwhile */
    *ret = f;
    return ERR_ok;
}

void feed_end(struct feed *f)
{
    if (f == NULL)
        return;
    struct sleeper *woken = NULL;
    pthread_mutex_lock(&f->mutex);
    f->ending = true;
    rouse_due(f, &woken);
    pthread_mutex_unlock(&f->mutex);
    wake_all(woken);
}

void feed_free(struct feed *f)
{
    if (f == NULL)
        return;
    store_on_job_change(f->app->store, NULL, NULL);
    pthread_mutex_lock(&f->mutex);
    f->stopping = true;
    pthread_cond_signal(&f->wanted);
    pthread_mutex_unlock(&f->mutex);
    pthread_join(f->thread, NULL);
    release(f);
}

/* ---- for everyone ---- */

bool feed_ended(struct feed *f)
{
    pthread_mutex_lock(&f->mutex);
    const bool ending = f->ending;
    pthread_mutex_unlock(&f->mutex);
    return ending;
}

int64_t feed_head(struct feed *f)
{
    pthread_mutex_lock(&f->mutex);
    const int64_t head = f->head;
    pthread_mutex_unlock(&f->mutex);
    return head;
}

/* The first event after `seen` that concerns the job, from the oldest that is kept; NULL: none. */
static const struct event *event_after(const struct feed *f, const char *job, int64_t seen)
{
    uint64_t low = f->count > FEED_EVENTS ? f->count - FEED_EVENTS : 0, high = f->count;
    while (low < high) { /* numbers rise */
        const uint64_t middle = low + (high - low) / 2;
        if (f->events[middle % FEED_EVENTS].number > seen)
            high = middle;
        else
            low = middle + 1;
    }
    for (; low < f->count; low++)
        if (concerns(job, &f->events[low % FEED_EVENTS]))
            return &f->events[low % FEED_EVENTS];
    return NULL;
}

void feed_sleep(struct feed *f, struct sleeper *s)
{
    pthread_mutex_lock(&f->mutex);
    const bool awake = f->ending || s->seen < f->lost || event_after(f, s->job, s->seen) != NULL;
    if (!awake) {
        if (f->sleepers == NULL)
            pthread_cond_signal(&f->wanted);
        link_sleeper(f, s);
        s->seen = f->head > s->seen ? f->head : s->seen;
    }
    pthread_mutex_unlock(&f->mutex);
    if (awake)
        s->wake(s);
}

ssize_t feed_read(struct feed *f, struct feed_place *place, char *to, size_t size)
{
    ssize_t done = 0;
    pthread_mutex_lock(&f->mutex);
    if (place->seen < f->lost)
        done = FEED_LOST;
    while (done >= 0 && (size_t)done < size && !place->last) {
        const struct event *e = event_after(f, place->job, place->seen);
        if (e == NULL)
            break;
        const size_t left = e->size - place->offset, room = size - (size_t)done, part = left < room ? left : room;
        memcpy(to + done, e->text + place->offset, part);
        done += (ssize_t)part;
        place->offset += part;
        if (place->offset == e->size) {
            place->seen = e->number;
            place->offset = 0;
            place->last = e->is_last && place->job[0] != '\0';
        }
    }
    pthread_mutex_unlock(&f->mutex);
    return done;
}
