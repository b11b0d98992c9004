#include "store/inside.h"
#include "store/migrate.h"
#include "store/upkeep.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct check {
    struct db *db;
    store_table_digest *table_digest;
    store_finding *finder;
    void *context;
    struct store_checked *counts;
    struct error *err;
};

__attribute__((format(printf, 2, 3))) static void find(struct check *c, const char *format, ...)
{
    char sentence[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    c->counts->findings++;
    c->finder(c->context, sentence);
}

/* A part of the check that a damaged page has ended is a finding: the next part may go on. */
static err_code end_part(struct check *c, struct query *q)
{
    struct error cause = {0};
    err_code code = query_end(q, &cause);
    if (code == ERR_database_failed) {
        find(c, "%s", cause.detail ? cause.detail : err_title(code));
        code = ERR_ok;
    } else if (code != ERR_ok) {
        (void)error_set(c->err, code, "%s", cause.detail ? cause.detail : err_title(code));
    }
    error_clear(&cause);
    return code;
}

/* ---- the file ---- */

static err_code check_pages(struct check *c)
{
    struct query q = query_start(c->db, "PRAGMA integrity_check");
    while (query_row(&q)) {
        char *sentence = column_text(&q);
        if (sentence && strcmp(sentence, "ok") != 0)
            find(c, "%s", sentence);
        free(sentence);
    }
    return end_part(c, &q);
}

static err_code check_references(struct check *c)
{
    struct query q = query_start(c->db, "PRAGMA foreign_key_check");
    while (query_row(&q)) {
        char *table = column_text(&q);
        int64_t row = column_integer(&q, 0);
        char *parent = column_text(&q);
        find(c, "row %" PRId64 " of %s refers to a row of %s that is not there", row, table ? table : "?",
             parent ? parent : "?");
        free(table);
        free(parent);
    }
    return end_part(c, &q);
}

/* ---- bytes in parts ---- */

/* The bytes of a run of parts, (part, bytes) in order. */
struct run_of_bytes {
    int64_t size;
    bool gap; /* a part is missing, or one before the last is not full */
    char digest[DIGEST_TEXT_MAX];
};

static struct run_of_bytes read_parts(struct query *q)
{
    struct run_of_bytes run = {0};
    struct digest d;
    digest_start(&d);
    for (int64_t part = 0; query_row(q); part++) {
        size_t size;
        run.gap = run.gap || column_integer(q, -1) != part || run.size != part * CHUNK_BYTES;
        const void *bytes = column_bytes(q, &size);
        if (bytes)
            digest_bytes(&d, bytes, size);
        run.size += (int64_t)size;
    }
    digest_end(&d, run.digest);
    return run;
}

static void compare(struct check *c, const struct run_of_bytes *run, int64_t size, const char *expected,
                    const char *actual, const char *of)
{
    if (run->gap || run->size != size)
        find(c, "%s: %" PRId64 " bytes were written, but what is there is %" PRId64 " bytes%s", of, size, run->size,
             run->gap ? " with parts missing" : "");
    else if (!expected || strcmp(expected, actual) != 0)
        find(c, "%s: the bytes are not those that were written: their digest is %s, not %s", of, actual,
             expected ? expected : "told");
}

/* ---- models ---- */

static err_code check_version(struct check *c, struct query *of)
{
    char name[160];
    int64_t id = column_integer(of, 0), version = column_integer(of, 0), size = column_integer(of, 0);
    char *digest = column_text(of), *model = column_text(of);
    (void)snprintf(name, sizeof name, "version %" PRId64 " of the model '%s'", version, model ? model : "?");
    struct query q = query_start(c->db, "SELECT part, bytes FROM version_chunk WHERE model_id = :model AND"
                                        " version = :version ORDER BY part");
    query_integer(&q, ":model", id);
    query_integer(&q, ":version", version);
    struct run_of_bytes run = read_parts(&q);
    compare(c, &run, size, digest, run.digest, name);
    c->counts->versions++;
    free(digest);
    free(model);
    return end_part(c, &q);
}

static err_code check_versions(struct check *c)
{
    struct query q = query_start(c->db, "SELECT v.model_id, v.version, v.size, v.digest, m.name FROM version v"
                                        " LEFT JOIN model m ON m.id = v.model_id ORDER BY v.model_id, v.version");
    err_code code = ERR_ok;
    while (code == ERR_ok && query_row(&q))
        code = check_version(c, &q);
    err_code end = end_part(c, &q);
    return code == ERR_ok ? end : code;
}

static err_code check_models(struct check *c)
{
    struct query q = query_start(c->db, "SELECT name, version, (SELECT max(version) FROM version WHERE model_id = id)"
                                        " FROM model ORDER BY name");
    while (query_row(&q)) {
        char *name = column_text(&q);
        int64_t newest = column_integer(&q, 0), there = column_integer(&q, 0);
        if (newest != there)
            find(c, "the model '%s' has %" PRId64 " versions, but the newest that is there is %" PRId64,
                 name ? name : "?", newest, there);
        c->counts->models++;
        free(name);
    }
    return end_part(c, &q);
}

/* ---- data sets ---- */

static err_code check_table(struct check *c, struct query *of)
{
    char name[160], actual[DIGEST_TEXT_MAX] = "";
    size_t info_size;
    int64_t id = column_integer(of, 0), size = column_integer(of, 0);
    char *text = column_text(of), *digest = column_text(of);
    void *info = column_blob(of, &info_size);
    (void)snprintf(name, sizeof name, "the data set '%s'", text ? text : "?");
    struct query q = query_start(c->db, "SELECT part, bytes FROM dataset_chunk WHERE dataset_id = :id ORDER BY part");
    query_integer(&q, ":id", id);
    struct run_of_bytes run = read_parts(&q);
    struct error cause = {0};
    err_code code = c->table_digest(info, info_size, run.digest, actual, &cause);
    if (code == ERR_ok)
        compare(c, &run, size, digest, actual, name);
    else if (code == ERR_database_failed)
        find(c, "%s: %s", name, cause.detail ? cause.detail : err_title(code));
    else
        (void)error_set(c->err, code, "%s", cause.detail ? cause.detail : err_title(code));
    error_clear(&cause);
    c->counts->datasets++;
    free(text);
    free(digest);
    free(info);
    err_code end = end_part(c, &q);
    return code == ERR_ok || code == ERR_database_failed ? end : code;
}

/* An upload that was not published has no name and is nobody's. */
static err_code check_tables(struct check *c)
{
    struct query q = query_start(c->db, "SELECT id, size, name, digest, info FROM dataset WHERE name IS NOT NULL"
                                        " ORDER BY name");
    err_code code = ERR_ok;
    while (code == ERR_ok && query_row(&q))
        code = check_table(c, &q);
    err_code end = end_part(c, &q);
    return code == ERR_ok ? end : code;
}

/* ---- jobs ---- */

static err_code check_outcomes(struct check *c)
{
    struct query q = query_start(c->db, "SELECT j.id, j.digest, v.digest FROM job j LEFT JOIN version v"
                                        " ON v.model_id = j.model_id AND v.version = j.version");
    while (query_row(&q)) {
        char *id = column_text(&q), *told = column_text(&q), *made = column_text(&q);
        if (made && (!told || strcmp(told, made) != 0))
            find(c, "the job %s has the digest %s, but its version has %s", id ? id : "?", told ? told : "none", made);
        c->counts->jobs++;
        free(id);
        free(told);
        free(made);
    }
    return end_part(c, &q);
}

static err_code check_checkpoint(struct check *c, struct query *of)
{
    char name[160];
    int64_t id = column_integer(of, 0), step = column_integer(of, 0), size = column_integer(of, 0);
    char *job = column_text(of), *digest = column_text(of);
    (void)snprintf(name, sizeof name, "the checkpoint of the job %s at step %" PRId64, job ? job : "?", step);
    struct query q =
        query_start(c->db, "SELECT part, bytes FROM checkpoint_chunk WHERE checkpoint = :id ORDER BY part");
    query_integer(&q, ":id", id);
    struct run_of_bytes run = read_parts(&q);
    compare(c, &run, size, digest, run.digest, name);
    c->counts->checkpoints++;
    free(job);
    free(digest);
    return end_part(c, &q);
}

static err_code check_checkpoints(struct check *c)
{
    struct query q = query_start(c->db, "SELECT id, step, size, job, digest FROM checkpoint ORDER BY job, step");
    err_code code = ERR_ok;
    while (code == ERR_ok && query_row(&q))
        code = check_checkpoint(c, &q);
    err_code end = end_part(c, &q);
    return code == ERR_ok ? end : code;
}

static err_code check_costs(struct check *c)
{
    char before[64] = "";
    int64_t last = 0;
    struct query q = query_start(c->db, "SELECT job, last_step, points FROM cost_segment ORDER BY job, last_step");
    while (query_row(&q)) {
        size_t size;
        char *job = column_text(&q);
        int64_t last_step = column_integer(&q, 0);
        const void *points = column_bytes(&q, &size);
        if (!job || strcmp(job, before) != 0)
            last = INT64_MIN;
        (void)snprintf(before, sizeof before, "%s", job ? job : "");
        int64_t count = 0;
        if (!points || !cost_steps_increase(points, size, &last, &count) || last != last_step)
            find(c, "the cost history of the job %s is damaged before step %" PRId64, before, last_step);
        last = last_step;
        c->counts->cost_points += count;
        free(job);
    }
    return end_part(c, &q);
}

/* ---- everything ---- */

static err_code check_version_of_database(struct check *c)
{
    int64_t version = 0;
    err_code code = migrate_recognise(c->db, migration_count, &version, c->err);
    if (code == ERR_ok && (uint64_t)version < migration_count)
        code = error_set(c->err, ERR_database_failed,
                         "the database was written by an older gradd: it is at version %" PRId64
                         ", and becomes %zu when this gradd serves it; check it then",
                         version, migration_count);
    return code;
}

static err_code check_all(struct check *c)
{
    static err_code (*const parts[])(struct check *) = {check_pages,       check_references, check_models,
                                                        check_versions,    check_tables,     check_outcomes,
                                                        check_checkpoints, check_costs};
    err_code code = check_version_of_database(c);
    if (code == ERR_ok)
        code = db_run(c->db, "BEGIN", c->err); /* all parts see one instant */
    for (size_t i = 0; i < sizeof parts / sizeof *parts && code == ERR_ok; i++)
        code = parts[i](c);
    if (db_in_transaction(c->db))
        (void)db_run(c->db, "ROLLBACK", NULL);
    return code;
}

err_code store_check(const char *path, store_table_digest *table_digest, store_finding *finder, void *context,
                     struct store_checked *ret, struct error *err)
{
    *ret = (struct store_checked){0};
    struct check c = {.table_digest = table_digest, .finder = finder, .context = context, .counts = ret, .err = err};
    char *name = NULL;
    err_code code = database_name(path, &name, err);
    if (code == ERR_ok)
        code = db_open(name, DB_READER, &c.db, err);
    if (code == ERR_ok)
        code = check_all(&c);
    db_close(c.db);
    free(name);
    return code;
}
