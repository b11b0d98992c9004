/* A training step as one graph and one plan: the cost, its gradient by every parameter, and the optimizer's updates. */
#ifndef GRADD_TRAIN_STEP_H
#define GRADD_TRAIN_STEP_H

#include "engine/plan.h"
#include "train/trainer.h"

/* The step's graph as it is built, before it is simplified.
 *
 * Leaves beside the model's own are the optimizer's: its state, a tensor of the parameter's shape each, and its
 * scalars. Their names have blanks, so that no program has them. */
struct step_graph {
    struct graph *graph; /* owned, like all below */
    size_t forward;      /* ids below are the model's nodes, their Grad nodes replaced by gradients */
    node_id cost;
    node_id
        *adjoints; /* if they were asked for: `forward` ids, the gradient of the cost by each; NODE_NONE: none flows */
    node_id *updates; /* parameter p and its states: updates[p * stride], ...; all NODE_NONE if the cost does not depend
                         on it. LBFGS: the gradient by p, zeros if it does not depend on it or p is frozen */
    node_id norm;     /* of the gradient by all parameters that are trained, before it is clipped */
    size_t parameter_count, stride;
};

/* The model must have a cost. with_adjoints: the gradient by every node, not only by the parameters. */
err_code step_graph_make(const struct model *m, const struct train_spec *spec, int64_t batch, bool with_adjoints,
                         struct step_graph *ret, struct error *err);
void step_graph_clear(struct step_graph *s);

/* The plan of a training step: output 0 is the cost, with_norm output 1 the norm of the gradient, the others are
 * written where the parameters and their states lie, with the same bits whether with the norm or without. For LBFGS
 * they are the gradients by the parameters, and written nowhere. The model's inputs and the weights are gathered. A
 * state is a leaf of the plan only if the cost depends on its parameter. */
err_code step_plan(const struct model *m, const struct train_spec *spec, int64_t batch, bool with_norm,
                   struct plan **ret, struct error *err);
/* The plan of the cost and, where there are metrics, of the model's output, without training (Dropout is the
 * identity). */
err_code cost_plan(const struct model *m, const struct train_spec *spec, int64_t batch, struct plan **ret,
                   struct error *err);

/* Names of the optimizer's leaves: state `state` of the model's parameter `parameter`, and its scalars. */
enum { LEAF_NAME_MAX = 64 };
const char *state_leaf(size_t parameter, size_t state, char buffer[LEAF_NAME_MAX]);
const char *scalar_leaf(size_t scalar, char buffer[LEAF_NAME_MAX]);
/* The leaf of the rows' weights. */
extern const char *const weight_leaf;

/* The leaves of a step's graph that take rows of a table, if they are in it: the model's inputs, and the weights. Room
 * for input_count + 1; returns how many there are. */
size_t row_leaves(const struct model *m, const struct graph *g, node_id *ret);

#endif
