/* Every op of ops.def: the cases of each group hold, and between them they show what coverage.h asks of each op.
 *
 * test_ops --table prints the worst error of each op: against PyTorch in both dtypes, against central differences; of
 * the value, the first and the second derivative. */
#include "check.h"
#include "coverage.h"

#include "support/near.h"

#include <stdlib.h>
#include <string.h>

enum { GROUPS_MAX = 62 };

static struct coverage coverage[OP_COUNT];
static struct deviation deviation[OP_COUNT];

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
        if (!op_find(c.op, strlen(c.op), &op) || !coverage_add(&coverage[op], op, &c))
            fail_msg("the case is not one of %s: %s", c.op, c.text);
        check_case(&c, &deviation[op]);
        case_free(&c);
    }
    case_free(&c);
    (void)fclose(cases);
    (void)fclose(dump);
}

static void every_op_is_covered(void **state)
{
    (void)state;
    size_t missing = 0;
    for (int op = 0; op < OP_COUNT; op++) {
        char buffer[64];
        const char *what;
        for (size_t i = 0; (what = coverage_missing(&coverage[op], (enum op)op, i, buffer)); i++) {
            print_error("%s lacks %s\n", op_name((enum op)op), what);
            missing++;
        }
    }
    if (missing)
        fail_msg("cases are missing in tests/ops/cases");
}

static void print_table(void)
{
    printf("%-18s %-26s %-26s %s\n", "worst error", "float64 from PyTorch", "float32 from PyTorch", "from differences");
    printf("%-18s %-8s %-8s %-8s %-8s %-8s %-8s %-8s %-8s\n", "op", "value", "first", "second", "value", "first",
           "second", "first", "second");
    for (int op = 0; op < OP_COUNT; op++) {
        const struct deviation *d = &deviation[op];
        printf("%-18s", op_name((enum op)op));
        for (int i = 0; i < ORDERS; i++)
            printf(" %-8.1e", d->from_torch[DTYPE_FLOAT64][i]);
        for (int i = 0; i < ORDERS; i++)
            printf(" %-8.1e", d->from_torch[DTYPE_FLOAT32][i]);
        for (int i = 1; i < ORDERS; i++)
            printf(" %-8.1e", d->from_differences[i]);
        printf("\n");
    }
}

int main(int argc, char **argv)
{
    struct CMUnitTest tests[GROUPS_MAX + 1];
    char **groups;
    size_t count = list_texts("tests/ops/cases", &groups);
    if (count > GROUPS_MAX)
        return 1;
    for (size_t i = 0; i < count; i++)
        tests[i] = (struct CMUnitTest){groups[i], group_agrees, NULL, NULL, groups[i]};
    tests[count] = (struct CMUnitTest)cmocka_unit_test(every_op_is_covered);
    int failed = _cmocka_run_group_tests("ops", tests, count + 1, NULL, NULL);
    if (argc > 1 && strcmp(argv[1], "--table") == 0)
        print_table();
    for (size_t i = 0; i < count; i++)
        free(groups[i]);
    free(groups);
    return failed;
}
