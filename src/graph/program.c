#include "graph/program.h"

#include "base/names.h"
#include "graph/attribute.h"
#include <stdlib.h>
#include <string.h>

struct program {
    struct arena *arena;
    struct names *names;
    struct program_node *nodes;
    size_t count, capacity;
    const char *pointer; /* of the node added last: most nodes share it */
    node_id last_named;
    bool broken;
};

struct program *program_new(void)
{
    struct program *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->arena = arena_new();
    p->names = names_new();
    p->last_named = NODE_NONE;
    if (p->arena && p->names)
        return p;
    program_free(p);
    return NULL;
}

void program_free(struct program *p)
{
    if (!p)
        return;
    arena_free(p->arena);
    names_free(p->names);
    free(p->nodes);
    free(p);
}

size_t program_size(const struct program *p)
{
    return p->count;
}

struct arena *program_arena(struct program *p)
{
    return p->arena;
}

const struct program_node *program_node(const struct program *p, node_id id)
{
    return &p->nodes[id];
}

node_id program_find(const struct program *p, const char *name)
{
    size_t id;
    return names_get(p->names, name, strlen(name), &id) ? (node_id)id : NODE_NONE;
}

node_id program_last(const struct program *p)
{
    return p->last_named;
}

bool program_is_broken(const struct program *p)
{
    return p->broken;
}

static bool name_is_valid(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    return *name != '\0' && !(*name >= '0' && *name <= '9') && name[strspn(name, letters)] == '\0';
}

/* ---- checks: each adds its items and tells the first code */

static err_code check_name(const struct program *p, const char *name, struct place place, struct error *err)
{
    if (!name_is_valid(name))
        return error_add(err, ERR_invalid_name, place, "'%.64s' is not a name: letters, digits and _, no digit first",
                         name);
    node_id other = program_find(p, name);
    if (other == NODE_NONE)
        return ERR_ok;
    int line = p->nodes[other].place.line;
    if (line > 0)
        return error_add(err, ERR_duplicate_name, place, "'%.64s' was assigned before, on line %d", name, line);
    return error_add(err, ERR_duplicate_name, place, "'%.64s' was assigned before", name);
}

static err_code check_arity(const struct program_node *node, struct error *err)
{
    int least = op_least_inputs(node->op), most = op_most_inputs(node->op);
    if (node->input_count >= (size_t)least && node->input_count <= (size_t)most)
        return ERR_ok;
    const char *op = op_name(node->op);
    size_t given = node->input_count;
    if (most == 0)
        return error_add(err, ERR_wrong_arity, node->place, "%s takes no inputs, not %zu", op, given);
    if (most == INPUTS_ANY)
        return error_add(err, ERR_wrong_arity, node->place, "%s takes at least %d input%s, not %zu", op, least,
                         least == 1 ? "" : "s", given);
    if (least == most)
        return error_add(err, ERR_wrong_arity, node->place, "%s takes %d input%s, not %zu", op, least,
                         least == 1 ? "" : "s", given);
    return error_add(err, ERR_wrong_arity, node->place, "%s takes %d to %d inputs, not %zu", op, least, most, given);
}

static const struct attribute *find_written(const struct program_node *node, enum attribute_key key, size_t before)
{
    for (size_t i = 0; i < before; i++)
        if (node->attributes[i].key == key)
            return &node->attributes[i];
    return NULL;
}

static err_code check_attributes(const struct program_node *node, struct error *err)
{
    err_code code = ERR_ok, next = ERR_ok;
    const char *op = op_name(node->op);
    for (size_t i = 0; i < node->attribute_count; i++, code = code ? code : next) {
        enum attribute_key key = node->attributes[i].key;
        next = ERR_ok;
        if (!op_has_attribute(node->op, key, NULL, NULL))
            next =
                error_add(err, ERR_unknown_attribute, node->place, "%s has no attribute '%s'", op, attribute_name(key));
        else if (find_written(node, key, i))
            next = error_add(err, ERR_invalid_attribute, node->place, "'%s' is given twice", attribute_name(key));
    }
    struct attribute_spec spec;
    for (size_t i = 0; op_attribute(node->op, i, &spec); i++, code = code ? code : next) {
        next = ERR_ok;
        if (spec.presence == ATTRIBUTE_REQUIRED && !find_written(node, spec.key, node->attribute_count))
            next = error_add(err, ERR_missing_attribute, node->place, "%s needs %s=, %s", op, attribute_name(spec.key),
                             attribute_kind_text(attribute_kind_of(spec.key)));
    }
    return code;
}

/* ---- copying */

static err_code copy_attributes(struct program *p, const struct program_node *node, struct program_node *copy,
                                struct error *err)
{
    struct attribute *attributes = arena_array(p->arena, node->attribute_count, sizeof *attributes);
    err_code first = ERR_ok;
    if (!attributes)
        return error_set(err, ERR_out_of_memory, "no memory for a program");
    for (size_t i = 0; i < node->attribute_count; i++) {
        const struct attribute *given = &node->attributes[i];
        err_code code = attribute_copy(p->arena, given, &attributes[copy->attribute_count]);
        if (code == ERR_out_of_memory)
            return error_set(err, code, "no memory for a program");
        if (code == ERR_ok)
            copy->attribute_count++;
        else
            error_add(err, code, node->place, "%s: %s= takes %s", op_name(node->op), attribute_name(given->key),
                      attribute_kind_text(attribute_kind_of(given->key)));
        first = first ? first : code;
    }
    copy->attributes = attributes;
    return first;
}

static bool copy_place(struct program *p, struct place *place)
{
    if (!place->pointer)
        return true;
    if (!p->pointer || strcmp(p->pointer, place->pointer) != 0)
        p->pointer = arena_copy(p->arena, place->pointer, strlen(place->pointer));
    place->pointer = p->pointer;
    return p->pointer != NULL;
}

static bool copy_inputs(struct program *p, const struct program_node *node, struct program_node *copy)
{
    node_id *inputs = arena_array(p->arena, node->input_count, sizeof *inputs);
    if (!inputs)
        return false;
    memcpy(inputs, node->inputs, node->input_count * sizeof *inputs);
    copy->inputs = inputs;
    copy->input_count = node->input_count;
    if (!node->input_places)
        return true;
    struct place *places = arena_array(p->arena, node->input_count, sizeof *places);
    for (size_t i = 0; places && i < node->input_count; i++) {
        places[i] = node->input_places[i];
        if (!copy_place(p, &places[i]))
            return false;
    }
    copy->input_places = places;
    return places != NULL;
}

static bool grow(struct program *p)
{
    if (p->count < p->capacity)
        return true;
    size_t capacity = p->capacity ? 2 * p->capacity : 64;
    struct program_node *nodes = capacity < NODE_NONE ? reallocarray(p->nodes, capacity, sizeof *nodes) : NULL;
    if (!nodes)
        return false;
    p->nodes = nodes;
    p->capacity = capacity;
    return true;
}

static bool put_name(struct program *p, node_id id, const char *name, const char **ret)
{
    const char *copy = arena_copy(p->arena, name, strlen(name));
    if (!copy || !names_put(p->names, name, strlen(name), id))
        return false;
    *ret = copy;
    p->last_named = id;
    return true;
}

err_code program_add(struct program *p, const struct program_node *node, node_id *ret, struct error *err)
{
    *ret = NODE_NONE;
    err_code code = ERR_ok;
    struct program_node copy = {.op = node->op, .place = node->place, .broken = node->broken};
    for (size_t i = 0; i < node->input_count; i++)
        if (node->inputs[i] >= p->count)
            return error_set(err, ERR_internal, "node %u of a program has an input that comes later",
                             (unsigned)p->count);
    bool named = node->name != NULL;
    if (named) {
        code = check_name(p, node->name, node->place, err);
        named = code == ERR_ok;
    }
    if (!copy.broken) {
        err_code arity = check_arity(node, err);
        err_code attributes = check_attributes(node, err);
        code = code ? code : arity ? arity : attributes;
    }
    if (!grow(p) || !copy_place(p, &copy.place))
        return error_set(err, ERR_out_of_memory, "no memory for a program");
    if (node->input_count > 0 && !copy_inputs(p, node, &copy))
        return error_set(err, ERR_out_of_memory, "no memory for a program");
    if (!copy.broken && node->attribute_count > 0) {
        err_code copied = copy_attributes(p, node, &copy, err);
        if (copied == ERR_out_of_memory)
            return copied;
        code = code ? code : copied;
    }
    copy.broken = copy.broken || code != ERR_ok;
    if (named && !put_name(p, (node_id)p->count, node->name, &copy.name))
        return error_set(err, ERR_out_of_memory, "no memory for a program");
    p->broken = p->broken || copy.broken;
    *ret = (node_id)p->count;
    p->nodes[p->count++] = copy;
    return code;
}

err_code program_set_name(struct program *p, node_id id, const char *name, struct place place, struct error *err)
{
    err_code code = check_name(p, name, place, err);
    if (code != ERR_ok)
        p->broken = p->nodes[id].broken = true;
    else if (!put_name(p, id, name, &p->nodes[id].name))
        code = error_set(err, ERR_out_of_memory, "no memory for a program");
    return code;
}
