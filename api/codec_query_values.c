/* The tensors of a query: inputs, cotangents, and directions. */
#include "api/codec_query.h"
#include <string.h>

void query_inputs(struct query_reading *r)
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
        query_no_memory(r);
        return;
    }
    size_t count = 0;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)inputs, key, value)
    {
        struct where item = {.up = &at, .key = key};
        struct named_tensor *v = &values[count];
        v->tensor = query_tensor(r, value, &item);
        v->name = query_keep(r, key);
        v->place = query_place(r, &item);
        count += v->tensor && v->name;
    }
    r->request->question.inputs = values;
    r->request->question.input_count = count;
}

/* One cotangent, or many with a leading axis. */
void query_cotangent(struct query_reading *r)
{
    const json_t *cotangent = json_object_get(r->body, "cotangent"), *many = json_object_get(r->body, "cotangents");
    struct where at = {.up = r->root, .key = many ? "cotangents" : "cotangent"};
    if (cotangent && many)
        mistake(r->err, ERR_conflicting_fields, &at, "give either `cotangent` or `cotangents`");
    r->request->question.many = many != NULL;
    if (many)
        cotangent = many;
    if (cotangent) {
        r->request->question.cotangent = query_tensor(r, cotangent, &at);
        r->request->question.cotangent_place = query_place(r, &at);
    }
}

/* ---- directions ---- */

/* Adds a name to those that are differentiated by, unless it is there. */
static void add_wrt(struct query_reading *r, struct named_place *wrt, const struct named_tensor *t)
{
    struct question *q = &r->request->question;
    size_t i = 0;
    while (i < q->wrt_count && strcmp(wrt[i].name, t->name) != 0)
        i++;
    if (i == q->wrt_count)
        wrt[q->wrt_count++] = (struct named_place){.name = t->name, .place = t->place};
}

/* {name: tensor}; with `wrt` its names are what is differentiated by. */
static void take_direction(struct query_reading *r, const json_t *value, const struct where *at,
                           struct named_place *wrt, struct direction *ret)
{
    if (!json_is_object(value) || json_object_size(value) == 0) {
        mistake(r->err, ERR_wrong_type, at, "a vector is an object of tensors by name, at least one, not %s",
                json_is_object(value) ? "an empty one" : json_kind(value));
        return;
    }
    struct named_tensor *tensors = arena_array(r->request->arena, json_object_size(value) + 1, sizeof *tensors);
    if (!tensors) {
        query_no_memory(r);
        return;
    }
    const char *key;
    json_t *item;
    json_object_foreach((json_t *)value, key, item)
    {
        struct where item_at = {.up = at, .key = key};
        struct named_tensor *t = &tensors[ret->count];
        t->tensor = query_tensor(r, item, &item_at);
        t->name = query_keep(r, key);
        t->place = query_place(r, &item_at);
        if (!t->tensor || !t->name)
            continue;
        ret->count++;
        if (wrt)
            add_wrt(r, wrt, t);
    }
    ret->tensors = tensors;
}

/* Room for the names of all directions. */
static struct named_place *room_for_names(struct query_reading *r, const json_t *value, size_t count)
{
    size_t names = json_is_array(value) ? 0 : json_object_size(value);
    for (size_t i = 0; json_is_array(value) && i < count; i++)
        names += json_object_size(json_array_get(value, i));
    struct named_place *wrt = arena_array(r->request->arena, names + 1, sizeof *wrt);
    return wrt;
}

/* A vector, or a list of them; named: their names are what is differentiated by. */
static void take_directions(struct query_reading *r, const char *field, bool list, bool named)
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
        query_no_memory(r);
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

void query_tangents(struct query_reading *r)
{
    const json_t *tangents = required_field(r->body, "tangents", r->root, r->err);
    if (tangents)
        take_directions(r, "tangents", json_is_array(tangents), true);
}

void query_vectors(struct query_reading *r)
{
    bool many = json_object_get(r->body, "vectors") != NULL;
    struct where at = {.up = r->root, .key = "vectors"};
    if (many && json_object_get(r->body, "vector"))
        mistake(r->err, ERR_conflicting_fields, &at, "give either `vector` or `vectors`");
    if (many || required_field(r->body, "vector", r->root, r->err))
        take_directions(r, many ? "vectors" : "vector", many, false);
}
