/* Random numbers by counting, and orders by counting. */
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

void permutation_init(struct permutation *p, const struct rng *r, uint64_t n)
{
    uint32_t words[8];
    uint32_t half_bits = 1;
    while (half_bits < 16 && (UINT64_C(1) << 2 * half_bits) < n)
        half_bits++;
    rng_block(r, 0, words);
    rng_block(r, 1, words + 4);
    *p = (struct permutation){.n = n, .half_bits = half_bits};
    for (int i = 0; i < 6; i++)
        p->keys[i] = words[i];
}

/* The round function: a hash of 32 bits (the finaliser of MurmurHash3). */
static uint32_t mix(uint32_t x)
{
    x = (x ^ x >> 16) * 0x85EBCA6BU;
    x = (x ^ x >> 13) * 0xC2B2AE35U;
    return x ^ x >> 16;
}

uint64_t permutation_at(const struct permutation *p, uint64_t i)
{
    uint32_t mask = (uint32_t)((UINT64_C(1) << p->half_bits) - 1);
    uint64_t x = i;
    /* The network permutes [0, 4^half_bits), less than four times n: walking on its cycle comes back below n soon. */
    do {
        uint32_t left = (uint32_t)(x >> p->half_bits), right = (uint32_t)x & mask;
        for (int round = 0; round < 6; round++) {
            uint32_t next = left ^ (mix(right ^ p->keys[round]) & mask);
            left = right;
            right = next;
        }
        x = (uint64_t)left << p->half_bits | right;
    } while (x >= p->n);
    return x;
}
