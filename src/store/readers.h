/* The connections that read: a few, opened when they are first needed, each for one thread at a time. What is read
 * between taking and giving back is one snapshot, which waits for no writer. */
#ifndef GRADD_STORE_READERS_H
#define GRADD_STORE_READERS_H

#include "store/db.h"

struct readers;

err_code readers_new(const char *path, struct readers **ret, struct error *err);
void readers_free(struct readers *r); /* when all are given back; NULL is fine */

/* A connection with a snapshot begun; waits while all are taken. */
err_code readers_take(struct readers *r, struct db **ret, struct error *err);
void readers_give(struct readers *r, struct db *db);

#endif
