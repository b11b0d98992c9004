/* Names: a map from strings to indices (hash table), and the nearest name for "did you mean". */
#ifndef GRADD_BASE_NAMES_H
#define GRADD_BASE_NAMES_H

#include <stdbool.h>
#include <stddef.h>

struct names; /* owns copies of its keys */

struct names *names_new(void); /* NULL if there is no memory */
void names_free(struct names *n);
bool names_put(struct names *n, const char *name, size_t length, size_t value); /* false: no memory. Replaces. */
bool names_get(const struct names *n, const char *name, size_t length, size_t *ret);

/* The candidate nearest to `name` in edit distance (case folded), if it is near enough to be a guess; else NULL.
 * Start with {.name = name}, offer each candidate, read `best`. Bounded: names over 64 bytes are never compared. */
struct guess {
    const char *name;
    const char *best; /* borrowed from the candidates */
    size_t distance;
};
void guess_offer(struct guess *g, const char *candidate);

#endif
