/* Calls that are more than one of their kernel. */
#include "engine/planner.h"
#include <math.h>
#include <stdio.h>

bool call_can_fail(const struct call *c)
{
    return c->execute == execute_indexed;
}

static err_code index_error(const struct indexed_args *a, double number, struct error *err)
{
    char where[64] = "";
    if (a->line > 0)
        snprintf(where, sizeof where, " (line %d)", a->line);
    if (isnan(number))
        number = NAN; /* not "-nan": the sign of a NaN is not the same everywhere */
    return error_set(err, ERR_index_out_of_range, "%s%s%s%s: index %.10g is out of range: it must be from %lld to %lld",
                     a->op, a->name != NULL ? " " : "", a->name != NULL ? a->name : "", where, number,
                     (long long)(a->negative ? -a->size : 0), (long long)a->size - 1);
}

err_code execute_indexed(const struct call *c, void *const *p, const struct frame *frame, struct error *err)
{
    (void)frame;
    const struct indexed_args *a = c->args;
    int64_t *index = p[a->into];
    for (int64_t i = 0; i < a->count; i++) {
        const double number =
            a->dtype == DTYPE_FLOAT32 ? (double)((const float *)p[a->numbers])[i] : ((const double *)p[a->numbers])[i];
        const double rounded = rint(number);
        /* A NaN fails the first comparison. */
        if (!(rounded >= (a->negative ? -(double)a->size : 0)) || rounded >= (double)a->size)
            return index_error(a, number, err);
        index[i] = rounded < 0 ? (int64_t)rounded + a->size : (int64_t)rounded;
    }
    c->kernel(a->kernel_args, p);
    return ERR_ok;
}

err_code execute_dropout(const struct call *c, void *const *p, const struct frame *frame, struct error *err)
{
    (void)err;
    struct dropout_args args = *(const struct dropout_args *)c->args;
    args.seed = frame->seed;
    args.step = frame->step;
    c->kernel(&args, p);
    return ERR_ok;
}

static void *moved(void *base, int64_t elements, size_t element_bytes)
{
    return base == NULL ? NULL : (char *)base + elements * (int64_t)element_bytes;
}

/* One matrix of a long product, block by block. */
static err_code execute_blocks(const struct call *c, const struct long_product_args *l, void *const *p,
                               const struct frame *frame, struct error *err)
{
    const struct product_args *g = &l->product;
    for (int64_t i = 0; i < g->m; i += l->block_rows)
        for (int64_t j = 0; j < g->n; j += l->block_columns) {
            if (frame->cancel != NULL && atomic_load_explicit(frame->cancel, memory_order_relaxed))
                return error_set(err, ERR_cancelled, "the computation was cancelled");
            struct product_args block = *g;
            block.batch_rank = 0;
            block.row = i;
            block.column = j;
            block.m = g->m - i < l->block_rows ? g->m - i : l->block_rows;
            block.n = g->n - j < l->block_columns ? g->n - j : l->block_columns;
            c->kernel(&block, p);
        }
    return ERR_ok;
}

err_code execute_long_product(const struct call *c, void *const *p, const struct frame *frame, struct error *err)
{
    const struct long_product_args *l = c->args;
    const struct product_args *g = &l->product;
    int64_t at[RANK_MAX] = {0};
    if (g->batch_rank == 0)
        return execute_blocks(c, l, p, frame, err);
    for (;;) {
        void *pointers[] = {p[0], p[1], p[2], p[3]}; /* where there are batches, there is no finish */
        for (int operand = 0; operand < 3; operand++)
            for (int axis = 0; axis < g->batch_rank; axis++)
                pointers[operand] =
                    moved(pointers[operand], at[axis] * g->batch_stride[operand][axis], l->element_bytes);
        const err_code code = execute_blocks(c, l, pointers, frame, err);
        if (code != ERR_ok)
            return code;
        int axis = g->batch_rank - 1;
        while (axis >= 0 && ++at[axis] == g->batch[axis])
            at[axis--] = 0;
        if (axis < 0)
            return ERR_ok;
    }
}
