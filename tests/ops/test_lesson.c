/* The lesson's network, and Dropout in training. */
#include "lesson.h"

#include "support/near.h"

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_network_is_backpropagation),
        cmocka_unit_test(dropout_drops_the_same_backwards),
        cmocka_unit_test(the_gradient_has_no_superfluous_node),
    };
    return cmocka_run_group_tests_name("lesson", tests, NULL, NULL);
}
