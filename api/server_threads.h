/* The threads that answer requests: each a daemon of libmicrohttpd with its own share of the connections, which an
 * acceptor deals out evenly. */
#ifndef GRADD_API_SERVER_THREADS_H
#define GRADD_API_SERVER_THREADS_H

#include "base/config.h"
#include "base/error.h"
#include <microhttpd.h>

struct threads;

/* What the library calls, on any of the threads. */
struct thread_calls {
    void *(*target_seen)(void *context, const char *target, struct MHD_Connection *connection);
    MHD_AccessHandlerCallback access_request;
    MHD_RequestCompletedCallback completed;
    void *context;
};

/* listen_fd stays the caller's, and must live as long. */
err_code threads_new(const struct config *config, int listen_fd, const struct thread_calls *calls, struct threads **ret,
                     struct error *err);
void threads_free(struct threads *all); /* ends all connections; none may be suspended; NULL is fine */

#endif
