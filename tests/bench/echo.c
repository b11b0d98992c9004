#include "echo.h"

#include "measure.h"
#include <microhttpd.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* ---- the server */

struct server {
    char *answer; /* ANSWER_MAX bytes */
    atomic_size_t size;
};

enum { ANSWER_MAX = 64 << 20 };

/* A body in one piece, as whoever parses it would need it. */
struct body {
    size_t size, room;
    char bytes[];
};

static struct body *body_new(struct MHD_Connection *connection)
{
    const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");
    const size_t room = length != NULL ? strtoul(length, NULL, 10) : 0;
    struct body *body = malloc(sizeof *body + room);
    if (body != NULL)
        *body = (struct body){.room = room};
    return body;
}

static enum MHD_Result answer(struct server *s, struct MHD_Connection *connection)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(atomic_load(&s->size), s->answer, MHD_RESPMEM_PERSISTENT);
    if (response == NULL)
        return MHD_NO;
    MHD_add_response_header(response, "Content-Type", "application/json");
    const enum MHD_Result queued = MHD_queue_response(connection, 200, response);
    MHD_destroy_response(response);
    return queued;
}

static enum MHD_Result access_request(void *context, struct MHD_Connection *connection, const char *url,
                                      const char *method, const char *version, const char *data, size_t *size,
                                      void **slot)
{
    (void)url;
    (void)method;
    (void)version;
    struct body *body = *slot;
    if (body == NULL) {
        *slot = body_new(connection);
        return *slot != NULL ? MHD_YES : MHD_NO;
    }
    if (*size == 0)
        return answer(context, connection);
    if (*size > body->room - body->size)
        return MHD_NO;
    memcpy(body->bytes + body->size, data, *size);
    body->size += *size;
    *size = 0;
    return MHD_YES;
}

static void completed(void *context, struct MHD_Connection *connection, void **slot,
                      enum MHD_RequestTerminationCode reason)
{
    (void)context;
    (void)connection;
    (void)reason;
    free(*slot);
    *slot = NULL;
}

int echo_serve(int threads)
{
    struct server s = {.answer = must_have(malloc(ANSWER_MAX))};
    char line[64];
    memset(s.answer, '1', ANSWER_MAX);
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, access_request, &s, MHD_OPTION_NOTIFY_COMPLETED,
        completed, NULL, MHD_OPTION_THREAD_POOL_SIZE, threads > 1 ? (unsigned)threads : 0U, MHD_OPTION_END);
    if (daemon == NULL)
        give_up("libmicrohttpd did not start", NULL);
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
    printf("%u\n", (unsigned)info->port);
    fflush(stdout);
    while (fgets(line, sizeof line, stdin) != NULL) {
        const size_t size = strtoul(line, NULL, 10);
        if (size > ANSWER_MAX)
            give_up("too long an answer", NULL);
        atomic_store(&s.size, size);
        printf("0\n");
        fflush(stdout);
    }
    MHD_stop_daemon(daemon);
    free(s.answer);
    return 0;
}

/* ---- as a child */

void echo_start(struct echo *e, int threads)
{
    char count[16];
    double port;
    (void)snprintf(count, sizeof count, "%d", threads);
    const char *const argv[] = {"/proc/self/exe", "--echo", count, NULL};
    if (!child_start(&e->child, argv) || !child_ask(&e->child, NULL, &port))
        give_up("the bare server did not start", NULL);
    e->port = (uint16_t)port;
}

void echo_size(struct echo *e, size_t bytes)
{
    char line[32];
    double done;
    (void)snprintf(line, sizeof line, "%zu", bytes);
    if (!child_ask(&e->child, line, &done))
        give_up("the bare server has gone", NULL);
}

void echo_end(struct echo *e)
{
    child_end(&e->child);
}
