/* The lines of exact.txt: conventions at kinks and ties, identities, digits, the lesson and the algebra behind it. */
#include "case.h"

#include "support/near.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* "x(3)=4 4.5 -3 y()=2" */
static size_t read_inputs(const char *text, struct array *inputs)
{
    size_t count = 0;
    while (*text) {
        assert_true(count < CASE_INPUTS_MAX);
        struct array *a = &inputs[count++];
        size_t length = strcspn(text, "(");
        assert_true(length < sizeof a->name);
        memset(a, 0, sizeof *a);
        memcpy(a->name, text, length);
        text += length;
        a->shape = read_shape(&text);
        assert_int_equal(*text++, '=');
        read_values(&text, a);
    }
    return count;
}

static void check_line(const char *line, const char *program, const struct array *inputs, size_t count,
                       const struct array *expected, enum way way)
{
    node_id of;
    struct graph *g = graph_of_program(program, inputs, count, &of);
    struct machine *m = machine_new(g, &of, 1, DTYPE_FLOAT64, way, false);
    for (size_t i = 0; i < count; i++)
        machine_bind(m, &inputs[i]);
    machine_run(m);
    if (machine_count(m, 0) != expected->count)
        fail_msg("%s\n    has %lld elements", line, (long long)machine_count(m, 0));
    for (int64_t i = 0; i < expected->count; i++) {
        double actual = machine_value(m, 0, i), wanted = expected->values[i];
        bool same = isfinite(wanted) ? fabs(actual - wanted) <= 1e-13 * fabs(wanted) : actual == wanted;
        if (!same)
            fail_msg("%s\n    element %lld is %.17g (%s)", line, (long long)i, actual,
                     way == SIMPLIFIED ? "simplified" : "as built");
    }
    machine_free(m);
    graph_free(g);
}

static void every_line_holds(void **state)
{
    (void)state;
    FILE *file = open_cases("tests/ops/exact.txt");
    char line[1024], program[512], text[256], answer[256];
    while (next_line(file, line, sizeof line)) {
        struct array inputs[CASE_INPUTS_MAX], expected;
        field_of(line, 0, program, sizeof program);
        field_of(line, 1, text, sizeof text);
        field_of(line, 2, answer, sizeof answer);
        size_t count = read_inputs(text, inputs);
        const char *c = answer;
        read_values(&c, &expected);
        assert_true(expected.count > 0);
        check_line(line, program, inputs, count, &expected, SIMPLIFIED);
        check_line(line, program, inputs, count, &expected, AS_BUILT);
        for (size_t i = 0; i < count; i++)
            array_free(&inputs[i]);
        array_free(&expected);
    }
    (void)fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_line_holds)};
    return cmocka_run_group_tests_name("exact", tests, NULL, NULL);
}
