/* gradd backup FILE TO: copies a database, also while it is served. TO is a whole copy, or it is not there. */
#include "cmd.h"

#include "store/upkeep.h"
#include <stdio.h>

int cmd_backup(int argc, char *const argv[])
{
    struct error err = {0};
    for (int i = 0; i < argc; i++)
        if (argv[i][0] == '-') {
            fprintf(stderr, "gradd: no option '%s'; backup takes none\n", argv[i]);
            return EXIT_USAGE;
        }
    if (argc != 2) {
        fprintf(stderr, "gradd: backup takes two files; try: gradd backup gradd.db copy.db\n");
        return EXIT_USAGE;
    }
    return store_backup(argv[0], argv[1], &err) == ERR_ok ? (int)EXIT_DONE : cmd_complain(&err, EXIT_FAILED);
}
