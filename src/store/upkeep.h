/* What an operator does with a database file beside whoever serves it: it is only read, and no lock is taken. The file
 * must be there and be gradd's. */
#ifndef GRADD_STORE_UPKEEP_H
#define GRADD_STORE_UPKEEP_H

#include "base/digest.h"
#include "base/error.h"

/* The digest that a table of such values has, by its info, which is opaque here, and the SHA-256 of its bytes.
 * database_failed, with the reason, if the info is damaged. */
typedef err_code store_table_digest(const void *info, size_t info_size, const char *values_digest,
                                    char ret[DIGEST_TEXT_MAX], struct error *err);

/* Called with each thing that is wrong, a sentence. */
typedef void store_finding(void *context, const char *sentence);

struct store_checked {
    int64_t models, versions, datasets, jobs, checkpoints, cost_points; /* that were looked at */
    int64_t findings;
};

/* Verifies everything in a database as it is at one instant: its pages, indices and references; that parameters, values
 * and checkpoints are whole and have their digests; that the steps of a cost history increase. What is wrong goes to
 * the finder and is counted: then the check itself has worked. newer_database; database_failed too for one that an
 * older gradd wrote, which is brought up to date when it is served. */
err_code store_check(const char *path, store_table_digest *table_digest, store_finding *finder, void *context,
                     struct store_checked *ret, struct error *err);

/* Copies the database as it is at one instant, also while it is written: afterwards `to` is a whole copy, on the disk,
 * for this user alone; or there is none. database_failed if `to` is there already and is not empty; no_space. */
err_code store_backup(const char *path, const char *to, struct error *err);

#endif
