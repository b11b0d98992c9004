#include "random_program.h"

#include "autodiff/gradient.h"
#include "graph/notation.h"
#include "graph/simplify.h"
#include "support/near.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t ELEMENTS_MOST = 2000;
static const double VALUE_MOST = 1000;

/* ---------------------------------------------------------------- dice: splitmix64 (Steele, Lea, Flood 2014) */

struct dice {
    uint64_t state;
};

static uint64_t next(struct dice *d)
{
    uint64_t z = d->state += 0x9E3779B97F4A7C15U;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
}

static int below(struct dice *d, int n)
{
    return (int)(next(d) % (uint64_t)n);
}

/* Such as float32 has too. */
static double real(struct dice *d, double low, double high)
{
    return (double)(float)(low + (high - low) * (double)(next(d) >> 11) * 0x1p-53);
}

/* ---------------------------------------------------------------- building and running, where failing is no failure */

/* The program's graph, as it is planned, and the node of each line. */
struct built {
    struct graph *graph;
    node_id of_line[PROGRAM_LINES_MAX];
};

static bool build(const struct random_program *p, struct built *ret)
{
    char text[PROGRAM_LINES_MAX * (PROGRAM_LINE_MAX + 1)] = "";
    size_t length = 0;
    for (size_t i = 0; i < p->line_count; i++)
        length += (size_t)snprintf(text + length, sizeof text - length, "%s\n", p->lines[i]);
    struct named_shape shapes[PROGRAM_INPUTS];
    for (size_t i = 0; i < PROGRAM_INPUTS; i++)
        shapes[i] = (struct named_shape){.name = p->inputs[i].name, .shape = p->inputs[i].shape};
    /* Only inputs that occur may be listed. */
    size_t known = 0;
    for (size_t i = 0; i < PROGRAM_INPUTS; i++) {
        bool occurs = false;
        for (const char *c = text; *c; c++)
            occurs = occurs ||
                     ((c[0] == '(' || c[0] == ' ') && c[1] == p->inputs[i].name[0] && (c[2] == ',' || c[2] == ')'));
        if (occurs)
            shapes[known++] = shapes[i];
    }
    struct error err = {0};
    const struct notation_options options = {.pointer = "/program"};
    struct program *program = NULL;
    struct graph *written = NULL;
    node_id *map = NULL;
    bool ok = notation_parse(text, length, &options, &program, &err) == ERR_ok &&
              graph_build(program, shapes, known, 100000, &written, &err) == ERR_ok;
    ret->graph = NULL;
    if (ok) {
        map = calloc(graph_size(written), sizeof *map);
        assert_non_null(map);
        ok = expand_grads(written, &ret->graph, map, &err) == ERR_ok;
    }
    for (size_t i = 0; i < p->line_count && ok; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(p->lines[i], " "), p->lines[i]);
        ret->of_line[i] = map[graph_find(written, name)];
    }
    free(map);
    graph_free(written);
    program_free(program);
    error_clear(&err);
    return ok;
}

static int64_t elements_of(const struct graph *g, node_id id)
{
    int64_t count = 0;
    assert_true(shape_elements(graph_node(g, id)->shape, &count));
    return count;
}

/* Values of the leaf of that name, as doubles. */
typedef const double *leaf_values(const void *from, const char *name);

/* Plans the outputs and runs the plan; ret: an array of doubles an output. False where a run has an error. */
static bool run_plan(const struct graph *g, const node_id *outputs, size_t count, enum dtype dtype, bool plain,
                     leaf_values *values, const void *from, double **ret)
{
    struct error err = {0};
    const struct plan_spec spec = {
        .graph = g, .dtype = dtype, .outputs = outputs, .output_count = count, .plain = plain};
    struct plan *plan = NULL;
    struct run *run = NULL;
    assert_int_equal(plan_make(&spec, &plan, &err), ERR_ok);
    assert_int_equal(run_new(plan, &run, &err), ERR_ok);
    size_t leaves = plan_input_count(plan);
    void **data = calloc(leaves + 1, sizeof *data);
    assert_non_null(data);
    for (size_t i = 0; i < leaves; i++) {
        int64_t elements = 0;
        const double *v = values(from, plan_input_name(plan, i));
        assert_true(v && shape_elements(plan_input_shape(plan, i), &elements));
        data[i] = calloc((size_t)elements + 1, dtype_size(dtype));
        assert_non_null(data[i]);
        for (int64_t k = 0; k < elements; k++)
            if (dtype == DTYPE_FLOAT32)
                ((float *)data[i])[k] = (float)v[k];
            else
                ((double *)data[i])[k] = v[k];
        run_bind(run, i, data[i]);
    }
    bool ok = run_execute(run, NULL, &err) == ERR_ok;
    for (size_t i = 0; i < count && ok; i++) {
        int64_t elements = elements_of(g, outputs[i]);
        const void *from_run = run_output(run, i);
        ret[i] = calloc((size_t)elements + 1, sizeof **ret);
        assert_non_null(ret[i]);
        for (int64_t k = 0; k < elements; k++)
            ret[i][k] = dtype == DTYPE_FLOAT32 ? (double)((const float *)from_run)[k] : ((const double *)from_run)[k];
    }
    for (size_t i = 0; i < leaves; i++)
        free(data[i]);
    free(data);
    run_free(run);
    plan_free(plan);
    error_clear(&err);
    return ok;
}

static const double *input_of_program(const void *from, const char *name)
{
    const struct random_program *p = from;
    for (size_t i = 0; i < PROGRAM_INPUTS; i++)
        if (strcmp(p->inputs[i].name, name) == 0)
            return p->inputs[i].values;
    return NULL;
}

static void free_all(double **values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(values[i]);
    free(values);
}

/* ---------------------------------------------------------------- making */

/* Appends to the line; what is too long is cut and then does not build. */
static void say(char line[PROGRAM_LINE_MAX], const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(char line[PROGRAM_LINE_MAX], const char *format, ...)
{
    size_t length = strlen(line);
    va_list list;
    va_start(list, format);
    (void)vsnprintf(line + length, PROGRAM_LINE_MAX - length, format, list);
    va_end(list);
}

static void say_operand(const struct random_program *p, struct dice *d, char line[PROGRAM_LINE_MAX])
{
    if (p->line_count > 0 && below(d, 3) > 0) {
        size_t back = below(d, 2) == 0 ? 0 : (size_t)below(d, (int)p->line_count);
        say(line, "%.*s", (int)strcspn(p->lines[p->line_count - 1 - back], " "), p->lines[p->line_count - 1 - back]);
    } else if (below(d, 8) == 0) {
        say(line, "%g", real(d, 0, 2));
    } else {
        say(line, "%s", p->inputs[below(d, PROGRAM_INPUTS)].name);
    }
}

static void say_list(struct dice *d, char line[PROGRAM_LINE_MAX], int count, int low, int high)
{
    say(line, "[");
    for (int i = 0; i < count; i++)
        say(line, "%s%d", i ? "," : "", low + below(d, high - low + 1));
    say(line, "]");
}

static void say_permutation(struct dice *d, char line[PROGRAM_LINE_MAX])
{
    static const char *const orders[] = {"[1,0]",     "[0,2,1]",   "[2,0,1]", "[1,0,2]",
                                         "[0,1,3,2]", "[3,1,0,2]", "[2,1,0]", "[0,1]"};
    say(line, "%s", orders[below(d, (int)(sizeof orders / sizeof *orders))]);
}

/* A value that may fit; most do not, and the line is thrown away. */
static void say_value(struct dice *d, enum attribute_key key, char line[PROGRAM_LINE_MAX])
{
    switch (attribute_kind_of(key)) {
    case KIND_BOOL:
        say(line, "%d", below(d, 2));
        return;
    case KIND_FLOAT:
        say(line, "%g", real(d, 0.1, 1.5));
        return;
    case KIND_INT:
        say(line, "%d", below(d, 5) - (key == ATTRIBUTE_axis ? 2 : 0));
        return;
    case KIND_INTS:
        if (key == ATTRIBUTE_perm)
            say_permutation(d, line);
        else if (key == ATTRIBUTE_axes)
            say_list(d, line, 1 + below(d, 2), -2, 2);
        else if (key == ATTRIBUTE_steps)
            say_list(d, line, 1 + below(d, 2), -2, 2);
        else if (key == ATTRIBUTE_shape)
            say_list(d, line, 1 + below(d, 3), -1, 6);
        else
            say_list(d, line, 1 + below(d, 2), 0, 5);
        return;
    case KIND_STRING:
        say(line, "\"tanh\"");
        return;
    case KIND_TENSOR:
        say(line, "1");
    }
}

static void propose(const struct random_program *p, struct dice *d, size_t name, char line[PROGRAM_LINE_MAX])
{
    line[0] = '\0';
    say(line, "v%zu = ", name);
    if (below(d, 6) == 0 && p->line_count > 2) {
        say(line, "grad(%.*s, ", (int)strcspn(p->lines[p->line_count - 1], " "), p->lines[p->line_count - 1]);
        say_operand(p, d, line);
        say(line, ")");
        return;
    }
    enum op op = (enum op)below(d, OP_COUNT);
    int least = op_least_inputs(op), most = op_most_inputs(op);
    int count = least + below(d, (most > least + 2 ? least + 2 : most) - least + 1);
    say(line, "%s(", op_name(op));
    for (int i = 0; i < count; i++) {
        say(line, "%s", i ? ", " : "");
        say_operand(p, d, line);
    }
    struct attribute_spec spec;
    for (size_t i = 0; op_attribute(op, i, &spec); i++) {
        if (spec.presence != ATTRIBUTE_REQUIRED && below(d, 2) == 0)
            continue;
        say(line, ", %s=", attribute_name(spec.key));
        say_value(d, spec.key, line);
    }
    say(line, ")");
}

/* The last line's value is finite, small, and has elements, but not too many. */
static bool is_sound(const struct random_program *p)
{
    struct built b;
    if (!build(p, &b))
        return false;
    node_id last = b.of_line[p->line_count - 1];
    int64_t elements = 0;
    bool ok = shape_elements(graph_node(b.graph, last)->shape, &elements) && elements > 0 && elements <= ELEMENTS_MOST;
    for (node_id id = 0; id < graph_size(b.graph) && ok; id++) {
        int64_t inner = 0;
        ok = shape_elements(graph_node(b.graph, id)->shape, &inner) && inner <= 100 * ELEMENTS_MOST;
    }
    double *value = NULL;
    ok = ok && graph_size(b.graph) < 3000 &&
         run_plan(b.graph, &last, 1, DTYPE_FLOAT64, false, input_of_program, p, &value);
    for (int64_t i = 0; i < elements && ok; i++)
        ok = fabs(value[i]) <= VALUE_MOST;
    free(value);
    graph_free(b.graph);
    return ok;
}

static void make_input(struct dice *d, const char *name, const int64_t *dims, struct array *ret)
{
    array_name(ret, "", name);
    ret->shape.rank = below(d, 4);
    for (int i = 0; i < ret->shape.rank; i++)
        ret->shape.dim[i] = dims[below(d, 4)];
    assert_true(shape_elements(ret->shape, &ret->count));
    ret->values = calloc((size_t)ret->count + 1, sizeof *ret->values);
    assert_non_null(ret->values);
    for (int64_t i = 0; i < ret->count; i++)
        ret->values[i] = real(d, -1.5, 1.5);
}

void random_program_make(uint64_t seed, size_t lines, struct random_program *ret)
{
    static const char *const names[PROGRAM_INPUTS] = {"a", "b", "c", "d", "e"};
    struct dice d = {seed};
    const int64_t dims[] = {1 + below(&d, 6), 1 + below(&d, 20), 2 + below(&d, 3), 1};
    enum { TRIES = 40 };
    memset(ret, 0, sizeof *ret);
    for (size_t i = 0; i < PROGRAM_INPUTS; i++)
        make_input(&d, names[i], dims, &ret->inputs[i]);
    for (size_t tries = 0; ret->line_count < lines && tries < lines * TRIES; tries++) {
        propose(ret, &d, ret->line_count, ret->lines[ret->line_count]);
        ret->line_count++;
        if (!is_sound(ret))
            ret->line_count--;
    }
    for (size_t i = 0; i < 3 && ret->line_count > 0; i++)
        ret->outputs |= 1u << below(&d, (int)ret->line_count) % 32;
}

void random_program_free(struct random_program *p)
{
    for (size_t i = 0; i < PROGRAM_INPUTS; i++)
        array_free(&p->inputs[i]);
}

/* ---------------------------------------------------------------- node by node */

struct lone {
    const struct graph *graph;
    double *const *values; /* of the whole graph's nodes */
    const node_id *inputs; /* of the node; its leaves are named by their places */
};

static const double *input_of_lone(const void *from, const char *name)
{
    const struct lone *l = from;
    return l->values[l->inputs[strtoul(name + 1, NULL, 10)]];
}

/* What a plan knows before it runs: constants, and views of them. */
static bool is_constant(const struct graph *g, node_id id)
{
    const struct node *n = graph_node(g, id);
    while (n->op == OP_Expand || n->op == OP_Reshape || n->op == OP_Transpose || n->op == OP_Slice ||
           n->op == OP_Identity || n->op == OP_StopGradient || n->op == OP_Dropout)
        n = graph_node(g, n->inputs[0]);
    return n->op == OP_Constant || n->op == OP_Size;
}

static node_id add_constant(struct graph *g, struct shape shape, const double *values)
{
    const struct tensor tensor = {.dtype = DTYPE_FLOAT64, .shape = shape, .data = (void *)values};
    const struct attribute a = {.key = ATTRIBUTE_value, .kind = KIND_TENSOR, .tensor = &tensor};
    node_id id;
    assert_int_equal(graph_add(g, &(struct node){.op = OP_Constant, .attributes = &a, .attribute_count = 1}, &id, NULL),
                     ERR_ok);
    return id;
}

/* The same constant, or view of one, in another graph. */
static node_id copy_constant(const struct graph *g, node_id id, double *const *values, struct graph *to)
{
    node_id chain[64];
    size_t depth = 0;
    for (; graph_node(g, id)->input_count == 1 && graph_node(g, id)->op != OP_Size; id = graph_node(g, id)->inputs[0]) {
        assert_true(depth < sizeof chain / sizeof *chain);
        chain[depth++] = id;
    }
    node_id copy = add_constant(to, graph_node(g, id)->shape, values[id]);
    while (depth > 0) {
        struct node view = *graph_node(g, chain[--depth]);
        view.inputs = &copy;
        view.name = NULL;
        assert_int_equal(graph_add(to, &view, &copy, NULL), ERR_ok);
    }
    return copy;
}

/* A plan of its own for one node, whose inputs are leaves; constants stay constants, which rules of kernels may look
 * at. */
static bool run_lone(const struct graph *g, node_id id, enum dtype dtype, double **values)
{
    const struct node *n = graph_node(g, id);
    struct graph *lone = graph_new(64 * (size_t)n->input_count + 2);
    node_id *inputs = calloc(n->input_count + 1, sizeof *inputs), out;
    assert_non_null(lone);
    assert_non_null(inputs);
    for (uint32_t i = 0; i < n->input_count; i++) {
        const struct node *input = graph_node(g, n->inputs[i]);
        char name[16];
        (void)snprintf(name, sizeof name, "x%u", i);
        struct node leaf = {.op = OP_Input, .name = name, .shape = input->shape};
        uint32_t same = 0;
        while (n->inputs[same] != n->inputs[i])
            same++;
        if (same < i)
            inputs[i] = inputs[same];
        else if (is_constant(g, n->inputs[i]))
            inputs[i] = copy_constant(g, n->inputs[i], values, lone);
        else
            assert_int_equal(graph_add(lone, &leaf, &inputs[i], NULL), ERR_ok);
    }
    struct node copy = *n;
    copy.inputs = inputs;
    copy.name = NULL;
    assert_int_equal(graph_add(lone, &copy, &out, NULL), ERR_ok);
    const struct lone from = {g, values, n->inputs};
    bool ok = run_plan(lone, &out, 1, dtype, true, input_of_lone, &from, &values[id]);
    graph_free(lone);
    free(inputs);
    return ok;
}

static bool run_lones(const struct random_program *p, const struct graph *g, const node_id *outputs, size_t count,
                      enum dtype dtype, double **values)
{
    size_t size = graph_size(g);
    unsigned char *needed = calloc(size + 1, 1);
    assert_non_null(needed);
    graph_mark_needed(g, outputs, count, needed);
    bool ok = true;
    for (node_id id = 0; id < size && ok; id++) {
        const struct node *n = graph_node(g, id);
        if (!needed[id])
            continue;
        if (n->op != OP_Input) {
            ok = run_lone(g, id, dtype, values);
            continue;
        }
        size_t bytes = ((size_t)elements_of(g, id) + 1) * sizeof **values;
        values[id] = malloc(bytes);
        assert_non_null(values[id]);
        memcpy(values[id], input_of_program(p, n->name), bytes);
    }
    free(needed);
    return ok;
}

/* ---------------------------------------------------------------- the ways */

static bool same_bits(double x, double y)
{
    return (x == y && signbit(x) == signbit(y)) || (isnan(x) && isnan(y));
}

/* What was computed in one way, and how it is called. */
struct way_of {
    const char *name;
    double **values;
    bool ran;
};

static char words[512];

/* Whether the ways agree about every output; says how not. */
static bool agree(const struct graph *g, const node_id *outputs, size_t count, const struct way_of *one,
                  const struct way_of *other)
{
    words[0] = '\0';
    if (one->ran != other->ran)
        (void)snprintf(words, sizeof words, "%s %s, %s %s", one->name, one->ran ? "runs" : "has an error", other->name,
                       other->ran ? "runs" : "has an error");
    for (size_t i = 0; i < count && one->ran && other->ran; i++)
        for (int64_t k = 0; k < elements_of(g, outputs[i]); k++) {
            double x = one->values[i][k], y = other->values[i][k];
            if (same_bits(x, y))
                continue;
            (void)snprintf(words, sizeof words, "output %zu, element %lld: %.17g %s, %.17g %s", i, (long long)k, x,
                           one->name, y, other->name);
            return false;
        }
    return !words[0];
}

static bool ways_agree(const struct random_program *p, const struct graph *g, const node_id *outputs, size_t count,
                       enum dtype dtype)
{
    size_t size = graph_size(g);
    double **nodes = calloc(size + 1, sizeof *nodes);
    struct way_of planned = {"as planned", calloc(count + 1, sizeof *nodes), false};
    struct way_of plain = {"planned plainly", calloc(count + 1, sizeof *nodes), false};
    struct way_of alone = {"node by node", calloc(count + 1, sizeof *nodes), false};
    assert_true(nodes && planned.values && plain.values && alone.values);
    planned.ran = run_plan(g, outputs, count, dtype, false, input_of_program, p, planned.values);
    plain.ran = run_plan(g, outputs, count, dtype, true, input_of_program, p, plain.values);
    alone.ran = run_lones(p, g, outputs, count, dtype, nodes);
    for (size_t i = 0; i < count; i++)
        alone.values[i] = nodes[outputs[i]];
    bool same = agree(g, outputs, count, &planned, &plain) && agree(g, outputs, count, &plain, &alone);
    free_all(planned.values, count);
    free_all(plain.values, count);
    free(alone.values);
    free_all(nodes, size);
    return same;
}

/* As it is built, and as it is simplified. */
const char *random_program_differs(const struct random_program *p, enum dtype dtype)
{
    struct built b;
    if (!build(p, &b))
        return NULL;
    node_id outputs[PROGRAM_LINES_MAX], simpler[PROGRAM_LINES_MAX];
    size_t count = 0;
    for (size_t i = 0; i < p->line_count; i++)
        if (i + 1 == p->line_count || (i < 32 && p->outputs >> i & 1u))
            outputs[count++] = b.of_line[i];
    struct graph *simple = NULL;
    assert_int_equal(graph_simplify(b.graph, outputs, count, &simple, simpler, NULL), ERR_ok);
    bool same = ways_agree(p, b.graph, outputs, count, dtype) && ways_agree(p, simple, simpler, count, dtype);
    graph_free(simple);
    graph_free(b.graph);
    return same ? NULL : words;
}

static struct random_program without_line(const struct random_program *p, size_t line)
{
    struct random_program q = *p;
    memmove(q.lines[line], q.lines[line + 1], (q.line_count - line - 1) * sizeof *q.lines);
    q.line_count--;
    unsigned low = line < 32 ? (1u << line) - 1 : UINT32_MAX;
    q.outputs = (p->outputs & low) | (p->outputs >> 1 & ~low);
    return q;
}

void random_program_shrink(struct random_program *p, enum dtype dtype)
{
    for (bool again = true; again;) {
        again = false;
        for (size_t line = p->line_count; line-- > 0 && p->line_count > 1;) {
            struct random_program q = without_line(p, line);
            if (!random_program_differs(&q, dtype))
                continue;
            *p = q;
            again = true;
        }
        for (unsigned i = 0; i < 32; i++) {
            struct random_program q = *p;
            q.outputs &= ~(1u << i);
            if (q.outputs == p->outputs || !random_program_differs(&q, dtype))
                continue;
            *p = q;
            again = true;
        }
    }
}

void random_program_print(const struct random_program *p)
{
    for (size_t i = 0; i < PROGRAM_INPUTS; i++) {
        char text[SHAPE_TEXT_MAX];
        print_message("    # %s %s\n", p->inputs[i].name, shape_text(p->inputs[i].shape, text));
    }
    for (size_t i = 0; i < p->line_count; i++)
        print_message("    %s%s\n", p->lines[i],
                      i + 1 == p->line_count || (i < 32 && p->outputs >> i & 1u) ? "    # asked for" : "");
}

void random_program_ops(const struct random_program *p, bool seen[OP_COUNT])
{
    struct built b;
    if (!build(p, &b))
        return;
    for (node_id id = 0; id < graph_size(b.graph); id++)
        seen[graph_node(b.graph, id)->op] = true;
    graph_free(b.graph);
}
