/* Orders by counting: the network of rng.h for one element, and for eight in the halves of vectors' words. */
#include "base/rng.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { BLOCK = 8, WORDS = BLOCK / 2 };

/* Few things have little room to mix in: they get more rounds. */
enum { SMALL = 256 };

typedef uint16_t halves __attribute__((vector_size(16)));
typedef uint32_t words __attribute__((vector_size(16)));

void permutation_init(struct permutation *p, const struct rng *r, uint64_t n)
{
    unsigned bits = 1;
    while (bits < 16 && (UINT64_C(1) << 2 * bits) < n)
        bits++;
    const uint64_t rights = UINT64_C(1) << bits;
    *p = (struct permutation){.last = (uint32_t)(n - 1),
                              .bits = bits,
                              .lefts = (uint32_t)((n + rights - 1) >> bits),
                              .round_count = n <= SMALL ? PERMUTATION_ROUNDS_MOST : PERMUTATION_ROUNDS};
    for (uint64_t i = 0; i < p->round_count; i++) {
        const uint32_t first = rng_word(r, 2 * i), second = rng_word(r, 2 * i + 1);
        p->rounds[i] = (struct permutation_round){(uint16_t)first, (uint16_t)(first >> 16 | 1), (uint16_t)(second | 1)};
    }
}

static uint32_t most_lefts(const struct permutation *p)
{
    return p->lefts < 0xFFFF ? p->lefts : 0xFFFF;
}

static uint32_t hash_one(const struct permutation_round *r, uint32_t x)
{
    uint32_t t = (x + r->k) * r->m & 0xFFFF;
    return (t ^ t >> 7) * r->q & 0xFFFF;
}

static uint32_t network_one(const struct permutation *p, uint32_t x)
{
    uint32_t left = x >> p->bits, right = x & ((1U << p->bits) - 1);
    for (uint32_t i = 0; i < p->round_count; i += 2) {
        uint32_t less = hash_one(&p->rounds[i], right) * most_lefts(p) >> 16;
        left = left < less ? left - less + p->lefts : left - less;
        right ^= hash_one(&p->rounds[i + 1], left) >> (16 - p->bits);
    }
    return left << p->bits | right;
}

uint32_t permutation_at(const struct permutation *p, uint64_t i)
{
    uint32_t x = (uint32_t)i;
    do
        x = network_one(p, x);
    while (x > p->last);
    return x;
}

static halves splat(uint32_t x)
{
    return (uint16_t)x - (halves){0};
}

/* The high halves of the products. */
static halves multiply_high(halves a, halves b)
{
#ifdef __SSE2__
    return (halves)_mm_mulhi_epu16((__m128i)a, (__m128i)b);
#else
    halves r = a;
    for (int i = 0; i < BLOCK; i++)
        r[i] = (uint16_t)((uint32_t)a[i] * b[i] >> 16);
    return r;
#endif
}

/* The keys and sizes in every lane. */
struct spread {
    halves k[PERMUTATION_ROUNDS_MOST], m[PERMUTATION_ROUNDS_MOST], q[PERMUTATION_ROUNDS_MOST], most, lefts;
    words mask;
    int bits;
};

static inline halves hash(const struct spread *p, uint32_t round, halves x)
{
    halves t = (x + p->k[round]) * p->m[round];
    return (t ^ t >> 7) * p->q[round];
}

/* The network of x to x + 7: those of x to x + 3 stand in the low halves of words, the others in the high ones. */
static inline __attribute__((always_inline)) void network(const struct spread *p, uint32_t rounds, words low,
                                                          words *ret_low, words *ret_high)
{
    const words high = low + 4;
    halves left = (halves)(low >> p->bits | high >> p->bits << 16);
    halves right = (halves)((low & p->mask) | (high & p->mask) << 16);
    for (uint32_t i = 0; i < rounds; i += 2) {
        halves less = multiply_high(hash(p, i, right), p->most);
        left = left - less + ((halves)(left < less) & p->lefts);
        right ^= hash(p, i + 1, left) >> (16 - p->bits);
    }
    *ret_low = ((words)left & 0xFFFF) << p->bits | ((words)right & 0xFFFF);
    *ret_high = (words)left >> 16 << p->bits | (words)right >> 16;
}

void permutation_fill(const struct permutation *p, uint64_t first, size_t count, uint32_t *ret)
{
    struct spread s = {.most = splat(most_lefts(p)), .lefts = splat(p->lefts), .bits = (int)p->bits};
    for (uint32_t i = 0; i < p->round_count; i++) {
        s.k[i] = splat(p->rounds[i].k);
        s.m[i] = splat(p->rounds[i].m);
        s.q[i] = splat(p->rounds[i].q);
    }
    const uint32_t last = p->last, rounds = p->round_count;
    s.mask = ((1U << p->bits) - 1) - (words){0};
    size_t done = 0;
    for (; count - done >= BLOCK; done += BLOCK) {
        words low, high;
        words x = (uint32_t)(first + done) + (words){0, 1, 2, 3};
        if (rounds == PERMUTATION_ROUNDS) /* known to the compiler: no loop */
            network(&s, PERMUTATION_ROUNDS, x, &low, &high);
        else
            network(&s, rounds, x, &low, &high);
        memcpy(ret + done, &low, sizeof low);
        memcpy(ret + done + WORDS, &high, sizeof high);
        uint64_t beyond[2];
        words out = (words)(low > last) | (words)(high > last);
        memcpy(beyond, &out, sizeof beyond);
        if ((beyond[0] | beyond[1]) != 0)
            for (size_t i = done; i < done + BLOCK; i++)
                if (ret[i] > last)
                    ret[i] = permutation_at(p, ret[i]);
    }
    for (; done < count; done++)
        ret[done] = permutation_at(p, first + done);
}
