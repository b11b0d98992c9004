/* Many threads on one store. Run it under ThreadSanitizer too. */
#include "fixture.h"
#include "store/inside.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 8, ROUNDS = 25 };

struct worker {
    pthread_t thread;
    struct store *store;
    int number;
    const char *failure; /* what went wrong; NULL: nothing. cmocka's asserts are for the main thread */
    atomic_int *claimed;
};

#define TRY(expression)                                                                                                \
    do {                                                                                                               \
        if (!(expression)) {                                                                                           \
            w->failure = #expression;                                                                                  \
            return NULL;                                                                                               \
        }                                                                                                              \
    } while (0)

static void run_all(struct store *s, void *(*run)(void *), atomic_int *claimed)
{
    struct worker workers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.store = s, .number = i, .claimed = claimed};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, run, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        if (workers[i].failure)
            fail_msg("thread %d: %s", i, workers[i].failure);
    }
}

/* Each thread has a model and a data set of its own; all read everything. */
static void *write_and_read(void *context)
{
    struct worker *w = context;
    struct store *s = w->store;
    char name[16];
    (void)snprintf(name, sizeof name, "m%d", w->number);
    struct store_model m = {.name = name, .spec = "{}", .digest = "d"}, made = {0}, *list = NULL;
    struct store_version v = {.digest = "d"}, got = {0};
    enum put_result result;
    TRY(store_model_put(s, &m, &v, name, sizeof name, false, NULL, &made, &result, NULL) == ERR_ok);
    int64_t id = made.id, stage;
    store_model_clear(&made);
    for (int64_t round = 1; round <= ROUNDS; round++) {
        char bytes[16];
        int64_t version;
        size_t count;
        v.model_id = id;
        TRY(store_version_add(s, &v, name, sizeof name, &version, NULL) == ERR_ok && version == round + 1);
        TRY(store_version_get(s, id, 0, &got, NULL) == ERR_ok && got.version == version);
        store_version_clear(&got);
        TRY(store_version_parameters(s, id, version, bytes, sizeof bytes, NULL) == ERR_ok);
        TRY(memcmp(bytes, name, sizeof bytes) == 0);
        TRY(store_model_list(s, (struct page){.limit = 100}, &list, &count, NULL) == ERR_ok && count >= 1);
        store_model_list_free(list, count);
        TRY(store_stage_new(s, &stage, NULL) == ERR_ok);
        TRY(store_stage_append(s, stage, bytes, sizeof bytes, NULL) == ERR_ok);
        store_stage_discard(s, stage);
    }
    return NULL;
}

static void test_writers_and_readers(void **state)
{
    struct fixture *f = *state;
    run_all(f->store, write_and_read, NULL);
    assert_int_equal(sql_number(f->path, "SELECT count(*) FROM version"), THREADS * (ROUNDS + 1));
    assert_int_equal(sql_number(f->path, "SELECT count(*) FROM dataset"), 0);
}

/* All threads put the same name with the same key: one makes it, the others get what it made. */
static void *put_same(void *context)
{
    struct worker *w = context;
    struct store_model m = {.name = "same", .spec = "{}", .digest = "d"}, made = {0};
    struct store_version v = {.digest = "d"};
    struct store_key key = {"key", "request"};
    enum put_result result;
    TRY(store_model_put(w->store, &m, &v, "", 0, false, &key, &made, &result, NULL) == ERR_ok);
    store_model_clear(&made);
    if (result == PUT_CREATED)
        (void)atomic_fetch_add(w->claimed, 1);
    else
        TRY(result == PUT_REPEATED);
    return NULL;
}

static void test_one_key(void **state)
{
    struct fixture *f = *state;
    atomic_int created = 0;
    run_all(f->store, put_same, &created);
    assert_int_equal(created, 1);
}

/* Threads take jobs from the queue, record, and end them; no job is taken twice. */
static void *work(void *context)
{
    struct worker *w = context;
    for (;;) {
        struct store_job j = {0};
        bool found;
        TRY(store_job_claim(w->store, INT64_MAX, &j, &found, NULL) == ERR_ok);
        if (!found)
            return NULL;
        (void)atomic_fetch_add(w->claimed, 1);
        struct cost_point points[2] = {{.step = 1}, {.step = 2}};
        struct job_progress p = {.step = 2};
        err_code first = store_job_advance(w->store, j.id, j.attempts, &p, points, 2, NULL);
        struct store_version v = {.digest = "d"};
        struct job_end end = {.state = JOB_SUCCEEDED, .version = &v, .parameters = "p", .size = 1};
        err_code second = store_job_finish(w->store, j.id, j.attempts, &end, NULL);
        bool once = j.attempts == 1;
        store_job_clear(&j);
        TRY(once && first == ERR_ok && second == ERR_ok);
    }
}

static void test_workers(void **state)
{
    struct fixture *f = *state;
    enum { JOBS = 60 };
    int64_t m = put_model(f->store, "m", "a", false), d = put_dataset(f->store, "d", "a", 1, 0);
    for (int i = 1; i <= JOBS; i++) {
        char id[JOB_ID_MAX];
        add_job(f->store, i, m, d, id);
    }
    atomic_int claimed = 0;
    run_all(f->store, work, &claimed);
    assert_int_equal(claimed, JOBS);
    int64_t counts[JOB_STATE_COUNT];
    assert_code(store_job_counts(f->store, counts, NULL), ERR_ok);
    assert_int_equal(counts[JOB_SUCCEEDED], JOBS);
    assert_int_equal(sql_number(f->path, "SELECT version FROM model"), JOBS + 1);
}

/* More threads than reading connections: they wait for each other. */
static void *read_long(void *context)
{
    struct worker *w = context;
    enum { SIZE = 2 << 20 };
    unsigned char *bytes = malloc(SIZE);
    TRY(bytes);
    bool good = true;
    for (int i = 0; i < 5 && good; i++)
        good = store_dataset_read(w->store, w->number % 2 + 1, 0, bytes, SIZE, NULL) == ERR_ok &&
               bytes[1000] == dataset_byte(1000, (unsigned)(w->number % 2));
    free(bytes);
    TRY(good);
    return NULL;
}

static void *read_in_two(void *context)
{
    struct worker *w = context;
    struct worker second = *w;
    TRY(pthread_create(&second.thread, NULL, read_long, &second) == 0);
    (void)read_long(w);
    TRY(pthread_join(second.thread, NULL) == 0);
    TRY(!second.failure);
    return NULL;
}

static void test_more_readers_than_connections(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put_dataset(f->store, "a", "x", 2 << 20, 0), 1);
    assert_int_equal(put_dataset(f->store, "b", "x", 2 << 20, 1), 2);
    run_all(f->store, read_in_two, NULL);
}

/* ---- failures among others ---- */

enum fate { GOOD, FAILS, FAILS_AT_COMMIT, LOSES_TRANSACTION, FATE_COUNT };

struct attempt {
    char key[32];
    enum fate fate;
};

static err_code insert_key(struct db *db, const char *key, const char *values, struct error *err)
{
    char sql[160];
    (void)snprintf(sql, sizeof sql, "INSERT INTO idempotency_key VALUES ('%s', 'r', %s)", key, values);
    return db_script(db, sql, err);
}

static err_code attempt(struct db *db, void *context, struct error *err)
{
    const struct attempt *a = context;
    bool dangles = a->fate == FAILS_AT_COMMIT; /* the model is looked for only then */
    err_code code = insert_key(db, a->key, dangles ? "12345, NULL, 0, NULL" : "NULL, NULL, 0, 1", err);
    if (code == ERR_ok && a->fate == FAILS)
        return error_set(err, ERR_wrong_state, "on purpose");
    if (code == ERR_ok && a->fate == LOSES_TRANSACTION)
        return db_run(db, "ROLLBACK", err);
    return code;
}

static void *try_all_fates(void *context)
{
    struct worker *w = context;
    for (int round = 0; round < 40; round++) {
        struct attempt a = {.fate = (round + w->number) % 3 == 0 ? (enum fate)(round % FATE_COUNT) : GOOD};
        (void)snprintf(a.key, sizeof a.key, "%d-%d", w->number, round);
        struct error err = {0};
        err_code code = writer_run(w->store->writer, attempt, &a, &err);
        bool told = (code == ERR_ok) == (err.detail == NULL);
        error_clear(&err);
        TRY(told);
        TRY(a.fate != FAILS || code == ERR_wrong_state || code == ERR_internal);
        TRY(code == ERR_ok || a.fate != GOOD || code == ERR_internal); /* it shared another's fate */
        TRY(code != ERR_ok || a.fate == GOOD);
        if (code == ERR_ok)
            (void)atomic_fetch_add(w->claimed, 1);
    }
    return NULL;
}

/* Whatever happens to the groups that calls are in: what was acknowledged is there, and nothing else. */
static void test_failures_among_others(void **state)
{
    struct fixture *f = *state;
    atomic_int acknowledged = 0;
    run_all(f->store, try_all_fates, &acknowledged);
    assert_true(acknowledged > 0);
    assert_int_equal(sql_number(f->path, "SELECT count(*) FROM idempotency_key"), acknowledged);
    assert_code(store_ping(f->store, NULL), ERR_ok);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_writers_and_readers),
        TEST(test_one_key),
        TEST(test_workers),
        TEST(test_failures_among_others),
        TEST(test_more_readers_than_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
