#include "store/readers.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { READERS_MAX = 8 };

struct readers {
    char *path;
    pthread_mutex_t mutex;   /* guards what follows */
    pthread_cond_t returned; /* a connection came back, or may be opened */
    struct db *idle[READERS_MAX];
    size_t idle_count;
    size_t taken_count;
};

err_code readers_new(const char *path, struct readers **ret, struct error *err)
{
    struct readers *r = calloc(1, sizeof *r);
    char *copy = strdup(path);
    if (!r || !copy) {
        free(copy);
        free(r);
        return error_set(err, ERR_out_of_memory, "no memory for the readers");
    }
    r->path = copy;
    (void)pthread_mutex_init(&r->mutex, NULL);
    (void)pthread_cond_init(&r->returned, NULL);
    *ret = r;
    return ERR_ok;
}

void readers_free(struct readers *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->idle_count; i++)
        db_close(r->idle[i]);
    (void)pthread_cond_destroy(&r->returned);
    (void)pthread_mutex_destroy(&r->mutex);
    free(r->path);
    free(r);
}

/* The right to one connection, and an idle one if there is one; else NULL: the caller opens it. */
static struct db *reserve(struct readers *r)
{
    (void)pthread_mutex_lock(&r->mutex);
    while (r->taken_count == READERS_MAX)
        (void)pthread_cond_wait(&r->returned, &r->mutex);
    r->taken_count++;
    struct db *db = r->idle_count > 0 ? r->idle[--r->idle_count] : NULL;
    (void)pthread_mutex_unlock(&r->mutex);
    return db;
}

/* Gives the right back, with the connection if it is still good; NULL: without. */
static void put_back(struct readers *r, struct db *db)
{
    (void)pthread_mutex_lock(&r->mutex);
    r->taken_count--;
    if (db)
        r->idle[r->idle_count++] = db;
    (void)pthread_cond_signal(&r->returned);
    (void)pthread_mutex_unlock(&r->mutex);
}

err_code readers_take(struct readers *r, struct db **ret, struct error *err)
{
    struct db *db = reserve(r);
    err_code code = db ? ERR_ok : db_open(r->path, DB_READER, &db, err);
    if (code == ERR_ok)
        code = db_run(db, "BEGIN", err);
    if (code != ERR_ok) {
        db_close(db);
        put_back(r, NULL);
        return code;
    }
    *ret = db;
    return ERR_ok;
}

void readers_give(struct readers *r, struct db *db)
{
    if (db_run(db, "ROLLBACK", NULL) != ERR_ok) { /* nothing was written */
        db_close(db);
        db = NULL;
    }
    put_back(r, db);
}
