/* Takes connections from the listening socket and deals them out, on a thread of its own. (Where several threads wait
 * at one socket, whoever wakes first takes all that stand in the queue.) At the limit nothing is taken until a
 * connection has ended: clients wait in the system's queue. */
#ifndef GRADD_API_ACCEPT_H
#define GRADD_API_ACCEPT_H

#include "base/error.h"
#include <sys/socket.h>

struct acceptor;

/* Has the socket from now on: non-blocking, close-on-exec, TCP_NODELAY. On the acceptor's thread. */
typedef void accept_take(void *context, int fd, const struct sockaddr *address, socklen_t length);

/* fd: listening, non-blocking; stays the caller's. most: connections at once. */
err_code acceptor_new(int fd, size_t most, accept_take *take, void *context, struct acceptor **ret, struct error *err);
void acceptor_stop(struct acceptor *a); /* takes no more; NULL is fine */
void acceptor_free(struct acceptor *a); /* after acceptor_stop, and the end of all connections; NULL is fine */

/* A connection that was taken has begun, or ended: from any thread. */
void acceptor_began(struct acceptor *a);
void acceptor_ended(struct acceptor *a);

#endif
