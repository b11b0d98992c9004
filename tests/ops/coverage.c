#include "coverage.h"

#include "graph/rules.h"
#include "support/near.h"

#include <math.h>
#include <string.h>

static bool is_given(const struct node *n, enum attribute_key key)
{
    struct attribute fallback = {0};
    bool required = false;
    const struct attribute *a = node_attribute(n, key);
    if (!a || !op_has_attribute(n->op, key, &required, &fallback))
        return false;
    struct attribute_spec spec = {0};
    for (size_t i = 0; op_attribute(n->op, i, &spec) && spec.key != key; i++)
        ;
    if (spec.presence != ATTRIBUTE_DEFAULTED)
        return true;
    switch (a->kind) {
    case KIND_FLOAT:
        return fabs(a->number - fallback.number) > 0;
    case KIND_INTS:
        return a->ints.count != fallback.ints.count ||
               memcmp(a->ints.items, fallback.ints.items, a->ints.count * sizeof *a->ints.items) != 0;
    case KIND_STRING:
        return strcmp(a->string, fallback.string) != 0;
    case KIND_TENSOR:
        return true;
    default:
        return a->integer != fallback.integer;
    }
}

static void add_node(struct coverage *of, const struct graph *g, const struct node *n)
{
    struct shape first = n->shape;
    of->tensor = of->tensor || n->shape.rank > 0;
    for (uint32_t i = 0; i < n->input_count; i++) {
        struct shape shape = graph_node(g, n->inputs[i])->shape;
        first = i == 0 ? shape : first;
        of->broadcasts = of->broadcasts || !shape_equal(shape, first);
    }
    if (first.rank > 0) {
        of->one_row = of->one_row || first.dim[0] == 1;
        of->no_rows = of->no_rows || first.dim[0] == 0;
    }
    for (int key = 0; key < ATTRIBUTE_COUNT; key++)
        of->attribute[key] = of->attribute[key] || is_given(n, (enum attribute_key)key);
}

bool coverage_add(struct coverage *of, enum op op, const struct op_case *c)
{
    struct array inputs[CASE_INPUTS_MAX] = {0};
    bool differentiable = false, found = false;
    for (size_t i = 0; i < c->input_count; i++) {
        inputs[i] = c->inputs[i].values;
        differentiable = differentiable || c->inputs[i].differentiable;
    }
    node_id last;
    struct graph *g = graph_as_written(c->program, inputs, c->input_count, &last);
    for (node_id id = 0; id < graph_size(g); id++) {
        const struct node *n = graph_node(g, id);
        if (n->op != op)
            continue;
        found = true;
        add_node(of, g, n);
    }
    of->seen = of->seen || found;
    of->differences = of->differences || (found && differentiable && !c->options[0]);
    graph_free(g);
    return found;
}

const char *coverage_missing(const struct coverage *of, enum op op, size_t index, char buffer[64])
{
    const char *missing[ATTRIBUTE_COUNT + 8];
    size_t count = 0;
    /* Leaves have no operand whose rows could be counted; gradients have cases of their own. What always gives a scalar
     * is a mean, and of no rows there is none. */
    bool rows = op_least_inputs(op) > 0 && op != OP_Grad;
    if (!of->seen)
        missing[count++] = "a case";
    if (!of->differences && op != OP_StopGradient)
        missing[count++] = "a case without options";
    if (rows && !of->one_row)
        missing[count++] = "a batch of one";
    if (rows && of->tensor && !of->no_rows)
        missing[count++] = "an empty batch";
    if (op_least_inputs(op) > 1 && shape_rules[op] == shape_broadcast_all && !of->broadcasts)
        missing[count++] = "operands that broadcast";
    if (index < count)
        return missing[index];
    index -= count;
    for (int key = 0; key < ATTRIBUTE_COUNT; key++) {
        bool hidden = op == OP_Dropout && key == ATTRIBUTE_ordinal; /* the program's own numbering */
        if (!op_has_attribute(op, (enum attribute_key)key, NULL, NULL) || of->attribute[key] || hidden)
            continue;
        if (index-- > 0)
            continue;
        (void)snprintf(buffer, 64, "another value of `%s`", attribute_name((enum attribute_key)key));
        return buffer;
    }
    return NULL;
}
