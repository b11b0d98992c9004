/* Random numbers: the known answers of Random123, moments, and permutations that are permutations. */
#include "support/near.h"

#include "base/rng.h"
#include <math.h>
#include <stdbool.h>
#include <string.h>

static void known_answers(void **state)
{
    static const struct {
        uint32_t key[2], counter[4], result[4];
    } cases[] = {
        {{0, 0}, {0, 0, 0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0xa4093822, 0x299f31d0},
         {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t result[4];
        philox4x32_10(cases[i].key, cases[i].counter, result);
        assert_memory_equal(result, cases[i].result, sizeof result);
    }
}

static void counter_words_are_as_documented(void **state)
{
    (void)state;
    const struct rng r = {
        .seed = UINT64_C(0x0123456789abcdef), .step = UINT64_C(0xab0000000005), .purpose = RNG_DROPOUT, .ordinal = 9};
    uint32_t key[2] = {0x89abcdef, 0x01234567}, counter[4] = {25, 5, 3U << 24 | 0xab00, 9}, words[4];
    philox4x32_10(key, counter, words);
    for (uint64_t i = 0; i < 4; i++)
        assert_int_equal(rng_word(&r, 100 + i), words[i]);
}

static void moments(void **state)
{
    (void)state;
    const struct rng r = {.seed = 7, .purpose = RNG_INITIAL};
    enum { N = 100000 };
    double sum = 0, squares = 0, cubes = 0, fourths = 0, product = 0, uniform = 0, before = 0;
    for (uint64_t i = 0; i < N; i++) {
        double x = rng_normal(&r, i), u = rng_uniform(&r, i);
        assert_true(u >= 0 && u < 1);
        assert_true(fabs(x) < 8.7);
        uniform += u;
        sum += x;
        squares += x * x;
        cubes += x * x * x;
        fourths += x * x * x * x;
        product += x * before;
        before = x;
    }
    assert_near(uniform / N, 0.5, 0, 0.005);
    assert_near(sum / N, 0, 0, 0.015);
    assert_near(squares / N, 1, 0, 0.02);
    assert_near(cubes / N, 0, 0, 0.06);
    assert_near(fourths / N, 3, 0, 0.15);
    assert_near(product / N, 0, 0, 0.015);
}

/* A change of these bits changes every model that was trained before. */
static void bits_are_frozen(void **state)
{
    (void)state;
    const struct rng r = {.seed = 42, .step = 3, .purpose = RNG_INITIAL, .ordinal = 1};
    assert_same(rng_normal(&r, 0), -0x1.5c1079f7cdc15p+0);
    assert_same(rng_normal(&r, 1), 0x1.9ae0344e899ecp+0);
    assert_same(rng_uniform(&r, 5), 0x1.718a464bbaeb4p-2);
    struct permutation p;
    permutation_init(&p, &r, 1000);
    static const uint64_t order[] = {954, 622, 158, 907, 335, 823, 758, 860};
    for (uint64_t i = 0; i < sizeof order / sizeof *order; i++)
        assert_int_equal(permutation_at(&p, i), order[i]);
}

static void check_permutation(uint64_t n, uint64_t seed)
{
    static bool seen[10007];
    static uint32_t filled[10007];
    const struct rng r = {.seed = seed, .purpose = RNG_SHUFFLE};
    struct permutation p;
    permutation_init(&p, &r, n);
    memset(seen, 0, sizeof seen);
    /* in two pieces, neither of a whole number of blocks */
    permutation_fill(&p, 0, n / 3, filled);
    permutation_fill(&p, n / 3, n - n / 3, filled + n / 3);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t at = permutation_at(&p, i);
        assert_true(at < n);
        assert_int_equal(filled[i], at);
        assert_false(seen[at]);
        seen[at] = true;
    }
}

static void every_permutation_is_one(void **state)
{
    (void)state;
    for (uint64_t n = 1; n <= 300; n++)
        check_permutation(n, n);
    check_permutation(10007, 1);
    check_permutation(4096, 2);
}

static void large_permutations_stay_in_range(void **state)
{
    (void)state;
    const struct rng r = {.seed = 5, .purpose = RNG_SHUFFLE};
    const uint64_t sizes[] = {UINT64_C(1) << 32, (UINT64_C(1) << 32) - 1, (UINT64_C(1) << 30) + 1};
    for (size_t k = 0; k < 3; k++) {
        struct permutation p;
        permutation_init(&p, &r, sizes[k]);
        uint32_t filled[1000];
        permutation_fill(&p, sizes[k] - 1000, 1000, filled);
        for (uint64_t i = 0; i < 1000; i++) {
            assert_true(filled[i] < sizes[k]);
            assert_int_equal(filled[i], permutation_at(&p, sizes[k] - 1000 + i));
        }
    }
}

/* Of three things all six orders come, about equally often. */
static void orders_are_spread(void **state)
{
    (void)state;
    int counts[27] = {0};
    for (uint64_t step = 0; step < 6000; step++) {
        const struct rng r = {.seed = 1, .step = step, .purpose = RNG_SHUFFLE};
        struct permutation p;
        permutation_init(&p, &r, 3);
        counts[permutation_at(&p, 0) * 9 + permutation_at(&p, 1) * 3 + permutation_at(&p, 2)]++;
    }
    const int orders[] = {5, 7, 11, 15, 19, 21};
    for (int i = 0; i < 6; i++)
        assert_near(counts[orders[i]], 1000, 0, 150);
}

/* How far counts are from even ones: chi squared, as standard deviations from what chance makes. */
static double unevenness(const double *counts, size_t cells, double expected, double freedom)
{
    double chi = 0;
    for (size_t i = 0; i < cells; i++)
        if (counts[i] >= 0)
            chi += (counts[i] - expected) * (counts[i] - expected) / expected;
    return (chi - freedom) / sqrt(2 * freedom);
}

/* Over many keys every thing comes to every place, and every pair to two neighbouring places, equally often; and so do
 * the differences of neighbours. */
static void chance_of_small_orders(void **state)
{
    (void)state;
    enum { KEYS = 10000, MOST = 40 };
    static double places[MOST * MOST], pairs[MOST * MOST], differences[MOST];
    for (uint64_t n = 4; n <= MOST; n += n < 10 ? 1 : 5) {
        memset(places, 0, sizeof places);
        memset(pairs, 0, sizeof pairs);
        memset(differences, 0, sizeof differences);
        for (uint64_t step = 0; step < KEYS; step++) {
            struct permutation p;
            uint32_t order[MOST];
            permutation_init(&p, &(struct rng){.seed = 3, .step = step, .purpose = RNG_SHUFFLE}, n);
            permutation_fill(&p, 0, n, order);
            for (size_t i = 0; i < n; i++)
                places[i * n + order[i]]++;
            for (size_t i = 0; i + 1 < n; i++)
                differences[(order[i + 1] + n - order[i]) % n]++;
            pairs[order[n / 2] * n + order[n / 2 + 1]]++;
        }
        const double d = (double)n;
        for (size_t i = 0; i < n; i++)
            pairs[i * n + i] = -1;
        differences[0] = -1;
        assert_true(unevenness(places, n * n, KEYS / d, (d - 1) * (d - 1)) < 4.5);
        assert_true(unevenness(pairs, n * n, KEYS / (d * (d - 1)), d * (d - 1) - 1) < 4.5);
        assert_true(unevenness(differences, n, KEYS, d - 2) < 4.5);
    }
}

/* Of one long order, 4096 neighbours: where they come from, their differences, and pairs of them. */
static void chance_of_long_orders(void **state)
{
    (void)state;
    enum { COUNT = 4096, KEYS = 20 };
    static const uint64_t sizes[] = {60000, 1000000, 100000007, UINT32_MAX, UINT64_C(1) << 32};
    static uint32_t order[COUNT];
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        const uint64_t n = sizes[k];
        for (uint64_t seed = 0; seed < KEYS; seed++) {
            double places[32] = {0}, differences[32] = {0}, pairs[64] = {0};
            struct permutation p;
            permutation_init(&p, &(struct rng){.seed = seed, .purpose = RNG_SHUFFLE}, n);
            permutation_fill(&p, n / 3, COUNT, order);
            for (size_t i = 0; i < COUNT; i++) {
                const uint64_t here = order[i], next = order[(i + 1) % COUNT];
                places[here * 32 / n]++;
                differences[(next + n - here) % n * 32 / n]++;
                pairs[here * 8 / n * 8 + next * 8 / n]++;
            }
            assert_true(unevenness(places, 32, COUNT / 32.0, 31) < 6.5);
            assert_true(unevenness(differences, 32, COUNT / 32.0, 31) < 6.5);
            assert_true(unevenness(pairs, 64, COUNT / 64.0, 63) < 6.5);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers),
        cmocka_unit_test(counter_words_are_as_documented),
        cmocka_unit_test(moments),
        cmocka_unit_test(bits_are_frozen),
        cmocka_unit_test(every_permutation_is_one),
        cmocka_unit_test(large_permutations_stay_in_range),
        cmocka_unit_test(orders_are_spread),
        cmocka_unit_test(chance_of_small_orders),
        cmocka_unit_test(chance_of_long_orders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
