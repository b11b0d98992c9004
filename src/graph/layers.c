/* Two passes: the first infers, layer by layer, in a graph of its own, the shapes that the parameters need; the second
 * writes the program in the lesson's order, inputs first. */
#include "graph/layers.h"

#include "graph/graph.h"
#include "graph/rules.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARAMETERS_MAX = 2, LAYER_NAME_MAX = 24 };

/* ---- layers that have parameters: a line each */

struct layer_kind {
    enum op op;
    bool has_kernel;
    size_t count;
    char letters[PARAMETERS_MAX];
    void (*shapes)(struct shape x, const struct layer *layer, struct shape ret[PARAMETERS_MAX]);
};

/* (in, units), (units) */
static void linear_shapes(struct shape x, const struct layer *layer, struct shape ret[PARAMETERS_MAX])
{
    ret[0] = shape_of(2, (int64_t[]){x.dim[x.rank - 1], layer->units});
    ret[1] = shape_of(1, &layer->units);
}

/* (units, channels / group, kernel...), (units). What does not fit x is told by Conv's own rule. */
static void conv_shapes(struct shape x, const struct layer *layer, struct shape ret[PARAMETERS_MAX])
{
    int64_t group = 1;
    for (size_t i = 0; i < layer->attribute_count; i++)
        if (layer->attributes[i].key == ATTRIBUTE_group && layer->attributes[i].kind == KIND_INT)
            group = layer->attributes[i].integer;
    int axes = x.rank == 4 ? 2 : 1;
    ret[0] = (struct shape){.rank = 2 + axes, .dim = {layer->units, x.rank > 1 ? x.dim[1] : 1}};
    if (group > 1 && ret[0].dim[1] > 0)
        ret[0].dim[1] /= group;
    for (int k = 0; k < axes; k++)
        ret[0].dim[2 + k] = layer->kernel.dims[layer->kernel.count == 1 ? 0 : k];
    ret[1] = shape_of(1, &layer->units);
}

static const struct layer_kind kinds[] = {{OP_Linear, false, 2, {'W', 'b'}, linear_shapes},
                                          {OP_Conv, true, 2, {'W', 'b'}, conv_shapes}};

static const struct layer_kind *kind_of(enum op op)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].op == op)
            return &kinds[i];
    return NULL;
}

/* Of a prediction and a target. */
static bool op_is_loss(enum op op)
{
    return shape_rules[op] == shape_loss || shape_rules[op] == shape_huber || shape_rules[op] == shape_cross_entropy;
}

/* ---- the expansion */

struct stage {
    char name[LAYER_NAME_MAX];
    size_t parameter_count;
    char parameters[PARAMETERS_MAX][LAYER_NAME_MAX];
    struct shape shapes[PARAMETERS_MAX];
};

struct expansion {
    const struct layer *layers;
    struct stage *stages; /* owned; one a layer */
    size_t count, parameter_count;
    size_t numbers[256]; /* how often each letter was given */
    enum op loss;
    struct place loss_place;
    struct graph *graph; /* owned; for shapes */
    struct shape input, output;
    struct program *program; /* owned until it is handed over */
    struct error *err;
};

static err_code check_layer(const struct layer *layer, struct error *err)
{
    const char *op = op_name(layer->op);
    const struct layer_kind *kind = kind_of(layer->op);
    if (!kind && (op_least_inputs(layer->op) != 1 || op_most_inputs(layer->op) != 1))
        return error_add(err, ERR_invalid_value, layer->place, "%s is no layer: it is not an op of one operand", op);
    if (kind && layer->units <= 0)
        return error_add(err, ERR_missing_attribute, layer->place, "%s needs units, how many outputs it has", op);
    if (!kind && layer->units != 0)
        return error_add(err, ERR_unknown_attribute, layer->place, "%s has no units: only layers with weights do", op);
    bool has_kernel = kind && kind->has_kernel;
    if (has_kernel && layer->kernel.count == 0)
        return error_add(err, ERR_missing_attribute, layer->place, "%s needs kernel, the size of its windows", op);
    if (!has_kernel && layer->kernel.count != 0)
        return error_add(err, ERR_unknown_attribute, layer->place, "%s has no attribute 'kernel'", op);
    return ERR_ok;
}

static err_code check_layers(const struct expansion *e)
{
    err_code first = ERR_ok;
    for (size_t i = 0; i < e->count; i++) {
        err_code code = check_layer(&e->layers[i], e->err);
        first = first ? first : code;
    }
    if (e->loss != OP_COUNT && !op_is_loss(e->loss)) {
        err_code code = error_add(e->err, ERR_invalid_value, e->loss_place, "%s is no loss", op_name(e->loss));
        first = first ? first : code;
    }
    return first;
}

static void make_name(struct expansion *e, char letter, char ret[LAYER_NAME_MAX])
{
    (void)snprintf(ret, LAYER_NAME_MAX, "%c%zu", letter, ++e->numbers[(unsigned char)letter]);
}

static void name_stage(struct expansion *e, size_t i, struct shape x)
{
    const struct layer *layer = &e->layers[i];
    const struct layer_kind *kind = kind_of(layer->op);
    struct stage *stage = &e->stages[i];
    char first = op_name(layer->op)[0];
    make_name(e, (char)(first >= 'A' && first <= 'Z' ? first - 'A' + 'a' : first), stage->name);
    if (!kind)
        return;
    kind->shapes(x, layer, stage->shapes);
    stage->parameter_count = kind->count;
    e->parameter_count += kind->count;
    for (size_t k = 0; k < kind->count; k++)
        make_name(e, kind->letters[k], stage->parameters[k]);
}

static err_code infer_input(struct expansion *e, const char *name, struct shape shape, struct place place, node_id *ret)
{
    return graph_add(e->graph, &(struct node){.op = OP_Input, .name = name, .shape = shape, .place = place}, ret,
                     e->err);
}

static err_code infer_stage(struct expansion *e, size_t i, node_id *x)
{
    const struct layer *layer = &e->layers[i];
    struct stage *stage = &e->stages[i];
    node_id inputs[1 + PARAMETERS_MAX] = {*x};
    struct shape shape = graph_node(e->graph, *x)->shape;
    name_stage(e, i, shape);
    err_code code = ERR_ok;
    if (layer->kernel.count == 2 && shape.rank == 3)
        code = error_add(e->err, ERR_invalid_attribute, layer->place,
                         "%s: kernel has 2 numbers, but there are 1 spatial axes", op_name(layer->op));
    for (size_t k = 0; code == ERR_ok && k < stage->parameter_count; k++)
        code = infer_input(e, stage->parameters[k], stage->shapes[k], layer->place, &inputs[1 + k]);
    struct node node = {.op = layer->op,
                        .inputs = inputs,
                        .input_count = (uint32_t)(1 + stage->parameter_count),
                        .attributes = layer->attributes,
                        .attribute_count = layer->attribute_count,
                        .name = stage->name,
                        .place = layer->place};
    return code ? code : graph_add(e->graph, &node, x, e->err);
}

static struct shape target_shape(const struct expansion *e)
{
    return e->loss == OP_CrossEntropy ? shape_of(2, (int64_t[]){DIM_BATCH, 1}) : e->output;
}

static err_code infer(struct expansion *e)
{
    node_id x, y, cost;
    err_code code = infer_input(e, "X", e->input, (struct place){0}, &x);
    for (size_t i = 0; code == ERR_ok && i < e->count; i++)
        code = infer_stage(e, i, &x);
    if (code != ERR_ok)
        return code;
    e->output = graph_node(e->graph, x)->shape;
    if (e->loss == OP_COUNT)
        return ERR_ok;
    code = infer_input(e, "y", target_shape(e), e->loss_place, &y);
    struct node node = {.op = e->loss, .inputs = (node_id[]){x, y}, .input_count = 2, .place = e->loss_place};
    return code ? code : graph_add(e->graph, &node, &cost, e->err);
}

/* ---- the program */

static err_code write_node(struct expansion *e, const char *name, enum op op, const node_id *inputs, size_t count,
                           const struct layer *layer, node_id *ret)
{
    struct program_node node = {.op = op, .name = name, .inputs = inputs, .input_count = count, .place = e->loss_place};
    if (layer) {
        node.attributes = layer->attributes;
        node.attribute_count = layer->attribute_count;
        node.place = layer->place;
    }
    return program_add(e->program, &node, ret, e->err);
}

static err_code write_stage(struct expansion *e, size_t i, node_id *x)
{
    const struct stage *stage = &e->stages[i];
    node_id inputs[1 + PARAMETERS_MAX] = {*x};
    for (size_t k = 0; k < stage->parameter_count; k++)
        inputs[1 + k] = program_find(e->program, stage->parameters[k]);
    return write_node(e, stage->name, e->layers[i].op, inputs, 1 + stage->parameter_count, &e->layers[i], x);
}

static err_code write_program(struct expansion *e)
{
    node_id x, y = NODE_NONE, ignored;
    err_code code = write_node(e, "X", OP_Input, NULL, 0, NULL, &x);
    if (code == ERR_ok && e->loss != OP_COUNT)
        code = write_node(e, "y", OP_Input, NULL, 0, NULL, &y);
    for (size_t i = 0; i < e->count; i++)
        for (size_t k = 0; code == ERR_ok && k < e->stages[i].parameter_count; k++)
            code = write_node(e, e->stages[i].parameters[k], OP_Input, NULL, 0, NULL, &ignored);
    for (size_t i = 0; code == ERR_ok && i < e->count; i++)
        code = write_stage(e, i, &x);
    if (code == ERR_ok && e->loss != OP_COUNT)
        code = write_node(e, "cost", e->loss, (node_id[]){x, y}, 2, NULL, &ignored);
    return code;
}

static err_code hand_over(struct expansion *e, struct layers_result *ret)
{
    struct arena *arena = program_arena(e->program);
    struct layers_result result = {.program = e->program, .input = e->input, .has_target = e->loss != OP_COUNT};
    result.parameters = arena_array(arena, e->parameter_count + 1, sizeof *result.parameters);
    result.parameter_shapes = arena_array(arena, e->parameter_count + 1, sizeof *result.parameter_shapes);
    if (!result.parameters || !result.parameter_shapes)
        return error_set(e->err, ERR_out_of_memory, "no memory for layers");
    if (result.has_target)
        result.target = target_shape(e);
    for (size_t i = 0; i < e->count; i++) {
        const struct stage *stage = &e->stages[i];
        for (size_t k = 0; k < stage->parameter_count; k++) {
            node_id id = program_find(e->program, stage->parameters[k]);
            result.parameters[result.parameter_count] = program_node(e->program, id)->name;
            result.parameter_shapes[result.parameter_count++] = stage->shapes[k];
        }
    }
    e->program = NULL;
    *ret = result;
    return ERR_ok;
}

err_code layers_expand(const struct layer *layers, size_t count, struct shape input, enum op loss,
                       struct place loss_place, struct layers_result *ret, struct error *err)
{
    struct expansion e = {.layers = layers, .count = count, .loss = loss, .loss_place = loss_place, .err = err};
    e.input.rank = input.rank + 1;
    if (input.rank < 1 || e.input.rank > RANK_MAX)
        return error_add(err, ERR_rank_too_large, (struct place){0}, "an input of rank %d; it must be 1 to %d",
                         input.rank, RANK_MAX - 1);
    e.input.dim[0] = DIM_BATCH;
    memcpy(&e.input.dim[1], input.dim, (size_t)input.rank * sizeof *input.dim);
    err_code code = check_layers(&e);
    if (code != ERR_ok)
        return code;
    e.stages = calloc(count + 1, sizeof *e.stages);
    e.graph = graph_new((1 + PARAMETERS_MAX) * count + 3);
    e.program = program_new();
    if (!e.stages || !e.graph || !e.program)
        code = error_set(err, ERR_out_of_memory, "no memory for layers");
    code = code ? code : infer(&e);
    code = code ? code : write_program(&e);
    code = code ? code : hand_over(&e, ret);
    program_free(e.program);
    graph_free(e.graph);
    free(e.stages);
    return code;
}
