/* The listening socket. */
#ifndef GRADD_API_LISTEN_H
#define GRADD_API_LISTEN_H

#include "base/error.h"
#include "base/text.h"

/* Listens on host (a name or an address, IPv4 or IPv6) and port (0: a free one). The socket is the caller's to close.
 * Appends its URL, "http://[::1]:8080". */
err_code listen_on(const char *host, int port, int *ret_fd, struct text *url, struct error *err);

/* Raises the limit on open files as far as the system allows. */
void listen_raise_files(void);

#endif
