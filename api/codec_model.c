/* A model from its request, in four steps: what is listed (inputs, parameters), the program in one of its three forms,
 * the graph with its shapes, the roles of its nodes. Each step goes on after mistakes as far as it can, so that all of
 * them are told at once. */
#include "api/codec.h"
#include "api/codec_program.h"
#include "api/codec_tensor.h"
#include "base/names.h"
#include "base/size.h"
#include <stdlib.h>
#include <string.h>

enum { GUESSES_MAX = 10 }; /* names that are compared with all others for "did you mean", a request */

/* A leaf that the request lists, in its order. */
struct listed {
    const char *name;
    bool is_parameter;
    struct shape shape; /* rank -1: not told */
    const json_t *init; /* NULL: the default */
    char *pointer;      /* owned: where it is listed */
};

struct reading {
    const json_t *spec;
    const struct limits *limits;
    const struct where *root;
    struct error *err;
    enum dtype dtype;
    int64_t seed;
    struct listed *listed;
    size_t listed_count;
    struct names *index; /* of `listed`, by name */
    bool lists_inputs, lists_parameters;
    bool is_layers;
    struct program *program;
    struct layers_result layers;
    struct graph *graph;
};

static const char *const model_fields[] = {"name",   "program",    "nodes", "layers", "input", "loss", "outputs",
                                           "inputs", "parameters", "cost",  "output", "dtype", "seed", NULL};

/* ---- what is listed ---- */

static struct listed *find_listed(const struct reading *r, const char *name)
{
    size_t i;
    return names_get(r->index, name, strlen(name), &i) ? &r->listed[i] : NULL;
}

static bool read_listed(struct reading *r, const char *key, const json_t *value, bool is_parameter,
                        const struct where *at)
{
    static const char *const parameter_fields[] = {"shape", "init", NULL};
    static const char *const input_fields[] = {"shape", NULL};
    struct listed *l = &r->listed[r->listed_count];
    *l = (struct listed){.name = key, .is_parameter = is_parameter, .shape.rank = -1, .pointer = where_pointer(at)};
    if (find_listed(r, key))
        mistake(r->err, ERR_duplicate_name, at, "'%.64s' is listed as an input and as a parameter", key);
    else if (!l->pointer || !names_put(r->index, key, strlen(key), r->listed_count))
        error_set(r->err, ERR_out_of_memory, NULL);
    r->listed_count++;
    if (!read_object(value, is_parameter ? parameter_fields : input_fields, at, r->err))
        return false;
    const json_t *shape = json_object_get(value, "shape");
    struct where shape_at = {.up = at, .key = "shape"};
    l->init = json_object_get(value, "init");
    if (shape && read_shape(shape, r->limits, &shape_at, &l->shape, r->err) && is_parameter &&
        !shape_is_concrete(l->shape))
        mistake(r->err, ERR_invalid_value, &shape_at,
                "a parameter's shape is made of numbers: it does not depend on the batch");
    return true;
}

static void read_list(struct reading *r, const char *field, bool is_parameter, bool *ret_lists)
{
    const json_t *list = json_object_get(r->spec, field);
    struct where at = {.up = r->root, .key = field};
    *ret_lists = list != NULL;
    if (!list)
        return;
    if (!json_is_object(list)) {
        mistake(r->err, ERR_wrong_type, &at, "this must be an object of names, not %s", json_kind(list));
        return;
    }
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)list, key, value)
    {
        struct where item_at = {.up = &at, .key = key};
        (void)read_listed(r, key, value, is_parameter, &item_at);
    }
}

static bool read_lists(struct reading *r)
{
    size_t count =
        json_object_size(json_object_get(r->spec, "inputs")) + json_object_size(json_object_get(r->spec, "parameters"));
    if (count > (size_t)r->limits->program_names) {
        mistake(r->err, ERR_limit_exceeded, r->root, "%zu inputs and parameters are listed; the limit is %lld", count,
                (long long)r->limits->program_names);
        return false;
    }
    r->listed = calloc(count + 1, sizeof *r->listed);
    r->index = names_new();
    if (!r->listed || !r->index) {
        error_set(r->err, ERR_out_of_memory, NULL);
        return false;
    }
    read_list(r, "inputs", false, &r->lists_inputs);
    read_list(r, "parameters", true, &r->lists_parameters);
    return true;
}

/* ---- the program ---- */

static const json_t *one_form(struct reading *r, const char **ret_form)
{
    static const char *const forms[] = {"program", "nodes", "layers"};
    const json_t *found = NULL;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        const json_t *form = json_object_get(r->spec, forms[i]);
        if (form && found) {
            struct where at = {.up = r->root, .key = forms[i]};
            mistake(r->err, ERR_conflicting_fields, &at,
                    "a model has one of `program`, `nodes` and `layers`; there is `%s` already", *ret_form);
        } else if (form) {
            found = form;
            *ret_form = forms[i];
        }
    }
    if (!found)
        mistake(r->err, ERR_missing_field, r->root, "a model needs one of `program`, `nodes` and `layers`");
    return found;
}

/* Under `layers` the shapes follow from it: what may be listed is how parameters begin. */
static bool read_layers_form(struct reading *r, const json_t *layers)
{
    return read_layers(layers, json_object_get(r->spec, "input"), json_object_get(r->spec, "loss"), r->limits, r->root,
                       &r->layers, r->err);
}

static bool read_form(struct reading *r)
{
    const char *form = NULL;
    const json_t *value = one_form(r, &form);
    if (!value)
        return false;
    struct where at = {.up = r->root, .key = form};
    r->is_layers = strcmp(form, "layers") == 0;
    if (r->is_layers) {
        bool read = read_layers_form(r, value);
        r->program = read ? r->layers.program : NULL;
        return read;
    }
    static const char *const only_layers[] = {"input", "loss"};
    for (size_t i = 0; i < 2; i++) {
        struct where field = {.up = r->root, .key = only_layers[i]};
        if (json_object_get(r->spec, only_layers[i]))
            mistake(r->err, ERR_conflicting_fields, &field, "`%s` goes with `layers`", only_layers[i]);
    }
    const char **names = calloc(r->listed_count + 1, sizeof *names);
    if (!names) {
        error_set(r->err, ERR_out_of_memory, NULL);
        return false;
    }
    for (size_t i = 0; i < r->listed_count; i++)
        names[i] = r->listed[i].name;
    const char *const *allowed = r->lists_inputs || r->lists_parameters ? names : NULL;
    bool read = form[0] == 'p' ? read_program(value, r->limits, allowed, r->listed_count, &at, &r->program, r->err)
                               : read_nodes(value, r->limits, allowed, r->listed_count, &at, &r->program, r->err);
    free(names);
    return read;
}

/* ---- the graph ---- */

/* A shape that the value of `init` tells. */
static void take_shape_of_value(struct reading *r, struct listed *l)
{
    const json_t *value = json_is_object(l->init) ? json_object_get(l->init, "value") : NULL;
    struct tensor *tensor;
    struct error ignored = {0};
    struct where at = {0};
    if (value && l->shape.rank < 0 && read_tensor(value, r->dtype, r->limits, &at, &tensor, &ignored)) {
        l->shape = tensor->shape;
        tensor_free(tensor);
    }
    error_clear(&ignored);
}

static bool build(struct reading *r)
{
    size_t count = 0, layered = r->is_layers ? r->layers.parameter_count + 2 : 0;
    struct named_shape *known = calloc(r->listed_count + layered + 1, sizeof *known);
    if (!known) {
        error_set(r->err, ERR_out_of_memory, NULL);
        return false;
    }
    if (r->is_layers) {
        known[count++] = (struct named_shape){.name = "X", .shape = r->layers.input};
        if (r->layers.has_target)
            known[count++] = (struct named_shape){.name = "y", .shape = r->layers.target};
        for (size_t i = 0; i < r->layers.parameter_count; i++)
            known[count++] =
                (struct named_shape){.name = r->layers.parameters[i], .shape = r->layers.parameter_shapes[i]};
    }
    for (size_t i = 0; i < r->listed_count; i++) {
        struct listed *l = &r->listed[i];
        take_shape_of_value(r, l);
        bool told = !r->is_layers || program_find(r->program, l->name) == NODE_NONE;
        if (told)
            known[count++] = (struct named_shape){.name = l->name, .shape = l->shape, .place.pointer = l->pointer};
    }
    (void)graph_build(r->program, known, count, (size_t)r->limits->nodes, &r->graph, r->err);
    free(known);
    return r->graph != NULL;
}

/* ---- roles ---- */

/* Whether a leaf is a parameter: as listed; where only one kind is listed, the others are of the other kind. */
static bool is_parameter(const struct reading *r, const char *name)
{
    const struct listed *l = find_listed(r, name);
    if (r->is_layers)
        return strcmp(name, "X") != 0 && strcmp(name, "y") != 0;
    return l ? l->is_parameter : r->lists_inputs && !r->lists_parameters;
}

static void check_leaf(const struct reading *r, node_id id)
{
    const struct node *leaf = graph_node(r->graph, id);
    char text[SHAPE_TEXT_MAX];
    if (!r->is_layers && r->lists_inputs && r->lists_parameters && !find_listed(r, leaf->name)) {
        struct guess guess = {.name = leaf->name};
        for (size_t i = 0; r->err->total < GUESSES_MAX && i < r->listed_count; i++)
            guess_offer(&guess, r->listed[i].name);
        if (guess.best)
            error_add(r->err, ERR_unknown_name, leaf->place,
                      "'%s' is neither among the inputs nor among the parameters; did you mean '%s'?", leaf->name,
                      guess.best);
        else
            error_add(r->err, ERR_unknown_name, leaf->place,
                      "'%s' is neither among the inputs nor among the parameters", leaf->name);
    }
    if (is_parameter(r, leaf->name) && !shape_is_concrete(leaf->shape))
        error_add(r->err, ERR_invalid_value, leaf->place,
                  "the parameter '%s' would be %s: a parameter's shape does not depend on the batch", leaf->name,
                  shape_text(leaf->shape, text));
}

static void read_init(const struct reading *r, const json_t *init, const struct where *at, struct shape shape,
                      struct parameter *ret)
{
    if (!init) {
        ret->init = shape.rank >= 2 ? INIT_GLOROT_UNIFORM : INIT_ZEROS;
        return;
    }
    char expected[SHAPE_TEXT_MAX], given[SHAPE_TEXT_MAX];
    if (json_is_object(init)) {
        static const char *const known[] = {"value", NULL};
        struct where value_at = {.up = at, .key = "value"};
        const json_t *value = required_field(init, "value", at, r->err);
        ret->init = INIT_VALUE;
        if (read_object(init, known, at, r->err) && value &&
            read_tensor(value, r->dtype, r->limits, &value_at, &ret->value, r->err) &&
            !shape_equal(ret->value->shape, shape))
            mistake(r->err, ERR_shape_mismatch, &value_at, "the parameter is %s but its value is %s",
                    shape_text(shape, expected), shape_text(ret->value->shape, given));
        return;
    }
    const char *name;
    if (!read_string(init, at, &name, r->err))
        return;
    if (!initializer_find(name, &ret->init) || ret->init == INIT_VALUE) {
        mistake(r->err, ERR_invalid_value, at,
                "no initializer '%.64s'; there are zeros, ones, normal, uniform, glorot_uniform, glorot_normal, "
                "he_uniform, he_normal, orthogonal and {\"value\": tensor}",
                name);
    } else if (ret->init >= INIT_GLOROT_UNIFORM && shape.rank < 2) {
        mistake(r->err, ERR_invalid_value, at, "%s is for matrices and up; this parameter is %s", name,
                shape_text(shape, expected));
    }
}

static void add_parameter(const struct reading *r, struct model *m, node_id id)
{
    const struct node *leaf = graph_node(r->graph, id);
    const struct listed *l = find_listed(r, leaf->name);
    struct where list = {.up = r->root, .key = "parameters"}, item = {.up = &list, .key = leaf->name},
                 init = {.up = &item, .key = "init"};
    struct parameter *p = &m->parameters[m->parameter_count++];
    *p = (struct parameter){.node = id};
    read_init(r, l ? l->init : NULL, &init, leaf->shape, p);
}

/* Leaves in declared order: first as they are listed, then as they stand in the program. */
static bool add_leaves(const struct reading *r, struct model *m)
{
    size_t count = graph_size(r->graph);
    unsigned char *done = calloc(count + 1, 1);
    m->inputs = calloc(count + 1, sizeof *m->inputs);
    m->parameters = calloc(count + 1, sizeof *m->parameters);
    if (!done || !m->inputs || !m->parameters) {
        free(done);
        error_set(r->err, ERR_out_of_memory, NULL);
        return false;
    }
    for (size_t i = 0; i < r->listed_count + count; i++) {
        node_id id = i < r->listed_count ? graph_find(r->graph, r->listed[i].name) : (node_id)(i - r->listed_count);
        if (id == NODE_NONE || done[id] || graph_node(r->graph, id)->op != OP_Input)
            continue;
        done[id] = 1;
        check_leaf(r, id);
        if (is_parameter(r, graph_node(r->graph, id)->name))
            add_parameter(r, m, id);
        else
            m->inputs[m->input_count++] = id;
    }
    free(done);
    return true;
}

/* A field that names a node. */
static node_id read_node_name(const struct reading *r, const char *field, const json_t *value, const struct where *at)
{
    const char *name;
    if (!read_string(value, at, &name, r->err))
        return NODE_NONE;
    node_id id = graph_find(r->graph, name);
    if (id == NODE_NONE) {
        struct guess guess = {.name = name};
        for (size_t i = 0; i < graph_size(r->graph); i++) {
            if (graph_node(r->graph, (node_id)i)->name)
                guess_offer(&guess, graph_node(r->graph, (node_id)i)->name);
        }
        if (guess.best)
            mistake(r->err, ERR_unknown_name, at, "`%s`: no node is named '%.64s'; did you mean '%s'?", field, name,
                    guess.best);
        else
            mistake(r->err, ERR_unknown_name, at, "`%s`: no node is named '%.64s'", field, name);
    }
    return id;
}

static void read_roles(const struct reading *r, struct model *m)
{
    const json_t *cost = json_object_get(r->spec, "cost"), *output = json_object_get(r->spec, "output"),
                 *outputs = json_object_get(r->spec, "outputs");
    struct where cost_at = {.up = r->root, .key = "cost"}, output_at = {.up = r->root, .key = "output"},
                 outputs_at = {.up = r->root, .key = "outputs"};
    m->cost = cost                                   ? read_node_name(r, "cost", cost, &cost_at)
              : r->is_layers && r->layers.has_target ? graph_find(r->graph, "cost")
                                                     : NODE_NONE;
    int64_t elements;
    if (m->cost != NODE_NONE && !(shape_elements(graph_node(r->graph, m->cost)->shape, &elements) && elements == 1)) {
        char text[SHAPE_TEXT_MAX];
        mistake(r->err, ERR_shape_mismatch, &cost_at, "the cost is one number, but '%s' is %s",
                graph_node(r->graph, m->cost)->name, shape_text(graph_node(r->graph, m->cost)->shape, text));
    }
    m->output = NODE_NONE;
    if (output)
        m->output = read_node_name(r, "output", output, &output_at);
    for (size_t i = graph_size(r->graph); !output && m->output == NODE_NONE && i-- > 0;) {
        const struct node *n = graph_node(r->graph, (node_id)i);
        if (n->name && n->op != OP_Input && (node_id)i != m->cost)
            m->output = (node_id)i;
    }
    for (size_t i = 0; json_is_array(outputs) && i < json_array_size(outputs); i++) {
        struct where at = {.up = &outputs_at, .index = i};
        (void)read_node_name(r, "outputs", json_array_get(outputs, i), &at);
    }
}

/* The parameters of every version are kept: how large they are is bounded before they are made. */
static void check_size(const struct reading *r, const struct model *m)
{
    struct where at = {.up = r->root, .key = "parameters"};
    int64_t total = 0, most = r->limits->memory_bytes / 8 / (int64_t)dtype_size(m->dtype);
    if (most > r->limits->parameter_elements)
        most = r->limits->parameter_elements;
    for (size_t i = 0; i < m->parameter_count; i++) {
        int64_t elements;
        if (shape_elements(graph_node(r->graph, m->parameters[i].node)->shape, &elements) &&
            !int64_add(total, elements, &total))
            total = INT64_MAX;
    }
    if (total > most)
        mistake(r->err, ERR_limit_exceeded, &at, "the parameters have %lld elements; the limit is %lld",
                (long long)total, (long long)most);
}

static bool make_roles(struct reading *r, struct model *m)
{
    m->dtype = r->dtype;
    m->seed = (uint64_t)r->seed;
    if (!add_leaves(r, m))
        return false;
    read_roles(r, m);
    check_size(r, m);
    m->graph = r->graph;
    r->graph = NULL;
    return true;
}

/* ---- all of it ---- */

static void read_settings(struct reading *r)
{
    const json_t *dtype = json_object_get(r->spec, "dtype"), *seed = json_object_get(r->spec, "seed");
    struct where dtype_at = {.up = r->root, .key = "dtype"}, seed_at = {.up = r->root, .key = "seed"};
    const char *name;
    r->dtype = DTYPE_FLOAT32;
    if (dtype && read_string(dtype, &dtype_at, &name, r->err) && !dtype_find(name, &r->dtype))
        mistake(r->err, ERR_invalid_value, &dtype_at, "a dtype is float32 or float64, not '%.64s'", name);
    if (seed)
        (void)read_whole(seed, 0, WHOLE_MAX, &seed_at, &r->seed, r->err);
}

/* The model, or NULL; what is wrong is in err, whose list is left open. */
static struct model *read_model(const json_t *spec, const struct limits *limits, const struct where *root,
                                struct error *err)
{
    struct reading r = {.spec = spec, .limits = limits, .root = root, .err = err};
    struct model *m = calloc(1, sizeof *m);
    if (!m) {
        error_set(err, ERR_out_of_memory, NULL);
        return NULL;
    }
    (void)read_object(spec, model_fields, root, err);
    bool whole = json_is_object(spec);
    if (whole) {
        read_settings(&r);
        whole = read_lists(&r) && read_form(&r) && build(&r) && make_roles(&r, m);
    }
    program_free(r.program);
    graph_free(r.graph);
    for (size_t i = 0; i < r.listed_count; i++)
        free(r.listed[i].pointer);
    free(r.listed);
    names_free(r.index);
    if (!whole || err->code != ERR_ok) {
        model_free(m);
        return NULL;
    }
    return m;
}

/* Ends the reading of a model: the mistakes of `found` become err's. */
static err_code close_model(struct error *found, struct error *err)
{
    err_code code = found->total ? error_close(found, ERR_invalid_model, "the model") : found->code;
    error_move(err, found);
    return code;
}

err_code decode_model(const char *canonical, const struct limits *limits, struct model **ret, struct error *err)
{
    json_t *spec = NULL;
    err_code code = json_read(canonical, strlen(canonical), limits->json_nesting, &spec, err);
    if (code != ERR_ok)
        return code;
    struct where root = {0};
    struct error found = {0};
    struct model *m = read_model(spec, limits, &root, &found);
    json_decref(spec);
    code = close_model(&found, err);
    if (code == ERR_ok)
        *ret = m;
    return code;
}

/* ---- the canonical spec ---- */

/* Fields in this order, `program` as one text, dtype, seed, cost and output filled in; inputs and parameters in the
 * client's order, which is the order of digests. */
static char *canonical_text(const json_t *spec, const struct model *m, const struct limits *limits)
{
    static const char *const copied[] = {"nodes", "layers", "input", "loss", "inputs", "parameters"};
    struct text text = {0}, program = {0};
    struct json j = {.text = &text};
    struct where root = {0};
    struct error ignored = {0};
    put_object(&j);
    if (json_object_get(spec, "program") &&
        read_program_text(json_object_get(spec, "program"), limits, &root, &program, &ignored)) {
        put_key(&j, "program");
        put_string(&j, program.data ? program.data : "");
    }
    for (size_t i = 0; i < sizeof copied / sizeof copied[0]; i++) {
        if (json_object_get(spec, copied[i])) {
            put_key(&j, copied[i]);
            put_value(&j, json_object_get(spec, copied[i]));
        }
    }
    if (m->cost != NODE_NONE) {
        put_key(&j, "cost");
        put_string(&j, graph_node(m->graph, m->cost)->name);
    }
    if (m->output != NODE_NONE) {
        put_key(&j, "output");
        put_string(&j, graph_node(m->graph, m->output)->name);
    }
    put_key(&j, "dtype");
    put_string(&j, dtype_name(m->dtype));
    put_key(&j, "seed");
    put_whole(&j, (int64_t)m->seed);
    put_object_end(&j);
    text_clear(&program);
    error_clear(&ignored);
    return text_take(&text);
}

err_code decode_model_request(const char *bytes, size_t size, bool needs_name, const struct limits *limits,
                              struct model_request *ret, struct error *err)
{
    json_t *spec = NULL;
    struct model_request request = {0};
    err_code code = json_read(bytes, size, limits->json_nesting, &spec, err);
    if (code != ERR_ok)
        return code;
    struct error found = {0};
    struct where root = {0}, name_at = {.up = &root, .key = "name"};
    const json_t *name = needs_name ? required_field(spec, "name", &root, &found) : json_object_get(spec, "name");
    const char *text = NULL;
    if (name && read_name(name, &name_at, &text, &found)) {
        request.name = strdup(text);
        if (!request.name)
            error_set(&found, ERR_out_of_memory, NULL);
    }
    request.model = read_model(spec, limits, &root, &found);
    if (request.model) {
        request.canonical = canonical_text(spec, request.model, limits);
        if (!request.canonical)
            error_set(&found, ERR_out_of_memory, NULL);
    }
    json_decref(spec);
    code = close_model(&found, err);
    if (code == ERR_ok)
        *ret = request;
    else
        model_request_clear(&request);
    return code;
}

void model_request_clear(struct model_request *r)
{
    free(r->name);
    model_free(r->model);
    free(r->canonical);
    *r = (struct model_request){0};
}

err_code put_model_form(struct json *j, const char *canonical, const struct limits *limits, struct error *err)
{
    static const char *const members[] = {"program", "layers", "input", "loss"};
    json_t *spec = NULL;
    err_code code = json_read(canonical, strlen(canonical), limits->json_nesting, &spec, err);
    for (size_t i = 0; code == ERR_ok && i < sizeof members / sizeof members[0]; i++) {
        const json_t *value = json_object_get(spec, members[i]);
        if (value) {
            put_key(j, members[i]);
            put_value(j, value);
        }
    }
    json_decref(spec);
    return code;
}
