/* The compute pool: order, bounds, deadlines, and its end. */
#include "base/clock.h"
#include "query/pool.h"
#include "support/near.h"
#include <pthread.h>
#include <time.h>

static void pause_for(long milliseconds)
{
    nanosleep(&(struct timespec){.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000}, NULL);
}

/* A task that is held until it is let go or cancelled. */
struct held {
    atomic_bool started, go, cancel, ended;
};

static void run_held(void *context)
{
    struct held *h = context;
    atomic_store(&h->started, true);
    while (!atomic_load(&h->go) && !atomic_load(&h->cancel))
        pause_for(1);
    atomic_store(&h->ended, true);
}

static void wait_for(const atomic_bool *flag)
{
    for (int i = 0; i < 5000 && !atomic_load(flag); i++)
        pause_for(1);
    assert_true(atomic_load(flag));
}

struct line {
    atomic_int next;
    int order[100];
};

struct place_in_line {
    struct line *line;
    int number;
};

static void run_in_line(void *context)
{
    const struct place_in_line *p = context;
    p->line->order[atomic_fetch_add(&p->line->next, 1)] = p->number;
}

static void first_come_first_served(void **state)
{
    struct pool *p = NULL;
    struct held first = {0};
    struct line line = {0};
    struct place_in_line places[100];
    (void)state;
    assert_int_equal(pool_new(1, 100, &p, NULL), ERR_ok);
    assert_int_equal(pool_submit(p, run_held, &first, &first.cancel, 0, NULL), ERR_ok);
    wait_for(&first.started);
    for (int i = 0; i < 100; i++) {
        places[i] = (struct place_in_line){&line, i};
        assert_int_equal(pool_submit(p, run_in_line, &places[i], NULL, 0, NULL), ERR_ok);
    }
    atomic_store(&first.go, true);
    pool_free(p);
    assert_int_equal(atomic_load(&line.next), 100);
    for (int i = 0; i < 100; i++)
        assert_int_equal(line.order[i], i);
}

static void a_full_queue_refuses(void **state)
{
    struct pool *p = NULL;
    struct held running = {0}, waiting[2] = {0}, refused = {0};
    struct error err = {0};
    (void)state;
    assert_int_equal(pool_new(1, 2, &p, NULL), ERR_ok);
    assert_int_equal(pool_submit(p, run_held, &running, &running.cancel, 0, NULL), ERR_ok);
    wait_for(&running.started);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pool_submit(p, run_held, &waiting[i], &waiting[i].cancel, 0, NULL), ERR_ok);
    assert_int_equal(pool_submit(p, run_held, &refused, &refused.cancel, 0, &err), ERR_too_busy);
    assert_string_equal(err.detail, "2 requests wait for the compute pool already");
    error_clear(&err);
    atomic_store(&running.go, true);
    wait_for(&waiting[0].started);
    assert_int_equal(pool_submit(p, run_held, &refused, &refused.cancel, 0, NULL), ERR_ok);
    pool_free(p);
    assert_true(atomic_load(&refused.ended));
}

static void a_deadline_cancels_what_runs_and_what_waits(void **state)
{
    struct pool *p = NULL;
    struct held patient = {0}, late = {0}, waiting = {0};
    (void)state;
    int64_t begun = clock_monotonic();
    assert_int_equal(pool_new(2, 10, &p, NULL), ERR_ok);
    assert_int_equal(pool_submit(p, run_held, &patient, &patient.cancel, 1000, NULL), ERR_ok);
    assert_int_equal(pool_submit(p, run_held, &late, &late.cancel, 1, NULL), ERR_ok);
    assert_int_equal(pool_submit(p, run_held, &waiting, &waiting.cancel, 1, NULL), ERR_ok);
    wait_for(&late.ended);
    wait_for(&waiting.ended);
    double seconds = (double)(clock_monotonic() - begun) / 1e9;
    assert_true(seconds > 0.9);
    assert_false(atomic_load(&patient.cancel));
    atomic_store(&patient.go, true);
    pool_free(p);
}

static void the_end_cancels_and_calls_everything(void **state)
{
    struct pool *p = NULL;
    struct held tasks[5] = {0};
    (void)state;
    assert_int_equal(pool_new(2, 10, &p, NULL), ERR_ok);
    for (int i = 0; i < 5; i++)
        assert_int_equal(pool_submit(p, run_held, &tasks[i], &tasks[i].cancel, i, NULL), ERR_ok);
    pool_free(p);
    for (int i = 0; i < 5; i++) {
        assert_true(atomic_load(&tasks[i].cancel));
        assert_true(atomic_load(&tasks[i].ended));
    }
    pool_free(NULL);
}

/* A task that submits another while the pool ends. */
struct late_comer {
    struct pool *pool;
    struct held task;
    atomic_bool started, cancel;
    err_code code;
};

static void run_late_comer(void *context)
{
    struct late_comer *l = context;
    atomic_store(&l->started, true);
    while (!atomic_load(&l->cancel))
        pause_for(1);
    l->code = pool_submit(l->pool, run_held, &l->task, &l->task.cancel, 0, NULL);
}

static void a_pool_that_ends_takes_nothing(void **state)
{
    struct late_comer l = {.code = ERR_ok};
    (void)state;
    assert_int_equal(pool_new(1, 10, &l.pool, NULL), ERR_ok);
    assert_int_equal(pool_submit(l.pool, run_late_comer, &l, &l.cancel, 0, NULL), ERR_ok);
    wait_for(&l.started);
    pool_free(l.pool);
    assert_int_equal(l.code, ERR_stopping);
    assert_false(atomic_load(&l.task.started));
}

struct counter {
    struct pool *pool;
    atomic_int done;
    int accepted;
};

static void count(void *context)
{
    atomic_fetch_add(&((struct counter *)context)->done, 1);
}

static void *submit_many(void *context)
{
    struct counter *c = context;
    for (int i = 0; i < 500; i++)
        c->accepted += pool_submit(c->pool, count, c, NULL, 0, NULL) == ERR_ok;
    return NULL;
}

static void many_submit_at_once(void **state)
{
    struct counter counters[4] = {0};
    pthread_t threads[4];
    struct pool *p = NULL;
    (void)state;
    assert_int_equal(pool_new(3, 50, &p, NULL), ERR_ok);
    for (int i = 0; i < 4; i++) {
        counters[i].pool = p;
        assert_int_equal(pthread_create(&threads[i], NULL, submit_many, &counters[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    pool_free(p);
    for (int i = 0; i < 4; i++)
        assert_int_equal(atomic_load(&counters[i].done), counters[i].accepted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_come_first_served),
        cmocka_unit_test(a_full_queue_refuses),
        cmocka_unit_test(a_deadline_cancels_what_runs_and_what_waits),
        cmocka_unit_test(the_end_cancels_and_calls_everything),
        cmocka_unit_test(a_pool_that_ends_takes_nothing),
        cmocka_unit_test(many_submit_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
