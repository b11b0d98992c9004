/* Losses by their elements: a loss is the sum of its elements over a number, of all of them, or of the rows for KLDiv
 * and CrossEntropy. Composites are defined by them, and weighted means are made of them. */
#ifndef GRADD_GRAPH_LOSSES_H
#define GRADD_GRAPH_LOSSES_H

#include "graph/builder.h"

bool op_is_loss(enum op op);
/* Appends the elements of a loss node, where `in` are its inputs, of concrete shapes; NODE_NONE if it is no loss. Of
 * `n`, op and attributes count. */
node_id loss_elements(struct builder *b, const struct node *n, const node_id *in);
/* Appends what the sum of the elements is divided by. */
node_id loss_count(struct builder *b, enum op op, node_id elements);

/* max(log q, -100); its derivative is 1/q, and 0 where the log is clamped. */
#define LOSS_LOG_FLOOR (-100.0)
#define LOSS_EXP_LOG_FLOOR 3.720075976020836e-44 /* exp(-100) */
node_id clamped_log(struct builder *b, node_id q);

/* The losses of g that `cost` needs and that average over rows, whose first axis is batch: marks (graph_size(g) bytes,
 * 1 or 0), and how many there are. */
size_t graph_mark_losses(const struct graph *g, node_id cost, unsigned char *marks);

/* A copy of g, of concrete shapes, with a new input `leaf` of one weight a row: each marked loss is the sum of its
 * elements times their rows' weights, over what it was over before. ret_map: where its nodes went. */
err_code graph_weigh(const struct graph *g, const unsigned char *marks, const char *leaf, struct graph **ret,
                     node_id *ret_map, struct error *err);

#endif
