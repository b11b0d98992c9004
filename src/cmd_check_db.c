/* gradd check-db FILE: verifies everything in a database, also while it is served. Prints a line for each thing that is
 * wrong, the first hundred of them, and at last what was looked at. */
#include "cmd.h"

#include "data/table_record.h"
#include "store/upkeep.h"
#include <inttypes.h>
#include <stdio.h>

enum { LINES_MAX = 100 };

static err_code digest_of_table(const void *info, size_t info_size, const char *values_digest,
                                char ret[DIGEST_TEXT_MAX], struct error *err)
{
    struct table_info table = {0};
    err_code code = table_info_decode(info, info_size, &table, err);
    if (code == ERR_ok)
        table_digest(&table, values_digest, ret);
    table_info_clear(&table);
    return code;
}

static void print_finding(void *context, const char *sentence)
{
    int *printed = context;
    if ((*printed)++ < LINES_MAX)
        printf("%s\n", sentence);
}

static void print_sum(const char *path, const struct store_checked *c)
{
    printf("%s: models %" PRId64 ", versions %" PRId64 ", data sets %" PRId64 ", jobs %" PRId64 ", checkpoints %" PRId64
           ", cost points %" PRId64 ": ",
           path, c->models, c->versions, c->datasets, c->jobs, c->checkpoints, c->cost_points);
    if (c->findings > 0)
        printf("%" PRId64 " wrong\n", c->findings);
    else
        printf("ok\n");
}

int cmd_check_db(int argc, char *const argv[])
{
    struct error err = {0};
    struct store_checked checked;
    int printed = 0;
    if (argc > 0 && argv[0][0] == '-') {
        fprintf(stderr, "gradd: no option '%s'; check-db takes none\n", argv[0]);
        return EXIT_USAGE;
    }
    if (argc != 1) {
        fprintf(stderr, "gradd: check-db takes one file; try: gradd check-db gradd.db\n");
        return EXIT_USAGE;
    }
    if (store_check(argv[0], digest_of_table, print_finding, &printed, &checked, &err) != ERR_ok)
        return cmd_complain(&err, EXIT_FAILED);
    print_sum(argv[0], &checked);
    return fflush(stdout) == 0 && checked.findings == 0 ? EXIT_DONE : EXIT_FAILED;
}
