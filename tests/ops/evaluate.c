#include "evaluate.h"

#include "autodiff/gradient.h"
#include "base/number.h"
#include "graph/notation.h"
#include "graph/simplify.h"
#include "support/near.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- reading */

struct shape read_shape(const char **text)
{
    struct shape shape = {0};
    const char *c = *text;
    if (*c++ != '(')
        fail_msg("a shape is missing: %s", *text);
    while (*c != ')') {
        char *end;
        shape.dim[shape.rank++] = strtoll(c, &end, 10);
        if (end == c)
            fail_msg("not a shape: %s", *text);
        c = *end == ',' ? end + 1 : end;
    }
    *text = c + 1;
    return shape;
}

/* One number, which may be inf or nan; 0 bytes where there is none. */
static size_t read_number(const char *text, double *ret)
{
    const char *word = *text == '-' ? text + 1 : text;
    double sign = *text == '-' ? -1 : 1;
    if (strncmp(word, "inf", 3) == 0 || strncmp(word, "nan", 3) == 0) {
        *ret = *word == 'i' ? sign * (double)INFINITY : (double)NAN;
        return (size_t)(word - text) + 3;
    }
    return number_scan(text, strlen(text), ret);
}

void read_values(const char **text, struct array *ret)
{
    size_t capacity = strlen(*text) / 2 + 1;
    ret->values = calloc(capacity, sizeof *ret->values);
    assert_non_null(ret->values);
    for (ret->count = 0;;) {
        while (**text == ' ')
            ++*text;
        double value;
        size_t length = read_number(*text, &value);
        if (length == 0)
            return;
        *text += length;
        ret->values[ret->count++] = value;
    }
}

void array_name(struct array *a, const char *prefix, const char *name)
{
    int length = snprintf(a->name, sizeof a->name, "%s%s", prefix, name);
    assert_in_range(length, 1, sizeof a->name - 1);
}

void array_free(struct array *a)
{
    free(a->values);
    a->values = NULL;
}

/* ---------------------------------------------------------------- building */

static void check(err_code code, const struct error *err, const char *what)
{
    if (code == ERR_ok)
        return;
    const char *detail = err->item_count ? err->items[0].detail : err->detail;
    fail_msg("%s: %s: %s", what, err_name(code), detail ? detail : "");
}

static err_code try_program(const char *program, const struct array *inputs, size_t count, struct graph **ret,
                            node_id *ret_of, struct error *err)
{
    struct program *p = NULL;
    struct notation_options options = {.pointer = "/program"};
    struct named_shape *shapes = calloc(count + 1, sizeof *shapes);
    assert_non_null(shapes);
    for (size_t i = 0; i < count; i++)
        shapes[i] = (struct named_shape){.name = inputs[i].name, .shape = inputs[i].shape};
    check(notation_parse(program, strlen(program), &options, &p, err), err, program);
    err_code code = graph_build(p, shapes, count, 100000, ret, err);
    *ret_of = program_last(p);
    free(shapes);
    program_free(p);
    return code;
}

bool program_fits(const char *program, const struct array *inputs, size_t count, struct shape *ret_value)
{
    struct error err = {0};
    struct graph *written = NULL;
    node_id last;
    err_code code = try_program(program, inputs, count, &written, &last, &err);
    if (code == ERR_ok)
        *ret_value = graph_node(written, last)->shape;
    graph_free(written);
    error_clear(&err);
    return code == ERR_ok;
}

struct graph *graph_as_written(const char *program, const struct array *inputs, size_t count, node_id *ret_of)
{
    struct error err = {0};
    struct graph *written = NULL;
    check(try_program(program, inputs, count, &written, ret_of, &err), &err, program);
    return written;
}

struct graph *graph_of_program(const char *program, const struct array *inputs, size_t count, node_id *ret_of)
{
    struct error err = {0};
    struct graph *written = graph_as_written(program, inputs, count, ret_of), *expanded = NULL;
    node_id *map = calloc(graph_size(written), sizeof *map);
    assert_non_null(map);
    check(expand_grads(written, &expanded, map, &err), &err, program);
    *ret_of = map[*ret_of];
    free(map);
    graph_free(written);
    return expanded;
}

/* ---------------------------------------------------------------- running */

struct machine {
    struct plan *plan;
    struct run *run;
    void **data; /* of each input of the plan */
};

struct machine *machine_new(const struct graph *g, const node_id *outputs, size_t count, enum dtype dtype, enum way way,
                            bool training)
{
    struct error err = {0};
    struct machine *m = calloc(1, sizeof *m);
    struct graph *simple = NULL;
    node_id *ids = calloc(count, sizeof *ids);
    assert_non_null(m);
    assert_non_null(ids);
    memcpy(ids, outputs, count * sizeof *ids);
    if (way == SIMPLIFIED)
        check(graph_simplify(g, outputs, count, &simple, ids, &err), &err, "simplify");
    const struct plan_spec spec = {
        .graph = simple ? simple : g, .dtype = dtype, .outputs = ids, .output_count = count, .training = training};
    check(plan_make(&spec, &m->plan, &err), &err, "plan");
    check(run_new(m->plan, &m->run, &err), &err, "run");
    m->data = calloc(plan_input_count(m->plan) + 1, sizeof *m->data);
    assert_non_null(m->data);
    graph_free(simple);
    free(ids);
    return m;
}

void machine_free(struct machine *m)
{
    for (size_t i = 0; i < plan_input_count(m->plan); i++)
        free(m->data[i]);
    free(m->data);
    run_free(m->run);
    plan_free(m->plan);
    free(m);
}

void machine_bind(struct machine *m, const struct array *input)
{
    size_t index;
    if (!plan_find_input(m->plan, input->name, &index))
        return;
    if (!m->data[index])
        m->data[index] = calloc((size_t)input->count + 1, sizeof(double));
    assert_non_null(m->data[index]);
    for (int64_t i = 0; i < input->count; i++) {
        if (plan_dtype(m->plan) == DTYPE_FLOAT32)
            ((float *)m->data[index])[i] = (float)input->values[i];
        else
            ((double *)m->data[index])[i] = input->values[i];
    }
    run_bind(m->run, index, m->data[index]);
}

void machine_run(struct machine *m)
{
    struct error err = {0};
    check(run_execute(m->run, NULL, &err), &err, "execute");
}

struct run *machine_run_of(struct machine *m)
{
    return m->run;
}

enum dtype machine_dtype(const struct machine *m)
{
    return plan_dtype(m->plan);
}

int64_t machine_count(const struct machine *m, size_t output)
{
    int64_t count;
    assert_true(shape_elements(plan_output_shape(m->plan, output), &count));
    return count;
}

double machine_value(const struct machine *m, size_t output, int64_t element)
{
    const void *data = run_output(m->run, output);
    return plan_dtype(m->plan) == DTYPE_FLOAT32 ? (double)((const float *)data)[element]
                                                : ((const double *)data)[element];
}
