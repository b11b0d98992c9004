/* What HTTP alone costs: a bare libmicrohttpd server, which reads a body and answers as many bytes as gradd would. */
#ifndef GRADD_BENCH_ECHO_H
#define GRADD_BENCH_ECHO_H

#include "child.h"
#include <stdint.h>

/* As a child process of its own. It is told with each answer's size how many bytes to answer from then on. */
struct echo {
    struct child child;
    uint16_t port;
};
void echo_start(struct echo *e, int threads);
void echo_size(struct echo *e, size_t bytes);
void echo_end(struct echo *e);

/* That child: tells its port, reads sizes until its input ends. Returns an exit status. */
int echo_serve(int threads);

#endif
