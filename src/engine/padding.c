/* Padding: rows of results in the arena become whole vectors, where everything that reads them can step over the gap.
 *
 * A row of ten elements that is written with a mask and read again at once stalls the processor, and loops over whole
 * vectors need no tail. Rows whose length is a multiple of 4 KiB are padded too: their columns would all compete for
 * the same few lines of the cache. */
#include "engine/planner.h"

enum { VECTOR_BYTES_MOST = 64, PAGE_BYTES = 4096, PADDED_COLUMNS_LEAST = 5 };

/* Whether a reduction walks its operand's rows one by one. */
static bool reduces_rows_or_columns(const struct node *n, int rank)
{
    size_t count;
    const int64_t *axes = node_ints(n, ATTRIBUTE_axes, &count);
    return count == 1 && axes[0] >= rank - 2;
}

/* Whether node n can read its operand i with padded rows. */
static bool accepts(const struct planner *p, const struct node *n, uint32_t i, const unsigned char *friendly,
                    node_id id)
{
    const int rank = graph_node(p->spec->graph, n->inputs[i])->shape.rank;
    switch (n->op) {
    case OP_MatMul:
    case OP_Linear:
        return true;
    case OP_Transpose:
    case OP_Identity:
    case OP_StopGradient:
        return friendly[id];
    case OP_ReduceSum:
    case OP_ReduceMean:
    case OP_ReduceMax:
        return reduces_rows_or_columns(n, rank);
    default:
        return p->plan->kernels->map[n->op] != NULL;
    }
}

void mark_padding(const struct planner *p, const unsigned char *needed, unsigned char *ret_friendly)
{
    const struct graph *g = p->spec->graph;
    for (node_id id = 0; id < graph_size(g); id++)
        ret_friendly[id] = needed[id] != 0 && !p->spec->plain;
    for (size_t i = 0; i < p->spec->output_count; i++)
        ret_friendly[p->spec->outputs[i]] = 0;
    for (node_id id = (node_id)graph_size(g); id-- > 0;) {
        const struct node *n = graph_node(g, id);
        for (uint32_t i = 0; needed[id] && i < n->input_count; i++)
            if (!accepts(p, n, i, ret_friendly, id))
                ret_friendly[n->inputs[i]] = 0;
    }
}

/* Elements from row to row for rows of so many columns. */
static int64_t padded_row(int64_t columns, int64_t element_bytes)
{
    const int64_t vector = VECTOR_BYTES_MOST / element_bytes;
    const int64_t row = (columns + vector - 1) / vector * vector;
    return row * element_bytes % PAGE_BYTES == 0 ? row + vector : row;
}

err_code planner_result(struct planner *p, struct shape shape, struct view *ret)
{
    const int last = shape.rank - 1;
    const int64_t bytes = (int64_t)dtype_size(p->spec->dtype);
    if (!p->friendly[p->node] || shape.rank < 2 || shape.dim[last] < PADDED_COLUMNS_LEAST)
        return planner_tensor(p, shape, ret);
    const int64_t columns = shape.dim[last];
    struct shape padded = shape;
    padded.dim[last] = padded_row(columns, bytes);
    int64_t elements;
    if (padded.dim[last] == columns || !shape_elements(padded, &elements))
        return planner_tensor(p, shape, ret);
    const err_code code = planner_tensor(p, padded, ret);
    if (code != ERR_ok)
        return code;
    ret->shape = shape;
    p->storages[ret->storage].row = padded.dim[last];
    p->storages[ret->storage].columns = columns;
    return ERR_ok;
}

bool view_has_slack(const struct planner *p, const struct view *v, int64_t row_stride, int64_t column_stride,
                    int64_t columns)
{
    const struct storage *s = &p->storages[v->storage];
    return s->row != 0 && column_stride == 1 && row_stride == s->row && columns == s->columns &&
           v->offset % s->row == 0;
}
