#include "base/cores.h"
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
/* cmocka's header needs the others before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void quotas(void **state)
{
    (void)state;
    assert_int_equal(cores_of_quota("max 100000\n"), 0);
    assert_int_equal(cores_of_quota("200000 100000\n"), 2);
    assert_int_equal(cores_of_quota("150000 100000\n"), 2);
    assert_int_equal(cores_of_quota("50000 100000\n"), 1);
    assert_int_equal(cores_of_quota("-1 100000\n"), 0);
    assert_int_equal(cores_of_quota("100000\n"), 0);
    assert_int_equal(cores_of_quota("100000 0\n"), 0);
    assert_int_equal(cores_of_quota(""), 0);
    assert_true(cores_count() >= 1);
}

struct standing {
    int policy, nice;
};

static struct standing standing_now(void)
{
    return (struct standing){.policy = sched_getscheduler(0), .nice = getpriority(PRIO_PROCESS, 0)};
}

static void *tell_standing(void *ret)
{
    *(struct standing *)ret = standing_now();
    return NULL;
}

/* Tells its own standing, and that of a thread that it starts. */
static void *give_way(void *ret)
{
    struct standing *standing = ret;
    pthread_t thread;
    cores_give_way();
    standing[0] = standing_now();
    assert_int_equal(pthread_create(&thread, NULL, tell_standing, &standing[1]), 0);
    pthread_join(thread, NULL);
    return NULL;
}

static void a_thread_gives_way_with_those_it_starts(void **state)
{
    (void)state;
    const struct standing before = standing_now();
    struct standing after[2];
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, give_way, after), 0);
    pthread_join(thread, NULL);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(after[i].policy, SCHED_BATCH);
        assert_int_equal(after[i].nice, before.nice + 5 < 19 ? before.nice + 5 : 19);
    }
    const struct standing now = standing_now();
    assert_int_equal(now.policy, before.policy);
    assert_int_equal(now.nice, before.nice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(quotas),
                                       cmocka_unit_test(a_thread_gives_way_with_those_it_starts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
