/* Random numbers by counting: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3",
 * 2011). A number is a function of (seed, element, step, purpose, ordinal): there is no state to keep or to lose. The
 * key is the seed's two halves; the counter words are (element / 4, step mod 2^32, purpose * 2^24 + step / 2^32,
 * ordinal), and word element % 4 of the result is the element's. */
#ifndef GRADD_BASE_RNG_H
#define GRADD_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

enum rng_purpose { RNG_INITIAL = 1, RNG_SHUFFLE = 2, RNG_DROPOUT = 3, RNG_SPLIT = 4 };

struct rng {
    uint64_t seed;
    uint64_t step; /* below 2^56 */
    enum rng_purpose purpose;
    uint32_t ordinal;
};

void philox4x32_10(const uint32_t key[2], const uint32_t counter[4], uint32_t ret[4]);
/* The four words of elements 4 * block to 4 * block + 3. */
void rng_block(const struct rng *r, uint32_t block, uint32_t ret[4]);
uint32_t rng_word(const struct rng *r, uint64_t element); /* element below 2^34 */
double rng_uniform(const struct rng *r,
                   uint64_t element); /* [0, 1): 53 bits, of words 2 * element and 2 * element + 1 */
/* Standard normal, the same bits everywhere: Box and Muller's cosine (element even) or sine (odd) of the two uniforms
 * of elements 2 * (element / 2) and 2 * (element / 2) + 1, by base/functions.h. Nothing beyond 8.6. */
double rng_normal(const struct rng *r, uint64_t element);

/* The order of n things, as a function: a keyed permutation of [0, n), n from 1 to 2^32.
 *
 * i = left * 2^bits + right, with bits = max(1, half of the bits of n - 1, rounded up); left is below `lefts` = n /
 * 2^bits rounded up. 16 rounds to n = 256, or 6, take turns, left's first; round r has the keys k, m, q: the low and
 * the high half of word 2 r of the rng and the low half of word 2 r + 1, m and q made odd. All arithmetic is modulo
 * 2^16.
 *
 *     hash_r(x) = (t ^ t >> 7) * q, where t = (x + k) * m
 *     even r:  left = (left - (hash_r(right) * min(lefts, 2^16 - 1) >> 16, whole)) mod lefts
 *     odd r:   right = right ^ hash_r(left) >> (16 - bits)
 *
 * A result that is not below n, of which there are fewer than 2^bits, goes through the rounds again until it is. */
enum { PERMUTATION_ROUNDS = 6, PERMUTATION_ROUNDS_MOST = 16 };

struct permutation {
    uint32_t last; /* n - 1 */
    unsigned bits;
    uint32_t lefts;
    uint32_t round_count;
    struct permutation_round {
        uint16_t k, m, q;
    } rounds[PERMUTATION_ROUNDS_MOST];
};
void permutation_init(struct permutation *p, const struct rng *r, uint64_t n);
uint32_t permutation_at(const struct permutation *p, uint64_t i); /* i below n */
/* permutation_at of first to first + count - 1, eight at a time. */
void permutation_fill(const struct permutation *p, uint64_t first, size_t count, uint32_t *ret);

#endif
