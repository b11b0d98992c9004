#include "fixture.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The point at step i * 10: every field is a function of i, and NaN where it may be. Scores begin late: what was
 * written before has none. */
static struct cost_point point(int64_t i)
{
    return (struct cost_point){.step = i * 10,
                               .epoch = i / 4 + 1,
                               .cost = 1 / (double)(i + 3),
                               .validation_cost = i % 4 == 3 ? (double)i : (double)NAN,
                               .learning_rate = i % 2 ? 0.1 : -0.0,
                               .gradient_norm = (double)INFINITY,
                               .time = 1000 + i,
                               .scores = {.accuracy = i > 20 && i % 4 == 3 ? 1 / (double)i : (double)NAN,
                                          .mae = i > 20 && i % 3 == 0 ? -0.0 : (double)NAN,
                                          .r2 = (double)NAN}};
}

/* Appends points from <= i < to in one call. */
static err_code append(struct store *s, const char *id, int64_t from, int64_t to)
{
    size_t count = (size_t)(to - from);
    struct cost_point *points = malloc((count + 1) * sizeof *points);
    assert_non_null(points);
    for (int64_t i = from; i < to; i++)
        points[i - from] = point(i);
    err_code code = store_job_advance(s, id, 1, &(struct job_progress){.step = to * 10}, points, count, NULL);
    free(points);
    return code;
}

static bool same_bits(double a, double b)
{
    return (isnan(a) && isnan(b)) || (a == b && !signbit(a) == !signbit(b));
}

/* All points 0 <= i < expected are there, once and in order. */
static void check_all(struct store *s, const char *id, int64_t expected)
{
    struct cost_point *points = NULL;
    size_t count, total;
    assert_code(store_job_costs(s, id, -1, SIZE_MAX, &points, &count, &total, NULL), ERR_ok);
    assert_int_equal(count, expected);
    assert_int_equal(total, expected);
    for (int64_t i = 0; i < expected; i++) {
        struct cost_point a = points[i], b = point(i);
        assert_int_equal(a.step, b.step);
        assert_int_equal(a.epoch, b.epoch);
        assert_int_equal(a.time, b.time);
        assert_true(same_bits(a.cost, b.cost) && same_bits(a.validation_cost, b.validation_cost) &&
                    same_bits(a.learning_rate, b.learning_rate) && same_bits(a.gradient_norm, b.gradient_norm));
        assert_true(same_bits(a.scores.accuracy, b.scores.accuracy) && same_bits(a.scores.mae, b.scores.mae) &&
                    same_bits(a.scores.r2, b.scores.r2));
    }
    free(points);
}

static void test_points_one_by_one(void **state)
{
    struct fixture *f = *state;
    char id[JOB_ID_MAX];
    add_running(f->store, id);
    for (int64_t i = 0; i < 600; i++)
        assert_code(append(f->store, id, i, i + 1), ERR_ok);
    check_all(f->store, id, 600);
    assert_int_equal(sql_number(f->path, "SELECT count(*) FROM cost_segment"), 3);
}

static void test_points_in_large_batches(void **state)
{
    struct fixture *f = *state;
    char id[JOB_ID_MAX];
    add_running(f->store, id);
    static const int64_t ends[] = {0, 1, 100, 100, 9000, 9001, 20000};
    for (size_t i = 1; i < sizeof ends / sizeof *ends; i++)
        assert_code(append(f->store, id, ends[i - 1], ends[i]), ERR_ok);
    check_all(f->store, id, 20000);
    assert_int_equal(sql_number(f->path, "SELECT max(count) FROM cost_segment"), 4096);
}

static void test_paging(void **state)
{
    struct store *s = ((struct fixture *)*state)->store;
    char id[JOB_ID_MAX];
    add_running(s, id);
    assert_code(append(s, id, 0, 9000), ERR_ok);
    static const struct {
        int64_t after;
        size_t limit, count;
        int64_t first;
    } cases[] = {
        {-1, 1, 1, 0},          {0, 1, 1, 10},       {5, 2, 2, 10},       {40950, 3, 3, 40960}, {40940, 3, 3, 40950},
        {89980, 100, 1, 89990}, {89990, 100, 0, -1}, {1 << 30, 5, 0, -1}, {-1, 0, 0, -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct cost_point *points = NULL;
        size_t count, total;
        assert_code(store_job_costs(s, id, cases[i].after, cases[i].limit, &points, &count, &total, NULL), ERR_ok);
        assert_int_equal(count, cases[i].count);
        assert_int_equal(total, 9000);
        if (count > 0)
            assert_int_equal(points[0].step, cases[i].first);
        free(points);
    }
    struct cost_point *points = NULL;
    size_t count, total;
    assert_code(store_job_costs(s, "no", -1, 1, &points, &count, &total, NULL), ERR_not_found);
}

/* After a restart a job records the same points again: those that are there stay as they were, with their time. */
static void test_repetition(void **state)
{
    struct fixture *f = *state;
    char id[JOB_ID_MAX];
    add_running(f->store, id);
    assert_code(append(f->store, id, 0, 5000), ERR_ok);
    assert_code(append(f->store, id, 0, 100), ERR_ok);
    assert_code(append(f->store, id, 100, 4999), ERR_ok);
    assert_code(append(f->store, id, 4000, 5100), ERR_ok);
    check_all(f->store, id, 5100);
    struct cost_point later = point(7);
    later.time = 999999;
    assert_code(store_job_advance(f->store, id, 1, &(struct job_progress){0}, &later, 1, NULL), ERR_ok);
    check_all(f->store, id, 5100);
}

/* A clock that was set back does not make a point older than those before it, in the same call or another. */
static void test_times_do_not_go_back(void **state)
{
    struct fixture *f = *state;
    char id[JOB_ID_MAX];
    add_running(f->store, id);
    const int64_t times[] = {5000, 4000, 6000, 1000, 7000}, expected[] = {5000, 5000, 6000, 6000, 7000};
    struct cost_point points[5];
    for (int64_t i = 0; i < 5; i++) {
        points[i] = point(i);
        points[i].time = times[i];
    }
    assert_code(store_job_advance(f->store, id, 1, &(struct job_progress){0}, points, 3, NULL), ERR_ok);
    assert_code(store_job_advance(f->store, id, 1, &(struct job_progress){0}, points + 3, 2, NULL), ERR_ok);
    struct cost_point *list = NULL;
    size_t count, total;
    assert_code(store_job_costs(f->store, id, -1, SIZE_MAX, &list, &count, &total, NULL), ERR_ok);
    assert_int_equal(count, 5);
    for (int64_t i = 0; i < 5; i++)
        assert_int_equal(list[i].time, expected[i]);
    free(list);
}

/* From every point on: also from the last one of a segment. */
static void test_repetition_from_anywhere(void **state)
{
    struct fixture *f = *state;
    char id[JOB_ID_MAX];
    add_running(f->store, id);
    for (int64_t i = 0; i < 300; i++)
        assert_code(append(f->store, id, i, i + 1), ERR_ok);
    for (int64_t i = 250; i < 260; i++)
        assert_code(append(f->store, id, i, 300), ERR_ok);
    check_all(f->store, id, 300);
}

static void change_step(struct cost_point *p)
{
    p->step++; /* a step that was not recorded */
}

static void change_epoch(struct cost_point *p)
{
    p->epoch++;
}

static void change_cost(struct cost_point *p)
{
    p->cost = nextafter(p->cost, 1);
}

static void change_validation_cost(struct cost_point *p)
{
    p->validation_cost = 0;
}

static void change_learning_rate(struct cost_point *p)
{
    p->learning_rate = -p->learning_rate; /* -0 is not 0 */
}

static void change_gradient_norm(struct cost_point *p)
{
    p->gradient_norm = (double)NAN;
}

static void change_score(struct cost_point *p)
{
    p->scores.r2 = 0.5;
}

static void test_broken_determinism(void **state)
{
    struct store *s = ((struct fixture *)*state)->store;
    char id[JOB_ID_MAX];
    add_running(s, id);
    assert_code(append(s, id, 0, 10), ERR_ok);
    static void (*const changes[])(struct cost_point *) = {
        change_step,          change_epoch,           change_cost, change_learning_rate,
        change_gradient_norm, change_validation_cost, change_score};
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct cost_point points[2] = {point(4), point(10)};
        changes[i](&points[0]);
        struct error err = {0};
        assert_code(store_job_advance(s, id, 1, &(struct job_progress){.step = 100}, points, 2, &err), ERR_internal);
        assert_non_null(strstr(err.detail, "determinism"));
        error_clear(&err);
    }
    check_all(s, id, 10);
    assert_code(append(s, id, 10, 11), ERR_ok);
}

static void test_order(void **state)
{
    struct store *s = ((struct fixture *)*state)->store;
    char id[JOB_ID_MAX];
    add_running(s, id);
    struct job_progress p = {0};
    struct cost_point twice[2] = {point(1), point(1)}, back[2] = {point(2), point(1)}, negative = point(0);
    negative.step = -1;
    assert_code(store_job_advance(s, id, 1, &p, twice, 2, NULL), ERR_internal);
    assert_code(store_job_advance(s, id, 1, &p, back, 2, NULL), ERR_internal);
    assert_code(store_job_advance(s, id, 1, &p, &negative, 1, NULL), ERR_internal);
    check_all(s, id, 0);
}

static void test_jobs_do_not_mix(void **state)
{
    struct fixture *f = *state;
    char id[JOB_ID_MAX], other[JOB_ID_MAX];
    add_running(f->store, id);
    struct store_job j = {0};
    bool found;
    assert_code(store_job_get(f->store, id, &j, NULL), ERR_ok);
    add_job(f->store, 2, j.model_id, j.dataset_id, other);
    store_job_clear(&j);
    assert_code(store_job_claim(f->store, INT64_MAX, &j, &found, NULL), ERR_ok);
    store_job_clear(&j);
    assert_code(append(f->store, id, 0, 300), ERR_ok);
    assert_code(append(f->store, other, 0, 10), ERR_ok);
    assert_code(append(f->store, id, 300, 310), ERR_ok);
    check_all(f->store, id, 310);
    check_all(f->store, other, 10);
    assert_code(store_job_act(f->store, id, JOB_CANCEL, &j, NULL), ERR_ok);
    store_job_clear(&j);
    assert_code(store_job_delete(f->store, id, NULL), ERR_ok);
    check_all(f->store, other, 10);
    assert_int_equal(sql_number(f->path, "SELECT count(*) FROM cost_segment"), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_points_one_by_one), TEST(test_points_in_large_batches),  TEST(test_paging),
        TEST(test_repetition),        TEST(test_broken_determinism),       TEST(test_order),
        TEST(test_jobs_do_not_mix),   TEST(test_repetition_from_anywhere), TEST(test_times_do_not_go_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
