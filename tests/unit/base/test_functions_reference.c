/* The elementary and special functions against mpmath's values (tests/reference/make_functions.py): the errors in units
 * of the last place are what functions_vector.h promises. */
#include "support/near.h"

#include "base/functions.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_NAME "tests/reference/functions.txt"

/* bound: in ulp; loose: and this much absolute for x < 0, where the functions of gamma have zeros that are no numbers
 */
static const struct entry {
    const char *name;
    double (*one)(double);
    double (*two)(double, double);
    double bound, loose;
} entries[] = {
    {"exp", fn_exp, NULL, 1.0, 0},           {"expm1", fn_expm1, NULL, 0.85, 0},
    {"log", fn_log, NULL, 0.8, 0},           {"log1p", fn_log1p, NULL, 0.8, 0},
    {"sin", fn_sin, NULL, 0.8, 0},           {"cos", fn_cos, NULL, 0.8, 0},
    {"tan", fn_tan, NULL, 0.9, 0},           {"asin", fn_asin, NULL, 0.65, 0},
    {"acos", fn_acos, NULL, 0.65, 0},        {"atan", fn_atan, NULL, 0.7, 0},
    {"sinh", fn_sinh, NULL, 0.75, 0},        {"cosh", fn_cosh, NULL, 0.7, 0},
    {"tanh", fn_tanh, NULL, 0.8, 0},         {"asinh", fn_asinh, NULL, 0.85, 0},
    {"acosh", fn_acosh, NULL, 0.85, 0},      {"atanh", fn_atanh, NULL, 0.85, 0},
    {"erf", fn_erf, NULL, 1.3, 0},           {"erfc", fn_erfc, NULL, 2.6, 0},
    {"lgamma", fn_lgamma, NULL, 2, 4e-16},   {"digamma", fn_digamma, NULL, 3, 4e-16},
    {"polygamma", NULL, fn_polygamma, 8, 0},
};

enum { ENTRY_COUNT = sizeof entries / sizeof *entries };

static double ulp_of(double x)
{
    double a = fabs(x) < DBL_MIN ? DBL_MIN : fabs(x);
    return ldexp(1, ilogb(a) - 52);
}

static void special_values_of_gamma(void **state)
{
    (void)state;
    assert_same(fn_lgamma(1), 0);
    assert_same(fn_lgamma(2), 0);
    const double poles[] = {0.0, -0.0, -1, -2, -170, -1e17, -DBL_MAX};
    for (size_t i = 0; i < sizeof poles / sizeof *poles; i++) {
        assert_same(fn_lgamma(poles[i]), HUGE_VAL);
        assert_same(fn_polygamma(1, poles[i]), HUGE_VAL);
        assert_same(fn_polygamma(2, poles[i]), -HUGE_VAL);
        assert_same(fn_polygamma(3, poles[i]), HUGE_VAL);
        if (poles[i] < 0)
            assert_true(isnan(fn_digamma(poles[i])));
    }
    assert_same(fn_digamma(0.0), -HUGE_VAL);
    assert_same(fn_digamma(-0.0), HUGE_VAL);
    assert_same(fn_lgamma(HUGE_VAL), HUGE_VAL);
    assert_same(fn_lgamma(-HUGE_VAL), HUGE_VAL);
    assert_same(fn_lgamma(DBL_MAX), HUGE_VAL);
    assert_same(fn_digamma(HUGE_VAL), HUGE_VAL);
    assert_same(fn_polygamma(1, HUGE_VAL), 0);
    assert_same(fn_polygamma(0, 1.5), fn_digamma(1.5));
    assert_same(fn_polygamma(1, 1e-300), HUGE_VAL);
    assert_same(fn_polygamma(1, DBL_MAX), 1 / DBL_MAX);
    assert_same(fn_polygamma(1e10, 1), -HUGE_VAL);
    assert_same(fn_polygamma(1000, 1e10), -0.0);
    assert_near(fn_lgamma(5e-324), 744.44007192138121809, 1e-15, 0);
    assert_near(fn_lgamma(-5e-324), 744.44007192138121809, 1e-15, 0);
    const double bad[] = {-1, 0.5, HUGE_VAL, NAN};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_true(isnan(fn_polygamma(bad[i], 2)));
    assert_true(isnan(fn_lgamma(NAN)));
    assert_true(isnan(fn_digamma(NAN)));
    assert_true(isnan(fn_digamma(-HUGE_VAL)));
    assert_true(isnan(fn_polygamma(1, NAN)));
    assert_true(isnan(fn_polygamma(1, -HUGE_VAL)));
}

static size_t entry_named(const char *name)
{
    for (size_t f = 0; f < ENTRY_COUNT; f++)
        if (strcmp(entries[f].name, name) == 0)
            return f;
    fail_msg("no function '%s'", name);
    return 0;
}

static void functions_agree_with_mpmath(void **state)
{
    (void)state;
    double worst[ENTRY_COUNT] = {0};
    int lines[ENTRY_COUNT] = {0}, wrong = 0;
    FILE *file = fopen(FILE_NAME, "r");
    assert_non_null(file);
    char line[256];
    while (fgets(line, sizeof line, file) != NULL) {
        char *at = strchr(line, ' ');
        assert_non_null(at);
        *at++ = 0;
        const size_t f = entry_named(line);
        double x = strtod(at, &at), y = entries[f].two != NULL ? strtod(at, &at) : 0;
        double value = strtod(at, &at), rest = strtod(at, &at);
        double got = entries[f].two != NULL ? entries[f].two(x, y) : entries[f].one(x);
        double lost = fabs(got - value - rest) - (x < 0 ? entries[f].loose : 0);
        double error = isfinite(got) ? lost / ulp_of(value) : got == value ? 0 : HUGE_VAL;
        lines[f]++;
        if (error > worst[f])
            worst[f] = error;
        if (!(error <= entries[f].bound)) {
            print_error("%s(%a, %a) is %a, not %a: %g ulp\n", line, x, y, got, value, error);
            wrong++;
        }
    }
    fclose(file);
    for (size_t f = 0; f < ENTRY_COUNT; f++) {
        print_message("%s: %.3f ulp in %d\n", entries[f].name, worst[f], lines[f]);
        assert_true(lines[f] > 20);
    }
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(functions_agree_with_mpmath),
                                       cmocka_unit_test(special_values_of_gamma)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
