/* gradd serve: wires everything, serves until SIGTERM or SIGINT, and takes it apart again. */
#include "cmd.h"

#include "api/codec.h"
#include "api/server.h"
#include "base/log.h"
#include "engine/run.h"
#include "version.h"
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum { POOL_QUEUE_MAX = 256 };

/* Everything that serves, in the order in which it is started. */
struct house {
    struct config config;
    struct app app;
    struct server *server;
};

/* Threads inherit the mask: SIGTERM and SIGINT are only for wait_for_signal(). */
static void block_signals(sigset_t *ret_stops)
{
    sigemptyset(ret_stops);
    sigaddset(ret_stops, SIGTERM);
    sigaddset(ret_stops, SIGINT);
    pthread_sigmask(SIG_BLOCK, ret_stops, NULL);
}

/* Once one came, the next one kills. */
static void wait_for_signal(const sigset_t *stops)
{
    int number;
    while (sigwait(stops, &number) != 0)
        continue;
    log_write(LOG_INFO, "stopping: %s", number == SIGTERM ? "SIGTERM" : "SIGINT");
    pthread_sigmask(SIG_UNBLOCK, stops, NULL);
}

static err_code open_house(struct house *h, struct error *err)
{
    const struct config *config = &h->config;
    struct app *app = &h->app;
    log_set_level(config->log_level);
    app->config = config;
    err_code code = config->isa != NULL ? engine_select_isa(config->isa, err) : ERR_ok;
    if (code == ERR_ok)
        code = store_open(config->db, &app->store, err);
    if (code == ERR_ok)
        code = catalog_new(app->store, decode_model, &config->limits, &app->catalog, err);
    if (code == ERR_ok)
        code = plans_new(&config->limits, &app->plans, err);
    if (code == ERR_ok)
        code = pool_new(config->workers, POOL_QUEUE_MAX, &app->pool, err);
    const struct work_config work = {
        .store = app->store,
        .catalog = app->catalog,
        .decode = decode_job,
        .workers = config->workers,
        .limits = &config->limits,
    };
    if (code == ERR_ok)
        code = work_start(&work, &app->work, err);
    if (code == ERR_ok)
        code = feed_new(app, &app->feed, err);
    if (code == ERR_ok)
        code = server_start(app, &h->server, err);
    return code;
}

/* In the opposite order. If a request's work does not end in time, the process is ended around it: what was
 * acknowledged is in the store, which survives that. */
static void close_house(struct house *h)
{
    if (!server_stop(h->server)) {
        log_write(LOG_WARNING, "a request did not stop in time; leaving it behind");
        fflush(NULL);
        _exit(EXIT_DONE);
    }
    work_stop(h->app.work);
    feed_free(h->app.feed);
    pool_free(h->app.pool);
    plans_free(h->app.plans);
    catalog_free(h->app.catalog);
    store_close(h->app.store);
    config_clear(&h->config);
}

int cmd_serve(int argc, char *const argv[])
{
    struct house house = {0};
    struct error err = {0};
    sigset_t stops;
    if (config_read(argc, argv, &house.config, &err) != ERR_ok)
        return cmd_complain(&err, EXIT_USAGE);
    block_signals(&stops);
    int status = EXIT_DONE;
    if (open_house(&house, &err) != ERR_ok) {
        status = cmd_complain(&err, EXIT_FAILED);
    } else {
        printf("gradd " GRADD_VERSION " listening on %s\n", server_url(house.server));
        fflush(stdout);
        wait_for_signal(&stops);
    }
    close_house(&house);
    return status;
}
