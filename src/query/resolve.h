/* What a question says, looked up in its graph: names as nodes, values by node, and the sizes that follow from their
 * shapes. Every mistake that needs no plan is found here. */
#ifndef GRADD_QUERY_RESOLVE_H
#define GRADD_QUERY_RESOLVE_H

#include "query/question.h"

struct resolved {
    node_id *of, *wrt;
    const struct tensor **values;     /* by node: of the leaves that are given */
    int64_t batch;                    /* of the plan; < 0: the graph has no symbolic shapes */
    int64_t each;                     /* cotangents, directions or rows, of which each is a run; 1 where there is one */
    const struct tensor **directions; /* direction d by wrt i at d * wrt_count + i; NULL: zeros */
};

/* Mistakes are items, closed as invalid_query. tensors_max: limit on directions times wrt. On failure too *r is for the
 * caller to clear. */
err_code resolve(const struct question *q, int64_t tensors_max, struct resolved *r, struct error *err);
void resolved_clear(struct resolved *r);

/* The number of rows of a leaf of symbolic shape: whose values are divided among runs of one row. */
bool leaf_has_rows(const struct node *leaf);

#endif
