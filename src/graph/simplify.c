/* Two passes. The first goes through the needed nodes in order, appends each to a draft as what it simplifies to, and
 * never appends a node that the draft has already (a hash table over op, inputs and attributes). The second copies what
 * the outputs still need. */
#include "graph/simplify.h"

#include "graph/attribute.h"
#include "graph/builder.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct simplifier {
    const struct graph *from;
    struct graph *draft; /* owned */
    node_id *map;        /* owned; from -> draft */
    node_id *slots;      /* owned; open addressing, a power of two; NODE_NONE: free */
    size_t capacity;
    struct error *err;
};

/* ---- equal nodes are one */

static bool node_equal(const struct node *a, const struct node *b)
{
    if (a->op != b->op || a->input_count != b->input_count || a->attribute_count != b->attribute_count)
        return false;
    if (a->op == OP_Input)
        return a->name && b->name && strcmp(a->name, b->name) == 0;
    for (uint32_t i = 0; i < a->input_count; i++)
        if (a->inputs[i] != b->inputs[i])
            return false;
    for (size_t i = 0; i < a->attribute_count; i++)
        if (!attribute_equal(&a->attributes[i], &b->attributes[i]))
            return false;
    return true;
}

static uint64_t node_hash(const struct node *n, uint64_t seed)
{
    uint64_t hash = hash_mix(seed, (uint64_t)n->op);
    for (uint32_t i = 0; i < n->input_count; i++)
        hash = hash_mix(hash, n->inputs[i]);
    for (size_t i = 0; i < n->attribute_count; i++)
        hash = attribute_hash(&n->attributes[i], hash);
    for (const char *c = n->op == OP_Input && n->name ? n->name : ""; *c != '\0'; c++)
        hash = hash_mix(hash, (unsigned char)*c);
    return hash;
}

/* The slot of an equal node, or the free one where it belongs. Where the table lies seeds the hash, so that nobody can
 * prepare collisions; which slot a node has shows in nothing. */
static node_id *find_slot(const struct simplifier *s, const struct node *n)
{
    size_t at = (size_t)node_hash(n, (uint64_t)(uintptr_t)s->slots) & (s->capacity - 1);
    while (s->slots[at] != NODE_NONE && !node_equal(graph_node(s->draft, s->slots[at]), n))
        at = (at + 1) & (s->capacity - 1);
    return &s->slots[at];
}

/* At most half full. */
static bool reserve(struct simplifier *s)
{
    if (s->slots && 2 * (graph_size(s->draft) + 1) <= s->capacity)
        return true;
    size_t capacity = s->capacity ? 2 * s->capacity : 128;
    node_id *old = s->slots, *slots = reallocarray(NULL, capacity, sizeof *slots);
    if (!slots)
        return false;
    memset(slots, 0xFF, capacity * sizeof *slots);
    s->slots = slots;
    s->capacity = capacity;
    for (size_t i = 0; i < graph_size(s->draft); i++)
        *find_slot(s, graph_node(s->draft, (node_id)i)) = (node_id)i;
    free(old);
    return true;
}

/* Appends a node to the draft, or finds it there. Looked up before, as it is, and after, in its normal form: a node
 * that is new only in form stays in the draft, and the second pass leaves it out. */
static err_code intern(struct simplifier *s, struct node *n, node_id *ret)
{
    if (!reserve(s))
        return error_set(s->err, ERR_out_of_memory, "no memory to simplify a graph");
    node_id *slot = find_slot(s, n);
    if (*slot != NODE_NONE) {
        *ret = *slot;
        return ERR_ok;
    }
    if (n->name && graph_find(s->draft, n->name) != NODE_NONE)
        n->name = NULL;
    node_id id = NODE_NONE;
    err_code code = graph_add(s->draft, n, &id, s->err);
    if (code != ERR_ok)
        return code;
    slot = find_slot(s, graph_node(s->draft, id));
    if (*slot == NODE_NONE)
        *slot = id;
    *ret = *slot;
    return ERR_ok;
}

/* ---- constants */

/* A scalar constant, also one that was expanded; `ret_derived`: no client wrote it. */
static bool constant_of(const struct graph *g, node_id id, bool through_expand, double *ret, bool *ret_derived)
{
    const struct node *n = graph_node(g, id);
    if (through_expand && n->op == OP_Expand)
        n = graph_node(g, n->inputs[0]);
    if (n->op != OP_Constant || n->shape.rank != 0)
        return false;
    *ret = tensor_get(node_tensor(n, ATTRIBUTE_value), 0);
    *ret_derived = n->place.line == 0 && !n->place.pointer;
    return true;
}

static bool folded(enum op op, double a, double b, double *ret)
{
    switch (op) {
    case OP_Add:
        *ret = a + b;
        break;
    case OP_Sub:
        *ret = a - b;
        break;
    case OP_Mul:
        *ret = a * b;
        break;
    case OP_Div:
        *ret = a / b;
        break;
    case OP_Neg:
        *ret = -a;
        break;
    default:
        return false;
    }
    return isfinite(*ret);
}

/* Rewrites n into a Constant if it is arithmetic of scalar constants. The value is kept in `scalar`, the attribute in
 * `value`. */
static void fold(const struct simplifier *s, struct node *n, struct tensor *scalar, double *number,
                 struct attribute *value)
{
    double a = 0, b = 0;
    bool derived;
    if (n->input_count < 1 || n->input_count > 2 || !constant_of(s->draft, n->inputs[0], false, &a, &derived))
        return;
    if (n->input_count == 2 && !constant_of(s->draft, n->inputs[1], false, &b, &derived))
        return;
    if (!folded(n->op, a, b, number))
        return;
    *scalar = (struct tensor){.dtype = DTYPE_FLOAT64, .data = number};
    *value = (struct attribute){.key = ATTRIBUTE_value, .kind = KIND_TENSOR, .tensor = scalar};
    n->op = OP_Constant;
    n->input_count = 0;
    n->attributes = value;
    n->attribute_count = 1;
}

/* ---- identities */

static bool same_shape(struct shape a, struct shape b)
{
    for (int i = 0; i < a.rank; i++)
        if (a.dim[i] == DIM_ANY)
            return false;
    return shape_equal(a, b);
}

/* Of x + 0, x * 1 and the like: which operand the node is, or NODE_NONE. */
static node_id neutral(const struct simplifier *s, const struct node *n)
{
    if (n->op != OP_Add && n->op != OP_Sub && n->op != OP_Mul && n->op != OP_Div)
        return NODE_NONE;
    bool commutes = n->op == OP_Add || n->op == OP_Mul, is_sum = n->op == OP_Add || n->op == OP_Sub;
    for (int k = commutes ? 0 : 1; k < 2; k++) {
        double value;
        bool derived;
        node_id other = n->inputs[1 - k];
        if (!constant_of(s->draft, n->inputs[k], true, &value, &derived))
            continue;
        bool vanishes = is_sum ? value == 0 && derived : value == 1;
        if (vanishes && same_shape(graph_node(s->draft, other)->shape, n->shape))
            return other;
    }
    return NODE_NONE;
}

static bool perm_is_identity(const int64_t *perm, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (perm[i] != (int64_t)i)
            return false;
    return true;
}

/* Makes one Transpose of two; the permutation is kept in `perm`, the attribute in `list`. */
static void compose_transposes(const struct simplifier *s, struct node *n, int64_t *perm, struct attribute *list)
{
    const struct node *inner = graph_node(s->draft, n->inputs[0]);
    size_t count, inner_count;
    const int64_t *outer_perm = node_ints(n, ATTRIBUTE_perm, &count);
    if (inner->op != OP_Transpose)
        return;
    const int64_t *inner_perm = node_ints(inner, ATTRIBUTE_perm, &inner_count);
    for (size_t i = 0; i < count; i++)
        perm[i] = inner_perm[outer_perm[i]];
    *list = (struct attribute){.key = ATTRIBUTE_perm, .kind = KIND_INTS, .ints = {perm, count}};
    n->attributes = list;
    n->attribute_count = 1;
    n->inputs = inner->inputs;
}

/* Makes one Reshape of two, where the result's dimensions are positive numbers: then they alone say what it is. */
static void compose_reshapes(const struct simplifier *s, struct node *n, int64_t *dims, struct attribute *list)
{
    const struct node *inner = graph_node(s->draft, n->inputs[0]);
    if (inner->op != OP_Reshape)
        return;
    for (int i = 0; i < n->shape.rank; i++) {
        if (n->shape.dim[i] <= 0)
            return;
        dims[i] = n->shape.dim[i];
    }
    *list = (struct attribute){.key = ATTRIBUTE_shape, .kind = KIND_INTS, .ints = {dims, (size_t)n->shape.rank}};
    n->attributes = list;
    n->attribute_count = 1;
    n->inputs = inner->inputs;
}

/* The operand that n is equal to, or NODE_NONE. */
static node_id identity(const struct simplifier *s, const struct node *n)
{
    size_t count;
    switch (n->op) {
    case OP_Identity:
        return n->inputs[0];
    case OP_Transpose: {
        const int64_t *perm = node_ints(n, ATTRIBUTE_perm, &count);
        return perm_is_identity(perm, count) ? n->inputs[0] : NODE_NONE;
    }
    case OP_Reshape:
    case OP_Expand:
        return same_shape(graph_node(s->draft, n->inputs[0])->shape, n->shape) ? n->inputs[0] : NODE_NONE;
    default:
        return neutral(s, n);
    }
}

/* ---- the passes */

static err_code simplify_node(struct simplifier *s, node_id id, node_id *inputs)
{
    struct node n = *graph_node(s->from, id);
    struct tensor scalar;
    struct attribute attribute;
    double number;
    int64_t list[RANK_MAX];
    for (uint32_t k = 0; k < n.input_count; k++)
        inputs[k] = s->map[n.inputs[k]];
    n.inputs = inputs;
    if (n.op == OP_Transpose)
        compose_transposes(s, &n, list, &attribute);
    else if (n.op == OP_Reshape)
        compose_reshapes(s, &n, list, &attribute);
    else
        fold(s, &n, &scalar, &number, &attribute);
    node_id same = identity(s, &n);
    if (same == NODE_NONE)
        return intern(s, &n, &s->map[id]);
    s->map[id] = same;
    return ERR_ok;
}

static size_t most_inputs(const struct graph *g)
{
    size_t most = 1;
    for (size_t i = 0; i < graph_size(g); i++)
        if (graph_node(g, (node_id)i)->input_count > most)
            most = graph_node(g, (node_id)i)->input_count;
    return most;
}

static err_code make_draft(struct simplifier *s, const unsigned char *needed, node_id *inputs)
{
    err_code code = ERR_ok;
    for (size_t i = 0; code == ERR_ok && i < graph_size(s->from); i++)
        if (needed[i])
            code = simplify_node(s, (node_id)i, inputs);
    return code;
}

/* Copies the needed nodes of the draft; map: draft -> copy. */
static err_code copy_needed(const struct graph *draft, const unsigned char *needed, node_id *inputs, node_id *map,
                            struct graph *copy, struct error *err)
{
    err_code code = ERR_ok;
    for (size_t i = 0; code == ERR_ok && i < graph_size(draft); i++) {
        if (!needed[i])
            continue;
        struct node n = *graph_node(draft, (node_id)i);
        for (uint32_t k = 0; k < n.input_count; k++)
            inputs[k] = map[n.inputs[k]];
        n.inputs = inputs;
        code = graph_add(copy, &n, &map[i], err);
    }
    return code;
}

err_code graph_simplify(const struct graph *g, const node_id *outputs, size_t count, struct graph **ret,
                        node_id *ret_outputs, struct error *err)
{
    size_t size = graph_size(g);
    struct simplifier s = {.from = g, .draft = graph_new(graph_nodes_max(g)), .err = err};
    struct graph *copy = graph_new(graph_nodes_max(g));
    /* The draft has no more nodes than g: both maps and marks fit. */
    unsigned char *needed = calloc(size + 1, 1);
    node_id *inputs = reallocarray(NULL, most_inputs(g), sizeof *inputs);
    node_id *drafted = reallocarray(NULL, count + 1, sizeof *drafted);
    node_id *copied = reallocarray(NULL, size + 1, sizeof *copied);
    s.map = reallocarray(NULL, size + 1, sizeof *s.map);
    err_code code = ERR_ok;
    if (!s.draft || !copy || !needed || !inputs || !drafted || !copied || !s.map)
        code = error_set(err, ERR_out_of_memory, "no memory to simplify a graph");
    if (code == ERR_ok) {
        graph_mark_needed(g, outputs, count, needed);
        code = make_draft(&s, needed, inputs);
    }
    if (code == ERR_ok) {
        for (size_t i = 0; i < count; i++)
            drafted[i] = s.map[outputs[i]];
        graph_mark_needed(s.draft, drafted, count, needed);
        code = copy_needed(s.draft, needed, inputs, copied, copy, err);
    }
    if (code == ERR_ok) {
        for (size_t i = 0; i < count; i++)
            ret_outputs[i] = copied[drafted[i]];
        *ret = copy;
        copy = NULL;
    }
    graph_free(copy);
    graph_free(s.draft);
    free(needed);
    free(inputs);
    free(drafted);
    free(copied);
    free(s.map);
    free(s.slots);
    return code;
}
