/* Time, by the system's clocks. */
#include "base/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

int64_t clock_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t clock_monotonic(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Whoever asks first sets the difference to the monotonic clock. */
int64_t clock_steady(void)
{
    static _Atomic int64_t difference;
    const int64_t elapsed = clock_monotonic() / 1000000;
    int64_t set = 0, first = clock_now() - elapsed;
    if (atomic_compare_exchange_strong(&difference, &set, first))
        set = first;
    return elapsed + set;
}

const char *clock_text(int64_t milliseconds, char buffer[CLOCK_TEXT_MAX])
{
    /* RFC 3339 has years 0000 to 9999. */
    const int64_t first = INT64_C(-62167219200000), last = INT64_C(253402300799999);
    if (milliseconds < first)
        milliseconds = first;
    if (milliseconds > last)
        milliseconds = last;
    int64_t fraction = (milliseconds % 1000 + 1000) % 1000;
    time_t seconds = (time_t)((milliseconds - fraction) / 1000);
    struct tm t;
    gmtime_r(&seconds, &t);
    snprintf(buffer, CLOCK_TEXT_MAX, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", (unsigned)(t.tm_year + 1900) % 10000,
             (unsigned)(t.tm_mon + 1) % 100, (unsigned)t.tm_mday % 100, (unsigned)t.tm_hour % 100,
             (unsigned)t.tm_min % 100, (unsigned)t.tm_sec % 100, (unsigned)fraction % 1000);
    return buffer;
}
