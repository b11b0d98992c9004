/* From a program to a graph: the shapes of the leaves are given or solved, then every node is appended and its shape
 * inferred. What depends on a mistake is left out in silence, so each mistake is told once. */
#include "graph/graph.h"

#include "base/names.h"
#include "graph/infer.h"
#include "graph/solve.h"
#include <stdlib.h>
#include <string.h>

struct build {
    const struct program *program;
    struct graph *graph;
    struct shape *shapes;             /* of the program's nodes, as far as they are known */
    const struct named_shape **given; /* what the client says of each node; NULL: nothing */
    node_id *map;                     /* program -> graph; NODE_NONE: left out */
    struct error *err;
    err_code code; /* of the first mistake */
};

static void note(struct build *b, err_code code)
{
    b->code = b->code ? b->code : code;
}

/* ---- leaves */

static void complain_of_stranger(struct build *b, const struct named_shape *known)
{
    struct guess guess = {.name = known->name};
    bool worth_it = b->err && b->err->total < ERROR_ITEMS_MAX;
    for (size_t i = 0; worth_it && i < program_size(b->program); i++) {
        const struct program_node *n = program_node(b->program, (node_id)i);
        if (n->op == OP_Input && n->name)
            guess_offer(&guess, n->name);
    }
    if (guess.best)
        note(b, error_add(b->err, ERR_unknown_name, known->place,
                          "the program has no input '%.64s'; did you mean '%.64s'?", known->name, guess.best));
    else
        note(b, error_add(b->err, ERR_unknown_name, known->place, "the program has no input '%.64s'", known->name));
}

/* A shape that was given, within the limits; else the leaf stays open. */
static void take_shape(struct build *b, node_id id, const struct named_shape *known)
{
    struct inference i = {.op = OP_Input, .out = known->shape, .place = known->place, .err = b->err};
    err_code code = infer_shape(&i);
    if (code == ERR_ok)
        b->shapes[id] = known->shape;
    note(b, code);
}

static void take_known(struct build *b, const struct named_shape *known)
{
    node_id id = program_find(b->program, known->name);
    if (id == NODE_NONE) {
        complain_of_stranger(b, known);
        return;
    }
    const struct program_node *n = program_node(b->program, id);
    if (n->broken)
        return;
    if (n->op != OP_Input) {
        note(b, error_add(b->err, ERR_invalid_name, known->place, "'%.64s' is computed by the program, it is no input",
                          known->name));
    } else if (b->given[id]) {
        note(b, error_add(b->err, ERR_duplicate_name, known->place, "'%.64s' is listed twice", known->name));
    } else {
        b->given[id] = known;
        if (known->shape.rank >= 0)
            take_shape(b, id, known);
    }
}

/* Where the program is broken, what is missing may be what the mistakes hide: nothing is said then. */
static void complain_of_open(struct build *b, node_id id)
{
    const struct program_node *n = program_node(b->program, id);
    struct shape shape = b->shapes[id];
    const struct named_shape *given = b->given[id];
    if (program_is_broken(b->program) || (given && given->shape.rank >= 0))
        return;
    struct place place = given ? given->place : n->place;
    char text[SHAPE_TEXT_MAX];
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = shape.dim[i] == DIM_OPEN ? DIM_ANY : shape.dim[i];
    if (shape.rank > 0)
        note(b, error_add(b->err, ERR_unknown_shape, place,
                          "the shape of '%.64s' does not follow from the rest, only that it is %s", n->name,
                          shape_text(shape, text)));
    else
        note(b, error_add(b->err, ERR_unknown_shape, place, "the shape of '%.64s' does not follow from the rest",
                          n->name));
}

/* ---- nodes */

static bool inputs_are_there(const struct build *b, const struct program_node *n, node_id *inputs)
{
    for (size_t k = 0; k < n->input_count; k++) {
        inputs[k] = b->map[n->inputs[k]];
        if (inputs[k] == NODE_NONE)
            return false;
    }
    return true;
}

/* A Dropout that has no ordinal gets its place among the Dropouts of the program. */
static void number_dropout(struct node *node, int64_t place, struct attribute attributes[2])
{
    size_t count = 0;
    bool has_ordinal = false;
    for (size_t k = 0; k < node->attribute_count; k++) {
        if (node->attributes[k].key == ATTRIBUTE_ordinal && node->attributes[k].integer == -1)
            continue;
        has_ordinal = has_ordinal || node->attributes[k].key == ATTRIBUTE_ordinal;
        attributes[count++] = node->attributes[k];
    }
    if (!has_ordinal)
        attributes[count++] = (struct attribute){.key = ATTRIBUTE_ordinal, .kind = KIND_INT, .integer = place};
    node->attributes = attributes;
    node->attribute_count = count;
}

static void add_nodes(struct build *b, node_id *inputs)
{
    int64_t dropouts = 0;
    for (size_t i = 0; i < program_size(b->program); i++) {
        const struct program_node *n = program_node(b->program, (node_id)i);
        struct attribute attributes[2];
        int64_t dropout = n->op == OP_Dropout ? dropouts++ : 0;
        b->map[i] = NODE_NONE;
        if (n->broken || !inputs_are_there(b, n, inputs))
            continue;
        if (n->op == OP_Input && shape_is_open(b->shapes[i])) {
            complain_of_open(b, (node_id)i);
            continue;
        }
        struct node node = {.op = n->op,
                            .inputs = inputs,
                            .input_count = (uint32_t)n->input_count,
                            .attributes = n->attributes,
                            .attribute_count = n->attribute_count,
                            .shape = b->shapes[i],
                            .name = n->name,
                            .place = n->place};
        if (n->op == OP_Dropout)
            number_dropout(&node, dropout, attributes);
        err_code code = graph_add(b->graph, &node, &b->map[i], b->err);
        note(b, code);
        if (code == ERR_out_of_memory || (code != ERR_ok && graph_size(b->graph) == graph_nodes_max(b->graph)))
            return;
    }
}

static size_t most_inputs(const struct program *p)
{
    size_t most = 1;
    for (size_t i = 0; i < program_size(p); i++)
        if (program_node(p, (node_id)i)->input_count > most)
            most = program_node(p, (node_id)i)->input_count;
    return most;
}

err_code graph_build(const struct program *p, const struct named_shape *known, size_t count, size_t nodes_max,
                     struct graph **ret, struct error *err)
{
    size_t size = program_size(p);
    struct build b = {.program = p, .err = err};
    b.graph = graph_new(nodes_max);
    b.shapes = calloc(size + 1, sizeof *b.shapes);
    b.given = calloc(size + 1, sizeof *b.given);
    b.map = calloc(size + 1, sizeof *b.map);
    node_id *inputs = calloc(most_inputs(p), sizeof *inputs);
    if (!b.graph || !b.shapes || !b.given || !b.map || !inputs) {
        b.code = error_set(err, ERR_out_of_memory, "no memory for a graph");
    } else {
        for (size_t i = 0; i < size; i++)
            b.shapes[i].rank = RANK_OPEN;
        for (size_t i = 0; i < count; i++)
            take_known(&b, &known[i]);
        err_code code = solve_shapes(p, b.shapes, err);
        note(&b, code);
        if (code == ERR_ok)
            add_nodes(&b, inputs);
    }
    if (b.code == ERR_ok && program_is_broken(p))
        b.code = ERR_invalid_program;
    if (b.code == ERR_ok) {
        *ret = b.graph;
        b.graph = NULL;
    }
    graph_free(b.graph);
    free(b.shapes);
    free(b.given);
    free(b.map);
    free(inputs);
    return b.code;
}
