#include "fixture.h"
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    (void)snprintf(f->folder, sizeof f->folder, "/tmp/gradd-store-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    (void)snprintf(f->path, sizeof f->path, "%s/test.db", f->folder);
    fixture_open(f);
    *state = f;
    return 0;
}

void fixture_open(struct fixture *f)
{
    assert_code(store_open(f->path, &f->store, NULL), ERR_ok);
}

void fixture_close(struct fixture *f)
{
    store_close(f->store);
    f->store = NULL;
}

int fixture_teardown(void **state)
{
    static const char *const endings[] = {"", "-wal", "-shm", "-lock", "-deaths"};
    struct fixture *f = *state;
    fixture_close(f);
    assert_int_equal(sql_number(f->path, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"),
                     0);
    assert_int_equal(sql_number(f->path, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        char name[160];
        (void)snprintf(name, sizeof name, "%s%s", f->path, endings[i]);
        (void)unlink(name);
    }
    assert_int_equal(rmdir(f->folder), 0);
    free(f);
    return 0;
}

void check_code(err_code actual, err_code expected, const char *expression, const char *file, int line)
{
    if (actual == expected)
        return;
    print_error("%s:%d: %s is %s, and not %s\n", file, line, expression, actual ? err_name(actual) : "ok",
                expected ? err_name(expected) : "ok");
    _fail(file, line);
}

int64_t sql_number(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_busy_timeout(db, 5000), SQLITE_OK);
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    int64_t number = sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return number;
}

int64_t put_model(struct store *s, const char *name, const char *digest, bool replace)
{
    static const float parameters[2] = {0.5F, -2};
    struct store_model m = {.name = (char *)(uintptr_t)name, .spec = "{}", .digest = (char *)(uintptr_t)digest};
    struct store_version v = {.epoch = -1, .step = -1, .cost = (double)NAN, .digest = "first"};
    struct store_model made = {0};
    enum put_result result;
    assert_code(store_model_put(s, &m, &v, parameters, sizeof parameters, replace, NULL, &made, &result, NULL), ERR_ok);
    int64_t id = made.id;
    store_model_clear(&made);
    return id;
}

unsigned char dataset_byte(size_t i, unsigned seed)
{
    return (unsigned char)((i * 7 + seed) & 0xff);
}

int64_t put_dataset(struct store *s, const char *name, const char *digest, size_t size, unsigned seed)
{
    unsigned char *bytes = malloc(size > 0 ? size : 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = dataset_byte(i, seed);
    int64_t stage;
    assert_code(store_stage_new(s, &stage, NULL), ERR_ok);
    assert_code(store_stage_append(s, stage, bytes, size, NULL), ERR_ok);
    free(bytes);
    struct store_dataset d = {.name = (char *)(uintptr_t)name,
                              .rows = 3,
                              .digest = (char *)(uintptr_t)digest,
                              .info = "info",
                              .info_size = 4};
    struct store_dataset made = {0};
    enum put_result result;
    assert_code(store_stage_publish(s, stage, &d, &made, &result, NULL), ERR_ok);
    int64_t id = made.id;
    store_dataset_clear(&made);
    return id;
}

const char *job_id(int number, char ret[JOB_ID_MAX])
{
    (void)snprintf(ret, JOB_ID_MAX, "01890000-0000-7000-8000-%012d", number);
    return ret;
}

void add_job(struct store *s, int number, int64_t model_id, int64_t dataset_id, char ret[JOB_ID_MAX])
{
    (void)job_id(number, ret);
    struct store_job j = {.id = ret,
                          .model = "m",
                          .model_id = model_id,
                          .dataset = "d",
                          .dataset_id = dataset_id,
                          .spec = "{}",
                          .labels = "",
                          .from_version = 1,
                          .epochs = 2,
                          .steps = 20};
    struct store_job made = {0};
    bool repeated;
    assert_code(store_job_add(s, &j, 0, NULL, &made, &repeated, NULL), ERR_ok);
    store_job_clear(&made);
}

void add_running(struct store *s, char ret[JOB_ID_MAX])
{
    add_job(s, 1, put_model(s, "m", "a", false), put_dataset(s, "d", "a", 10, 0), ret);
    struct store_job j = {0};
    bool found = false;
    assert_code(store_job_claim(s, INT64_MAX, &j, &found, NULL), ERR_ok);
    assert_true(found);
    store_job_clear(&j);
}

enum job_state state_of(struct store *s, const char *id)
{
    struct store_job j = {0};
    assert_code(store_job_get(s, id, &j, NULL), ERR_ok);
    enum job_state state = j.state;
    store_job_clear(&j);
    return state;
}

int64_t revision_of(struct store *s, const char *id)
{
    struct store_job j = {0};
    assert_code(store_job_get(s, id, &j, NULL), ERR_ok);
    int64_t revision = j.revision;
    store_job_clear(&j);
    return revision;
}
