/* The command line: finds the subcommand. */
#include "cmd.h"

#include "base/names.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(int argc, char *const argv[]);
} commands[] = {
    {"serve", cmd_serve},     {"differentiate", cmd_differentiate},
    {"explain", cmd_explain}, {"check-db", cmd_check_db},
    {"backup", cmd_backup},   {"help", cmd_help},
    {"--help", cmd_help},     {"-h", cmd_help},
    {"version", cmd_version}, {"--version", cmd_version},
};

static int unknown_command(const char *name)
{
    struct guess guess = {.name = name};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        guess_offer(&guess, commands[i].name);
    if (guess.best != NULL)
        fprintf(stderr, "gradd: no command '%s'; did you mean '%s'?\n", name, guess.best);
    else
        fprintf(stderr, "gradd: no command '%s'; gradd help lists them\n", name);
    return EXIT_USAGE;
}

int main(int argc, char *argv[])
{
    signal(SIGPIPE, SIG_IGN);
    if (argc < 2)
        return cmd_serve(0, argv + argc);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 2, argv + 2);
    /* Options without a command are serve's. */
    if (argv[1][0] == '-')
        return cmd_serve(argc - 1, argv + 1);
    return unknown_command(argv[1]);
}

static void print_item(const struct error_item *item)
{
    fputs("  ", stderr);
    if (item->pointer != NULL && item->pointer[0] != '\0')
        fprintf(stderr, "%s: ", item->pointer);
    if (item->line > 0)
        fprintf(stderr, "line %d", item->line);
    if (item->line > 0 && item->column > 0)
        fprintf(stderr, ", column %d", item->column);
    if (item->line > 0)
        fputs(": ", stderr);
    fprintf(stderr, "%s\n", item->detail != NULL ? item->detail : err_title(item->code));
}

int cmd_complain(struct error *err, enum exit_status status)
{
    fprintf(stderr, "gradd: %s\n", err->detail != NULL ? err->detail : err_title(err->code));
    for (size_t i = 0; i < err->item_count; i++)
        print_item(&err->items[i]);
    if (err->total > err->item_count)
        fprintf(stderr, "  ... and %zu more\n", err->total - err->item_count);
    error_clear(err);
    return (int)status;
}
