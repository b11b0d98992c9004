/* One connection to the database, and the statements that it has prepared. A connection is used by one thread at a
 * time.
 *
 * A query latches its first failure: what follows does nothing, and query_end() tells it. So a function reads
 *
 *     struct query q = query_start(db, "SELECT spec FROM model WHERE name = :name");
 *     query_text(&q, ":name", name);
 *     bool found = query_row(&q);
 *     if (found)
 *         spec = column_text(&q);
 *     code = query_end(&q, err);
 *
 * What is bound is borrowed until query_end(). Statements are prepared once a connection, by their text.
 *
 * SQLite's failures become no_space (SQLITE_FULL), out_of_memory (NOMEM), database_locked (BUSY), database_failed
 * (IOERR, CORRUPT and others that the machine makes), and internal, which is a mistake of the SQL. */
#ifndef GRADD_STORE_DB_H
#define GRADD_STORE_DB_H

#include "base/error.h"
#include <sqlite3.h>

struct db;

enum db_role { DB_WRITER, DB_READER };

/* Opens a file that is there, and sets up the connection. It writes nothing. */
err_code db_open(const char *path, enum db_role role, struct db **ret, struct error *err);
void db_close(struct db *db); /* NULL is fine */

/* Runs SQL that takes no parameters and answers nothing. */
err_code db_run(struct db *db, const char *sql, struct error *err);
/* Runs a script of statements, which is not kept. */
err_code db_script(struct db *db, const char *sql, struct error *err);
/* The one integer that a query answers. */
err_code db_number(struct db *db, const char *sql, int64_t *ret, struct error *err);
/* Copies the database as it is at one instant to the file `to`, which is there and empty. */
err_code db_copy(struct db *db, const char *to, struct error *err);
bool db_in_transaction(const struct db *db);
int64_t db_last_id(const struct db *db);      /* of the row that was inserted last */
int64_t db_changed_rows(const struct db *db); /* by the statement that ended last */

struct query {
    struct db *db;
    sqlite3_stmt *statement; /* of db's cache */
    int status;              /* SQLite's; the first failure stays */
    const char *parameter;   /* that the statement does not have; NULL: none */
    int column;              /* that is read next */
};

struct query query_start(struct db *db, const char *sql);

/* Binds by name. NULL and NaN become NULL; a column of numbers keeps no sign of 0. */
void query_integer(struct query *q, const char *parameter, int64_t value);
void query_real(struct query *q, const char *parameter, double value);
void query_text(struct query *q, const char *parameter, const char *value);
void query_blob(struct query *q, const char *parameter, const void *bytes, size_t size);
void query_limit(struct query *q, const char *parameter, size_t limit); /* a number of rows */
/* NULL where value is `none`. */
void query_integer_or_null(struct query *q, const char *parameter, int64_t value, int64_t none);

bool query_row(struct query *q); /* steps; false at the end and after a failure */

/* The columns of the row, one after the other, from left to right. */
int64_t column_integer(struct query *q, int64_t null);       /* `null` where the column is NULL */
double column_real(struct query *q);                         /* NaN where it is NULL */
char *column_text(struct query *q);                          /* the caller's; NULL where it is NULL */
void *column_blob(struct query *q, size_t *ret_size);        /* the caller's; NULL where it is NULL */
const void *column_bytes(struct query *q, size_t *ret_size); /* borrowed until the next row */

err_code query_end(struct query *q, struct error *err); /* makes the statement ready for the next use */
/* Steps a query that answers no rows, and ends it. */
err_code query_finish(struct query *q, struct error *err);
/* Ends a query that is asked only whether there is a row. */
err_code query_exists(struct query *q, bool *ret, struct error *err);

/* Room for one more row in a list that holds `count` of them and is grown by this alone: the list may move, and the new
 * element is zeroed. False, latched, without memory. */
bool query_room(struct query *q, void **list, size_t count, size_t size);

#endif
