/* Outputs that are written over a leaf: an optimizer's updates.
 *
 * The new value must come after every other read of the old one, and a run that fails or is cancelled must leave the
 * leaf alone. So an output is computed right where the leaf lies only if nothing reads the leaf later and no later step
 * can fail; else it is computed in the arena and copied at the end. */
#include "engine/planner.h"
#include <stdlib.h>

/* The calls that use a storage; -1: none. */
struct uses {
    int64_t write, last_read;
    uint32_t written_as; /* the ref of the call that writes it */
};

static uint32_t leaf_storage(const struct planner *p, node_id leaf)
{
    return p->values[leaf].storage;
}

static const struct plan_shared *sharing_of(const struct planner *p, size_t output, uint32_t storage)
{
    for (size_t i = 0; i < p->spec->shared_count; i++) {
        const struct plan_shared *s = &p->spec->shared[i];
        if (leaf_storage(p, s->input) == storage && (output == SIZE_MAX || s->output == output))
            return s;
    }
    return NULL;
}

/* Outputs that lie in a leaf which will be written over are copied, but for the one that is what is written. */
static err_code save_old_values(struct planner *p)
{
    for (size_t i = 0; i < p->spec->output_count; i++) {
        const struct view *v = &p->values[p->spec->outputs[i]];
        const struct storage *s = &p->storages[v->storage];
        if (s->kind != STORAGE_LEAF || sharing_of(p, SIZE_MAX, v->storage) == NULL ||
            sharing_of(p, i, v->storage) != NULL)
            continue;
        struct view copy;
        p->node = p->spec->outputs[i];
        err_code code = planner_tensor(p, v->shape, &copy);
        if (code == ERR_ok)
            code = emit_copy(p, &copy, v);
        if (code != ERR_ok)
            return code;
        p->plan->outputs[i].ref = view_ref(&copy);
    }
    return ERR_ok;
}

static struct uses *find_uses(const struct planner *p, int64_t *ret_last_failing)
{
    struct uses *uses = calloc(p->storage_count, sizeof *uses);
    *ret_last_failing = -1;
    if (uses == NULL)
        return NULL;
    for (size_t i = 0; i < p->storage_count; i++)
        uses[i] = (struct uses){.write = -1, .last_read = -1};
    for (size_t i = 0; i < p->plan->call_count; i++) {
        const struct call *c = &p->plan->calls[i];
        for (uint32_t r = 0; r < c->ref_count; r++) {
            if (c->refs[r].base == REF_NONE.base)
                continue;
            struct uses *u = &uses[c->refs[r].base];
            if (!(c->written >> r & 1)) {
                u->last_read = (int64_t)i;
            } else if (u->write < 0) {
                u->write = (int64_t)i;
                u->written_as = r;
            }
        }
        if (call_can_fail(c))
            *ret_last_failing = (int64_t)i;
    }
    return uses;
}

/* Whether the storage of an output can be the leaf itself. */
static bool can_unite(const struct planner *p, const struct uses *uses, int64_t last_failing, struct ref output,
                      uint32_t leaf, size_t bytes)
{
    const struct storage *s = &p->storages[output.base];
    const int64_t write = uses[output.base].write;
    if (s->kind != STORAGE_ARENA || s->alias != output.base || output.offset != 0 || s->bytes != bytes || write < 0 ||
        last_failing >= write || uses[leaf].last_read > write)
        return false;
    const struct call *writer = &p->plan->calls[write];
    for (uint32_t r = 0; r < writer->ref_count; r++)
        if (writer->refs[r].base == leaf && !(writer->written >> r & 1) &&
            !call_may_overwrite(writer, uses[output.base].written_as, r))
            return false;
    return true;
}

err_code plan_shared_outputs(struct planner *p)
{
    const struct plan_spec *spec = p->spec;
    int64_t last_failing;
    if (spec->shared_count == 0)
        return ERR_ok;
    err_code code = save_old_values(p);
    if (code != ERR_ok)
        return code;
    struct uses *uses = find_uses(p, &last_failing);
    if (uses == NULL)
        return error_set(p->err, ERR_out_of_memory, "there is no memory for a plan");
    for (size_t i = 0; code == ERR_ok && i < spec->shared_count; i++) {
        struct output *output = &p->plan->outputs[spec->shared[i].output];
        const struct view *leaf = &p->values[spec->shared[i].input];
        const size_t bytes = (size_t)view_elements(leaf) * dtype_size(spec->dtype);
        if (output->ref.base == leaf->storage)
            continue;
        if (can_unite(p, uses, last_failing, output->ref, leaf->storage, bytes)) {
            p->storages[output->ref.base].alias = leaf->storage;
        } else {
            struct view from = view_contiguous(output->ref.base, output->shape);
            from.offset = output->ref.offset;
            p->node = spec->outputs[spec->shared[i].output];
            code = emit_copy(p, leaf, &from);
        }
        output->ref = view_ref(leaf);
    }
    free(uses);
    return code;
}
