/* A run: one arena in which a plan is executed, again and again. Private to its thread; the plan must outlive it. */
#ifndef GRADD_ENGINE_RUN_H
#define GRADD_ENGINE_RUN_H

#include "engine/plan.h"
#include <stdatomic.h>

struct run;

err_code run_new(const struct plan *p, struct run **ret, struct error *err);
void run_free(struct run *r);

/* Values of a leaf: plan_input_shape elements of the plan's dtype, row-major, borrowed, not written unless an output
 * shares them (run_bind_shared). */
void run_bind(struct run *r, size_t input, const void *data);
void run_bind_shared(struct run *r, size_t input, void *data);
/* A gathered leaf: row i is row rows[i] of `table` (row-major, each row as many elements as a row of the leaf). Both
 * borrowed. */
void run_bind_rows(struct run *r, size_t input, const void *table, const uint32_t *rows);
/* Keys of Dropout's masks. */
void run_set_random(struct run *r, uint64_t seed, uint64_t step);

/* Lets a team share the run's steps; borrowed. No larger than the plan's `threads`. NULL: the run's thread alone. The
 * bits are the same. */
struct team;
void run_set_team(struct run *r, struct team *team);

/* Executes the plan. `cancel` (may be NULL) is looked at between steps: ERR_cancelled. Errors of values:
 * index_out_of_range (Gather, CrossEntropy), naming the node. */
err_code run_execute(struct run *r, const atomic_bool *cancel, struct error *err);

/* An output's elements, valid until the next run. */
const void *run_output(const struct run *r, size_t output);

/* The instruction set in use: "avx512", "avx2", "baseline", "neon". engine_select_isa forces one that the machine has,
 * once, before any plan is made (from --isa, GRADD_ISA). */
err_code engine_select_isa(const char *name, struct error *err);
const char *engine_isa(void);

#endif
