/* Attributes as values: copied into an arena, converted to the kind that their key has, compared. Inside graph/ only.
 * What an arena's attribute points to lives as long as the arena. */
#ifndef GRADD_GRAPH_ATTRIBUTE_H
#define GRADD_GRAPH_ATTRIBUTE_H

#include "base/arena.h"
#include "graph/op.h"

/* Copies `given` into the arena, as the kind of its key: an integer becomes a FLOAT, a BOOL (0 and 1 only), a list of
 * one or a scalar tensor where that is wanted, a number or a list of integers a tensor. ERR_invalid_attribute where it
 * can't be, or is not finite; ERR_out_of_memory. Nothing is reported. */
err_code attribute_copy(struct arena *arena, const struct attribute *given, struct attribute *ret);

/* A tensor in the arena: float64, of that shape, zeros. NULL: no memory, or the shape is too large. */
struct tensor *arena_tensor(struct arena *arena, struct shape shape);

bool attribute_equal(const struct attribute *a, const struct attribute *b);
uint64_t attribute_hash(const struct attribute *a, uint64_t seed);

/* The one step of the hash, after the finalizer of splitmix64: both ends of the word must reach the low bits, for small
 * doubles differ at the top alone. */
static inline uint64_t hash_mix(uint64_t hash, uint64_t value)
{
    uint64_t x = hash ^ value;
    x = (x ^ (x >> 32)) * UINT64_C(0x9E3779B97F4A7C15);
    return x ^ (x >> 29);
}

#endif
