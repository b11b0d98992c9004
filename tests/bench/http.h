/* The little of HTTP/1.1 that a client needs which knows what it will be answered: keep-alive, Content-Length, no
 * chunks. What goes wrong ends the process: give_up(). */
#ifndef GRADD_BENCH_HTTP_H
#define GRADD_BENCH_HTTP_H

#include "base/text.h"
#include <stdint.h>

int http_connect(uint16_t port); /* to 127.0.0.1; non-blocking, TCP_NODELAY */

/* A whole request; body NULL: none. */
void http_write_request(struct text *to, const char *method, const char *path, const char *type, const char *body);

/* Sends all of it, waiting where the socket is full. */
void http_send(int fd, const char *bytes, size_t size);

/* An answer while it comes in. */
struct http_answer {
    char *bytes; /* owned; the head, then what has come of the body */
    size_t size, room;
    size_t head, body; /* bytes of each; head 0: not all of it has come */
    int status;
};
/* Reads what there is; true: the answer is whole. */
bool http_read(int fd, struct http_answer *answer);
void http_answer_again(struct http_answer *answer); /* before the next one on the connection */
void http_answer_clear(struct http_answer *answer);

/* One request on a connection of its own. Its answer's body, which must have the status; the caller frees. */
char *http_ask(uint16_t port, const char *method, const char *path, const char *type, const char *body, int status);

#endif
