/* gradd version */
#include "cmd.h"

#include "version.h"
#include <stdio.h>

int cmd_version(int argc, char *const argv[])
{
    if (argc > 0) {
        fprintf(stderr, "gradd: version takes no arguments, but got '%s'\n", argv[0]);
        return EXIT_USAGE;
    }
    puts("gradd " GRADD_VERSION);
    return EXIT_DONE;
}
