#include "fixture.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static err_code save(struct store *s, const char *id, int64_t attempt, int64_t step, double cost, size_t size,
                     size_t keep)
{
    unsigned char *state = malloc(size);
    assert_non_null(state);
    for (size_t i = 0; i < size; i++)
        state[i] = dataset_byte(i, (unsigned)step);
    struct store_checkpoint c = {.progress = {.step = step,
                                              .epoch = step / 10,
                                              .cost = cost,
                                              .best_cost = cost,
                                              .validation_cost = (double)NAN,
                                              .samples_per_second = (double)NAN,
                                              .scores = {.accuracy = cost / 8, .mae = (double)NAN, .r2 = 0}},
                                 .state = state,
                                 .size = size};
    struct cost_point point = {.step = step, .epoch = 1, .cost = cost, .time = step};
    err_code code = store_job_checkpoint(s, id, attempt, &c, keep, &point, 1, NULL);
    free(state);
    return code;
}

static void act(struct store *s, const char *id, enum job_action action)
{
    struct store_job j = {0};
    assert_code(store_job_act(s, id, action, &j, NULL), ERR_ok);
    store_job_clear(&j);
}

/* The newest one is of this step (-1: there is none), whole. */
static void assert_newest(struct store *s, const char *id, int64_t step, size_t size)
{
    struct store_checkpoint c = {0};
    bool found;
    assert_code(store_checkpoint_newest(s, id, &c, &found, NULL), ERR_ok);
    assert_int_equal(found ? c.progress.step : -1, step);
    assert_int_equal(c.size, size);
    for (size_t i = 0; i < c.size; i++)
        assert_int_equal(((unsigned char *)c.state)[i], dataset_byte(i, (unsigned)step));
    if (found) {
        assert_int_equal(c.progress.epoch, step / 10);
        assert_true(c.progress.scores.accuracy == c.progress.cost / 8 && isnan(c.progress.scores.mae));
        assert_true(c.progress.cost == c.progress.best_cost && isnan(c.progress.validation_cost));
    }
    store_checkpoint_clear(&c);
}

static void test_newest_is_read_back(void **state)
{
    struct fixture *f = *state;
    char id[JOB_ID_MAX];
    size_t size = (2U << 20) + 5; /* three parts */
    add_running(f->store, id);
    assert_newest(f->store, id, -1, 0);
    assert_code(save(f->store, id, 1, 10, 3, size, 2), ERR_ok);
    assert_code(save(f->store, id, 1, 20, 2, 7, 2), ERR_ok);
    assert_code(save(f->store, id, 1, 20, 2, size, 2), ERR_ok); /* again, in the place of the first */
    fixture_close(f);
    fixture_open(f);
    assert_newest(f->store, id, 20, size);
    assert_int_equal(sql_number(f->path, "SELECT count(*) FROM checkpoint_chunk"), 6);
}

static void test_checkpoint_of_a_step(void **state)
{
    struct store *s = ((struct fixture *)*state)->store;
    char id[JOB_ID_MAX];
    struct store_checkpoint c = {0};
    struct error err = {0};
    add_running(s, id);
    assert_code(store_checkpoint_get(s, id, 10, &c, &err), ERR_not_found);
    assert_string_equal(err.detail, "the job keeps no checkpoint of step 10");
    error_clear(&err);
    assert_code(save(s, id, 1, 10, 3, 8, 2), ERR_ok);
    assert_code(save(s, id, 1, 20, 2, 9, 2), ERR_ok);
    assert_code(store_checkpoint_get(s, id, 10, &c, NULL), ERR_ok);
    assert_true(c.progress.step == 10 && c.size == 8);
    store_checkpoint_clear(&c);
    assert_code(store_checkpoint_get(s, id, 15, &c, &err), ERR_not_found);
    assert_string_equal(err.detail, "the job keeps no checkpoint of step 15, but of steps 10, 20");
    error_clear(&err);
}

static void test_prune_keeps_the_newest_and_the_best(void **state)
{
    struct fixture *f = *state;
    char id[JOB_ID_MAX];
    add_running(f->store, id);
    for (int64_t step = 1; step <= 6; step++)
        assert_code(save(f->store, id, 1, step, step == 2 ? 1 : 5, 8, 2), ERR_ok);
    assert_int_equal(sql_number(f->path, "SELECT sum(1 << step) FROM checkpoint"), 1 << 2 | 1 << 5 | 1 << 6);
    assert_int_equal(sql_number(f->path, "SELECT count(*) FROM checkpoint_chunk"), 3);
    act(f->store, id, JOB_CANCEL);
    assert_code(store_job_delete(f->store, id, NULL), ERR_ok);
    assert_int_equal(sql_number(f->path, "SELECT count(*) FROM checkpoint_chunk"), 0);
}

static void test_only_its_attempt_writes(void **state)
{
    struct fixture *f = *state;
    char id[JOB_ID_MAX];
    struct store_job j = {0};
    bool found;
    add_running(f->store, id);
    assert_code(save(f->store, id, 2, 1, 1, 8, 1), ERR_superseded);
    act(f->store, id, JOB_PAUSE);
    assert_code(save(f->store, id, 1, 5, 1, 8, 1), ERR_ok);
    act(f->store, id, JOB_RESUME);
    assert_code(save(f->store, id, 1, 6, 1, 8, 1), ERR_superseded);
    assert_code(store_job_claim(f->store, INT64_MAX, &j, &found, NULL), ERR_ok);
    store_job_clear(&j);
    assert_code(save(f->store, id, 1, 7, 1, 8, 1), ERR_superseded);
    assert_newest(f->store, id, 5, 8);
    assert_int_equal(sql_number(f->path, "SELECT count(*) FROM cost_segment WHERE last_step > 5"), 0);
}

static void test_points_and_checkpoint_are_one(void **state)
{
    struct fixture *f = *state;
    char id[JOB_ID_MAX];
    add_running(f->store, id);
    assert_code(save(f->store, id, 1, 5, 1, 8, 9), ERR_ok);
    assert_code(save(f->store, id, 1, 5, 2, 16, 9), ERR_internal); /* its point is another one */
    assert_newest(f->store, id, 5, 8);
}

static void test_damage_is_seen(void **state)
{
    struct fixture *f = *state;
    char id[JOB_ID_MAX];
    struct store_checkpoint c = {0};
    bool found;
    add_running(f->store, id);
    assert_code(save(f->store, id, 1, 5, 1, 8, 1), ERR_ok);
    (void)sql_number(f->path, "UPDATE checkpoint_chunk SET bytes = zeroblob(8)");
    assert_code(store_checkpoint_newest(f->store, id, &c, &found, NULL), ERR_database_failed);
}

static void test_the_file_does_not_grow(void **state)
{
    struct fixture *f = *state;
    char id[JOB_ID_MAX];
    int64_t pages = 0;
    add_running(f->store, id);
    for (int64_t step = 1; step <= 400; step++) {
        assert_code(save(f->store, id, 1, step, 1 / (double)step, 20000, 2), ERR_ok);
        if (step == 20)
            pages = sql_number(f->path, "PRAGMA page_count");
    }
    assert_true(sql_number(f->path, "PRAGMA page_count") <= pages + 10); /* the points' */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_newest_is_read_back),
        TEST(test_checkpoint_of_a_step),
        TEST(test_prune_keeps_the_newest_and_the_best),
        TEST(test_only_its_attempt_writes),
        TEST(test_points_and_checkpoint_are_one),
        TEST(test_damage_is_seen),
        TEST(test_the_file_does_not_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
