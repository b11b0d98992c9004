/* The subcommands of gradd, a file each. argv holds what follows the subcommand's name. They return the exit status:
 * 0 done, 1 failed, 2 wrong usage. Messages go to standard error, answers to standard output. */
#ifndef GRADD_CMD_H
#define GRADD_CMD_H

#include "base/error.h"

enum exit_status { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

int cmd_serve(int argc, char *const argv[]);
int cmd_differentiate(int argc, char *const argv[]);
int cmd_backup(int argc, char *const argv[]);
int cmd_check_db(int argc, char *const argv[]);
int cmd_explain(int argc, char *const argv[]);
int cmd_help(int argc, char *const argv[]);
int cmd_version(int argc, char *const argv[]);

/* Prints the error and its items as lines, "gradd: ..."; clears it and returns status. */
int cmd_complain(struct error *err, enum exit_status status);

#endif
