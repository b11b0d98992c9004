/* gradd help */
#include "cmd.h"

#include "base/config.h"
#include "version.h"
#include <stdio.h>

static const char usage[] =
    "gradd " GRADD_VERSION " trains and differentiates over HTTP.\n"
    "\n"
    "  gradd [serve] [OPTION...]                 serve, until SIGTERM or SIGINT\n"
    "  gradd differentiate PROGRAM [NAME=VALUE...] [OPTION...]\n"
    "                                            answer like POST /v1/differentiate, without a server\n"
    "  gradd explain FILE [--batch N]            print how a model (FILE is what POST /v1/models takes; - is\n"
    "                                            standard input) is computed at a batch; default 1\n"
    "  gradd check-db FILE                       verify everything in a database; also one that is served\n"
    "  gradd backup FILE TO                      copy a database; also one that is served\n"
    "  gradd version                             print the version\n"
    "  gradd help                                print this\n"
    "\n"
    "Example:  gradd differentiate 'f = x^2' x=4\n"
    "\n"
    "Options of differentiate: values are JSON, or names.\n"
    "  --of NAME  --wrt NAME,NAME  --query gradient|evaluate|jacobian|jvp|hvp|hessian|check  --dtype float32|float64\n"
    "  --cotangent[s] JSON  --tangents JSON  --vector[s] JSON  --batch NAME,NAME  --per-sample  --trace  --symbolic\n"
    "  --tensors flat\n"
    "\n"
    "Options of serve, each with its environment variable:\n";

int cmd_help(int argc, char *const argv[])
{
    if (argc > 0) {
        fprintf(stderr, "gradd: help takes no arguments, but got '%s'\n", argv[0]);
        return EXIT_USAGE;
    }
    struct text options = {0};
    config_help(&options);
    bool whole = !options.failed;
    fputs(usage, stdout);
    fputs(whole && options.data != NULL ? options.data : "", stdout);
    text_clear(&options);
    return whole && fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED;
}
