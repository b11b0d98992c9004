/* Powers of ten in 128 bits, for number_print.c alone; .ci/powers makes the table. */
#ifndef GRADD_BASE_POWERS_H
#define GRADD_BASE_POWERS_H

#include <stdint.h>

/* high * 2^64 + low in [2^127, 2^128): 10^k times a power of two, rounded up where it is not whole. */
struct power {
    uint64_t high, low;
};

enum { POWER10_LEAST = -292, POWER10_MOST = 324 };
extern const struct power power10[POWER10_MOST - POWER10_LEAST + 1]; /* of k at k - POWER10_LEAST */

#endif
