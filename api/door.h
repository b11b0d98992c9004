/* The door: everything about a request that can be refused by its line and its header, before its body is read. */
#ifndef GRADD_API_DOOR_H
#define GRADD_API_DOOR_H

#include "api/exchange.h"

/* Reads the framing (Content-Length, Transfer-Encoding, Expect) and checks that it is sound. After ERR_bad_request
 * nobody knows where the body ends: the connection can't be used again. version: of HTTP, "HTTP/1.1". */
err_code door_framing(struct exchange *x, const char *version, struct error *err);

/* Finds the route, fills x->request and x->media_type, and checks all the rest. ERR_ok, and x->reply.status set: the
 * door itself has the answer (OPTIONS). */
err_code door_check(struct exchange *x, struct error *err);

/* The most bytes that the body may have. */
int64_t door_body_limit(const struct exchange *x);

#endif
