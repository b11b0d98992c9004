/* Models: initial values and digests. */
#include "fixture.h"

#include "graph/model.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A model whose only parameter is P, of that shape. */
static struct model *model_of(const char *shape, enum initializer init, enum dtype dtype, uint64_t seed)
{
    struct text shapes = {0};
    text_printf(&shapes, "P=%s", shape);
    struct model *m = calloc(1, sizeof *m);
    assert_non_null(m);
    m->graph = fixture_graph("f = P * 2", shapes.data);
    m->parameters = calloc(1, sizeof *m->parameters);
    assert_non_null(m->parameters);
    m->parameter_count = 1;
    m->parameters[0] = (struct parameter){graph_find(m->graph, "P"), init, NULL};
    m->cost = NODE_NONE;
    m->output = graph_find(m->graph, "f");
    m->dtype = dtype;
    m->seed = seed;
    text_clear(&shapes);
    return m;
}

static struct tensor **initial_of(const char *shape, enum initializer init, uint64_t seed)
{
    struct model *m = model_of(shape, init, DTYPE_FLOAT64, seed);
    struct tensor **tensors = NULL;
    assert_int_equal(model_initial(m, &tensors, NULL), ERR_ok);
    model_free(m);
    return tensors;
}

struct statistics {
    double least, most, mean, deviation;
};

static struct statistics statistics_of(const struct tensor *t)
{
    struct statistics s = {INFINITY, -INFINITY, 0, 0};
    int64_t n = tensor_elements(t);
    for (int64_t i = 0; i < n; i++) {
        double value = tensor_get(t, i);
        s.least = value < s.least ? value : s.least;
        s.most = value > s.most ? value : s.most;
        s.mean += value / (double)n;
    }
    for (int64_t i = 0; i < n; i++)
        s.deviation += (tensor_get(t, i) - s.mean) * (tensor_get(t, i) - s.mean) / (double)n;
    s.deviation = sqrt(s.deviation);
    return s;
}

/* fan_in, fan_out: (200, 300) of the matrix; (20 * 6, 50 * 6) of the convolution (50,20,2,3). */
static void test_distributions(void **state)
{
    (void)state;
    static const struct {
        const char *shape;
        enum initializer init;
        double low, high, mean, deviation; /* infinite: a normal distribution */
    } cases[] = {
        {"(200,300)", INIT_ZEROS, 0, 0, 0, 0},
        {"(200,300)", INIT_ONES, 1, 1, 1, 0},
        {"(200,300)", INIT_NORMAL, -INFINITY, INFINITY, 0, 1},
        {"(200,300)", INIT_UNIFORM, 0, 1, 0.5, 0.288675},
        {"(200,300)", INIT_GLOROT_UNIFORM, -0.1095445, 0.1095445, 0, 0.0632456},
        {"(200,300)", INIT_GLOROT_NORMAL, -INFINITY, INFINITY, 0, 0.0632456},
        {"(200,300)", INIT_HE_UNIFORM, -0.1732051, 0.1732051, 0, 0.1},
        {"(200,300)", INIT_HE_NORMAL, -INFINITY, INFINITY, 0, 0.1},
        {"(50,20,2,3)", INIT_GLOROT_NORMAL, -INFINITY, INFINITY, 0, 0.0690066},
        {"(50,20,2,3)", INIT_HE_NORMAL, -INFINITY, INFINITY, 0, 0.1290994},
        {"(5000)", INIT_GLOROT_UNIFORM, -0.0244949, 0.0244949, 0, 0.0141421},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tensor **t = initial_of(cases[i].shape, cases[i].init, 3);
        struct statistics s = statistics_of(t[0]);
        double n = (double)tensor_elements(t[0]);
        assert_near(s.mean, cases[i].mean, 0, 1e-9 + 4 * cases[i].deviation / sqrt(n));
        assert_near(s.deviation, cases[i].deviation, 0.05, 1e-9);
        assert_true(s.least >= cases[i].low && s.most <= cases[i].high);
        if (isfinite(cases[i].high) && cases[i].deviation > 0) {
            double width = cases[i].high - cases[i].low;
            assert_true(s.least < cases[i].low + 0.01 * width && s.most > cases[i].high - 0.01 * width);
        }
        tensors_free(t, 1);
    }
}

static void test_orthogonal(void **state)
{
    (void)state;
    static const struct {
        const char *shape;
        int64_t rows, columns;
    } cases[] = {{"(8,8)", 8, 8}, {"(5,9)", 5, 9}, {"(9,5)", 9, 5}, {"(4,2,3)", 4, 6}, {"(7)", 7, 1}, {"()", 1, 1}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct tensor **t = initial_of(cases[c].shape, INIT_ORTHOGONAL, 11);
        int64_t rows = cases[c].rows, columns = cases[c].columns;
        bool by_rows = rows <= columns;
        int64_t count = by_rows ? rows : columns, length = by_rows ? columns : rows;
        for (int64_t a = 0; a < count; a++) {
            for (int64_t b = 0; b < count; b++) {
                double sum = 0;
                for (int64_t k = 0; k < length; k++)
                    sum += tensor_get(t[0], by_rows ? a * columns + k : k * columns + a) *
                           tensor_get(t[0], by_rows ? b * columns + k : k * columns + b);
                assert_near(sum, a == b ? 1 : 0, 0, 1e-14);
            }
        }
        tensors_free(t, 1);
    }
    struct model *m = model_of("(3000,3000)", INIT_ORTHOGONAL, DTYPE_FLOAT32, 0);
    struct tensor **tensors = NULL;
    assert_int_equal(model_initial(m, &tensors, NULL), ERR_limit_exceeded);
    assert_null(tensors);
    model_free(m);
}

static void test_values_are_the_seeds(void **state)
{
    (void)state;
    struct tensor **a = initial_of("(4,5)", INIT_NORMAL, 1), **b = initial_of("(4,5)", INIT_NORMAL, 1),
                  **c = initial_of("(4,5)", INIT_NORMAL, 2);
    char first[65], second[65], other[65];
    tensors_digest(a, 1, first);
    tensors_digest(b, 1, second);
    tensors_digest(c, 1, other);
    assert_string_equal(first, second);
    assert_string_not_equal(first, other);
    tensors_free(a, 1);
    tensors_free(b, 1);
    tensors_free(c, 1);

    /* Each parameter has numbers of its own; float32 is float64 rounded. */
    struct model *m = calloc(1, sizeof *m);
    assert_non_null(m);
    m->graph = fixture_graph("f = P + Q", "P=(3) Q=(3)");
    m->parameters = calloc(2, sizeof *m->parameters);
    assert_non_null(m->parameters);
    m->parameter_count = 2;
    m->parameters[0] = (struct parameter){graph_find(m->graph, "P"), INIT_UNIFORM, NULL};
    m->parameters[1] = (struct parameter){graph_find(m->graph, "Q"), INIT_UNIFORM, NULL};
    assert_int_equal(model_parameter_elements(m), 6);
    struct tensor **wide = NULL, **narrow = NULL;
    m->dtype = DTYPE_FLOAT64;
    assert_int_equal(model_initial(m, &wide, NULL), ERR_ok);
    m->dtype = DTYPE_FLOAT32;
    assert_int_equal(model_initial(m, &narrow, NULL), ERR_ok);
    for (int64_t i = 0; i < 3; i++) {
        assert_true(tensor_get(wide[0], i) != tensor_get(wide[1], i));
        assert_same(tensor_get(narrow[0], i), (double)(float)tensor_get(wide[0], i));
    }
    tensors_free(wide, 2);
    tensors_free(narrow, 2);
    model_free(m);
}

static void test_given_values(void **state)
{
    (void)state;
    struct model *m = model_of("(2)", INIT_VALUE, DTYPE_FLOAT32, 0);
    assert_int_equal(tensor_new(DTYPE_FLOAT32, shape_of(1, (int64_t[]){2}), &m->parameters[0].value, NULL), ERR_ok);
    tensor_set(m->parameters[0].value, 1, 0.5);
    struct tensor **t = NULL;
    char digest[65];
    assert_int_equal(model_initial(m, &t, NULL), ERR_ok);
    assert_near(tensor_get(t[0], 1), 0.5, 0, 0);
    /* printf '\0\0\0\0\0\0\0\077' | sha256sum */
    tensors_digest(t, 1, digest);
    assert_string_equal(digest, "0051cfd064ea4a91086438ce7f6b3d21ca62d76ee264a63f3692e57cda89cd6e");
    tensors_free(t, 1);
    model_free(m);
}

static void test_empty_parameters(void **state)
{
    (void)state;
    static const enum initializer all[] = {INIT_ZEROS, INIT_NORMAL, INIT_GLOROT_UNIFORM, INIT_HE_NORMAL,
                                           INIT_ORTHOGONAL};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct tensor **t = initial_of("(0,3)", all[i], 0);
        assert_int_equal(tensor_elements(t[0]), 0);
        tensors_free(t, 1);
    }
}

static void test_names(void **state)
{
    (void)state;
    enum initializer init;
    for (int i = 0; i < INIT_VALUE; i++) {
        assert_true(initializer_find(initializer_name((enum initializer)i), &init));
        assert_int_equal(init, i);
    }
    assert_false(initializer_find("value", &init));
    assert_false(initializer_find("Zeros", &init));
    model_free(NULL);
    tensors_free(NULL, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distributions),        cmocka_unit_test(test_orthogonal),
        cmocka_unit_test(test_values_are_the_seeds), cmocka_unit_test(test_given_values),
        cmocka_unit_test(test_empty_parameters),     cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
