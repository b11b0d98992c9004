/* Losses as sums of elements: every loss op has them, and weights reach what averages over rows alone. */
#include "fixture.h"

#include "graph/losses.h"
#include <string.h>

/* By its rule of shapes. */
static bool looks_like_a_loss(const char *rule)
{
    static const char *const rules[] = {"loss", "cross_entropy", "huber", "gaussian"};
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (strcmp(rules[i], rule) == 0)
            return true;
    return false;
}

static void every_loss_has_elements(void **state)
{
    size_t count = 0;
    (void)state;
#define CHECK(name, rule)                                                                                              \
    assert_int_equal(op_is_loss(OP_##name), looks_like_a_loss(rule));                                                  \
    count += op_is_loss(OP_##name);
#define OP(name, least, most, attributes, rule) CHECK(name, #rule)
#define COMPOSITE(name, least, most, attributes, rule) CHECK(name, #rule)
#include "graph/ops.def"
    assert_int_equal(count, 11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_loss_has_elements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
