/* One request's life, as handlers see it. */
#ifndef GRADD_API_REQUEST_H
#define GRADD_API_REQUEST_H

#include "api/feed.h"
#include "base/uuid.h"

struct route;

enum { PATH_ARGUMENTS_MAX = 2, REQUEST_ID_MAX = 129 };

struct request {
    const struct app *app;
    const struct route *route;
    const char *method;                  /* "GET" also for HEAD */
    const char *path;                    /* without the query, as it came */
    char *arguments[PATH_ARGUMENTS_MAX]; /* what stands for {m}, {d}, {id} in the route's path */
    const char *body;                    /* the whole body; "" if none */
    size_t body_size;
    char id[REQUEST_ID_MAX];   /* X-Request-Id */
    bool on_pool;              /* on the compute pool: nothing is too dear here */
    const atomic_bool *cancel; /* becomes true when the client has left, the deadline has passed, or the server stops */
    struct sleeper sleeper;    /* of a handler that waits; due 0: it has not waited yet */
    void *connection;          /* the struct exchange that it is a part of */
};

/* A header's or query parameter's value, or NULL. The route lists the parameters it knows: others, and repeated ones,
 * were refused before the handler. */
const char *request_header(const struct request *r, const char *name);
size_t request_header_count(const struct request *r, const char *name); /* how many there are of this name */
const char *request_parameter(const struct request *r, const char *name);
/* A whole number parameter: fallback if not given; adds an item (pointer-less, named) if it is not in [least, most]. */
int64_t request_whole(const struct request *r, const char *name, int64_t least, int64_t most, int64_t fallback,
                      struct error *err);
bool request_flag(const struct request *r, const char *name, struct error *err); /* true, false, absent = false */
/* tensors=flat: {"shape", "data"} in the answer; tensors=nested (the default): nested arrays. */
bool request_flat(const struct request *r, struct error *err);
/* limit and after of a list; adds items. */
struct page request_page(const struct request *r, struct error *err);
/* The Idempotency-Key, with the digest of method, path and body in digest[65]; false if there is none. Adds an item if
 * it is malformed. */
bool request_key(const struct request *r, char digest[65], struct store_key *ret, struct error *err);
/* Which of the media types (NULL-ended) the client prefers by Accept; NULL if none is acceptable. The first is the
 * default. */
const char *request_accepts(const struct request *r, const char *const *types);
/* The media type of the body, lower-case, without parameters; "" if none. */
const char *request_content_type(const struct request *r);

#endif
