/* The walk that gradient() is, with a bound on how far it may go. Inside autodiff/ only. */
#ifndef GRADD_AUTODIFF_WALK_H
#define GRADD_AUTODIFF_WALK_H

#include "autodiff/gradient.h"

/* As gradient(). Takes the nodes that it looks at from *budget, and is ERR_limit_exceeded when there is no more: many
 * gradients of one deep value may append few nodes and still take long. */
err_code gradient_within(struct graph *g, node_id of, node_id cotangent, const node_id *wrt, size_t count,
                         uint64_t *budget, node_id *ret, struct error *err);

#endif
