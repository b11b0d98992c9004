/* The lines of tests/ops/exact: conventions at kinks and ties, identities, digits, the lesson and the algebra behind
 * it. */
#include "exact.h"

#include "support/near.h"

#include <stdlib.h>

static void every_line_holds(void **state)
{
    (void)state;
    char **files, path[256];
    size_t count = list_texts("tests/ops/exact", &files);
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(path, sizeof path, "tests/ops/exact/%s", files[i]);
        FILE *file = open_cases(path);
        struct exact_line line;
        while (exact_next(file, &line)) {
            exact_check(&line);
            exact_free(&line);
        }
        (void)fclose(file);
        free(files[i]);
    }
    free(files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_line_holds)};
    return cmocka_run_group_tests_name("exact", tests, NULL, NULL);
}
