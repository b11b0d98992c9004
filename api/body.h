/* A body that is made while it is sent: it may be long, or not have come to its end yet. */
#ifndef GRADD_API_BODY_H
#define GRADD_API_BODY_H

#include "api/feed.h"

enum { BODY_END = -1, BODY_BROKEN = -2 };

/* The first member of what makes the body; the reply owns it. */
struct body_source {
    /* Copies at most `size` bytes; BODY_END at the end; BODY_BROKEN where the rest can't be had, and the connection is
     * cut. 0: there are none now; then `sleeper` is handed to the feed, and read is called again when it has woken. On
     * an I/O thread. */
    ssize_t (*read)(struct body_source *source, char *to, size_t size);
    void (*free)(struct body_source *source);
    size_t block; /* bytes that are asked for at a time, about */
    struct sleeper sleeper;
};

#endif
