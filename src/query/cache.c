#include "query/cache.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Entries stand in a chained hash table, and in a list from the one used last to the one used longest ago. An entry
 * that is being made has value NULL and is held by its maker and by those who wait for it. */
struct cache_entry {
    struct cache_entry *chain;
    struct cache_entry *newer, *older;
    void *value;
    size_t bytes;
    size_t holders;
    uint64_t hash;
    bool failed; /* making it failed: it is in the table no more */
    char key[];
};

struct cache {
    pthread_mutex_t mutex;
    pthread_cond_t made;
    cache_end *end;
    size_t bytes, bytes_max;
    struct cache_entry **buckets;
    size_t bucket_count, entry_count;
    struct cache_entry *newest, *oldest;
};

enum { BUCKETS_FIRST = 64 };

static uint64_t hash_of(const char *key)
{
    uint64_t hash = 14695981039346656037ULL; /* FNV-1a */
    for (; *key; key++) {
        hash = (hash ^ (unsigned char)*key) * 1099511628211ULL;
    }
    return hash;
}

static struct cache_entry **slot_of(struct cache *c, uint64_t hash, const char *key)
{
    struct cache_entry **slot = &c->buckets[hash & (c->bucket_count - 1)];
    while (*slot && ((*slot)->hash != hash || strcmp((*slot)->key, key) != 0)) {
        slot = &(*slot)->chain;
    }
    return slot;
}

static void list_remove(struct cache *c, struct cache_entry *e)
{
    *(e->newer ? &e->newer->older : &c->newest) = e->older;
    *(e->older ? &e->older->newer : &c->oldest) = e->newer;
}

static void list_push(struct cache *c, struct cache_entry *e)
{
    e->newer = NULL;
    e->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = e;
    c->newest = e;
}

static void table_remove(struct cache *c, struct cache_entry *e)
{
    *slot_of(c, e->hash, e->key) = e->chain;
    c->entry_count--;
    list_remove(c, e);
}

/* Twice the buckets, if there is memory for them; chains only grow longer otherwise. */
static void table_grow(struct cache *c)
{
    size_t count = c->bucket_count * 2;
    struct cache_entry **buckets = calloc(count, sizeof *buckets);
    if (!buckets) {
        return;
    }
    for (size_t i = 0; i < c->bucket_count; i++) {
        for (struct cache_entry *e = c->buckets[i], *next; e; e = next) {
            next = e->chain;
            e->chain = buckets[e->hash & (count - 1)];
            buckets[e->hash & (count - 1)] = e;
        }
    }
    free(c->buckets);
    c->buckets = buckets;
    c->bucket_count = count;
}

/* Takes what is over the bound out of the table; the caller ends the list after it has unlocked. Every entry counts
 * some bytes, so over a bound of 0 all that nobody holds is taken. */
static struct cache_entry *evict(struct cache *c)
{
    struct cache_entry *evicted = NULL;
    for (struct cache_entry *e = c->oldest, *newer; e && c->bytes > c->bytes_max; e = newer) {
        newer = e->newer;
        if (e->holders == 0) {
            table_remove(c, e);
            c->bytes -= e->bytes;
            e->chain = evicted;
            evicted = e;
        }
    }
    return evicted;
}

static void end_list(struct cache *c, struct cache_entry *e)
{
    for (struct cache_entry *next; e; e = next) {
        next = e->chain;
        c->end(e->value);
        free(e);
    }
}

err_code cache_new(size_t bytes_max, cache_end *end, struct cache **ret, struct error *err)
{
    struct cache *c = calloc(1, sizeof *c);
    struct cache_entry **buckets = calloc(BUCKETS_FIRST, sizeof(struct cache_entry *));
    if (!c || !buckets) {
        free(c);
        free(buckets);
        return error_set(err, ERR_out_of_memory, NULL);
    }
    pthread_mutex_init(&c->mutex, NULL);
    pthread_cond_init(&c->made, NULL);
    c->end = end;
    c->bytes_max = bytes_max;
    c->buckets = buckets;
    c->bucket_count = BUCKETS_FIRST;
    *ret = c;
    return ERR_ok;
}

void cache_free(struct cache *c)
{
    if (!c) {
        return;
    }
    c->bytes_max = 0;
    end_list(c, evict(c));
    free(c->buckets);
    pthread_cond_destroy(&c->made);
    pthread_mutex_destroy(&c->mutex);
    free(c);
}

static size_t entry_bytes(const char *key)
{
    return sizeof(struct cache_entry) + strlen(key) + 1;
}

static struct cache_entry *entry_new(uint64_t hash, const char *key)
{
    struct cache_entry *e = calloc(1, entry_bytes(key));
    if (e) {
        e->hash = hash;
        memcpy(e->key, key, strlen(key) + 1);
    }
    return e;
}

/* Finds the key's entry, waiting while it is made. NULL: the caller makes it, into *ret_new, which is in the table and
 * held. Called and returns locked. */
static struct cache_entry *find_or_begin(struct cache *c, const char *key, struct cache_entry **ret_new)
{
    uint64_t hash = hash_of(key);
    for (;;) {
        struct cache_entry *e = *slot_of(c, hash, key);
        if (!e) {
            e = entry_new(hash, key);
            *ret_new = e;
            if (e) {
                if (c->entry_count >= c->bucket_count) {
                    table_grow(c);
                }
                struct cache_entry **slot = slot_of(c, hash, key);
                *slot = e;
                c->entry_count++;
                list_push(c, e);
                e->holders = 1;
            }
            return NULL;
        }
        e->holders++;
        while (!e->value && !e->failed) {
            pthread_cond_wait(&c->made, &c->mutex);
        }
        if (e->value) {
            list_remove(c, e);
            list_push(c, e);
            return e;
        }
        if (--e->holders == 0) {
            free(e);
        }
    }
}

err_code cache_hold(struct cache *c, const char *key, cache_make *make, void *context, struct cache_entry **ret,
                    struct error *err)
{
    struct cache_entry *begun = NULL;
    pthread_mutex_lock(&c->mutex);
    struct cache_entry *found = find_or_begin(c, key, &begun);
    pthread_mutex_unlock(&c->mutex);
    if (found) {
        *ret = found;
        return ERR_ok;
    }
    if (!begun) {
        return error_set(err, ERR_out_of_memory, NULL);
    }
    void *value = NULL;
    size_t bytes = 0;
    err_code code = make(context, &value, &bytes, err);
    struct cache_entry *evicted = NULL;
    pthread_mutex_lock(&c->mutex);
    if (code == ERR_ok) {
        begun->value = value;
        begun->bytes = entry_bytes(key) + bytes;
        c->bytes += begun->bytes;
        evicted = evict(c);
        *ret = begun;
    } else {
        table_remove(c, begun);
        begun->failed = true;
        if (--begun->holders == 0) {
            free(begun);
        }
    }
    pthread_cond_broadcast(&c->made);
    pthread_mutex_unlock(&c->mutex);
    end_list(c, evicted);
    return code;
}

bool cache_has(struct cache *c, const char *key)
{
    pthread_mutex_lock(&c->mutex);
    const struct cache_entry *e = *slot_of(c, hash_of(key), key);
    bool has = e && e->value;
    pthread_mutex_unlock(&c->mutex);
    return has;
}

void *cache_value(const struct cache_entry *e)
{
    return e->value;
}

void cache_release(struct cache *c, struct cache_entry *e)
{
    if (!e) {
        return;
    }
    pthread_mutex_lock(&c->mutex);
    e->holders--;
    struct cache_entry *evicted = evict(c);
    pthread_mutex_unlock(&c->mutex);
    end_list(c, evicted);
}
