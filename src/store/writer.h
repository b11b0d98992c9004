/* The writer: one thread that owns the connection which writes.
 *
 * Calls queue. The thread takes all that wait as one group, runs each in a savepoint of its own inside one transaction,
 * commits, and then answers: a call that fails is undone alone, and many calls share the price of a commit. When the
 * commit fails, nothing of the group is there, and every call of it fails. Whatever fails, the writer rolls back and
 * goes on. */
#ifndef GRADD_STORE_WRITER_H
#define GRADD_STORE_WRITER_H

#include "store/db.h"

struct writer;

/* Takes over the connection, also when it fails. */
err_code writer_new(struct db *db, struct writer **ret, struct error *err);
void writer_free(struct writer *w); /* after what is queued; NULL is fine */

/* What a call does, on the writer's thread, within the transaction. */
typedef err_code write_fn(struct db *db, void *context, struct error *err);

/* Runs a call and waits until it is on the disk. From any thread but the writer's. What the call has put into its
 * context counts only if ERR_ok comes back. */
err_code writer_run(struct writer *w, write_fn *run, void *context, struct error *err);

/* Transactions so far. It grows after each, before its calls are answered. */
uint64_t writer_count(const struct writer *w);

/* Has `after` called on the writer's thread after each group of calls, before they are answered, outside transactions.
 * When this returns, the one before is not called any more. NULL: none. */
typedef void after_fn(struct db *db, void *context);
void writer_after(struct writer *w, after_fn *after, void *context);

#endif
