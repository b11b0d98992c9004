/* A client that keeps several connections busy: on each a request is sent, its answer read to the end, and the next
 * one sent. One thread, epoll; it takes a few microseconds a request. An answer that is not 200 ends the process. */
#ifndef GRADD_BENCH_LOAD_H
#define GRADD_BENCH_LOAD_H

#include "base/text.h"
#include <stdint.h>

struct load;

/* `request` is a whole one, which must live as long. */
struct load *load_new(uint16_t port, size_t connections, const struct text *request);
void load_free(struct load *l); /* NULL is fine */

/* Each request is another one: what stands at `at`, `digits` long, counts up. */
void load_vary(struct load *l, size_t at, size_t digits);

/* A turn_fn (measure.h), in real time; the context is the load. Over more than one connection a few are done beyond
 * `count`. */
double load_turn(void *load, int64_t count);

void load_forget(struct load *l);                  /* the times so far */
double load_us(const struct load *l, double part); /* the time that this part of all answers took at most: 0.5, 0.99 */
size_t load_answer_bytes(const struct load *l);    /* the body of an answer */

#endif
