/* Questions about a program that comes with them. */
#include "api/codec_program.h"
#include "api/codec_query.h"
#include "base/digest.h"
#include <string.h>

/* A leaf that the program declares must have a value; one that it only uses was refused by the parser. */
static bool check_values(struct query_reading *r, const struct program *program)
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
static struct shape declared_shape(const struct query_reading *r, size_t input)
{
    const struct named_tensor *t = &r->request->question.inputs[input];
    struct shape shape = t->tensor->shape;
    for (size_t i = 0; shape.rank > 0 && i < r->batch_count; i++)
        if (strcmp(r->batch[i].name, t->name) == 0)
            shape.dim[0] = DIM_BATCH;
    return shape;
}

/* `batch`: the inputs whose first axis is the batch. */
static void take_batch(struct query_reading *r)
{
    const struct question *q = &r->request->question;
    query_names(r, "batch", &r->batch, &r->batch_count);
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

static err_code build_graph(struct query_reading *r, const struct program *program, struct graph **ret)
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
static void make_key(struct query_reading *r, const struct text *text, char ret[80])
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
static void take_defaults(struct query_reading *r, const struct program *program)
{
    struct question *q = &r->request->question;
    node_id last = program_last(program);
    struct named_place *names = arena_array(r->request->arena, program_size(program) + 1, sizeof *names);
    if (!names) {
        query_no_memory(r);
        return;
    }
    if (q->of_count == 0 && last != NODE_NONE) {
        names[0].name = query_keep(r, program_node(program, last)->name);
        q->of = names++;
        q->of_count = 1;
    }
    if (q->wrt_count == 0 && q->kind != QUESTION_EVALUATE && q->kind != QUESTION_JVP) {
        q->wrt = names;
        for (size_t i = 0; i < program_size(program); i++) {
            const struct program_node *n = program_node(program, (node_id)i);
            if (n->op == OP_Input && n->name)
                names[q->wrt_count++].name = query_keep(r, n->name);
        }
    }
}

static void take_program(struct query_reading *r, struct differentiate_request *ret)
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
        query_no_memory(r);
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

struct differentiate_decoding {
    const struct limits *limits;
    struct differentiate_request *ret;
};

static err_code decode(void *context, const json_t *body, struct lifted *lifted, struct error *err)
{
    static const char *const known[] = {"program",   "inputs",     "of",         "wrt",   "dtype",    "query",
                                        "cotangent", "cotangents", "per_sample", "trace", "symbolic", "tangents",
                                        "vector",    "vectors",    "batch",      NULL};
    const struct differentiate_decoding *d = context;
    struct error found = {0};
    struct where root = {0};
    struct differentiate_request request = {0};
    struct query_reading r = {.body = body,
                              .lifted = lifted,
                              .limits = d->limits,
                              .root = &root,
                              .dtype = DTYPE_FLOAT64,
                              .request = &request.query,
                              .err = &found};
    (void)read_object(body, known, &root, &found);
    if (json_is_object(body)) {
        query_dtype(&r);
        if (query_begin(&r)) {
            query_kind(&r);
            query_inputs(&r);
            query_question(&r);
            take_batch(&r);
            take_program(&r, &request);
        }
    }
    err_code code = query_close(&found, err);
    if (code == ERR_ok) {
        request.query.question.graph = request.graph;
        *d->ret = request;
        d->ret->query.question.graph_key = d->ret->key;
    } else {
        differentiate_request_clear(&request);
    }
    return code;
}

static void undo(void *context)
{
    differentiate_request_clear(((const struct differentiate_decoding *)context)->ret);
}

err_code decode_differentiate_request(const char *bytes, size_t size, const struct limits *limits,
                                      struct differentiate_request *ret, struct error *err)
{
    struct differentiate_decoding d = {.limits = limits, .ret = ret};
    const struct body_reader reader = {.read = decode, .undo = undo, .context = &d};
    return lifted_decode(bytes, size, limits->json_nesting, &reader, err);
}

void differentiate_request_clear(struct differentiate_request *r)
{
    query_request_clear(&r->query);
    graph_free(r->graph);
    *r = (struct differentiate_request){0};
}
