/* The HTTP server: libmicrohttpd, started and stopped. The way of a request stands in server.c. */
#ifndef GRADD_API_SERVER_H
#define GRADD_API_SERVER_H

#include "api/app.h"
#include "base/text.h"

struct server;

/* Listens and serves on threads of its own. `app` must outlive the server. Its own errors name the address. */
err_code server_start(const struct app *app, struct server **ret, struct error *err);
/* "http://127.0.0.1:8080", with the port that was taken. */
const char *server_url(const struct server *s);
/* Refuses what comes, cancels what is computed, lets answers go out, ends all connections: within a second and a half.
 * False: some request's work did not end in that time, so its thread still uses `app`, and the server can't be freed;
 * the process must exit without ending what app has. NULL is fine. */
bool server_stop(struct server *s);

#endif
