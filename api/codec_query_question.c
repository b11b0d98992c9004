/* What a query asks: of which nodes, by which, and how. */
#include "api/codec_query.h"
#include <string.h>

static bool take_name(struct query_reading *r, const json_t *value, const struct where *at, struct named_place *ret)
{
    const char *name;
    if (!read_string(value, at, &name, r->err))
        return false;
    *ret = (struct named_place){.name = query_keep(r, name), .place = query_place(r, at)};
    return ret->name != NULL;
}

/* A list of names, or one name. */
void query_names(struct query_reading *r, const char *field, const struct named_place **ret, size_t *ret_count)
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
        query_no_memory(r);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct where item = {.up = &at, .index = i};
        taken += take_name(r, is_list ? json_array_get(value, i) : value, is_list ? &item : &at, &names[taken]);
    }
    *ret = names;
    *ret_count = taken;
}

static void take_flag(struct query_reading *r, const char *field, bool *ret)
{
    const json_t *value = json_object_get(r->body, field);
    struct where at = {.up = r->root, .key = field};
    if (value)
        (void)read_bool(value, &at, ret, r->err);
}

/* Another dtype than the one that is there. */
void query_dtype(struct query_reading *r)
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
static void refuse_foreign(struct query_reading *r)
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
void query_question(struct query_reading *r)
{
    struct question *q = &r->request->question;
    struct where of_at = {.up = r->root, .key = "of"};
    refuse_foreign(r);
    query_names(r, "of", &q->of, &q->of_count);
    if (q->kind != QUESTION_EVALUATE && q->of_count > 1)
        mistake(r->err, ERR_wrong_type, &of_at, "a %s is of one value: name one node", kinds[q->kind].name);
    if (q->kind != QUESTION_EVALUATE && q->kind != QUESTION_JVP)
        query_names(r, "wrt", &q->wrt, &q->wrt_count);
    if (q->kind == QUESTION_GRADIENT) {
        query_cotangent(r);
        take_flag(r, "trace", &q->trace);
        take_flag(r, "symbolic", &q->symbolic);
        take_flag(r, "per_sample", &q->per_sample);
    } else if (q->kind == QUESTION_JVP) {
        query_tangents(r);
    } else if (q->kind == QUESTION_HVP) {
        query_vectors(r);
    }
}

void query_kind(struct query_reading *r)
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
