#include "engine/reference.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- dice: splitmix64 (Steele, Lea, Flood 2014) */

uint64_t dice_next(struct dice *d)
{
    uint64_t z = d->state += 0x9E3779B97F4A7C15U;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
}

int64_t dice_below(struct dice *d, int64_t n)
{
    return (int64_t)(dice_next(d) % (uint64_t)n);
}

double dice_real(struct dice *d, double low, double high)
{
    return (float)(low + (high - low) * (double)(dice_next(d) >> 11) * 0x1p-53);
}

/* ---------------------------------------------------------------- graphs */

struct attribute int_attribute(enum attribute_key key, int64_t value)
{
    return (struct attribute){.key = key, .kind = attribute_kind_of(key), .integer = value};
}

struct attribute ints_attribute(enum attribute_key key, const int64_t *items, size_t count)
{
    return (struct attribute){.key = key, .kind = KIND_INTS, .ints = {items, count}};
}

struct builder test_builder(void)
{
    struct builder b = {.graph = graph_new(1000000)};
    assert_non_null(b.graph);
    return b;
}

node_id test_input(struct builder *b, int rank, const int64_t *dims)
{
    char name[32];
    snprintf(name, sizeof name, "x%zu", graph_size(b->graph));
    return build_input(b, name, shape_of(rank, dims));
}

int64_t elements_of(const struct graph *g, node_id id)
{
    int64_t count = 0;
    assert_true(shape_elements(graph_node(g, id)->shape, &count));
    return count;
}

/* ---------------------------------------------------------------- the evaluator */

/* Index i of a tensor of shape `from`, as the index of a tensor that broadcasts to it. */
static int64_t broadcast_index(int64_t i, struct shape from, struct shape to)
{
    int64_t index = 0, stride = 1;
    for (int axis = from.rank - 1; axis >= 0; axis--) {
        const int64_t at = i % from.dim[axis];
        const int other = axis - (from.rank - to.rank);
        i /= from.dim[axis];
        if (other < 0)
            continue;
        index += (to.dim[other] == 1 ? 0 : at) * stride;
        stride *= to.dim[other];
    }
    return index;
}

static void unravel(int64_t i, struct shape s, int64_t at[RANK_MAX])
{
    for (int axis = s.rank - 1; axis >= 0; axis--) {
        at[axis] = i % s.dim[axis];
        i /= s.dim[axis];
    }
}

static int64_t ravel(const int64_t *at, struct shape s)
{
    int64_t i = 0;
    for (int axis = 0; axis < s.rank; axis++)
        i = i * s.dim[axis] + at[axis];
    return i;
}

static double larger(double a, double b)
{
    return isnan(a) || isnan(b) ? (double)NAN : a > b ? a : b;
}

static double scalar_op(enum op op, const double *v)
{
    const double a = v[0], b = v[1];
    switch (op) {
    case OP_Identity:
    case OP_StopGradient:
    case OP_Dropout:
        return a;
    case OP_Neg:
        return -a;
    case OP_Abs:
        return fabs(a);
    case OP_Sign:
        return a > 0 ? 1 : a < 0 ? -1 : 0;
    case OP_Reciprocal:
        return 1 / a;
    case OP_Square:
        return a * a;
    case OP_Sqrt:
        return sqrt(a);
    case OP_Exp:
        return exp(a);
    case OP_Log:
        return log(a);
    case OP_Sin:
        return sin(a);
    case OP_Cos:
        return cos(a);
    case OP_Tanh:
        return tanh(a);
    case OP_Sigmoid:
        return 1 / (1 + exp(-a));
    case OP_Softplus:
        return a > 30 ? a : log1p(exp(a));
    case OP_Relu:
        return larger(a, 0);
    case OP_Add:
        return a + b;
    case OP_Sub:
        return a - b;
    case OP_Mul:
        return a * b;
    case OP_Div:
        return a / b;
    case OP_Pow:
        return pow(a, b);
    case OP_Max:
        return larger(a, b);
    case OP_Min:
        return -larger(-a, -b);
    case OP_Equal:
        return a == b;
    case OP_NotEqual:
        return a != b;
    case OP_Less:
        return a < b;
    case OP_LessOrEqual:
        return a <= b;
    case OP_Greater:
        return a > b;
    case OP_GreaterOrEqual:
        return a >= b;
    case OP_Where:
        return a != 0 ? b : v[2];
    default:
        fail_msg("%s is not elementwise", op_name(op));
        return 0;
    }
}

static double loss_op(enum op op, double p, double y)
{
    switch (op) {
    case OP_MSE:
        return (p - y) * (p - y);
    case OP_MAE:
        return fabs(p - y);
    case OP_BCE:
        return -(y * fmax(log(p), -100) + (1 - y) * fmax(log1p(-p), -100));
    case OP_BCEWithLogits:
        return fmax(p, 0) - p * y + log1p(exp(-fabs(p)));
    default:
        fail_msg("%s is no loss", op_name(op));
        return 0;
    }
}

static void product(const struct node *n, const struct node *left, const struct node *right, const double *a,
                    const double *b, const double *bias, double *out)
{
    struct shape sa = left->shape, sb = right->shape;
    const bool row = sa.rank == 1, column = sb.rank == 1;
    if (row)
        sa = (struct shape){2, {1, sa.dim[0]}};
    if (column)
        sb = (struct shape){2, {sb.dim[0], 1}};
    const int64_t m = sa.dim[sa.rank - 2], k = sa.dim[sa.rank - 1], columns = sb.dim[sb.rank - 1];
    struct shape batch = n->shape;
    batch.rank -= (row ? 0 : 1) + (column ? 0 : 1);
    struct shape batch_a = sa, batch_b = sb;
    batch_a.rank -= 2;
    batch_b.rank -= 2;
    int64_t batches = 1;
    for (int axis = 0; axis < batch.rank; axis++)
        batches *= batch.dim[axis];
    for (int64_t i = 0; i < batches; i++)
        for (int64_t r = 0; r < m; r++)
            for (int64_t c = 0; c < columns; c++) {
                double sum = 0;
                for (int64_t j = 0; j < k; j++)
                    sum += a[(broadcast_index(i, batch, batch_a) * m + r) * k + j] *
                           b[(broadcast_index(i, batch, batch_b) * k + j) * columns + c];
                out[(i * m + r) * columns + c] = sum + (bias != NULL ? bias[c] : 0);
            }
}

static void reduce(const struct node *n, struct shape s, const double *x, double *out, int64_t results)
{
    size_t count;
    const int64_t *axes = node_ints(n, ATTRIBUTE_axes, &count);
    struct shape kept = s;
    int64_t elements = 1;
    for (int axis = 0; axis < s.rank; axis++)
        elements *= s.dim[axis];
    for (size_t i = 0; i < count; i++)
        kept.dim[axes[i]] = 1;
    for (int64_t i = 0; i < results; i++)
        out[i] = n->op == OP_ReduceMax ? -INFINITY : 0;
    for (int64_t i = 0; i < elements; i++) {
        int64_t at[RANK_MAX] = {0};
        unravel(i, s, at);
        for (size_t a = 0; a < count; a++)
            at[axes[a]] = 0;
        double *o = &out[ravel(at, kept)];
        *o = n->op == OP_ReduceMax ? larger(*o, x[i]) : *o + x[i];
    }
    for (int64_t i = 0; i < results && n->op == OP_ReduceMean; i++)
        out[i] /= (double)elements / (double)results;
}

static void softmax(const struct node *n, const double *x, double *out, int64_t count)
{
    const int64_t axis = node_int(n, ATTRIBUTE_axis);
    for (int64_t i = 0; i < count; i++) {
        int64_t at[RANK_MAX] = {0};
        double max = -INFINITY, sum = 0;
        unravel(i, n->shape, at);
        for (at[axis] = 0; at[axis] < n->shape.dim[axis]; at[axis]++)
            max = larger(max, x[ravel(at, n->shape)]);
        for (at[axis] = 0; at[axis] < n->shape.dim[axis]; at[axis]++)
            sum += exp(x[ravel(at, n->shape)] - max);
        out[i] = n->op == OP_Softmax ? exp(x[i] - max) / sum : x[i] - max - log(sum);
    }
}

static double cross_entropy(struct shape z, struct shape y, const double *logits, const double *target)
{
    const int64_t rows = z.dim[0], k = z.dim[1];
    const bool classes = y.rank == 1 || y.dim[1] == 1;
    double total = 0;
    for (int64_t i = 0; i < rows; i++) {
        const double *row = logits + i * k;
        double max = -INFINITY, sum = 0;
        for (int64_t j = 0; j < k; j++)
            max = larger(max, row[j]);
        for (int64_t j = 0; j < k; j++)
            sum += exp(row[j] - max);
        for (int64_t j = 0; j < k; j++) {
            const double weight = classes ? (double)(j == (int64_t)rint(target[i])) : target[i * k + j];
            total -= weight * (row[j] - max - log(sum));
        }
    }
    return total / (double)rows;
}

/* Where element i of a slice lies in what is sliced. */
static int64_t slice_index(const struct node *n, int64_t i, struct shape part, struct shape whole)
{
    size_t count;
    const int64_t *starts = node_ints(n, ATTRIBUTE_starts, &count);
    const int64_t *axes = node_ints(n, ATTRIBUTE_axes, &count);
    const int64_t *steps = node_ints(n, ATTRIBUTE_steps, &count);
    int64_t at[RANK_MAX] = {0};
    unravel(i, part, at);
    for (size_t a = 0; a < count; a++)
        at[axes[a]] = starts[a] + steps[a] * at[axes[a]];
    return ravel(at, whole);
}

static int64_t wrapped(double index, int64_t size)
{
    const int64_t i = (int64_t)rint(index);
    return i < 0 ? i + size : i;
}

/* Element i of a gather's result: which element of the data, which index. */
static int64_t gather_index(int64_t axis, int64_t i, struct shape out, struct shape index, struct shape data,
                            const double *indices)
{
    int64_t at[RANK_MAX] = {0}, from[RANK_MAX] = {0};
    unravel(i, out, at);
    for (int64_t d = 0; d < axis; d++)
        from[d] = at[d];
    from[axis] = wrapped(indices[ravel(at + axis, index)], data.dim[axis]);
    for (int64_t d = axis + 1; d < data.rank; d++)
        from[d] = at[d + index.rank - 1];
    return ravel(from, data);
}

static void concat(const struct graph *g, const struct node *n, double *const *values, double *out, int64_t count)
{
    const int64_t axis = node_int(n, ATTRIBUTE_axis);
    for (int64_t i = 0; i < count; i++) {
        int64_t at[RANK_MAX] = {0};
        uint32_t part = 0;
        unravel(i, n->shape, at);
        for (; part + 1 < n->input_count && at[axis] >= graph_node(g, n->inputs[part])->shape.dim[axis]; part++)
            at[axis] -= graph_node(g, n->inputs[part])->shape.dim[axis];
        out[i] = values[n->inputs[part]][ravel(at, graph_node(g, n->inputs[part])->shape)];
    }
}

static void transpose(const struct node *n, struct shape s, const double *x, double *out, int64_t count)
{
    size_t rank;
    const int64_t *perm = node_ints(n, ATTRIBUTE_perm, &rank);
    for (int64_t i = 0; i < count; i++) {
        int64_t at[RANK_MAX] = {0}, from[RANK_MAX] = {0};
        unravel(i, n->shape, at);
        for (size_t axis = 0; axis < rank; axis++)
            from[perm[axis]] = at[axis];
        out[i] = x[ravel(from, s)];
    }
}

static void evaluate(const struct graph *g, node_id id, double **values)
{
    const struct node *n = graph_node(g, id);
    const int64_t count = elements_of(g, id);
    double *out = values[id];
    double *in[3] = {out, out, out};
    struct shape shape[3] = {{0}};
    for (uint32_t i = 0; i < n->input_count && i < 3; i++) {
        in[i] = values[n->inputs[i]];
        shape[i] = graph_node(g, n->inputs[i])->shape;
    }
    switch (n->op) {
    case OP_Constant:
        for (int64_t i = 0; i < count; i++)
            out[i] = tensor_get(node_tensor(n, ATTRIBUTE_value), i);
        break;
    case OP_MatMul:
    case OP_Linear:
        product(n, graph_node(g, n->inputs[0]), graph_node(g, n->inputs[1]), in[0], in[1],
                n->input_count == 3 ? in[2] : NULL, out);
        break;
    case OP_Transpose:
        transpose(n, shape[0], in[0], out, count);
        break;
    case OP_Reshape:
        memcpy(out, in[0], (size_t)count * sizeof *out);
        break;
    case OP_Expand:
        for (int64_t i = 0; i < count; i++)
            out[i] = in[0][broadcast_index(i, n->shape, shape[0])];
        break;
    case OP_Concat:
        concat(g, n, values, out, count);
        break;
    case OP_Slice:
        for (int64_t i = 0; i < count; i++)
            out[i] = in[0][slice_index(n, i, n->shape, shape[0])];
        break;
    case OP_ScatterSlice:
        for (int64_t i = 0; i < elements_of(g, n->inputs[0]); i++)
            out[slice_index(n, i, shape[0], n->shape)] = in[0][i];
        break;
    case OP_Gather:
        for (int64_t i = 0; i < count; i++)
            out[i] = in[0][gather_index(node_int(n, ATTRIBUTE_axis), i, n->shape, shape[1], shape[0], in[1])];
        break;
    case OP_ScatterAdd:
        for (int64_t i = 0; i < elements_of(g, n->inputs[0]); i++)
            out[gather_index(node_int(n, ATTRIBUTE_axis), i, shape[0], shape[1], n->shape, in[1])] += in[0][i];
        break;
    case OP_OneHot: {
        const int64_t depth = node_int(n, ATTRIBUTE_depth);
        for (int64_t i = 0; i < count; i++)
            out[i] = (int64_t)rint(in[0][i / depth]) == i % depth;
        break;
    }
    case OP_Size:
        out[0] = (double)elements_of(g, n->inputs[0]);
        break;
    case OP_ReduceSum:
    case OP_ReduceMean:
    case OP_ReduceMax:
        reduce(n, shape[0], in[0], out, count);
        break;
    case OP_Softmax:
    case OP_LogSoftmax:
        softmax(n, in[0], out, count);
        break;
    case OP_MSE:
    case OP_MAE:
    case OP_BCE:
    case OP_BCEWithLogits:
        for (int64_t i = 0; i < elements_of(g, n->inputs[0]); i++)
            out[0] += loss_op(n->op, in[0][i], in[1][i]) / (double)elements_of(g, n->inputs[0]);
        break;
    case OP_CrossEntropy:
        out[0] = cross_entropy(shape[0], shape[1], in[0], in[1]);
        break;
    default:
        for (int64_t i = 0; i < count; i++) {
            double v[3] = {0};
            for (uint32_t o = 0; o < n->input_count; o++)
                v[o] = in[o][broadcast_index(i, n->shape, shape[o])];
            out[i] = scalar_op(n->op, v);
        }
    }
}

double **reference_values(const struct graph *g, double *const *leaves)
{
    const size_t size = graph_size(g);
    double **values = calloc(size + 1, sizeof *values);
    assert_non_null(values);
    for (node_id id = 0; id < size; id++) {
        const size_t count = (size_t)elements_of(g, id);
        values[id] = calloc(count + 1, sizeof **values);
        assert_non_null(values[id]);
        if (graph_node(g, id)->op == OP_Input)
            memcpy(values[id], leaves[id], count * sizeof **values);
        else
            evaluate(g, id, values);
    }
    return values;
}

void values_free(double **values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(values[i]);
    free(values);
}

double **random_leaves(const struct graph *g, struct dice *d, double low, double high)
{
    const size_t size = graph_size(g);
    double **leaves = calloc(size + 1, sizeof *leaves);
    assert_non_null(leaves);
    for (node_id id = 0; id < size; id++) {
        if (graph_node(g, id)->op != OP_Input)
            continue;
        const int64_t count = elements_of(g, id);
        leaves[id] = calloc((size_t)count + 1, sizeof **leaves);
        assert_non_null(leaves[id]);
        for (int64_t i = 0; i < count; i++)
            leaves[id][i] = dice_real(d, low, high);
    }
    return leaves;
}
