/* A house to work in: a store with a model and a table, a catalog, and work. */
#ifndef GRADD_TESTS_WORK_HOUSE_H
#define GRADD_TESTS_WORK_HOUSE_H

#include "base/uuid.h"
#include "support/small.h"
#include "work/work.h"

/* The lesson's network: X batch 4, y batch 1; 60 rows of a table with columns a, b, c, d (numbers), kind (a category of
 * three) and target. */
extern const char house_model[];

struct house {
    struct small small;
    struct catalog *catalog;
    struct work *work; /* NULL while it is stopped */
};
void house_begin(struct house *h, int workers);
void house_end(struct house *h);
void house_start(struct house *h, int workers);
void house_stop(struct house *h);
/* Stops work and closes the store, as a process that ends does, and opens it again, without work. */
void house_reopen(struct house *h);

/* Reads a job's spec in a form of these tests' own, a job_decoder: "model dataset epochs batch rate fraction every",
 * with X of a to d and y of target, both standardized. */
err_code house_decode_job(const char *spec, struct job_spec *ret, struct error *err);
/* Submits such a spec; the job's id goes to ret. */
void house_submit(struct house *h, const char *spec, char ret[UUID_TEXT_MAX]);
struct store_job house_job(struct house *h, const char *id);
/* Waits until the job is in that state; fails after 60 s. */
struct store_job house_wait(struct house *h, const char *id, enum job_state state);
/* Waits until so many steps of the job are on the board. */
void house_wait_for_step(struct house *h, const char *id, int64_t attempt, int64_t step);

#endif
