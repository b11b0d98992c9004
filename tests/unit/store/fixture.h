/* A store in a directory of its own, and the things that are put into it. Every function here fails the test by itself.
 */
#ifndef GRADD_TESTS_STORE_FIXTURE_H
#define GRADD_TESTS_STORE_FIXTURE_H

#include "store/store.h"
/* cmocka's header needs the others before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct fixture {
    char folder[64];
    char path[128];
    struct store *store; /* open, but between fixture_close and fixture_open */
};

int fixture_setup(void **state);    /* for cmocka: *state is a struct fixture with an open store */
int fixture_teardown(void **state); /* checks the file's integrity and its references, and removes it */
void fixture_open(struct fixture *f);
void fixture_close(struct fixture *f);

#define assert_code(expression, expected) check_code((expression), (expected), #expression, __FILE__, __LINE__)
void check_code(err_code actual, err_code expected, const char *expression, const char *file, int line);

/* Runs SQL on the file beside the store, and answers the first integer of the first row (0: none). */
int64_t sql_number(const char *path, const char *sql);

/* Puts a model with two parameters of 4 bytes; returns its id. `digest` is that of its spec. */
int64_t put_model(struct store *s, const char *name, const char *digest, bool replace);
/* Publishes a data set of `size` bytes, byte i being i * 7 + seed; returns its id. */
int64_t put_dataset(struct store *s, const char *name, const char *digest, size_t size, unsigned seed);
unsigned char dataset_byte(size_t i, unsigned seed);
/* Adds a job with this number as the end of its id, so that jobs sort by number; its id is written to ret. */
enum { JOB_ID_MAX = 40 };
const char *job_id(int number, char ret[JOB_ID_MAX]);
void add_job(struct store *s, int number, int64_t model_id, int64_t dataset_id, char ret[JOB_ID_MAX]);
/* Adds job 1 for a model "m" and a data set "d", and claims it: attempt 1. */
void add_running(struct store *s, char ret[JOB_ID_MAX]);
enum job_state state_of(struct store *s, const char *id);
int64_t revision_of(struct store *s, const char *id);

#endif
