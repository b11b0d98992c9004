/* An arena: many small allocations that die together. Poisoned under ASan. Not for threads to share. */
#ifndef GRADD_BASE_ARENA_H
#define GRADD_BASE_ARENA_H

#include <stddef.h>

struct arena;

struct arena *arena_new(void);                   /* NULL if there is no memory */
void arena_free(struct arena *a);                /* NULL is fine */
void *arena_alloc(struct arena *a, size_t size); /* zeroed, aligned for any type; NULL if there is no memory */
void *arena_array(struct arena *a, size_t count, size_t size);      /* as arena_alloc, overflow checked */
char *arena_copy(struct arena *a, const char *text, size_t length); /* NUL-terminated copy */
size_t arena_bytes(const struct arena *a);                          /* held from the system */

#endif
