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

static void take_cotangent(struct reading *r)
{
    const json_t *cotangent = json_object_get(r->body, "cotangent");
    struct where at = {.up = r->root, .key = "cotangent"};
    if (cotangent) {
        r->request->question.cotangent = take_tensor(r, cotangent, &at);
        r->request->question.cotangent_place = place_at(r, &at);
    }
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
    size_t count = json_object_size(json_object_get(body, "inputs")) + 1;
    const json_t *rows = json_object_get(body, "rows");
    for (size_t i = 0; i < json_array_size(rows); i++)
        count += json_object_size(json_array_get(rows, i));
    return count;
}

static bool begin(struct reading *r)
{
    r->request->arena = arena_new();
    r->request->owned = calloc(count_tensors(r->body), sizeof(struct tensor *));
    r->request->question.dtype = r->dtype;
    return (r->request->arena && r->request->owned) || no_memory(r);
}

static void take_trace(struct reading *r)
{
    const json_t *trace = json_object_get(r->body, "trace");
    struct where at = {.up = r->root, .key = "trace"};
    if (trace)
        (void)read_bool(trace, &at, &r->request->question.trace, r->err);
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

/* ---- queries on a model ---- */

static const char *const fields_of[][8] = {
    [FORM_PREDICT] = {"inputs", "rows", "outputs", "version", NULL},
    [FORM_EVALUATE] = {"inputs", "of", "version", NULL},
    [FORM_GRADIENT] = {"inputs", "of", "wrt", "cotangent", "trace", "version", NULL},
};

static void take_query(struct reading *r, enum query_form form)
{
    struct query_request *q = r->request;
    (void)read_object(r->body, fields_of[form], r->root, r->err);
    if (!json_is_object(r->body) || !begin(r))
        return;
    q->question.kind = form == FORM_GRADIENT ? QUESTION_GRADIENT : QUESTION_EVALUATE;
    take_inputs(r);
    take_version(r);
    if (form == FORM_PREDICT) {
        take_rows(r);
        take_names(r, "outputs", &q->outputs, &q->output_count);
        return;
    }
    take_names(r, "of", &q->question.of, &q->question.of_count);
    if (form == FORM_GRADIENT) {
        struct where of_at = {.up = r->root, .key = "of"};
        if (q->question.of_count > 1)
            mistake(r->err, ERR_wrong_type, &of_at, "a gradient is of one value: name one node");
        take_names(r, "wrt", &q->question.wrt, &q->question.wrt_count);
        take_cotangent(r);
        take_trace(r);
    }
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

static void take_dtype(struct reading *r)
{
    const json_t *dtype = json_object_get(r->body, "dtype");
    struct where at = {.up = r->root, .key = "dtype"};
    const char *name;
    r->dtype = DTYPE_FLOAT64;
    if (dtype && read_string(dtype, &at, &name, r->err) && !dtype_find(name, &r->dtype))
        mistake(r->err, ERR_invalid_value, &at, "a dtype is float32 or float64, not '%.64s'", name);
}

static void take_kind(struct reading *r)
{
    const json_t *query = json_object_get(r->body, "query");
    struct where at = {.up = r->root, .key = "query"};
    const char *name = "gradient";
    if (query && !read_string(query, &at, &name, r->err))
        return;
    if (strcmp(name, "gradient") == 0)
        r->request->question.kind = QUESTION_GRADIENT;
    else if (strcmp(name, "evaluate") == 0)
        r->request->question.kind = QUESTION_EVALUATE;
    else
        mistake(r->err, ERR_invalid_value, &at, "a query is gradient or evaluate, not '%.64s'", name);
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
                .name = q->inputs[i].name, .shape = q->inputs[i].tensor->shape, .place = q->inputs[i].place};
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
        digest_text(&d, shape_text(q->inputs[i].tensor->shape, shape));
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
    if (q->wrt_count == 0 && q->kind == QUESTION_GRADIENT) {
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
    static const char *const known[] = {"program", "inputs", "of", "wrt", "dtype", "query", "cotangent", "trace", NULL};
    json_t *body = NULL;
    err_code code = json_read(bytes, size, limits->json_nesting, &body, err);
    if (code != ERR_ok)
        return code;
    struct error found = {0};
    struct where root = {0}, of_at = {.up = &root, .key = "of"};
    struct differentiate_request request = {0};
    struct question *q = &request.query.question;
    struct reading r = {.body = body, .limits = limits, .root = &root, .request = &request.query, .err = &found};
    (void)read_object(body, known, &root, &found);
    if (json_is_object(body)) {
        take_dtype(&r);
        if (begin(&r)) {
            take_kind(&r);
            take_inputs(&r);
            take_names(&r, "of", &q->of, &q->of_count);
            take_names(&r, "wrt", &q->wrt, &q->wrt_count);
            take_cotangent(&r);
            take_trace(&r);
            if (q->kind == QUESTION_GRADIENT && q->of_count > 1)
                mistake(&found, ERR_wrong_type, &of_at, "a gradient is of one value: name one node");
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
