/* Drafts become calls: maps become programs, whose accesses, tiles and buffers are chosen here. */
#include "engine/planner.h"
#include "engine/xsmm.h"
#include <math.h>
#include <string.h>

/* A program while it is made. `views` are what its accesses see, in the space of the maps. */
struct making {
    const struct planner *planner;
    struct arena *memory;
    struct program program;
    struct access access[ACCESSES_MAX];
    struct instruction instruction[INSTRUCTIONS_MAX];
    struct view views[ACCESSES_MAX];
    uint32_t written; /* bits of accesses */
};

static err_code no_memory(struct planner *p)
{
    return error_set(p->err, ERR_out_of_memory, "there is no memory for a plan");
}

/* ---------------------------------------------------------------- operands */

/* Operands of maps while buffers are not numbered yet: accesses, then results of maps. */
enum { OPERAND_OF_MAP = ACCESSES_MAX };

static int access_to(struct making *m, const struct view *v, bool written)
{
    const int count = m->program.access_count;
    for (int i = 0; i < count && !written; i++)
        if (!(m->written >> i & 1) && view_same(&m->views[i], v))
            return i;
    m->views[count] = *v;
    m->access[count] = (struct access){.pointer = (uint8_t)count, .buffer = NO_BUFFER, .written = written};
    m->written |= (uint32_t)written << count;
    m->program.access_count++;
    return count;
}

/* Where the operand of map `at` comes from: an earlier map, or memory. */
static int operand_of(struct making *m, const struct map *maps, uint32_t at, const struct view *v, const int *results)
{
    const struct storage *s = &m->planner->storages[v->storage];
    for (uint32_t i = at; i-- > 0;)
        if (maps[i].out.storage == v->storage && s->writers <= 1)
            return results[i];
    return access_to(m, v, false);
}

/* Buffers for results that are not stored; each is free again after its last reader. */
static void number_buffers(struct making *m, int operands[][1 + OPERANDS_MAX], const struct map *maps, uint32_t count,
                           int last_result)
{
    uint32_t last_use[INSTRUCTIONS_MAX] = {0};
    int buffer[INSTRUCTIONS_MAX] = {0};
    bool taken[BUFFERS_MAX] = {false};
    for (uint32_t i = 0; i < count; i++)
        for (int o = 1; o <= maps[i].count; o++)
            if (operands[i][o] >= OPERAND_OF_MAP)
                last_use[operands[i][o] - OPERAND_OF_MAP] = i;
    if (last_result >= OPERAND_OF_MAP)
        last_use[last_result - OPERAND_OF_MAP] = count;
    for (int i = 0; i < m->program.buffer_count; i++)
        taken[i] = true;
    for (uint32_t i = 0; i < count; i++) {
        if (maps[i].count == 0)
            continue;
        for (int o = 0; o <= OPERANDS_MAX; o++) {
            const int operand = o <= maps[i].count ? operands[i][o] : operands[i][1];
            uint8_t *slot = o == 0 ? &m->instruction[i].out : &m->instruction[i].in[o - 1];
            if (operand < OPERAND_OF_MAP) {
                *slot = (uint8_t)operand;
            } else if (o > 0) {
                const int made = operand - OPERAND_OF_MAP;
                *slot = (uint8_t)(m->program.access_count + buffer[made]);
                if (last_use[made] == i)
                    taken[buffer[made]] = false;
            }
        }
        if (operands[i][0] < OPERAND_OF_MAP)
            continue;
        int free_one = 0;
        while (taken[free_one])
            free_one++;
        taken[free_one] = last_use[i] > i;
        buffer[i] = free_one;
        m->instruction[i].out = (uint8_t)(m->program.access_count + free_one);
        if (free_one >= m->program.buffer_count)
            m->program.buffer_count = (uint8_t)(free_one + 1);
    }
    if (last_result >= OPERAND_OF_MAP)
        m->program.result = (uint8_t)(m->program.access_count + buffer[last_result - OPERAND_OF_MAP]);
    else if (last_result >= 0)
        m->program.result = (uint8_t)last_result;
}

/* ---------------------------------------------------------------- the space */

/* Axes of the space in the order in which they are walked, neighbours merged. */
struct axes {
    int count;
    int64_t dim[RANK_MAX];
    int64_t stride[RANK_MAX][ACCESSES_MAX];
};

static void add_axis(struct axes *axes, const struct making *m, int axis, bool may_merge)
{
    const int accesses = m->program.access_count;
    const int64_t dim = m->views[0].shape.dim[axis];
    if (dim == 1)
        return;
    bool merge = may_merge && axes->count > 0;
    for (int a = 0; a < accesses && merge; a++)
        merge = axes->stride[axes->count - 1][a] == m->views[a].stride[axis] * dim;
    if (!merge)
        axes->dim[axes->count++] = 1;
    const int last = axes->count - 1;
    axes->dim[last] *= dim;
    for (int a = 0; a < accesses; a++)
        axes->stride[last][a] = m->views[a].stride[axis];
}

/* The last two axes become rows and columns. */
static void set_space(struct making *m, const struct axes *axes)
{
    struct program *g = &m->program;
    const int columns = axes->count - 1;
    const int rows = axes->count - 2;
    g->columns = columns >= 0 ? axes->dim[columns] : 1;
    g->rows = rows >= 0 ? axes->dim[rows] : 1;
    g->outer_rank = rows > 0 ? rows : 0;
    for (int axis = 0; axis < g->outer_rank; axis++)
        g->outer[axis] = axes->dim[axis];
    for (int a = 0; a < g->access_count; a++) {
        struct access *access = &m->access[a];
        access->column_stride = columns >= 0 && g->columns > 1 ? axes->stride[columns][a] : 1;
        access->row_stride = rows >= 0 ? axes->stride[rows][a] : 0;
        for (int axis = 0; axis < g->outer_rank; axis++)
            access->outer_stride[axis] = axes->stride[axis][a];
    }
}

/* Axes in the order of memory of what is written first. */
static void lay_maps(struct making *m)
{
    const struct view *main = &m->views[0];
    int order[RANK_MAX];
    struct axes axes = {0};
    for (int a = 0; a < m->program.access_count; a++)
        if (m->access[a].written) {
            main = &m->views[a];
            break;
        }
    for (int axis = 0; axis < main->shape.rank; axis++) {
        int at = axis;
        for (; at > 0 && main->stride[order[at - 1]] < main->stride[axis]; at--)
            order[at] = order[at - 1];
        order[at] = axis;
    }
    for (int i = 0; i < main->shape.rank; i++)
        add_axis(&axes, m, order[i], true);
    set_space(m, &axes);
}

/* Outer axes as they come, then one axis of rows and one of columns: the kept axis before the reduced one, or the
 * reduced one before those after it. */
static void lay_reduction(struct making *m, const struct draft *d, bool across)
{
    struct axes axes = {0};
    const int rank = d->space.rank;
    for (int axis = 0; axis < d->first; axis++)
        add_axis(&axes, m, axis, true);
    const int parts[2][2] = {{d->first, d->last + 1}, {d->last + 1, rank}};
    for (int part = 0; part < (across ? 1 : 2); part++) {
        axes.dim[axes.count] = 1;
        for (int a = 0; a < m->program.access_count; a++)
            axes.stride[axes.count][a] = 1;
        for (int axis = parts[part][0]; axis < parts[part][1]; axis++) {
            axes.dim[axes.count] *= d->space.dim[axis];
            for (int a = 0; a < m->program.access_count && d->space.dim[axis] != 1; a++)
                axes.stride[axes.count][a] = m->views[a].stride[axis];
        }
        axes.count++;
    }
    set_space(m, &axes);
}

/* Rows and columns are those of a product's result. */
static void lay_product(struct making *m, const struct product_args *product)
{
    const struct shape matrix = {.rank = 2, .dim = {product->m, product->n}};
    struct axes axes = {.count = 2, .dim = {product->m, product->n}};
    for (int a = 0; a < m->program.access_count; a++) {
        struct view flat = {0};
        view_reshape(&m->views[a], matrix, &flat);
        axes.stride[0][a] = flat.stride[0];
        axes.stride[1][a] = flat.stride[1];
    }
    set_space(m, &axes);
}

/* ---------------------------------------------------------------- tiles */

static bool is_direct(const struct making *m, const struct access *a, const struct tiling *t)
{
    if (a->column_stride != 1)
        return false;
    return t->rows == 1 || (a->row_stride == t->row && (t->row == m->program.columns || a->slack));
}

/* How many accesses a tiling would have to stage again and again. */
static int staged(const struct making *m, const struct tiling *t)
{
    int count = 0;
    for (int i = 0; i < m->program.access_count; i++)
        count += !is_direct(m, &m->access[i], t) && m->access[i].row_stride != 0;
    return count;
}

/* `most`: the columns of a tile. */
static void mark(const struct making *m, struct tiling *t, int64_t columns, int64_t most)
{
    for (int i = 0; i < m->program.access_count; i++) {
        const struct access *a = &m->access[i];
        if (is_direct(m, a, t))
            t->direct |= 1U << i;
        else if (!a->written && a->row_stride == 0 && (a->column_stride == 0 || columns <= most))
            t->once |= 1U << i;
    }
}

/* The tiles of rectangles of all columns. `most`: columns that a tile may have. */
static struct tiling choose_tiling(const struct making *m, int64_t most)
{
    const struct program *g = &m->program;
    const int64_t tile = TILE_BYTES / (int64_t)dtype_size(m->planner->spec->dtype);
    const int64_t width = g->columns < most ? g->columns : most;
    const struct tiling by_row = {.row = tile, .rows = 1};
    struct tiling best = {.row = (width + 15) / 16 * 16};
    if (g->rows <= 1 || width == 0 || width > tile / 2)
        return by_row;
    best.rows = tile / best.row;
    for (int i = 0; i < g->access_count && width == g->columns; i++) {
        const struct tiling other = {.row = m->access[i].row_stride, .rows = tile / (m->access[i].row_stride | 1)};
        if (other.row >= width && other.row < width + 16 && other.rows >= 1 && staged(m, &other) < staged(m, &best))
            best = other;
    }
    best.rows = best.row <= tile ? tile / best.row : 1;
    if (width >= COLUMNS_ALONE && width == g->columns && staged(m, &best) > staged(m, &by_row))
        return by_row;
    return best;
}

/* Rows of accesses that may be used past their columns. */
static void find_slack(struct making *m)
{
    for (int i = 0; i < m->program.access_count; i++) {
        struct access *a = &m->access[i];
        a->slack =
            a->slack || view_has_slack(m->planner, &m->views[i], a->row_stride, a->column_stride, m->program.columns);
    }
}

static void choose_tilings(struct making *m, int64_t most)
{
    struct program *g = &m->program;
    find_slack(m);
    const int64_t tile = TILE_BYTES / (int64_t)dtype_size(m->planner->spec->dtype);
    g->whole = choose_tiling(m, most);
    mark(m, &g->whole, g->columns, most < tile ? most : tile);
    g->part = (struct tiling){.row = tile, .rows = 1};
    mark(m, &g->part, g->columns, 0);
    for (int i = 0; i < g->access_count; i++)
        if (~(g->whole.direct & g->part.direct) >> i & 1 || m->access[i].pointer == POINTER_OF_BLOCK)
            m->access[i].buffer = g->buffer_count++;
}

/* ---------------------------------------------------------------- a whole program */

/* Operands and accesses of maps; `block` is that of a product. Results are stored if something outside the draft reads
 * them. */
static void make_operands(struct making *m, const struct map *maps, uint32_t count, int operands[][1 + OPERANDS_MAX],
                          int block)
{
    int results[INSTRUCTIONS_MAX];
    for (uint32_t i = 0; i < count; i++) {
        const struct map *map = &maps[i];
        if (map->count == 0) {
            results[i] = operands[i][0] = block;
            continue;
        }
        for (int o = 0; o < map->count; o++)
            operands[i][o + 1] = operand_of(m, maps, i, &map->in[o], results);
        const struct storage *s = &m->planner->storages[map->out.storage];
        results[i] = storage_is_stored(s) ? access_to(m, &map->out, true) : OPERAND_OF_MAP + (int)i;
        operands[i][0] = results[i];
        m->instruction[i].map = m->planner->plan->kernels->map[map->op];
    }
}

static err_code keep_program(struct planner *p, struct making *m, struct program *ret)
{
    struct program *g = &m->program;
    const size_t accesses = g->access_count * sizeof *m->access;
    const size_t instructions = g->instruction_count * sizeof *m->instruction;
    struct access *access = arena_alloc(m->memory, accesses + 1);
    struct instruction *instruction = arena_alloc(m->memory, instructions + 1);
    if (access == NULL || instruction == NULL)
        return no_memory(p);
    memcpy(access, m->access, accesses);
    memcpy(instruction, m->instruction, instructions);
    g->access = access;
    g->instruction = instruction;
    *ret = *g;
    return ERR_ok;
}

/* ---------------------------------------------------------------- calls */

static err_code add_call(struct planner *p, const struct call *call, const struct ref *refs)
{
    struct plan *plan = p->plan;
    struct ref *copy = arena_array(plan->memory, call->ref_count, sizeof *copy);
    if (copy == NULL || !planner_grow((void **)&plan->calls, &p->call_capacity, plan->call_count, sizeof *plan->calls))
        return no_memory(p);
    memcpy(copy, refs, call->ref_count * sizeof *copy);
    plan->calls[plan->call_count] = *call;
    plan->calls[plan->call_count++].refs = copy;
    return ERR_ok;
}

/* The nodes of a draft: those of its maps and its own. */
static err_code name_nodes(struct planner *p, const struct draft *d, struct call *call)
{
    node_id *nodes = arena_array(p->plan->memory, d->map_count + 1, sizeof *nodes);
    if (nodes == NULL)
        return no_memory(p);
    for (uint32_t i = 0; i < d->map_count; i++)
        if (i == 0 || d->maps[i].node != d->maps[i - 1].node) /* a Linear is a product and a sum */
            nodes[call->node_count++] = d->maps[i].node;
    if (d->kind != DRAFT_MAPS && d->kind != DRAFT_PRODUCT)
        nodes[call->node_count++] = d->node;
    call->nodes = nodes;
    call->flops = d->flops;
    return ERR_ok;
}

static err_code emit_step(struct planner *p, const struct draft *d)
{
    const struct step *s = &d->step;
    struct call call = {.execute = s->execute,
                        .kernel = s->kernel,
                        .args = s->args,
                        .ref_count = s->ref_count,
                        .written = 1,
                        .name = s->name};
    const err_code code = name_nodes(p, d, &call);
    return code != ERR_ok ? code : add_call(p, &call, s->refs);
}

/* The refs of a program's accesses, from `first` on. */
static void set_refs(const struct making *m, int first, struct call *call, struct ref *refs)
{
    for (int i = 0; i < m->program.access_count; i++) {
        refs[first + i] = view_ref(&m->views[i]);
        call->written |= (uint32_t)m->access[i].written << (first + i);
    }
    call->ref_count = (uint32_t)(first + m->program.access_count);
}

static err_code emit_maps(struct planner *p, const struct draft *d)
{
    int operands[INSTRUCTIONS_MAX][1 + OPERANDS_MAX] = {{0}};
    struct ref refs[REFS_MAX];
    struct making m = {.planner = p, .memory = p->plan->memory};
    struct program *g = arena_alloc(m.memory, sizeof *g);
    struct call call = {.kernel = p->plan->kernels->program, .args = g, .program = g};
    err_code code = g != NULL ? name_nodes(p, d, &call) : no_memory(p);
    if (code != ERR_ok)
        return code;
    call.name = d->map_count == 1 && d->maps->op == OP_Identity ? "copy" : "elementwise";
    m.program.instruction_count = (uint8_t)d->map_count;
    make_operands(&m, d->maps, d->map_count, operands, -1);
    lay_maps(&m);
    choose_tilings(&m, INT64_MAX);
    number_buffers(&m, operands, d->maps, d->map_count, -1);
    set_refs(&m, 0, &call, refs);
    code = keep_program(p, &m, g);
    return code != ERR_ok ? code : add_call(p, &call, refs);
}

static err_code emit_reduction(struct planner *p, const struct draft *d)
{
    int operands[INSTRUCTIONS_MAX][1 + OPERANDS_MAX] = {{0}};
    struct ref refs[REFS_MAX] = {view_ref(&d->out)};
    struct making m = {.planner = p, .memory = p->plan->memory};
    struct reduction *r = arena_alloc(m.memory, sizeof *r);
    struct call call = {.kernel = d->step.kernel, .args = r, .name = d->step.name, .written = 1};
    err_code code = r != NULL ? name_nodes(p, d, &call) : no_memory(p);
    if (code != ERR_ok)
        return code;
    r->across = true;
    for (int axis = d->last + 1; axis < d->space.rank; axis++)
        r->across = r->across && d->space.dim[axis] == 1;
    r->divisor = d->divisor;
    m.program.instruction_count = (uint8_t)d->map_count;
    make_operands(&m, d->maps, d->map_count, operands, -1);
    int result = -1;
    for (uint32_t i = d->map_count; i-- > 0 && result < 0;)
        if (d->maps[i].out.storage == d->x.storage)
            result = operands[i][0];
    if (result < 0)
        result = access_to(&m, &d->x, false);
    lay_reduction(&m, d, r->across);
    for (int i = 0; i < m.program.access_count; i++)
        m.access[i].pointer++;
    choose_tilings(&m, r->across ? INT64_MAX : COLUMNS_DOWN);
    number_buffers(&m, operands, d->maps, d->map_count, result);
    set_refs(&m, 1, &call, refs);
    code = keep_program(p, &m, &r->program);
    call.program = &r->program;
    return code != ERR_ok ? code : add_call(p, &call, refs);
}

/* The program that finishes a product's blocks; p[4] and on are its accesses, but for the block itself. */
enum { PRODUCT_REFS = 4 };
static err_code add_finish(struct planner *p, const struct draft *d, struct long_product_args *args, struct call *call,
                           struct ref *refs)
{
    int operands[INSTRUCTIONS_MAX][1 + OPERANDS_MAX] = {{0}};
    struct making m = {.planner = p, .memory = p->plan->memory};
    struct program *g = arena_alloc(m.memory, sizeof *g);
    if (g == NULL)
        return no_memory(p);
    uint32_t own = 0;
    while (d->maps[own].count != 0)
        own++;
    const int block = access_to(&m, &d->maps[own].out, false);
    make_operands(&m, d->maps, d->map_count, operands, block);
    lay_product(&m, &args->product);
    m.access[block].row_stride = args->product.c_kept ? args->product.c_row : product_block_row(&args->product);
    m.access[block].slack = !args->product.c_kept;
    for (int i = 0; i < m.program.access_count; i++)
        m.access[i].pointer = i == block ? POINTER_OF_BLOCK : (uint8_t)(PRODUCT_REFS + i);
    choose_tilings(&m, INT64_MAX);
    number_buffers(&m, operands, d->maps, d->map_count, -1);
    for (uint32_t i = own + 1; i < d->map_count; i++)
        m.instruction[i - 1] = m.instruction[i];
    m.program.instruction_count = (uint8_t)(d->map_count - 1);
    set_refs(&m, PRODUCT_REFS, call, refs);
    refs[PRODUCT_REFS + block] = REF_NONE;
    args->product.finish = p->plan->kernels->finish;
    args->product.finish_args = g;
    call->program = g;
    return keep_program(p, &m, g);
}

/* Code that was made for the whole product, if there is any. */
static void choose_code(const struct planner *p, struct product_args *g, struct call *call)
{
    g->code = xsmm_code(g, p->plan->kernels, p->spec->dtype);
    if (g->code == NULL)
        return;
    g->code_m = g->m;
    g->code_n = g->n;
    call->name = "product_xsmm";
}

static err_code emit_product(struct planner *p, const struct draft *d)
{
    /* Of a product that only Size reads, only the shape is needed. */
    if (d->map_count <= 1 && !storage_is_stored(&p->storages[d->step.refs[0].base]))
        return ERR_ok;
    struct long_product_args *args = arena_alloc(p->plan->memory, sizeof *args);
    struct ref refs[REFS_MAX];
    struct call call = {.kernel = d->step.kernel, .name = d->step.name, .ref_count = PRODUCT_REFS};
    err_code code = args != NULL ? name_nodes(p, d, &call) : no_memory(p);
    if (code != ERR_ok)
        return code;
    *args = *(const struct long_product_args *)d->step.args;
    memcpy(refs, d->step.refs, PRODUCT_REFS * sizeof *refs);
    args->product.c_kept = storage_is_stored(&p->storages[refs[0].base]);
    if (args->product.c_kept)
        call.written = 1;
    else
        refs[0] = REF_NONE;
    if (d->map_count > 1)
        code = add_finish(p, d, args, &call, refs);
    choose_code(p, &args->product, &call);
    const int64_t scratch = (product_scratch(&args->product) + 15) / 16 * 16, threads = p->spec->threads;
    if (code == ERR_ok && scratch > 0) {
        refs[SCRATCH_OF_PRODUCT].offset = 0;
        call.scratch_stride = (size_t)scratch * args->element_bytes;
        code = planner_storage(p, threads > 1 ? scratch * threads : scratch, args->element_bytes,
                               &refs[SCRATCH_OF_PRODUCT].base);
    }
    call.args = args->is_long ? (const void *)args : &args->product;
    call.execute = args->is_long ? execute_long_product : NULL;
    return code != ERR_ok ? code : add_call(p, &call, refs);
}

err_code plan_emit(struct planner *p)
{
    err_code code = ERR_ok;
    for (size_t i = 0; code == ERR_ok && i < p->draft_count; i++) {
        const struct draft *d = &p->drafts[i];
        if (d->kind == DRAFT_STEP)
            code = emit_step(p, d);
        else if (d->kind == DRAFT_MAPS)
            code = emit_maps(p, d);
        else if (d->kind == DRAFT_PRODUCT)
            code = emit_product(p, d);
        else if (d->kind == DRAFT_REDUCTION)
            code = emit_reduction(p, d);
    }
    return code;
}

err_code emit_copy(struct planner *p, const struct view *to, const struct view *from)
{
    struct map map = {.op = OP_Identity, .count = 1, .out = *to, .in = {*from}, .node = p->node};
    const struct draft d = {.kind = DRAFT_MAPS, .maps = &map, .map_count = 1, .space = to->shape};
    p->storages[to->storage].reads++;
    return emit_maps(p, &d);
}

err_code fold_map(struct planner *p, const struct map *map, void *out)
{
    int operands[1][1 + OPERANDS_MAX] = {{0}};
    struct making m = {.planner = p, .memory = p->memory};
    void *pointers[1 + OPERANDS_MAX] = {NULL};
    const size_t size = dtype_size(p->spec->dtype);
    struct program g;
    m.program.instruction_count = 1;
    p->storages[map->out.storage].reads++;
    make_operands(&m, map, 1, operands, -1);
    p->storages[map->out.storage].reads--;
    lay_maps(&m);
    choose_tilings(&m, INT64_MAX);
    number_buffers(&m, operands, map, 1, -1);
    for (int i = 0; i < m.program.access_count; i++)
        pointers[i] = m.access[i].written ? out : (char *)p->plan->constants + (size_t)m.views[i].offset * size;
    const err_code code = keep_program(p, &m, &g);
    if (code == ERR_ok)
        p->plan->kernels->program(&g, pointers);
    return code;
}
