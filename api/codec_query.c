/* Queries from their requests. What stays of a request (names, rows) is copied into its arena; tensors are its own. */
#include "api/codec.h"
#include "api/codec_program.h"
#include "api/codec_tensor.h"
#include "base/digest.h"
#include <stdlib.h>
#include <string.h>

struct reading {
    const json_t *body;
    const struct limits *limits;
    const struct where *root;
    enum dtype dtype;
    const struct named_place *batch; /* inputs whose first axis is the batch */
    size_t batch_count;
    struct query_request *request;
    struct error *err;
};

static bool no_memory(struct reading *r)
{
    error_set(r->err, ERR_out_of_memory, NULL);
    return false;
}

static const char *keep(struct reading *r, const char *text)
{
    const char *kept = arena_copy(r->request->arena, text, strlen(text));
    if (!kept)
        no_memory(r);
    return kept;
}

static struct place place_at(struct reading *r, const struct where *at)
{
    char *pointer = where_pointer(at);
    struct place place = {.pointer = pointer ? keep(r, pointer) : NULL};
    free(pointer);
    return place;
}

/* Reads a tensor that the request owns. */
static const struct tensor *take_tensor(struct reading *r, const json_t *value, const struct where *at)
{
    struct tensor *tensor = NULL;
    if (!read_tensor(value, r->dtype, r->limits, at, &tensor, r->err))
        return NULL;
    r->request->owned[r->request->owned_count++] = tensor;
    return tensor;
}

/* ---- names ---- */

static bool take_name(struct reading *r, const json_t *value, const struct where *at, struct named_place *ret)
{
    const char *name;
    if (!read_string(value, at, &name, r->err))
        return false;
    *ret = (struct named_place){.name = keep(r, name), .place = place_at(r, at)};
    return ret->name != NULL;
}

/* A list of names, or one name. */
static void take_names(struct reading *r, const char *field, const struct named_place **ret, size_t *ret_count)
{
    const json_t *value = json_object_get(r->body, field);
    struct where at = {.up = r->root, .key = field};
    if (!value)
        return;
    bool is_list = json_is_array(value);
    size_t count = is_list ? json_array_size(value) : 1, taken = 0;
    if (count > (size_t)r->limits->program_names) {
        mistake(r->err, ERR_limit_exceeded, &at, "there are %zu names; the limit is %lld", count,
                (long long)r->limits->program_names);
        return;
    }
    if (is_list && count == 0)
        mistake(r->err, ERR_invalid_value, &at, "`%s` names nothing: leave it out, or name a node", field);
    struct named_place *names = arena_array(r->request->arena, count + 1, sizeof *names);
    if (!names) {
        no_memory(r);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct where item = {.up = &at, .index = i};
        taken += take_name(r, is_list ? json_array_get(value, i) : value, is_list ? &item : &at, &names[taken]);
    }
    *ret = names;
    *ret_count = taken;
}

/* ---- values ---- */

static void take_inputs(struct reading *r)
{
    const json_t *inputs = json_object_get(r->body, "inputs");
    struct where at = {.up = r->root, .key = "inputs"};
    if (!inputs)
        return;
    if (!json_is_object(inputs)) {
        mistake(r->err, ERR_wrong_type, &at, "inputs are an object of tensors by name, not %s", json_kind(inputs));
        return;
    }
    struct named_tensor *values = arena_array(r->request->arena, json_object_size(inputs) + 1, sizeof *values);
    if (!values) {
        no_memory(r);
        return;
    }
    size_t count = 0;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)inputs, key, value)
    {
        struct where item = {.up = &at, .key = key};
        struct named_tensor *v = &values[count];
        v->tensor = take_tensor(r, value, &item);
        v->name = keep(r, key);
        v->place = place_at(r, &item);
        count += v->tensor && v->name;
    }
    r->request->question.inputs = values;
    r->request->question.input_count = count;
}

/* One cotangent, or many with a leading axis. */
static void take_cotangent(struct reading *r)
{
    const json_t *cotangent = json_object_get(r->body, "cotangent"), *many = json_object_get(r->body, "cotangents");
    struct where at = {.up = r->root, .key = many ? "cotangents" : "cotangent"};
    if (cotangent && many)
        mistake(r->err, ERR_conflicting_fields, &at, "give either `cotangent` or `cotangents`");
    r->request->question.many = many != NULL;
    if (many)
        cotangent = many;
    if (cotangent) {
        r->request->question.cotangent = take_tensor(r, cotangent, &at);
        r->request->question.cotangent_place = place_at(r, &at);
    }
}

/* ---- directions ---- */

/* Adds a name to those that are differentiated by, unless it is there. */
static void add_wrt(struct reading *r, struct named_place *wrt, const struct named_tensor *t)
{
    struct question *q = &r->request->question;
    size_t i = 0;
    while (i < q->wrt_count && strcmp(wrt[i].name, t->name) != 0)
        i++;
    if (i == q->wrt_count)
        wrt[q->wrt_count++] = (struct named_place){.name = t->name, .place = t->place};
}

/* {name: tensor}; with `wrt` its names are what is differentiated by. */
static void take_direction(struct reading *r, const json_t *value, const struct where *at, struct named_place *wrt,
                           struct direction *ret)
{
    if (!json_is_object(value) || json_object_size(value) == 0) {
        mistake(r->err, ERR_wrong_type, at, "a vector is an object of tensors by name, at least one, not %s",
                json_is_object(value) ? "an empty one" : json_kind(value));
        return;
    }
    struct named_tensor *tensors = arena_array(r->request->arena, json_object_size(value) + 1, sizeof *tensors);
    if (!tensors) {
        no_memory(r);
        return;
    }
    const char *key;
    json_t *item;
    json_object_foreach((json_t *)value, key, item)
    {
        struct where item_at = {.up = at, .key = key};
        struct named_tensor *t = &tensors[ret->count];
        t->tensor = take_tensor(r, item, &item_at);
        t->name = keep(r, key);
        t->place = place_at(r, &item_at);
        if (!t->tensor || !t->name)
            continue;
        ret->count++;
        if (wrt)
            add_wrt(r, wrt, t);
    }
    ret->tensors = tensors;
}

/* Room for the names of all directions. */
static struct named_place *room_for_names(struct reading *r, const json_t *value, size_t count)
{
    size_t names = json_is_array(value) ? 0 : json_object_size(value);
    for (size_t i = 0; json_is_array(value) && i < count; i++)
        names += json_object_size(json_array_get(value, i));
    struct named_place *wrt = arena_array(r->request->arena, names + 1, sizeof *wrt);
    return wrt;
}

/* A vector, or a list of them; named: their names are what is differentiated by. */
static void take_directions(struct reading *r, const char *field, bool list, bool named)
{
    struct question *q = &r->request->question;
    const json_t *value = json_object_get(r->body, field);
    struct where at = {.up = r->root, .key = field};
    q->many = list;
    size_t count = list ? json_array_size(value) : 1;
    if (list && count == 0) {
        mistake(r->err, ERR_wrong_type, &at, "`%s` is a list of at least one object of tensors by name", field);
        return;
    }
    struct direction *directions = arena_array(r->request->arena, count, sizeof *directions);
    struct named_place *wrt = named ? room_for_names(r, value, count) : NULL;
    if (!directions || (named && !wrt)) {
        no_memory(r);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct where item = {.up = &at, .index = i};
        take_direction(r, list ? json_array_get(value, i) : value, list ? &item : &at, wrt, &directions[i]);
    }
    q->directions = directions;
    q->direction_count = count;
    if (named)
        q->wrt = wrt;
}

static void take_tangents(struct reading *r)
{
    const json_t *tangents = required_field(r->body, "tangents", r->root, r->err);
    if (tangents)
        take_directions(r, "tangents", json_is_array(tangents), true);
}

static void take_vectors(struct reading *r)
{
    bool many = json_object_get(r->body, "vectors") != NULL;
    struct where at = {.up = r->root, .key = "vectors"};
    if (many && json_object_get(r->body, "vector"))
        mistake(r->err, ERR_conflicting_fields, &at, "give either `vector` or `vectors`");
    if (many || required_field(r->body, "vector", r->root, r->err))
        take_directions(r, many ? "vectors" : "vector", many, false);
}

/* ---- rows ---- */

static bool take_cell(struct reading *r, const char *column, const json_t *value, const struct where *at,
                      struct cell *ret)
{
    *ret = (struct cell){.column = keep(r, column), .place = place_at(r, at)};
    if (json_is_string(value)) {
        ret->label = keep(r, json_string_value(value));
        return ret->column && ret->label;
    }
    enum dtype dtype = r->dtype;
    r->dtype = DTYPE_FLOAT64; /* the data's own units: rounded to the model's dtype after the transform */
    const struct tensor *numbers = take_tensor(r, value, at);
    r->dtype = dtype;
    if (!numbers)
        return false;
    ret->numbers = numbers->data;
    ret->count = (size_t)tensor_elements(numbers);
    return ret->column != NULL;
}

static void take_row(struct reading *r, const json_t *value, const struct where *at, struct row *ret)
{
    *ret = (struct row){.place = place_at(r, at)};
    if (!json_is_object(value)) {
        mistake(r->err, ERR_wrong_type, at, "a row is an object of cells by column, not %s", json_kind(value));
        return;
    }
    struct cell *cells = arena_array(r->request->arena, json_object_size(value) + 1, sizeof *cells);
    if (!cells) {
        no_memory(r);
        return;
    }
    const char *key;
    json_t *cell;
    json_object_foreach((json_t *)value, key, cell)
    {
        struct where cell_at = {.up = at, .key = key};
        ret->count += take_cell(r, key, cell, &cell_at, &cells[ret->count]);
    }
    ret->cells = cells;
}

static void take_rows(struct reading *r)
{
    const json_t *rows = json_object_get(r->body, "rows");
    struct where at = {.up = r->root, .key = "rows"};
    if (!rows)
        return;
    if (json_object_get(r->body, "inputs"))
        mistake(r->err, ERR_conflicting_fields, &at, "give either `rows` or `inputs`");
    if (!json_is_array(rows) || json_array_size(rows) == 0) {
        mistake(r->err, ERR_wrong_type, &at, "rows are an array of at least one object");
        return;
    }
    size_t count = json_array_size(rows);
    r->request->rows = arena_array(r->request->arena, count, sizeof *r->request->rows);
    if (!r->request->rows) {
        no_memory(r);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct where row_at = {.up = &at, .index = i};
        take_row(r, json_array_get(rows, i), &row_at, &r->request->rows[i]);
    }
    r->request->row_count = count;
}

/* Tensors that the request may come to own: a bound, counted before anything is read. */
static size_t count_tensors(const json_t *body)
{
    static const char *const fields[] = {"inputs", "tangents", "vector"};
    static const char *const lists[] = {"rows", "tangents", "vectors"};
    size_t count = 1;
    for (size_t k = 0; k < 3; k++) {
        const json_t *list = json_object_get(body, lists[k]);
        count += json_object_size(json_object_get(body, fields[k]));
        for (size_t i = 0; i < json_array_size(list); i++)
            count += json_object_size(json_array_get(list, i));
    }
    return count;
}

static bool begin(struct reading *r)
{
    r->request->arena = arena_new();
    r->request->owned = calloc(count_tensors(r->body), sizeof(struct tensor *));
    r->request->question.dtype = r->dtype;
    return (r->request->arena && r->request->owned) || no_memory(r);
}

static void take_flag(struct reading *r, const char *field, bool *ret)
{
    const json_t *value = json_object_get(r->body, field);
    struct where at = {.up = r->root, .key = field};
    if (value)
        (void)read_bool(value, &at, ret, r->err);
}

/* Another dtype than the one that is there. */
static void take_dtype(struct reading *r)
{
    const json_t *dtype = json_object_get(r->body, "dtype");
    struct where at = {.up = r->root, .key = "dtype"};
    const char *name;
    if (dtype && read_string(dtype, &at, &name, r->err) && !dtype_find(name, &r->dtype))
        mistake(r->err, ERR_invalid_value, &at, "a dtype is float32 or float64, not '%.64s'", name);
}

/* ---- what each kind of question takes ---- */

static const struct {
    const char *name;
    const char *fields[8]; /* beside inputs and of */
} kinds[] = {
    [QUESTION_EVALUATE] = {"evaluate", {NULL}},
    [QUESTION_GRADIENT] = {"gradient", {"wrt", "cotangent", "cotangents", "per_sample", "trace", "symbolic", NULL}},
    [QUESTION_JACOBIAN] = {"jacobian", {"wrt", NULL}},
    [QUESTION_JVP] = {"jvp", {"tangents", NULL}},
    [QUESTION_HVP] = {"hvp", {"wrt", "vector", "vectors", NULL}},
    [QUESTION_HESSIAN] = {"hessian", {"wrt", NULL}},
    [QUESTION_CHECK] = {"check", {"wrt", NULL}},
};
enum { KIND_COUNT = sizeof kinds / sizeof *kinds };

/* Fields of other kinds of questions. */
static void refuse_foreign(struct reading *r)
{
    static const char *const all[] = {"wrt",      "cotangent", "cotangents", "per_sample", "trace",
                                      "symbolic", "tangents",  "vector",     "vectors"};
    enum question_kind kind = r->request->question.kind;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct where at = {.up = r->root, .key = all[i]};
        bool own = false;
        for (size_t k = 0; !own && kinds[kind].fields[k]; k++)
            own = strcmp(kinds[kind].fields[k], all[i]) == 0;
        if (!own && json_object_get(r->body, all[i]))
            mistake(r->err, ERR_conflicting_fields, &at, "a query of kind %s takes no `%s`", kinds[kind].name, all[i]);
    }
}

/* What the question says beside inputs. */
static void take_question(struct reading *r)
{
    struct question *q = &r->request->question;
    struct where of_at = {.up = r->root, .key = "of"};
    refuse_foreign(r);
    take_names(r, "of", &q->of, &q->of_count);
    if (q->kind != QUESTION_EVALUATE && q->of_count > 1)
        mistake(r->err, ERR_wrong_type, &of_at, "a %s is of one value: name one node", kinds[q->kind].name);
    if (q->kind != QUESTION_EVALUATE && q->kind != QUESTION_JVP)
        take_names(r, "wrt", &q->wrt, &q->wrt_count);
    if (q->kind == QUESTION_GRADIENT) {
        take_cotangent(r);
        take_flag(r, "trace", &q->trace);
        take_flag(r, "symbolic", &q->symbolic);
        take_flag(r, "per_sample", &q->per_sample);
    } else if (q->kind == QUESTION_JVP) {
        take_tangents(r);
    } else if (q->kind == QUESTION_HVP) {
        take_vectors(r);
    }
}

static void take_version(struct reading *r)
{
    const json_t *version = json_object_get(r->body, "version");
    struct where at = {.up = r->root, .key = "version"};
    if (version)
        (void)read_whole(version, 1, WHOLE_MAX, &at, &r->request->version, r->err);
}

static err_code close_query(struct error *found, struct error *err)
{
    err_code code = found->total ? error_close(found, ERR_invalid_query, "the query") : found->code;
    error_move(err, found);
    return code;
}

/* ---- rows of a stored table ---- */

/* [from, to]: half-open. */
static void take_row_range(struct reading *r)
{
    const json_t *range = json_object_get(r->body, "row_range");
    struct where at = {.up = r->root, .key = "row_range"};
    int64_t ends[2];
    if (!range)
        return;
    if (!json_object_get(r->body, "dataset"))
        mistake(r->err, ERR_missing_field, &at, "`row_range` is of a `dataset`, which is missing");
    if (!json_is_array(range) || json_array_size(range) != 2) {
        mistake(r->err, ERR_wrong_type, &at, "a row_range is [from, to], from the first row to before another");
        return;
    }
    bool whole = true;
    for (size_t i = 0; i < 2; i++) {
        struct where item = {.up = &at, .index = i};
        whole = read_whole(json_array_get(range, i), 0, WHOLE_MAX, &item, &ends[i], r->err) && whole;
    }
    if (whole && ends[0] >= ends[1])
        mistake(r->err, ERR_out_of_range, &at, "there are no rows from %lld to before %lld", (long long)ends[0],
                (long long)ends[1]);
    else if (whole)
        r->request->range = (struct row_range){.from = ends[0], .to = ends[1], .has_end = true};
}

static void take_dataset(struct reading *r)
{
    static const char *const others[] = {"inputs", "rows"};
    const json_t *dataset = json_object_get(r->body, "dataset");
    struct where at = {.up = r->root, .key = "dataset"};
    const char *name;
    take_row_range(r);
    if (!dataset)
        return;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (json_object_get(r->body, others[i]))
            mistake(r->err, ERR_conflicting_fields, &at, "give either `dataset` or `%s`", others[i]);
    if (read_name(dataset, &at, &name, r->err))
        r->request->dataset = keep(r, name);
}

/* ---- queries on a model ---- */

static const char *const fields_of[][13] = {
    [FORM_PREDICT] = {"inputs", "dataset", "row_range", "rows", "outputs", "version", NULL},
    [FORM_EVALUATE] = {"inputs", "dataset", "row_range", "of", "version", "dtype", NULL},
    [FORM_GRADIENT] = {"inputs", "dataset", "row_range", "of", "wrt", "cotangent", "cotangents", "per_sample", "trace",
                       "version", "dtype", NULL},
    [FORM_JACOBIAN] = {"inputs", "dataset", "row_range", "of", "wrt", "version", "dtype", NULL},
    [FORM_JVP] = {"inputs", "dataset", "row_range", "of", "tangents", "version", "dtype", NULL},
    [FORM_HVP] = {"inputs", "dataset", "row_range", "of", "wrt", "vector", "vectors", "version", "dtype", NULL},
    [FORM_HESSIAN] = {"inputs", "dataset", "row_range", "of", "wrt", "version", "dtype", NULL},
    [FORM_CHECK] = {"inputs", "dataset", "row_range", "of", "wrt", "version", NULL},
};
static const enum question_kind kind_of[] = {
    [FORM_PREDICT] = QUESTION_EVALUATE,  [FORM_EVALUATE] = QUESTION_EVALUATE, [FORM_GRADIENT] = QUESTION_GRADIENT,
    [FORM_JACOBIAN] = QUESTION_JACOBIAN, [FORM_JVP] = QUESTION_JVP,           [FORM_HVP] = QUESTION_HVP,
    [FORM_HESSIAN] = QUESTION_HESSIAN,   [FORM_CHECK] = QUESTION_CHECK,
};

static void take_query(struct reading *r, enum query_form form)
{
    struct query_request *q = r->request;
    (void)read_object(r->body, fields_of[form], r->root, r->err);
    if (!json_is_object(r->body))
        return;
    if (form == FORM_CHECK)
        r->dtype = DTYPE_FLOAT64;
    else if (form != FORM_PREDICT)
        take_dtype(r);
    if (!begin(r))
        return;
    q->question.kind = kind_of[form];
    take_inputs(r);
    take_dataset(r);
    take_version(r);
    if (form == FORM_PREDICT) {
        take_rows(r);
        take_names(r, "outputs", &q->outputs, &q->output_count);
        return;
    }
    take_question(r);
}

err_code decode_query_request(const char *bytes, size_t size, enum query_form form, enum dtype dtype,
                              const struct limits *limits, struct query_request *ret, struct error *err)
{
    json_t *body = NULL;
    err_code code = json_read(bytes, size, limits->json_nesting, &body, err);
    if (code != ERR_ok)
        return code;
    struct error found = {0};
    struct where root = {0};
    struct query_request request = {0};
    struct reading r = {
        .body = body, .limits = limits, .root = &root, .dtype = dtype, .request = &request, .err = &found};
    take_query(&r, form);
    json_decref(body);
    code = close_query(&found, err);
    if (code == ERR_ok)
        *ret = request;
    else
        query_request_clear(&request);
    return code;
}

void query_request_clear(struct query_request *r)
{
    for (size_t i = 0; i < r->owned_count; i++)
        tensor_free(r->owned[i]);
    free(r->owned);
    arena_free(r->arena);
    *r = (struct query_request){0};
}

/* ---- /v1/differentiate ---- */

static void take_kind(struct reading *r)
{
    const json_t *query = json_object_get(r->body, "query");
    struct where at = {.up = r->root, .key = "query"};
    const char *name = "gradient";
    if (query && !read_string(query, &at, &name, r->err))
        return;
    size_t kind = 0;
    while (kind < KIND_COUNT && strcmp(name, kinds[kind].name) != 0)
        kind++;
    if (kind < KIND_COUNT)
        r->request->question.kind = (enum question_kind)kind;
    else
        mistake(r->err, ERR_invalid_value, &at,
                "a query is gradient, evaluate, jacobian, jvp, hvp, hessian or check, not '%.64s'", name);
}

/* A leaf that the program declares must have a value; one that it only uses was refused by the parser. */
static bool check_values(struct reading *r, const struct program *program)
{
    bool whole = true;
    for (size_t i = 0; i < program_size(program); i++) {
        const struct program_node *n = program_node(program, (node_id)i);
        if (n->op == OP_Input && n->name && !n->broken &&
            !json_object_get(json_object_get(r->body, "inputs"), n->name)) {
            error_add(r->err, ERR_missing_input, n->place, "the input '%s' has no value in `inputs`", n->name);
            whole = false;
        }
    }
    return whole;
}

/* The shape of an input, whose first axis is `batch` where it is named so. */
static struct shape declared_shape(const struct reading *r, size_t input)
{
    const struct named_tensor *t = &r->request->question.inputs[input];
    struct shape shape = t->tensor->shape;
    for (size_t i = 0; shape.rank > 0 && i < r->batch_count; i++)
        if (strcmp(r->batch[i].name, t->name) == 0)
            shape.dim[0] = DIM_BATCH;
    return shape;
}

/* `batch`: the inputs whose first axis is the batch. */
static void take_batch(struct reading *r)
{
    const struct question *q = &r->request->question;
    take_names(r, "batch", &r->batch, &r->batch_count);
    for (size_t i = 0; i < r->batch_count; i++) {
        const struct named_tensor *found = NULL;
        for (size_t k = 0; k < q->input_count; k++)
            if (strcmp(q->inputs[k].name, r->batch[i].name) == 0)
                found = &q->inputs[k];
        if (!found)
            error_add(r->err, ERR_unknown_name, r->batch[i].place, "'%s' is not among the inputs", r->batch[i].name);
        else if (found->tensor->shape.rank == 0)
            error_add(r->err, ERR_shape_mismatch, r->batch[i].place, "'%s' is a scalar and has no first axis",
                      r->batch[i].name);
    }
}

static err_code build_graph(struct reading *r, const struct program *program, struct graph **ret)
{
    const struct question *q = &r->request->question;
    struct named_shape *known = arena_array(r->request->arena, q->input_count + 1, sizeof *known);
    if (!known)
        return error_set(r->err, ERR_out_of_memory, NULL);
    /* After mistakes in the program the lines that use an input may be lost: then it is not told as unknown. */
    bool whole = r->err->total == 0;
    size_t count = 0;
    for (size_t i = 0; i < q->input_count; i++) {
        if (whole || program_find(program, q->inputs[i].name) != NODE_NONE)
            known[count++] = (struct named_shape){
                .name = q->inputs[i].name, .shape = declared_shape(r, i), .place = q->inputs[i].place};
    }
    return graph_build(program, known, count, (size_t)r->limits->nodes, ret, r->err);
}

/* What tells this graph from all others: the program's text, and the names and shapes of its inputs. */
static void make_key(struct reading *r, const struct text *text, char ret[80])
{
    struct digest d;
    char hex[DIGEST_TEXT_MAX], shape[SHAPE_TEXT_MAX];
    const struct question *q = &r->request->question;
    digest_start(&d);
    digest_text(&d, text->data ? text->data : "");
    for (size_t i = 0; i < q->input_count; i++) {
        digest_text(&d, q->inputs[i].name);
        digest_text(&d, shape_text(declared_shape(r, i), shape));
    }
    digest_end(&d, hex);
    memcpy(ret, "program:", 8);
    memcpy(ret + 8, hex, sizeof hex);
}

/* `of` is the last name assigned, `wrt` every input, where they are not given. */
static void take_defaults(struct reading *r, const struct program *program)
{
    struct question *q = &r->request->question;
    node_id last = program_last(program);
    struct named_place *names = arena_array(r->request->arena, program_size(program) + 1, sizeof *names);
    if (!names) {
        no_memory(r);
        return;
    }
    if (q->of_count == 0 && last != NODE_NONE) {
        names[0].name = keep(r, program_node(program, last)->name);
        q->of = names++;
        q->of_count = 1;
    }
    if (q->wrt_count == 0 && q->kind != QUESTION_EVALUATE && q->kind != QUESTION_JVP) {
        q->wrt = names;
        for (size_t i = 0; i < program_size(program); i++) {
            const struct program_node *n = program_node(program, (node_id)i);
            if (n->op == OP_Input && n->name)
                names[q->wrt_count++].name = keep(r, n->name);
        }
    }
}

static void take_program(struct reading *r, struct differentiate_request *ret)
{
    const json_t *value = required_field(r->body, "program", r->root, r->err),
                 *inputs = json_object_get(r->body, "inputs");
    struct where at = {.up = r->root, .key = "program"};
    if (!value)
        return;
    struct text text = {0};
    struct error ignored = {0};
    struct program *program = NULL;
    size_t count = 0;
    const char **names = arena_array(r->request->arena, json_object_size(inputs) + 1, sizeof *names);
    const char *key;
    json_t *item;
    if (!names) {
        no_memory(r);
        return;
    }
    json_object_foreach((json_t *)inputs, key, item) names[count++] = key;
    /* An input whose value has a mistake has no shape: what would follow from that is not told. */
    if (read_program(value, r->limits, names, count, &at, &program, r->err) && check_values(r, program) &&
        r->request->question.input_count == count) {
        (void)build_graph(r, program, &ret->graph);
        take_defaults(r, program);
        if (read_program_text(value, r->limits, &at, &text, &ignored))
            make_key(r, &text, ret->key);
    }
    if (program && r->request->question.of_count == 0 && r->err->total == 0)
        mistake(r->err, ERR_invalid_program, &at, "the program assigns nothing, so there is nothing to differentiate");
    text_clear(&text);
    error_clear(&ignored);
    program_free(program);
}

err_code decode_differentiate_request(const char *bytes, size_t size, const struct limits *limits,
                                      struct differentiate_request *ret, struct error *err)
{
    static const char *const known[] = {"program",   "inputs",     "of",         "wrt",   "dtype",    "query",
                                        "cotangent", "cotangents", "per_sample", "trace", "symbolic", "tangents",
                                        "vector",    "vectors",    "batch",      NULL};
    json_t *body = NULL;
    err_code code = json_read(bytes, size, limits->json_nesting, &body, err);
    if (code != ERR_ok)
        return code;
    struct error found = {0};
    struct where root = {0};
    struct differentiate_request request = {0};
    struct question *q = &request.query.question;
    struct reading r = {.body = body, .limits = limits, .root = &root, .request = &request.query, .err = &found};
    (void)read_object(body, known, &root, &found);
    if (json_is_object(body)) {
        r.dtype = DTYPE_FLOAT64;
        take_dtype(&r);
        if (begin(&r)) {
            take_kind(&r);
            take_inputs(&r);
            take_question(&r);
            take_batch(&r);
            take_program(&r, &request);
        }
    }
    json_decref(body);
    code = close_query(&found, err);
    if (code == ERR_ok) {
        q->graph = request.graph;
        *ret = request;
        ret->query.question.graph_key = ret->key;
    } else {
        differentiate_request_clear(&request);
    }
    return code;
}

void differentiate_request_clear(struct differentiate_request *r)
{
    query_request_clear(&r->query);
    graph_free(r->graph);
    *r = (struct differentiate_request){0};
}
