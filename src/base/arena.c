/* The arena: a list of blocks, each twice the last up to BLOCK_MAX; what is larger gets a block of its own.
 * Under ASan all that was not handed out is poisoned, with a gap after every allocation, so that running over its end
 * is seen. */
#include "base/arena.h"

#include "base/size.h"
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif

#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
enum { GAP = 16 };
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
enum { GAP = 0 };
#endif

enum { ALIGNMENT = _Alignof(max_align_t), BLOCK_FIRST = 4096, BLOCK_MAX = 1 << 20 };

struct block {
    struct block *next;
    size_t size, used; /* of `bytes` */
    max_align_t bytes[];
};

struct arena {
    struct block *blocks; /* owned; the first is the one that is being filled */
    size_t next_size;     /* of the next block */
    size_t held;          /* bytes, of all blocks with their headers, and of the arena */
};

struct arena *arena_new(void)
{
    struct arena *a = calloc(1, sizeof *a);
    if (a == NULL)
        return NULL;
    a->next_size = BLOCK_FIRST;
    a->held = sizeof *a;
    return a;
}

void arena_free(struct arena *a)
{
    if (a == NULL)
        return;
    for (struct block *b = a->blocks, *next; b != NULL; b = next) {
        next = b->next;
        ASAN_UNPOISON_MEMORY_REGION(b->bytes, b->size);
        free(b);
    }
    free(a);
}

/* A block for `size` bytes; a large one goes behind the first, which still has room for small things. */
static struct block *arena_grow(struct arena *a, size_t size)
{
    bool large = size > a->next_size / 4;
    size_t room = large ? size : a->next_size;
    size_t total;
    if (!size_add(room, sizeof(struct block), &total))
        return NULL;
    struct block *b = malloc(total);
    if (b == NULL)
        return NULL;
    b->size = room;
    b->used = 0;
    ASAN_POISON_MEMORY_REGION(b->bytes, b->size);
    if (large && a->blocks != NULL) {
        b->next = a->blocks->next;
        a->blocks->next = b;
    } else {
        b->next = a->blocks;
        a->blocks = b;
    }
    if (!large && a->next_size < BLOCK_MAX)
        a->next_size *= 2;
    a->held += total;
    return b;
}

void *arena_alloc(struct arena *a, size_t size)
{
    size_t padded;
    if (!size_add(size, GAP + ALIGNMENT - 1, &padded))
        return NULL;
    padded = padded / ALIGNMENT * ALIGNMENT;
    if (padded == 0)
        padded = ALIGNMENT;
    struct block *b = a->blocks;
    if (b == NULL || b->size - b->used < padded)
        b = arena_grow(a, padded);
    if (b == NULL)
        return NULL;
    void *result = (char *)b->bytes + b->used;
    b->used += padded;
    ASAN_UNPOISON_MEMORY_REGION(result, size);
    memset(result, 0, size);
    return result;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
    size_t bytes;
    return size_mul(count, size, &bytes) ? arena_alloc(a, bytes) : NULL;
}

char *arena_copy(struct arena *a, const char *text, size_t length)
{
    size_t bytes;
    char *copy = size_add(length, 1, &bytes) ? arena_alloc(a, bytes) : NULL;
    if (copy != NULL && length > 0)
        memcpy(copy, text, length);
    return copy;
}

size_t arena_bytes(const struct arena *a)
{
    return a->held;
}
