#include "store/writer.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

struct call {
    write_fn *run;
    void *context;
    struct error *err;
    err_code code;
    bool done;
    struct call *next;
};

struct writer {
    atomic_uint_least64_t count; /* of transactions */
    struct db *db;               /* the thread's alone */
    pthread_t thread;
    pthread_mutex_t mutex;   /* guards what follows, and the calls while they are queued */
    pthread_cond_t wanted;   /* there is a call, or the end */
    pthread_cond_t answered; /* calls are done */
    struct call *first, *last;
    bool stopping;
    pthread_mutex_t after_mutex; /* guards what follows, and is held while it is called */
    after_fn *after;
    void *after_context;
};

/* ---- a group ---- */

/* Runs one call in its savepoint. An error comes back only if the whole transaction is lost; the call's own is in the
 * call. */
static err_code run_call(struct db *db, struct call *call, struct error *err)
{
    err_code code = db_run(db, "SAVEPOINT call", err);
    if (code != ERR_ok)
        return code;
    call->code = call->run(db, call->context, call->err);
    if (!db_in_transaction(db)) { /* after some failures SQLite rolls back everything */
        const char *detail = call->err ? call->err->detail : NULL;
        code = call->code != ERR_ok ? call->code : ERR_internal;
        return error_set(err, code, "the transaction was lost: %s", detail ? detail : err_title(code));
    }
    if (call->code != ERR_ok)
        code = db_run(db, "ROLLBACK TO call", err);
    return code == ERR_ok ? db_run(db, "RELEASE call", err) : code;
}

/* Calls from `first` up to `end` (not included) share the failure, but for those that have one of their own. */
static void fail_calls(struct call *first, const struct call *end, err_code code, const struct error *err)
{
    for (struct call *call = first; call != end; call = call->next) {
        if (call->code == ERR_ok)
            call->code = error_set(call->err, code, "%s", err->detail ? err->detail : err_title(code));
    }
}

/* Runs calls in one transaction, as many as it lasts. Returns the first that is still to be run; NULL: none. */
static struct call *run_transaction(struct db *db, struct call *first)
{
    struct error err = {0};
    struct call *next = NULL; /* without a transaction all of them fail */
    err_code code = db_run(db, "BEGIN IMMEDIATE", &err);
    if (code == ERR_ok) {
        for (next = first; next && code == ERR_ok; next = next->next)
            code = run_call(db, next, &err);
        if (code == ERR_ok)
            code = db_run(db, "COMMIT", &err);
    }
    if (code != ERR_ok)
        fail_calls(first, next, code, &err);
    if (db_in_transaction(db))
        (void)db_run(db, "ROLLBACK", NULL);
    error_clear(&err);
    return next;
}

/* ---- the thread ---- */

static struct call *take_group(struct writer *w)
{
    (void)pthread_mutex_lock(&w->mutex);
    while (!w->first && !w->stopping)
        (void)pthread_cond_wait(&w->wanted, &w->mutex);
    struct call *group = w->first;
    w->first = w->last = NULL;
    (void)pthread_mutex_unlock(&w->mutex);
    return group;
}

static void answer(struct writer *w, struct call *group)
{
    (void)pthread_mutex_lock(&w->mutex);
    for (struct call *call = group; call; call = call->next)
        call->done = true;
    (void)pthread_cond_broadcast(&w->answered);
    (void)pthread_mutex_unlock(&w->mutex); /* only now callers go on, and calls end */
}

static void call_after(struct writer *w)
{
    (void)pthread_mutex_lock(&w->after_mutex);
    if (w->after)
        w->after(w->db, w->after_context);
    (void)pthread_mutex_unlock(&w->after_mutex);
}

static void *serve(void *context)
{
    struct writer *w = context;
    for (struct call *group = take_group(w); group; group = take_group(w)) {
        struct call *next = group;
        while (next) {
            next = run_transaction(w->db, next);
            atomic_fetch_add(&w->count, 1);
        }
        call_after(w);
        answer(w, group);
    }
    return NULL;
}

/* Starts the thread with all signals blocked: they are main's. */
static int start(struct writer *w)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(&w->thread, NULL, serve, w);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failure;
}

static void release(struct writer *w)
{
    (void)pthread_mutex_destroy(&w->after_mutex);
    (void)pthread_cond_destroy(&w->answered);
    (void)pthread_cond_destroy(&w->wanted);
    (void)pthread_mutex_destroy(&w->mutex);
    db_close(w->db);
    free(w);
}

err_code writer_new(struct db *db, struct writer **ret, struct error *err)
{
    struct writer *w = calloc(1, sizeof *w);
    if (!w) {
        db_close(db);
        return error_set(err, ERR_out_of_memory, "no memory for the writer");
    }
    w->db = db;
    (void)pthread_mutex_init(&w->mutex, NULL);
    (void)pthread_cond_init(&w->wanted, NULL);
    (void)pthread_cond_init(&w->answered, NULL);
    (void)pthread_mutex_init(&w->after_mutex, NULL);
    if (start(w) != 0) {
        release(w);
        return error_set(err, ERR_out_of_memory, "the writer's thread can't be started");
    }
    *ret = w;
    return ERR_ok;
}

void writer_free(struct writer *w)
{
    if (!w)
        return;
    (void)pthread_mutex_lock(&w->mutex);
    w->stopping = true;
    (void)pthread_cond_signal(&w->wanted);
    (void)pthread_mutex_unlock(&w->mutex);
    (void)pthread_join(w->thread, NULL);
    release(w);
}

err_code writer_run(struct writer *w, write_fn *run, void *context, struct error *err)
{
    struct call call = {.run = run, .context = context, .err = err};
    (void)pthread_mutex_lock(&w->mutex);
    struct call **end = w->last ? &w->last->next : &w->first;
    *end = w->last = &call; /* cppcheck-suppress autoVariables; the thread forgets it before this returns */
    (void)pthread_cond_signal(&w->wanted);
    while (!call.done)
        (void)pthread_cond_wait(&w->answered, &w->mutex);
    (void)pthread_mutex_unlock(&w->mutex);
    return call.code;
}

uint64_t writer_count(const struct writer *w)
{
    return atomic_load(&w->count);
}

void writer_after(struct writer *w, after_fn *after, void *context)
{
    (void)pthread_mutex_lock(&w->after_mutex);
    w->after = after;
    w->after_context = context;
    (void)pthread_mutex_unlock(&w->after_mutex);
}
