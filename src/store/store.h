/* The store: one SQLite file, seen as records. Nobody else knows SQL.
 *
 * Every call is atomic, and durable when it returns: writes are queued to one writer thread that owns the write
 * connection, run each in its savepoint, share a commit (synchronous=FULL) and are answered after it. Reads use
 * connections of their own, one a thread at a time. All calls may be made from any thread. Records own their strings
 * and are ended with their _clear function; lists are arrays ended with the _list_free function. Names of columns are
 * the names here. Times are milliseconds since 1970 UTC, 0: not yet; a created_at of 0 that comes in is now.
 * Numbers that are not known are NaN; -0 comes back as 0, but in cost points, which keep every bit.
 *
 * Every call may fail with no_space, out_of_memory, database_failed (the file or the disk), database_locked (another
 * program keeps the file locked) and internal (a bug); other errors are named beside the call. */
#ifndef GRADD_STORE_STORE_H
#define GRADD_STORE_STORE_H

#include "base/error.h"

struct store;

/* Opens or makes the file: takes the lock beside it (database_locked, saying who holds it), applies migrations in a
 * transaction, refuses a newer one (newer_database), removes what was left in staging, makes running jobs queued,
 * starts the writer. */
err_code store_open(const char *path, struct store **ret, struct error *err);
void store_close(struct store *s); /* ends the writer after what is queued; NULL is fine */
/* Grows with every write, before that is answered: whatever was read after the count was looked at is still so as long
 * as the count is the same. */
uint64_t store_writes(const struct store *s);
/* The descriptor of a file for deaths of the process: who dies by a job writes the job's id and a newline there. The
 * next store_open counts them; a job that did it three times without a checkpoint in between fails with `crashed`. */
int store_deaths(const struct store *s);
err_code store_ping(struct store *s, struct error *err); /* a write and a read work: readiness */

/* A retried POST: the key, and the digest of the request. */
struct store_key {
    const char *key;
    const char *request_digest;
};

struct page {
    size_t limit;
    const char *after; /* NULL: from the start */
};

/* ---- models.c ---- */

struct store_model {
    int64_t id; /* never used again */
    char *name;
    char *spec;   /* canonical, opaque */
    char *digest; /* of the spec */
    int64_t created_at;
    int64_t version; /* the newest */
};
void store_model_clear(struct store_model *m);
void store_model_list_free(struct store_model *list, size_t count);

struct store_version {
    int64_t model_id;
    int64_t version;
    int64_t created_at;
    char *job;           /* id, or NULL */
    int64_t epoch, step; /* -1: not by a job */
    double cost;
    char *digest;
    void *transforms; /* opaque bytes; NULL: none */
    size_t transforms_size;
};
void store_version_clear(struct store_version *v);
void store_version_list_free(struct store_version *list, size_t count);

enum put_result { PUT_CREATED, PUT_REPLACED, PUT_UNCHANGED, PUT_REPEATED };

/* Creates or replaces. `initial` is the first version (its model_id and version are set here) and `parameters` its
 * bytes. replace=false: name_taken if the name exists. replace=true: the same digest changes nothing; another replaces
 * the model, its versions and its id: in_use while a job that is not finished uses it. With a key: key_reused, gone, or
 * PUT_REPEATED with the model as it is. */
err_code store_model_put(struct store *s, const struct store_model *m, const struct store_version *initial,
                         const void *parameters, size_t size, bool replace, const struct store_key *key,
                         struct store_model *ret, enum put_result *ret_result, struct error *err);
err_code store_model_get(struct store *s, const char *name, struct store_model *ret, struct error *err); /* not_found */
err_code store_model_get_id(struct store *s, int64_t id, struct store_model *ret, struct error *err);
err_code store_model_list(struct store *s, struct page page, struct store_model **ret, size_t *ret_count,
                          struct error *err); /* by name */
/* in_use while it has jobs; with cascade deletes them too, in_use while one is not finished. */
err_code store_model_delete(struct store *s, const char *name, bool cascade, struct error *err);

/* Adds the next version; *ret_version is its number. not_found if the model id is gone. */
err_code store_version_add(struct store *s, const struct store_version *v, const void *parameters, size_t size,
                           int64_t *ret_version, struct error *err);
err_code
store_version_get(struct store *s, int64_t model_id, int64_t version, struct store_version *ret,
                  struct error *err); /* version 0: the newest; unknown_version; not_found if the model is gone */
err_code store_version_list(struct store *s, int64_t model_id, int64_t after, size_t limit, struct store_version **ret,
                            size_t *ret_count, struct error *err);
/* All parameters in declared order as one run of bytes; size must be exact. */
err_code store_version_parameters(struct store *s, int64_t model_id, int64_t version, void *ret, size_t size,
                                  struct error *err);

/* ---- datasets.c, staging.c ---- */

struct store_dataset {
    int64_t id; /* never used again */
    char *name;
    int64_t rows;
    char *digest;
    void *info; /* opaque bytes: what data/table_record.h makes */
    size_t info_size;
    int64_t created_at;
};
void store_dataset_clear(struct store_dataset *d);
void store_dataset_list_free(struct store_dataset *list, size_t count);

/* An upload goes through staging: chunks are appended, each in a transaction of its own; publish checks and swaps the
 * name; a stage that is not published is deleted. Publish, in_use while a job that is not finished needs the data set
 * of that name, uses d's name, rows, digest, info and created_at: the same digest changes nothing (PUT_UNCHANGED), and
 * the stage is gone; after an error it is still there. To discard what is published or gone does nothing. */
err_code store_stage_new(struct store *s, int64_t *ret_stage, struct error *err);
err_code store_stage_append(struct store *s, int64_t stage, const void *bytes, size_t size,
                            struct error *err); /* any size; kept as rows of 1 MiB */
err_code store_stage_publish(struct store *s, int64_t stage, const struct store_dataset *d, struct store_dataset *ret,
                             enum put_result *ret_result, struct error *err);
void store_stage_discard(struct store *s, int64_t stage);

err_code store_dataset_get(struct store *s, const char *name, struct store_dataset *ret, struct error *err);
err_code store_dataset_get_id(struct store *s, int64_t id, struct store_dataset *ret, struct error *err);
err_code store_dataset_list(struct store *s, struct page page, struct store_dataset **ret, size_t *ret_count,
                            struct error *err);
err_code store_dataset_delete(struct store *s, const char *name,
                              struct error *err); /* in_use while a job that is not finished needs it */
err_code store_dataset_read(struct store *s, int64_t id, int64_t offset, void *ret, size_t size,
                            struct error *err); /* bytes of the values, within their size; not_found */

/* ---- jobs.c, job_states.c, job_actions.c, job_changes.c, job_start.c, job_work.c, costs.c, checkpoints.c ---- */

enum job_state { JOB_QUEUED, JOB_RUNNING, JOB_PAUSED, JOB_SUCCEEDED, JOB_FAILED, JOB_CANCELLED, JOB_STATE_COUNT };
const char *job_state_name(enum job_state state);
bool job_state_find(const char *name, enum job_state *ret);
bool job_state_finished(enum job_state state);
/* THE table of api.md: which changes are legal. */
enum job_action { JOB_CANCEL, JOB_PAUSE, JOB_RESUME, JOB_DELETE, JOB_ACTION_COUNT };
bool job_action_legal(enum job_state state, enum job_action action, enum job_state *ret_next);

/* The metrics of a job; NaN: not told. */
struct job_scores {
    double accuracy, mae, r2;
};

/* What changes while a job trains. */
struct job_progress {
    int64_t epoch, step;
    double cost, best_cost, validation_cost;
    double samples_per_second;
    struct job_scores scores;
};

struct store_job {
    char *id;         /* UUIDv7 */
    char *model;      /* name */
    int64_t model_id; /* 0: the model was replaced or deleted since */
    char *dataset;
    int64_t dataset_id; /* 0 likewise */
    char *spec;         /* canonical, opaque */
    char *labels;       /* opaque text "k:v\n" lines, "" if none; filtered by label */
    int64_t from_version;
    int64_t epochs, steps; /* planned */
    int64_t memory_bytes;
    int64_t data_bytes;    /* that its data take beside those */
    int64_t training_rows; /* 0: not known */
    int64_t validation_id; /* of a second data set to validate on; 0: none, or as dataset_id */
    int64_t priority;
    enum job_state state;
    int64_t created_at, started_at, finished_at;
    int64_t attempts;
    struct job_progress progress;
    int64_t version;      /* made by it; 0: none (yet), or the model was replaced */
    int64_t best_version; /* of its best epoch, `version` itself if that is it; 0 likewise, and where none is watched */
    char *stopped;        /* why it ended before its last step: "early_stopping", "nonfinite"; NULL: it did not */
    char *digest;         /* of that version; NULL */
    char *model_digest, *dataset_digest, *start_digest, *gradd_version; /* lineage */
    char *validation_digest;                                            /* of the second data set; NULL: none */
    char *error_code;                                                   /* NULL: none */
    char *error_detail;
    char *forked_from; /* the id of the job that this one is a fork of; NULL */
    int64_t from_step; /* it starts with parameters of its own, those of that step of the other; 0: with a version's */
    char *verifies;    /* the id of the job that it trains again; NULL */
    char *expected_digest; /* of the outcome of that */
    int same;              /* whether its own digest is that, and its points are the same: 1 or 0; -1: not known */
    int64_t revision;      /* grows with every change: the ETag */
    const void *start;     /* on the way in alone: with from_step, those parameters; borrowed */
    size_t start_size;
};
void store_job_clear(struct store_job *j);
void store_job_list_free(struct store_job *list, size_t count);

/* A point of the cost history. */
struct cost_point {
    int64_t step, epoch;
    double cost, validation_cost, learning_rate, gradient_norm; /* NaN: not told */
    int64_t time;                                               /* when first recorded */
    struct job_scores scores;
};

struct job_filter {
    int state;         /* -1: any */
    const char *model; /* NULL: any */
    const char *label; /* "team:a"; NULL: any */
    bool newest_first; /* sort=-created_at */
};

/* unknown_model, unknown_dataset, unknown_version if one is gone by now; queue_full over max_queued (0: no limit). With
 * a key as store_model_put. */
err_code store_job_add(struct store *s, const struct store_job *j, int64_t max_queued, const struct store_key *key,
                       struct store_job *ret, bool *ret_repeated, struct error *err);
/* The job that an earlier request with the key has made, as it is now: key_reused, gone. *ret_found false: none yet. */
err_code store_job_find_key(struct store *s, const struct store_key *key, struct store_job *ret, bool *ret_found,
                            struct error *err);
err_code store_job_get(struct store *s, const char *id, struct store_job *ret, struct error *err);
/* The parameters that it starts with, of a job with from_step; size must be exact. */
err_code store_job_start(struct store *s, const char *id, void *ret, size_t size, struct error *err);
err_code store_job_list(struct store *s, const struct job_filter *filter, struct page page, struct store_job **ret,
                        size_t *ret_count, struct error *err);
/* cancel, pause, resume by the table: wrong_state otherwise. The row changes at once. */
err_code store_job_act(struct store *s, const char *id, enum job_action action, struct store_job *ret,
                       struct error *err);
err_code store_job_set_priority(struct store *s, const char *id, int64_t priority, struct store_job *ret,
                                struct error *err);
err_code store_job_delete(struct store *s, const char *id, struct error *err); /* wrong_state unless finished */

/* A change of a job, and the job as it is now: of several changes only the last is left. */
struct job_change {
    struct store_job job;
    int64_t number; /* grows with every change of any job, for ever */
    bool of_state;  /* the state changed since; else what else changes while a job trains */
};
void store_job_change_list_free(struct job_change *list, size_t count);
struct change_filter {
    const char *job; /* NULL: of all */
    bool unfinished; /* only of jobs that are not finished */
};
/* The changes after that number (0: all), in order, at most limit. */
err_code store_job_changes(struct store *s, const struct change_filter *filter, int64_t after, size_t limit,
                           struct job_change **ret, size_t *ret_count, struct error *err);
err_code store_job_last_change(struct store *s, int64_t *ret, struct error *err); /* its number; 0: none */
/* Has the listener called after changes of jobs are on the disk, on the writer's thread: it must be quick, and calls
 * nothing here. NULL: none any more, and none is being called. */
typedef void store_listener(void *context);
void store_on_job_change(struct store *s, store_listener *listener, void *context);

/* For workers. Claims the queued job of the highest priority, the oldest first: running, attempts + 1; if it and the
 * running ones take no more than `memory` bytes together, or none is running: none overtakes it. *ret_found false:
 * none.
 */
err_code store_job_claim(struct store *s, int64_t memory, struct store_job *ret, bool *ret_found, struct error *err);
/* Progress and new cost points (strictly increasing steps; those that are there already must be equal in every field
 * but time, else ERR_internal: determinism was broken). superseded if the row is no longer running with this attempt.
 */
err_code store_job_advance(struct store *s, const char *id, int64_t attempt, const struct job_progress *p,
                           const struct cost_point *points, size_t count, struct error *err);
/* What training was between two steps. */
struct store_checkpoint {
    struct job_progress progress; /* at that step; samples_per_second is not kept */
    void *state;                  /* opaque bytes; owned, or borrowed where it is written */
    size_t size;
};
void store_checkpoint_clear(struct store_checkpoint *c);
/* Writes the points before the checkpoint and the checkpoint, both or none, and prunes the job's others to the newest
 * `keep` (1 and up, this one among them) and the one of the lowest cost. As store_job_advance, but a job that was
 * paused while this attempt had it takes one, too. */
err_code store_job_checkpoint(struct store *s, const char *id, int64_t attempt, const struct store_checkpoint *c,
                              size_t keep, const struct cost_point *points, size_t count, struct error *err);
/* The one to go on from; *ret_found false: there is none. database_failed if its bytes are not those written. */
err_code store_checkpoint_newest(struct store *s, const char *job, struct store_checkpoint *ret, bool *ret_found,
                                 struct error *err);
/* That of a step. not_found, saying which there are. */
err_code store_checkpoint_get(struct store *s, const char *job, int64_t step, struct store_checkpoint *ret,
                              struct error *err);
/* running -> succeeded with its version (a job that verifies another makes none, but learns whether it is the same), or
 * -> failed with error_code and error_detail, or -> queued (a stop): atomically with the last points. */
struct job_end {
    enum job_state state;
    const struct store_version *version; /* succeeded */
    const void *parameters;
    size_t size;
    const struct store_version *best;      /* of the best epoch, where it is kept beside the outcome; NULL */
    const void *best_parameters;           /* as many bytes */
    bool is_best;                          /* the outcome is the best epoch */
    const char *stopped;                   /* as in the job */
    bool other_history;                    /* of a job that verifies: its points are not those of the other */
    const char *error_code, *error_detail; /* failed */
    const struct job_progress *progress;
    const struct cost_point *points;
    size_t point_count;
};
err_code store_job_finish(struct store *s, const char *id, int64_t attempt, const struct job_end *end,
                          struct error *err);
/* Points with step > after, at most limit, in order; *ret_total counts all of the job. */
err_code store_job_costs(struct store *s, const char *id, int64_t after, size_t limit, struct cost_point **ret,
                         size_t *ret_count, size_t *ret_total, struct error *err);
err_code store_job_counts(struct store *s, int64_t counts[JOB_STATE_COUNT], struct error *err);

#endif
