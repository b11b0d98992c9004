/* The plans of a job: at most one for each phase. Measuring a job and training it make the same ones, so that what was
 * measured is what is allocated. */
#ifndef GRADD_TRAIN_PLANS_H
#define GRADD_TRAIN_PLANS_H

#include "engine/plan.h"
#include "train/layout.h"

/* ret: PHASE_COUNT plans, NULL for a phase that does not occur; train_plans_free().
 * Refuses with items that point into the job: no_cost, invalid_value (no parameters, none that is trained),
 * unknown_name (of a frozen parameter), shape_mismatch (an input without batch). */
err_code train_plans_make(const struct model *m, const struct train_spec *spec, const struct layout *l,
                          struct plan *ret[PHASE_COUNT], struct error *err);
void train_plans_free(struct plan *plans[PHASE_COUNT]);

/* What a trainer with these plans holds while it trains: the arenas, the parameters and the optimizer's state, a copy
 * of both, and 4 bytes a row of the table and of a batch. SIZE_MAX if it is more. */
size_t train_plans_memory(const struct model *m, const struct train_spec *spec, const struct layout *l,
                          struct plan *const plans[PHASE_COUNT]);

/* Whether the optimizer keeps state for parameter p: not where the cost does not depend on it, or it is frozen. */
bool train_plans_have_state(struct plan *const plans[PHASE_COUNT], size_t p);

#endif
