/* Differences against derivatives: right ones pass and wrong ones fail, in smooth places, near kinks and on them. */
#include "query/difference.h"
#include "support/near.h"
#include <math.h>

typedef double plain(double x);

struct call {
    plain *f;
    int calls;
};

static err_code evaluate(void *context, double x, double *ret)
{
    struct call *c = context;
    c->calls++;
    *ret = c->f(x);
    return ERR_ok;
}

static bool agrees(plain *f, double x, double derivative)
{
    struct call c = {.f = f};
    struct difference d = {0};
    assert_int_equal(difference_check(evaluate, &c, x, derivative, &d), ERR_ok);
    return d.ok;
}

/* The right one passes; another sign, a factor, and a little more do not. */
static void expect(plain *f, double x, double derivative)
{
    assert_true(agrees(f, x, derivative));
    assert_false(agrees(f, x, -derivative));
    assert_false(agrees(f, x, 2 * derivative));
    assert_false(agrees(f, x, 1.0001 * derivative));
    assert_false(agrees(f, x, 0));
}

static double cube(double x)
{
    return x * x * x;
}
static double square(double x)
{
    return x * x;
}
static double slow(double x)
{
    return 1e6 + sin(x); /* rounding is 1e-10 of a value */
}
static double relu(double x)
{
    return x > 0 ? x : 0;
}
static double root(double x)
{
    return sqrt(x);
}
static double flat(double x)
{
    return x * 0 + 3;
}
static double jump(double x)
{
    return floor(x);
}

static void smooth_functions(void **state)
{
    (void)state;
    expect(cube, 2, 12);
    expect(cube, -1e3, 3e6);
    expect(cube, 1e-3, 3e-6);
    expect(exp, 20, exp(20));
    expect(slow, 1, cos(1));
    expect(log, 1e-3, 1e3); /* no number lies a long step to the left */
    expect(root, 1e-5, 0.5 / sqrt(1e-5));
    assert_true(agrees(flat, 5, 0));
    assert_true(agrees(square, 0, 0));
    assert_false(agrees(square, 0, 1e-3));
    assert_false(agrees(flat, 5, 1e-3));
    assert_false(agrees(log, 0, INFINITY)); /* nothing is known there */
}

static void near_a_kink(void **state)
{
    (void)state;
    static const double places[] = {1, 0.1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        double x = places[i];
        expect(relu, x, 1);
        expect(fabs, -x, -1);
        assert_true(agrees(relu, -x, 0));
        assert_false(agrees(relu, -x, 0.5));
        assert_false(agrees(relu, -x, 1));
    }
}

static void on_a_kink_what_lies_between_is_right(void **state)
{
    (void)state;
    assert_true(agrees(relu, 0, 0));
    assert_true(agrees(relu, 0, 0.5));
    assert_true(agrees(relu, 0, 1));
    assert_false(agrees(relu, 0, 1.1));
    assert_false(agrees(relu, 0, -0.1));
    assert_true(agrees(fabs, 0, 0));
    assert_false(agrees(fabs, 0, 2));
    assert_true(agrees(jump, 3, 0));
    assert_true(agrees(jump, 3.25, 0));
    assert_false(agrees(jump, 3.25, 1));
}

static err_code failing(void *context, double x, double *ret)
{
    int *left = context;
    (void)x;
    *ret = 0;
    return (*left)-- > 0 ? ERR_ok : ERR_cancelled;
}

static void an_error_of_the_function_is_told(void **state)
{
    (void)state;
    for (int calls = 0; calls < 4; calls++) {
        int left = calls;
        struct difference d;
        assert_int_equal(difference_check(failing, &left, 1, 1, &d), ERR_cancelled);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(smooth_functions),
        cmocka_unit_test(near_a_kink),
        cmocka_unit_test(on_a_kink_what_lies_between_is_right),
        cmocka_unit_test(an_error_of_the_function_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
