/* A team computes every piece once, by whichever thread, and the thread that asks goes on when all are done; also when
 * there are far more threads than processors, and when members had gone to sleep. */
#include "engine/team.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
/* cmocka's header needs the others before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { PIECES_MAX = 300 };

struct work {
    int threads;
    atomic_int times[PIECES_MAX];
    atomic_int wrong;
    int plain[PIECES_MAX]; /* read by who asks, without atomics: the round is a barrier */
};

static void count(void *context, uint32_t piece, int thread)
{
    struct work *w = context;
    atomic_fetch_add_explicit(&w->times[piece], 1, memory_order_relaxed);
    w->plain[piece]++;
    if (thread < 0 || thread >= w->threads)
        atomic_fetch_add(&w->wrong, 1);
}

static void rounds(int threads, int times, int pause)
{
    struct team *t = NULL;
    struct work *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->threads = threads;
    assert_int_equal(team_new(threads, &t, NULL), ERR_ok);
    assert_int_equal(team_threads(t), threads);
    for (int round = 1; round <= times; round++) {
        const uint32_t pieces = (uint32_t)(round * 7 % PIECES_MAX);
        for (uint32_t i = 0; i < PIECES_MAX; i++)
            w->plain[i] = 0;
        team_run(t, pieces, count, w);
        for (uint32_t i = 0; i < PIECES_MAX; i++)
            assert_int_equal(w->plain[i], i < pieces);
        if (pause > 0 && round % pause == 0)
            nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    assert_int_equal(atomic_load(&w->wrong), 0);
    team_free(t);
    free(w);
}

static void every_piece_is_computed_once(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 4; threads++)
        rounds(threads, 3000, 0);
}

static void members_that_slept_wake_up(void **state)
{
    (void)state;
    rounds(3, 60, 1);
}

static void more_threads_than_processors(void **state)
{
    (void)state;
    rounds(40, 200, 50);
}

static void no_pieces(void **state)
{
    (void)state;
    struct team *t = NULL;
    assert_int_equal(team_new(2, &t, NULL), ERR_ok);
    team_run(t, 0, count, NULL);
    team_free(t);
    team_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_piece_is_computed_once),
        cmocka_unit_test(members_that_slept_wake_up),
        cmocka_unit_test(more_threads_than_processors),
        cmocka_unit_test(no_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
