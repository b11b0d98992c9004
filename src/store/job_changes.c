/* Jobs in the order of their changes, for those who follow them. */
#include "store/job_rows.h"
#include <stdlib.h>

void store_job_change_list_free(struct job_change *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        store_job_clear(&list[i].job);
    free(list);
}

#define CHANGES "SELECT " JOB_COLUMNS ", changed, state_changed FROM job WHERE changed > :after"
#define IN_ORDER " ORDER BY changed LIMIT :limit"

static const char *changes_sql(const struct change_filter *filter)
{
    if (filter->job)
        return CHANGES " AND id = :job" IN_ORDER;
    return filter->unfinished ? CHANGES " AND state IN ('queued', 'running', 'paused')" IN_ORDER : CHANGES IN_ORDER;
}

static err_code read_changes(struct db *db, const struct change_filter *filter, int64_t after, size_t limit,
                             struct job_change **ret, size_t *ret_count, struct error *err)
{
    struct query q = query_start(db, changes_sql(filter));
    query_integer(&q, ":after", after);
    query_limit(&q, ":limit", limit);
    if (filter->job)
        query_text(&q, ":job", filter->job);
    struct job_change *rows = NULL;
    size_t count = 0;
    while (query_row(&q) && query_room(&q, (void **)&rows, count, sizeof *rows)) {
        struct job_change *row = &rows[count++];
        job_row_read(&q, &row->job);
        row->number = column_integer(&q, 0);
        row->of_state = column_integer(&q, 0) > after;
    }
    err_code code = query_end(&q, err);
    if (code != ERR_ok) {
        store_job_change_list_free(rows, count);
        return code;
    }
    *ret = rows;
    *ret_count = count;
    return ERR_ok;
}

err_code store_job_changes(struct store *s, const struct change_filter *filter, int64_t after, size_t limit,
                           struct job_change **ret, size_t *ret_count, struct error *err)
{
    struct db *db;
    err_code code = readers_take(s->readers, &db, err);
    if (code != ERR_ok)
        return code;
    code = read_changes(db, filter, after, limit, ret, ret_count, err);
    readers_give(s->readers, db);
    return code;
}

err_code store_job_last_change(struct store *s, int64_t *ret, struct error *err)
{
    struct db *db;
    err_code code = readers_take(s->readers, &db, err);
    if (code != ERR_ok)
        return code;
    code = db_number(db, "SELECT last FROM change", ret, err);
    readers_give(s->readers, db);
    return code;
}

/* ---- telling ---- */

/* On the writer's thread, after a group of calls. */
static void tell(struct db *db, void *context)
{
    struct store *s = context;
    int64_t last = s->told;
    if (db_number(db, "SELECT last FROM change", &last, NULL) != ERR_ok || last == s->told)
        return;
    s->told = last;
    s->listener(s->listener_context);
}

void store_on_job_change(struct store *s, store_listener *listener, void *context)
{
    s->listener = listener;
    s->listener_context = context;
    writer_after(s->writer, listener ? tell : NULL, s);
}
