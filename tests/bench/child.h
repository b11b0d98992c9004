/* A child process that is talked to in lines, through pipes. */
#ifndef GRADD_BENCH_CHILD_H
#define GRADD_BENCH_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

struct child {
    pid_t pid; /* 0: there is none */
    FILE *to, *from;
};

/* argv[0] is a path; NULL ends the list. False: it could not be started. */
bool child_start(struct child *c, const char *const argv[]);
/* Sends a line (NULL: none) and reads one number back; false if it gave none. */
bool child_ask(struct child *c, const char *line, double *ret);
/* Ends its input and waits for it. */
void child_end(struct child *c);

#endif
