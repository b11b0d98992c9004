/* POST /v1/models/{m}/predict, evaluate, gradient, jacobian, jvp, hvp, hessian, check. */
#include "api/answers.h"
#include "api/codec.h"
#include "api/routes.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One query while it is answered. */
struct asking {
    struct request *request;
    struct reply *reply;
    enum query_form form;
    bool flat;
    struct held_model model;
    struct held_version version;
    struct query_request query;
    struct named_tensor *parameters;
    struct named_place *names; /* of `of` and wrt where they are the defaults */
    struct named_tensor *row_inputs;
    struct tensor **row_tensors;
    size_t row_tensor_count;
    char key[32];
    bool later;
};

static void asking_clear(struct asking *a)
{
    struct catalog *catalog = a->request->app->catalog;
    for (size_t i = 0; i < a->row_tensor_count; i++)
        tensor_free(a->row_tensors[i]);
    free(a->row_tensors);
    free(a->row_inputs);
    free(a->names);
    free(a->parameters);
    query_request_clear(&a->query);
    catalog_release_version(catalog, &a->version);
    catalog_release_model(catalog, &a->model);
}

/* ---- what the request leaves out ---- */

static err_code take_parameters(struct asking *a, struct error *err)
{
    const struct model *m = a->model.model;
    a->parameters = calloc(m->parameter_count + 1, sizeof *a->parameters);
    a->names = calloc(m->parameter_count + 2, sizeof *a->names);
    if (!a->parameters || !a->names)
        return error_set(err, ERR_out_of_memory, NULL);
    for (size_t i = 0; i < m->parameter_count; i++)
        a->parameters[i] = (struct named_tensor){.name = graph_node(m->graph, m->parameters[i].node)->name,
                                                 .tensor = a->version.parameters[i]};
    a->query.question.parameters = a->parameters;
    a->query.question.parameter_count = m->parameter_count;
    return ERR_ok;
}

/* `of` is the cost of a gradient or second derivatives, else the output. */
static err_code default_of(struct asking *a, struct error *err)
{
    const struct model *m = a->model.model;
    bool is_gradient =
        a->form == FORM_GRADIENT || a->form == FORM_HVP || a->form == FORM_HESSIAN || a->form == FORM_CHECK;
    node_id of = is_gradient ? m->cost : m->output;
    if (of == NODE_NONE) {
        error_add(err, is_gradient ? ERR_no_cost : ERR_missing_field, (struct place){.pointer = "/of"},
                  is_gradient ? "the model has no cost: say with `of` what to differentiate"
                              : "the model has no output: say with `of` what to compute");
        return error_close(err, ERR_invalid_query, "the query");
    }
    a->names[0] = (struct named_place){.name = graph_node(m->graph, of)->name};
    a->query.question.of = a->names;
    a->query.question.of_count = 1;
    return ERR_ok;
}

static err_code take_defaults(struct asking *a, struct error *err)
{
    struct question *q = &a->query.question;
    const struct model *m = a->model.model;
    if (a->form == FORM_PREDICT && a->query.output_count > 0) {
        q->of = a->query.outputs;
        q->of_count = a->query.output_count;
    }
    err_code code = q->of_count > 0 ? ERR_ok : default_of(a, err);
    if (code == ERR_ok && q->kind != QUESTION_EVALUATE && q->wrt_count == 0) {
        for (size_t i = 0; i < m->parameter_count; i++)
            a->names[i + 1] = (struct named_place){.name = a->parameters[i].name};
        q->wrt = a->names + 1;
        q->wrt_count = m->parameter_count;
    }
    return code;
}

/* ---- rows ---- */

/* The nodes that are asked for or derived by: an unknown name is told by question_prepare. */
static size_t asked_nodes(const struct question *q, const struct model *m, node_id *ret)
{
    size_t count = 0;
    for (size_t i = 0; i < q->of_count; i++) {
        ret[count] = graph_find(m->graph, q->of[i].name);
        count += ret[count] != NODE_NONE;
    }
    for (size_t i = 0; i < q->wrt_count; i++) {
        ret[count] = graph_find(m->graph, q->wrt[i].name);
        count += ret[count] != NODE_NONE;
    }
    return count;
}

/* A data set that is not there is a mistake in the body. */
static err_code hold_table(struct asking *a, struct held_table *ret, struct error *err)
{
    struct error lookup = {0};
    err_code code = catalog_hold_table(a->request->app->catalog, a->query.dataset, ret, &lookup);
    if (code == ERR_not_found) {
        error_clear(&lookup);
        error_add(err, ERR_unknown_dataset, (struct place){.pointer = "/dataset"}, "there is no data set '%s'",
                  a->query.dataset);
        return error_close(err, ERR_invalid_query, "the query");
    }
    error_move(err, &lookup);
    return code;
}

static err_code read_table(struct asking *a, const node_id *nodes, size_t node_count, const char **names,
                           struct error *err)
{
    struct held_table table = {0};
    err_code code = hold_table(a, &table, err);
    if (code == ERR_ok)
        code = table_to_inputs(&a->model, &a->version, table.table, &a->query.range, nodes, node_count,
                               a->query.question.dtype, query_arena_max(&a->request->app->config->limits), names,
                               a->row_tensors, &a->row_tensor_count, err);
    catalog_release_table(a->request->app->catalog, &table);
    return code;
}

/* What the question needs, from rows of the request or of a table through the version's transforms. */
static err_code take_rows(struct asking *a, struct error *err)
{
    const struct model *m = a->model.model;
    struct question *q = &a->query.question;
    const char **names = calloc(m->input_count + 1, sizeof *names);
    node_id *nodes = calloc(q->of_count + q->wrt_count + 1, sizeof *nodes);
    a->row_tensors = calloc(m->input_count + 1, sizeof *a->row_tensors);
    a->row_inputs = calloc(m->input_count + 1, sizeof *a->row_inputs);
    err_code code =
        names && nodes && a->row_tensors && a->row_inputs ? ERR_ok : error_set(err, ERR_out_of_memory, NULL);
    size_t node_count = code == ERR_ok ? asked_nodes(q, m, nodes) : 0;
    if (code == ERR_ok && a->query.dataset)
        code = read_table(a, nodes, node_count, names, err);
    else if (code == ERR_ok)
        code = rows_to_inputs(&a->model, &a->version, a->query.rows, a->query.row_count, nodes, node_count, names,
                              a->row_tensors, &a->row_tensor_count, err);
    for (size_t i = 0; code == ERR_ok && i < a->row_tensor_count; i++)
        a->row_inputs[i] = (struct named_tensor){
            .name = names[i], .tensor = a->row_tensors[i], .place.pointer = a->query.dataset ? "/dataset" : "/rows"};
    if (code == ERR_ok) {
        q->inputs = a->row_inputs;
        q->input_count = a->row_tensor_count;
    }
    free(names);
    free(nodes);
    return code;
}

static void put_numbers(struct json *j, const struct prediction *p, const struct tensor *output, int64_t row,
                        double *values)
{
    const struct transform *t = p->target;
    prediction_numbers(p, output, row, values);
    put_object(j);
    for (size_t k = 0, at = 0; k < t->column_count; k++) {
        const struct transform_column *c = &t->columns[k];
        put_key(j, c->column);
        if (c->shape.rank == 0) {
            put_number(j, values[at++]);
            continue;
        }
        put_array(j);
        for (size_t i = 0; i < c->width; i++)
            put_number(j, values[at++]);
        put_array_end(j);
    }
    put_object_end(j);
}

/* A class by its label, or by its number where the target was a number. */
static void label_of(const struct transform *target, size_t class, char number[24], const char **ret_label)
{
    const struct transform_column *c = &target->columns[0];
    snprintf(number, 24, "%zu", class);
    *ret_label = class < c->category_count ? c->labels[class] : number;
}

static void put_class(struct json *j, const struct prediction *p, const struct tensor *output, int64_t row,
                      double *values)
{
    size_t class, count = (size_t)output->shape.dim[1];
    char number[24];
    const char *label;
    prediction_class(output, row, values, &class);
    label_of(p->target, class, number, &label);
    put_object(j);
    put_key(j, "class");
    if (label == number)
        put_whole(j, (int64_t) class);
    else
        put_string(j, label);
    put_key(j, "probabilities");
    put_object(j);
    for (size_t i = 0; i < count; i++) {
        label_of(p->target, i, number, &label);
        put_key(j, label);
        put_number(j, values[i]);
    }
    put_object_end(j);
    put_object_end(j);
}

/* `predictions`, where the model's output is among what was asked and its words are known. */
static err_code put_predictions(struct asking *a, struct json *j, const struct answer *answer, struct error *err)
{
    const struct model *m = a->model.model;
    struct prediction p;
    const struct tensor *output = NULL;
    err_code code = prediction_of(&a->model, &a->version, &p, err);
    if (code != ERR_ok)
        return code;
    for (size_t i = 0; m->output != NODE_NONE && i < answer->value_count; i++) {
        if (strcmp(answer->values[i].name, graph_node(m->graph, m->output)->name) == 0)
            output = answer->values[i].tensor;
    }
    if (p.kind == PREDICTION_NONE || !output)
        return ERR_ok;
    int64_t rows = output->shape.dim[0], width = rows > 0 ? tensor_elements(output) / rows : 0;
    double *values = calloc((size_t)width + 1, sizeof *values);
    if (!values)
        return error_set(err, ERR_out_of_memory, NULL);
    put_key(j, "predictions");
    put_array(j);
    for (int64_t row = 0; row < rows; row++) {
        if (p.kind == PREDICTION_CLASS)
            put_class(j, &p, output, row, values);
        else
            put_numbers(j, &p, output, row, values);
    }
    put_array_end(j);
    free(values);
    return ERR_ok;
}

/* ---- the query ---- */

static err_code put_answer(struct asking *a, const struct answer *answer, struct error *err)
{
    struct json j = {.text = &a->reply->body};
    err_code code = ERR_ok;
    put_object(&j);
    put_key(&j, "model");
    put_string(&j, a->model.record.name);
    put_key(&j, "version");
    put_whole(&j, a->version.record->version);
    if (a->form == FORM_PREDICT)
        put_values(&j, "outputs", answer, a->flat);
    else
        put_question_answer(&j, &a->query.question, answer, a->flat);
    if (a->form == FORM_PREDICT && (a->query.rows || a->query.dataset))
        code = put_predictions(a, &j, answer, err);
    put_nonfinite(&j);
    put_object_end(&j);
    return code;
}

static err_code ask_check(struct asking *a, struct error *err)
{
    struct check_answer answer = {0};
    struct json j = {.text = &a->reply->body};
    a->later = !a->request->on_pool; /* many runs */
    if (a->later)
        return ERR_ok;
    err_code code = check_run(a->request->app->plans, &a->query.question, a->request->cancel, &answer, err);
    if (code == ERR_ok) {
        put_object(&j);
        put_key(&j, "model");
        put_string(&j, a->model.record.name);
        put_key(&j, "version");
        put_whole(&j, a->version.record->version);
        put_check(&j, a->query.question.of[0].name, &answer);
        put_nonfinite(&j);
        put_object_end(&j);
    }
    check_answer_clear(&answer);
    return code;
}

static err_code ask(struct asking *a, struct error *err)
{
    struct plans *plans = a->request->app->plans;
    const struct question *q = &a->query.question;
    bool may_be_later = !a->request->on_pool;
    struct prepared *prepared = NULL;
    struct answer answer = {0};
    if (may_be_later && question_is_dear(plans, q)) {
        a->later = true;
        return ERR_ok;
    }
    err_code code = question_prepare(plans, q, &prepared, err);
    if (code == ERR_ok && may_be_later && prepared_is_dear(prepared)) {
        a->later = true;
    } else if (code == ERR_ok) {
        code = prepared_run(prepared, a->request->cancel, &answer, err);
        if (code == ERR_ok)
            code = put_answer(a, &answer, err);
        answer_clear(&answer);
    }
    prepared_free(prepared);
    return code;
}

/* A version that is not there is a mistake in the body. */
static err_code hold_version(struct asking *a, struct error *err)
{
    struct error lookup = {0};
    err_code code = catalog_hold_version(a->request->app->catalog, &a->model, a->query.version, &a->version, &lookup);
    if (code == ERR_unknown_version) {
        error_clear(&lookup);
        error_add(err, ERR_unknown_version, (struct place){.pointer = "/version"},
                  "the model has no version %" PRId64 "; its newest is %" PRId64, a->query.version,
                  a->model.record.version);
        return error_close(err, ERR_invalid_query, "the query");
    }
    error_move(err, &lookup);
    return code;
}

static err_code answer_query(struct asking *a, struct error *err)
{
    struct request *r = a->request;
    a->flat = request_flat(r, err);
    err_code code = err->code;
    if (code == ERR_ok)
        code = catalog_hold_model(r->app->catalog, r->arguments[0], &a->model, err);
    if (code == ERR_ok)
        code = decode_query_request(r->body, r->body_size, a->form, a->model.model->dtype, &r->app->config->limits,
                                    &a->query, err);
    if (code == ERR_ok)
        code = hold_version(a, err);
    if (code == ERR_ok)
        code = take_parameters(a, err);
    if (code == ERR_ok)
        code = take_defaults(a, err);
    if (code == ERR_ok && a->query.dataset && !r->on_pool) {
        a->later = true; /* a table may have to be read */
        return ERR_ok;
    }
    if (code == ERR_ok && (a->query.rows || a->query.dataset))
        code = take_rows(a, err);
    if (code == ERR_ok) {
        snprintf(a->key, sizeof a->key, "model:%" PRId64, a->model.record.id);
        a->query.question.graph = a->model.model->graph;
        a->query.question.graph_key = a->key;
        code = a->form == FORM_CHECK ? ask_check(a, err) : ask(a, err);
    }
    return code;
}

static enum handled query(struct request *r, struct reply *ret, enum query_form form)
{
    struct asking a = {.request = r, .reply = ret, .form = form};
    struct error err = {0};
    err_code code = answer_query(&a, &err);
    bool later = a.later;
    asking_clear(&a);
    if (later)
        return LATER;
    reply_json(ret, r, code, &err);
    return HANDLED;
}

enum handled query_predict(struct request *r, struct reply *ret)
{
    return query(r, ret, FORM_PREDICT);
}

enum handled query_evaluate(struct request *r, struct reply *ret)
{
    return query(r, ret, FORM_EVALUATE);
}

enum handled query_gradient(struct request *r, struct reply *ret)
{
    return query(r, ret, FORM_GRADIENT);
}

enum handled query_jacobian(struct request *r, struct reply *ret)
{
    return query(r, ret, FORM_JACOBIAN);
}

enum handled query_jvp(struct request *r, struct reply *ret)
{
    return query(r, ret, FORM_JVP);
}

enum handled query_hvp(struct request *r, struct reply *ret)
{
    return query(r, ret, FORM_HVP);
}

enum handled query_hessian(struct request *r, struct reply *ret)
{
    return query(r, ret, FORM_HESSIAN);
}

enum handled query_check(struct request *r, struct reply *ret)
{
    return query(r, ret, FORM_CHECK);
}
