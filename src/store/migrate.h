/* Recognises a database of gradd, and brings it to the version of this binary. */
#ifndef GRADD_STORE_MIGRATE_H
#define GRADD_STORE_MIGRATE_H

#include "store/db.h"
#include "store/migrations.h"

/* An empty database becomes gradd's. Refused, and left as they are: what is not SQLite's or is another application's
 * (database_failed), and a database to which more migrations were applied than `count` (newer_database). Those that are
 * missing are applied in one transaction: all or none. */
err_code migrate(struct db *db, const struct migration *list, size_t count, struct error *err);
/* Whose database it is, and how many migrations were applied: 0 for an empty one. Refuses what migrate() refuses. */
err_code migrate_recognise(struct db *db, size_t newest, int64_t *ret_version, struct error *err);

#endif
