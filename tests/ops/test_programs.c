/* Random programs are computed in every way that must agree bit for bit: the plan as it is, the plan without fusion,
 * work in place and reuse of memory, and node by node, a plan each. GRADD_PROGRAMS is how many programs are made (`make
 * test-programs`); GRADD_SEED the first one's seed. */
#include "random_program.h"

#include "graph/composites.h"
#include "support/near.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint64_t number_of(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

/* What is being made or run; a crash prints it, as far as it had come, with the shapes of its inputs. */
static struct random_program p;
static char shapes[PROGRAM_INPUTS][SHAPE_TEXT_MAX];

static void say(const char *text)
{
    if (write(STDERR_FILENO, text, strlen(text)) < 0)
        _exit(2);
}

static void crashed(int signal)
{
    (void)signal;
    say("it crashes:\n");
    for (size_t i = 0; i < PROGRAM_INPUTS; i++) {
        say("    # ");
        say(p.inputs[i].name);
        say(" ");
        say(shapes[i]);
        say("\n");
    }
    for (size_t i = 0; i < PROGRAM_LINES_MAX && p.lines[i][0]; i++) {
        say("    ");
        say(p.lines[i]);
        say("\n");
    }
    _exit(1);
}

static void the_ways_agree(void **state)
{
    (void)state;
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
        assert_true(signal(fatal[i], crashed) != SIG_ERR);
    uint64_t count = number_of("GRADD_PROGRAMS", 40), first = number_of("GRADD_SEED", 1);
    bool seen[OP_COUNT] = {false};
    size_t lines = 0;
    for (uint64_t seed = first; seed < first + count; seed++) {
        random_program_make(seed, 6 + seed % 20, &p);
        for (size_t i = 0; i < PROGRAM_INPUTS; i++)
            (void)shape_text(p.inputs[i].shape, shapes[i]);
        random_program_ops(&p, seen);
        lines += p.line_count;
        for (enum dtype dtype = DTYPE_FLOAT32; dtype <= DTYPE_FLOAT64; dtype++) {
            if (p.line_count == 0 || !random_program_differs(&p, dtype))
                continue;
            random_program_shrink(&p, dtype);
            print_message("seed %llu, %s:\n", (unsigned long long)seed, dtype == DTYPE_FLOAT32 ? "float32" : "float64");
            random_program_print(&p);
            fail_msg("%s", random_program_differs(&p, dtype));
        }
        random_program_free(&p);
    }
    size_t ops = 0;
    for (int op = 0; op < OP_COUNT; op++)
        ops += seen[op];
    print_message("%llu programs of %zu lines, %zu of %d ops\n", (unsigned long long)count, lines, ops, OP_COUNT);
    if (count >= 1000)
        for (int op = 0; op < OP_COUNT; op++)
            if (!seen[op] && op != OP_Grad && !op_is_composite((enum op)op))
                print_message("    never planned: %s\n", op_name((enum op)op));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_ways_agree)};
    return cmocka_run_group_tests_name("programs", tests, NULL, NULL);
}
