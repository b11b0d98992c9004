/* What every unit test includes: cmocka with the headers that it needs, and a comparison of doubles, which cmocka has
 * not. */
#ifndef GRADD_TESTS_SUPPORT_NEAR_H
#define GRADD_TESTS_SUPPORT_NEAR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Fails unless |actual - expected| <= absolute + relative * |expected|. Signed: -1 is not near 1. Infinities are near
 * only to themselves, NaN to NaN. */
#define assert_near(actual, expected, relative, absolute)                                                              \
    check_near((actual), (expected), (relative), (absolute), #actual, __FILE__, __LINE__)
void check_near(double actual, double expected, double relative, double absolute, const char *what, const char *file,
                int line);

/* Fails unless the two have the same bits (so 0 is not -0), or both are NaN. */
#define assert_same(actual, expected) check_same((actual), (expected), #actual, __FILE__, __LINE__)
void check_same(double actual, double expected, const char *what, const char *file, int line);

#endif
