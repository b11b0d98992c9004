#include "base/clock.h"
#include "base/uuid.h"
#include "store/inside.h"
#include "store/lock.h"
#include "store/migrate.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int64_t time_or_now(int64_t time)
{
    return time != 0 ? time : clock_now();
}

/* ---- the file ---- */

/* The real directory of a file that need not be there. */
static err_code real_folder(const char *path, char ret[PATH_MAX], struct error *err)
{
    char *copy = strdup(path);
    if (!copy)
        return error_set(err, ERR_out_of_memory, "no memory for the name of the database");
    err_code code = ERR_ok;
    if (!realpath(dirname(copy), ret))
        code = error_set(err, ERR_database_failed, "the directory of %s: %s", path, strerrordesc_np(errno));
    free(copy);
    return code;
}

err_code database_name(const char *path, char **ret, struct error *err)
{
    char real[PATH_MAX];
    const char *base = strrchr(path, '/');
    base = base ? base + 1 : path;
    char *name = NULL;
    if (realpath(path, real)) {
        name = strdup(real);
    } else if (errno != ENOENT || *base == '\0') {
        return error_set(err, ERR_database_failed, "%s: %s", path, strerrordesc_np(errno));
    } else {
        err_code code = real_folder(path, real, err);
        if (code != ERR_ok)
            return code;
        if (asprintf(&name, "%s/%s", strcmp(real, "/") == 0 ? "" : real, base) < 0)
            name = NULL;
    }
    if (!name)
        return error_set(err, ERR_out_of_memory, "no memory for the name of the database");
    *ret = name;
    return ERR_ok;
}

bool database_folder_sync(const char *name)
{
    char folder[PATH_MAX];
    if (real_folder(name, folder, NULL) != ERR_ok)
        return false;
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return false;
    bool done = fsync(descriptor) == 0;
    (void)close(descriptor);
    return done;
}

/* Makes the file if it is not there, for this user alone. A file that is there is not opened: to close it would drop
 * SQLite's locks. */
static err_code make_file(const char *name, struct error *err)
{
    int descriptor = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (descriptor < 0 && errno == EEXIST)
        return ERR_ok;
    bool made = descriptor >= 0 && close(descriptor) == 0 && database_folder_sync(name);
    return made ? ERR_ok : error_set(err, ERR_database_failed, "%s can't be made: %s", name, strerrordesc_np(errno));
}

/* ---- opening ---- */

/* What a process that died has left: uploads that were not published, and jobs that nobody runs any more. */
static err_code recover(struct db *db, int deaths, struct error *err)
{
    err_code code = db_run(db, "BEGIN IMMEDIATE", err);
    if (code == ERR_ok)
        code = db_run(db, "DELETE FROM dataset WHERE name IS NULL", err);
    if (code == ERR_ok)
        code = deaths_count(db, deaths, err);
    if (code == ERR_ok)
        code = db_run(db, "UPDATE job SET state = 'queued', revision = revision + 1 WHERE state = 'running'", err);
    if (code == ERR_ok)
        code = db_run(db, "COMMIT", err);
    if (db_in_transaction(db))
        (void)db_run(db, "ROLLBACK", NULL);
    if (code == ERR_ok)
        deaths_forget(deaths);
    return code;
}

/* Jobs that are made from now on sort after those that are there, whatever the clock says meanwhile. */
static err_code follow_ids(struct db *db, struct error *err)
{
    struct query q = query_start(db, "SELECT max(id) FROM job");
    char *last = query_row(&q) ? column_text(&q) : NULL;
    err_code code = query_end(&q, err);
    if (code == ERR_ok && last)
        uuid_follow(last);
    free(last);
    return code;
}

static err_code open_writer(const char *name, int deaths, struct db **ret, struct error *err)
{
    struct db *db = NULL;
    err_code code = db_open(name, DB_WRITER, &db, err);
    if (code == ERR_ok)
        code = migrate(db, migrations, migration_count, err);
    if (code == ERR_ok)
        code = recover(db, deaths, err);
    if (code == ERR_ok)
        code = follow_ids(db, err);
    if (code == ERR_ok)
        *ret = db;
    else
        db_close(db);
    return code;
}

static err_code open_database(struct store *s, const char *name, struct error *err)
{
    err_code code = make_file(name, err);
    if (code != ERR_ok)
        return code;
    struct db *db = NULL;
    struct error cause = {0};
    code = open_writer(name, s->deaths, &db, &cause);
    if (code != ERR_ok)
        (void)error_set(err, code, "%s: %s", name, cause.detail ? cause.detail : err_title(code));
    error_clear(&cause);
    if (code != ERR_ok)
        return code;
    code = readers_new(name, &s->readers, err);
    if (code != ERR_ok) {
        db_close(db);
        return code;
    }
    return writer_new(db, &s->writer, err);
}

err_code store_open(const char *path, struct store **ret, struct error *err)
{
    struct store *s = calloc(1, sizeof *s);
    if (!s)
        return error_set(err, ERR_out_of_memory, "no memory for the store");
    s->lock = s->deaths = -1;
    (void)clock_steady(); /* the age of keys is told by it */
    char *name = NULL;
    err_code code = database_name(path, &name, err);
    if (code == ERR_ok)
        code = lock_take(name, &s->lock, err);
    if (code == ERR_ok)
        code = deaths_open(name, &s->deaths, err);
    if (code == ERR_ok)
        code = open_database(s, name, err);
    free(name);
    if (code != ERR_ok) {
        store_close(s);
        return code;
    }
    *ret = s;
    return ERR_ok;
}

/* The writer's connection is closed last: it copies the log into the database and removes it. */
uint64_t store_writes(const struct store *s)
{
    return writer_count(s->writer);
}

void store_close(struct store *s)
{
    if (!s)
        return;
    readers_free(s->readers);
    writer_free(s->writer);
    if (s->deaths >= 0)
        (void)close(s->deaths);
    if (s->lock >= 0)
        lock_release(s->lock);
    free(s);
}

/* ---- ping ---- */

static err_code write_probe(struct db *db, void *context, struct error *err)
{
    struct query q = query_start(db, "UPDATE probe SET written_at = :time");
    query_integer(&q, ":time", *(const int64_t *)context);
    return query_finish(&q, err);
}

err_code store_ping(struct store *s, struct error *err)
{
    int64_t now = clock_now(), written = 0;
    err_code code = writer_run(s->writer, write_probe, &now, err);
    if (code != ERR_ok)
        return code;
    struct db *db;
    code = readers_take(s->readers, &db, err);
    if (code != ERR_ok)
        return code;
    code = db_number(db, "SELECT written_at FROM probe", &written, err);
    readers_give(s->readers, db);
    return code;
}
