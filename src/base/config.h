/* Configuration: what the command line and the environment say, and the limits on what clients may ask. */
#ifndef GRADD_BASE_CONFIG_H
#define GRADD_BASE_CONFIG_H

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"

/* Every limit has an option; the defaults are given. */
struct limits {
    int64_t body_bytes;         /* 1 MiB: bodies without a limit of their own */
    int64_t model_bytes;        /* 16 MiB */
    int64_t query_bytes;        /* 64 MiB: queries and parameters */
    int64_t dataset_bytes;      /* 1 GiB */
    int64_t rank;               /* 8 */
    int64_t tensor_elements;    /* 2^31 */
    int64_t answer_elements;    /* 10,000,000 */
    int64_t program_names;      /* 10,000 */
    int64_t program_bytes;      /* 1 MiB */
    int64_t program_nesting;    /* 256 */
    int64_t parameter_elements; /* 2^26: of all parameters of a model */
    int64_t json_nesting;       /* 64 */
    int64_t nodes;              /* 1,000,000, with derivatives */
    int64_t connections;        /* 1,024 */
    int64_t idle_seconds;       /* 60 */
    int64_t queued_jobs;        /* 10,000 */
    int64_t memory_bytes;       /* for arenas and tables; default three quarters of the machine's */
    int64_t query_seconds;      /* 30: after that a query is cancelled (503) */
};

struct config {
    char *listen_host; /* owned; "127.0.0.1"; an IPv6 address without its brackets */
    int listen_port;   /* 8080; 0 takes a free one */
    char *db;          /* owned; "gradd.db" */
    int workers;       /* number of cores */
    int io_threads;    /* 2 */
    char *cors_origin; /* owned; NULL: none */
    char *isa;         /* owned; NULL: the best that the machine has; else baseline, avx2, avx512, neon */
    enum log_level log_level;
    struct limits limits;
};

/* Defaults, then the environment (GRADD_LISTEN, GRADD_DB, ...; an empty variable counts as none), then options
 * (--listen HOST:PORT,
 * --db=FILE, ...; of one given twice the last holds). argv holds only options. Sizes are bytes, or take K, M or G (of
 * 1,024). ERR_invalid_value with a sentence for the user, all mistakes as items; ERR_out_of_memory. The environment
 * must not change meanwhile. */
err_code config_read(int argc, char *const argv[], struct config *ret, struct error *err);
void config_clear(struct config *c);
void config_help(struct text *out); /* a line an option: name, variable, default, meaning; the one list of them */

#endif
