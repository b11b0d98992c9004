#include "exact.h"

#include "support/near.h"

#include <math.h>
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

bool exact_next(FILE *file, struct exact_line *ret)
{
    char text[512];
    if (!next_line(file, ret->text, sizeof ret->text))
        return false;
    field_of(ret->text, 0, ret->program, sizeof ret->program);
    field_of(ret->text, 1, text, sizeof text);
    ret->input_count = read_inputs(text, ret->inputs);
    field_of(ret->text, 2, text, sizeof text);
    const char *c = text;
    read_values(&c, &ret->expected);
    assert_true(ret->expected.count > 0);
    return true;
}

void exact_free(struct exact_line *line)
{
    for (size_t i = 0; i < line->input_count; i++)
        array_free(&line->inputs[i]);
    array_free(&line->expected);
}

/* Values must agree to a relative 1e-13, zeros and infinities exactly. */
static bool holds(double actual, double wanted)
{
    if (isnan(wanted))
        return isnan(actual);
    return isfinite(wanted) ? fabs(actual - wanted) <= 1e-13 * fabs(wanted) : actual == wanted;
}

static void check_way(const struct exact_line *line, enum way way)
{
    node_id of;
    struct graph *g = graph_of_program(line->program, line->inputs, line->input_count, &of);
    struct machine *m = machine_new(g, &of, 1, DTYPE_FLOAT64, way, false);
    for (size_t i = 0; i < line->input_count; i++)
        machine_bind(m, &line->inputs[i]);
    machine_run(m);
    if (machine_count(m, 0) != line->expected.count)
        fail_msg("%s\n    has %lld elements", line->text, (long long)machine_count(m, 0));
    for (int64_t i = 0; i < line->expected.count; i++)
        if (!holds(machine_value(m, 0, i), line->expected.values[i]))
            fail_msg("%s\n    element %lld is %.17g (%s)", line->text, (long long)i, machine_value(m, 0, i),
                     way == SIMPLIFIED ? "simplified" : "as built");
    machine_free(m);
    graph_free(g);
}

void exact_check(const struct exact_line *line)
{
    check_way(line, SIMPLIFIED);
    check_way(line, AS_BUILT);
}
