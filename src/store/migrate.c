#include "store/migrate.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* In the file's header, at byte 68: "grad". file(1) shows it. */
enum { APPLICATION_ID = 0x67726164 };

err_code migrate_recognise(struct db *db, size_t newest, int64_t *ret_version, struct error *err)
{
    int64_t application, version, tables;
    err_code code = db_number(db, "PRAGMA application_id", &application, err);
    if (code == ERR_ok)
        code = db_number(db, "PRAGMA user_version", &version, err);
    if (code == ERR_ok)
        code = db_number(db, "SELECT count(*) FROM sqlite_schema", &tables, err);
    if (code != ERR_ok)
        return code;
    bool empty = application == 0 && version == 0 && tables == 0;
    if (!empty && application != APPLICATION_ID)
        return error_set(err, ERR_database_failed, "this is a database of another application");
    if (version < 0 || (uint64_t)version > newest)
        return error_set(err, ERR_newer_database,
                         "the database was written by a newer gradd: it is at version %" PRId64
                         ", and this gradd knows up to %zu",
                         version, newest);
    *ret_version = version;
    return ERR_ok;
}

/* A reader does not wait for the writer, nor the writer for readers. The mode stays with the file. */
static err_code use_write_ahead_log(struct db *db, struct error *err)
{
    struct query q = query_start(db, "PRAGMA journal_mode = WAL");
    size_t size = 0;
    const void *mode = query_row(&q) ? column_bytes(&q, &size) : NULL;
    bool done = mode && size == 3 && memcmp(mode, "wal", 3) == 0;
    err_code code = query_end(&q, err);
    if (code == ERR_ok && !done)
        return error_set(err, ERR_database_failed,
                         "the database can't have a write-ahead log: is it on a file system without shared memory?");
    return code;
}

static err_code apply(struct db *db, const struct migration *m, struct error *err)
{
    struct error cause = {0};
    err_code code = db_script(db, m->sql, &cause);
    if (code != ERR_ok)
        error_set(err, code, "migration %d (%s): %s", m->number, m->name,
                  cause.detail ? cause.detail : err_title(code));
    error_clear(&cause);
    return code;
}

static err_code apply_all(struct db *db, const struct migration *list, size_t from, size_t count, struct error *err)
{
    err_code code = ERR_ok;
    for (size_t i = from; i < count && code == ERR_ok; i++)
        code = apply(db, &list[i], err);
    if (code != ERR_ok)
        return code;
    char marks[96]; /* both stand in the file's header, and change with the transaction */
    (void)snprintf(marks, sizeof marks, "PRAGMA application_id = %d; PRAGMA user_version = %zu", APPLICATION_ID, count);
    return db_script(db, marks, err);
}

err_code migrate(struct db *db, const struct migration *list, size_t count, struct error *err)
{
    int64_t version = 0;
    err_code code = migrate_recognise(db, count, &version, err);
    if (code == ERR_ok)
        code = use_write_ahead_log(db, err);
    if (code != ERR_ok || (size_t)version == count)
        return code;
    code = db_run(db, "BEGIN IMMEDIATE", err);
    if (code != ERR_ok)
        return code;
    code = apply_all(db, list, (size_t)version, count, err);
    if (code == ERR_ok)
        code = db_run(db, "COMMIT", err);
    if (db_in_transaction(db))
        (void)db_run(db, "ROLLBACK", NULL);
    return code;
}
