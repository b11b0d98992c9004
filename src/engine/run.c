#include "engine/run.h"
#include "engine/internal.h"
#include "engine/team.h"
#include <stdlib.h>

struct run {
    const struct plan *plan;
    uint64_t seed, step;
    struct team *team; /* borrowed; NULL: alone */
    bool *writable;    /* by leaf: bound by run_bind_shared */
    void *bases[];     /* arena, constants, leaves, row numbers of each leaf */
};

err_code run_new(const struct plan *p, struct run **ret, struct error *err)
{
    struct run *r = calloc(1, sizeof *r + (BASE_LEAVES + 2 * p->leaf_count) * sizeof *r->bases + p->leaf_count);
    if (r == NULL)
        return error_set(err, ERR_out_of_memory, "there is no memory for a run");
    r->plan = p;
    r->writable = (bool *)&r->bases[BASE_LEAVES + 2 * p->leaf_count];
    r->bases[BASE_CONSTANTS] = p->constants;
    if (p->arena_bytes > 0) {
        r->bases[BASE_ARENA] = aligned_alloc(64, p->arena_bytes);
        if (r->bases[BASE_ARENA] == NULL) {
            free(r);
            return error_set(err, ERR_out_of_memory, "there are no %zu bytes for a run", p->arena_bytes);
        }
    }
    *ret = r;
    return ERR_ok;
}

void run_free(struct run *r)
{
    if (r == NULL)
        return;
    free(r->bases[BASE_ARENA]);
    free(r);
}

void run_bind(struct run *r, size_t input, const void *data)
{
    r->bases[BASE_LEAVES + input] = (void *)data;
    r->writable[input] = false;
}

void run_bind_shared(struct run *r, size_t input, void *data)
{
    r->bases[BASE_LEAVES + input] = data;
    r->writable[input] = true;
}

void run_bind_rows(struct run *r, size_t input, const void *table, const uint32_t *rows)
{
    run_bind(r, input, table);
    r->bases[BASE_LEAVES + r->plan->leaf_count + input] = (void *)rows;
}

void run_set_random(struct run *r, uint64_t seed, uint64_t step)
{
    r->seed = seed;
    r->step = step;
}

void run_set_team(struct run *r, struct team *team)
{
    r->team = team;
}

/* ---- a call that threads share ---- */

struct shared_call {
    const struct call *call;
    void *const *p;
    const struct frame *frame;
    atomic_bool cancelled;
};

static void compute_piece(void *context, uint32_t piece, int thread)
{
    struct shared_call *s = context;
    if (s->frame->cancel != NULL && atomic_load_explicit(s->frame->cancel, memory_order_relaxed))
        atomic_store_explicit(&s->cancelled, true, memory_order_relaxed);
    else
        s->call->piece(s->call, s->p, piece, thread);
}

static err_code share(struct team *team, const struct call *c, void *const *p, const struct frame *frame,
                      struct error *err)
{
    struct shared_call s = {.call = c, .p = p, .frame = frame};
    team_run(team, c->pieces, compute_piece, &s);
    return atomic_load_explicit(&s.cancelled, memory_order_relaxed)
               ? error_set(err, ERR_cancelled, "the computation was cancelled")
               : ERR_ok;
}

/* ---- executing ---- */

static err_code check_bound(const struct run *r, struct error *err)
{
    const struct plan *p = r->plan;
    for (size_t i = 0; i < p->leaf_count; i++) {
        const struct leaf *leaf = &p->leaves[i];
        if (r->bases[BASE_LEAVES + i] == NULL || (leaf->gathered && r->bases[BASE_LEAVES + p->leaf_count + i] == NULL))
            return error_set(err, ERR_missing_input, "%s has no value", leaf->name);
        if (leaf->shared && !r->writable[i])
            return error_set(err, ERR_internal, "%s is bound to memory that may not be written", leaf->name);
    }
    return ERR_ok;
}

err_code run_execute(struct run *r, const atomic_bool *cancel, struct error *err)
{
    const struct plan *p = r->plan;
    struct frame frame = {.seed = r->seed, .step = r->step, .cancel = cancel};
    err_code code = check_bound(r, err);
    if (code != ERR_ok)
        return code;
    for (size_t i = 0; i < p->call_count; i++) {
        const struct call *c = &p->calls[i];
        void *pointers[REFS_MAX];
        if (i == p->commit)
            frame.cancel = NULL;
        if (frame.cancel != NULL && atomic_load_explicit(frame.cancel, memory_order_relaxed))
            return error_set(err, ERR_cancelled, "the computation was cancelled");
        for (uint32_t j = 0; j < c->ref_count; j++)
            pointers[j] =
                c->refs[j].base == REF_NONE.base ? NULL : (char *)r->bases[c->refs[j].base] + c->refs[j].offset;
        if (r->team != NULL && c->piece != NULL && c->pieces > 1)
            code = share(r->team, c, pointers, &frame, err);
        else if (c->execute != NULL)
            code = c->execute(c, pointers, &frame, err);
        else
            c->kernel(c->args, pointers);
        if (code != ERR_ok)
            return code;
    }
    return ERR_ok;
}

const void *run_output(const struct run *r, size_t output)
{
    const struct ref ref = r->plan->outputs[output].ref;
    return (const char *)r->bases[ref.base] + ref.offset;
}
