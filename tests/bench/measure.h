/* Measuring on a noisy machine: those who are compared take turns in short rounds, and the best round of each counts.
 * Work on one thread is measured in that thread's processor time, so that what else the machine does is left out; on
 * several, in real time.
 *
 * A benchmark that fails ends the process: give_up(). */
#ifndef GRADD_BENCH_MEASURE_H
#define GRADD_BENCH_MEASURE_H

#include "base/error.h"

/* Does the work once, for warmth, then `count` times; returns how long these took in microseconds, negative if it can't
 * be done. */
typedef double (*turn_fn)(void *context, int64_t count);

struct contestant {
    turn_fn turn;
    void *context;
    int64_t count; /* of one turn; found by rounds() */
    double us;     /* of one time, the best turn; NAN: never done. Written by rounds() */
};

/* Rounds until `seconds` have passed, a few at least; each turn is about `window_us` long, or one time of the work. */
void rounds(struct contestant *contestants, size_t count, double seconds, double window_us);

/* A turn of work(context), on one thread. */
double time_calls(void (*work)(void *context), void *context, int64_t count);

double thread_us(void); /* of this thread */
double wall_us(void);

/* 64-byte aligned; filled with numbers in [-0.5, 0.5), none of them tiny. The caller frees. */
float *random_floats(int64_t count, uint32_t seed);

_Noreturn void give_up(const char *what, const struct error *err);
/* give_up() unless the code is ERR_ok. */
void must(err_code code, const char *what, struct error *err);
void *must_have(void *memory);

#endif
