/* What every handler may use: made by cmd_serve.c, shared by all requests, never changed while the server runs. */
#ifndef GRADD_API_APP_H
#define GRADD_API_APP_H

#include "base/config.h"
#include "query/catalog.h"
#include "query/pool.h"
#include "query/question.h"
#include "store/store.h"
#include "work/work.h"

struct feed;

struct app {
    const struct config *config;
    struct store *store;
    struct catalog *catalog;
    struct plans *plans;
    struct pool *pool;
    struct work *work;
    struct feed *feed;
};

#endif
