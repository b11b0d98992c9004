#include "autodiff/directional.h"

#include "autodiff/gradient.h"
#include "graph/words.h"

#include <stdlib.h>

/* The sum of <gradient, direction> over all wrt; NODE_NONE where no gradient flows. */
static node_id inner_product(struct builder *b, const node_id *gradients, const node_id *directions, size_t count)
{
    node_id sum = NODE_NONE;
    for (size_t i = 0; i < count; i++) {
        if (gradients[i] == NODE_NONE)
            continue;
        node_id product = times(b, gradients[i], directions[i]);
        node_id term = build_reduce_to(b, product, shape_of(0, NULL));
        sum = sum == NODE_NONE ? term : plus(b, sum, term);
    }
    return sum;
}

err_code jacobian_vector(struct graph *g, node_id of, const node_id *wrt, const node_id *directions, size_t count,
                         node_id *ret, struct error *err)
{
    struct builder b = {.graph = g, .err = err};
    node_id *gradients = reallocarray(NULL, count + 1, sizeof *gradients), tangent = NODE_NONE;
    if (!gradients)
        return error_set(err, ERR_out_of_memory, "no memory for a derivative");
    /* No result has u in it; it is what is differentiated by, so it must not be a number. */
    node_id ones = build_fill(&b, 1, graph_node(g, of)->shape), u = build_unary(&b, OP_Identity, ones);
    if (b.code == ERR_ok)
        b.code = gradient(g, of, u, wrt, count, gradients, err);
    if (b.code == ERR_ok) {
        node_id sum = inner_product(&b, gradients, directions, count);
        if (sum != NODE_NONE && b.code == ERR_ok)
            b.code = gradient(g, sum, NODE_NONE, &u, 1, &tangent, err);
    }
    free(gradients);
    if (b.code == ERR_ok)
        *ret = tangent;
    return b.code;
}

err_code hessian_vector(struct graph *g, node_id of, const node_id *wrt, const node_id *directions, size_t count,
                        node_id *ret_gradients, node_id *ret_products, struct error *err)
{
    struct builder b = {.graph = g, .err = err};
    b.code = gradient(g, of, NODE_NONE, wrt, count, ret_gradients, err);
    for (size_t i = 0; i < count; i++)
        ret_products[i] = NODE_NONE;
    if (b.code == ERR_ok) {
        node_id sum = inner_product(&b, ret_gradients, directions, count);
        if (sum != NODE_NONE && b.code == ERR_ok)
            b.code = gradient(g, sum, NODE_NONE, wrt, count, ret_products, err);
    }
    return b.code;
}
