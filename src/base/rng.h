/* Random numbers by counting: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3",
 * 2011). A number is a function of (seed, element, step, purpose, ordinal): there is no state to keep or to lose. The
 * key is the seed's two halves; the counter words are (element / 4, step mod 2^32, purpose * 2^24 + step / 2^32,
 * ordinal), and word element % 4 of the result is the element's. */
#ifndef GRADD_BASE_RNG_H
#define GRADD_BASE_RNG_H

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

/* The order of n things, as a function: a keyed Feistel permutation of [0, n) of 6 rounds, with cycle walking. n is 1
 * to 2^32, i below n. The keys are words 0 to 5 of r. */
struct permutation {
    uint64_t n;
    uint32_t half_bits;
    uint32_t keys[6];
};
void permutation_init(struct permutation *p, const struct rng *r, uint64_t n);
uint64_t permutation_at(const struct permutation *p, uint64_t i);

#endif
