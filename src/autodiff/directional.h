/* Derivatives along a direction: a Jacobian times a vector, a Hessian times a vector. More graph, as gradients are.
 *
 * Neither has rules of its own. A gradient is linear in its cotangent u, with the transposed Jacobian as its matrix, so
 * <gradient, v> differentiated by u is the Jacobian times v; differentiated by wrt it is the Hessian times v
 * (Pearlmutter, Fast exact multiplication by the Hessian, 1994). */
#ifndef GRADD_AUTODIFF_DIRECTIONAL_H
#define GRADD_AUTODIFF_DIRECTIONAL_H

#include "graph/graph.h"

/* Appends to g the derivative of `of` as each of wrt moves along its direction (a node of its shape): *ret has of's
 * shape, and is NODE_NONE where `of` does not depend on any of them. As gradient() it needs concrete shapes, and
 * neither Grad nodes nor composites. */
err_code jacobian_vector(struct graph *g, node_id of, const node_id *wrt, const node_id *directions, size_t count,
                         node_id *ret, struct error *err);

/* Appends to g the gradients of `of`, which has one element, by wrt, and the Hessian times the directions: each `count`
 * ids, NODE_NONE for zeros. */
err_code hessian_vector(struct graph *g, node_id of, const node_id *wrt, const node_id *directions, size_t count,
                        node_id *ret_gradients, node_id *ret_products, struct error *err);

#endif
