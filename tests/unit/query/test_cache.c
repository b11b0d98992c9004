/* The cache: each key is made once, what is held stays, what was used longest ago goes first. */
#include "query/cache.h"
#include "support/near.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { VALUE_BYTES = 100000, THREADS = 8 };

struct made {
    int number;
};

static atomic_int alive; /* values that were made and not ended */

struct making {
    atomic_int calls;
    int fails; /* so many calls fail */
    long milliseconds;
    size_t bytes;
};

static err_code make(void *context, void **ret_value, size_t *ret_bytes, struct error *err)
{
    struct making *m = context;
    int call = atomic_fetch_add(&m->calls, 1);
    if (m->milliseconds)
        nanosleep(&(struct timespec){.tv_nsec = m->milliseconds * 1000000}, NULL);
    if (call < m->fails)
        return error_set(err, ERR_invalid_query, "call %d fails", call);
    struct made *value = malloc(sizeof *value);
    assert_non_null(value);
    value->number = call;
    atomic_fetch_add(&alive, 1);
    *ret_value = value;
    *ret_bytes = m->bytes;
    return ERR_ok;
}

static void end(void *value)
{
    atomic_fetch_sub(&alive, 1);
    free(value);
}

static struct cache *new_cache(size_t bytes)
{
    struct cache *c = NULL;
    atomic_store(&alive, 0);
    assert_int_equal(cache_new(bytes, end, &c, NULL), ERR_ok);
    return c;
}

static struct cache_entry *hold(struct cache *c, const char *key, struct making *m)
{
    struct cache_entry *e = NULL;
    assert_int_equal(cache_hold(c, key, make, m, &e, NULL), ERR_ok);
    assert_non_null(e);
    return e;
}

static int number(const struct cache_entry *e)
{
    const struct made *value = cache_value(e);
    return value->number;
}

static void a_key_is_made_once(void **state)
{
    struct making m = {.bytes = 1};
    struct cache *c = new_cache(1 << 20);
    (void)state;
    assert_false(cache_has(c, "a"));
    struct cache_entry *a = hold(c, "a", &m), *again = hold(c, "a", &m), *b = hold(c, "b", &m);
    assert_ptr_equal(a, again);
    assert_int_equal(number(a), 0);
    assert_int_equal(number(b), 1);
    assert_true(cache_has(c, "a"));
    cache_release(c, a);
    cache_release(c, again);
    cache_release(c, b);
    cache_release(c, NULL);
    cache_free(c);
    assert_int_equal(atomic_load(&alive), 0);
}

static void the_one_used_longest_ago_goes_first(void **state)
{
    struct making m = {.bytes = VALUE_BYTES};
    struct cache *c = new_cache(3 * VALUE_BYTES + VALUE_BYTES / 2);
    (void)state;
    cache_release(c, hold(c, "a", &m));
    cache_release(c, hold(c, "b", &m));
    cache_release(c, hold(c, "c", &m));
    cache_release(c, hold(c, "a", &m)); /* b is the oldest now */
    cache_release(c, hold(c, "d", &m));
    assert_true(cache_has(c, "a"));
    assert_false(cache_has(c, "b"));
    assert_true(cache_has(c, "c"));
    assert_true(cache_has(c, "d"));
    assert_int_equal(atomic_load(&alive), 3);
    cache_free(c);
    assert_int_equal(atomic_load(&alive), 0);
}

static void what_is_held_stays_over_the_bound(void **state)
{
    struct making m = {.bytes = VALUE_BYTES};
    struct cache *c = new_cache(VALUE_BYTES);
    struct cache_entry *held[4];
    char key[2] = "a";
    (void)state;
    for (int i = 0; i < 4; i++) {
        key[0] = (char)('a' + i);
        held[i] = hold(c, key, &m);
    }
    assert_int_equal(atomic_load(&alive), 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(number(held[i]), i);
    for (int i = 0; i < 4; i++)
        cache_release(c, held[i]);
    assert_int_equal(atomic_load(&alive), 0); /* each is over the bound, with its key */
    cache_free(c);
}

static void entries_count_even_if_values_say_nothing(void **state)
{
    struct making m = {.bytes = 0};
    struct cache *c = new_cache(10000);
    char key[32];
    (void)state;
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(key, sizeof key, "key %d", i);
        cache_release(c, hold(c, key, &m));
    }
    assert_true(atomic_load(&alive) > 10);
    assert_true(atomic_load(&alive) < 200);
    assert_true(cache_has(c, "key 999"));
    assert_false(cache_has(c, "key 0"));
    cache_free(c);
    assert_int_equal(atomic_load(&alive), 0);
}

static void many_keys_are_found_again(void **state)
{
    struct making m = {.bytes = 1};
    struct cache *c = new_cache(1 << 24);
    char key[32];
    (void)state;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 5000; i++) {
            (void)snprintf(key, sizeof key, "%d", i);
            struct cache_entry *e = hold(c, key, &m);
            assert_int_equal(number(e), i);
            cache_release(c, e);
        }
    }
    cache_free(c);
}

static void a_failure_is_the_makers_and_leaves_nothing(void **state)
{
    struct making m = {.bytes = 1, .fails = 1};
    struct cache *c = new_cache(1 << 20);
    struct cache_entry *e = NULL;
    struct error err = {0};
    (void)state;
    assert_int_equal(cache_hold(c, "a", make, &m, &e, &err), ERR_invalid_query);
    assert_string_equal(err.detail, "call 0 fails");
    assert_null(e);
    assert_false(cache_has(c, "a"));
    error_clear(&err);
    cache_release(c, hold(c, "a", &m));
    assert_int_equal(atomic_load(&m.calls), 2);
    cache_free(c);
}

/* ---- threads ---- */

struct asking {
    struct cache *cache;
    struct making *making;
    err_code code;
    int number;
};

static void *ask(void *context)
{
    struct asking *a = context;
    struct cache_entry *e = NULL;
    a->code = cache_hold(a->cache, "key", make, a->making, &e, NULL);
    if (a->code == ERR_ok) {
        a->number = number(e);
        cache_release(a->cache, e);
    }
    return NULL;
}

/* How many of so many at once were told ERR_ok. */
static int ask_at_once(struct cache *c, struct making *m, int ret_numbers[THREADS])
{
    pthread_t threads[THREADS];
    struct asking asking[THREADS];
    int right = 0;
    for (int i = 0; i < THREADS; i++) {
        asking[i] = (struct asking){.cache = c, .making = m};
        assert_int_equal(pthread_create(&threads[i], NULL, ask, &asking[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        if (asking[i].code == ERR_ok)
            ret_numbers[right++] = asking[i].number;
    }
    return right;
}

static void those_who_ask_at_once_wait_for_one(void **state)
{
    struct making m = {.bytes = 1, .milliseconds = 100};
    struct cache *c = new_cache(1 << 20);
    int numbers[THREADS];
    (void)state;
    assert_int_equal(ask_at_once(c, &m, numbers), THREADS);
    assert_int_equal(atomic_load(&m.calls), 1);
    cache_free(c);
}

static void those_who_waited_for_a_failure_try_themselves(void **state)
{
    struct making m = {.bytes = 1, .milliseconds = 50, .fails = 2};
    struct cache *c = new_cache(1 << 20);
    int numbers[THREADS];
    (void)state;
    int right = ask_at_once(c, &m, numbers);
    assert_int_equal(right, THREADS - 2);
    assert_int_equal(atomic_load(&m.calls), 3);
    for (int i = 0; i < right; i++)
        assert_int_equal(numbers[i], 2);
    cache_free(c);
}

static void *ask_for_many(void *context)
{
    struct asking *a = context;
    char key[16];
    for (unsigned i = 0; i < 2000; i++) {
        struct cache_entry *e = NULL;
        (void)snprintf(key, sizeof key, "%u", (i * 7919U + (unsigned)a->number * 31U) % 40U);
        a->code = cache_hold(a->cache, key, make, a->making, &e, NULL);
        if (a->code != ERR_ok || !cache_value(e))
            return NULL;
        cache_release(a->cache, e);
    }
    return NULL;
}

static void many_threads_and_a_small_bound(void **state)
{
    struct making m = {.bytes = VALUE_BYTES};
    struct cache *c = new_cache((size_t)10 * VALUE_BYTES);
    pthread_t threads[THREADS];
    struct asking asking[THREADS];
    (void)state;
    for (int i = 0; i < THREADS; i++) {
        asking[i] = (struct asking){.cache = c, .making = &m, .code = ERR_internal, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, ask_for_many, &asking[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(asking[i].code, ERR_ok);
    }
    assert_true(atomic_load(&alive) <= 10);
    cache_free(c);
    assert_int_equal(atomic_load(&alive), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_made_once),
        cmocka_unit_test(the_one_used_longest_ago_goes_first),
        cmocka_unit_test(what_is_held_stays_over_the_bound),
        cmocka_unit_test(entries_count_even_if_values_say_nothing),
        cmocka_unit_test(many_keys_are_found_again),
        cmocka_unit_test(a_failure_is_the_makers_and_leaves_nothing),
        cmocka_unit_test(those_who_ask_at_once_wait_for_one),
        cmocka_unit_test(those_who_waited_for_a_failure_try_themselves),
        cmocka_unit_test(many_threads_and_a_small_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
