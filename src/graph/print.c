/* The notation, written. First it is decided which nodes get a line of their own: those with a name, those that are
 * used more than once, and those without which brackets would nest too deep. Then each line is written from a stack of
 * what is still to come, without recursion, so that a formula may be as deep as the graph. */
#include "base/number.h"
#include "graph/graph.h"
#include "graph/notation.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* How tightly an expression binds, as the grammar's rules: expr, term, unary, power, atom. */
enum level { LEVEL_EXPR, LEVEL_TERM, LEVEL_UNARY, LEVEL_POWER, LEVEL_ATOM };

/* What is still to be written: a piece of text, or a node (in brackets if it binds less than `level`). */
struct pending {
    const char *text; /* NULL: the node */
    node_id node;
    enum level level;
};

struct printer {
    const struct graph *graph;
    unsigned char *needed;
    unsigned char *is_line;
    uint32_t *uses;    /* by needed nodes; and 1 where an output */
    uint32_t *numbers; /* of nodes that are named here: _1, _2, ...; 0: none */
    uint32_t *heights; /* brackets nested in the node's formula, lines within it not counted */
    uint32_t last_number;
    bool is_formula; /* one formula for reading: nothing but names is a line */
    struct pending *stack;
    size_t stack_count, stack_capacity;
    struct text *out;
};

enum { HEIGHT_MAX = 200, FORMULA_LENGTH_MAX = 1 << 20 };

/* ---- infix operators */

static const struct infix {
    enum op op;
    const char *sign;
    enum level level, left, right;
} infixes[] = {
    {OP_Add, " + ", LEVEL_EXPR, LEVEL_EXPR, LEVEL_TERM},     {OP_Sub, " - ", LEVEL_EXPR, LEVEL_EXPR, LEVEL_TERM},
    {OP_Mul, " * ", LEVEL_TERM, LEVEL_TERM, LEVEL_UNARY},    {OP_Div, " / ", LEVEL_TERM, LEVEL_TERM, LEVEL_UNARY},
    {OP_MatMul, " @ ", LEVEL_TERM, LEVEL_TERM, LEVEL_UNARY}, {OP_Pow, " ^ ", LEVEL_POWER, LEVEL_ATOM, LEVEL_UNARY},
};

static const struct infix *infix_of(enum op op)
{
    for (size_t i = 0; i < sizeof infixes / sizeof *infixes; i++)
        if (infixes[i].op == op)
            return &infixes[i];
    return NULL;
}

/* A Constant that can be written as a number: not a negative one, which would read as a Neg, except in a formula for
 * reading. */
static bool is_number(const struct printer *p, const struct node *n, double *ret)
{
    if (n->op != OP_Constant || n->shape.rank != 0)
        return false;
    *ret = tensor_get(node_tensor(n, ATTRIBUTE_value), 0);
    return p->is_formula || !signbit(*ret);
}

static enum level level_of(const struct printer *p, const struct node *n)
{
    const struct infix *infix = infix_of(n->op);
    double number;
    if (infix)
        return infix->level;
    if (n->op == OP_Neg || (is_number(p, n, &number) && signbit(number)))
        return LEVEL_UNARY;
    return LEVEL_ATOM;
}

/* ---- which nodes are lines */

static uint32_t height_within(const struct printer *p, node_id id, enum level level)
{
    const struct node *n = graph_node(p->graph, id);
    return p->is_line[id] ? 0 : p->heights[id] + (level_of(p, n) < level);
}

static uint32_t height_of(const struct printer *p, const struct node *n)
{
    const struct infix *infix = infix_of(n->op);
    uint32_t most = 0;
    for (uint32_t k = 0; k < n->input_count; k++) {
        enum level level = infix ? (k == 0 ? infix->left : infix->right) : n->op == OP_Neg ? LEVEL_POWER : LEVEL_EXPR;
        uint32_t height = height_within(p, n->inputs[k], level) + (n->op == OP_Pow && k == 1);
        most = height > most ? height : most;
    }
    return most + (!infix && n->op != OP_Neg && n->input_count > 0);
}

static void choose_lines(struct printer *p)
{
    for (size_t i = 0; i < graph_size(p->graph); i++) {
        const struct node *n = graph_node(p->graph, (node_id)i);
        double number;
        if (!p->needed[i])
            continue;
        p->heights[i] = height_of(p, n);
        bool repeated = p->uses[i] != 1 && !(p->uses[i] > 1 && is_number(p, n, &number));
        bool is_variable = p->is_line[i];
        p->is_line[i] = n->name || repeated || is_variable || p->heights[i] > HEIGHT_MAX;
    }
}

static void count_uses(struct printer *p)
{
    for (size_t i = 0; i < graph_size(p->graph); i++) {
        const struct node *n = graph_node(p->graph, (node_id)i);
        for (uint32_t k = 0; p->needed[i] && k < n->input_count; k++)
            p->uses[n->inputs[k]]++;
        if (p->needed[i] && n->op == OP_Grad)
            p->is_line[n->inputs[1]] = 1;
    }
}

/* ---- writing */

static bool push(struct printer *p, struct pending item)
{
    if (p->stack_count == p->stack_capacity) {
        size_t capacity = p->stack_capacity ? 2 * p->stack_capacity : 64;
        struct pending *stack = reallocarray(p->stack, capacity, sizeof *stack);
        if (!stack) {
            p->out->failed = true;
            return false;
        }
        p->stack = stack;
        p->stack_capacity = capacity;
    }
    p->stack[p->stack_count++] = item;
    return true;
}

static bool push_text(struct printer *p, const char *text)
{
    return push(p, (struct pending){.text = text});
}

static bool push_node(struct printer *p, node_id id, enum level level)
{
    return push(p, (struct pending){.node = id, .level = level});
}

static void write_name(struct printer *p, node_id id)
{
    const char *name = graph_node(p->graph, id)->name;
    if (name) {
        text_puts(p->out, name);
        return;
    }
    while (p->numbers[id] == 0) {
        char candidate[16] = "_";
        uint32_t number = ++p->last_number;
        size_t at = sizeof candidate - 1;
        while (number > 0) {
            candidate[--at] = (char)('0' + number % 10);
            number /= 10;
        }
        memmove(candidate + 1, candidate + at, sizeof candidate - at);
        if (graph_find(p->graph, candidate) == NODE_NONE)
            p->numbers[id] = p->last_number;
    }
    text_printf(p->out, "_%u", (unsigned)p->numbers[id]);
}

static void write_number(struct printer *p, double value)
{
    char buffer[NUMBER_TEXT_MAX];
    text_add(p->out, buffer, number_print(value, buffer));
}

static void write_ints(struct printer *p, const int64_t *items, size_t count)
{
    text_putc(p->out, '[');
    for (size_t i = 0; i < count; i++)
        text_printf(p->out, "%s%lld", i ? ", " : "", (long long)items[i]);
    text_putc(p->out, ']');
}

/* Nested lists. A bracket opens before element i where i is the first of an axis, and closes behind its last. */
static void write_tensor(struct printer *p, const struct tensor *t)
{
    int64_t elements = tensor_elements(t), rows = 1;
    int rank = t->shape.rank;
    if (elements == 0) {
        /* (2,0): as many empty lists; only the last axis may be empty here. */
        for (int axis = 0; axis + 1 < rank; axis++)
            rows *= t->shape.dim[axis];
        rank--;
    }
    for (int64_t i = 0; i < (elements ? elements : rows); i++) {
        int64_t span = 1;
        int opens = 0, closes = 0;
        for (int axis = rank - 1; axis >= 0; axis--) {
            span *= t->shape.dim[axis];
            opens += i % span == 0;
            closes += (i + 1) % span == 0;
        }
        text_puts(p->out, i ? ", " : "");
        for (; opens > 0; opens--)
            text_putc(p->out, '[');
        if (elements > 0)
            write_number(p, tensor_get(t, i));
        else
            text_puts(p->out, "[]");
        for (; closes > 0; closes--)
            text_putc(p->out, ']');
    }
}

static bool ints_count_up(const struct attribute *a, int64_t first, int64_t step)
{
    for (size_t i = 0; i < a->ints.count; i++)
        if (a->ints.items[i] != first + (int64_t)i * step)
            return false;
    return true;
}

/* Whether an attribute is what reading the op without it gives. */
static bool goes_without_saying(const struct printer *p, const struct node *n, const struct attribute *a)
{
    struct attribute fallback;
    bool required;
    fallback.kind = KIND_TENSOR;
    op_has_attribute(n->op, a->key, &required, &fallback);
    if (required || a->key == ATTRIBUTE_ordinal)
        return false;
    int rank = n->input_count > 0 ? graph_node(p->graph, n->inputs[0])->shape.rank : 0;
    if (fallback.kind == KIND_FLOAT)
        return fallback.number == a->number;
    if (fallback.kind == KIND_STRING)
        return strcmp(fallback.string, a->string) == 0;
    if (fallback.kind == KIND_INTS)
        return ints_count_up(a, *fallback.ints.items, 0);
    if (a->key == ATTRIBUTE_axis && fallback.kind == KIND_INT && fallback.integer < 0)
        fallback.integer += rank;
    if (a->kind == KIND_INT || a->kind == KIND_BOOL)
        return fallback.kind == a->kind && fallback.integer == a->integer;
    switch (a->key) {
    case ATTRIBUTE_perm:
        return ints_count_up(a, rank - 1, -1);
    case ATTRIBUTE_axes:
        return ints_count_up(a, 0, 1) && (n->op == OP_Slice || a->ints.count == (size_t)rank);
    case ATTRIBUTE_steps:
        return ints_count_up(a, 1, 0);
    default:
        return false;
    }
}

static void write_attribute(struct printer *p, const struct attribute *a)
{
    text_printf(p->out, "%s=", attribute_name(a->key));
    switch (a->kind) {
    case KIND_INT:
        text_printf(p->out, "%lld", (long long)a->integer);
        break;
    case KIND_BOOL:
        text_puts(p->out, a->integer ? "true" : "false");
        break;
    case KIND_FLOAT:
        write_number(p, a->number);
        break;
    case KIND_INTS:
        write_ints(p, a->ints.items, a->ints.count);
        break;
    case KIND_STRING:
        text_printf(p->out, "\"%s\"", a->string);
        break;
    case KIND_TENSOR:
        write_tensor(p, a->tensor);
        break;
    }
}

/* Behind the operands of a call: its attributes and ')'. */
static void write_call_end(struct printer *p, const struct node *n)
{
    bool first = n->input_count == 0;
    for (size_t i = 0; i < n->attribute_count; i++) {
        if (goes_without_saying(p, n, &n->attributes[i]))
            continue;
        text_puts(p->out, first ? "" : ", ");
        write_attribute(p, &n->attributes[i]);
        first = false;
    }
    text_putc(p->out, ')');
}

/* A tensor without elements that lists of lists can't write: a 0 stands before the last axis. */
static bool is_unwritable(const struct node *n)
{
    for (int i = 0; n->op == OP_Constant && i + 1 < n->shape.rank; i++)
        if (n->shape.dim[i] == 0)
            return true;
    return false;
}

/* A call's end is pushed as a node of this level. */
#define LEVEL_CALL_END ((enum level)(LEVEL_ATOM + 1))

static bool write_call(struct printer *p, node_id id, const struct node *n)
{
    text_puts(p->out, n->op == OP_Grad ? "grad" : op_name(n->op));
    text_putc(p->out, '(');
    if (!push_node(p, id, LEVEL_CALL_END))
        return false;
    for (uint32_t k = n->input_count; k-- > 0;)
        if (!push_node(p, n->inputs[k], LEVEL_EXPR) || (k > 0 && !push_text(p, ", ")))
            return false;
    return true;
}

/* The node's own formula; operands are pushed. */
static bool expand(struct printer *p, node_id id)
{
    const struct node *n = graph_node(p->graph, id);
    const struct infix *infix = infix_of(n->op);
    double number;
    if (n->op == OP_Input && p->is_formula) {
        write_name(p, id);
        return true;
    }
    if (is_number(p, n, &number)) {
        write_number(p, number);
        return true;
    }
    if (is_unwritable(n)) {
        text_puts(p->out, "Expand(0, shape=");
        write_ints(p, n->shape.dim, (size_t)n->shape.rank);
        text_putc(p->out, ')');
        return true;
    }
    if (infix)
        return push_node(p, n->inputs[1], infix->right) && push_text(p, infix->sign) &&
               push_node(p, n->inputs[0], infix->left);
    if (n->op == OP_Neg) {
        text_putc(p->out, '-');
        return push_node(p, n->inputs[0], LEVEL_POWER);
    }
    return write_call(p, id, n);
}

static bool write_pending(struct printer *p, struct pending item)
{
    if (item.text) {
        text_puts(p->out, item.text);
        return true;
    }
    const struct node *n = graph_node(p->graph, item.node);
    if (item.level == LEVEL_CALL_END) {
        write_call_end(p, n);
        return true;
    }
    if (p->is_line[item.node]) {
        write_name(p, item.node);
        return true;
    }
    if (level_of(p, n) >= item.level)
        return expand(p, item.node);
    text_putc(p->out, '(');
    return push_text(p, ")") && expand(p, item.node);
}

/* A node's formula. False: no memory, or longer than `longest`. */
static bool write_formula(struct printer *p, node_id id, size_t longest)
{
    size_t start = p->out->length;
    bool written = expand(p, id);
    while (written && p->stack_count > 0 && !p->out->failed) {
        struct pending item = p->stack[--p->stack_count];
        written = write_pending(p, item) && p->out->length - start <= longest;
    }
    return written;
}

static void write_line(struct printer *p, node_id id)
{
    const struct node *n = graph_node(p->graph, id);
    write_name(p, id);
    text_puts(p->out, " = ");
    if (n->op == OP_Identity && p->is_line[n->inputs[0]])
        write_name(p, n->inputs[0]);
    else
        write_formula(p, id, SIZE_MAX);
    text_putc(p->out, '\n');
}

/* ---- the two ways in */

static bool printer_start(struct printer *p)
{
    size_t size = graph_size(p->graph) + 1;
    p->needed = calloc(size, 1);
    p->is_line = calloc(size, 1);
    p->uses = calloc(size, sizeof *p->uses);
    p->numbers = calloc(size, sizeof *p->numbers);
    p->heights = calloc(size, sizeof *p->heights);
    return p->needed && p->is_line && p->uses && p->numbers && p->heights;
}

static void printer_end(struct printer *p)
{
    free(p->needed);
    free(p->is_line);
    free(p->uses);
    free(p->numbers);
    free(p->heights);
    free(p->stack);
}

err_code notation_print(const struct graph *g, const node_id *outputs, size_t count, struct text *out,
                        struct error *err)
{
    struct printer p = {.graph = g, .out = out};
    bool started = printer_start(&p);
    if (started) {
        if (count > 0)
            graph_mark_needed(g, outputs, count, p.needed);
        else
            memset(p.needed, 1, graph_size(g));
        for (size_t i = 0; i < count; i++)
            p.is_line[outputs[i]] = 1;
        count_uses(&p);
        choose_lines(&p);
        for (size_t i = 0; i < graph_size(g); i++)
            if (p.needed[i] && p.is_line[i])
                write_line(&p, (node_id)i);
    }
    printer_end(&p);
    return started && !out->failed ? ERR_ok : error_set(err, ERR_out_of_memory, "no memory to print a program");
}

err_code notation_print_formula(const struct graph *g, node_id node, struct text *out, struct error *err)
{
    struct printer p = {.graph = g, .out = out, .is_formula = true};
    bool started = printer_start(&p), written = false;
    if (started) {
        for (size_t i = 0; i < graph_size(g); i++)
            p.is_line[i] = graph_node(g, (node_id)i)->name != NULL;
        written = write_formula(&p, node, FORMULA_LENGTH_MAX);
    }
    printer_end(&p);
    if (written && !out->failed)
        return ERR_ok;
    if (!started || out->failed)
        return error_set(err, ERR_out_of_memory, "no memory to print a formula");
    return error_set(err, ERR_limit_exceeded, "the formula is longer than %d characters, which is the limit",
                     FORMULA_LENGTH_MAX);
}
