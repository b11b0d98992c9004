#include "fixture.h"

#include "base/number.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char fixture_lesson[] = "X, y = Input(), Input()\n"
                              "W1, b1 = Input(), Input()\n"
                              "W2, b2 = Input(), Input()\n"
                              "\n"
                              "l1 = Linear(X, W1, b1)\n"
                              "s1 = Sigmoid(l1)\n"
                              "l2 = Linear(s1, W2, b2)\n"
                              "cost = MSE(l2, y)\n";
const char fixture_lesson_shapes[] = "X=(batch,10) y=(batch,1) W1=(10,8) b1=(8) W2=(8,1) b2=(1)";

struct program *fixture_program(const char *text)
{
    struct program *p = NULL;
    struct error err = {0};
    if (notation_parse(text, strlen(text), NULL, &p, &err) != ERR_ok) {
        char *errors = fixture_errors(&err);
        fail_msg("%s\n%s", text, errors);
    }
    error_clear(&err);
    return p;
}

/* "(batch,10)" from *at on; *at moves behind it. */
static struct shape read_shape(const char **at)
{
    struct shape s = {0};
    const char *c = *at + 1;
    while (*c != ')') {
        char *end = NULL;
        if (strncmp(c, "batch", 5) == 0) {
            s.dim[s.rank++] = DIM_BATCH;
            c += 5;
        } else {
            s.dim[s.rank++] = strtoll(c, &end, 10);
            c = end;
        }
        c += *c == ',';
    }
    *at = c + 1;
    return s;
}

enum { KNOWN_MAX = 32, NAME_MAX_LENGTH = 16 };

static size_t read_known(const char *shapes, char names[KNOWN_MAX][NAME_MAX_LENGTH], struct named_shape *known)
{
    size_t count = 0;
    for (const char *at = shapes; *at != '\0'; count++) {
        size_t length = strcspn(at, "= ");
        assert_true(count < KNOWN_MAX && length < NAME_MAX_LENGTH);
        memcpy(names[count], at, length);
        names[count][length] = '\0';
        at += length;
        known[count] = (struct named_shape){.name = names[count], .shape.rank = -1, .place.pointer = "/inputs"};
        if (*at == '=') {
            at++;
            known[count].shape = read_shape(&at);
        }
        at += strspn(at, " ");
    }
    return count;
}

struct graph *fixture_build(const char *text, const char *shapes, struct error *err)
{
    char names[KNOWN_MAX][NAME_MAX_LENGTH];
    struct named_shape known[KNOWN_MAX];
    size_t count = read_known(shapes, names, known);
    struct notation_options options = {.pointer = "/program", .tolerant = true};
    struct program *p = NULL;
    struct graph *g = NULL;
    err_code code = notation_parse(text, strlen(text), &options, &p, err);
    if (p) {
        err_code built = graph_build(p, known, count, 1000000, &g, err);
        assert_true(code == ERR_ok || built != ERR_ok);
    }
    program_free(p);
    return g;
}

struct graph *fixture_graph(const char *text, const char *shapes)
{
    struct error err = {0};
    struct graph *g = fixture_build(text, shapes, &err);
    if (!g) {
        char *errors = fixture_errors(&err);
        fail_msg("%s\n%s", text, errors);
    }
    assert_int_equal(err.total, 0);
    error_clear(&err);
    return g;
}

char *fixture_errors(const struct error *err)
{
    struct text t = {0};
    for (size_t i = 0; i < err->item_count; i++) {
        const struct error_item *item = &err->items[i];
        char expected[SHAPE_TEXT_MAX], actual[SHAPE_TEXT_MAX];
        text_printf(&t, "%s %d:%d %s", err_name(item->code), item->line, item->column, item->detail);
        if (item->has_shapes)
            text_printf(&t, " [%s, %s]", shape_text(item->expected, expected), shape_text(item->actual, actual));
        text_putc(&t, '\n');
    }
    return text_take(&t);
}

const char *fixture_shape(const struct graph *g, const char *name, char buffer[SHAPE_TEXT_MAX])
{
    node_id id = graph_find(g, name);
    assert_int_not_equal(id, NODE_NONE);
    return shape_text(graph_node(g, id)->shape, buffer);
}

static void put_number(struct text *t, double value)
{
    char buffer[NUMBER_TEXT_MAX];
    text_add(t, buffer, number_print(value, buffer));
}

static void put_attribute(struct text *t, const struct attribute *a)
{
    text_printf(t, " %s=", attribute_name(a->key));
    if (a->kind == KIND_FLOAT)
        put_number(t, a->number);
    else if (a->kind == KIND_INT || a->kind == KIND_BOOL)
        text_printf(t, "%lld", (long long)a->integer);
    else if (a->kind == KIND_STRING)
        text_puts(t, a->string);
    else if (a->kind == KIND_INTS)
        for (size_t i = 0; i < a->ints.count; i++)
            text_printf(t, "%s%lld", i ? "," : "", (long long)a->ints.items[i]);
    else {
        char shape[SHAPE_TEXT_MAX];
        text_puts(t, a->tensor->shape.rank ? shape_text(a->tensor->shape, shape) : "");
        for (int64_t i = 0; i < tensor_elements(a->tensor); i++) {
            text_puts(t, i ? "," : "");
            put_number(t, tensor_get(a->tensor, i));
        }
    }
}

/* NOLINTNEXTLINE(misc-no-recursion): graphs of tests are shallow */
static void put_node(struct text *t, const struct graph *g, node_id id, bool whole)
{
    const struct node *n = graph_node(g, id);
    if (n->name && (!whole || n->op == OP_Input)) {
        text_puts(t, n->name);
        return;
    }
    text_printf(t, "(%s", op_name(n->op));
    for (uint32_t i = 0; i < n->input_count; i++) {
        text_putc(t, ' ');
        put_node(t, g, n->inputs[i], false);
    }
    for (size_t i = 0; i < n->attribute_count; i++)
        put_attribute(t, &n->attributes[i]);
    text_putc(t, ')');
}

char *fixture_prefix(const struct graph *g, node_id id)
{
    struct text t = {0};
    put_node(&t, g, id, true);
    return text_take(&t);
}

uint64_t fixture_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}
