/* Fusion: drafts of elementwise ops move down to the drafts that read them.
 *
 * A draft may move down to a later one, its reader, if nothing between them reads what it writes: then its order
 * among the others does not matter. So the drafts are walked in order, and each takes in those that write its operands,
 * where
 *   - it reads their results element for element, over a space that both can walk in one way;
 *   - they are elementwise, or a product without batch axes, and nobody else has read their results so far.
 * Who reads them later is served from memory: a result is stored if anything outside reads it, else it never leaves
 * the tile. Reductions take in what they reduce. All is decided from shapes and strides: the same graph gives the same
 * plan, and fusion changes no bit of any result. */
#include "engine/planner.h"
#include <string.h>

uint32_t draft_of(const struct planner *p, uint32_t draft)
{
    while (p->drafts[draft].kind == DRAFT_MERGED)
        draft = p->drafts[draft].into;
    return draft;
}

bool storage_is_stored(const struct storage *s)
{
    return s->reads > s->inside;
}

/* ---------------------------------------------------------------- who writes and reads */

static void count_write(struct planner *p, uint32_t storage, uint32_t draft)
{
    struct storage *s = &p->storages[storage];
    s->writer = draft;
    s->writers++;
}

/* Calls f(context, storage) for each operand of a draft. */
typedef void (*operand_fn)(struct planner *p, uint32_t draft, uint32_t storage);
static void each_operand(struct planner *p, uint32_t draft, operand_fn f)
{
    const struct draft *d = &p->drafts[draft];
    for (uint32_t m = 0; m < d->map_count; m++)
        for (int o = 0; o < d->maps[m].count; o++)
            f(p, draft, d->maps[m].in[o].storage);
    if (d->kind == DRAFT_REDUCTION)
        f(p, draft, d->x.storage);
    if (d->kind == DRAFT_STEP || d->kind == DRAFT_PRODUCT)
        for (uint32_t r = 1; r < d->step.ref_count; r++)
            if (d->step.refs[r].base != REF_NONE.base)
                f(p, draft, d->step.refs[r].base);
}

static void count_read(struct planner *p, uint32_t draft, uint32_t storage)
{
    (void)draft;
    p->storages[storage].reads++;
}

static void count_uses(struct planner *p)
{
    for (uint32_t i = 0; i < p->draft_count; i++) {
        const struct draft *d = &p->drafts[i];
        for (uint32_t m = 0; m < d->map_count; m++)
            count_write(p, d->maps[m].out.storage, i);
        if (d->kind == DRAFT_REDUCTION)
            count_write(p, d->out.storage, i);
        if (d->kind == DRAFT_STEP)
            count_write(p, d->step.refs[0].base, i);
        each_operand(p, i, count_read);
    }
    for (size_t i = 0; i < p->plan->output_count; i++)
        p->storages[p->plan->outputs[i].ref.base].reads++;
}

/* ---------------------------------------------------------------- one space for two drafts */

/* Views of a draft in another shape of as many elements; false where one of them would need a copy. */
static bool reshape_maps(struct map *maps, uint32_t count, struct shape shape)
{
    for (uint32_t m = 0; m < count; m++) {
        if (!view_reshape(&maps[m].out, shape, &maps[m].out))
            return false;
        for (int o = 0; o < maps[m].count; o++)
            if (!view_reshape(&maps[m].in[o], shape, &maps[m].in[o]))
                return false;
    }
    return true;
}

/* The view in which the draft of `space` writes a storage; NULL: it does not. */
static const struct view *result_in(const struct map *maps, uint32_t count, uint32_t storage)
{
    for (uint32_t m = count; m-- > 0;)
        if (maps[m].out.storage == storage)
            return &maps[m].out;
    return NULL;
}

/* Whether maps read what others write just element for element. */
static bool reads_fit(const struct map *maps, uint32_t count, const struct map *above, uint32_t above_count)
{
    for (uint32_t m = 0; m < count; m++)
        for (int o = 0; o < maps[m].count; o++) {
            const struct view *result = result_in(above, above_count, maps[m].in[o].storage);
            if (result != NULL && !view_same(result, &maps[m].in[o]))
                return false;
        }
    return true;
}

static int64_t stride_of(const struct view *v, int axis)
{
    return v->shape.dim[axis] == 1 ? INT64_MAX : v->stride[axis];
}

/* Axes in the order in which a view's elements lie in memory. */
static void order_in_memory(const struct view *v, int64_t perm[RANK_MAX])
{
    for (int axis = 0; axis < v->shape.rank; axis++) {
        int at = axis;
        for (; at > 0 && stride_of(v, (int)perm[at - 1]) < stride_of(v, axis); at--)
            perm[at] = perm[at - 1];
        perm[at] = axis;
    }
}

static void transpose_maps(struct map *maps, uint32_t count, const int64_t *perm)
{
    for (uint32_t m = 0; m < count; m++) {
        maps[m].out = view_transpose(&maps[m].out, perm);
        for (int o = 0; o < maps[m].count; o++)
            maps[m].in[o] = view_transpose(&maps[m].in[o], perm);
    }
}

/* Brings the maps of the draft below into the space of those above. */
static bool bring_into(const struct draft *above, struct map *below, uint32_t count, struct shape space,
                       const struct view *link)
{
    int64_t elements_above, elements;
    if (!shape_elements(above->space, &elements_above) || !shape_elements(space, &elements) ||
        elements_above != elements)
        return false;
    if (!shape_equal(above->space, space)) {
        int64_t perm[RANK_MAX];
        order_in_memory(link, perm);
        transpose_maps(below, count, perm);
        if (!reshape_maps(below, count, above->space))
            return false;
    }
    return reads_fit(below, count, above->maps, above->map_count);
}

/* ---------------------------------------------------------------- limits */

/* How many places in memory the maps of two drafts together would use at most. */
static int count_accesses(const struct planner *p, const struct map *const maps[2], const uint32_t counts[2])
{
    const struct view *seen[ACCESSES_MAX];
    int count = 0;
    int read = 0;
    for (int part = 0; part < 2; part++)
        for (uint32_t m = 0; m < counts[part]; m++) {
            count += storage_is_stored(&p->storages[maps[part][m].out.storage]);
            for (int o = 0; o < maps[part][m].count; o++) {
                const struct view *v = &maps[part][m].in[o];
                bool known = result_in(maps[0], counts[0], v->storage) != NULL ||
                             (part == 1 && result_in(maps[1], counts[1], v->storage) != NULL);
                for (int i = 0; i < read && !known; i++)
                    known = view_same(seen[i], v);
                if (known)
                    continue;
                if (read == ACCESSES_MAX)
                    return ACCESSES_MAX + 1;
                seen[read++] = v;
            }
        }
    return count + read;
}

static bool fits(const struct planner *p, const struct draft *above, const struct map *below, uint32_t count)
{
    if (above->map_count + count > INSTRUCTIONS_MAX)
        return false;
    const struct map *const maps[2] = {above->maps, below};
    const uint32_t counts[2] = {above->map_count, count};
    return count_accesses(p, maps, counts) <= ACCESSES_MAX - 1;
}

/* ---------------------------------------------------------------- merging */

static const struct long_product_args *product_of(const struct draft *d)
{
    return d->step.args;
}

/* Whether all views of maps walk the rows and the columns of a product's result each as one axis. */
static bool fit_product(const struct draft *product, const struct map *maps, uint32_t count)
{
    const struct product_args *g = &product_of(product)->product;
    const struct shape matrix = {.rank = 2, .dim = {g->m, g->n}};
    struct view flat;
    for (uint32_t m = 0; m < count; m++) {
        if (!view_reshape(&maps[m].out, matrix, &flat))
            return false;
        for (int o = 0; o < maps[m].count; o++)
            if (!view_reshape(&maps[m].in[o], matrix, &flat))
                return false;
    }
    return true;
}

/* Whether a draft may stand later than it does. */
static bool can_move(const struct planner *p, const struct draft *d)
{
    if (d->kind == DRAFT_PRODUCT && product_of(d)->product.batch_rank > 0)
        return false;
    if (d->kind != DRAFT_MAPS && d->kind != DRAFT_PRODUCT)
        return false;
    for (uint32_t m = 0; m < d->map_count; m++) {
        const struct storage *s = &p->storages[d->maps[m].out.storage];
        if (s->read_outside || s->writers > 1 || s->kind != STORAGE_ARENA)
            return false;
    }
    return true;
}

/* The reads below that are now inside. */
static void count_inside(struct planner *p, const struct draft *above, const struct map *below, uint32_t count)
{
    for (uint32_t m = 0; m < count; m++)
        for (int o = 0; o < below[m].count; o++)
            if (result_in(above->maps, above->map_count, below[m].in[o].storage) != NULL)
                p->storages[below[m].in[o].storage].inside++;
}

/* above's maps followed by others; false without memory. */
static bool append_maps(struct planner *p, struct draft *above, const struct map *maps, uint32_t count)
{
    const uint32_t total = above->map_count + count;
    if (total > above->map_capacity) {
        const uint32_t capacity = total > 2 * above->map_capacity ? total : 2 * above->map_capacity;
        struct map *grown = arena_array(p->memory, capacity, sizeof *grown);
        if (grown == NULL)
            return false;
        memcpy(grown, above->maps, above->map_count * sizeof *grown);
        above->maps = grown;
        above->map_capacity = capacity;
    }
    if (count > 0)
        memcpy(above->maps + above->map_count, maps, count * sizeof *maps);
    above->map_count = total;
    return true;
}

static err_code no_memory(struct planner *p)
{
    return error_set(p->err, ERR_out_of_memory, "there is no memory for a plan");
}

/* A draft of maps takes in the maps of another, if it can. */
static err_code merge_maps(struct planner *p, uint32_t above_index, uint32_t below_index, const struct view *link)
{
    struct draft *above = &p->drafts[above_index];
    struct draft *below = &p->drafts[below_index];
    struct map moved[INSTRUCTIONS_MAX];
    const uint32_t count = below->map_count;
    if (above->map_count + count > INSTRUCTIONS_MAX || (above->kind == DRAFT_PRODUCT && below->kind == DRAFT_PRODUCT))
        return ERR_ok;
    memcpy(moved, below->maps, count * sizeof *moved);
    if (!bring_into(above, moved, count, below->space, link) || !fits(p, above, moved, count) ||
        (above->kind == DRAFT_PRODUCT && !fit_product(above, moved, count)) ||
        (below->kind == DRAFT_PRODUCT && !fit_product(below, above->maps, above->map_count)))
        return ERR_ok;
    if (above->kind == DRAFT_PRODUCT) {
        below->kind = DRAFT_PRODUCT;
        below->step = above->step;
        below->node = above->node;
    }
    count_inside(p, above, moved, count);
    if (!append_maps(p, above, moved, count))
        return no_memory(p);
    below->maps = above->maps;
    below->map_count = above->map_count;
    below->map_capacity = above->map_capacity;
    below->space = above->space;
    below->flops += above->flops;
    above->kind = DRAFT_MERGED;
    above->into = below_index;
    above->maps = NULL;
    above->map_count = 0;
    return ERR_ok;
}

/* Whether a reduction can be made of maps in its own space: each view walks the reduced axes as one, and the axes
 * after them. */
static bool can_feed(const struct draft *reduction, const struct map *maps, uint32_t count)
{
    const int last = reduction->space.rank - 1;
    for (uint32_t m = 0; m < count; m++)
        for (int v = 0; v <= maps[m].count; v++) {
            const struct view *view = v == 0 ? &maps[m].out : &maps[m].in[v - 1];
            if (!view_is_merged(view, reduction->first, reduction->last) ||
                !view_is_merged(view, reduction->last + 1, last))
                return false;
        }
    return true;
}

/* A reduction takes in the maps that make what it reduces, if nobody else needs that. */
static err_code merge_feed(struct planner *p, uint32_t above_index, uint32_t below_index)
{
    struct draft *above = &p->drafts[above_index];
    struct draft *below = &p->drafts[below_index];
    struct map moved[INSTRUCTIONS_MAX];
    const uint32_t count = above->map_count;
    struct storage *s = &p->storages[below->x.storage];
    if (count > INSTRUCTIONS_MAX || s->reads > s->inside + 1)
        return ERR_ok;
    memcpy(moved, above->maps, count * sizeof *moved);
    if (!reshape_maps(moved, count, below->space) || !view_same(result_in(moved, count, below->x.storage), &below->x) ||
        !can_feed(below, moved, count))
        return ERR_ok;
    memcpy(above->maps, moved, count * sizeof *moved);
    s->inside++;
    below->maps = above->maps;
    below->map_count = count;
    below->map_capacity = above->map_capacity;
    below->flops += above->flops;
    above->kind = DRAFT_MERGED;
    above->into = below_index;
    above->maps = NULL;
    above->map_count = 0;
    return ERR_ok;
}

/* Takes in the draft that writes an operand. */
static err_code take_in(struct planner *p, uint32_t draft, struct view link)
{
    const struct storage *s = &p->storages[link.storage];
    if (s->writers != 1)
        return ERR_ok;
    const uint32_t above = draft_of(p, s->writer);
    if (above == draft || !can_move(p, &p->drafts[above]))
        return ERR_ok;
    if (p->drafts[draft].kind != DRAFT_REDUCTION)
        return merge_maps(p, above, draft, &link);
    return p->drafts[above].kind == DRAFT_MAPS ? merge_feed(p, above, draft) : ERR_ok;
}

static void mark_read(struct planner *p, uint32_t draft, uint32_t storage)
{
    struct storage *s = &p->storages[storage];
    if (s->writers > 0 && draft_of(p, s->writer) != draft)
        s->read_outside = true;
}

static err_code fuse_draft(struct planner *p, uint32_t draft)
{
    err_code code = ERR_ok;
    const struct draft *d = &p->drafts[draft];
    if (d->kind == DRAFT_MAPS)
        /* Its own map stays the last, whatever comes before it. */
        for (int o = 0; code == ERR_ok && o < d->maps[d->map_count - 1].count; o++)
            code = take_in(p, draft, d->maps[d->map_count - 1].in[o]);
    else if (d->kind == DRAFT_REDUCTION)
        code = take_in(p, draft, d->x);
    each_operand(p, draft, mark_read);
    return code;
}

err_code plan_fuse(struct planner *p)
{
    err_code code = ERR_ok;
    count_uses(p);
    if (p->spec->plain)
        return ERR_ok;
    for (uint32_t i = 0; code == ERR_ok && i < p->draft_count; i++)
        code = fuse_draft(p, i);
    return code;
}
