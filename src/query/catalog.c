#include "query/catalog.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/size.h"
#include "data/table_record.h"
#include "data/transform_record.h"
#include "query/cache.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Caches. Keys are internal ids, which are never used again, so nothing in them ever becomes stale: what was replaced
 * is just not asked for any more. What has a name is found by the name and the number of the store's writes. */
struct catalog {
    struct store *store;
    model_decoder *decode;
    const struct limits *limits;
    struct cache *models, *versions, *tables;
    struct cache *named; /* holds models */
};

enum { KEY_MAX = 64, MODEL_NAME_MAX = 64, NAMED_KEY_MAX = MODEL_NAME_MAX + 24 };

struct loaded_version {
    struct store_version record;
    struct tensor **parameters;
    size_t parameter_count;
    struct transform *transforms;
    size_t transform_count;
};

struct loaded_table {
    struct store_dataset record;
    struct table table;
};

static void end_model(void *value)
{
    model_free(value);
}

static void end_version(void *value)
{
    struct loaded_version *v = value;
    store_version_clear(&v->record);
    tensors_free(v->parameters, v->parameter_count);
    transforms_free(v->transforms, v->transform_count);
    free(v);
}

static void end_table(void *value)
{
    struct loaded_table *t = value;
    store_dataset_clear(&t->record);
    table_info_clear(&t->table.info);
    free(t->table.values);
    free(t);
}

/* A record as the store had it after some number of writes, with its model. */
struct named_model {
    struct catalog *catalog;
    struct store_model record;
    struct cache_entry *model;
};

static void end_named(void *value)
{
    struct named_model *n = value;
    cache_release(n->catalog->models, n->model);
    store_model_clear(&n->record);
    free(n);
}

err_code catalog_new(struct store *s, model_decoder *decode, const struct limits *limits, struct catalog **ret,
                     struct error *err)
{
    struct catalog *c = calloc(1, sizeof *c);
    if (!c) {
        return error_set(err, ERR_out_of_memory, NULL);
    }
    *c = (struct catalog){.store = s, .decode = decode, .limits = limits};
    size_t memory = (size_t)limits->memory_bytes;
    err_code code = cache_new(memory / 16, end_model, &c->models, err);
    if (code == ERR_ok) {
        code = cache_new(memory / 8, end_version, &c->versions, err);
    }
    if (code == ERR_ok) {
        code = cache_new(memory / 4, end_table, &c->tables, err);
    }
    if (code == ERR_ok) {
        code = cache_new(memory / 256, end_named, &c->named, err);
    }
    if (code != ERR_ok) {
        catalog_free(c);
        return code;
    }
    *ret = c;
    return ERR_ok;
}

void catalog_free(struct catalog *c)
{
    if (c) {
        cache_free(c->named);
        cache_free(c->models);
        cache_free(c->versions);
        cache_free(c->tables);
        free(c);
    }
}

/* ---- models ---- */

/* What a model takes in memory, about: a number of a constant is two bytes of its spec at least, and eight of memory.
 */
enum { SPEC_FACTOR = 4, NODE_BYTES = 256 };

struct model_loading {
    const struct catalog *catalog;
    const char *spec;
};

static err_code load_model(void *context, void **ret_value, size_t *ret_bytes, struct error *err)
{
    const struct model_loading *l = context;
    struct model *m = NULL;
    err_code code = l->catalog->decode(l->spec, l->catalog->limits, &m, err);
    if (code != ERR_ok) {
        return error_set(err, ERR_internal, "a stored model can't be read: %s",
                         err && err->detail ? err->detail : err_title(code));
    }
    *ret_value = m;
    *ret_bytes = strlen(l->spec) * SPEC_FACTOR + graph_size(m->graph) * NODE_BYTES;
    return ERR_ok;
}

struct naming {
    struct catalog *catalog;
    const char *name; /* NULL: by id */
    int64_t id;
};

static err_code load_named(void *context, void **ret_value, size_t *ret_bytes, struct error *err)
{
    const struct naming *naming = context;
    struct catalog *c = naming->catalog;
    char key[KEY_MAX];
    struct named_model *n = calloc(1, sizeof *n);
    if (!n)
        return error_set(err, ERR_out_of_memory, NULL);
    n->catalog = c;
    err_code code = naming->name ? store_model_get(c->store, naming->name, &n->record, err)
                                 : store_model_get_id(c->store, naming->id, &n->record, err);
    if (code == ERR_ok) {
        struct model_loading loading = {.catalog = c, .spec = n->record.spec};
        snprintf(key, sizeof key, "%" PRId64, n->record.id);
        code = cache_hold(c->models, key, load_model, &loading, &n->model, err);
    }
    if (code != ERR_ok) {
        end_named(n);
        return code;
    }
    *ret_value = n;
    *ret_bytes = sizeof *n + strlen(n->record.spec);
    return ERR_ok;
}

/* `key` is what `naming` names, and the store's number of writes: after another write the store is asked again. */
static err_code hold_model(struct naming *naming, const char *key, struct held_model *ret, struct error *err)
{
    struct cache_entry *entry = NULL;
    err_code code = cache_hold(naming->catalog->named, key, load_named, naming, &entry, err);
    if (code == ERR_ok) {
        const struct named_model *n = cache_value(entry);
        *ret = (struct held_model){.record = n->record, .model = cache_value(n->model), .entry = entry};
    }
    return code;
}

err_code catalog_hold_model(struct catalog *c, const char *name, struct held_model *ret, struct error *err)
{
    struct naming naming = {.catalog = c, .name = name};
    char key[NAMED_KEY_MAX];
    if (strlen(name) > MODEL_NAME_MAX)
        return error_set(err, ERR_not_found, "there is no model '%s'", name);
    snprintf(key, sizeof key, "%" PRIu64 " %s", store_writes(c->store), name);
    return hold_model(&naming, key, ret, err);
}

err_code catalog_hold_model_id(struct catalog *c, int64_t id, struct held_model *ret, struct error *err)
{
    struct naming naming = {.catalog = c, .id = id};
    char key[NAMED_KEY_MAX];
    snprintf(key, sizeof key, "%" PRIu64 "#%" PRId64, store_writes(c->store), id);
    return hold_model(&naming, key, ret, err);
}

void catalog_release_model(struct catalog *c, struct held_model *m)
{
    cache_release(c->named, m->entry);
    *m = (struct held_model){0};
}

err_code catalog_put_model(struct catalog *c, const char *name, const char *spec, const struct model *m, bool replace,
                           const struct store_key *key, struct store_model *ret, enum put_result *ret_result,
                           struct error *err)
{
    char digest[DIGEST_TEXT_MAX];
    struct digest d;
    digest_start(&d);
    digest_bytes(&d, spec, strlen(spec));
    digest_end(&d, digest);
    struct tensor **initial = NULL;
    void *bytes = NULL;
    size_t size = 0;
    err_code code = model_initial(m, &initial, err);
    if (code == ERR_ok) {
        code = catalog_pack_parameters(initial, m->parameter_count, &bytes, &size, err);
    }
    if (code == ERR_ok) {
        char parameters_digest[DIGEST_TEXT_MAX];
        tensors_digest(initial, m->parameter_count, parameters_digest);
        int64_t now = clock_now();
        struct store_model record = {.name = (char *)name, .spec = (char *)spec, .digest = digest, .created_at = now};
        struct store_version version = {
            .created_at = now, .epoch = -1, .step = -1, .cost = NAN, .digest = parameters_digest};
        code = store_model_put(c->store, &record, &version, bytes, size, replace, key, ret, ret_result, err);
    }
    free(bytes);
    tensors_free(initial, m->parameter_count);
    return code;
}

/* ---- versions ---- */

err_code catalog_pack_parameters(struct tensor *const *parameters, size_t count, void **ret, size_t *ret_size,
                                 struct error *err)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        if (!size_add(size, tensor_bytes(parameters[i]), &size)) {
            return error_set(err, ERR_limit_exceeded, "the parameters are too large");
        }
    }
    char *bytes = malloc(size ? size : 1);
    if (!bytes) {
        return error_set(err, ERR_out_of_memory, NULL);
    }
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        memcpy(bytes + at, parameters[i]->data, tensor_bytes(parameters[i]));
        at += tensor_bytes(parameters[i]);
    }
    *ret = bytes;
    *ret_size = size;
    return ERR_ok;
}

err_code catalog_unpack_parameters(const struct model *m, const void *bytes, size_t size, struct tensor ***ret,
                                   struct error *err)
{
    struct tensor **parameters = calloc(m->parameter_count ? m->parameter_count : 1, sizeof(struct tensor *));
    err_code code = parameters ? ERR_ok : error_set(err, ERR_out_of_memory, NULL);
    const char *from = bytes;
    for (size_t i = 0; code == ERR_ok && i < m->parameter_count; i++) {
        code = tensor_new(m->dtype, graph_node(m->graph, m->parameters[i].node)->shape, &parameters[i], err);
        if (code == ERR_ok && tensor_bytes(parameters[i]) > size) {
            code = error_set(err, ERR_internal, "the parameters are not the model's");
        }
        if (code == ERR_ok) {
            memcpy(parameters[i]->data, from, tensor_bytes(parameters[i]));
            from += tensor_bytes(parameters[i]);
            size -= tensor_bytes(parameters[i]);
        }
    }
    if (code == ERR_ok && size > 0) {
        code = error_set(err, ERR_internal, "the parameters are not the model's");
    }
    if (code == ERR_ok) {
        *ret = parameters;
    } else if (parameters) {
        tensors_free(parameters, m->parameter_count);
    }
    return code;
}

static err_code load_parameters(struct store *s, const struct model *m, const struct store_version *v,
                                struct tensor ***ret, size_t *ret_size, struct error *err)
{
    size_t size;
    if (!size_mul((size_t)model_parameter_elements(m), dtype_size(m->dtype), &size)) {
        return error_set(err, ERR_limit_exceeded, "the parameters are too large");
    }
    char *bytes = malloc(size ? size : 1);
    err_code code = bytes ? ERR_ok : error_set(err, ERR_out_of_memory, NULL);
    if (code == ERR_ok) {
        code = store_version_parameters(s, v->model_id, v->version, bytes, size, err);
    }
    if (code == ERR_ok) {
        code = catalog_unpack_parameters(m, bytes, size, ret, err);
    }
    if (code == ERR_ok) {
        *ret_size = size;
    }
    free(bytes);
    return code;
}

struct version_loading {
    const struct catalog *catalog;
    const struct held_model *model;
    int64_t version;
};

static err_code load_version(void *context, void **ret_value, size_t *ret_bytes, struct error *err)
{
    const struct version_loading *l = context;
    struct loaded_version *v = calloc(1, sizeof *v);
    if (!v) {
        return error_set(err, ERR_out_of_memory, NULL);
    }
    const struct model *m = l->model->model;
    size_t size = 0;
    err_code code = store_version_get(l->catalog->store, l->model->record.id, l->version, &v->record, err);
    if (code == ERR_ok) {
        code = load_parameters(l->catalog->store, m, &v->record, &v->parameters, &size, err);
        v->parameter_count = code == ERR_ok ? m->parameter_count : 0;
    }
    if (code == ERR_ok && v->record.transforms) {
        code = transforms_decode(v->record.transforms, v->record.transforms_size, &v->transforms, &v->transform_count,
                                 err);
    }
    if (code != ERR_ok) {
        end_version(v);
        return code;
    }
    *ret_value = v;
    *ret_bytes = size + v->record.transforms_size + sizeof *v;
    return ERR_ok;
}

err_code catalog_hold_version(struct catalog *c, const struct held_model *m, int64_t version, struct held_version *ret,
                              struct error *err)
{
    struct version_loading loading = {.catalog = c, .model = m, .version = version ? version : m->record.version};
    char key[KEY_MAX];
    snprintf(key, sizeof key, "%" PRId64 ":%" PRId64, m->record.id, loading.version);
    struct cache_entry *entry = NULL;
    err_code code = cache_hold(c->versions, key, load_version, &loading, &entry, err);
    if (code == ERR_ok) {
        const struct loaded_version *v = cache_value(entry);
        *ret = (struct held_version){.record = &v->record,
                                     .parameters = v->parameters,
                                     .transforms = v->transforms,
                                     .transform_count = v->transform_count,
                                     .entry = entry};
    }
    return code;
}

void catalog_release_version(struct catalog *c, struct held_version *v)
{
    cache_release(c->versions, v->entry);
    *v = (struct held_version){0};
}

err_code catalog_add_version(struct catalog *c, const struct held_model *m, struct tensor *const *parameters,
                             int64_t *ret_version, struct error *err)
{
    void *bytes = NULL;
    size_t size = 0;
    err_code code = catalog_pack_parameters(parameters, m->model->parameter_count, &bytes, &size, err);
    if (code == ERR_ok) {
        char digest[DIGEST_TEXT_MAX];
        tensors_digest(parameters, m->model->parameter_count, digest);
        struct store_version version = {.model_id = m->record.id,
                                        .created_at = clock_now(),
                                        .epoch = -1,
                                        .step = -1,
                                        .cost = NAN,
                                        .digest = digest};
        code = store_version_add(c->store, &version, bytes, size, ret_version, err);
    }
    free(bytes);
    return code;
}

/* ---- tables ---- */

/* What is known of a table stands in its record, and decoded beside it. */
enum { LABEL_FACTOR = 4 };

struct table_loading {
    const struct catalog *catalog;
    struct store_dataset *record; /* taken over on success */
};

static err_code load_table(void *context, void **ret_value, size_t *ret_bytes, struct error *err)
{
    struct table_loading *l = context;
    struct loaded_table *t = calloc(1, sizeof *t);
    if (!t) {
        return error_set(err, ERR_out_of_memory, NULL);
    }
    size_t size = 0;
    err_code code = table_info_decode(l->record->info, l->record->info_size, &t->table.info, err);
    if (code == ERR_ok && (!size_mul((size_t)t->table.info.rows, t->table.info.width, &size) ||
                           !size_mul(size, sizeof(double), &size) || size > (size_t)l->catalog->limits->memory_bytes)) {
        code = error_set(err, ERR_too_busy, "the data set '%s' does not fit into the memory of %" PRId64 " bytes",
                         l->record->name, l->catalog->limits->memory_bytes);
    }
    if (code == ERR_ok) {
        t->table.values = malloc(size ? size : 1);
        code = t->table.values ? store_dataset_read(l->catalog->store, l->record->id, 0, t->table.values, size, err)
                               : error_set(err, ERR_out_of_memory, NULL);
    }
    if (code != ERR_ok) {
        end_table(t);
        return code;
    }
    t->record = *l->record;
    *l->record = (struct store_dataset){0};
    *ret_value = t;
    *ret_bytes = size + LABEL_FACTOR * t->record.info_size;
    return ERR_ok;
}

/* Takes the record over, also on failure. */
static err_code hold_table(struct catalog *c, struct store_dataset *record, struct held_table *ret, struct error *err)
{
    char key[KEY_MAX];
    snprintf(key, sizeof key, "%" PRId64, record->id);
    struct table_loading loading = {.catalog = c, .record = record};
    struct cache_entry *entry = NULL;
    err_code code = cache_hold(c->tables, key, load_table, &loading, &entry, err);
    store_dataset_clear(record);
    if (code == ERR_ok) {
        const struct loaded_table *t = cache_value(entry);
        *ret = (struct held_table){.record = &t->record, .table = &t->table, .entry = entry};
    }
    return code;
}

err_code catalog_hold_table(struct catalog *c, const char *dataset, struct held_table *ret, struct error *err)
{
    struct store_dataset record = {0};
    err_code code = store_dataset_get(c->store, dataset, &record, err);
    return code == ERR_ok ? hold_table(c, &record, ret, err) : code;
}

err_code catalog_hold_table_id(struct catalog *c, int64_t id, struct held_table *ret, struct error *err)
{
    struct store_dataset record = {0};
    err_code code = store_dataset_get_id(c->store, id, &record, err);
    return code == ERR_ok ? hold_table(c, &record, ret, err) : code;
}

void catalog_release_table(struct catalog *c, struct held_table *t)
{
    cache_release(c->tables, t->entry);
    *t = (struct held_table){0};
}
