#include "support/counted.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

struct counted counted;

/* ---------------------------------------------------------------- what is alive: a hash table, open addressing */

enum { ENTRIES = 1 << 18 };

static struct entry {
    const void *at; /* NULL: free */
    size_t size;
    bool aligned;
} entries[ENTRIES];

static size_t home(const void *at)
{
    return (uintptr_t)at * 0x9E3779B97F4A7C15U >> 46;
}

static void *enter(void *at, size_t size, bool aligned)
{
    counted.calls++;
    if (!at)
        return NULL;
    size_t i = home(at);
    for (size_t tries = 0; entries[i].at; i = (i + 1) % ENTRIES)
        if (++tries == ENTRIES)
            abort();
    entries[i] = (struct entry){at, size, aligned};
    counted.live += size;
    counted.live_aligned += aligned ? size : 0;
    return at;
}

/* Later entries of the same run move up, so that no search ends before them. */
static void leave(const void *at)
{
    size_t i = home(at);
    while (entries[i].at != at) {
        if (!entries[i].at)
            return; /* a library's own */
        i = (i + 1) % ENTRIES;
    }
    counted.live -= entries[i].size;
    counted.live_aligned -= entries[i].aligned ? entries[i].size : 0;
    for (size_t next = (i + 1) % ENTRIES; entries[next].at; next = (next + 1) % ENTRIES) {
        size_t from_home = (next - home(entries[next].at)) % ENTRIES, from_hole = (next - i) % ENTRIES;
        if (from_home < from_hole)
            continue;
        entries[i] = entries[next];
        i = next;
    }
    entries[i].at = NULL;
}

/* ---------------------------------------------------------------- the two ends of each call */

#define WRAPPED(type, name, parameters)                                                                                \
    type real_##name parameters __asm__("__real_" #name);                                                              \
    type counted_##name parameters __asm__("__wrap_" #name)

WRAPPED(void *, malloc, (size_t size));
WRAPPED(void *, calloc, (size_t count, size_t size));
WRAPPED(void *, realloc, (void *at, size_t size));
WRAPPED(void *, reallocarray, (void *at, size_t count, size_t size));
WRAPPED(void *, aligned_alloc, (size_t alignment, size_t size));
WRAPPED(void, free, (void *at));
WRAPPED(int, pthread_mutex_lock, (pthread_mutex_t * mutex));
WRAPPED(int, pthread_rwlock_rdlock, (pthread_rwlock_t * lock));
WRAPPED(int, pthread_rwlock_wrlock, (pthread_rwlock_t * lock));

void *counted_malloc(size_t size)
{
    return enter(real_malloc(size), size, false);
}

void *counted_calloc(size_t count, size_t size)
{
    return enter(real_calloc(count, size), count * size, false);
}

void *counted_realloc(void *at, size_t size)
{
    void *moved = real_realloc(at, size);
    if (at && moved)
        leave(at);
    return enter(moved, size, false);
}

void *counted_reallocarray(void *at, size_t count, size_t size)
{
    void *moved = real_reallocarray(at, count, size);
    if (at && moved)
        leave(at);
    return enter(moved, count * size, false);
}

void *counted_aligned_alloc(size_t alignment, size_t size)
{
    return enter(real_aligned_alloc(alignment, size), size, true);
}

void counted_free(void *at)
{
    counted.calls++;
    if (at)
        leave(at);
    real_free(at);
}

int counted_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    counted.locks++;
    return real_pthread_mutex_lock(mutex);
}

int counted_pthread_rwlock_rdlock(pthread_rwlock_t *lock)
{
    counted.locks++;
    return real_pthread_rwlock_rdlock(lock);
}

int counted_pthread_rwlock_wrlock(pthread_rwlock_t *lock)
{
    counted.locks++;
    return real_pthread_rwlock_wrlock(lock);
}
