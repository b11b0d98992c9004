/* Memory: who lives when, what may lie where, and the size of the arena. */
#include "base/size.h"
#include "engine/planner.h"
#include <stdlib.h>
#include <string.h>

enum { SLOT_ALIGNMENT = 64, HOLES_LOOKED_AT = 64 };

/* Life of a storage, by calls. */
struct life {
    uint32_t first, last;  /* calls that use it */
    uint32_t next_to_free; /* the next storage whose last call is the same, + 1; 0: none */
    bool kept;             /* an output lies there */
};

uint32_t storage_of(const struct planner *p, uint32_t storage)
{
    while (p->storages[storage].alias != storage)
        storage = p->storages[storage].alias;
    return storage;
}

static int access_of(const struct program *g, uint32_t ref)
{
    for (int i = 0; i < g->access_count; i++)
        if (g->access[i].pointer == ref)
            return i;
    return -1;
}

/* Whether two accesses walk their memory in one way. */
static bool walk_alike(const struct program *g, const struct access *a, const struct access *b)
{
    for (int axis = 0; axis < g->outer_rank; axis++)
        if (a->outer_stride[axis] != b->outer_stride[axis])
            return false;
    return (g->rows <= 1 || a->row_stride == b->row_stride) && a->column_stride == b->column_stride;
}

bool call_may_overwrite(const struct call *c, uint32_t w, uint32_t r)
{
    const struct program *g = c->program;
    const int written = g != NULL ? access_of(g, w) : -1;
    const int read = g != NULL ? access_of(g, r) : -1;
    if (written < 0 || read < 0 || c->refs[w].offset != c->refs[r].offset ||
        !walk_alike(g, &g->access[written], &g->access[read]))
        return false;
    int last_read = -1;
    int write = -1;
    for (int i = 0; i < g->instruction_count; i++) {
        const struct instruction *n = &g->instruction[i];
        for (int o = 0; o < OPERANDS_MAX; o++)
            if (n->in[o] == read)
                last_read = i;
        if (n->out == written)
            write = i;
    }
    return last_read <= write;
}

static void find_lives(const struct planner *p, struct life *lives)
{
    for (size_t i = 0; i < p->storage_count; i++)
        lives[i] = (struct life){.first = UINT32_MAX};
    for (size_t i = 0; i < p->plan->call_count; i++) {
        const struct call *c = &p->plan->calls[i];
        for (uint32_t r = 0; r < c->ref_count; r++) {
            if (c->refs[r].base == REF_NONE.base)
                continue;
            struct life *life = &lives[storage_of(p, c->refs[r].base)];
            if (life->first == UINT32_MAX)
                life->first = (uint32_t)i;
            life->last = (uint32_t)i;
        }
    }
    for (size_t i = 0; i < p->plan->output_count; i++)
        lives[storage_of(p, p->plan->outputs[i].ref.base)].kept = true;
}

/* Whether what call i writes as ref w may lie where its operand r does. */
static bool can_be_in_place(const struct planner *p, const struct life *lives, uint32_t i, uint32_t w, uint32_t r)
{
    const struct call *c = &p->plan->calls[i];
    const uint32_t out = storage_of(p, c->refs[w].base);
    const uint32_t in = storage_of(p, c->refs[r].base);
    if (p->storages[out].kind != STORAGE_ARENA || p->storages[in].kind != STORAGE_ARENA || in == out ||
        lives[out].first != i || lives[in].last != i || lives[in].kept ||
        p->storages[in].bytes != p->storages[out].bytes)
        return false;
    for (uint32_t other = 0; other < c->ref_count; other++)
        if (c->refs[other].base != REF_NONE.base && storage_of(p, c->refs[other].base) == in &&
            ((c->written >> other & 1) || !call_may_overwrite(c, w, other)))
            return false;
    return true;
}

static void unite_in_place(struct planner *p, struct life *lives)
{
    for (uint32_t i = 0; i < p->plan->call_count; i++) {
        const struct call *c = &p->plan->calls[i];
        for (uint32_t w = 0; c->program != NULL && w < c->ref_count; w++)
            for (uint32_t r = 0; (c->written >> w & 1) && r < c->ref_count; r++) {
                if ((c->written >> r & 1) || c->refs[r].base == REF_NONE.base || !can_be_in_place(p, lives, i, w, r))
                    continue;
                const uint32_t out = storage_of(p, c->refs[w].base);
                const uint32_t in = storage_of(p, c->refs[r].base);
                p->storages[out].alias = in;
                lives[in].last = lives[out].last;
                lives[in].kept = lives[out].kept;
                break;
            }
    }
}

/* ---------------------------------------------------------------- the arena */

/* Free ranges below `top`, by offset, never side by side. */
struct holes {
    struct hole {
        size_t offset, size;
    } * items;
    size_t count, capacity;
    size_t top;
};

/* The smallest hole that fits, of those looked at, else the top. */
static bool take(struct holes *h, size_t size, size_t *ret)
{
    size_t best = SIZE_MAX;
    const size_t looked_at = h->count < HOLES_LOOKED_AT ? h->count : HOLES_LOOKED_AT;
    for (size_t i = 0; i < looked_at; i++)
        if (h->items[i].size >= size && (best == SIZE_MAX || h->items[i].size < h->items[best].size))
            best = i;
    if (best == SIZE_MAX) {
        *ret = h->top;
        return size_add(h->top, size, &h->top) && h->top <= SIZE_MAX / 4;
    }
    struct hole *hole = &h->items[best];
    *ret = hole->offset;
    hole->offset += size;
    hole->size -= size;
    if (hole->size == 0) {
        h->count--;
        memmove(hole, hole + 1, (h->count - best) * sizeof *hole);
    }
    return true;
}

/* Gives a range back. There is room for it: as many holes as storages. */
static void give(struct holes *h, size_t offset, size_t size)
{
    size_t low = 0;
    size_t high = h->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (h->items[middle].offset < offset)
            low = middle + 1;
        else
            high = middle;
    }
    struct hole *after = &h->items[low];
    const bool joins_after = low < h->count && offset + size == after->offset;
    const bool joins_before = low > 0 && after[-1].offset + after[-1].size == offset;
    if (joins_before) {
        after[-1].size += size + (joins_after ? after->size : 0);
        if (joins_after) {
            h->count--;
            memmove(after, after + 1, (h->count - low) * sizeof *after);
        }
    } else if (joins_after) {
        after->offset = offset;
        after->size += size;
    } else {
        memmove(after + 1, after, (h->count - low) * sizeof *after);
        *after = (struct hole){offset, size};
        h->count++;
    }
}

static size_t slot_size(const struct storage *s)
{
    const size_t bytes = s->bytes == 0 ? 1 : s->bytes;
    return (bytes + SLOT_ALIGNMENT - 1) / SLOT_ALIGNMENT * SLOT_ALIGNMENT;
}

/* Walks the calls: a storage gets its place at its first call, and gives it back after its last. `to_free`: a list of
 * storages for each call. */
static bool place(struct planner *p, struct life *lives, uint32_t *to_free, struct holes *holes)
{
    for (uint32_t i = 0; i < p->plan->call_count; i++) {
        const struct call *c = &p->plan->calls[i];
        for (uint32_t r = 0; r < c->ref_count; r++) {
            if (c->refs[r].base == REF_NONE.base)
                continue;
            const uint32_t index = storage_of(p, c->refs[r].base);
            struct storage *storage = &p->storages[index];
            struct life *life = &lives[index];
            if (storage->kind != STORAGE_ARENA || life->first != i)
                continue;
            if (!take(holes, slot_size(storage), &storage->offset))
                return false;
            life->first = UINT32_MAX; /* it has its place */
            if (!life->kept && !p->spec->plain) {
                life->next_to_free = to_free[life->last];
                to_free[life->last] = index + 1;
            }
        }
        for (uint32_t next = to_free[i]; next != 0; next = lives[next - 1].next_to_free)
            give(holes, p->storages[next - 1].offset, slot_size(&p->storages[next - 1]));
    }
    return true;
}

/* ---------------------------------------------------------------- refs */

static void settle_ref(const struct planner *p, struct ref *ref)
{
    if (ref->base == REF_NONE.base)
        return;
    const struct storage *s = &p->storages[storage_of(p, ref->base)];
    ref->offset *= (int64_t)dtype_size(p->spec->dtype);
    switch (s->kind) {
    case STORAGE_ARENA:
        ref->base = BASE_ARENA;
        ref->offset += (int64_t)s->offset;
        break;
    case STORAGE_CONSTANTS:
        ref->base = BASE_CONSTANTS;
        break;
    case STORAGE_LEAF:
        ref->base = BASE_LEAVES + s->leaf;
        break;
    case STORAGE_ROWS:
        ref->base = BASE_LEAVES + (uint32_t)p->plan->leaf_count + s->leaf;
        break;
    }
}

static void settle_refs(struct planner *p)
{
    struct plan *plan = p->plan;
    plan->commit = plan->call_count;
    for (size_t i = plan->call_count; i-- > 0;) {
        struct call *c = &plan->calls[i];
        for (uint32_t r = 0; r < c->ref_count; r++) {
            settle_ref(p, &c->refs[r]);
            if ((c->written >> r & 1) && c->refs[r].base >= BASE_LEAVES)
                plan->commit = i;
        }
    }
    for (size_t i = 0; i < plan->output_count; i++)
        settle_ref(p, &plan->outputs[i].ref);
}

err_code plan_memory(struct planner *p)
{
    struct holes holes = {.items = malloc((p->storage_count + 1) * sizeof *holes.items)};
    struct life *lives = malloc(p->storage_count * sizeof *lives);
    uint32_t *to_free = calloc(p->plan->call_count + 1, sizeof *to_free);
    err_code code = ERR_ok;
    if (holes.items == NULL || lives == NULL || to_free == NULL) {
        code = error_set(p->err, ERR_out_of_memory, "there is no memory for a plan");
    } else {
        find_lives(p, lives);
        if (!p->spec->plain)
            unite_in_place(p, lives);
        if (place(p, lives, to_free, &holes)) {
            p->plan->arena_bytes = holes.top;
            code = p->spec->described ? plan_note_places(p) : ERR_ok;
            settle_refs(p);
        } else {
            code = error_set(p->err, ERR_limit_exceeded, "the plan needs more memory than can be addressed");
        }
    }
    free(to_free);
    free(lives);
    free(holes.items);
    return code;
}
