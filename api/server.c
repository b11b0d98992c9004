/* The way of a request.
 *
 * libmicrohttpd calls target_seen() when it has read the request's line, then access_request() when it has the header,
 * again for each piece of the body, and once more when the body is complete; exchange_completed() when the answer is
 * out or the connection is lost. Between the header and the end of the body no answer can be queued, so what the door
 * refuses is answered at once (when a client still waits to send its body, or would send much), or after the body
 * was drained.
 *
 * Work that may take long is handed to the compute pool: stage POOL, connection suspended. Whoever has the exchange
 * then is the task, and it alone resumes; exchange_completed() can't come before. A stream is handed on piece by piece
 * in the same way: a piece that does not fit any more stays with the library until the exchange is back. */
#include "api/server.h"

#include "api/body.h"
#include "api/door.h"
#include "api/listen.h"
#include "api/problem.h"
#include "api/server_threads.h"
#include "base/clock.h"
#include <microhttpd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    PIECE_SIZE = 1 << 20,         /* of a streamed body */
    INLINE_BODY_MAX = 64 << 10,   /* longer bodies are read on the pool */
    DRAIN_AT_DOOR_MAX = 64 << 10, /* longer bodies are not waited for when the door refuses */
    BODY_FIRST_ROOM = 16 << 10,
    STOP_WORK_MS = 1200, /* for work on the pool to end */
    STOP_REPLY_MS = 250, /* for answers to go out */
};
static const int64_t DRAIN_MAX = 64 << 20; /* what is read of a body that is over its limit */

struct server {
    const struct app *app;
    struct threads *threads;
    struct watch *watch;
    struct text url;
    int listen_fd;
    atomic_bool stopping;
    atomic_int_least64_t body_bytes; /* room of all gathered bodies */
    int64_t body_bytes_max;
    pthread_mutex_t mutex;
    pthread_cond_t change;
    size_t pending; /* tasks on the pool; under mutex */
    size_t active;  /* exchanges; under mutex */
};

/* ---------------------------------------------------------------- replies */

/* Puts a problem in place of the reply; clears err. */
static void refuse(struct exchange *x, struct error *err)
{
    struct text headers = x->reply.headers;
    x->reply.headers = (struct text){0};
    reply_clear(&x->reply);
    x->reply.headers = headers;
    reply_problem(&x->reply, &x->request, err);
}

static void add_headers(struct MHD_Response *response, struct text *headers)
{
    char *save = NULL;
    for (char *line = headers->data != NULL ? strtok_r(headers->data, "\n", &save) : NULL; line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        char *value = strstr(line, ": ");
        if (value == NULL)
            continue;
        *value = '\0';
        MHD_add_response_header(response, line, value + 2);
    }
}

static void add_cross_origin(struct MHD_Response *response, const struct exchange *x)
{
    const char *allowed = x->request.app->config->cors_origin, *origin = request_header(&x->request, "Origin");
    if (allowed == NULL || origin == NULL)
        return;
    bool any = strcmp(allowed, "*") == 0;
    if (!any)
        MHD_add_response_header(response, "Vary", "Origin");
    if (!any && strcmp(allowed, origin) != 0)
        return;
    MHD_add_response_header(response, "Access-Control-Allow-Origin", allowed);
    MHD_add_response_header(response, "Access-Control-Expose-Headers",
                            "ETag, Link, Location, Retry-After, X-Request-Id");
}

static int socket_of(const struct exchange *x)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info != NULL ? info->connect_fd : -1;
}

static struct MHD_Response *buffer_response(struct text *text)
{
    size_t size = text->length;
    char *body = text_take(text);
    struct MHD_Response *response =
        body != NULL ? MHD_create_response_from_buffer(size, body, MHD_RESPMEM_MUST_FREE) : NULL;
    if (response == NULL)
        free(body);
    return response;
}

/* ---------------------------------------------------------------- sleep */

/* Suspends the connection until the feed wakes it. Nobody else resumes it meanwhile. */
static void sleep_in_feed(struct exchange *x, struct sleeper *sleeper, void (*wake)(struct sleeper *))
{
    if (x->watch_slot == WATCH_NONE)
        x->watch_slot = watch_add(x->server->watch, socket_of(x), &x->cancel);
    sleeper->cancel = &x->cancel;
    sleeper->exchange = x;
    sleeper->wake = wake;
    MHD_suspend_connection(x->connection);
    feed_sleep(x->request.app->feed, sleeper);
}

static void wake_handler(struct sleeper *sleeper)
{
    struct exchange *x = sleeper->exchange;
    x->stage = STAGE_AWAKE;
    MHD_resume_connection(x->connection);
}

static void wake_stream(struct sleeper *sleeper)
{
    struct exchange *x = sleeper->exchange;
    MHD_resume_connection(x->connection);
}

static ssize_t read_source(void *context, uint64_t position, char *to, size_t size)
{
    (void)position;
    struct exchange *x = context;
    struct body_source *source = x->reply.source;
    if (atomic_load(&x->cancel) && !atomic_load(&x->server->stopping))
        return MHD_CONTENT_READER_END_WITH_ERROR;
    const ssize_t part = source->read(source, to, size);
    if (part == BODY_END)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (part < 0)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (part == 0)
        sleep_in_feed(x, &source->sleeper, wake_stream);
    return part;
}

static struct MHD_Response *stream_response(struct exchange *x)
{
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, x->reply.source->block, read_source, x, NULL);
}

/* Hands the reply to the library. */
static enum MHD_Result send_reply(struct exchange *x)
{
    struct reply *r = &x->reply;
    if (r->body.failed || r->headers.failed) {
        struct error err = {0};
        error_set(&err, ERR_out_of_memory, "there is no memory for the answer");
        reply_clear(r);
        reply_problem(r, &x->request, &err);
    } else if (r->status == 0) {
        struct error err = {0};
        error_set(&err, ERR_internal, "the handler gave no answer");
        refuse(x, &err);
    }
    struct MHD_Response *response = r->source != NULL ? stream_response(x) : buffer_response(&r->body);
    if (response == NULL)
        return MHD_NO;
    MHD_add_response_header(response, "X-Request-Id", x->request.id);
    if (r->content_type != NULL)
        MHD_add_response_header(response, "Content-Type", r->content_type);
    if (x->request.route != NULL && x->request.route->answers != NULL)
        MHD_add_response_header(response, "Vary", "Accept");
    if (x->close)
        MHD_add_response_header(response, "Connection", "close");
    add_headers(response, &r->headers);
    add_cross_origin(response, x);
    enum MHD_Result queued = MHD_queue_response(x->connection, (unsigned)r->status, response);
    MHD_destroy_response(response);
    x->stage = STAGE_SENT;
    return queued;
}

/* Answers before the body was read; the connection ends with it. */
static enum MHD_Result send_early(struct exchange *x)
{
    x->close = true;
    int fd = dup(socket_of(x));
    enum MHD_Result sent = send_reply(x);
    if (fd >= 0)
        watch_linger(x->server->watch, fd);
    return sent;
}

/* ---------------------------------------------------------------- work on the pool */

/* The end of a task: the exchange goes back to its I/O thread, and is not touched any more. */
static void give_back(struct exchange *x, enum stage stage)
{
    struct server *s = x->server;
    watch_remove(s->watch, x->watch_slot);
    x->watch_slot = WATCH_NONE;
    x->stage = stage;
    MHD_resume_connection(x->connection);
    pthread_mutex_lock(&s->mutex);
    s->pending--;
    pthread_cond_broadcast(&s->change);
    pthread_mutex_unlock(&s->mutex);
}

/* Suspends the connection and gives the exchange to a task. If that can't be, it is refused, as stage `refused`. */
static enum MHD_Result hand_over(struct exchange *x, pool_task *task, int64_t seconds, enum stage refused)
{
    struct server *s = x->server;
    struct error err = {0};
    pthread_mutex_lock(&s->mutex);
    s->pending++;
    pthread_mutex_unlock(&s->mutex);
    x->stage = STAGE_POOL;
    if (x->watch_slot == WATCH_NONE)
        x->watch_slot = watch_add(s->watch, socket_of(x), &x->cancel);
    MHD_suspend_connection(x->connection);
    if (pool_submit(s->app->pool, task, x, &x->cancel, seconds, &err) != ERR_ok) {
        refuse(x, &err);
        give_back(x, refused);
    }
    return MHD_YES;
}

/* What was cancelled is told with its reason: the server stops, or the time is over (who has left reads nothing). */
static void tell_why_cancelled(struct exchange *x)
{
    struct error err = {0};
    if (!atomic_load(&x->cancel) || (x->reply.status != 503 && x->reply.status != 0))
        return;
    if (atomic_load(&x->server->stopping))
        error_set(&err, ERR_stopping, "the server is stopping");
    else
        error_set(&err, ERR_cancelled, "the request took longer than %lld seconds, which is the limit",
                  (long long)x->server->app->config->limits.query_seconds);
    reply_clear(&x->reply);
    reply_problem(&x->reply, &x->request, &err);
}

static void handle_task(void *context)
{
    struct exchange *x = context;
    x->request.on_pool = true;
    if (!atomic_load(&x->cancel))
        x->request.route->handle(&x->request, &x->reply);
    tell_why_cancelled(x);
    give_back(x, STAGE_REPLY);
}

/* A piece of a stream: begins it if it is the first, ends it if it is the last. */
static void stream_task(void *context)
{
    struct exchange *x = context;
    const struct upload_handler *uploads = x->request.route->upload;
    struct error err = {0};
    err_code code = atomic_load(&x->cancel) ? error_set(&err, ERR_cancelled, "the upload was cancelled") : ERR_ok;
    if (code == ERR_ok && x->upload == NULL)
        code = uploads->begin(&x->request, &x->upload, &err);
    if (code == ERR_ok && x->body_size > 0)
        code = uploads->feed(x->upload, x->body, x->body_size, &err);
    x->body_size = 0;
    bool last = x->upload_last;
    if (code != ERR_ok) {
        if (x->upload != NULL)
            uploads->abort(x->upload);
        x->upload = NULL;
        refuse(x, &err);
        tell_why_cancelled(x);
    } else if (last) {
        void *upload = x->upload;
        x->upload = NULL;
        uploads->finish(upload, &x->request, &x->reply);
    }
    error_clear(&err);
    enum stage unended = code != ERR_ok ? STAGE_DRAIN : STAGE_STREAM;
    give_back(x, last ? STAGE_REPLY : unended);
}

/* An upload whose client has left: ended off the I/O thread, for that writes to the store. */
struct abandoned {
    const struct upload_handler *uploads;
    void *upload;
};

static void abandon_task(void *context)
{
    struct abandoned *a = context;
    a->uploads->abort(a->upload);
    free(a);
}

static void abandon_upload(struct exchange *x)
{
    struct abandoned *a = malloc(sizeof *a);
    const struct upload_handler *uploads = x->request.route->upload;
    if (a != NULL) {
        *a = (struct abandoned){.uploads = uploads, .upload = x->upload};
        if (pool_submit(x->server->app->pool, abandon_task, a, NULL, 0, NULL) == ERR_ok)
            return;
        free(a);
    }
    uploads->abort(x->upload);
}

/* ---------------------------------------------------------------- the body */

/* Room for `more` bytes of the body, within the server's bound for all of them. */
static err_code grow_body(struct exchange *x, size_t more, struct error *err)
{
    size_t needed = x->body_size + more + 1, room = x->body_room > 0 ? x->body_room : BODY_FIRST_ROOM;
    if (needed <= x->body_room)
        return ERR_ok;
    if (x->framing.length > 0 && x->body_room == 0 && (size_t)x->framing.length + 1 <= PIECE_SIZE)
        room = (size_t)x->framing.length + 1;
    while (room < needed)
        room *= 2;
    int64_t added = (int64_t)(room - x->body_room);
    struct server *s = x->server;
    if (atomic_fetch_add(&s->body_bytes, added) + added > s->body_bytes_max) {
        atomic_fetch_sub(&s->body_bytes, added);
        return error_set(err, ERR_too_busy, "the bodies of all requests take more memory than there is for them");
    }
    char *body = realloc(x->body, room);
    if (body == NULL) {
        atomic_fetch_sub(&s->body_bytes, added);
        return error_set(err, ERR_out_of_memory, "there is no memory for the body");
    }
    x->body = body;
    x->body_room = room;
    return ERR_ok;
}

static void free_body(struct exchange *x)
{
    atomic_fetch_sub(&x->server->body_bytes, (int64_t)x->body_room);
    free(x->body);
    x->body = NULL;
    x->body_size = x->body_room = 0;
}

static err_code add_to_body(struct exchange *x, const char *bytes, size_t size, struct error *err)
{
    err_code code = grow_body(x, size, err);
    if (code != ERR_ok)
        return code;
    memcpy(x->body + x->body_size, bytes, size);
    x->body_size += size;
    x->body[x->body_size] = '\0';
    return ERR_ok;
}

/* A piece of the body. What is not taken comes again. */
static enum MHD_Result take_piece(struct exchange *x, const char *bytes, size_t *size)
{
    struct error err = {0};
    int64_t limit = door_body_limit(x);
    bool over = x->framing.chunked && x->received + (int64_t)*size > limit;
    if (x->stage != STAGE_DRAIN && over) {
        error_set(&err, ERR_body_too_large, "the body is longer than the limit here, %lld bytes", (long long)limit);
    } else if (x->stage == STAGE_STREAM && x->body_size > 0 && x->body_size + *size >= PIECE_SIZE) {
        return hand_over(x, stream_task, 0, STAGE_DRAIN);
    } else if (x->stage == STAGE_STREAM || (x->stage == STAGE_GATHER && x->request.route->media_types != NULL)) {
        add_to_body(x, bytes, *size, &err);
    }
    x->received += (int64_t)*size;
    *size = 0;
    if (err.code != ERR_ok) {
        if (x->upload != NULL)
            abandon_upload(x);
        x->upload = NULL;
        free_body(x);
        refuse(x, &err);
        x->stage = STAGE_DRAIN;
    }
    /* Whoever sends on and on is cut off. */
    return x->received > limit + DRAIN_MAX ? MHD_NO : MHD_YES;
}

/* The whole body is there. */
static enum MHD_Result handle_request(struct exchange *x)
{
    const struct route *route = x->request.route;
    x->request.body = x->body != NULL ? x->body : "";
    x->request.body_size = x->body_size;
    if (route->media_types != NULL && x->body_size == 0) {
        struct error err = {0};
        error_set(&err, ERR_missing_body, "the request has no body; with curl: --json @file");
        refuse(x, &err);
        return send_reply(x);
    }
    int64_t seconds = x->server->app->config->limits.query_seconds;
    bool on_io = route->place == ON_IO && x->body_size <= INLINE_BODY_MAX;
    enum handled handled = on_io ? route->handle(&x->request, &x->reply) : LATER;
    if (handled == HANDLED)
        return send_reply(x);
    reply_clear(&x->reply);
    if (handled == ASLEEP) {
        x->stage = STAGE_ASLEEP;
        sleep_in_feed(x, &x->request.sleeper, wake_handler);
        return MHD_YES;
    }
    return hand_over(x, handle_task, seconds, STAGE_REPLY);
}

/* ---------------------------------------------------------------- callbacks */

/* The client's id if it is sane, else one of our own. */
static void name_request(struct request *r)
{
    const char *given = request_header(r, "X-Request-Id");
    size_t length = 0;
    while (given != NULL && given[length] > ' ' && given[length] < 0x7f)
        length++;
    if (length > 0 && length < REQUEST_ID_MAX && given[length] == '\0')
        memcpy(r->id, given, length + 1);
    else if (uuid_new(r->id, NULL) != ERR_ok)
        strcpy(r->id, "unknown");
}

/* The header is there: everything that the door can say. */
static enum MHD_Result begin_request(struct exchange *x, const char *method, const char *version)
{
    struct request *r = &x->request;
    struct error err = {0};
    x->head = strcmp(method, "HEAD") == 0;
    r->method = x->head ? "GET" : method;
    r->path = x->uri.path != NULL ? x->uri.path : "/";
    name_request(r);
    err_code code = door_framing(x, version, &err);
    bool unsound = code == ERR_bad_request;
    if (code == ERR_ok && atomic_load(&x->server->stopping))
        code = error_set(&err, ERR_stopping, "the server is stopping");
    if (code == ERR_ok && x->target_error.code != ERR_ok) {
        code = x->target_error.code;
        error_clear(&err);
        err = x->target_error;
        x->target_error = (struct error){0};
    }
    if (code == ERR_ok)
        code = door_check(x, &err);
    if (code != ERR_ok)
        refuse(x, &err);
    error_clear(&err);
    if (x->reply.status == 0) {
        x->stage = r->route->upload != NULL ? STAGE_STREAM : STAGE_GATHER;
        return MHD_YES;
    }
    x->stage = STAGE_DRAIN;
    bool has_body = x->framing.chunked || x->framing.length > 0;
    if (unsound || (has_body && (x->framing.expects || x->framing.length > DRAIN_AT_DOOR_MAX)))
        return send_early(x);
    return MHD_YES;
}

static enum MHD_Result access_request(void *context, struct MHD_Connection *connection, const char *url,
                                      const char *method, const char *version, const char *data, size_t *size,
                                      void **slot)
{
    (void)context;
    (void)connection;
    (void)url;
    struct exchange *x = *slot;
    if (x == NULL)
        return MHD_NO; /* there was no memory for it */
    switch (x->stage) {
    case STAGE_TARGET:
        return begin_request(x, method, version);
    case STAGE_GATHER:
        return *size > 0 ? take_piece(x, data, size) : handle_request(x);
    case STAGE_STREAM:
        if (*size > 0)
            return take_piece(x, data, size);
        x->upload_last = true;
        return hand_over(x, stream_task, 0, STAGE_REPLY);
    case STAGE_DRAIN:
        return *size > 0 ? take_piece(x, data, size) : send_reply(x);
    case STAGE_REPLY:
        return send_reply(x);
    case STAGE_AWAKE:
        return handle_request(x);
    case STAGE_POOL:
    case STAGE_ASLEEP:
    case STAGE_SENT:
        break;
    }
    return MHD_YES;
}

/* The request's line, before the library takes it apart. What is returned is *slot of the calls that follow. */
static void *target_seen(void *context, const char *target, struct MHD_Connection *connection)
{
    struct server *s = context;
    struct exchange *x = calloc(1, sizeof *x);
    if (x == NULL)
        return NULL;
    x->server = s;
    x->connection = connection;
    x->request.app = s->app;
    x->request.connection = x;
    x->request.cancel = &x->cancel;
    x->request.body = "";
    x->framing.length = -1;
    x->watch_slot = WATCH_NONE;
    uri_parse(target != NULL ? target : "", &x->uri, &x->target_error);
    pthread_mutex_lock(&s->mutex);
    s->active++;
    pthread_mutex_unlock(&s->mutex);
    return x;
}

static void exchange_completed(void *context, struct MHD_Connection *connection, void **slot,
                               enum MHD_RequestTerminationCode reason)
{
    (void)connection;
    (void)reason;
    struct server *s = context;
    struct exchange *x = *slot;
    if (x == NULL)
        return;
    *slot = NULL;
    watch_remove(s->watch, x->watch_slot);
    if (x->upload != NULL)
        abandon_upload(x);
    free_body(x);
    error_clear(&x->target_error);
    reply_clear(&x->reply);
    uri_clear(&x->uri);
    free(x);
    pthread_mutex_lock(&s->mutex);
    s->active--;
    pthread_cond_broadcast(&s->change);
    pthread_mutex_unlock(&s->mutex);
}

/* ---------------------------------------------------------------- start and stop */

err_code server_start(const struct app *app, struct server **ret, struct error *err)
{
    struct server *s = calloc(1, sizeof *s);
    if (s == NULL)
        return error_set(err, ERR_out_of_memory, "there is no memory for the server");
    s->app = app;
    s->listen_fd = -1;
    s->body_bytes_max = app->config->limits.memory_bytes / 4;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->change, &attributes);
    pthread_condattr_destroy(&attributes);
    listen_raise_files();
    err_code code = listen_on(app->config->listen_host, app->config->listen_port, &s->listen_fd, &s->url, err);
    if (code == ERR_ok && s->url.failed)
        code = error_set(err, ERR_out_of_memory, "there is no memory for the server");
    if (code == ERR_ok)
        code = watch_new(&s->watch, err);
    const struct thread_calls calls = {
        .target_seen = target_seen, .access_request = access_request, .completed = exchange_completed, .context = s};
    if (code == ERR_ok)
        code = threads_new(app->config, s->listen_fd, &calls, &s->threads, err);
    if (code == ERR_ok)
        *ret = s;
    else
        server_stop(s);
    return code;
}

const char *server_url(const struct server *s)
{
    return s->url.data;
}

/* Waits until *count is 0; false if it is not after so long. */
static bool wait_for_none(struct server *s, const size_t *count, int64_t milliseconds)
{
    int64_t end = clock_monotonic() + milliseconds * 1000000;
    struct timespec until = {.tv_sec = (time_t)(end / 1000000000), .tv_nsec = (long)(end % 1000000000)};
    pthread_mutex_lock(&s->mutex);
    int late = 0;
    while (*count > 0 && late == 0)
        late = pthread_cond_timedwait(&s->change, &s->mutex, &until);
    bool none = *count == 0;
    pthread_mutex_unlock(&s->mutex);
    return none;
}

bool server_stop(struct server *s)
{
    if (s == NULL)
        return true;
    atomic_store(&s->stopping, true);
    if (s->watch != NULL)
        watch_cancel_all(s->watch);
    feed_end(s->app->feed);
    if (!wait_for_none(s, &s->pending, STOP_WORK_MS))
        return false;
    wait_for_none(s, &s->active, STOP_REPLY_MS);
    threads_free(s->threads);
    if (s->listen_fd >= 0)
        close(s->listen_fd);
    watch_free(s->watch);
    pthread_cond_destroy(&s->change);
    pthread_mutex_destroy(&s->mutex);
    text_clear(&s->url);
    free(s);
    return true;
}
