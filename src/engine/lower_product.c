/* Products become steps. Operands are read with whatever strides they have: a Transpose or an Expand before a product
 * costs no copy. */
#include "engine/planner.h"

/* A product of more floating-point operations than this is done in blocks of about as many, so that a run can be
 * cancelled. */
static const double LONG_PRODUCT = 0x1p27;

/* Batch axes that both operands walk as rows of the left one are rows. */
static void merge_batch_into_rows(struct product_args *g)
{
    while (g->batch_rank > 0) {
        const int last = g->batch_rank - 1;
        const int64_t count = g->batch[last];
        if (g->batch_stride[2][last] != 0 || g->batch_stride[1][last] != g->a_row * g->m ||
            g->batch_stride[0][last] != g->c_row * g->m)
            return;
        g->m *= count;
        g->batch_rank = last;
    }
}

/* The rows and columns of one block: panels of b whole, which are copied for each block of rows anew; so all rows,
 * unless those of one panel are too many already. */
static void choose_blocks(struct long_product_args *l)
{
    const struct product_args *g = &l->product;
    const double depth = 2 * (double)g->k;
    const int64_t panel = BLOCK_COLUMNS;
    const double columns = LONG_PRODUCT / (depth * (double)g->m);
    l->block_columns = columns < (double)g->n ? (int64_t)columns / panel * panel : g->n;
    l->block_columns = product_columns(g, l->block_columns < panel ? panel : l->block_columns);
    const double rows = LONG_PRODUCT / (depth * (double)l->block_columns);
    l->block_rows = rows < (double)g->m ? (int64_t)rows / BLOCK_ROWS * BLOCK_ROWS : g->m;
    l->block_rows = l->block_rows < BLOCK_ROWS ? BLOCK_ROWS : l->block_rows;
}

/* c = a (..., m, k) @ b (..., k, n); the columns of c are contiguous, and batch axes are broadcast already. One without
 * batch axes can take in what is done with its result. */
static err_code append_product(struct planner *p, const struct view *c, const struct view *a, const struct view *b)
{
    const int batch_rank = c->shape.rank - 2;
    const int row = batch_rank;
    const int column = batch_rank + 1;
    struct long_product_args args = {.element_bytes = dtype_size(p->spec->dtype)};
    struct product_args *g = &args.product;
    *g = (struct product_args){.m = c->shape.dim[row],
                               .n = c->shape.dim[column],
                               .k = a->shape.dim[column],
                               .a_row = a->stride[row],
                               .a_col = a->stride[column],
                               .b_row = b->stride[row],
                               .b_col = b->stride[column],
                               .c_row = c->stride[row],
                               .c_kept = true};
    g->c_slack = view_has_slack(p, c, c->stride[row], c->stride[column], g->n);
    g->a_slack = view_has_slack(p, a, a->stride[row], a->stride[column], g->k) ||
                 view_has_slack(p, a, a->stride[column], a->stride[row], g->m);
    g->b_slack = view_has_slack(p, b, b->stride[row], b->stride[column], g->n) ||
                 view_has_slack(p, b, b->stride[column], b->stride[row], g->k);
    for (int axis = 0; axis < batch_rank; axis++) {
        if (c->shape.dim[axis] == 1)
            continue;
        g->batch[g->batch_rank] = c->shape.dim[axis];
        g->batch_stride[0][g->batch_rank] = c->stride[axis];
        g->batch_stride[1][g->batch_rank] = a->stride[axis];
        g->batch_stride[2][g->batch_rank] = b->stride[axis];
        g->batch_rank++;
    }
    merge_batch_into_rows(g);
    const bool narrow = g->n == 1;
    const struct step step = {.name = narrow ? "product_narrow" : "product",
                              .kernel = narrow ? p->plan->kernels->product_narrow : p->plan->kernels->product,
                              .ref_count = 4,
                              .refs = {view_ref(c), view_ref(a), view_ref(b), REF_NONE}};
    const double flops = 2 * (double)view_elements(c) * (double)g->k;
    p->plan->flops += flops;
    args.is_long = flops > LONG_PRODUCT;
    if (args.is_long)
        choose_blocks(&args);
    return planner_product(p, &step, c, &args);
}

err_code lower_linear(struct planner *p, const struct node *n, const struct view *in, struct view *ret)
{
    struct shape weights = n->shape;
    weights.dim[weights.rank - 2] = in[1].shape.dim[0];
    const struct view w = view_broadcast(&in[1], weights);
    err_code code = planner_result(p, n->shape, ret);
    if (code == ERR_ok)
        code = append_product(p, ret, &in[0], &w);
    if (code != ERR_ok || n->input_count < 3)
        return code;
    const struct view sum[] = {*ret, in[2]};
    return lower_elementwise(p, OP_Add, sum, 2, n->shape, ret);
}

/* A vector as a matrix: a row on the left, a column on the right. */
static struct view as_matrix(const struct view *v, bool left)
{
    struct view m = *v;
    if (v->shape.rank > 1)
        return m;
    m.shape.rank = 2;
    m.shape.dim[left ? 1 : 0] = v->shape.dim[0];
    m.stride[left ? 1 : 0] = v->stride[0];
    m.shape.dim[left ? 0 : 1] = 1;
    m.stride[left ? 0 : 1] = 0;
    return m;
}

err_code lower_matmul(struct planner *p, const struct node *n, const struct view *in, struct view *ret)
{
    struct view a = as_matrix(&in[0], true);
    struct view b = as_matrix(&in[1], false);
    const int rank = a.shape.rank > b.shape.rank ? a.shape.rank : b.shape.rank;
    struct shape shape = {.rank = rank};
    const int batch_rank = rank - 2;
    /* The result's batch axes are the first of the node's shape. */
    for (int axis = 0; axis < batch_rank; axis++)
        shape.dim[axis] = n->shape.dim[axis];
    shape.dim[batch_rank] = a.shape.dim[a.shape.rank - 2];
    shape.dim[batch_rank + 1] = b.shape.dim[b.shape.rank - 1];
    struct shape left = shape;
    struct shape right = shape;
    left.dim[batch_rank + 1] = right.dim[batch_rank] = a.shape.dim[a.shape.rank - 1];
    a = view_broadcast(&a, left);
    b = view_broadcast(&b, right);
    struct view c;
    const bool matrices = shape.rank == n->shape.rank;
    err_code code = matrices ? planner_result(p, shape, &c) : planner_tensor(p, shape, &c);
    if (code == ERR_ok)
        code = append_product(p, &c, &a, &b);
    if (code == ERR_ok)
        *ret = matrices ? c : view_contiguous(c.storage, n->shape);
    return code;
}
