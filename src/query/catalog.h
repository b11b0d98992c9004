/* The catalog: models, versions and tables, loaded once from the store and shared by reference count. Bounded: what is
 * not held and longest unused goes first. What is held stays as it was, even if it is replaced or deleted meanwhile.
 * Thread-safe. */
#ifndef GRADD_QUERY_CATALOG_H
#define GRADD_QUERY_CATALOG_H

#include "base/config.h"
#include "data/transform.h"
#include "graph/model.h"
#include "store/store.h"

/* Reads a model's canonical spec; the codec's. */
typedef err_code model_decoder(const char *spec, const struct limits *limits, struct model **ret, struct error *err);

struct catalog;

struct held_model {
    struct store_model
        record; /* as of the moment it was held: `version` is the newest then; its strings are borrowed */
    const struct model *model;
    struct cache_entry *entry;
};

struct held_version {
    const struct store_version *record;
    struct tensor *const *parameters;   /* in declared order */
    const struct transform *transforms; /* transform_count of them, 0: a version without */
    size_t transform_count;
    struct cache_entry *entry;
};

struct held_table {
    const struct store_dataset *record;
    const struct table *table;
    struct cache_entry *entry;
};

err_code catalog_new(struct store *s, model_decoder *decode, const struct limits *limits, struct catalog **ret,
                     struct error *err);
void catalog_free(struct catalog *c);

/* Makes or replaces a model with its initial version (1). `spec` is the canonical text, `m` what it decodes to. Results
 * as store_model_put. */
err_code catalog_put_model(struct catalog *c, const char *name, const char *spec, const struct model *m, bool replace,
                           const struct store_key *key, struct store_model *ret, enum put_result *ret_result,
                           struct error *err);
err_code catalog_hold_model(struct catalog *c, const char *name, struct held_model *ret,
                            struct error *err); /* not_found */
err_code catalog_hold_model_id(struct catalog *c, int64_t id, struct held_model *ret, struct error *err);
void catalog_release_model(struct catalog *c, struct held_model *m); /* of all zeroes: fine */

/* version 0: the newest. unknown_version. */
err_code catalog_hold_version(struct catalog *c, const struct held_model *m, int64_t version, struct held_version *ret,
                              struct error *err);
void catalog_release_version(struct catalog *c, struct held_version *v);
/* A new version from parameters that a client put (no transforms). `parameters`: in declared order, of the model's
 * dtype and shapes. */
err_code catalog_add_version(struct catalog *c, const struct held_model *m, struct tensor *const *parameters,
                             int64_t *ret_version, struct error *err);
/* The bytes that the store keeps for a version. Caller frees. */
err_code catalog_pack_parameters(struct tensor *const *parameters, size_t count, void **ret, size_t *ret_size,
                                 struct error *err);
/* The inverse; tensors_free(). internal if the size is not that of the model's parameters. */
err_code catalog_unpack_parameters(const struct model *m, const void *bytes, size_t size, struct tensor ***ret,
                                   struct error *err);

/* Whole tables, in memory. too_busy if it does not fit into what limits allow. */
err_code catalog_hold_table(struct catalog *c, const char *dataset, struct held_table *ret, struct error *err);
err_code catalog_hold_table_id(struct catalog *c, int64_t id, struct held_table *ret, struct error *err);
void catalog_release_table(struct catalog *c, struct held_table *t);

#endif
