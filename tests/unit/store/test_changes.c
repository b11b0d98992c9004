/* Following jobs: every change has a number of its own, in order, over restarts; the listener hears of each commit. */
#include "fixture.h"
#include <stdatomic.h>
#include <string.h>

/* The changes after a number; their count. */
static size_t changes(struct store *s, const struct change_filter *filter, int64_t after, struct job_change **ret)
{
    size_t count = 0;
    assert_code(store_job_changes(s, filter, after, 100, ret, &count, NULL), ERR_ok);
    return count;
}

static int64_t last_change(struct store *s)
{
    int64_t last = 0;
    assert_code(store_job_last_change(s, &last, NULL), ERR_ok);
    return last;
}

static void act(struct store *s, const char *id, enum job_action action)
{
    struct store_job j = {0};
    assert_code(store_job_act(s, id, action, &j, NULL), ERR_ok);
    store_job_clear(&j);
}

static void test_changes_come_in_order(void **state)
{
    struct store *s = ((struct fixture *)*state)->store;
    char ids[3][JOB_ID_MAX];
    int64_t model = put_model(s, "m", "a", false), dataset = put_dataset(s, "d", "a", 1, 0);
    assert_int_equal(last_change(s), 0);
    for (int i = 0; i < 3; i++)
        add_job(s, i + 1, model, dataset, ids[i]);
    act(s, ids[0], JOB_PAUSE);
    struct change_filter all = {0};
    struct job_change *list = NULL;
    assert_int_equal(changes(s, &all, 0, &list), 3);
    assert_string_equal(list[0].job.id, ids[1]);
    assert_string_equal(list[2].job.id, ids[0]);
    assert_int_equal(list[2].job.state, JOB_PAUSED);
    assert_true(list[0].number < list[1].number && list[1].number < list[2].number);
    assert_int_equal(list[2].number, last_change(s));
    const int64_t before = list[1].number;
    store_job_change_list_free(list, 3);
    assert_int_equal(changes(s, &all, before, &list), 1);
    store_job_change_list_free(list, 1);
    act(s, ids[1], JOB_CANCEL);
    assert_int_equal(changes(s, &(struct change_filter){.unfinished = true}, 0, &list), 2);
    store_job_change_list_free(list, 2);
    assert_int_equal(changes(s, &(struct change_filter){.job = ids[2]}, 0, &list), 1);
    assert_string_equal(list[0].job.id, ids[2]);
    store_job_change_list_free(list, 1);
}

static void test_progress_is_no_change_of_state(void **state)
{
    struct store *s = ((struct fixture *)*state)->store;
    char id[JOB_ID_MAX];
    add_running(s, id);
    const struct change_filter all = {0};
    struct job_change *list = NULL;
    assert_int_equal(changes(s, &all, 0, &list), 1);
    assert_true(list[0].of_state);
    const int64_t claimed = list[0].number;
    store_job_change_list_free(list, 1);
    const struct job_progress progress = {.epoch = 1, .step = 5};
    assert_code(store_job_advance(s, id, 1, &progress, NULL, 0, NULL), ERR_ok);
    assert_int_equal(changes(s, &all, claimed, &list), 1);
    assert_false(list[0].of_state);
    assert_int_equal(list[0].job.progress.step, 5);
    store_job_change_list_free(list, 1);
    assert_int_equal(changes(s, &all, claimed - 1, &list), 1); /* who has not seen it running */
    assert_true(list[0].of_state);
    store_job_change_list_free(list, 1);
}

static void test_numbers_are_never_used_again(void **state)
{
    struct fixture *f = *state;
    char id[JOB_ID_MAX];
    add_running(f->store, id);
    act(f->store, id, JOB_CANCEL);
    assert_code(store_job_delete(f->store, id, NULL), ERR_ok);
    const int64_t last = last_change(f->store);
    assert_true(last >= 3);
    fixture_close(f);
    fixture_open(f);
    assert_int_equal(last_change(f->store), last);
    int64_t model = put_model(f->store, "m2", "a", false), dataset = put_dataset(f->store, "d2", "a", 1, 0);
    add_job(f->store, 2, model, dataset, id);
    assert_true(last_change(f->store) > last);
}

static void hear(void *context)
{
    atomic_fetch_add((atomic_int *)context, 1);
}

static void test_the_listener_hears_of_jobs_alone(void **state)
{
    struct store *s = ((struct fixture *)*state)->store;
    char id[JOB_ID_MAX];
    atomic_int heard = 0;
    store_on_job_change(s, hear, &heard);
    int64_t model = put_model(s, "m", "a", false), dataset = put_dataset(s, "d", "a", 1, 0);
    assert_int_equal(atomic_load(&heard), 0);
    add_job(s, 1, model, dataset, id);
    assert_int_equal(atomic_load(&heard), 1); /* before the call is answered */
    act(s, id, JOB_CANCEL);
    assert_int_equal(atomic_load(&heard), 2);
    store_on_job_change(s, NULL, NULL);
    assert_code(store_job_delete(s, id, NULL), ERR_ok);
    assert_int_equal(atomic_load(&heard), 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_changes_come_in_order),
        TEST(test_progress_is_no_change_of_state),
        TEST(test_numbers_are_never_used_again),
        TEST(test_the_listener_hears_of_jobs_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
