/* Time. */
#ifndef GRADD_BASE_CLOCK_H
#define GRADD_BASE_CLOCK_H

#include <stdint.h>

int64_t clock_now(void);       /* milliseconds since 1970-01-01 UTC */
int64_t clock_steady(void);    /* likewise, but without the jumps that the clock makes after the first call */
int64_t clock_monotonic(void); /* nanoseconds from some start; never goes back */
enum { CLOCK_TEXT_MAX = 32 };
/* RFC 3339 in UTC with milliseconds, "2024-01-31T12:00:00.000Z"; returns buffer. */
const char *clock_text(int64_t milliseconds, char buffer[CLOCK_TEXT_MAX]);

#endif
