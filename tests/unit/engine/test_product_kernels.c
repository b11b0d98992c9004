/* The kernels of products, called as a plan calls them, against the scalar reference bit by bit: every instruction set,
 * transposed operands, padded rows whose padding is poison, blocks for `finish`, pieces for threads. */
#include "engine/product.h"
#include "engine/reference.h"
#include "engine/xsmm.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct matrix {
    int64_t rows, columns; /* as stored: columns are contiguous */
    int64_t lead;          /* elements from row to row */
    bool slack;
    double *value; /* rows * columns of them */
    void *data;    /* in the dtype, no byte more than a kernel may touch */
};

static double get(const void *data, enum dtype dtype, int64_t i)
{
    return dtype == DTYPE_FLOAT32 ? (double)((const float *)data)[i] : ((const double *)data)[i];
}

static void set(void *data, enum dtype dtype, int64_t i, double value)
{
    if (dtype == DTYPE_FLOAT32)
        ((float *)data)[i] = (float)value;
    else
        ((double *)data)[i] = value;
}

/* What fills a matrix: ordinary numbers, tiny ones whose products vanish with a sign, or a few NaN and infinities. */
enum fill { ORDINARY, TINY, SPECIAL, FILLS };

static double number(struct dice *d, enum dtype dtype, enum fill fill)
{
    const double x = dice_real(d, -1, 1);
    if (fill == TINY)
        return (double)(float)(x * (dtype == DTYPE_FLOAT32 ? 1e-23 : 1e-30)) * (dtype == DTYPE_FLOAT32 ? 1 : 1e-140);
    if (fill == SPECIAL && dice_below(d, 20) == 0) {
        const double special[] = {NAN, INFINITY, -INFINITY, -0.0, 0.0, 1e-310, 1e-42};
        return (double)special[dice_below(d, 7)];
    }
    return (double)(float)x;
}

static struct matrix matrix_new(struct dice *d, enum dtype dtype, enum fill fill, int64_t rows, int64_t columns,
                                bool slack)
{
    const int64_t whole = 64 / (int64_t)dtype_size(dtype);
    struct matrix m = {rows, columns, columns + dice_below(d, 4), slack, NULL, NULL};
    if (slack)
        m.lead = (columns + whole - 1) / whole * whole + whole * dice_below(d, 2);
    const int64_t last = slack ? (columns + whole - 1) / whole * whole : columns;
    const int64_t count = rows == 0 || columns == 0 ? 0 : (rows - 1) * m.lead + last;
    m.value = malloc((size_t)(rows * columns + 1) * sizeof *m.value);
    m.data = malloc((size_t)count * dtype_size(dtype) + (count == 0));
    assert_non_null(m.value);
    assert_non_null(m.data);
    for (int64_t i = 0; i < count; i++)
        set(m.data, dtype, i, NAN);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) {
            set(m.data, dtype, i * m.lead + j, number(d, dtype, fill));
            m.value[i * columns + j] = get(m.data, dtype, i * m.lead + j);
        }
    return m;
}

static void matrix_free(struct matrix *m)
{
    free(m->value);
    free(m->data);
}

static double fused(enum dtype dtype, double a, double b, double c)
{
    return dtype == DTYPE_FLOAT32 ? (double)fmaf((float)a, (float)b, (float)c) : fma(a, b, c);
}

static double sum(enum dtype dtype, double a, double b)
{
    return dtype == DTYPE_FLOAT32 ? (double)((float)a + (float)b) : a + b;
}

struct shape_case {
    enum dtype dtype;
    enum fill fill;
    int64_t m, n, k;
    bool a_transposed, b_transposed, slack, finish, kept;
};

/* Element (i, j), by the definition. */
static double element(const struct shape_case *s, const struct matrix *a, const struct matrix *b, int64_t i, int64_t j)
{
    double lane[16] = {0};
    const int64_t lanes = s->n == 1 ? 16 : 1;
    for (int64_t p = 0; p < s->k; p++) {
        const double x = a->value[s->a_transposed ? p * a->columns + i : i * a->columns + p];
        const double y = b->value[s->b_transposed ? j * b->columns + p : p * b->columns + j];
        lane[p % lanes] = fused(s->dtype, x, y, lane[p % lanes]);
    }
    for (int64_t half = lanes / 2; half > 0; half /= 2)
        for (int64_t l = 0; l < half; l++)
            lane[l] = sum(s->dtype, lane[l], lane[l + half]);
    return lane[0];
}

/* What the finish of these tests writes: the blocks, each element once, at their place. */
struct taken {
    enum dtype dtype;
    int64_t rows, columns;
    double *value;
    int *times;
    void *const *p;
};

static void take(const void *args, void *const *p, int64_t row, int64_t rows, int64_t column, int64_t columns,
                 void *block, int64_t block_row)
{
    const struct taken *t = args;
    assert_ptr_equal(p, t->p);
    assert_true(row >= 0 && rows > 0 && row + rows <= t->rows);
    assert_true(column >= 0 && columns > 0 && column + columns <= t->columns);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) {
            const int64_t at = (row + i) * t->columns + column + j;
            t->value[at] = get(block, t->dtype, i * block_row + j);
            t->times[at]++;
        }
}

/* NaNs are equal: their payload is not promised. */
static bool same(double x, double y)
{
    return isnan(x) ? isnan(y) : x == y && signbit(x) == signbit(y);
}

/* Computes c whole, or in pieces as threads do: their columns begin at multiples of 16. */
static void compute(struct dice *d, const struct product_args *whole, kernel_fn kernel, void *const *p, bool in_pieces)
{
    int64_t rows = whole->m;
    int64_t columns = whole->n;
    if (in_pieces && whole->m > 0 && whole->n > 0) {
        rows = 1 + dice_below(d, whole->m);
        columns = 1 + dice_below(d, whole->n);
        if (columns < whole->n)
            columns = (columns + 15) / 16 * 16;
    }
    int64_t i = 0;
    do {
        int64_t j = 0;
        do {
            struct product_args piece = *whole;
            piece.row = i;
            piece.column = j;
            piece.m = whole->m - i < rows ? whole->m - i : rows;
            piece.n = whole->n - j < columns ? whole->n - j : columns;
            kernel(&piece, p);
            j += columns;
        } while (j < whole->n);
        i += rows;
    } while (i < whole->m);
}

enum how { WHOLE, IN_PIECES, BY_CODE };

/* Returns whether it was done: not every product has code. */
static bool check_isa(struct dice *d, const struct shape_case *s, const struct matrix *a, const struct matrix *b,
                      const double *expected, const struct kernels_of_dtype *kernels, enum how how)
{
    struct matrix c = matrix_new(d, s->dtype, ORDINARY, s->m, s->n, s->slack);
    struct taken taken = {s->dtype, s->m, s->n, NULL, NULL, NULL};
    taken.value = calloc((size_t)(s->m * s->n + 1), sizeof *taken.value);
    taken.times = calloc((size_t)(s->m * s->n + 1), sizeof *taken.times);
    assert_true(taken.value != NULL && taken.times != NULL);
    struct product_args g = {.m = s->m,
                             .n = s->n,
                             .k = s->k,
                             .a_row = s->a_transposed ? 1 : a->lead,
                             .a_col = s->a_transposed ? a->lead : 1,
                             .b_row = s->b_transposed ? 1 : b->lead,
                             .b_col = s->b_transposed ? b->lead : 1,
                             .c_row = c.lead,
                             .c_slack = s->slack,
                             .a_slack = s->slack,
                             .b_slack = s->slack,
                             .c_kept = !s->finish || s->kept};
    if (s->finish) {
        g.finish = take;
        g.finish_args = &taken;
    }
    if (how == BY_CODE && s->n != 1 && s->m > 0)
        g.code = xsmm_code(&g, kernels, s->dtype);
    g.code_m = s->m;
    g.code_n = s->n;
    const int64_t scratch = product_scratch(&g);
    void *pointers[4] = {g.c_kept ? c.data : NULL, a->data, b->data, NULL};
    if (scratch > 0)
        pointers[3] = malloc((size_t)scratch * dtype_size(s->dtype));
    taken.p = pointers;
    compute(d, &g, s->n == 1 ? kernels->product_narrow : kernels->product, pointers, how == IN_PIECES);
    for (int64_t i = 0; i < s->m; i++)
        for (int64_t j = 0; j < s->n; j++) {
            const int64_t at = i * s->n + j;
            if (g.c_kept && !same(get(c.data, s->dtype, i * c.lead + j), expected[at]))
                fail_msg("(%d,%d) of %dx%dx%d %s%s slack %d finish %d: %a is not %a", (int)i, (int)j, (int)s->m,
                         (int)s->k, (int)s->n, s->a_transposed ? "aT " : "", s->b_transposed ? "bT" : "", s->slack,
                         s->finish, get(c.data, s->dtype, i * c.lead + j), expected[at]);
            if (s->finish)
                assert_true(taken.times[at] == 1 && same(taken.value[at], expected[at]));
        }
    if (g.c_kept && !s->slack && s->n > 0)
        for (int64_t i = 0; i + 1 < s->m; i++)
            for (int64_t j = s->n; j < c.lead; j++)
                assert_true(isnan(get(c.data, s->dtype, i * c.lead + j)));
    free(pointers[3]);
    free(taken.value);
    free(taken.times);
    matrix_free(&c);
    return g.code != NULL || how != BY_CODE;
}

/* Returns how often code was called. */
static int check(struct dice *d, const struct shape_case *s)
{
    int by_code = 0;
    struct matrix a = s->a_transposed ? matrix_new(d, s->dtype, s->fill, s->k, s->m, s->slack)
                                      : matrix_new(d, s->dtype, s->fill, s->m, s->k, s->slack);
    struct matrix b = s->b_transposed ? matrix_new(d, s->dtype, s->fill, s->n, s->k, s->slack)
                                      : matrix_new(d, s->dtype, s->fill, s->k, s->n, s->slack);
    double *expected = malloc((size_t)(s->m * s->n + 1) * sizeof *expected);
    assert_non_null(expected);
    for (int64_t i = 0; i < s->m; i++)
        for (int64_t j = 0; j < s->n; j++) {
            expected[i * s->n + j] = element(s, &a, &b, i, j);
        }
    for (size_t isa = 0; isa_at(isa) != NULL; isa++) {
        const struct kernels_of_dtype *kernels = &isa_at(isa)->of[s->dtype];
        (void)check_isa(d, s, &a, &b, expected, kernels, WHOLE);
        (void)check_isa(d, s, &a, &b, expected, kernels, IN_PIECES);
        by_code += check_isa(d, s, &a, &b, expected, kernels, BY_CODE);
    }
    free(expected);
    matrix_free(&a);
    matrix_free(&b);
    return by_code;
}

static struct shape_case some_case(struct dice *d, int64_t m, int64_t k, int64_t n)
{
    return (struct shape_case){.dtype = dice_below(d, 2) == 0 ? DTYPE_FLOAT32 : DTYPE_FLOAT64,
                               .fill = (enum fill)dice_below(d, FILLS),
                               .m = m,
                               .n = n,
                               .k = k,
                               .a_transposed = dice_below(d, 2) == 0,
                               .b_transposed = dice_below(d, 2) == 0,
                               .slack = dice_below(d, 2) == 0,
                               .finish = dice_below(d, 2) == 0,
                               .kept = dice_below(d, 2) == 0};
}

/* Every m and every n up to 130; with GRADD_TEST_LONG, with each other. */
static void every_size(void **state)
{
    (void)state;
    struct dice d = {1};
    const bool every = getenv("GRADD_TEST_LONG") != NULL;
    for (int64_t m = 1; m <= 130; m++)
        for (int64_t n = every ? 1 : 1 + m % 3; n <= 130; n += every ? 1 : 1 + dice_below(&d, 60)) {
            const struct shape_case s = some_case(&d, m, dice_below(&d, 40), n);
            (void)check(&d, &s);
        }
}

/* Each way of laying out the operands, at sizes around those of vectors and tiles. */
static void every_form(void **state)
{
    (void)state;
    struct dice d = {2};
    static const int64_t sizes[] = {1, 3, 8, 13, 16, 17, 31, 32, 33, 64, 65};
    const int64_t count = sizeof sizes / sizeof *sizes;
    for (unsigned form = 0; form < 64; form++)
        for (int dtype = 0; dtype < 2; dtype++) {
            const struct shape_case s = {.dtype = (enum dtype)dtype,
                                         .fill = (enum fill)dice_below(&d, FILLS),
                                         .m = sizes[dice_below(&d, count)],
                                         .n = form & 32 ? 1 : sizes[dice_below(&d, count)],
                                         .k = sizes[dice_below(&d, count)],
                                         .a_transposed = form & 1,
                                         .b_transposed = form & 2,
                                         .slack = form & 4,
                                         .finish = form & 8,
                                         .kept = form & 16};
            (void)check(&d, &s);
        }
}

/* Deep, tall and wide enough for several panels, depths and blocks. */
static void several_blocks(void **state)
{
    (void)state;
    struct dice d = {3};
    static const struct {
        int64_t m, k, n;
    } shapes[] = {{33, 1100, 70}, {5, 513, 65},  {200, 140, 150}, {3, 2100, 3},
                  {1100, 20, 1},  {70, 1500, 1}, {130, 300, 40}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int again = 0; again < 4; again++) {
            const struct shape_case s = some_case(&d, shapes[i].m, shapes[i].k, shapes[i].n);
            (void)check(&d, &s);
        }
}

/* Nothing to add up is 0, and still finished; no rows or no columns touch nothing. */
static void empty(void **state)
{
    (void)state;
    struct dice d = {4};
    for (int again = 0; again < 40; again++) {
        const struct shape_case no_depth = some_case(&d, 1 + dice_below(&d, 20), 0, 1 + dice_below(&d, 20));
        const struct shape_case no_rows = some_case(&d, 0, dice_below(&d, 20), 1 + dice_below(&d, 20));
        const struct shape_case no_columns = some_case(&d, dice_below(&d, 20), dice_below(&d, 20), 0);
        (void)check(&d, &no_depth);
        (void)check(&d, &no_rows);
        (void)check(&d, &no_columns);
    }
}

#if defined(__x86_64__) && __has_include(<libxsmm.h>)
/* A product that has code, if the machine has an instruction set that code is made for. */
static struct product_args small_product(int64_t k)
{
    return (struct product_args){
        .m = 20, .n = 24, .k = k, .a_row = k, .a_col = 1, .b_row = 24, .b_col = 1, .c_row = 24, .c_kept = true};
}

static bool has_code(int64_t k)
{
    const struct product_args g = small_product(k);
    return xsmm_code(&g, &isa_at(0)->of[DTYPE_FLOAT32], DTYPE_FLOAT32) != NULL;
}

/* Small products by code that was made for them. */
static void compiled(void **state)
{
    (void)state;
    struct dice d = {5};
    int by_code = 0;
    for (int i = 0; i < 1200; i++) {
        struct shape_case s = some_case(&d, 12 + dice_below(&d, 53), 1 + dice_below(&d, 64), 2 + dice_below(&d, 63));
        s.b_transposed = false;
        s.slack = dice_below(&d, 4) != 0;
        by_code += check(&d, &s);
    }
    if (strcmp(isa_at(0)->isa, "baseline") == 0)
        assert_int_equal(by_code, 0);
    else
        assert_true(by_code > 100);
}

/* Shapes whose code would not sum in order, and shapes that are no matter of a call's cost. */
static void not_compiled(void **state)
{
    (void)state;
    static const int64_t sizes[][3] = {{11, 16, 20}, {65, 16, 20}, {20, 1, 20},
                                       {20, 65, 20}, {20, 16, 0},  {20, 16, 65}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const int64_t *of = sizes[i];
        struct product_args g = small_product(of[2]);
        g.m = of[0];
        g.n = g.b_row = g.c_row = of[1];
        assert_true(xsmm_code(&g, &isa_at(0)->of[DTYPE_FLOAT32], DTYPE_FLOAT32) == NULL);
    }
    for (size_t i = 0; isa_at(i) != NULL; i++) {
        struct product_args rest = small_product(20);
        rest.n = rest.b_row = rest.c_row = 10;
        if (strcmp(isa_at(i)->isa, "avx2") == 0)
            assert_true(xsmm_code(&rest, &isa_at(i)->of[DTYPE_FLOAT32], DTYPE_FLOAT32) == NULL);
    }
    struct product_args far = small_product(20);
    far.b_row = 1000;
    assert_true(xsmm_code(&far, &isa_at(0)->of[DTYPE_FLOAT32], DTYPE_FLOAT32) == NULL);
}

/* Where memory may not become executable, there is no code, and nothing is said. */
static void forbidden(void **state)
{
    (void)state;
    enum { SET_MDWE = 65, REFUSE_EXEC_GAIN = 1, CAN_NOT = 77 };
    if (strcmp(isa_at(0)->isa, "baseline") == 0)
        skip();
    assert_true(has_code(40));
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (prctl(SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0) != 0)
            _exit(CAN_NOT);
        _exit(has_code(40) && !has_code(41) && !has_code(42) ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == CAN_NOT)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_true(has_code(41));
}

/* However many shapes are asked for, so many have code at most; those keep it. Comes last. */
static void bounded(void **state)
{
    (void)state;
    const struct kernels_of_dtype *kernels = &isa_at(0)->of[DTYPE_FLOAT64];
    struct product_args g = small_product(1);
    for (int i = 0; i <= XSMM_CODES_MOST; i++) {
        g.m = 12 + i / 64 % 53;
        g.k = g.a_row = 1 + i % 64;
        (void)xsmm_code(&g, kernels, DTYPE_FLOAT64);
    }
    g.m = g.k = g.a_row = 63;
    assert_true(xsmm_code(&g, kernels, DTYPE_FLOAT64) == NULL);
    assert_true(has_code(40) == (strcmp(isa_at(0)->isa, "baseline") != 0));
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size),
        cmocka_unit_test(every_form),
        cmocka_unit_test(several_blocks),
        cmocka_unit_test(empty),
#if defined(__x86_64__) && __has_include(<libxsmm.h>)
        cmocka_unit_test(forbidden),
        cmocka_unit_test(not_compiled),
        cmocka_unit_test(compiled),
        cmocka_unit_test(bounded),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
