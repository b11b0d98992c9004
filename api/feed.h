/* The feed: what happens to jobs, for those who wait for it.
 *
 * One thread hears of every commit that changed a job, reads the changes in their order, and writes each once as a
 * Server-Sent Event; the last FEED_EVENTS of them are kept for all streams together. Who has nothing to do sleeps here,
 * and is woken by a change, at its time, or when its client has left. All calls may be made from any thread. */
#ifndef GRADD_API_FEED_H
#define GRADD_API_FEED_H

#include "api/app.h"
#include "base/text.h"
#include "base/uuid.h"
#include <stdatomic.h>
#include <sys/types.h>

enum { FEED_EVENTS = 1024 };

struct exchange;
struct feed;

/* app must outlive it. */
err_code feed_new(const struct app *app, struct feed **ret, struct error *err);
/* Wakes all who sleep, and from now on everyone at once. NULL is fine. */
void feed_end(struct feed *f);
bool feed_ended(struct feed *f);
void feed_free(struct feed *f); /* when nobody sleeps any more; NULL is fine */

/* The number of the last change that the feed has. */
int64_t feed_head(struct feed *f);

/* Appends a change as a Server-Sent Event. */
void feed_write(const struct job_change *change, struct text *to);

/* One who sleeps. It belongs to the feed from feed_sleep() until wake() is called, once, on any thread. While it
 * sleeps, `seen` follows the changes that it need not see. */
struct sleeper {
    char job[UUID_TEXT_MAX]; /* "": any */
    int64_t seen;            /* a change with a higher number wakes it */
    int64_t due;             /* clock_monotonic; it is woken then at the latest */
    const atomic_bool *cancel;
    void (*wake)(struct sleeper *s);
    struct exchange *exchange;    /* of whoever wakes */
    struct sleeper *next, **back; /* the feed's */
};
void feed_sleep(struct feed *f, struct sleeper *s);

/* Where a stream has come to. */
struct feed_place {
    char job[UUID_TEXT_MAX]; /* "": all */
    int64_t seen;            /* every event up to this number was read */
    size_t offset;           /* bytes of the next one that were read */
    bool last;               /* the last event that was read told the end of its job */
};
enum { FEED_LOST = -1 };
/* Copies at most `size` bytes of the events that follow; 0: there are none yet. FEED_LOST: the reader was so slow that
 * they are gone. Stops behind the event that tells the end of the one job. */
ssize_t feed_read(struct feed *f, struct feed_place *place, char *to, size_t size);

#endif
