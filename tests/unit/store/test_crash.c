/* A process that is killed while it writes: what it was told is done is there afterwards, and nothing is half there. */
#include "fixture.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 12, CHUNK = 300000, JOB_NUMBER = 1 };

/* What the child tells after each thing that the store has acknowledged. */
struct told {
    int64_t version; /* that was added */
    int64_t step;    /* that was recorded */
    int64_t dataset; /* the number of the data set that was published */
};

/* Versions, points and data sets, over and over, until it is killed. A version's parameters are its number, over and
 * over. */
static void write_forever(struct store *s, int64_t model_id, struct told told, int channel)
{
    int64_t *numbers = malloc(CHUNK * sizeof *numbers);
    char id[JOB_ID_MAX];
    (void)job_id(JOB_NUMBER, id);
    struct store_job j = {0};
    bool found = false;
    if (!numbers || store_job_claim(s, INT64_MAX, &j, &found, NULL) != ERR_ok || !found)
        _exit(3);
    for (;;) {
        for (size_t i = 0; i < CHUNK; i++)
            numbers[i] = told.version + 1;
        struct store_version v = {.model_id = model_id, .digest = "d"};
        if (store_version_add(s, &v, numbers, CHUNK * sizeof *numbers, &told.version, NULL) != ERR_ok)
            _exit(4);
        (void)!write(channel, &told, sizeof told);
        struct cost_point points[3] = {{.step = told.step + 1}, {.step = told.step + 2}, {.step = told.step + 3}};
        struct job_progress p = {.step = told.step + 3};
        if (store_job_advance(s, id, j.attempts, &p, points, 3, NULL) != ERR_ok)
            _exit(5);
        told.step += 3;
        (void)!write(channel, &told, sizeof told);
        char digest[32];
        (void)snprintf(digest, sizeof digest, "%lld", (long long)told.dataset + 1);
        (void)put_dataset(s, "changing", digest, 1500000, (unsigned)(told.dataset + 1));
        told.dataset++;
        (void)!write(channel, &told, sizeof told);
    }
}

static struct told run_and_kill(struct fixture *f, int64_t model_id, struct told before, long milliseconds)
{
    int channel[2];
    assert_int_equal(pipe(channel), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct store *s = NULL;
        (void)close(channel[0]);
        if (store_open(f->path, &s, NULL) != ERR_ok)
            _exit(2);
        write_forever(s, model_id, before, channel[1]);
    }
    (void)close(channel[1]);
    struct told next;
    bool first = read(channel[0], &next, sizeof next) == (ssize_t)sizeof next; /* it is at work */
    struct timespec pause = {.tv_nsec = milliseconds * 1000000};
    (void)nanosleep(&pause, NULL);
    int status = 0;
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status)); /* and did not end by itself */
    assert_true(first);
    struct told told = next;
    while (read(channel[0], &next, sizeof next) == (ssize_t)sizeof next)
        told = next;
    (void)close(channel[0]);
    return told;
}

/* The store has at least what was told, and at most one thing more. Hands over what it has. */
static struct told check(struct fixture *f, int64_t model_id, struct told told)
{
    struct told has = {0};
    struct store_version v = {0};
    assert_code(store_version_get(f->store, model_id, 0, &v, NULL), ERR_ok);
    has.version = v.version;
    store_version_clear(&v);
    assert_true(has.version == told.version || has.version == told.version + 1);
    int64_t *numbers = malloc(CHUNK * sizeof *numbers);
    assert_non_null(numbers);
    assert_code(store_version_parameters(f->store, model_id, has.version, numbers, CHUNK * sizeof *numbers, NULL),
                ERR_ok);
    for (size_t i = 0; i < CHUNK; i++)
        assert_true(numbers[i] == has.version);
    free(numbers);

    char id[JOB_ID_MAX];
    struct cost_point *points = NULL;
    size_t count, total;
    assert_code(store_job_costs(f->store, job_id(JOB_NUMBER, id), 0, SIZE_MAX, &points, &count, &total, NULL), ERR_ok);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(points[i].step, i + 1);
    free(points);
    has.step = (int64_t)count;
    assert_true(has.step == told.step || has.step == told.step + 3);
    struct store_job j = {0};
    assert_code(store_job_get(f->store, id, &j, NULL), ERR_ok);
    assert_int_equal(j.state, JOB_QUEUED); /* nobody runs it now */
    assert_int_equal(j.progress.step, has.step);
    store_job_clear(&j);

    struct store_dataset d = {0};
    assert_code(store_dataset_get(f->store, "changing", &d, NULL), ERR_ok);
    has.dataset = strtoll(d.digest, NULL, 10);
    assert_true(has.dataset == told.dataset || has.dataset == told.dataset + 1);
    unsigned char *bytes = malloc(1500000);
    assert_non_null(bytes);
    assert_code(store_dataset_read(f->store, d.id, 0, bytes, 1500000, NULL), ERR_ok);
    for (size_t i = 0; i < 1500000; i++)
        assert_true(bytes[i] == dataset_byte(i, (unsigned)has.dataset));
    free(bytes);
    store_dataset_clear(&d);
    assert_int_equal(sql_number(f->path, "SELECT count(*) FROM dataset"), 2); /* and nothing is in staging */
    return has;
}

static void test_kill(void **state)
{
    struct fixture *f = *state;
    char id[JOB_ID_MAX];
    int64_t model_id = put_model(f->store, "m", "a", false);
    add_job(f->store, JOB_NUMBER, model_id, put_dataset(f->store, "d", "a", 1, 0), id);
    (void)put_dataset(f->store, "changing", "0", 1500000, 0);
    struct told told = {.version = 1};
    fixture_close(f);
    for (int round = 0; round < ROUNDS; round++) {
        told = run_and_kill(f, model_id, told, round * 17 % 60);
        fixture_open(f);
        told = check(f, model_id, told);
        assert_int_equal(
            sql_number(f->path, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"), 0);
        fixture_close(f);
    }
    assert_true(told.version > ROUNDS);
    fixture_open(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kill, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
