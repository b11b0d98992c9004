/* Every op with shapes drawn at random: the cases of each group once more, in shapes that no dump has. What the engine
 * says of the first and the second derivative is held against central differences. */
#include "check.h"
#include "graph/op.h"
#include "reshaped.h"
#include "support/near.h"

#include <stdlib.h>
#include <string.h>

enum { GROUPS_MAX = 62, DRAWINGS = 8, SHAPES = 2 };

static bool tried[OP_COUNT], has_differences[OP_COUNT];

static void check_in_shapes(const struct op_case *c, enum op op)
{
    int found = 0;
    for (uint64_t seed = 1; seed <= DRAWINGS && found < SHAPES; seed++) {
        struct op_case reshaped;
        if (!reshaped_case(c, seed, &reshaped))
            continue;
        check_differences(&reshaped);
        case_free(&reshaped);
        tried[op] = true;
        found++;
    }
}

static void group_agrees(void **state)
{
    const char *group = *state;
    char path[256];
    (void)snprintf(path, sizeof path, "tests/ops/cases/%s", group);
    FILE *cases = open_cases(path);
    (void)snprintf(path, sizeof path, "tests/reference/ops/%s", group);
    FILE *dump = open_cases(path);
    struct op_case c;
    while (next_case(cases, dump, &c)) {
        enum op op;
        assert_true(op_find(c.op, strlen(c.op), &op));
        bool differentiable = false;
        for (size_t i = 0; i < c.input_count; i++)
            differentiable = differentiable || c.inputs[i].differentiable;
        if (differentiable && !c.options[0]) {
            has_differences[op] = true;
            check_in_shapes(&c, op);
        }
        case_free(&c);
    }
    case_free(&c);
    (void)fclose(cases);
    (void)fclose(dump);
}

static void every_op_was_tried(void **state)
{
    (void)state;
    size_t missing = 0;
    for (int op = 0; op < OP_COUNT; op++) {
        if (tried[op] || !has_differences[op])
            continue;
        print_error("%s has no case that fits another shape\n", op_name((enum op)op));
        missing++;
    }
    if (missing)
        fail_msg("cases are missing in tests/ops/cases");
}

int main(void)
{
    struct CMUnitTest tests[GROUPS_MAX + 1];
    char **groups;
    size_t count = list_texts("tests/ops/cases", &groups);
    if (count > GROUPS_MAX)
        return 1;
    for (size_t i = 0; i < count; i++)
        tests[i] = (struct CMUnitTest){groups[i], group_agrees, NULL, NULL, groups[i]};
    tests[count] = (struct CMUnitTest)cmocka_unit_test(every_op_was_tried);
    int failed = _cmocka_run_group_tests("shapes", tests, count + 1, NULL, NULL);
    for (size_t i = 0; i < count; i++)
        free(groups[i]);
    free(groups);
    return failed;
}
