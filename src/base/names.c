/* Names: open addressing with linear probing over SipHash-1-3 under a random key, so that no client can choose names
 * that collide (Aumasson, Bernstein, "SipHash: a fast short-input PRF", 2012). Nothing depends on the order of the
 * table. */
#include "base/names.h"

#include "base/arena.h"
#include "base/size.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct slot {
    const char *name; /* in the arena; NULL: free */
    size_t length;
    uint64_t hash;
    size_t value;
};

struct names {
    struct arena *arena; /* owned */
    struct slot *slots;  /* owned; capacity, a power of two */
    size_t capacity, count;
    uint64_t key[2];
};

enum { SLOTS_FIRST = 16 };

static uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

static uint64_t sip_hash(const uint64_t key[2], const char *bytes, size_t length)
{
    uint64_t v[4] = {key[0] ^ UINT64_C(0x736f6d6570736575), key[1] ^ UINT64_C(0x646f72616e646f6d),
                     key[0] ^ UINT64_C(0x6c7967656e657261), key[1] ^ UINT64_C(0x7465646279746573)};
    for (size_t at = 0; at <= length; at += 8) {
        uint64_t word = 0;
        size_t size = length - at < 8 ? length - at : 8;
        memcpy(&word, bytes + at, size);
        if (size < 8)
            word |= (uint64_t)length << 56;
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    v[2] ^= 0xFF;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct names *names_new(void)
{
    struct names *n = calloc(1, sizeof *n);
    if (n == NULL)
        return NULL;
    n->arena = arena_new();
    n->slots = calloc(SLOTS_FIRST, sizeof *n->slots);
    n->capacity = SLOTS_FIRST;
    /* Without random bytes the table is as right, and only its speed can be attacked. */
    if (getrandom(n->key, sizeof n->key, GRND_NONBLOCK) != (ssize_t)sizeof n->key)
        memset(n->key, 0, sizeof n->key);
    if (n->arena == NULL || n->slots == NULL) {
        names_free(n);
        return NULL;
    }
    return n;
}

void names_free(struct names *n)
{
    if (n == NULL)
        return;
    arena_free(n->arena);
    free(n->slots);
    free(n);
}

/* The slot that holds the name, or the free one where it belongs. */
static struct slot *find_slot(const struct names *n, const char *name, size_t length, uint64_t hash)
{
    for (size_t i = (size_t)hash & (n->capacity - 1);; i = (i + 1) & (n->capacity - 1)) {
        struct slot *s = &n->slots[i];
        if (s->name == NULL)
            return s;
        if (s->hash == hash && s->length == length && memcmp(s->name, name, length) == 0)
            return s;
    }
}

static bool grow(struct names *n)
{
    struct slot *old = n->slots;
    size_t old_capacity = n->capacity, capacity;
    if (!size_mul(old_capacity, 2, &capacity))
        return false;
    struct slot *slots = calloc(capacity, sizeof *slots);
    if (slots == NULL)
        return false;
    n->slots = slots;
    n->capacity = capacity;
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i].name != NULL)
            *find_slot(n, old[i].name, old[i].length, old[i].hash) = old[i];
    free(old);
    return true;
}

bool names_put(struct names *n, const char *name, size_t length, size_t value)
{
    uint64_t hash = sip_hash(n->key, name, length);
    struct slot *s = find_slot(n, name, length, hash);
    if (s->name != NULL) {
        s->value = value;
        return true;
    }
    /* At most three quarters full. */
    if (n->count >= n->capacity / 4 * 3) {
        if (!grow(n))
            return false;
        s = find_slot(n, name, length, hash);
    }
    const char *copy = arena_copy(n->arena, name, length);
    if (copy == NULL)
        return false;
    *s = (struct slot){.name = copy, .length = length, .hash = hash, .value = value};
    n->count++;
    return true;
}

bool names_get(const struct names *n, const char *name, size_t length, size_t *ret)
{
    const struct slot *s = find_slot(n, name, length, sip_hash(n->key, name, length));
    if (s->name == NULL)
        return false;
    *ret = s->value;
    return true;
}
