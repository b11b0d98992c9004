/* Random numbers by counting. */
#include "base/rng.h"

#include "base/functions.h"
#include <math.h>

void philox4x32_10(const uint32_t key[2], const uint32_t counter[4], uint32_t ret[4])
{
    uint32_t k0 = key[0], k1 = key[1];
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)c0 * 0xD2511F53U, p1 = (uint64_t)c2 * 0xCD9E8D57U;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c0 = n0;
        c1 = (uint32_t)p1;
        c2 = n2;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9U;
        k1 += 0xBB67AE85U;
    }
    ret[0] = c0;
    ret[1] = c1;
    ret[2] = c2;
    ret[3] = c3;
}

void rng_block(const struct rng *r, uint32_t block, uint32_t ret[4])
{
    uint32_t key[2] = {(uint32_t)r->seed, (uint32_t)(r->seed >> 32)};
    uint32_t counter[4] = {block, (uint32_t)r->step, (uint32_t)r->purpose << 24 | (uint32_t)(r->step >> 32),
                           r->ordinal};
    philox4x32_10(key, counter, ret);
}

uint32_t rng_word(const struct rng *r, uint64_t element)
{
    uint32_t words[4];
    rng_block(r, (uint32_t)(element / 4), words);
    return words[element % 4];
}

/* The 53 bits of an element: the high 27 of one word, the high 26 of the next. */
static uint64_t rng_bits53(const struct rng *r, uint64_t element)
{
    uint32_t words[4];
    rng_block(r, (uint32_t)(element / 2), words);
    const uint32_t *pair = words + 2 * (element % 2);
    return (uint64_t)(pair[0] >> 5) << 26 | pair[1] >> 6;
}

double rng_uniform(const struct rng *r, uint64_t element)
{
    return (double)rng_bits53(r, element) * 0x1p-53;
}

double rng_normal(const struct rng *r, uint64_t element)
{
    static const double two_pi = 6.283185307179586;
    uint64_t first = element & ~UINT64_C(1);
    /* (0, 1]: its logarithm is finite. */
    double u = ((double)rng_bits53(r, first) + 1) * 0x1p-53;
    double angle = two_pi * rng_uniform(r, first + 1);
    double radius = sqrt(-2 * fn_log(u));
    return radius * (element % 2 == 0 ? fn_cos(angle) : fn_sin(angle));
}
