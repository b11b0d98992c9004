/* Products of matrices. With a batch, the derivative by what all rows share is a sum over the rows, and that sum is a
 * product as well. */
#include "autodiff/rules.h"

/* x as a matrix: its leading axes made one. */
static node_id as_matrix(struct builder *b, node_id x)
{
    struct shape shape = build_shape(b, x);
    if (shape.rank == 2)
        return x;
    int64_t columns = shape.rank ? shape.dim[shape.rank - 1] : 1, rows = 1;
    for (int i = 0; i < shape.rank - 1; i++)
        rows *= shape.dim[i];
    return build_reshape(b, x, shape_of(2, (const int64_t[]){rows, columns}));
}

/* x with an axis of 1 inserted before axis `at`. */
static node_id with_axis(struct builder *b, node_id x, int at)
{
    struct shape shape = build_shape(b, x), wider = {.rank = shape.rank + 1};
    for (int i = 0; i < wider.rank; i++)
        wider.dim[i] = i < at ? shape.dim[i] : i == at ? 1 : shape.dim[i - 1];
    return build_reshape(b, x, wider);
}

/* (rows,i) and (rows,o) -> (i,o): the sum over rows of the outer products, as x^T g. */
static node_id sum_of_outer(struct builder *b, node_id x, node_id g)
{
    node_id rows = build_swap_last(b, as_matrix(b, x));
    return build_binary(b, OP_MatMul, rows, as_matrix(b, g));
}

/* b is a vector: y(...n) = sum over k of a(...n,k) b(k). */
static node_id matrix_times_vector(struct builder *b, const struct link *l, size_t input)
{
    node_id matrix = l->x[0], vector = l->x[1];
    int rank = build_shape(b, matrix).rank;
    if (rank == 1)
        return times(b, l->g, l->x[1 - input]);
    if (input == 0)
        return times(b, with_axis(b, l->g, rank - 1), vector);
    if (rank == 2)
        return build_binary(b, OP_MatMul, build_swap_last(b, matrix), l->g);
    node_id rows = build_swap_last(b, as_matrix(b, matrix));
    int64_t count = build_shape(b, rows).dim[1];
    return build_binary(b, OP_MatMul, rows, build_reshape(b, l->g, shape_of(1, &count)));
}

/* a is a vector: y(...m) = sum over k of a(k) b(...k,m). */
static node_id vector_times_matrix(struct builder *b, const struct link *l, size_t input)
{
    node_id vector = l->x[0], matrix = l->x[1];
    int rank = build_shape(b, matrix).rank;
    if (input == 1) {
        node_id column = with_axis(b, vector, 1);
        return times(b, column, with_axis(b, l->g, rank - 2));
    }
    if (rank == 2)
        return build_binary(b, OP_MatMul, matrix, l->g);
    node_id columns = build_binary(b, OP_MatMul, matrix, with_axis(b, l->g, rank - 1)); /* (...,k,1) */
    struct shape shape = build_shape(b, columns);
    shape.rank--;
    return build_reshape(b, columns, shape);
}

static node_id matmul(struct builder *b, const struct link *l, size_t input)
{
    int left = build_shape(b, l->x[0]).rank, right = build_shape(b, l->x[1]).rank;
    if (right == 1)
        return matrix_times_vector(b, l, input);
    if (left == 1)
        return vector_times_matrix(b, l, input);
    if (input == 0)
        return build_binary(b, OP_MatMul, l->g, build_swap_last(b, l->x[1]));
    if (right == 2)
        return sum_of_outer(b, l->x[0], l->g);
    return build_binary(b, OP_MatMul, build_swap_last(b, l->x[0]), l->g);
}
const struct rule rule_MatMul = {.vjp = matmul};

static node_id linear(struct builder *b, const struct link *l, size_t input)
{
    if (input == 0)
        return build_binary(b, OP_MatMul, l->g, build_swap_last(b, l->x[1]));
    return input == 1 ? sum_of_outer(b, l->x[0], l->g) : l->g;
}
const struct rule rule_Linear = {.vjp = linear};
