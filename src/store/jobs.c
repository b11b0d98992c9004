#include "base/text.h"
#include "store/job_rows.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void store_job_clear(struct store_job *j)
{
    if (!j)
        return;
    free(j->id);
    free(j->model);
    free(j->dataset);
    free(j->spec);
    free(j->labels);
    free(j->digest);
    free(j->model_digest);
    free(j->dataset_digest);
    free(j->start_digest);
    free(j->gradd_version);
    free(j->error_code);
    free(j->error_detail);
    free(j->stopped);
    free(j->forked_from);
    free(j->verifies);
    free(j->expected_digest);
    free(j->validation_digest);
    *j = (struct store_job){0};
}

void store_job_list_free(struct store_job *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        store_job_clear(&list[i]);
    free(list);
}

/* ---- reading ---- */

static enum job_state read_state(struct query *q)
{
    enum job_state state = JOB_QUEUED;
    char *name = column_text(q);
    if (name)
        (void)job_state_find(name, &state); /* the table allows no other */
    free(name);
    return state;
}

struct job_scores column_scores(struct query *q)
{
    struct job_scores scores;
    scores.accuracy = column_real(q);
    scores.mae = column_real(q);
    scores.r2 = column_real(q);
    return scores;
}

void query_scores(struct query *q, const struct job_scores *scores)
{
    query_real(q, ":accuracy", scores->accuracy);
    query_real(q, ":mae", scores->mae);
    query_real(q, ":r2", scores->r2);
}

void job_row_read(struct query *q, struct store_job *ret)
{
    ret->id = column_text(q);
    ret->model = column_text(q);
    ret->model_id = column_integer(q, 0);
    ret->dataset = column_text(q);
    ret->dataset_id = column_integer(q, 0);
    ret->spec = column_text(q);
    ret->labels = column_text(q);
    ret->from_version = column_integer(q, 0);
    ret->epochs = column_integer(q, 0);
    ret->steps = column_integer(q, 0);
    ret->memory_bytes = column_integer(q, 0);
    ret->priority = column_integer(q, 0);
    ret->state = read_state(q);
    ret->created_at = column_integer(q, 0);
    ret->started_at = column_integer(q, 0);
    ret->finished_at = column_integer(q, 0);
    ret->attempts = column_integer(q, 0);
    ret->progress.epoch = column_integer(q, 0);
    ret->progress.step = column_integer(q, 0);
    ret->progress.cost = column_real(q);
    ret->progress.best_cost = column_real(q);
    ret->progress.validation_cost = column_real(q);
    ret->progress.samples_per_second = column_real(q);
    ret->version = column_integer(q, 0);
    ret->digest = column_text(q);
    ret->model_digest = column_text(q);
    ret->dataset_digest = column_text(q);
    ret->start_digest = column_text(q);
    ret->gradd_version = column_text(q);
    ret->error_code = column_text(q);
    ret->error_detail = column_text(q);
    ret->revision = column_integer(q, 0);
    ret->best_version = column_integer(q, 0);
    ret->stopped = column_text(q);
    ret->training_rows = column_integer(q, 0);
    ret->data_bytes = column_integer(q, 0);
    ret->validation_id = column_integer(q, 0);
    ret->validation_digest = column_text(q);
    ret->progress.scores = column_scores(q);
    ret->forked_from = column_text(q);
    ret->from_step = column_integer(q, 0);
    ret->verifies = column_text(q);
    ret->expected_digest = column_text(q);
    ret->same = (int)column_integer(q, -1);
}

err_code job_row_end(struct query *q, struct store_job *ret, bool *ret_found, struct error *err)
{
    struct store_job j = {0};
    bool found = query_row(q);
    if (found)
        job_row_read(q, &j);
    err_code code = query_end(q, err);
    if (code != ERR_ok) {
        store_job_clear(&j);
        return code;
    }
    *ret = j;
    *ret_found = found;
    return ERR_ok;
}

err_code job_row_find(struct db *db, const char *id, struct store_job *ret, struct error *err)
{
    struct query q = query_start(db, "SELECT " JOB_COLUMNS " FROM job WHERE id = :id");
    query_text(&q, ":id", id);
    bool found = false;
    struct store_job j = {0};
    err_code code = job_row_end(&q, &j, &found, err);
    if (code == ERR_ok && !found)
        code = error_set(err, ERR_not_found, "there is no job '%s'", id);
    if (code == ERR_ok)
        *ret = j;
    return code;
}

err_code store_job_get(struct store *s, const char *id, struct store_job *ret, struct error *err)
{
    struct db *db;
    err_code code = readers_take(s->readers, &db, err);
    if (code != ERR_ok)
        return code;
    code = job_row_find(db, id, ret, err);
    readers_give(s->readers, db);
    return code;
}

/* Only the conditions that are asked for stand in the statement, so that each can use its index. Ids sort by time. */
static void write_list_sql(const struct job_filter *filter, const char *after, struct text *to)
{
    text_puts(to, "SELECT " JOB_COLUMNS " FROM job WHERE true");
    if (filter->state >= 0)
        text_puts(to, " AND state = :state");
    if (filter->model)
        text_puts(to, " AND model = :model");
    if (filter->label)
        text_puts(to, " AND id IN (SELECT job FROM job_label WHERE label = :label)");
    if (after)
        text_puts(to, filter->newest_first ? " AND id < :after" : " AND id > :after");
    text_puts(to, filter->newest_first ? " ORDER BY id DESC LIMIT :limit" : " ORDER BY id LIMIT :limit");
}

static err_code list(struct db *db, const char *sql, const struct job_filter *filter, struct page page,
                     struct store_job **ret, size_t *ret_count, struct error *err)
{
    struct query q = query_start(db, sql);
    if (filter->state >= 0)
        query_text(&q, ":state", job_state_name((enum job_state)filter->state));
    if (filter->model)
        query_text(&q, ":model", filter->model);
    if (filter->label)
        query_text(&q, ":label", filter->label);
    if (page.after)
        query_text(&q, ":after", page.after);
    query_limit(&q, ":limit", page.limit);
    struct store_job *rows = NULL;
    size_t count = 0;
    while (query_row(&q) && query_room(&q, (void **)&rows, count, sizeof *rows))
        job_row_read(&q, &rows[count++]);
    err_code code = query_end(&q, err);
    if (code != ERR_ok) {
        store_job_list_free(rows, count);
        return code;
    }
    *ret = rows;
    *ret_count = count;
    return ERR_ok;
}

err_code store_job_list(struct store *s, const struct job_filter *filter, struct page page, struct store_job **ret,
                        size_t *ret_count, struct error *err)
{
    struct text text = {0};
    write_list_sql(filter, page.after, &text);
    char *sql = text_take(&text);
    if (!sql)
        return error_set(err, ERR_out_of_memory, "no memory for a list of jobs");
    struct db *db;
    err_code code = readers_take(s->readers, &db, err);
    if (code == ERR_ok) {
        code = list(db, sql, filter, page, ret, ret_count, err);
        readers_give(s->readers, db);
    }
    free(sql);
    return code;
}

static err_code count_states(struct db *db, int64_t counts[JOB_STATE_COUNT], struct error *err)
{
    int64_t found[JOB_STATE_COUNT] = {0};
    struct query q = query_start(db, "SELECT state, count(*) FROM job GROUP BY state");
    while (query_row(&q)) {
        enum job_state state = read_state(&q);
        found[state] = column_integer(&q, 0);
    }
    err_code code = query_end(&q, err);
    if (code == ERR_ok)
        memcpy(counts, found, sizeof found);
    return code;
}

err_code store_job_counts(struct store *s, int64_t counts[JOB_STATE_COUNT], struct error *err)
{
    struct db *db;
    err_code code = readers_take(s->readers, &db, err);
    if (code != ERR_ok)
        return code;
    code = count_states(db, counts, err);
    readers_give(s->readers, db);
    return code;
}

/* ---- adding ---- */

struct addition {
    const struct store_job *job;
    int64_t max_queued;
    const struct store_key *key;
    struct store_job made; /* owned until it is handed over */
    bool repeated;
};

static err_code check_parts(struct db *db, const struct store_job *j, struct error *err)
{
    bool found = false;
    err_code code = model_exists(db, j->model_id, &found, err);
    if (code == ERR_ok && !found)
        code = error_set(err, ERR_unknown_model, "the model '%s' was replaced or deleted", j->model);
    if (code == ERR_ok)
        code = dataset_exists(db, j->dataset_id, &found, err);
    if (code == ERR_ok && !found)
        code = error_set(err, ERR_unknown_dataset, "the data set '%s' was replaced or deleted", j->dataset);
    if (code == ERR_ok && j->validation_id != 0)
        code = dataset_exists(db, j->validation_id, &found, err);
    if (code == ERR_ok && !found)
        code = error_set(err, ERR_unknown_dataset, "the data set to validate on was replaced or deleted");
    if (code == ERR_ok)
        code = version_exists(db, j->model_id, j->from_version, &found, err);
    if (code == ERR_ok && !found)
        code = error_set(err, ERR_unknown_version, "the model '%s' has no version %" PRId64, j->model, j->from_version);
    return code;
}

static err_code check_queue(struct db *db, int64_t max_queued, struct error *err)
{
    int64_t queued = 0;
    err_code code = db_number(db, "SELECT count(*) FROM job WHERE state = 'queued'", &queued, err);
    if (code == ERR_ok && max_queued > 0 && queued >= max_queued)
        code = error_set(err, ERR_queue_full, "%" PRId64 " jobs are queued, and no more than %" PRId64 " may be",
                         queued, max_queued);
    return code;
}

static err_code insert_row(struct db *db, const struct store_job *j, struct error *err)
{
    struct query q = query_start(
        db, "INSERT INTO job (id, model, model_id, dataset, dataset_id, spec, labels, from_version, epochs, steps,"
            " memory_bytes, priority, state, created_at, model_digest, dataset_digest, start_digest, gradd_version,"
            " training_rows, data_bytes, validation_id, validation_digest, forked_from, from_step, verifies,"
            " expected_digest)"
            " VALUES (:id, :model, :model_id, :dataset, :dataset_id, :spec, :labels, :from_version, :epochs, :steps,"
            " :memory_bytes, :priority, 'queued', :created_at, :model_digest, :dataset_digest, :start_digest,"
            " :gradd_version, :training_rows, :data_bytes, :validation_id, :validation_digest,"
            " :forked_from, :from_step, :verifies, :expected_digest)");
    query_text(&q, ":id", j->id);
    query_text(&q, ":model", j->model);
    query_integer(&q, ":model_id", j->model_id);
    query_text(&q, ":dataset", j->dataset);
    query_integer(&q, ":dataset_id", j->dataset_id);
    query_text(&q, ":spec", j->spec);
    query_text(&q, ":labels", j->labels ? j->labels : "");
    query_integer(&q, ":from_version", j->from_version);
    query_integer(&q, ":epochs", j->epochs);
    query_integer(&q, ":steps", j->steps);
    query_integer(&q, ":memory_bytes", j->memory_bytes);
    query_integer(&q, ":priority", j->priority);
    query_integer(&q, ":created_at", time_or_now(j->created_at));
    query_text(&q, ":model_digest", j->model_digest);
    query_text(&q, ":dataset_digest", j->dataset_digest);
    query_text(&q, ":start_digest", j->start_digest);
    query_text(&q, ":gradd_version", j->gradd_version);
    query_integer(&q, ":training_rows", j->training_rows);
    query_integer(&q, ":data_bytes", j->data_bytes);
    query_integer_or_null(&q, ":validation_id", j->validation_id, 0);
    query_text(&q, ":validation_digest", j->validation_digest);
    query_text(&q, ":forked_from", j->forked_from);
    query_integer_or_null(&q, ":from_step", j->from_step, 0);
    query_text(&q, ":verifies", j->verifies);
    query_text(&q, ":expected_digest", j->expected_digest);
    return query_finish(&q, err);
}

static err_code insert_label(struct db *db, const char *job, const char *label, size_t length, struct error *err)
{
    char *copy = strndup(label, length);
    if (!copy)
        return error_set(err, ERR_out_of_memory, "no memory for a label");
    struct query q = query_start(db, "INSERT OR IGNORE INTO job_label (label, job) VALUES (:label, :job)");
    query_text(&q, ":label", copy);
    query_text(&q, ":job", job);
    err_code code = query_finish(&q, err);
    free(copy);
    return code;
}

static err_code insert_labels(struct db *db, const struct store_job *j, struct error *err)
{
    err_code code = ERR_ok;
    for (const char *line = j->labels ? j->labels : ""; *line && code == ERR_ok;) {
        size_t length = strcspn(line, "\n");
        if (length > 0)
            code = insert_label(db, j->id, line, length, err);
        line += length + (line[length] == '\n');
    }
    return code;
}

static err_code add_new(struct db *db, const struct addition *a, struct error *err)
{
    err_code code = check_parts(db, a->job, err);
    if (code == ERR_ok)
        code = check_queue(db, a->max_queued, err);
    if (code == ERR_ok)
        code = insert_row(db, a->job, err);
    if (code == ERR_ok)
        code = insert_labels(db, a->job, err);
    if (code == ERR_ok)
        code = job_start_insert(db, a->job->id, a->job->start, a->job->start_size, err);
    return code == ERR_ok ? key_keep(db, a->key, 0, a->job->id, err) : code;
}

static err_code find_key(struct db *db, const struct store_key *key, struct store_job *ret, bool *ret_found,
                         struct error *err)
{
    struct key_made earlier = {0};
    err_code code = key_find(db, key, &earlier, err);
    if (code != ERR_ok)
        return code;
    if (earlier.model_id != 0)
        code = error_set(err, ERR_key_reused, "the key '%s' was used for a model", key->key);
    else if (earlier.found)
        code = job_row_find(db, earlier.job, ret, err);
    if (code == ERR_ok)
        *ret_found = earlier.found;
    free(earlier.job);
    return code;
}

err_code store_job_find_key(struct store *s, const struct store_key *key, struct store_job *ret, bool *ret_found,
                            struct error *err)
{
    struct db *db;
    err_code code = readers_take(s->readers, &db, err);
    if (code != ERR_ok)
        return code;
    code = find_key(db, key, ret, ret_found, err);
    readers_give(s->readers, db);
    return code;
}

static err_code add(struct db *db, void *context, struct error *err)
{
    struct addition *a = context;
    err_code code = find_key(db, a->key, &a->made, &a->repeated, err);
    if (code != ERR_ok || a->repeated)
        return code;
    code = add_new(db, a, err);
    return code == ERR_ok ? job_row_find(db, a->job->id, &a->made, err) : code;
}

err_code store_job_add(struct store *s, const struct store_job *j, int64_t max_queued, const struct store_key *key,
                       struct store_job *ret, bool *ret_repeated, struct error *err)
{
    struct addition a = {.job = j, .max_queued = max_queued, .key = key};
    err_code code = writer_run(s->writer, add, &a, err);
    if (code != ERR_ok) {
        store_job_clear(&a.made);
        return code;
    }
    *ret = a.made;
    *ret_repeated = a.repeated;
    return ERR_ok;
}
