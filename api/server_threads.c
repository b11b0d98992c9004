#include "api/server_threads.h"

#include "api/accept.h"
#include "base/log.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CONNECTION_MEMORY = 64 << 10, /* of the library, a connection: bounds line and header */
    CONNECTIONS_ENDING = 64,      /* the library counts those that have ended a little longer than the acceptor */
};

struct thread {
    struct threads *threads;
    struct MHD_Daemon *daemon;
    atomic_size_t connections; /* that were given to it and have not ended */
};

struct threads {
    struct thread_calls calls;
    struct acceptor *acceptor;
    size_t next; /* the acceptor's: who is given the next connection when all have as many */
    size_t count;
    struct thread thread[];
};

/* ---- what the library tells ---- */

/* It decodes nothing: uri.c does. */
static size_t leave_escaped(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    return strlen(text);
}

static void log_library(void *context, const char *format, va_list arguments) __attribute__((format(printf, 2, 0)));
static void log_library(void *context, const char *format, va_list arguments)
{
    (void)context;
    char message[512];
    vsnprintf(message, sizeof message, format, arguments);
    message[strcspn(message, "\n")] = '\0';
    log_write(LOG_DEBUG, "libmicrohttpd: %s", message);
}

static void connection_changed(void *context, struct MHD_Connection *connection, void **slot,
                               enum MHD_ConnectionNotificationCode change)
{
    (void)connection;
    (void)slot;
    struct thread *t = context;
    if (change == MHD_CONNECTION_NOTIFY_STARTED) {
        acceptor_began(t->threads->acceptor);
    } else {
        atomic_fetch_sub(&t->connections, 1);
        acceptor_ended(t->threads->acceptor);
    }
}

/* ---- dealing out ---- */

/* Gives a connection to the thread that has the fewest. */
static void deal(void *context, int fd, const struct sockaddr *address, socklen_t length)
{
    struct threads *all = context;
    struct thread *least = &all->thread[all->next];
    for (size_t i = 0; i < all->count; i++)
        if (atomic_load(&all->thread[i].connections) < atomic_load(&least->connections))
            least = &all->thread[i];
    all->next = all->next + 1 < all->count ? all->next + 1 : 0;
    atomic_fetch_add(&least->connections, 1);
    if (MHD_add_connection(least->daemon, fd, address, length) != MHD_YES)
        atomic_fetch_sub(&least->connections, 1);
}

/* ---- start and stop ---- */

static err_code start(struct threads *all, struct thread *t, const struct limits *limits, struct error *err)
{
    const struct MHD_OptionItem options[] = {
        {MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)log_library, NULL},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)all->calls.completed, all->calls.context},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)connection_changed, t},
        {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)all->calls.target_seen, all->calls.context},
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)leave_escaped, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, (intptr_t)(limits->connections + CONNECTIONS_ENDING), NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, (intptr_t)limits->idle_seconds, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    t->threads = all;
    t->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_NO_LISTEN_SOCKET |
                                     MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG,
                                 0, NULL, NULL, all->calls.access_request, all->calls.context, MHD_OPTION_ARRAY,
                                 options, MHD_OPTION_END);
    return t->daemon != NULL ? ERR_ok : error_set(err, ERR_internal, "libmicrohttpd did not start");
}

err_code threads_new(const struct config *config, int listen_fd, const struct thread_calls *calls, struct threads **ret,
                     struct error *err)
{
    const size_t count = (size_t)config->io_threads;
    struct threads *all = calloc(1, sizeof *all + count * sizeof all->thread[0]);
    if (all == NULL)
        return error_set(err, ERR_out_of_memory, "there is no memory for the server");
    all->calls = *calls;
    err_code code = ERR_ok;
    for (; code == ERR_ok && all->count < count; all->count++)
        code = start(all, &all->thread[all->count], &config->limits, err);
    if (code == ERR_ok)
        code = acceptor_new(listen_fd, (size_t)config->limits.connections, deal, all, &all->acceptor, err);
    if (code == ERR_ok)
        *ret = all;
    else
        threads_free(all);
    return code;
}

/* In an order in which nobody is given what has ended. */
void threads_free(struct threads *all)
{
    if (all == NULL)
        return;
    acceptor_stop(all->acceptor);
    for (size_t i = 0; i < all->count; i++)
        if (all->thread[i].daemon != NULL)
            MHD_stop_daemon(all->thread[i].daemon);
    acceptor_free(all->acceptor);
    free(all);
}
