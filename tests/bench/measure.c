#include "measure.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS_LEAST = 6 };

static double read_clock(clockid_t clock)
{
    struct timespec t = {0};
    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1000;
}

double thread_us(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

double wall_us(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

double time_calls(void (*work)(void *context), void *context, int64_t count)
{
    work(context);
    const double start = thread_us();
    for (int64_t i = 0; i < count; i++)
        work(context);
    return thread_us() - start;
}

/* Turns that get longer until one takes the window: warms up, too. */
static void find_count(struct contestant *c, double window_us)
{
    c->us = NAN;
    for (c->count = 1;; c->count *= 2) {
        const double us = c->turn(c->context, c->count);
        if (us < 0)
            c->count = 0;
        if (us < 0 || us > window_us / 2)
            return;
    }
}

void rounds(struct contestant *contestants, size_t count, double seconds, double window_us)
{
    for (size_t i = 0; i < count; i++)
        find_count(&contestants[i], window_us);
    const double end = wall_us() + seconds * 1e6;
    for (int round = 0; round < ROUNDS_LEAST || wall_us() < end; round++)
        for (size_t i = 0; i < count; i++) {
            struct contestant *c = &contestants[i];
            if (c->count == 0)
                continue;
            const double us = c->turn(c->context, c->count) / (double)c->count;
            c->us = us >= 0 ? fmin(us, c->us) : c->us;
        }
}

float *random_floats(int64_t count, uint32_t seed)
{
    const size_t bytes = ((size_t)count * sizeof(float) + 63) / 64 * 64;
    float *x = must_have(aligned_alloc(64, bytes + 64));
    uint32_t state = seed;
    for (int64_t i = 0; i < count; i++) {
        state = state * 1664525 + 1013904223;
        x[i] = (float)(state >> 8) * 0x1p-24F - 0.5F;
    }
    return x;
}

_Noreturn void give_up(const char *what, const struct error *err)
{
    fprintf(stderr, "bench: %s", what);
    if (err != NULL)
        fprintf(stderr, ": %s", err->detail != NULL ? err->detail : err_name(err->code));
    for (size_t i = 0; err != NULL && i < err->item_count; i++)
        fprintf(stderr, "\n  %s", err->items[i].detail);
    fputc('\n', stderr);
    exit(1);
}

void must(err_code code, const char *what, struct error *err)
{
    if (code == ERR_ok)
        return;
    err->code = code;
    give_up(what, err);
}

void *must_have(void *memory)
{
    if (memory == NULL)
        give_up("no memory", NULL);
    return memory;
}
