/* Samples of a cost history keep its ends and its extremes, and are never larger than was asked. */
#include "api/sample.h"
#include "support/near.h"
#include <stdlib.h>

enum { POINTS = 1000 };

/* A falling cost with one dip and one peak in the middle. */
static void fill(struct cost_point *points, size_t count, size_t dip, size_t peak)
{
    for (size_t i = 0; i < count; i++)
        points[i] = (struct cost_point){.step = (int64_t)i + 1, .cost = 10 - (double)i / (double)count};
    points[dip].cost = -1;
    points[peak].cost = 20;
}

static void test_extremes_are_kept(void **state)
{
    (void)state;
    struct cost_point points[POINTS];
    fill(points, POINTS, 501, 333);
    for (size_t wanted = SAMPLE_LEAST; wanted < POINTS; wanted++) {
        unsigned char marks[POINTS] = {0};
        size_t marked = 0;
        sample_points(points, POINTS, wanted, marks);
        for (size_t i = 0; i < POINTS; i++)
            marked += marks[i];
        assert_true(marks[0] && marks[POINTS - 1] && marks[501] && marks[333]);
        assert_true(marked <= wanted);
    }
}

static void test_few_points(void **state)
{
    (void)state;
    struct cost_point points[5];
    fill(points, 5, 1, 3);
    unsigned char marks[5] = {0};
    const unsigned char expected[5] = {1, 1, 0, 1, 1};
    sample_points(points, 5, SAMPLE_LEAST, marks);
    assert_memory_equal(marks, expected, sizeof marks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_extremes_are_kept),
        cmocka_unit_test(test_few_points),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
