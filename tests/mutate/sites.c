#include "sites.h"

#include "autodiff/rules.h"
#include "graph/composites.h"

#include <execinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct site *sites;
size_t site_count;

static size_t site_room;
static size_t now_testing, tests_in_all; /* recording, where tests_in_all is not 0 */
static size_t mutated_site = SIZE_MAX;
static enum change mutated_by;

/* The rule or definition that is running. */
static struct {
    bool active;
    enum op op;
    int input;
    int depth; /* of the stack */
} here;

const char *change_name(enum change c)
{
    static const char *const names[CHANGE_COUNT] = {"sign",    "first operand", "second operand", "third operand",
                                                    "swapped", "counterpart",   "number",         "nothing"};
    return names[c];
}

void sites_record(size_t test, size_t test_count)
{
    now_testing = test;
    tests_in_all = test_count;
}

void sites_mutate(size_t site, enum change c)
{
    tests_in_all = 0;
    mutated_site = site;
    mutated_by = c;
}

bool sites_reached(enum op op, int input)
{
    for (size_t i = 0; i < site_count; i++)
        if (sites[i].op == op && sites[i].input == input)
            return true;
    return false;
}

/* ---------------------------------------------------------------- sites */

static bool is_site(const struct site *s, const struct site *other)
{
    return s->op == other->op && s->input == other->input && s->whole == other->whole && s->built == other->built &&
           s->frame_count == other->frame_count &&
           memcmp(s->frames, other->frames, s->frame_count * sizeof *s->frames) == 0;
}

static size_t find_site(const struct site *s)
{
    size_t i = 0;
    while (i < site_count && !is_site(&sites[i], s))
        i++;
    return i;
}

static void record(const struct site *s)
{
    size_t i = find_site(s);
    if (i == site_count) {
        if (site_count == site_room) {
            site_room = 2 * site_room + 256;
            sites = reallocarray(sites, site_room, sizeof *sites);
            if (!sites)
                abort();
        }
        sites[site_count] = *s;
        sites[site_count].tests = calloc(tests_in_all, 1);
        if (!sites[site_count++].tests)
            abort();
    }
    sites[i].changes |= s->changes;
    sites[i].tests[now_testing] = 1;
}

/* Whether a change is to be made at this site, and which; records it otherwise. */
static bool mutates(const struct site *s, enum change *ret)
{
    if (tests_in_all > 0)
        record(s);
    if (mutated_site >= site_count || !is_site(&sites[mutated_site], s) || !(s->changes >> mutated_by & 1u))
        return false;
    *ret = mutated_by;
    return true;
}

/* The return addresses down to the rule. */
static void trace_back(struct site *s)
{
    void *frames[64];
    int depth = backtrace(frames, 64);
    int count = depth - here.depth - 1; /* between this function and the rule's wrapper */
    for (int i = 2; i <= count && s->frame_count < FRAMES_MAX; i++)
        s->frames[s->frame_count++] = frames[i];
}

/* ---------------------------------------------------------------- nodes */

/* What stands in for an op when it is mutated; the op itself: nothing. */
static enum op counterpart(enum op op)
{
    static const enum op pairs[][2] = {{OP_Add, OP_Sub},          {OP_Greater, OP_GreaterOrEqual},
                                       {OP_Less, OP_LessOrEqual}, {OP_Equal, OP_NotEqual},
                                       {OP_Max, OP_Min},          {OP_ReduceSum, OP_ReduceMean}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        for (int side = 0; side < 2; side++)
            if (pairs[i][side] == op)
                return pairs[i][1 - side];
    return op;
}

static bool is_choice(enum op op)
{
    return op == OP_Equal || op == OP_NotEqual || op == OP_Less || op == OP_LessOrEqual || op == OP_Greater ||
           op == OP_GreaterOrEqual || op == OP_OneHot;
}

static bool takes_order(enum op op)
{
    return op == OP_Sub || op == OP_Div || op == OP_Pow || op == OP_MatMul || op == OP_Less || op == OP_LessOrEqual ||
           op == OP_Greater || op == OP_GreaterOrEqual || op == OP_Where;
}

static const double *number_of(const struct node *n)
{
    const struct tensor *t = n->op == OP_Constant ? node_tensor(n, ATTRIBUTE_value) : NULL;
    return t && t->shape.rank == 0 ? t->data : NULL;
}

static unsigned possible_changes(const struct graph *g, const struct node *spec, struct shape shape)
{
    unsigned changes = 0;
    const double *number = number_of(spec);
    if (spec->op != OP_Neg && !is_choice(spec->op) && !(number && *number == 0))
        changes |= 1u << CHANGE_SIGN;
    for (uint32_t i = 0; i < spec->input_count && i < 3; i++)
        if (spec->op == OP_Transpose || shape_equal(graph_node(g, spec->inputs[i])->shape, shape))
            changes |= 1u << (CHANGE_FIRST + i);
    if (takes_order(spec->op))
        changes |= 1u << CHANGE_SWAP;
    if (counterpart(spec->op) != spec->op)
        changes |= 1u << CHANGE_OP;
    if (number)
        changes |= 1u << CHANGE_NUMBER;
    return changes;
}

/* The names that the linker gives to both ends of a call: the function itself, and what is called instead. */
err_code real_graph_add(struct graph *g, const struct node *spec, node_id *ret,
                        struct error *err) __asm__("__real_graph_add");
err_code mutated_graph_add(struct graph *g, const struct node *spec, node_id *ret,
                           struct error *err) __asm__("__wrap_graph_add");

static err_code negate(struct graph *g, node_id of, node_id *ret, struct error *err)
{
    return real_graph_add(g, &(struct node){.op = OP_Neg, .inputs = &of, .input_count = 1}, ret, err);
}

static err_code add_swapped(struct graph *g, const struct node *spec, node_id *ret, struct error *err)
{
    node_id inputs[3] = {0};
    memcpy(inputs, spec->inputs, spec->input_count * sizeof *inputs);
    size_t last = spec->input_count - 1;
    node_id kept = inputs[last];
    inputs[last] = inputs[last - 1];
    inputs[last - 1] = kept;
    struct node swapped = *spec;
    swapped.inputs = inputs;
    return real_graph_add(g, &swapped, ret, err);
}

static err_code add_number(struct graph *g, double value, node_id *ret, struct error *err)
{
    struct tensor scalar = {.dtype = DTYPE_FLOAT64, .data = &value};
    struct attribute a = {.key = ATTRIBUTE_value, .kind = KIND_TENSOR, .tensor = &scalar};
    return real_graph_add(g, &(struct node){.op = OP_Constant, .attributes = &a, .attribute_count = 1}, ret, err);
}

/* Only what is appended within a rule or a definition can be mutated. */
err_code mutated_graph_add(struct graph *g, const struct node *spec, node_id *ret, struct error *err)
{
    struct node given = *spec;
    err_code code = real_graph_add(g, spec, ret, err);
    if (!here.active || code != ERR_ok)
        return code;
    struct site s = {.op = here.op, .input = here.input, .built = given.op};
    if (tests_in_all == 0 && (mutated_site >= site_count || sites[mutated_site].op != s.op ||
                              sites[mutated_site].input != s.input || sites[mutated_site].built != s.built))
        return code;
    trace_back(&s);
    s.changes = possible_changes(g, &given, graph_node(g, *ret)->shape);
    enum change c;
    if (!mutates(&s, &c))
        return code;
    switch (c) {
    case CHANGE_SIGN:
        return negate(g, *ret, ret, err);
    case CHANGE_FIRST:
    case CHANGE_SECOND:
    case CHANGE_THIRD:
        *ret = given.inputs[c - CHANGE_FIRST];
        return ERR_ok;
    case CHANGE_SWAP:
        return add_swapped(g, &given, ret, err);
    case CHANGE_OP:
        given.op = counterpart(given.op);
        return real_graph_add(g, &given, ret, err);
    case CHANGE_NUMBER:
        return add_number(g, *number_of(&given) + 1, ret, err);
    default:
        return ERR_ok;
    }
}

/* ---------------------------------------------------------------- rules and definitions */

static node_id leave(struct builder *b, node_id found, unsigned changes)
{
    struct site s = {.op = here.op, .input = here.input, .whole = true, .changes = changes};
    bool seen = here.active;
    here.active = false;
    enum change c;
    if (!seen || b->code != ERR_ok || found == NODE_NONE || !mutates(&s, &c))
        return found;
    if (c == CHANGE_NOTHING)
        return NODE_NONE;
    b->code = negate(b->graph, found, &found, b->err);
    return found;
}

/* Of tensors without elements nothing could be seen. */
static bool is_empty(struct shape s)
{
    int64_t elements;
    return shape_elements(s, &elements) && elements == 0;
}

static void enter(const struct graph *g, const struct node *n, const node_id *in, int input)
{
    void *frames[64];
    here.active = !is_empty(n->shape);
    for (uint32_t i = 0; i < n->input_count; i++)
        here.active = here.active && !is_empty(graph_node(g, in[i])->shape);
    here.op = n->op;
    here.input = input;
    here.depth = backtrace(frames, 64) - 1;
}

node_id real_rule_apply(struct builder *b, const struct link *l, size_t input) __asm__("__real_rule_apply");
node_id mutated_rule_apply(struct builder *b, const struct link *l, size_t input) __asm__("__wrap_rule_apply");
node_id mutated_rule_apply(struct builder *b, const struct link *l, size_t input)
{
    enter(b->graph, &l->node, l->x, (int)input);
    node_id found = real_rule_apply(b, l, input);
    return leave(b, found, 1u << CHANGE_SIGN | 1u << CHANGE_NOTHING);
}

node_id real_compose(struct builder *b, const struct node *n, const node_id *in) __asm__("__real_compose");
node_id mutated_compose(struct builder *b, const struct node *n, const node_id *in) __asm__("__wrap_compose");
node_id mutated_compose(struct builder *b, const struct node *n, const node_id *in)
{
    enter(b->graph, n, in, INPUT_OF_COMPOSITE);
    node_id found = real_compose(b, n, in);
    return leave(b, found, 1u << CHANGE_SIGN);
}
