#include "graph/graph.h"

#include "base/names.h"
#include "graph/infer.h"
#include <stdlib.h>
#include <string.h>

struct graph {
    struct arena *arena;
    struct names *names;
    struct node *nodes;
    size_t count, capacity, nodes_max;
    const char *pointer; /* of the node added last: most nodes share it */
    /* What the inference of one node needs, kept from node to node. */
    struct shape *in;
    const char **in_names;
    size_t in_capacity;
};

struct graph *graph_new(size_t nodes_max)
{
    struct graph *g = calloc(1, sizeof *g);
    if (!g)
        return NULL;
    g->arena = arena_new();
    g->names = names_new();
    g->nodes_max = nodes_max < NODE_NONE ? nodes_max : NODE_NONE;
    if (g->arena && g->names)
        return g;
    graph_free(g);
    return NULL;
}

void graph_free(struct graph *g)
{
    if (!g)
        return;
    arena_free(g->arena);
    names_free(g->names);
    free(g->nodes);
    free(g->in);
    free(g->in_names);
    free(g);
}

size_t graph_size(const struct graph *g)
{
    return g->count;
}

size_t graph_nodes_max(const struct graph *g)
{
    return g->nodes_max;
}

const struct node *graph_node(const struct graph *g, node_id id)
{
    return &g->nodes[id];
}

node_id graph_find(const struct graph *g, const char *name)
{
    size_t id;
    return names_get(g->names, name, strlen(name), &id) ? (node_id)id : NODE_NONE;
}

/* ---- appending */

static err_code no_memory(struct error *err)
{
    return error_set(err, ERR_out_of_memory, "no memory for a graph");
}

static bool grow_nodes(struct graph *g)
{
    if (g->count < g->capacity)
        return true;
    size_t capacity = g->capacity ? 2 * g->capacity : 64;
    struct node *nodes = reallocarray(g->nodes, capacity, sizeof *nodes);
    if (!nodes)
        return false;
    g->nodes = nodes;
    g->capacity = capacity;
    return true;
}

static bool grow_operands(struct graph *g, size_t count)
{
    if (count <= g->in_capacity)
        return true;
    size_t capacity = count < 8 ? 8 : 2 * count;
    struct shape *in = reallocarray(g->in, capacity, sizeof *in);
    if (!in)
        return false;
    g->in = in;
    const char **names = reallocarray(g->in_names, capacity, sizeof *names);
    if (!names)
        return false;
    g->in_names = names;
    g->in_capacity = capacity;
    return true;
}

static err_code check_node(const struct graph *g, const struct node *spec, struct error *err)
{
    if (g->count >= g->nodes_max)
        return error_add(err, ERR_limit_exceeded, spec->place,
                         "the graph needs more than %zu nodes, which is the limit", g->nodes_max);
    if (spec->input_count < (uint32_t)op_least_inputs(spec->op) ||
        spec->input_count > (uint32_t)op_most_inputs(spec->op))
        return error_add(err, ERR_wrong_arity, spec->place, "%s does not take %u inputs", op_name(spec->op),
                         (unsigned)spec->input_count);
    for (uint32_t k = 0; k < spec->input_count; k++)
        if (spec->inputs[k] >= g->count)
            return error_set(err, ERR_internal, "a node's input is not in the graph yet");
    if (spec->name && graph_find(g, spec->name) != NODE_NONE)
        return error_add(err, ERR_duplicate_name, spec->place, "'%.64s' is in the graph already", spec->name);
    return ERR_ok;
}

static err_code infer_node(struct graph *g, struct node *node, struct error *err)
{
    struct inference i = {.op = node->op,
                          .count = node->input_count,
                          .place = node->place,
                          .arena = g->arena,
                          .out = node->shape,
                          .err = err};
    if (!grow_operands(g, node->input_count))
        return no_memory(err);
    for (uint32_t k = 0; k < node->input_count; k++) {
        g->in[k] = g->nodes[node->inputs[k]].shape;
        g->in_names[k] = g->nodes[node->inputs[k]].name;
    }
    i.in = g->in;
    i.names = g->in_names;
    err_code code = infer_fill_attributes(&i, node->attributes, node->attribute_count);
    code = code ? code : infer_shape(&i);
    if (code != ERR_ok)
        return code;
    node->attributes = i.attributes;
    node->attribute_count = i.attribute_count;
    node->shape = i.out;
    return ERR_ok;
}

/* What the node points to becomes the graph's. */
static bool own_node(struct graph *g, struct node *node)
{
    if (node->input_count > 0) {
        node_id *inputs = arena_array(g->arena, node->input_count, sizeof *inputs);
        if (!inputs)
            return false;
        memcpy(inputs, node->inputs, node->input_count * sizeof *inputs);
        node->inputs = inputs;
    }
    if (node->place.pointer) {
        if (!g->pointer || strcmp(g->pointer, node->place.pointer) != 0)
            g->pointer = arena_copy(g->arena, node->place.pointer, strlen(node->place.pointer));
        node->place.pointer = g->pointer;
        if (!g->pointer)
            return false;
    }
    if (!node->name)
        return true;
    size_t length = strlen(node->name);
    node->name = arena_copy(g->arena, node->name, length);
    return node->name && names_put(g->names, node->name, length, g->count);
}

err_code graph_add(struct graph *g, const struct node *spec, node_id *ret, struct error *err)
{
    err_code code = check_node(g, spec, err);
    if (code != ERR_ok)
        return code;
    struct node node = *spec;
    code = infer_node(g, &node, err);
    if (code != ERR_ok)
        return code;
    if (!grow_nodes(g) || !own_node(g, &node))
        return no_memory(err);
    *ret = (node_id)g->count;
    g->nodes[g->count++] = node;
    return ERR_ok;
}

/* ---- copies */

/* A copy with batch (or, where batch is negative, with the shapes as they are). */
static err_code copy_bound(const struct graph *g, int64_t batch, struct graph **ret, struct error *err)
{
    struct graph *copy = graph_new(g->nodes_max);
    if (!copy)
        return no_memory(err);
    for (size_t i = 0; i < g->count; i++) {
        struct node node = g->nodes[i];
        node_id ignored;
        if (batch >= 0)
            node.shape = shape_bind(node.shape, batch);
        err_code code = graph_add(copy, &node, &ignored, err);
        if (code != ERR_ok) {
            graph_free(copy);
            return code;
        }
    }
    *ret = copy;
    return ERR_ok;
}

err_code graph_copy(const struct graph *g, struct graph **ret, struct error *err)
{
    return copy_bound(g, -1, ret, err);
}

err_code graph_bind(const struct graph *g, int64_t batch, struct graph **ret, struct error *err)
{
    if (batch < 0 || batch > ELEMENTS_MAX)
        return error_set(err, ERR_limit_exceeded, "a batch of %lld; it must be from 0 to %lld", (long long)batch,
                         (long long)ELEMENTS_MAX);
    return copy_bound(g, batch, ret, err);
}

void graph_mark_needed(const struct graph *g, const node_id *roots, size_t count, unsigned char *marks)
{
    if (g->count > 0)
        memset(marks, 0, g->count);
    for (size_t i = 0; i < count; i++)
        marks[roots[i]] = 1;
    for (size_t i = g->count; i-- > 0;) {
        const struct node *n = &g->nodes[i];
        for (uint32_t k = 0; marks[i] && k < n->input_count; k++)
            marks[n->inputs[k]] = 1;
    }
}

/* ---- attributes of a node */

const struct attribute *node_attribute(const struct node *n, enum attribute_key key)
{
    for (size_t i = 0; i < n->attribute_count; i++)
        if (n->attributes[i].key == key)
            return &n->attributes[i];
    return NULL;
}

int64_t node_int(const struct node *n, enum attribute_key key)
{
    return node_attribute(n, key)->integer;
}

double node_float(const struct node *n, enum attribute_key key)
{
    return node_attribute(n, key)->number;
}

const int64_t *node_ints(const struct node *n, enum attribute_key key, size_t *ret_count)
{
    const struct attribute *a = node_attribute(n, key);
    *ret_count = a->ints.count;
    return a->ints.items;
}

const char *node_string(const struct node *n, enum attribute_key key)
{
    return node_attribute(n, key)->string;
}

const struct tensor *node_tensor(const struct node *n, enum attribute_key key)
{
    return node_attribute(n, key)->tensor;
}
