/* GET /v1/jobs/{id}/events and /v1/events: jobs as Server-Sent Events (WHATWG HTML, 9.2).
 *
 * A stream begins with what the store says of the jobs, up to the change that the feed has come to, and goes on with
 * the feed's events. Who comes back with Last-Event-ID is told what has changed since. */
#include "api/body.h"
#include "api/routes.h"
#include "base/clock.h"
#include "base/number.h"
#include <stdlib.h>
#include <string.h>

enum { PAGE = 32, BLOCK = 4096 };
static const int64_t HEARTBEAT = 15 * (int64_t)1000000000;

struct event_stream {
    struct body_source source;
    const struct app *app;
    struct text text; /* that is sent before the feed is asked */
    size_t sent;      /* bytes of it */
    bool listing;     /* the store has more pages */
    struct change_filter filter;
    int64_t listed, until; /* changes after the one are listed up to the other */
    struct feed_place place;
    int64_t beat; /* when the next comment is due */
};

static void stream_free(struct body_source *source)
{
    struct event_stream *s = (struct event_stream *)source;
    text_clear(&s->text);
    free(s);
}

static ssize_t send_text(struct event_stream *s, char *to, size_t size)
{
    const size_t left = s->text.length - s->sent, part = left < size ? left : size;
    memcpy(to, s->text.data + s->sent, part);
    s->sent += part;
    if (s->sent == s->text.length) {
        text_clear(&s->text);
        s->sent = 0;
    }
    return (ssize_t)part;
}

/* The next page of the store's changes becomes text. */
static bool list_page(struct event_stream *s)
{
    struct job_change *list = NULL;
    size_t count = 0;
    if (store_job_changes(s->app->store, &s->filter, s->listed, PAGE, &list, &count, NULL) != ERR_ok)
        return false;
    size_t known = 0;
    while (known < count && list[known].number <= s->until) {
        feed_write(&list[known], &s->text);
        s->listed = list[known++].number;
    }
    s->listing = known == PAGE; /* of what comes later the feed tells */
    store_job_change_list_free(list, count);
    return !s->text.failed;
}

/* Nothing for a while: a comment shows both ends that the connection is alive. */
static ssize_t rest(struct event_stream *s, char *to, size_t size)
{
    const int64_t now = clock_monotonic();
    if (now < s->beat) {
        s->source.sleeper.seen = s->place.seen;
        s->source.sleeper.due = s->beat;
        return 0;
    }
    s->beat = now + HEARTBEAT;
    text_puts(&s->text, ":\n\n");
    return s->text.failed ? BODY_BROKEN : send_text(s, to, size);
}

static ssize_t stream_read(struct body_source *source, char *to, size_t size)
{
    struct event_stream *s = (struct event_stream *)source;
    if (s->source.sleeper.seen > s->place.seen)
        s->place.seen = s->source.sleeper.seen;
    while (s->text.length == 0 && s->listing)
        if (!list_page(s))
            return BODY_BROKEN;
    if (s->text.length > 0)
        return send_text(s, to, size);
    if (s->place.last || feed_ended(s->app->feed))
        return BODY_END;
    const ssize_t part = feed_read(s->app->feed, &s->place, to, size);
    if (part == FEED_LOST)
        return BODY_BROKEN;
    if (part == 0)
        return rest(s, to, size);
    s->beat = clock_monotonic() + HEARTBEAT;
    return part;
}

static struct event_stream *stream_new(const struct app *app)
{
    struct event_stream *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->source = (struct body_source){.read = stream_read, .free = stream_free, .block = BLOCK};
    s->app = app;
    s->until = s->place.seen = feed_head(app->feed);
    s->beat = clock_monotonic() + HEARTBEAT;
    return s;
}

/* The number of the last event that the client has seen; 0: of none, or of none that there can have been. */
static int64_t last_event(const struct request *r)
{
    const char *text = request_header(r, "Last-Event-ID");
    uint64_t number;
    int64_t last = 0;
    if (text == NULL || !number_whole(text, INT64_MAX, &number) ||
        store_job_last_change(r->app->store, &last, NULL) != ERR_ok || (int64_t)number > last)
        return 0;
    return (int64_t)number;
}

static enum handled answer(struct reply *ret, struct event_stream *s)
{
    ret->status = 200;
    ret->content_type = "text/event-stream";
    ret->source = &s->source;
    reply_header(ret, "Cache-Control", "no-store");
    return HANDLED;
}

static enum handled no_memory(struct request *r, struct reply *ret)
{
    struct error err = {0};
    error_set(&err, ERR_out_of_memory, "there is no memory for a stream of events");
    reply_problem(ret, r, &err);
    return HANDLED;
}

enum handled events_get(struct request *r, struct reply *ret)
{
    struct event_stream *s = stream_new(r->app);
    if (s == NULL)
        return no_memory(r, ret);
    s->listing = true;
    s->listed = last_event(r);
    s->filter.unfinished = s->listed == 0;
    return answer(ret, s);
}

/* The one job's state as it is, where the client has not seen it; nothing is left to tell of a job whose end it has
 * seen: 204 keeps an EventSource from coming back. */
static err_code begin(struct event_stream *s, struct request *r, bool *ret_over, struct error *err)
{
    const struct change_filter filter = {.job = r->arguments[0]};
    const int64_t after = last_event(r);
    struct job_change *list = NULL;
    struct store_job job = {0};
    size_t count = 0;
    err_code code = store_job_get(r->app->store, r->arguments[0], &job, err);
    if (code == ERR_ok)
        code = store_job_changes(r->app->store, &filter, after, 1, &list, &count, err);
    if (code == ERR_ok && count > 0) {
        feed_write(&list[0], &s->text);
        s->place.seen = list[0].number > s->place.seen ? list[0].number : s->place.seen;
        s->place.last = job_state_finished(list[0].job.state);
    }
    *ret_over = count == 0 && job_state_finished(job.state);
    strncpy(s->place.job, r->arguments[0], sizeof s->place.job - 1);
    strncpy(s->source.sleeper.job, r->arguments[0], sizeof s->source.sleeper.job - 1);
    store_job_change_list_free(list, count);
    store_job_clear(&job);
    return code;
}

enum handled job_events(struct request *r, struct reply *ret)
{
    struct error err = {0};
    bool over = false;
    struct event_stream *s = stream_new(r->app);
    if (s == NULL)
        return no_memory(r, ret);
    if (begin(s, r, &over, &err) != ERR_ok) {
        reply_problem(ret, r, &err);
    } else if (over) {
        ret->status = 204;
    } else {
        return answer(ret, s);
    }
    stream_free(&s->source);
    return HANDLED;
}
