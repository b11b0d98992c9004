/* A store in a directory of its own, with small models and tables in it: what the tests of query and work share. Every
 * function here fails the test by itself. */
#ifndef GRADD_TESTS_SUPPORT_SMALL_H
#define GRADD_TESTS_SUPPORT_SMALL_H

#include "base/config.h"
#include "graph/model.h"
#include "store/store.h"
#include "support/near.h"

struct small {
    char folder[64], path[128];
    struct store *store; /* open, but between small_close and small_open */
    struct limits limits;
};
void small_begin(struct small *s);
void small_end(struct small *s); /* closes the store and removes the directory */
void small_open(struct small *s);
void small_close(struct small *s);
struct limits small_limits(void); /* the defaults, with 1 GiB of memory */

/* Reads a spec in a form of these tests' own, a model_decoder: a line "float32 7" (dtype and seed), a line for each
 * leaf ("input X batch 10", "parameter W1 10 8"), a line "program", and the program. The node `cost` is the cost, the
 * node `out` the output. ERR_invalid_model for what it does not know. */
err_code small_decode_model(const char *spec, const struct limits *limits, struct model **ret, struct error *err);
struct model *small_model(const char *spec);

/* Stores the table of a CSV text. */
void small_put_csv(struct store *s, const char *name, const char *csv);

/* Fails the test with what err says, unless code is ERR_ok. */
#define assert_ok(code, err) check_ok((code), (err), __FILE__, __LINE__)
void check_ok(err_code code, const struct error *err, const char *file, int line);

/* The items of an error as lines "code pointer detail"; the caller frees it. */
char *small_items(const struct error *err);
/* Fails unless the items are these lines; clears err. */
#define assert_items(err, expected) check_items((err), (expected), __FILE__, __LINE__)
void check_items(struct error *err, const char *expected, const char *file, int line);

#endif
