/* One process a database: a lock on a file beside it, "gradd.db-lock", which holds the process id of whoever has it.
 * The system lets go of it when the process ends, however it ends; the file stays, since to remove it would be a race.
 */
#ifndef GRADD_STORE_LOCK_H
#define GRADD_STORE_LOCK_H

#include "base/error.h"

/* Takes the lock of the database at `path` (absolute, without symbolic links), and hands over its descriptor.
 * database_locked, saying who has it; database_failed where the file can't be made. */
err_code lock_take(const char *path, int *ret, struct error *err);
void lock_release(int lock);

#endif
