/* A cache of things made from a key: each is made once, outside the lock, and shared by reference count. Thread-safe.
 *
 * Bounded by bytes: what nobody holds and was used longest ago goes first. What is held is never ended, even over the
 * bound. Two who ask for the same missing key: one makes it, the other waits; if making fails, the error is the
 * maker's, and the one who waited tries for itself. */
#ifndef GRADD_QUERY_CACHE_H
#define GRADD_QUERY_CACHE_H

#include "base/error.h"

struct cache;
struct cache_entry;

typedef void cache_end(void *value);
/* Makes the value of a key; *ret_bytes is what it counts against the bound, beside the entry itself. */
typedef err_code cache_make(void *context, void **ret_value, size_t *ret_bytes, struct error *err);

err_code cache_new(size_t bytes_max, cache_end *end, struct cache **ret, struct error *err);
void cache_free(struct cache *c); /* nothing may be held; NULL is fine */
err_code cache_hold(struct cache *c, const char *key, cache_make *make, void *context, struct cache_entry **ret,
                    struct error *err);
bool cache_has(struct cache *c, const char *key);
void *cache_value(const struct cache_entry *e);
void cache_release(struct cache *c, struct cache_entry *e); /* NULL is fine */

#endif
