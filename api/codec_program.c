#include "api/codec_program.h"
#include "base/arena.h"
#include "base/names.h"
#include <stdlib.h>
#include <string.h>

enum {
    GUESSES_MAX = 10,    /* names that are compared with all others for "did you mean", a request */
    INPUTS_MAX = 200000, /* inputs of all nodes together: a number among them is a node of its own */
};

bool read_program_text(const json_t *value, const struct limits *limits, const struct where *at, struct text *ret,
                       struct error *err)
{
    bool right = true;
    if (json_is_string(value)) {
        text_add(ret, json_string_value(value), json_string_length(value));
    } else if (json_is_array(value)) {
        for (size_t i = 0; i < json_array_size(value); i++) {
            struct where line_at = {.up = at, .index = i};
            const char *line;
            if (!read_string(json_array_get(value, i), &line_at, &line, err)) {
                right = false;
                continue;
            }
            if (i > 0)
                text_putc(ret, '\n');
            text_puts(ret, line);
        }
    } else {
        mistake(err, ERR_wrong_type, at, "a program is a string or an array of lines, not %s", json_kind(value));
        right = false;
    }
    if (right && ret->length > (size_t)limits->program_bytes) {
        mistake(err, ERR_limit_exceeded, at, "the program has %zu bytes; the limit is %lld", ret->length,
                (long long)limits->program_bytes);
        right = false;
    }
    if (ret->failed) {
        error_set(err, ERR_out_of_memory, NULL);
        right = false;
    }
    return right;
}

bool read_program(const json_t *value, const struct limits *limits, const char *const *names, size_t name_count,
                  const struct where *at, struct program **ret, struct error *err)
{
    struct text text = {0};
    struct program *program = NULL;
    if (read_program_text(value, limits, at, &text, err)) {
        char *pointer = where_pointer(at);
        struct notation_options options = {.pointer = pointer,
                                           .names = names,
                                           .name_count = name_count,
                                           .names_max = (size_t)limits->program_names,
                                           .nesting_max = (size_t)limits->program_nesting,
                                           .tolerant = true};
        (void)notation_parse(text.data ? text.data : "", text.length, &options, &program, err);
        free(pointer);
    }
    text_clear(&text);
    *ret = program;
    return program != NULL;
}

/* ---- nodes ---- */

struct node_reader {
    const struct limits *limits;
    struct arena *arena;
    struct program *program;
    struct names *listed; /* names that may be used without being assigned; NULL: any */
    const char *const *names;
    size_t name_count;
    size_t input_total; /* of all nodes so far */
    struct error *err;
};

static bool no_memory(struct node_reader *r)
{
    error_set(r->err, ERR_out_of_memory, NULL);
    return false;
}

static const char *pointer_of(struct node_reader *r, const struct where *at)
{
    char *pointer = where_pointer(at);
    const char *kept = pointer ? arena_copy(r->arena, pointer, strlen(pointer)) : NULL;
    free(pointer);
    return kept;
}

/* Keeps a tensor of a Constant until the program has copied it. */
static bool read_constant(struct node_reader *r, const json_t *value, const struct where *at, struct attribute *ret)
{
    struct tensor *tensor;
    if (!read_tensor(value, DTYPE_FLOAT64, r->limits, at, &tensor, r->err))
        return false;
    *ret = (struct attribute){.key = ATTRIBUTE_value, .kind = KIND_TENSOR, .tensor = tensor};
    return true;
}

static bool read_attribute_value(struct node_reader *r, const json_t *value, const struct where *at,
                                 struct attribute *ret)
{
    int64_t *items = NULL;
    bool right = true;
    ret->kind = attribute_kind_of(ret->key);
    switch (ret->kind) {
    case KIND_INT:
        return read_whole(value, -WHOLE_MAX, WHOLE_MAX, at, &ret->integer, r->err);
    case KIND_BOOL:
        if (json_is_boolean(value)) {
            ret->integer = json_is_true(value);
            return true;
        }
        return read_whole(value, 0, 1, at, &ret->integer, r->err);
    case KIND_FLOAT:
        return read_number(value, at, &ret->number, r->err);
    case KIND_STRING:
        return read_string(value, at, &ret->string, r->err);
    case KIND_TENSOR:
        return read_constant(r, value, at, ret);
    case KIND_INTS:
        right = read_wholes(value, -WHOLE_MAX, WHOLE_MAX, (size_t)4 * RANK_MAX, at, &items, &ret->ints.count, r->err);
        if (right) {
            int64_t *kept = arena_array(r->arena, ret->ints.count + 1, sizeof *kept);
            if (kept)
                memcpy(kept, items, ret->ints.count * sizeof *kept);
            ret->ints.items = kept;
            right = kept || no_memory(r);
            free(items);
        }
        return right;
    }
    return false;
}

static bool read_attributes(struct node_reader *r, const json_t *value, enum op op, const struct where *at,
                            struct attribute **ret, size_t *ret_count)
{
    if (!json_is_object(value)) {
        mistake(r->err, ERR_wrong_type, at, "attributes are an object, not %s", json_kind(value));
        return false;
    }
    struct attribute *attributes = arena_array(r->arena, json_object_size(value) + 1, sizeof *attributes);
    if (!attributes)
        return no_memory(r);
    size_t count = 0;
    bool right = true;
    const char *key;
    json_t *item;
    json_object_foreach((json_t *)value, key, item)
    {
        struct where item_at = {.up = at, .key = key};
        struct attribute *a = &attributes[count];
        if (!attribute_find(key, strlen(key), &a->key) || !op_has_attribute(op, a->key, NULL, NULL)) {
            mistake(r->err, ERR_unknown_attribute, &item_at, "%s has no attribute '%.64s'", op_name(op), key);
            right = false;
        } else if (read_attribute_value(r, item, &item_at, a)) {
            count++;
        } else {
            right = false;
        }
    }
    *ret = attributes;
    *ret_count = count;
    return right;
}

static void free_tensors(const struct attribute *attributes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (attributes[i].kind == KIND_TENSOR)
            tensor_free((struct tensor *)attributes[i].tensor);
    }
}

/* A number among the inputs. */
static node_id add_constant(struct node_reader *r, const json_t *value, const struct where *at,
                            const struct place *place)
{
    struct attribute attribute;
    if (!read_constant(r, value, at, &attribute))
        return NODE_NONE;
    struct program_node node = {.op = OP_Constant, .attributes = &attribute, .attribute_count = 1, .place = *place};
    node_id id = NODE_NONE;
    (void)program_add(r->program, &node, &id, r->err);
    free_tensors(&attribute, 1);
    return id;
}

static void add_unknown(struct node_reader *r, const char *name, const struct where *at)
{
    struct guess guess = {.name = name};
    bool may_guess = r->err->total < GUESSES_MAX;
    for (size_t i = 0; may_guess && i < r->name_count; i++)
        guess_offer(&guess, r->names[i]);
    for (size_t i = 0; may_guess && i < program_size(r->program); i++) {
        if (program_node(r->program, (node_id)i)->name)
            guess_offer(&guess, program_node(r->program, (node_id)i)->name);
    }
    if (guess.best)
        mistake(r->err, ERR_unknown_name, at, "no earlier node is named '%.64s'; did you mean '%s'?", name, guess.best);
    else
        mistake(r->err, ERR_unknown_name, at, "no earlier node is named '%.64s'", name);
}

/* A name among the inputs: an earlier node, or a leaf that is made here. */
static node_id find_input(struct node_reader *r, const char *name, const struct where *at, const struct place *place)
{
    node_id id = program_find(r->program, name);
    size_t ignored;
    if (id != NODE_NONE)
        return id;
    if (r->listed && !names_get(r->listed, name, strlen(name), &ignored)) {
        add_unknown(r, name, at);
        return NODE_NONE;
    }
    struct program_node leaf = {.op = OP_Input, .name = name, .place = *place};
    return program_add(r->program, &leaf, &id, r->err) == ERR_ok ? id : NODE_NONE;
}

static bool read_inputs(struct node_reader *r, const json_t *value, const struct where *at, struct program_node *node)
{
    if (!json_is_array(value)) {
        mistake(r->err, ERR_wrong_type, at, "inputs are an array of names and numbers, not %s", json_kind(value));
        return false;
    }
    size_t count = json_array_size(value);
    r->input_total += count;
    if (r->input_total > INPUTS_MAX) {
        if (r->input_total - count <= INPUTS_MAX)
            mistake(r->err, ERR_limit_exceeded, at, "the nodes have over %d inputs, which is the limit", INPUTS_MAX);
        return false;
    }
    node_id *inputs = arena_array(r->arena, count + 1, sizeof *inputs);
    struct place *places = arena_array(r->arena, count + 1, sizeof *places);
    if (!inputs || !places)
        return no_memory(r);
    bool right = true;
    for (size_t i = 0; i < count; i++) {
        const json_t *input = json_array_get(value, i);
        struct where input_at = {.up = at, .index = i};
        places[i].pointer = pointer_of(r, &input_at);
        if (json_is_string(input))
            inputs[i] = find_input(r, json_string_value(input), &input_at, &places[i]);
        else
            inputs[i] = add_constant(r, input, &input_at, &places[i]);
        right = right && inputs[i] != NODE_NONE;
    }
    node->inputs = inputs;
    node->input_count = right ? count : 0;
    node->input_places = places;
    return right;
}

static void add_unknown_op(const char *name, const struct where *at, struct error *err)
{
    struct guess guess = {.name = name};
    for (int i = 0; err->total < ERROR_ITEMS_MAX && i < OP_COUNT; i++)
        guess_offer(&guess, op_name((enum op)i));
    if (guess.best)
        mistake(err, ERR_unknown_op, at, "no op '%.64s'; did you mean '%s'?", name, guess.best);
    else
        mistake(err, ERR_unknown_op, at, "no op '%.64s'", name);
}

static bool read_op(const json_t *value, const struct where *at, enum op *ret, struct error *err)
{
    const char *name;
    if (!read_string(value, at, &name, err))
        return false;
    if (!op_find(name, strlen(name), ret)) {
        add_unknown_op(name, at, err);
        return false;
    }
    return true;
}

static void read_node(struct node_reader *r, const json_t *value, const struct where *at)
{
    static const char *const known[] = {"name", "op", "inputs", "attributes", "shape", NULL};
    struct where name_at = {.up = at, .key = "name"}, op_at = {.up = at, .key = "op"};
    struct where inputs_at = {.up = at, .key = "inputs"}, attributes_at = {.up = at, .key = "attributes"};
    bool right = read_object(value, known, at, r->err);
    if (!json_is_object(value))
        return;
    struct program_node node = {.op = OP_Identity, .place.pointer = pointer_of(r, at)};
    const json_t *name = json_object_get(value, "name"), *op = required_field(value, "op", at, r->err);
    const json_t *inputs = json_object_get(value, "inputs"), *attributes = json_object_get(value, "attributes");
    struct attribute *read = NULL;
    right = op && read_op(op, &op_at, &node.op, r->err) && right;
    if (name && !json_is_null(name))
        right = read_string(name, &name_at, &node.name, r->err) && right;
    if (inputs)
        right = read_inputs(r, inputs, &inputs_at, &node) && right;
    if (right && attributes)
        right = read_attributes(r, attributes, node.op, &attributes_at, &read, &node.attribute_count);
    node.attributes = read;
    node.broken = !right;
    node_id ignored;
    (void)program_add(r->program, &node, &ignored, r->err);
    free_tensors(read, node.attribute_count);
}

bool read_nodes(const json_t *value, const struct limits *limits, const char *const *names, size_t name_count,
                const struct where *at, struct program **ret, struct error *err)
{
    if (!json_is_array(value)) {
        mistake(err, ERR_wrong_type, at, "nodes are an array of objects, not %s", json_kind(value));
        return false;
    }
    struct node_reader r = {.limits = limits,
                            .arena = arena_new(),
                            .program = program_new(),
                            .names = names,
                            .name_count = name_count,
                            .err = err};
    r.listed = names ? names_new() : NULL;
    bool made = r.arena && r.program && (!names || r.listed);
    for (size_t i = 0; made && names && i < name_count; i++)
        made = names_put(r.listed, names[i], strlen(names[i]), i);
    if (!made)
        error_set(err, ERR_out_of_memory, NULL);
    if (made && json_array_size(value) > (size_t)limits->program_names) {
        mistake(err, ERR_limit_exceeded, at, "there are %zu nodes; the limit is %lld", json_array_size(value),
                (long long)limits->program_names);
        made = false;
    }
    for (size_t i = 0; made && i < json_array_size(value); i++) {
        struct where node_at = {.up = at, .index = i};
        read_node(&r, json_array_get(value, i), &node_at);
    }
    names_free(r.listed);
    arena_free(r.arena);
    if (!made) {
        program_free(r.program);
        return false;
    }
    *ret = r.program;
    return true;
}

/* ---- layers ---- */

/* `kernel` of a layer whose op has no such attribute: it is the shape of the weights. */
static bool read_kernel(struct node_reader *r, const json_t *value, const struct where *at, struct layer *ret)
{
    const size_t most = sizeof ret->kernel.dims / sizeof *ret->kernel.dims;
    bool is_list = json_is_array(value);
    size_t count = is_list ? json_array_size(value) : 1;
    if (count < 1 || count > most) {
        mistake(r->err, ERR_invalid_value, at, "a kernel has one number, or one for each of up to %zu axes, not %zu",
                most, count);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        struct where item_at = {.up = at, .index = i};
        if (!read_whole(is_list ? json_array_get(value, i) : value, 1, r->limits->tensor_elements,
                        is_list ? &item_at : at, &ret->kernel.dims[i], r->err))
            return false;
    }
    ret->kernel.count = count;
    return true;
}

static bool read_layer(struct node_reader *r, const json_t *value, const struct where *at, struct layer *ret)
{
    *ret = (struct layer){.place.pointer = pointer_of(r, at)};
    if (json_is_string(value))
        return read_op(value, at, &ret->op, r->err);
    if (!json_is_object(value)) {
        mistake(r->err, ERR_wrong_type, at, "a layer is the name of an op, or an object with `op`, not %s",
                json_kind(value));
        return false;
    }
    struct where op_at = {.up = at, .key = "op"}, units_at = {.up = at, .key = "units"},
                 kernel_at = {.up = at, .key = "kernel"};
    const json_t *op = required_field(value, "op", at, r->err), *units = json_object_get(value, "units"),
                 *kernel = json_object_get(value, "kernel");
    bool right = op && read_op(op, &op_at, &ret->op, r->err);
    if (units)
        right = read_whole(units, 1, r->limits->tensor_elements, &units_at, &ret->units, r->err) && right;
    json_t *rest = json_copy((json_t *)value);
    if (!rest)
        return no_memory(r);
    json_object_del(rest, "op");
    json_object_del(rest, "units");
    if (right && kernel && !op_has_attribute(ret->op, ATTRIBUTE_kernel, NULL, NULL)) {
        right = read_kernel(r, kernel, &kernel_at, ret);
        json_object_del(rest, "kernel");
    }
    struct attribute *attributes = NULL;
    if (right)
        right = read_attributes(r, rest, ret->op, at, &attributes, &ret->attribute_count);
    ret->attributes = attributes;
    json_decref(rest);
    return right;
}

/* `input`: a size, or a shape without batch. */
static bool read_input_shape(const json_t *value, const struct limits *limits, const struct where *at,
                             struct shape *ret, struct error *err)
{
    if (json_is_real(value)) {
        *ret = (struct shape){.rank = 1};
        return read_whole(value, 1, limits->tensor_elements, at, &ret->dim[0], err);
    }
    if (!read_shape(value, limits, at, ret, err))
        return false;
    if (!shape_is_concrete(*ret) || ret->rank < 1 || ret->rank >= RANK_MAX) {
        mistake(err, ERR_invalid_value, at, "`input` is a size, or the shape of one row: [1, 8, 8]");
        return false;
    }
    return true;
}

bool read_layers(const json_t *value, const json_t *input, const json_t *loss, const struct limits *limits,
                 const struct where *at, struct layers_result *ret, struct error *err)
{
    struct where layers_at = {.up = at, .key = "layers"}, input_at = {.up = at, .key = "input"},
                 loss_at = {.up = at, .key = "loss"};
    struct node_reader r = {.limits = limits, .arena = arena_new(), .err = err};
    if (!r.arena)
        return no_memory(&r);
    bool right = true;
    struct shape shape = {0};
    enum op loss_op = OP_COUNT;
    if (!input) {
        mistake(err, ERR_missing_field, &input_at, "`layers` need `input`: the size or shape of one row");
        right = false;
    } else {
        right = read_input_shape(input, limits, &input_at, &shape, err);
    }
    if (loss)
        right = read_op(loss, &loss_at, &loss_op, err) && right;
    size_t count = json_is_array(value) ? json_array_size(value) : 0;
    struct layer *layers = arena_array(r.arena, count + 1, sizeof *layers);
    if (!json_is_array(value) || count == 0) {
        mistake(err, ERR_wrong_type, &layers_at, "layers are an array of at least one");
        right = false;
    } else if (count > (size_t)limits->program_names) {
        mistake(err, ERR_limit_exceeded, &layers_at, "there are %zu layers; the limit is %lld", count,
                (long long)limits->program_names);
        count = 0;
        right = false;
    }
    size_t read = 0;
    for (; layers && read < count; read++) {
        struct where layer_at = {.up = &layers_at, .index = read};
        right = read_layer(&r, json_array_get(value, read), &layer_at, &layers[read]) && right;
    }
    if (right) {
        char *pointer = where_pointer(&loss_at);
        right = layers_expand(layers, count, shape, loss_op, (struct place){.pointer = pointer}, ret, err) == ERR_ok;
        free(pointer);
    }
    for (size_t i = 0; layers && i < read; i++)
        free_tensors(layers[i].attributes, layers[i].attribute_count);
    arena_free(r.arena);
    return right;
}
