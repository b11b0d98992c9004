#include "store/db.h"
#include "base/size.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct db {
    sqlite3 *handle;
    sqlite3_stmt **statements; /* prepared, each by another text */
    size_t statement_count;
};

/* What every connection is told. Deleted bytes are not overwritten: that would write a data set once more to delete it.
 */
static const char settings[] = "PRAGMA busy_timeout = 5000;"
                               "PRAGMA foreign_keys = ON;"
                               "PRAGMA trusted_schema = OFF;"
                               "PRAGMA cell_size_check = ON;"
                               "PRAGMA temp_store = MEMORY;"
                               "PRAGMA mmap_size = 0;"
                               "PRAGMA secure_delete = OFF;";

/* FULL: a commit is on the disk when it returns. The log is copied into the database every 16 MiB, and cut back to 64
 * MiB. */
static const char writer_settings[] = "PRAGMA synchronous = FULL;"
                                      "PRAGMA wal_autocheckpoint = 4096;"
                                      "PRAGMA journal_size_limit = 67108864;";
static const char reader_settings[] = "PRAGMA query_only = ON;";

/* ---- failures ---- */

static bool disk_is_full(sqlite3 *handle)
{
    int number = sqlite3_system_errno(handle);
    return number == ENOSPC || number == EDQUOT;
}

static err_code code_of(sqlite3 *handle, int status)
{
    if (status == SQLITE_IOERR_NOMEM)
        return ERR_out_of_memory;
    switch (status & 0xff) {
    case SQLITE_OK:
        return ERR_ok;
    case SQLITE_FULL:
        return ERR_no_space;
    case SQLITE_NOMEM:
        return ERR_out_of_memory;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_database_locked;
    case SQLITE_IOERR:
        return disk_is_full(handle) ? ERR_no_space : ERR_database_failed;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_PROTOCOL:
        return ERR_database_failed;
    default:
        return ERR_internal;
    }
}

static err_code fail(struct db *db, int status, struct error *err)
{
    err_code code = code_of(db->handle, status);
    if (code == ERR_ok)
        return ERR_ok;
    bool same = sqlite3_extended_errcode(db->handle) == status;
    const char *message = same ? sqlite3_errmsg(db->handle) : sqlite3_errstr(status);
    return error_set(err, code, "SQLite: %s (%d)", message, status);
}

/* ---- the connection ---- */

err_code db_open(const char *path, enum db_role role, struct db **ret, struct error *err)
{
    struct db *db = calloc(1, sizeof *db);
    if (!db)
        return error_set(err, ERR_out_of_memory, "no memory for a connection to the database");
    int status =
        sqlite3_open_v2(path, &db->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    err_code code = ERR_ok;
    if (!db->handle)
        code = error_set(err, ERR_out_of_memory, "no memory for a connection to the database");
    else if (status != SQLITE_OK)
        code = fail(db, status, err);
    if (code == ERR_ok)
        code = db_script(db, settings, err);
    if (code == ERR_ok)
        code = db_script(db, role == DB_WRITER ? writer_settings : reader_settings, err);
    if (code != ERR_ok) {
        db_close(db);
        return code;
    }
    *ret = db;
    return ERR_ok;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    for (size_t i = 0; i < db->statement_count; i++)
        sqlite3_finalize(db->statements[i]);
    free(db->statements);
    sqlite3_close(db->handle);
    free(db);
}

err_code db_script(struct db *db, const char *sql, struct error *err)
{
    return fail(db, sqlite3_exec(db->handle, sql, NULL, NULL, NULL), err);
}

err_code db_run(struct db *db, const char *sql, struct error *err)
{
    struct query q = query_start(db, sql);
    return query_finish(&q, err);
}

err_code db_number(struct db *db, const char *sql, int64_t *ret, struct error *err)
{
    struct query q = query_start(db, sql);
    int64_t number = query_row(&q) ? column_integer(&q, 0) : 0;
    err_code code = query_end(&q, err);
    if (code == ERR_ok)
        *ret = number;
    return code;
}

/* All pages in one step: no write comes between. */
static err_code copy_pages(struct db *db, struct db *to, struct error *err)
{
    enum { TRIES = 50, WAIT_MS = 100 };
    sqlite3_backup *backup = sqlite3_backup_init(to->handle, "main", db->handle, "main");
    if (!backup)
        return fail(to, sqlite3_extended_errcode(to->handle), err);
    int status = sqlite3_backup_step(backup, -1);
    for (int i = 0; i < TRIES && (status == SQLITE_BUSY || status == SQLITE_LOCKED); i++) {
        sqlite3_sleep(WAIT_MS);
        status = sqlite3_backup_step(backup, -1);
    }
    (void)sqlite3_backup_finish(backup);
    return status == SQLITE_DONE ? ERR_ok : fail(to, status, err);
}

err_code db_copy(struct db *db, const char *to, struct error *err)
{
    struct db *copy = NULL;
    err_code code = db_open(to, DB_WRITER, &copy, err);
    if (code == ERR_ok)
        code = copy_pages(db, copy, err);
    db_close(copy);
    return code;
}

bool db_in_transaction(const struct db *db)
{
    return !sqlite3_get_autocommit(db->handle);
}

int64_t db_last_id(const struct db *db)
{
    return sqlite3_last_insert_rowid(db->handle);
}

int64_t db_changed_rows(const struct db *db)
{
    return sqlite3_changes64(db->handle);
}

/* ---- lists ---- */

/* Capacities are powers of two: a list of any other length has room. */
static bool list_room(void **list, size_t count, size_t size)
{
    if ((count & (count - 1)) != 0)
        return true;
    size_t bytes;
    if (!size_mul(count > 0 ? count : 1, size, &bytes) || (count > 0 && !size_mul(bytes, 2, &bytes)))
        return false;
    void *grown = realloc(*list, bytes);
    if (!grown)
        return false;
    *list = grown;
    return true;
}

/* ---- queries ---- */

static int prepare(struct db *db, const char *sql, sqlite3_stmt **ret)
{
    for (size_t i = 0; i < db->statement_count; i++) {
        if (strcmp(sqlite3_sql(db->statements[i]), sql) == 0) {
            *ret = db->statements[i];
            return SQLITE_OK;
        }
    }
    void *list = db->statements;
    if (!list_room(&list, db->statement_count, sizeof(sqlite3_stmt *)))
        return SQLITE_NOMEM;
    db->statements = list;
    int status = sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL);
    if (status == SQLITE_OK)
        db->statements[db->statement_count++] = *ret;
    return status;
}

struct query query_start(struct db *db, const char *sql)
{
    struct query q = {.db = db};
    q.status = prepare(db, sql, &q.statement);
    return q;
}

/* The index of a parameter, or 0 after a failure. */
static int parameter_index(struct query *q, const char *parameter)
{
    if (q->status != SQLITE_OK)
        return 0;
    int index = sqlite3_bind_parameter_index(q->statement, parameter);
    if (index == 0) {
        q->status = SQLITE_RANGE;
        q->parameter = parameter;
    }
    return index;
}

void query_integer(struct query *q, const char *parameter, int64_t value)
{
    int index = parameter_index(q, parameter);
    if (index > 0)
        q->status = sqlite3_bind_int64(q->statement, index, value);
}

void query_real(struct query *q, const char *parameter, double value)
{
    int index = parameter_index(q, parameter);
    if (index > 0)
        q->status = sqlite3_bind_double(q->statement, index, value);
}

void query_text(struct query *q, const char *parameter, const char *value)
{
    int index = parameter_index(q, parameter);
    if (index > 0)
        q->status = sqlite3_bind_text(q->statement, index, value, -1, SQLITE_STATIC);
}

void query_blob(struct query *q, const char *parameter, const void *bytes, size_t size)
{
    int index = parameter_index(q, parameter);
    if (index > 0)
        q->status = sqlite3_bind_blob64(q->statement, index, bytes, size, SQLITE_STATIC);
}

void query_integer_or_null(struct query *q, const char *parameter, int64_t value, int64_t none)
{
    int index = parameter_index(q, parameter);
    if (index > 0 && value != none)
        q->status = sqlite3_bind_int64(q->statement, index, value);
}

void query_limit(struct query *q, const char *parameter, size_t limit)
{
    query_integer(q, parameter, limit < INT64_MAX ? (int64_t)limit : INT64_MAX);
}

bool query_row(struct query *q)
{
    if (q->status != SQLITE_OK)
        return false;
    q->column = 0;
    int status = sqlite3_step(q->statement);
    if (status == SQLITE_ROW)
        return true;
    if (status != SQLITE_DONE)
        q->status = status;
    return false;
}

static bool is_null(struct query *q, int column)
{
    return q->status != SQLITE_OK || sqlite3_column_type(q->statement, column) == SQLITE_NULL;
}

int64_t column_integer(struct query *q, int64_t null)
{
    int column = q->column++;
    return is_null(q, column) ? null : sqlite3_column_int64(q->statement, column);
}

double column_real(struct query *q)
{
    int column = q->column++;
    return is_null(q, column) ? (double)NAN : sqlite3_column_double(q->statement, column);
}

const void *column_bytes(struct query *q, size_t *ret_size)
{
    int column = q->column++;
    *ret_size = 0;
    if (is_null(q, column))
        return NULL;
    const void *bytes = sqlite3_column_blob(q->statement, column);
    *ret_size = (size_t)sqlite3_column_bytes(q->statement, column);
    if (bytes)
        return bytes;
    if (sqlite3_errcode(q->db->handle) == SQLITE_NOMEM)
        q->status = SQLITE_NOMEM;
    return "";
}

void *column_blob(struct query *q, size_t *ret_size)
{
    size_t size;
    const void *bytes = column_bytes(q, &size);
    *ret_size = 0;
    if (!bytes || q->status != SQLITE_OK)
        return NULL;
    void *copy = malloc(size > 0 ? size : 1);
    if (!copy) {
        q->status = SQLITE_NOMEM;
        return NULL;
    }
    memcpy(copy, bytes, size);
    *ret_size = size;
    return copy;
}

char *column_text(struct query *q)
{
    int column = q->column++;
    if (is_null(q, column))
        return NULL;
    const unsigned char *text = sqlite3_column_text(q->statement, column);
    char *copy = text ? strdup((const char *)text) : NULL;
    if (!copy)
        q->status = SQLITE_NOMEM;
    return copy;
}

err_code query_end(struct query *q, struct error *err)
{
    err_code code = ERR_ok;
    if (q->parameter)
        code = error_set(err, ERR_internal, "the statement has no parameter %s", q->parameter);
    else
        code = fail(q->db, q->status, err);
    if (q->statement) {
        (void)sqlite3_reset(q->statement); /* tells the failure of the last step once more */
        (void)sqlite3_clear_bindings(q->statement);
    }
    return code;
}

err_code query_finish(struct query *q, struct error *err)
{
    (void)query_row(q);
    return query_end(q, err);
}

err_code query_exists(struct query *q, bool *ret, struct error *err)
{
    bool found = query_row(q);
    err_code code = query_end(q, err);
    if (code == ERR_ok)
        *ret = found;
    return code;
}

bool query_room(struct query *q, void **list, size_t count, size_t size)
{
    if (q->status == SQLITE_OK && !list_room(list, count, size))
        q->status = SQLITE_NOMEM;
    if (q->status != SQLITE_OK)
        return false;
    memset((char *)*list + count * size, 0, size);
    return true;
}
