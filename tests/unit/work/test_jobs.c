/* Whole jobs, from their submission to their end: digests, points, cancel, pause, stops, failures, and a store that
 * refuses for a while. */
#include "base/clock.h"
#include "house.h"
#include "work/bind.h"
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char spec_short[] = "lesson table 6 16 0.05 0.2 0";
static const char spec_long[] = "lesson table 3000 4 0.01 0.2 0"; /* some hundred thousand steps */
static const char spec_endless[] = "lesson table 900000 1 0.001 0 0";

struct points {
    struct cost_point *items;
    size_t count;
};

static struct points points_of(struct house *h, const char *id)
{
    struct error err = {0};
    struct points p = {0};
    size_t total = 0;
    assert_ok(store_job_costs(h->small.store, id, 0, 1000000, &p.items, &p.count, &total, &err), &err);
    assert_int_equal(p.count, total);
    return p;
}

/* What the bare trainer makes of a spec: its digest, and its points where they are wanted. */
static void train_bare(struct house *h, const char *text, char ret_digest[DIGEST_TEXT_MAX], struct points *ret)
{
    struct error err = {0};
    struct job_spec spec = {0};
    struct held_model model = {0};
    struct held_version start = {0};
    struct held_table table = {0};
    struct bindings bindings = {0};
    struct bound_data data = {0};
    uint32_t *order = NULL;
    size_t training = 0;
    struct trainer *t = NULL;
    assert_ok(house_decode_job(text, &spec, &err), &err);
    assert_ok(catalog_hold_model(h->catalog, "lesson", &model, &err), &err);
    assert_ok(catalog_hold_version(h->catalog, &model, 1, &start, &err), &err);
    assert_ok(catalog_hold_table(h->catalog, "table", &table, &err), &err);
    assert_ok(bindings_make(model.model, &spec, &table.table->info, &bindings, &err), &err);
    assert_ok(train_split(&spec.train, (size_t)table.table->info.rows, NULL, &order, &training, &err), &err);
    assert_ok(bind_data(model.model, &bindings, table.table, NULL, order, training, &data, &err), &err);
    assert_ok(trainer_new(model.model, &spec.train, &data.data, start.parameters, &t, &err), &err);
    *ret = (struct points){.items = calloc(100000, sizeof *ret->items)};
    assert_non_null(ret->items);
    while (!trainer_finished(t)) {
        struct train_point p;
        bool has_point = false;
        assert_ok(trainer_advance(t, 1000, NULL, &p, &has_point, &err), &err);
        if (has_point)
            ret->items[ret->count++] =
                (struct cost_point){.step = p.step, .cost = p.cost, .validation_cost = p.validation_cost};
    }
    tensors_digest(trainer_parameters(t), model.model->parameter_count, ret_digest);
    trainer_free(t);
    bound_data_clear(&data);
    bindings_clear(&bindings);
    free(order);
    catalog_release_table(h->catalog, &table);
    catalog_release_version(h->catalog, &start);
    catalog_release_model(h->catalog, &model);
    job_spec_clear(&spec);
}

/* The job has succeeded, with the bits of the bare trainer. */
static void assert_as_bare(struct house *h, const char *id, const char *text)
{
    char digest[DIGEST_TEXT_MAX];
    struct points bare, points = points_of(h, id);
    train_bare(h, text, digest, &bare);
    struct store_job job = house_job(h, id);
    assert_string_equal(job.digest, digest);
    assert_int_equal(points.count, bare.count);
    for (size_t i = 0; i < points.count; i++) {
        assert_int_equal(points.items[i].step, bare.items[i].step);
        assert_same(points.items[i].cost, bare.items[i].cost);
        assert_same(points.items[i].validation_cost, bare.items[i].validation_cost);
    }
    store_job_clear(&job);
    free(points.items);
    free(bare.items);
}

static void act(struct house *h, const char *id, enum job_action action, err_code expected)
{
    struct store_job job = {0};
    assert_int_equal(work_act(h->work, id, action, &job, NULL), expected);
    store_job_clear(&job);
}

/* ---- to the end ---- */

static void a_job_makes_a_version(void **state)
{
    struct house h;
    char id[UUID_TEXT_MAX];
    (void)state;
    house_begin(&h, 2);
    house_submit(&h, spec_short, id);
    struct store_job job = house_wait(&h, id, JOB_SUCCEEDED);
    assert_int_equal(job.version, 2);
    assert_int_equal(job.progress.epoch, 6);
    assert_int_equal(job.progress.step, job.steps);
    assert_int_equal(job.steps, 6 * 3);
    assert_int_equal(job.attempts, 1);
    assert_true(job.finished_at >= job.started_at && job.started_at >= job.created_at);
    assert_true(job.memory_bytes > 0);
    assert_true(job.progress.samples_per_second > 0);
    struct points points = points_of(&h, id);
    assert_int_equal(points.count, 6);
    double best = INFINITY;
    for (size_t i = 0; i < 6; i++)
        best = fmin(best, points.items[i].validation_cost);
    assert_same(job.progress.best_cost, best);
    assert_same(job.progress.cost, points.items[5].cost);
    assert_same(job.progress.validation_cost, points.items[5].validation_cost);
    assert_true(points.items[5].cost < points.items[0].cost);
    assert_int_equal(points.items[5].epoch, 6);
    free(points.items);

    struct error err = {0};
    struct held_model model = {0};
    struct held_version version = {0};
    assert_ok(catalog_hold_model(h.catalog, "lesson", &model, &err), &err);
    assert_int_equal(model.record.version, 2);
    assert_ok(catalog_hold_version(h.catalog, &model, 0, &version, &err), &err);
    assert_string_equal(version.record->digest, job.digest);
    assert_string_equal(version.record->job, id);
    assert_int_equal(version.record->epoch, 6);
    assert_int_equal(version.record->step, 18);
    assert_same(version.record->cost, job.progress.cost);
    assert_int_equal(version.transform_count, 2);
    assert_string_equal(version.transforms[0].input, "X");
    assert_int_equal(version.transforms[0].column_count, 4);
    catalog_release_version(h.catalog, &version);
    catalog_release_model(h.catalog, &model);
    store_job_clear(&job);
    assert_as_bare(&h, id, spec_short);
    house_end(&h);
}

static void digests_do_not_depend_on_the_workers(void **state)
{
    char digests[2][3][DIGEST_TEXT_MAX];
    (void)state;
    for (int workers = 1; workers <= 2; workers++) {
        struct house h;
        char ids[3][UUID_TEXT_MAX];
        house_begin(&h, workers);
        struct job_spec spec = {0};
        for (int i = 0; i < 3; i++) {
            struct store_job job = {0};
            bool repeated;
            assert_int_equal(house_decode_job(spec_short, &spec, NULL), ERR_ok);
            spec.from_version = 1;
            assert_int_equal(work_submit(h.work, &spec, spec_short, NULL, &job, &repeated, NULL), ERR_ok);
            assert_int_equal(job.from_version, 1);
            (void)snprintf(ids[i], UUID_TEXT_MAX, "%s", job.id);
            store_job_clear(&job);
            job_spec_clear(&spec);
        }
        for (int i = 0; i < 3; i++) {
            struct store_job job = house_wait(&h, ids[i], JOB_SUCCEEDED);
            (void)snprintf(digests[workers - 1][i], DIGEST_TEXT_MAX, "%s", job.digest);
            store_job_clear(&job);
        }
        house_end(&h);
    }
    for (int i = 0; i < 3; i++) {
        assert_string_equal(digests[0][i], digests[0][0]);
        assert_string_equal(digests[1][i], digests[0][0]);
    }
}

static void between_epochs_the_cost_is_the_last_epochs(void **state)
{
    struct house h;
    char id[UUID_TEXT_MAX];
    (void)state;
    house_begin(&h, 1);
    house_submit(&h, "lesson table 2 7 0.05 0 2", id); /* 9 steps an epoch */
    struct store_job job = house_wait(&h, id, JOB_SUCCEEDED);
    struct points points = points_of(&h, id);
    assert_int_equal(points.count, 5 + 5); /* 2 4 6 8 9, 10 12 14 16 18 */
    double sum = points.items[9].cost * (7 + 4);
    for (size_t i = 5; i < 9; i++)
        sum += points.items[i].cost * (i == 5 ? 7 : 14);
    assert_near(job.progress.cost, sum / 60, 1e-12, 0);
    assert_true(isnan(job.progress.validation_cost));
    assert_true(job.progress.best_cost <= job.progress.cost);
    free(points.items);
    store_job_clear(&job);
    house_end(&h);
}

/* ---- stopped on the way ---- */

/* Starts a job that would last for hours, cancels it, and answers how many nanoseconds its worker still had it. */
static int64_t time_of_cancelling(struct house *h)
{
    char id[UUID_TEXT_MAX];
    struct job_progress progress;
    house_submit(h, spec_endless, id);
    house_wait_for_step(h, id, 1, 100);
    act(h, id, JOB_CANCEL, ERR_ok);
    int64_t begun = clock_monotonic();
    while (work_board(h->work, id, 1, &progress))
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    int64_t took = clock_monotonic() - begun;
    struct store_job job = house_job(h, id);
    assert_int_equal(job.state, JOB_CANCELLED);
    assert_int_equal(job.version, 0);
    store_job_clear(&job);
    act(h, id, JOB_CANCEL, ERR_wrong_state);
    return took;
}

/* A worker that was not told would learn it at its next write, 400 ms after it began. */
static void cancel_takes_effect_within_a_step(void **state)
{
    struct house h;
    char id[UUID_TEXT_MAX];
    int64_t least = INT64_MAX;
    (void)state;
    house_begin(&h, 1);
    for (int i = 0; i < 5; i++) {
        int64_t took = time_of_cancelling(&h);
        least = took < least ? took : least;
    }
    assert_true(least < INT64_C(150000000));
    house_submit(&h, spec_short, id); /* the only worker is free */
    struct store_job job = house_wait(&h, id, JOB_SUCCEEDED);
    store_job_clear(&job);
    house_end(&h);
}

/* Two jobs that do not fit together run one after the other, though there is a worker for each. */
static void jobs_wait_for_memory(void **state)
{
    struct house h;
    char first[UUID_TEXT_MAX], second[UUID_TEXT_MAX];
    (void)state;
    house_begin(&h, 2);
    house_submit(&h, spec_endless, first);
    house_wait_for_step(&h, first, 1, 1);
    struct store_job job = house_job(&h, first);
    assert_true(job.memory_bytes > 0 && job.data_bytes > 0);
    h.small.limits.memory_bytes = 2 * (job.memory_bytes + job.data_bytes) - 1;
    store_job_clear(&job);
    house_submit(&h, spec_short, second);
    nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
    job = house_job(&h, second);
    assert_int_equal(job.state, JOB_QUEUED);
    store_job_clear(&job);
    act(&h, first, JOB_CANCEL, ERR_ok);
    job = house_wait(&h, second, JOB_SUCCEEDED);
    store_job_clear(&job);
    house_end(&h);
}

/* What was trained before the pause is not lost, however soon it is resumed. */
static void a_resume_waits_for_the_checkpoint(void **state)
{
    struct house h;
    char id[UUID_TEXT_MAX];
    struct error err = {0};
    struct job_progress before = {0};
    struct store_checkpoint checkpoint = {0};
    bool found = false;
    (void)state;
    house_begin(&h, 2);
    house_submit(&h, spec_endless, id);
    house_wait_for_step(&h, id, 1, 1000);
    for (int64_t attempt = 1; attempt <= 5; attempt++) {
        house_wait_for_step(&h, id, attempt, before.step + 1);
        assert_true(work_board(h.work, id, attempt, &before));
        act(&h, id, JOB_PAUSE, ERR_ok);
        act(&h, id, JOB_RESUME, ERR_ok);
        assert_ok(store_checkpoint_newest(h.small.store, id, &checkpoint, &found, &err), &err);
        assert_true(found && checkpoint.progress.step >= before.step);
        store_checkpoint_clear(&checkpoint);
    }
    act(&h, id, JOB_CANCEL, ERR_ok);
    act(&h, id, JOB_RESUME, ERR_wrong_state);
    house_end(&h);
}

static void a_paused_job_ends_with_the_same_bits(void **state)
{
    struct house h;
    char id[UUID_TEXT_MAX];
    (void)state;
    house_begin(&h, 2);
    house_submit(&h, spec_long, id);
    house_wait_for_step(&h, id, 1, 1000);
    act(&h, id, JOB_PAUSE, ERR_ok);
    act(&h, id, JOB_PAUSE, ERR_wrong_state);
    act(&h, id, JOB_RESUME, ERR_ok);
    struct store_job job = house_wait(&h, id, JOB_SUCCEEDED);
    assert_int_equal(job.attempts, 2);
    store_job_clear(&job);
    assert_as_bare(&h, id, spec_long);
    house_end(&h);
}

static void a_stop_puts_jobs_back_and_they_end_with_the_same_bits(void **state)
{
    struct house h;
    char id[UUID_TEXT_MAX];
    (void)state;
    house_begin(&h, 1);
    house_submit(&h, spec_long, id);
    house_wait_for_step(&h, id, 1, 2000);
    int64_t begun = clock_monotonic();
    house_stop(&h);
    assert_true(clock_monotonic() - begun < INT64_C(2000000000));
    struct store_job job = house_job(&h, id);
    assert_int_equal(job.state, JOB_QUEUED);
    assert_true(job.progress.step >= 2000);
    store_job_clear(&job);
    struct points before = points_of(&h, id);
    assert_true(before.count > 0);
    house_reopen(&h);
    house_start(&h, 2);
    job = house_wait(&h, id, JOB_SUCCEEDED);
    assert_int_equal(job.attempts, 2);
    store_job_clear(&job);
    struct points after = points_of(&h, id);
    assert_true(after.count >= before.count);
    for (size_t i = 0; i < before.count; i++) {
        assert_same(after.items[i].cost, before.items[i].cost);
        assert_int_equal(after.items[i].time, before.items[i].time);
    }
    free(before.items);
    free(after.items);
    assert_as_bare(&h, id, spec_long);
    house_end(&h);
}

/* ---- failures ---- */

/* Marks the newest checkpoint of a job that is queued, by a best cost that training never comes to. */
static void mark_checkpoint(struct store *s, const char *id)
{
    struct store_checkpoint c = {0};
    struct store_job job = {0};
    bool found = false;
    assert_int_equal(store_checkpoint_newest(s, id, &c, &found, NULL), ERR_ok);
    assert_true(found && c.progress.step > 0);
    assert_int_equal(store_job_claim(s, INT64_MAX, &job, &found, NULL), ERR_ok);
    assert_string_equal(job.id, id);
    c.progress.best_cost = -7;
    assert_int_equal(store_job_checkpoint(s, id, job.attempts, &c, 1, NULL, 0, NULL), ERR_ok);
    struct job_end end = {.state = JOB_QUEUED};
    assert_int_equal(store_job_finish(s, id, job.attempts, &end, NULL), ERR_ok);
    store_job_clear(&job);
    store_checkpoint_clear(&c);
}

static void a_job_goes_on_from_its_checkpoint(void **state)
{
    struct house h;
    char id[UUID_TEXT_MAX];
    (void)state;
    house_begin(&h, 1);
    house_submit(&h, spec_long, id);
    house_wait_for_step(&h, id, 1, 2000);
    house_stop(&h);
    house_reopen(&h);
    mark_checkpoint(h.small.store, id);
    house_start(&h, 1);
    struct store_job job = house_wait(&h, id, JOB_SUCCEEDED);
    assert_int_equal(job.attempts, 3);
    assert_true(job.progress.best_cost == -7);
    store_job_clear(&job);
    assert_as_bare(&h, id, spec_long);
    house_end(&h);
}

static void a_job_that_diverges_names_the_node(void **state)
{
    struct house h;
    char id[UUID_TEXT_MAX];
    (void)state;
    house_begin(&h, 1);
    house_submit(&h, "lesson table 50 16 1e30 0.2 0", id);
    struct store_job job = house_wait(&h, id, JOB_FAILED);
    assert_string_equal(job.error_code, "nonfinite");
    assert_non_null(strstr(job.error_detail, "step "));
    assert_non_null(strstr(job.error_detail, "node '"));
    assert_int_equal(job.version, 0);
    assert_true(job.finished_at > 0);
    store_job_clear(&job);
    house_end(&h);
}

/* Points that an earlier attempt cannot have written fail the job; it does not stay in `running`. */
static void points_that_differ_fail_the_job(void **state)
{
    struct house h;
    char id[UUID_TEXT_MAX];
    (void)state;
    house_begin(&h, 1);
    house_stop(&h);
    house_start(&h, 0);
    house_submit(&h, spec_short, id);
    struct store_job job = {0};
    bool found = false;
    assert_int_equal(store_job_claim(h.small.store, INT64_MAX, &job, &found, NULL), ERR_ok);
    const struct cost_point wrong = {.step = 3, .epoch = 1, .cost = 12345};
    const struct job_progress progress = {.step = 3, .epoch = 1};
    assert_int_equal(store_job_advance(h.small.store, id, 1, &progress, &wrong, 1, NULL), ERR_ok);
    store_job_clear(&job);
    house_reopen(&h);
    house_start(&h, 1);
    job = house_wait(&h, id, JOB_FAILED);
    assert_string_equal(job.error_code, "internal");
    store_job_clear(&job);
    house_end(&h);
}

/* Another program keeps the file locked for longer than the store waits. */
static void a_store_that_refuses_is_outlasted(void **state)
{
    struct house h;
    char id[UUID_TEXT_MAX];
    sqlite3 *db = NULL;
    (void)state;
    house_begin(&h, 1);
    house_submit(&h, spec_long, id);
    house_wait_for_step(&h, id, 1, 500);
    assert_int_equal(sqlite3_open_v2(h.small.path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_busy_timeout(db, 5000), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    nanosleep(&(struct timespec){.tv_sec = 6, .tv_nsec = 500000000}, NULL);
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    struct store_job job = house_wait(&h, id, JOB_SUCCEEDED);
    assert_int_equal(job.attempts, 1);
    store_job_clear(&job);
    assert_as_bare(&h, id, spec_long);
    house_end(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_makes_a_version),
        cmocka_unit_test(digests_do_not_depend_on_the_workers),
        cmocka_unit_test(between_epochs_the_cost_is_the_last_epochs),
        cmocka_unit_test(cancel_takes_effect_within_a_step),
        cmocka_unit_test(jobs_wait_for_memory),
        cmocka_unit_test(a_resume_waits_for_the_checkpoint),
        cmocka_unit_test(a_paused_job_ends_with_the_same_bits),
        cmocka_unit_test(a_stop_puts_jobs_back_and_they_end_with_the_same_bits),
        cmocka_unit_test(a_job_goes_on_from_its_checkpoint),
        cmocka_unit_test(a_job_that_diverges_names_the_node),
        cmocka_unit_test(points_that_differ_fail_the_job),
        cmocka_unit_test(a_store_that_refuses_is_outlasted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
