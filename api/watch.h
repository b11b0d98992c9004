/* Watches the sockets that libmicrohttpd does not look at: those of suspended connections, to see their clients leave,
 * and those whose answer went out before the body was read, to read the rest.
 *
 * A client that has closed its side is given LEFT_GRACE before its work is cancelled: one that has only ended what it
 * sends, and still reads, gets a quick answer all the same. One thread; all calls may be made from any thread. */
#ifndef GRADD_API_WATCH_H
#define GRADD_API_WATCH_H

#include "base/error.h"
#include <stdatomic.h>

struct watch;

err_code watch_new(struct watch **ret, struct error *err);
void watch_free(struct watch *w); /* NULL is fine */

#define WATCH_NONE SIZE_MAX
/* Sets *cancel when the client has left. Returns a slot for watch_remove; WATCH_NONE if it can't be watched. */
size_t watch_add(struct watch *w, int fd, atomic_bool *cancel);
void watch_remove(struct watch *w, size_t slot); /* after this *cancel is not touched; WATCH_NONE is fine */
/* Cancels everything that is watched, and what will be. */
void watch_cancel_all(struct watch *w);

/* Reads and drops what still comes from a duplicate of the socket, for a bounded time, so that the client can read its
 * answer (a socket closed with unread bytes resets the connection). Takes fd. */
void watch_linger(struct watch *w, int fd);

#endif
