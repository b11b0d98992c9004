/* What the store's files share: the store itself, and the steps that several calls have in common. A step works within
 * the transaction of its caller, on the connection that it is given. */
#ifndef GRADD_STORE_INSIDE_H
#define GRADD_STORE_INSIDE_H

#include "store/readers.h"
#include "store/store.h"
#include "store/writer.h"

struct store {
    int lock;
    int deaths; /* the file; -1: not open */
    struct writer *writer;
    struct readers *readers;
    store_listener *listener; /* with its context; NULL: nobody listens */
    void *listener_context;
    int64_t told; /* the last change that it was told of; the writer's thread's */
};

enum { CHUNK_BYTES = 1 << 20 };

int64_t time_or_now(int64_t time); /* now, where the time is 0 */

/* ---- store.c ---- */

/* The one true name of a database's file, which need not be there, so that all who mean this file meet at one lock. It
 * begins with '/', so that SQLite sees neither a URI nor ":memory:" in it. The caller frees it. */
err_code database_name(const char *path, char **ret, struct error *err);
/* A new file survives a power failure only when its directory is on the disk too. False, with errno, if that fails. */
bool database_folder_sync(const char *name);

/* ---- deaths.c ---- */

enum { DEATHS_MAX = 3 }; /* by one job without a checkpoint in between: then it fails */

err_code deaths_open(const char *name, int *ret, struct error *err); /* of the database of that true name */
/* Counts the deaths that are written there for the jobs that were running, and fails those that had too many. */
err_code deaths_count(struct db *db, int file, struct error *err);
void deaths_forget(int file); /* what was counted */

/* ---- models.c ---- */

err_code model_exists(struct db *db, int64_t id, bool *ret, struct error *err);

/* ---- versions.c ---- */

/* Adds v as that version of the model, which must exist, with its parameters. v's own model_id, version and job are not
 * looked at. */
err_code version_insert(struct db *db, int64_t model_id, int64_t version, const char *job,
                        const struct store_version *v, const void *parameters, size_t size, struct error *err);
/* Adds it as the next, and makes it the model's newest; not_found without the model. */
err_code version_append(struct db *db, int64_t model_id, const char *job, const struct store_version *v,
                        const void *parameters, size_t size, int64_t *ret_version, struct error *err);
err_code version_exists(struct db *db, int64_t model_id, int64_t version, bool *ret, struct error *err);

/* ---- datasets.c ---- */

err_code dataset_exists(struct db *db, int64_t id, bool *ret, struct error *err);

err_code dataset_find_name(struct db *db, const char *name, struct store_dataset *ret, bool *ret_found,
                           struct error *err);
err_code dataset_find_id(struct db *db, int64_t id, struct store_dataset *ret, bool *ret_found, struct error *err);
/* The bytes of values that a data set or a stage has; not_found. `sql` selects them, by :id. */
err_code dataset_size(struct db *db, const char *sql, int64_t id, int64_t *ret, struct error *err);
/* Takes the name away. in_use while a job that is not finished needs the data set; other jobs forget it. */
err_code dataset_unname(struct db *db, const struct store_dataset *d, struct error *err);

/* ---- chunks.c ---- */

/* Copies `size` bytes from `offset` out of the chunks that q answers: rows of (part, bytes) from that of the offset on,
 * in order. False if one is missing or of a wrong size. */
bool chunks_copy(struct query *q, int64_t offset, void *ret, size_t size);

/* ---- jobs.c ---- */

/* The next three columns, accuracy, mae and r2; and the parameters of those names. */
struct job_scores column_scores(struct query *q);
void query_scores(struct query *q, const struct job_scores *scores);
/* Deletes a job with its labels and its costs; versions that it made forget it. */
err_code job_remove(struct db *db, const char *id, struct error *err);

/* ---- job_start.c ---- */

err_code job_start_insert(struct db *db, const char *job, const void *bytes, size_t size, struct error *err);

/* ---- costs.c ---- */

/* Whether the steps of the points that are packed there increase, from after *last on, which becomes the last of them.
 * *ret_count is how many there are. */
bool cost_steps_increase(const void *points, size_t size, int64_t *last, int64_t *ret_count);
err_code costs_append(struct db *db, const char *job, const struct cost_point *points, size_t count, struct error *err);

/* ---- checkpoints.c ---- */

/* Adds it, in the place of another of the same step, and prunes the job's others. */
err_code checkpoint_insert(struct db *db, const char *job, const struct store_checkpoint *c, size_t keep,
                           struct error *err);

/* ---- keys.c ---- */

/* What an earlier request with the key has made. */
struct key_made {
    bool found;
    int64_t model_id; /* 0: a job */
    char *job;        /* owned; NULL: a model */
};

/* key_reused if the request was another one, gone if what it made was deleted. A NULL key is never found. */
err_code key_find(struct db *db, const struct store_key *key, struct key_made *ret, struct error *err);
/* Keeps what a request has made: a model, or with model_id 0 a job. Nothing for a NULL key. */
err_code key_keep(struct db *db, const struct store_key *key, int64_t model_id, const char *job, struct error *err);
err_code key_move_model(struct db *db, int64_t from, int64_t to, struct error *err);
err_code key_drop_model(struct db *db, int64_t model_id, struct error *err); /* it is about to be deleted */
err_code key_drop_job(struct db *db, const char *job, struct error *err);    /* likewise */

#endif
