#include "query/resolve.h"
#include "base/names.h"
#include "base/size.h"
#include "query/planned.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { GUESSES_MAX = 10 }; /* names that are compared with all others for "did you mean", a question */

void resolved_clear(struct resolved *r)
{
    free(r->of);
    free(r->wrt);
    free(r->values);
    free(r->directions);
}

static void add_unknown_name(const struct graph *g, const char *name, struct place place, struct error *err)
{
    struct guess guess = {.name = name};
    for (size_t i = 0; err->total < GUESSES_MAX && i < graph_size(g); i++) {
        const char *candidate = graph_node(g, (node_id)i)->name;
        if (candidate) {
            guess_offer(&guess, candidate);
        }
    }
    if (guess.best) {
        error_add(err, ERR_unknown_name, place, "no node is named '%s'; did you mean '%s'?", name, guess.best);
    } else {
        error_add(err, ERR_unknown_name, place, "no node is named '%s'", name);
    }
}

/* One id a name, NODE_NONE for those with a mistake. */
static err_code resolve_names(const struct graph *g, const struct named_place *names, size_t count, node_id **ret,
                              struct error *err)
{
    node_id *nodes = calloc(count + 1, sizeof *nodes);
    unsigned char *seen = calloc(graph_size(g) + 1, 1);
    if (!nodes || !seen) {
        free(nodes);
        free(seen);
        return error_set(err, ERR_out_of_memory, NULL);
    }
    for (size_t i = 0; i < count; i++) {
        nodes[i] = graph_find(g, names[i].name);
        if (nodes[i] == NODE_NONE) {
            add_unknown_name(g, names[i].name, names[i].place, err);
        } else if (seen[nodes[i]]) {
            error_add(err, ERR_invalid_value, names[i].place, "'%s' is asked for twice", names[i].name);
        } else {
            seen[nodes[i]] = 1;
        }
    }
    free(seen);
    *ret = nodes;
    return ERR_ok;
}

/* The batch that a value tells, checked against the one known so far; written only if it agrees. */
static bool batch_agrees(struct shape declared, struct shape given, int64_t *batch)
{
    int64_t told = *batch;
    for (int i = 0; i < declared.rank; i++) {
        if (declared.dim[i] < 0 && declared.dim[i] != DIM_ANY) {
            int64_t times = -declared.dim[i];
            if (given.dim[i] % times != 0 || (told >= 0 && given.dim[i] / times != told)) {
                return false;
            }
            told = given.dim[i] / times;
        }
    }
    *batch = told;
    return true;
}

static bool shape_fits(struct shape declared, struct shape given)
{
    bool fits = declared.rank == given.rank;
    for (int i = 0; fits && i < declared.rank; i++) {
        fits = declared.dim[i] < 0 || declared.dim[i] == given.dim[i];
    }
    return fits;
}

static void take_value(const struct question *q, const struct named_tensor *value, struct resolved *r,
                       struct error *err)
{
    node_id node = graph_find(q->graph, value->name);
    if (node == NODE_NONE) {
        add_unknown_name(q->graph, value->name, value->place, err);
        return;
    }
    const struct node *leaf = graph_node(q->graph, node);
    struct shape given = value->tensor->shape;
    char text[SHAPE_TEXT_MAX], declared[SHAPE_TEXT_MAX], bound[SHAPE_TEXT_MAX];
    if (leaf->op != OP_Input) {
        error_add(err, ERR_invalid_value, value->place, "'%s' is computed by the program; only inputs take values",
                  value->name);
    } else if (r->values[node]) {
        error_add(err, ERR_invalid_value, value->place, "'%s' is a parameter: its value is the version's", value->name);
    } else if (!shape_fits(leaf->shape, given)) {
        error_add_shapes(err, ERR_shape_mismatch, value->place, leaf->shape, given, "'%s' is %s but its value is %s",
                         value->name, shape_text(leaf->shape, declared), shape_text(given, text));
    } else if (!batch_agrees(leaf->shape, given, &r->batch)) {
        struct shape expected = r->batch < 0 ? leaf->shape : shape_bind(leaf->shape, r->batch);
        error_add_shapes(err, ERR_shape_mismatch, value->place, expected, given,
                         "'%s' is %s, which must be %s with the batch of the other inputs, but its value is %s",
                         value->name, shape_text(leaf->shape, declared), shape_text(expected, bound),
                         shape_text(given, text));
    }
    if (leaf->op == OP_Input && !r->values[node]) {
        r->values[node] = value->tensor; /* one with a mistake is not missing too */
    }
}

bool leaf_has_rows(const struct node *leaf)
{
    return leaf->op == OP_Input && leaf->shape.rank > 0 && leaf->shape.dim[0] < 0;
}

static bool has_symbolic_leaf(const struct graph *g)
{
    for (size_t i = 0; i < graph_size(g); i++) {
        if (leaf_has_rows(graph_node(g, (node_id)i))) {
            return true;
        }
    }
    return false;
}

/* Every leaf that the question needs must have a value: all of them for a trace, else what `of` needs. */
static err_code check_needed(const struct question *q, const struct resolved *r, struct error *err)
{
    unsigned char *needed = calloc(graph_size(q->graph) + 1, 1);
    if (!needed) {
        return error_set(err, ERR_out_of_memory, NULL);
    }
    for (size_t i = 0; i < q->of_count; i++) {
        if (r->of[i] != NODE_NONE) {
            graph_mark_needed(q->graph, &r->of[i], 1, needed);
        }
    }
    for (size_t i = 0; i < graph_size(q->graph); i++) {
        const struct node *n = graph_node(q->graph, (node_id)i);
        if (n->op == OP_Input && (needed[i] || q->trace) && !r->values[i]) {
            char text[SHAPE_TEXT_MAX];
            error_add(err, ERR_missing_input, (struct place){.pointer = "/inputs"}, "'%s' %s has no value", n->name,
                      shape_text(n->shape, text));
        }
    }
    free(needed);
    return ERR_ok;
}

static struct shape bound_shape(const struct question *q, const struct resolved *r, node_id node)
{
    struct shape declared = graph_node(q->graph, node)->shape;
    return r->batch < 0 ? declared : shape_bind(declared, r->batch);
}

/* A leading axis before a shape of rank below RANK_MAX. */
static struct shape shape_lead(int64_t count, struct shape s)
{
    struct shape led = {.rank = s.rank + 1, .dim = {count}};
    memcpy(led.dim + 1, s.dim, (size_t)s.rank * sizeof *s.dim);
    return led;
}

/* The leading axis of a cotangent: rows, or as many as there are. */
static void check_led_cotangent(const struct question *q, struct resolved *r, struct shape of, struct error *err)
{
    struct shape given = q->cotangent->shape;
    char of_text[SHAPE_TEXT_MAX], given_text[SHAPE_TEXT_MAX], expected_text[SHAPE_TEXT_MAX];
    if (of.rank == RANK_MAX) {
        error_add(err, ERR_rank_too_large, q->cotangent_place, "with a leading axis '%s' %s has too many dimensions",
                  q->of[0].name, shape_text(of, of_text));
        return;
    }
    int64_t count = q->per_sample ? r->each : given.rank > 0 ? given.dim[0] : 1;
    struct shape expected = shape_lead(count, of);
    if (!shape_equal(expected, given)) {
        error_add_shapes(err, ERR_shape_mismatch, q->cotangent_place, expected, given,
                         "'%s' is %s, with a leading axis %s, but what is given is %s", q->of[0].name,
                         shape_text(of, of_text), shape_text(expected, expected_text), shape_text(given, given_text));
    } else if (q->many && count == 0) {
        error_add(err, ERR_invalid_value, q->cotangent_place, "there is no cotangent in the list");
    } else {
        r->each = count;
    }
}

static void check_cotangent(const struct question *q, struct resolved *r, struct error *err)
{
    if (q->kind != QUESTION_GRADIENT || r->of[0] == NODE_NONE) {
        return;
    }
    struct shape bound = bound_shape(q, r, r->of[0]);
    char expected[SHAPE_TEXT_MAX], given[SHAPE_TEXT_MAX];
    int64_t elements;
    if (!shape_is_concrete(bound)) {
        return; /* the plan will tell */
    }
    if (q->cotangent && (q->many || q->per_sample)) {
        check_led_cotangent(q, r, bound, err);
    } else if (q->cotangent && !shape_equal(bound, q->cotangent->shape)) {
        error_add_shapes(err, ERR_shape_mismatch, q->cotangent_place, bound, q->cotangent->shape,
                         "'%s' is %s but its cotangent is %s", q->of[0].name, shape_text(bound, expected),
                         shape_text(q->cotangent->shape, given));
    } else if (!q->cotangent && shape_elements(bound, &elements) && elements != 1) {
        add_missing_cotangent(q->of[0].name, bound, err);
    }
}

static void check_one_element(const struct question *q, const struct resolved *r, struct error *err)
{
    char text[SHAPE_TEXT_MAX];
    int64_t elements;
    if ((q->kind == QUESTION_HVP || q->kind == QUESTION_HESSIAN) && r->of[0] != NODE_NONE &&
        shape_elements(bound_shape(q, r, r->of[0]), &elements) && elements != 1) {
        error_add(err, ERR_shape_mismatch, q->of[0].place,
                  "'%s' is %s: second derivatives are of a value of one element", q->of[0].name,
                  shape_text(bound_shape(q, r, r->of[0]), text));
    }
}

/* ---- directions ---- */

/* The tensors' places among wrt, wrt_count if it is none of them. */
static size_t place_in_wrt(const struct question *q, const char *name)
{
    size_t i = 0;
    while (i < q->wrt_count && strcmp(q->wrt[i].name, name) != 0) {
        i++;
    }
    return i;
}

static void take_direction(const struct question *q, const struct named_tensor *t, struct resolved *r,
                           const struct tensor **ret, struct error *err)
{
    char expected[SHAPE_TEXT_MAX], given[SHAPE_TEXT_MAX];
    size_t i = place_in_wrt(q, t->name);
    if (i == q->wrt_count) {
        if (graph_find(q->graph, t->name) == NODE_NONE) {
            add_unknown_name(q->graph, t->name, t->place, err);
        } else {
            error_add(err, ERR_invalid_value, t->place, "'%s' is not among `wrt`", t->name);
        }
        return;
    }
    ret[i] = t->tensor;
    if (r->wrt[i] == NODE_NONE) {
        return;
    }
    struct shape bound = bound_shape(q, r, r->wrt[i]);
    if (shape_is_concrete(bound) && !shape_equal(bound, t->tensor->shape)) {
        error_add_shapes(err, ERR_shape_mismatch, t->place, bound, t->tensor->shape,
                         "'%s' is %s but its direction is %s", t->name, shape_text(bound, expected),
                         shape_text(t->tensor->shape, given));
    }
}

static err_code take_directions(const struct question *q, int64_t tensors_max, struct resolved *r, struct error *err)
{
    size_t tensors;
    if (q->kind != QUESTION_JVP && q->kind != QUESTION_HVP) {
        return ERR_ok;
    }
    if (!size_mul(q->direction_count, q->wrt_count, &tensors) || tensors > (size_t)tensors_max) {
        return error_add(err, ERR_limit_exceeded, (struct place){.pointer = ""},
                         "%zu vectors of %zu tensors each were given; the limit is %" PRId64 " tensors",
                         q->direction_count, q->wrt_count, tensors_max);
    }
    r->directions = calloc(tensors + 1, sizeof(struct tensor *));
    if (!r->directions) {
        return error_set(err, ERR_out_of_memory, NULL);
    }
    r->each = (int64_t)q->direction_count;
    for (size_t d = 0; d < q->direction_count; d++) {
        for (size_t i = 0; i < q->directions[d].count; i++) {
            take_direction(q, &q->directions[d].tensors[i], r, &r->directions[d * q->wrt_count], err);
        }
    }
    return ERR_ok;
}

/* ---- everything ---- */

/* Fields that do not go together. */
static void check_kind(const struct question *q, struct error *err)
{
    if (q->trace && q->kind != QUESTION_GRADIENT) {
        error_add(err, ERR_conflicting_fields, (struct place){.pointer = "/trace"}, "only a gradient has a trace");
    } else if (q->trace && (q->many || q->per_sample)) {
        error_add(err, ERR_conflicting_fields, (struct place){.pointer = "/trace"}, "a trace is of one gradient");
    }
    if (q->per_sample && q->many) {
        error_add(err, ERR_conflicting_fields, q->cotangent_place,
                  "with `per_sample` there is one cotangent a row: give `cotangent`, with a leading axis of rows");
    }
}

/* Divides the rows among runs: a plan for a batch of one. */
static void take_rows(const struct question *q, struct resolved *r, struct error *err)
{
    if (!has_symbolic_leaf(q->graph)) {
        error_add(err, ERR_invalid_value, (struct place){.pointer = "/per_sample"},
                  "no input's first axis is the batch, so there are no rows");
        return;
    }
    r->each = r->batch;
    r->batch = 1;
}

/* Looks everything up; all mistakes are items of `found`. */
static err_code resolve_all(const struct question *q, int64_t tensors_max, struct resolved *r, struct error *found)
{
    if (q->kind != QUESTION_EVALUATE && q->of_count != 1) {
        return error_set(found, ERR_internal, "a derivative of %zu values was asked for", q->of_count);
    }
    check_kind(q, found);
    r->batch = -1;
    r->each = 1;
    r->values = calloc(graph_size(q->graph) + 1, sizeof(struct tensor *));
    if (!r->values || resolve_names(q->graph, q->of, q->of_count, &r->of, found) != ERR_ok ||
        resolve_names(q->graph, q->wrt, q->wrt_count, &r->wrt, found) != ERR_ok) {
        return error_set(found, ERR_out_of_memory, NULL);
    }
    for (size_t i = 0; i < q->parameter_count; i++) {
        take_value(q, &q->parameters[i], r, found);
    }
    for (size_t i = 0; i < q->input_count; i++) {
        take_value(q, &q->inputs[i], r, found);
    }
    if (r->batch < 0 && has_symbolic_leaf(q->graph)) {
        r->batch = 1; /* no value tells it, so no value depends on it */
    }
    if (q->per_sample) {
        take_rows(q, r, found);
    }
    check_cotangent(q, r, found);
    check_one_element(q, r, found);
    if (take_directions(q, tensors_max, r, found) == ERR_out_of_memory) {
        return ERR_out_of_memory;
    }
    return check_needed(q, r, found);
}

err_code resolve(const struct question *q, int64_t tensors_max, struct resolved *r, struct error *err)
{
    struct error found = {0};
    err_code code = resolve_all(q, tensors_max, r, &found);
    if (code == ERR_ok)
        code = error_close(&found, ERR_invalid_query, "the query");
    error_move(err, &found);
    return code;
}
