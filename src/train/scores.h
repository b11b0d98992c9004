/* Scores: how well a model's output meets its target, beside the cost; looked at when an epoch ends, on the validation
 * rows, or without those on the training rows.
 *
 * The target is the one input that the cost needs and the output does not. Accuracy is the share of right classes: of
 * the highest of the output's elements, against a class number or the highest of as many elements; where the output is
 * what BCE, BCEWithLogits or Hinge takes, or a Sigmoid, of elements on the right side of 0.5 or 0. MAE is the mean
 * absolute difference, in the data's own units. R2 is 1 - (sum of squared differences) / (sum of squared deviations of
 * the target from its mean over the same rows), the mean of the elements' whose target varies; NaN if none does. */
#ifndef GRADD_TRAIN_SCORES_H
#define GRADD_TRAIN_SCORES_H

#include "graph/model.h"

enum score { SCORE_ACCURACY, SCORE_MAE, SCORE_R2, SCORE_COUNT };

const char *score_name(enum score score); /* "accuracy", "mae", "r2" */
bool score_find(const char *name, enum score *ret);

/* The target: an index into the model's inputs. False: there is none, or more than one. ERR_out_of_memory. */
err_code score_target(const struct model *m, size_t *ret_input, bool *ret_found, struct error *err);

#endif
