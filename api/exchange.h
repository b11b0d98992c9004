/* One request as the server keeps it, from its first line to the end of its answer.
 *
 * It belongs to the connection's I/O thread, but in STAGE_POOL: then the connection is suspended, and it belongs to the
 * one task on the compute pool, which gives it back by resuming. Everything in it is owned. */
#ifndef GRADD_API_EXCHANGE_H
#define GRADD_API_EXCHANGE_H

#include "api/routes.h"
#include "api/watch.h"

struct MHD_Connection;
struct server;

enum stage {
    STAGE_TARGET, /* only the request's line was read */
    STAGE_GATHER, /* the body is read into memory (there may be none) */
    STAGE_STREAM, /* the body is handed on in pieces */
    STAGE_DRAIN,  /* the reply is there; the rest of the body is read and dropped */
    STAGE_POOL,   /* suspended: a task works on it */
    STAGE_ASLEEP, /* suspended: the feed wakes it */
    STAGE_AWAKE,  /* the handler is called again */
    STAGE_REPLY,  /* the reply is there, and the whole body was read */
    STAGE_SENT,   /* the reply was handed to the library */
};

enum { MEDIA_TYPE_MAX = 128 };

/* What a request's header says about its body. */
struct framing {
    int64_t length; /* Content-Length; -1: none */
    bool chunked;
    bool expects; /* waits for 100-continue before it sends the body */
};

struct exchange {
    struct request request;
    struct reply reply;
    struct server *server;
    struct MHD_Connection *connection;
    struct uri uri;
    char media_type[MEDIA_TYPE_MAX];
    struct framing framing;
    struct error target_error; /* what is wrong with the target; ERR_ok: nothing */
    bool head;                 /* HEAD: answered as GET, without the body */
    bool close;                /* the connection ends with this answer */
    enum stage stage;
    int64_t received; /* bytes of the body so far */
    char *body;       /* gathered so far; of a stream, the piece to hand on next */
    size_t body_size, body_room;
    void *upload;     /* the stream's state; NULL before its begin and after its end */
    bool upload_last; /* the piece in `body` is the last one */
    atomic_bool cancel;
    size_t watch_slot;
};

#endif
