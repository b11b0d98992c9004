/* Runs every mutant of sites.h against the cases of ops and the exact lines that come by its site, each in a process of
 * its own, and prints a line a mutant for mutate.py:
 *
 *     killed|survived OP INPUT NODE CHANGE ADDRESS...      addresses relative to the program, innermost first
 *
 * and `unreached OP INPUT` for a rule or definition that no test comes by. */
#include "autodiff/rules.h"
#include "check.h"
#include "exact.h"
#include "graph/composites.h"
#include "lesson.h"
#include "sites.h"

#include "support/near.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECONDS_A_MUTANT = 120, WORKERS_MAX = 16 };

struct test {
    struct op_case *of_case; /* one of these */
    struct exact_line *line;
    void (*program)(void **state);
};

static struct test *tests;
static size_t test_count, test_room;

static void add_test(struct test t)
{
    if (test_count == test_room) {
        test_room = 2 * test_room + 256;
        struct test *grown = reallocarray(tests, test_room, sizeof *tests);
        assert_non_null(grown);
        tests = grown;
    }
    tests[test_count++] = t;
}

static void *copy_of(const void *data, size_t size)
{
    void *copy = malloc(size);
    assert_non_null(copy);
    return memcpy(copy, data, size);
}

static void read_tests(void)
{
    char **files, path[256];
    size_t count = list_texts("tests/ops/cases", &files);
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(path, sizeof path, "tests/ops/cases/%s", files[i]);
        FILE *cases = open_cases(path);
        (void)snprintf(path, sizeof path, "tests/reference/ops/%s", files[i]);
        FILE *dump = open_cases(path);
        struct op_case c;
        while (next_case(cases, dump, &c))
            add_test((struct test){.of_case = copy_of(&c, sizeof c)});
        (void)fclose(cases);
        (void)fclose(dump);
    }
    count = list_texts("tests/ops/exact", &files);
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(path, sizeof path, "tests/ops/exact/%s", files[i]);
        FILE *file = open_cases(path);
        struct exact_line line;
        while (exact_next(file, &line))
            add_test((struct test){.line = copy_of(&line, sizeof line)});
        (void)fclose(file);
    }
    add_test((struct test){.program = the_network_is_backpropagation});
    add_test((struct test){.program = dropout_drops_the_same_backwards});
}

static void check_test(const struct test *t)
{
    if (t->of_case)
        check_case(t->of_case, NULL);
    else if (t->line)
        exact_check(t->line);
    else
        t->program(NULL);
}

/* In a process of its own: a test that fails ends it. */
static void try_mutant(size_t site, enum change c)
{
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere < 0 || dup2(nowhere, STDOUT_FILENO) < 0 || dup2(nowhere, STDERR_FILENO) < 0)
        _exit(2);
    (void)alarm(SECONDS_A_MUTANT);
    sites_mutate(site, c);
    for (size_t i = 0; i < test_count; i++)
        if (sites[site].tests[i])
            check_test(&tests[i]);
    _exit(0);
}

extern const char program_start[] __asm__("__executable_start"); /* where the linker has put the program */

static void print_verdict(const struct site *s, enum change c, bool killed)
{
    printf("%s %s %d %s %s", killed ? "killed" : "survived", op_name(s->op), s->input,
           s->whole ? "whole" : op_name(s->built), change_name(c));
    for (size_t i = 0; i < s->frame_count; i++)
        printf(" 0x%tx", (const char *)s->frames[i] - program_start - 1);
    printf("\n");
}

struct worker {
    pid_t pid;
    size_t site;
    enum change change;
};

/* Waits for one that ends, and says how. */
static void await_one(struct worker *workers, size_t *count)
{
    int status;
    pid_t pid = wait(&status);
    for (size_t i = 0; i < *count; i++) {
        if (workers[i].pid != pid)
            continue;
        print_verdict(&sites[workers[i].site], workers[i].change, status != 0);
        workers[i] = workers[--*count];
        return;
    }
}

/* The way in which mutants are tried kills none that changes nothing. */
static void check_control(void)
{
    (void)fflush(stdout);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        try_mutant(0, CHANGE_COUNT);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void run_mutants(void)
{
    struct worker workers[WORKERS_MAX];
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t most = processors < 1 ? 1 : processors > WORKERS_MAX ? WORKERS_MAX : (size_t)processors, running = 0;
    for (size_t i = 0; i < site_count; i++)
        for (unsigned c = 0; c < CHANGE_COUNT; c++) {
            if (!(sites[i].changes >> c & 1u))
                continue;
            if (running == most)
                await_one(workers, &running);
            (void)fflush(stdout);
            pid_t pid = fork();
            assert_true(pid >= 0);
            if (pid == 0)
                try_mutant(i, (enum change)c);
            workers[running++] = (struct worker){pid, i, (enum change)c};
        }
    while (running > 0)
        await_one(workers, &running);
}

/* Every rule and every definition must have been met: else it has no mutants, and nobody would know. */
static void print_unreached(void)
{
    for (int op = 0; op < OP_COUNT; op++) {
        if (op_is_composite((enum op)op)) {
            if (!sites_reached((enum op)op, INPUT_OF_COMPOSITE))
                printf("unreached %s %d\n", op_name((enum op)op), INPUT_OF_COMPOSITE);
            continue;
        }
        int inputs = op_most_inputs((enum op)op) == INPUTS_ANY ? 2 : op_most_inputs((enum op)op);
        for (int input = 0; input < inputs && op != OP_Grad; input++)
            if (rule_flows((enum op)op, (size_t)input) && !sites_reached((enum op)op, input))
                printf("unreached %s %d\n", op_name((enum op)op), input);
    }
}

int main(void)
{
    read_tests();
    for (size_t i = 0; i < test_count; i++) {
        sites_record(i, test_count);
        check_test(&tests[i]);
    }
    print_unreached();
    check_control();
    run_mutants();
    return 0;
}
