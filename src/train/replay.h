/* Replay: finds out where training went non-finite. The plan that trains pays nothing for it: the steps since the last
 * good copy are taken again, and the step that fails is computed node by node. */
#ifndef GRADD_TRAIN_REPLAY_H
#define GRADD_TRAIN_REPLAY_H

#include "base/text.h"
#include "train/session.h"

/* The cost, or a parameter, was found non-finite when `steps` steps were done. Returns ERR_nonfinite, with a detail
 * like "step 12, epoch 1: node 'l1' (Linear) became non-finite; X in [-1.2, 3.4], W1 in [-2e38, 1e38]"; or
 * ERR_cancelled. The session is spent. */
err_code replay(struct session *s, int64_t steps, const atomic_bool *cancel, struct error *err);

/* Computes step `step` (0 = first) node by node, and appends to `out` which node is the first of those that made the
 * cost or a parameter non-finite; nothing if all is finite. */
err_code trace_step(struct session *s, int64_t step, struct text *out, struct error *err);

#endif
