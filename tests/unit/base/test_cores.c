#include "base/cores.h"
/* cmocka's header needs the others before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void quotas(void **state)
{
    (void)state;
    assert_int_equal(cores_of_quota("max 100000\n"), 0);
    assert_int_equal(cores_of_quota("200000 100000\n"), 2);
    assert_int_equal(cores_of_quota("150000 100000\n"), 2);
    assert_int_equal(cores_of_quota("50000 100000\n"), 1);
    assert_int_equal(cores_of_quota("-1 100000\n"), 0);
    assert_int_equal(cores_of_quota("100000\n"), 0);
    assert_int_equal(cores_of_quota("100000 0\n"), 0);
    assert_int_equal(cores_of_quota(""), 0);
    assert_true(cores_count() >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(quotas)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
