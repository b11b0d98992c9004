/* Deaths of the process by jobs. Whoever dies writes the ids of its jobs to a file beside the database,
 * "gradd.db-deaths", a line each; whoever opens the database next counts them. */
#include "base/clock.h"
#include "store/inside.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_MAX = 65536 };

err_code deaths_open(const char *name, int *ret, struct error *err)
{
    char *path = NULL;
    if (asprintf(&path, "%s-deaths", name) < 0)
        return error_set(err, ERR_out_of_memory, "no memory for the name of the file of deaths");
    int file = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    err_code code = ERR_ok;
    if (file >= 0)
        *ret = file;
    else
        code = error_set(err, ERR_database_failed, "%s can't be opened: %s", path, strerrordesc_np(errno));
    free(path);
    return code;
}

/* A job that is not running did not do it: its death was counted before. */
static err_code count_death(struct db *db, const char *id, struct error *err)
{
    struct query q = query_start(db, "UPDATE job SET deaths = deaths + 1 WHERE id = :id AND state = 'running'");
    query_text(&q, ":id", id);
    return query_finish(&q, err);
}

static err_code fail_deadly(struct db *db, struct error *err)
{
    struct query q = query_start(
        db, "UPDATE job SET state = 'failed', finished_at = max(:now, started_at), error_code = 'crashed', revision = "
            "revision + 1,"
            " error_detail = 'the job brought the process down ' || deaths || ' times without a checkpoint in between'"
            " WHERE state = 'running' AND deaths >= :most");
    query_integer(&q, ":now", clock_now());
    query_integer(&q, ":most", DEATHS_MAX);
    return query_finish(&q, err);
}

err_code deaths_count(struct db *db, int file, struct error *err)
{
    char *text = calloc(FILE_MAX + 1, 1), *rest = NULL;
    if (!text)
        return error_set(err, ERR_out_of_memory, "no memory for the file of deaths");
    err_code code = pread(file, text, FILE_MAX, 0) < 0
                        ? error_set(err, ERR_database_failed, "deaths can't be read: %s", strerrordesc_np(errno))
                        : ERR_ok;
    for (char *id = strtok_r(text, "\n", &rest); id && code == ERR_ok; id = strtok_r(NULL, "\n", &rest))
        code = count_death(db, id, err);
    free(text);
    return code == ERR_ok ? fail_deadly(db, err) : code;
}

void deaths_forget(int file)
{
    (void)!ftruncate(file, 0);
}

int store_deaths(const struct store *s)
{
    return s->deaths;
}
