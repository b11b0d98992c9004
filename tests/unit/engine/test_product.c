/* Products against the scalar reference, bit by bit: in the order of k by fused multiply-add, or, for a result of one
 * column, in 16 virtual lanes. Every instruction set, both dtypes, transposed operands, batches, biases, row counts. */
#include "engine/reference.h"
#include <math.h>
#include <stdlib.h>

static double fused(enum dtype dtype, double a, double b, double c)
{
    return dtype == DTYPE_FLOAT32 ? (double)fmaf((float)a, (float)b, (float)c) : fma(a, b, c);
}

static double rounded(enum dtype dtype, double x)
{
    return dtype == DTYPE_FLOAT32 ? (double)(float)x : x;
}

/* Element (i, j) of a (., k) @ b (k, n). */
static double element(enum dtype dtype, const double *a, const double *b, int64_t k, int64_t n, int64_t i, int64_t j)
{
    double lane[16] = {0};
    const int64_t lanes = n == 1 ? 16 : 1;
    for (int64_t p = 0; p < k; p++)
        lane[p % lanes] = fused(dtype, a[i * k + p], b[p * n + j], lane[p % lanes]);
    for (int64_t half = lanes / 2; half > 0; half /= 2)
        for (int64_t l = 0; l < half; l++)
            lane[l] = rounded(dtype, lane[l] + lane[l + half]);
    return lane[0];
}

enum form { PLAIN, LEFT_TRANSPOSED, RIGHT_TRANSPOSED, WITH_BIAS, FORMS };

static void transpose(const double *x, int64_t rows, int64_t columns, double *out)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            out[j * rows + i] = x[i * columns + j];
}

static void check(struct dice *d, enum dtype dtype, enum form form, int64_t m, int64_t k, int64_t n)
{
    struct builder b = test_builder();
    const node_id left = test_input(&b, 2, form == LEFT_TRANSPOSED ? (int64_t[]){k, m} : (int64_t[]){m, k});
    const node_id right = test_input(&b, 2, form == RIGHT_TRANSPOSED ? (int64_t[]){n, k} : (int64_t[]){k, n});
    const node_id bias = test_input(&b, 1, &n);
    const size_t leaf_count = graph_size(b.graph);
    double **leaves = random_leaves(b.graph, d, -1, 1);
    double *a = leaves[left], *w = leaves[right];
    node_id out;
    if (form == LEFT_TRANSPOSED) {
        a = malloc((size_t)(m * k + 1) * sizeof *a);
        transpose(leaves[left], k, m, a);
        out = build_binary(&b, OP_MatMul, build_unary(&b, OP_Transpose, left), right);
    } else if (form == RIGHT_TRANSPOSED) {
        w = malloc((size_t)(k * n + 1) * sizeof *w);
        transpose(leaves[right], n, k, w);
        out = build_binary(&b, OP_MatMul, left, build_unary(&b, OP_Transpose, right));
    } else if (form == WITH_BIAS) {
        out = build_op(&b, OP_Linear, (node_id[]){left, right, bias}, 3, NULL, 0);
    } else {
        out = build_binary(&b, OP_MatMul, left, right);
    }
    assert_int_equal(b.code, ERR_ok);
    for (size_t isa = 0; isa_at(isa) != NULL; isa++) {
        double **c = run_graph(b.graph, dtype, &out, 1, leaves, isa_at(isa));
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < n; j++) {
                double expected = element(dtype, a, w, k, n, i, j);
                if (form == WITH_BIAS)
                    expected = rounded(dtype, expected + leaves[bias][j]);
                assert_same(c[0][i * n + j], expected);
            }
        values_free(c, 1);
    }
    if (a != leaves[left])
        free(a);
    if (w != leaves[right])
        free(w);
    values_free(leaves, leaf_count);
    graph_free(b.graph);
}

static void every_small_shape(void **state)
{
    (void)state;
    struct dice d = {1};
    for (int64_t n = 1; n <= 130; n += n < 36 ? 1 : 7)
        for (enum dtype dtype = DTYPE_FLOAT32; dtype <= DTYPE_FLOAT64; dtype++)
            for (enum form form = PLAIN; form < FORMS; form++)
                check(&d, dtype, form, 1 + dice_below(&d, 40), dice_below(&d, 40), n);
}

static void every_row_count(void **state)
{
    (void)state;
    struct dice d = {2};
    for (int64_t m = 0; m <= 33; m++)
        for (enum dtype dtype = DTYPE_FLOAT32; dtype <= DTYPE_FLOAT64; dtype++) {
            check(&d, dtype, (enum form)dice_below(&d, FORMS), m, 13, 10);
            check(&d, dtype, (enum form)dice_below(&d, FORMS), m, 1 + dice_below(&d, 50), 1);
        }
}

/* Deep enough for several depths of a panel, wide enough for several panels. */
static void packed_panels(void **state)
{
    (void)state;
    struct dice d = {3};
    for (enum dtype dtype = DTYPE_FLOAT32; dtype <= DTYPE_FLOAT64; dtype++)
        for (enum form form = PLAIN; form < FORMS; form++) {
            check(&d, dtype, form, 33, 1100, 70);
            check(&d, dtype, form, 5, 513, 65);
        }
}

/* A row's result does not depend on the rows beside it, nor on the blocks that a long product is done in. */
static void a_long_product_in_blocks(void **state)
{
    (void)state;
    struct dice d = {4};
    check(&d, DTYPE_FLOAT32, PLAIN, 1000, 260, 270);
    check(&d, DTYPE_FLOAT32, RIGHT_TRANSPOSED, 50, 700, 2000);
}

static void batches_broadcast(void **state)
{
    (void)state;
    struct dice d = {5};
    static const struct {
        int left_rank;
        int64_t left[4];
        int right_rank;
        int64_t right[4];
    } cases[] = {
        {3, {4, 5, 6}, 2, {6, 7}},
        {3, {4, 5, 6}, 3, {4, 6, 7}},
        {4, {2, 1, 5, 6}, 3, {3, 6, 7}},
        {2, {5, 6}, 3, {4, 6, 7}},
        {1, {6}, 3, {4, 6, 7}},
        {3, {4, 5, 6}, 1, {6}},
        {1, {6}, 1, {6}},
        {4, {2, 3, 5, 6}, 4, {2, 3, 6, 1}},
        {3, {0, 5, 6}, 2, {6, 7}},
        {3, {4, 5, 0}, 2, {0, 7}},
        {3, {4, 0, 6}, 2, {6, 1}},
        {3, {1, 1, 1}, 3, {1, 1, 1}},
        {4, {3, 2, 5, 6}, 4, {3, 1, 6, 7}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct builder b = test_builder();
        const node_id left = test_input(&b, cases[i].left_rank, cases[i].left);
        const node_id right = test_input(&b, cases[i].right_rank, cases[i].right);
        const node_id out = build_binary(&b, OP_MatMul, left, right);
        assert_int_equal(b.code, ERR_ok);
        double **leaves = random_leaves(b.graph, &d, -1, 1);
        double **expected = reference_values(b.graph, leaves);
        double **actual = run_graph(b.graph, DTYPE_FLOAT64, &out, 1, leaves, isa_selected());
        for (int64_t e = 0; e < elements_of(b.graph, out); e++)
            assert_near(actual[0][e], expected[out][e], 1e-13, 1e-14);
        values_free(actual, 1);
        values_free(expected, graph_size(b.graph));
        values_free(leaves, graph_size(b.graph));
        graph_free(b.graph);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_small_shape), cmocka_unit_test(every_row_count),
        cmocka_unit_test(packed_panels),     cmocka_unit_test(a_long_product_in_blocks),
        cmocka_unit_test(batches_broadcast),
    };
    return select_isa_of_environment() ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
