#include "support/near.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

static void fail_with(double actual, double expected, const char *what, const char *file, int line)
{
    print_error("%s is %.17g (%a), expected %.17g (%a)\n", what, actual, actual, expected, expected);
    _fail(file, line);
}

void check_near(double actual, double expected, double relative, double absolute, const char *what, const char *file,
                int line)
{
    bool near = fabs(actual - expected) <= absolute + relative * fabs(expected);
    if (isnan(expected))
        near = isnan(actual);
    else if (isinf(expected))
        near = isinf(actual) && signbit(actual) == signbit(expected);
    if (!near)
        fail_with(actual, expected, what, file, line);
}

void check_same(double actual, double expected, const char *what, const char *file, int line)
{
    uint64_t actual_bits, expected_bits;
    if (isnan(actual) && isnan(expected))
        return;
    memcpy(&actual_bits, &actual, sizeof actual);
    memcpy(&expected_bits, &expected, sizeof expected);
    if (actual_bits != expected_bits)
        fail_with(actual, expected, what, file, line);
}
