/* Queries on a model from their requests, and what all queries share. */
#include "api/codec_query.h"
#include "api/codec_tensor.h"
#include <stdlib.h>
#include <string.h>

bool query_no_memory(struct query_reading *r)
{
    error_set(r->err, ERR_out_of_memory, NULL);
    return false;
}

const char *query_keep(struct query_reading *r, const char *text)
{
    const char *kept = arena_copy(r->request->arena, text, strlen(text));
    if (!kept)
        query_no_memory(r);
    return kept;
}

struct place query_place(struct query_reading *r, const struct where *at)
{
    char *pointer = where_pointer(at);
    struct place place = {.pointer = pointer ? query_keep(r, pointer) : NULL};
    free(pointer);
    return place;
}

/* Reads a tensor that the request owns. */
const struct tensor *query_tensor(struct query_reading *r, const json_t *value, const struct where *at)
{
    struct tensor *tensor = NULL;
    if (!lifted_take(r->lifted, value, r->dtype, r->limits, at, &tensor) &&
        !read_tensor(value, r->dtype, r->limits, at, &tensor, r->err))
        return NULL;
    r->request->owned[r->request->owned_count++] = tensor;
    return tensor;
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

bool query_begin(struct query_reading *r)
{
    r->request->arena = arena_new();
    r->request->owned = calloc(count_tensors(r->body), sizeof(struct tensor *));
    r->request->question.dtype = r->dtype;
    return (r->request->arena && r->request->owned) || query_no_memory(r);
}

err_code query_close(struct error *found, struct error *err)
{
    err_code code = found->total ? error_close(found, ERR_invalid_query, "the query") : found->code;
    error_move(err, found);
    return code;
}

/* ---- queries on a model ---- */

static void take_version(struct query_reading *r)
{
    const json_t *version = json_object_get(r->body, "version");
    struct where at = {.up = r->root, .key = "version"};
    if (version)
        (void)read_whole(version, 1, WHOLE_MAX, &at, &r->request->version, r->err);
}

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

static void take_query(struct query_reading *r, enum query_form form)
{
    struct query_request *q = r->request;
    (void)read_object(r->body, fields_of[form], r->root, r->err);
    if (!json_is_object(r->body))
        return;
    if (form == FORM_CHECK)
        r->dtype = DTYPE_FLOAT64;
    else if (form != FORM_PREDICT)
        query_dtype(r);
    if (!query_begin(r))
        return;
    q->question.kind = kind_of[form];
    query_inputs(r);
    query_dataset(r);
    take_version(r);
    if (form == FORM_PREDICT) {
        query_rows(r);
        query_names(r, "outputs", &q->outputs, &q->output_count);
        return;
    }
    query_question(r);
}

struct query_decoding {
    enum query_form form;
    enum dtype dtype;
    const struct limits *limits;
    struct query_request *ret;
};

static err_code decode(void *context, const json_t *body, struct lifted *lifted, struct error *err)
{
    const struct query_decoding *d = context;
    struct error found = {0};
    struct where root = {0};
    struct query_request request = {0};
    struct query_reading r = {.body = body,
                              .lifted = lifted,
                              .limits = d->limits,
                              .root = &root,
                              .dtype = d->dtype,
                              .request = &request,
                              .err = &found};
    take_query(&r, d->form);
    err_code code = query_close(&found, err);
    if (code == ERR_ok)
        *d->ret = request;
    else
        query_request_clear(&request);
    return code;
}

static void undo(void *context)
{
    query_request_clear(((const struct query_decoding *)context)->ret);
}

err_code decode_query_request(const char *bytes, size_t size, enum query_form form, enum dtype dtype,
                              const struct limits *limits, struct query_request *ret, struct error *err)
{
    struct query_decoding d = {.form = form, .dtype = dtype, .limits = limits, .ret = ret};
    const struct body_reader reader = {.read = decode, .undo = undo, .context = &d};
    return lifted_decode(bytes, size, limits->json_nesting, &reader, err);
}

void query_request_clear(struct query_request *r)
{
    for (size_t i = 0; i < r->owned_count; i++)
        tensor_free(r->owned[i]);
    free(r->owned);
    arena_free(r->arena);
    *r = (struct query_request){0};
}
