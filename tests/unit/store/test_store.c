#include "fixture.h"
#include "store/inside.h"
#include "store/migrate.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void check_open_fails(const char *path, err_code expected, const char *words)
{
    struct store *s = NULL;
    struct error err = {0};
    assert_code(store_open(path, &s, &err), expected);
    assert_null(s);
    assert_non_null(err.detail);
    if (!strstr(err.detail, words))
        fail_msg("'%s' does not say '%s'", err.detail, words);
    error_clear(&err);
}

static void write_file(const char *path, const char *bytes, size_t size)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void test_reopen(void **state)
{
    struct fixture *f = *state;
    (void)put_model(f->store, "m", "a", false);
    (void)put_dataset(f->store, "d", "a", 10, 0);
    fixture_close(f);
    fixture_open(f);
    struct store_model m = {0};
    assert_code(store_model_get(f->store, "m", &m, NULL), ERR_ok);
    store_model_clear(&m);
    assert_code(store_ping(f->store, NULL), ERR_ok);
    assert_int_equal(sql_number(f->path, "SELECT written_at > 0 FROM probe"), 1);
}

static void test_file(void **state)
{
    struct fixture *f = *state;
    struct stat status;
    assert_int_equal(stat(f->path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(sql_number(f->path, "PRAGMA application_id"), 0x67726164);
    assert_int_equal(sql_number(f->path, "PRAGMA user_version"), (int64_t)migration_count);
    fixture_close(f);
    char wal[160];
    (void)snprintf(wal, sizeof wal, "%s-wal", f->path);
    assert_int_not_equal(access(wal, F_OK), 0); /* what it held is in the database */
}

static void test_one_store_a_file(void **state)
{
    struct fixture *f = *state;
    char words[64], other[160];
    (void)snprintf(words, sizeof words, "process %ld", (long)getpid());
    check_open_fails(f->path, ERR_database_locked, words);
    (void)snprintf(other, sizeof other, "%s/link.db", f->folder); /* by another name too */
    assert_int_equal(symlink("test.db", other), 0);
    check_open_fails(other, ERR_database_locked, words);
    assert_int_equal(unlink(other), 0);
    assert_code(store_ping(f->store, NULL), ERR_ok);
}

static void test_second_process_is_refused(void **state)
{
    struct fixture *f = *state;
    fixture_close(f);
    int channel[2];
    assert_int_equal(pipe(channel), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct store *s = NULL;
        char byte = store_open(f->path, &s, NULL) == ERR_ok ? 'y' : 'n';
        if (write(channel[1], &byte, 1) == 1)
            (void)pause();
        _exit(0);
    }
    char byte = 0, words[64];
    assert_int_equal(read(channel[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    (void)snprintf(words, sizeof words, "process %ld", (long)child);
    check_open_fails(f->path, ERR_database_locked, words);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    (void)close(channel[0]);
    (void)close(channel[1]);
    fixture_open(f); /* the lock died with the process */
}

static void test_newer_database(void **state)
{
    struct fixture *f = *state;
    fixture_close(f);
    (void)sql_number(f->path, "PRAGMA user_version = 999");
    check_open_fails(f->path, ERR_newer_database, "version 999");
    assert_int_equal(sql_number(f->path, "PRAGMA user_version"), 999);
    (void)sql_number(f->path, "PRAGMA user_version = -1");
    check_open_fails(f->path, ERR_newer_database, "version -1");
}

static void test_another_application(void **state)
{
    struct fixture *f = *state;
    fixture_close(f);
    (void)sql_number(f->path, "PRAGMA application_id = 7");
    check_open_fails(f->path, ERR_database_failed, "another application");
    (void)sql_number(f->path, "PRAGMA application_id = 0"); /* and one that does not say whose it is */
    check_open_fails(f->path, ERR_database_failed, "another application");
}

/* The files that an open leaves beside the database. */
static void remove_beside(const char *path)
{
    static const char *const endings[] = {"-lock", "-deaths"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        char name[200];
        (void)snprintf(name, sizeof name, "%s%s", path, endings[i]);
        assert_int_equal(unlink(name), 0);
    }
}

static void test_no_database(void **state)
{
    struct fixture *f = *state;
    char path[160];
    (void)snprintf(path, sizeof path, "%s/text", f->folder);
    char text[5000];
    memset(text, 'x', sizeof text);
    write_file(path, text, sizeof text);
    check_open_fails(path, ERR_database_failed, "text: SQLite: file is not a database");
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_size, sizeof text);
    assert_int_equal(unlink(path), 0);
    remove_beside(path);

    (void)snprintf(path, sizeof path, "%s/no/such/folder.db", f->folder);
    check_open_fails(path, ERR_database_failed, "directory");
    check_open_fails(f->folder, ERR_database_failed, f->folder);
    remove_beside(f->folder);
    check_open_fails("", ERR_database_failed, "");
}

static void test_damaged_database(void **state)
{
    struct fixture *f = *state;
    (void)put_model(f->store, "m", "a", false);
    fixture_close(f);
    char copy[160], damaged[8192];
    (void)snprintf(copy, sizeof copy, "%s/damaged.db", f->folder);
    int from = open(f->path, O_RDONLY);
    assert_int_equal(read(from, damaged, sizeof damaged), sizeof damaged);
    assert_int_equal(close(from), 0);
    memset(damaged + 100, 0xee, 4096 - 100); /* the schema's page */
    write_file(copy, damaged, sizeof damaged);
    check_open_fails(copy, ERR_database_failed, "malformed");
    assert_int_equal(unlink(copy), 0);
    remove_beside(copy);
}

static void test_odd_names(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"a b.db",      "a?mode=memory", "file:x.db?mode=ro",
                                        "100%25#1.db", ":memory:",      "\xc3\xa9.db"};
    char before[512];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(f->folder), 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct store *s = NULL;
        assert_code(store_open(names[i], &s, NULL), ERR_ok);
        assert_code(store_ping(s, NULL), ERR_ok);
        store_close(s);
        assert_int_equal(unlink(names[i]), 0);
        remove_beside(names[i]);
    }
    assert_int_equal(chdir(before), 0);
}

/* ---- migrations ---- */

static const struct migration steps[] = {
    {1, "one", "CREATE TABLE one (x INTEGER) STRICT; INSERT INTO one VALUES (1), (2);"},
    {2, "two", "ALTER TABLE one ADD COLUMN y INTEGER; UPDATE one SET y = x * 10;"},
    {3, "three", "CREATE TABLE three (x INTEGER) STRICT; INSERT INTO no_such_table VALUES (1);"},
};

static void test_migrations(void **state)
{
    struct fixture *f = *state;
    char path[160];
    (void)snprintf(path, sizeof path, "%s/steps.db", f->folder);
    write_file(path, "", 0);
    struct db *db = NULL;
    int64_t number;
    struct error err = {0};
    assert_code(db_open(path, DB_WRITER, &db, NULL), ERR_ok);
    assert_code(migrate(db, steps, 1, NULL), ERR_ok);
    assert_code(migrate(db, steps, 1, NULL), ERR_ok);
    assert_code(migrate(db, steps, 3, &err), ERR_internal);
    assert_non_null(strstr(err.detail, "migration 3 (three)"));
    error_clear(&err);
    assert_code(db_number(db, "PRAGMA user_version", &number, NULL), ERR_ok); /* all or none: not two of three */
    assert_int_equal(number, 1);
    assert_code(db_number(db, "SELECT count(*) FROM pragma_table_info('one')", &number, NULL), ERR_ok);
    assert_int_equal(number, 1);
    assert_code(migrate(db, steps, 2, NULL), ERR_ok);
    assert_code(db_number(db, "SELECT sum(y) FROM one", &number, NULL), ERR_ok);
    assert_int_equal(number, 30);
    assert_code(migrate(db, steps, 1, NULL), ERR_newer_database);
    db_close(db);
    assert_int_equal(unlink(path), 0);
}

static void test_migration_numbers(void **state)
{
    (void)state;
    assert_true(migration_count >= 5);
    for (size_t i = 0; i < migration_count; i++)
        assert_int_equal(migrations[i].number, i + 1);
}

/* ---- the connection ---- */

static void test_settings(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *pragma;
        int64_t writer, reader;
    } settings[] = {
        {"PRAGMA synchronous", 2, 2}, {"PRAGMA foreign_keys", 1, 1},   {"PRAGMA busy_timeout", 5000, 5000},
        {"PRAGMA temp_store", 2, 2},  {"PRAGMA trusted_schema", 0, 0}, {"PRAGMA cell_size_check", 1, 1},
        {"PRAGMA query_only", 0, 1},  {"PRAGMA secure_delete", 0, 0},
    };
    fixture_close(f);
    for (int role = DB_WRITER; role <= DB_READER; role++) {
        struct db *db = NULL;
        assert_code(db_open(f->path, (enum db_role)role, &db, NULL), ERR_ok);
        for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
            int64_t value = -1;
            assert_code(db_number(db, settings[i].pragma, &value, NULL), ERR_ok);
            assert_int_equal(value, role == DB_WRITER ? settings[i].writer : settings[i].reader);
        }
        db_close(db);
    }
    fixture_open(f);
}

static void test_mistakes_of_sql(void **state)
{
    struct fixture *f = *state;
    struct db *db = NULL;
    struct error err = {0};
    assert_code(readers_take(f->store->readers, &db, NULL), ERR_ok);
    assert_code(db_run(db, "SELEC 1", &err), ERR_internal);
    assert_non_null(strstr(err.detail, "syntax error"));
    struct query q = query_start(db, "SELECT 1");
    query_integer(&q, ":none", 1);
    assert_false(query_row(&q));
    assert_code(query_end(&q, &err), ERR_internal);
    assert_non_null(strstr(err.detail, ":none"));
    assert_code(db_run(db, "DELETE FROM model", &err), ERR_database_failed); /* a reader */
    error_clear(&err);
    readers_give(f->store->readers, db);
}

/* A call's failure undoes what it did, and only that. */
static err_code write_and_fail(struct db *db, void *context, struct error *err)
{
    (void)context;
    assert_code(db_run(db, "UPDATE probe SET written_at = 1", NULL), ERR_ok);
    return error_set(err, ERR_wrong_state, "on purpose");
}

/* SQLite may take the whole transaction away; the writer goes on. */
static err_code lose_transaction(struct db *db, void *context, struct error *err)
{
    (void)context;
    assert_code(db_run(db, "UPDATE probe SET written_at = 1", NULL), ERR_ok);
    return db_run(db, "ROLLBACK", err);
}

static err_code break_at_commit(struct db *db, void *context, struct error *err)
{
    (void)context; /* a reference that is checked only then */
    return db_run(
        db, "INSERT INTO idempotency_key (key, request_digest, model_id, created_at) VALUES ('k', 'r', 12345, 0)", err);
}

static void test_writer_goes_on(void **state)
{
    struct fixture *f = *state;
    struct error err = {0};
    assert_code(writer_run(f->store->writer, write_and_fail, NULL, &err), ERR_wrong_state);
    assert_string_equal(err.detail, "on purpose");
    assert_code(writer_run(f->store->writer, lose_transaction, NULL, &err), ERR_internal);
    assert_code(writer_run(f->store->writer, break_at_commit, NULL, &err), ERR_internal);
    assert_non_null(strstr(err.detail, "FOREIGN KEY"));
    error_clear(&err);
    assert_int_equal(sql_number(f->path, "SELECT written_at FROM probe"), 0);
    assert_int_equal(sql_number(f->path, "SELECT count(*) FROM idempotency_key"), 0);
    assert_code(store_ping(f->store, NULL), ERR_ok);
}

/* ---- no space ---- */

static err_code limit_pages(struct db *db, void *context, struct error *err)
{
    char sql[64];
    (void)snprintf(sql, sizeof sql, "PRAGMA max_page_count = %d", *(const int *)context);
    return db_script(db, sql, err);
}

static void test_no_space(void **state)
{
    struct fixture *f = *state;
    struct store *s = f->store;
    enum { SIZE = 3 << 20 };
    int64_t id = put_model(s, "m", "a", false), stage, version = 0;
    int few = (int)sql_number(f->path, "PRAGMA page_count") + 300, many = 1 << 30;
    unsigned char *bytes = calloc(SIZE, 1);
    assert_non_null(bytes);
    assert_code(writer_run(s->writer, limit_pages, &few, NULL), ERR_ok);

    struct error err = {0};
    struct store_version v = {.model_id = id, .digest = "x"};
    assert_code(store_version_add(s, &v, bytes, SIZE, &version, &err), ERR_no_space);
    assert_non_null(strstr(err.detail, "full"));
    error_clear(&err);
    assert_int_equal(version, 0);
    assert_code(store_stage_new(s, &stage, NULL), ERR_ok);
    assert_code(store_stage_append(s, stage, bytes, SIZE, NULL), ERR_no_space);
    store_stage_discard(s, stage);
    assert_code(store_ping(s, NULL), ERR_ok);

    struct store_version got = {0};
    assert_code(store_version_get(s, id, 2, &got, NULL), ERR_unknown_version);
    assert_code(store_version_get(s, id, 0, &got, NULL), ERR_ok);
    assert_int_equal(got.version, 1);
    store_version_clear(&got);

    assert_code(writer_run(s->writer, limit_pages, &many, NULL), ERR_ok);
    assert_code(store_version_add(s, &v, bytes, SIZE, &version, NULL), ERR_ok);
    assert_int_equal(version, 2);
    free(bytes);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_reopen),
        TEST(test_file),
        TEST(test_one_store_a_file),
        TEST(test_second_process_is_refused),
        TEST(test_newer_database),
        TEST(test_another_application),
        TEST(test_no_database),
        TEST(test_damaged_database),
        TEST(test_odd_names),
        TEST(test_migrations),
        cmocka_unit_test(test_migration_numbers),
        TEST(test_settings),
        TEST(test_mistakes_of_sql),
        TEST(test_writer_goes_on),
        TEST(test_no_space),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
