/* Planning, from the graph to an immutable plan: marks what is needed, lowers node after node, then lays out memory. */
#include "base/size.h"
#include "engine/isa.h"
#include "engine/planner.h"
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- what lowering calls */

static err_code no_memory(struct error *err)
{
    return error_set(err, ERR_out_of_memory, "there is no memory for a plan");
}

bool planner_grow(void **array, size_t *capacity, size_t count, size_t size)
{
    if (count < *capacity)
        return true;
    const size_t wanted = *capacity == 0 ? 16 : *capacity * 2;
    size_t bytes;
    void *grown = size_mul(wanted, size, &bytes) ? realloc(*array, bytes) : NULL;
    if (grown == NULL)
        return false;
    *array = grown;
    *capacity = wanted;
    return true;
}

static err_code add_storage(struct planner *p, struct storage storage, uint32_t *ret)
{
    if (p->storage_count >= UINT32_MAX - 1 ||
        !planner_grow((void **)&p->storages, &p->storage_capacity, p->storage_count, sizeof *p->storages))
        return no_memory(p->err);
    storage.alias = (uint32_t)p->storage_count;
    p->storages[p->storage_count] = storage;
    *ret = (uint32_t)p->storage_count++;
    return ERR_ok;
}

err_code planner_storage(struct planner *p, int64_t elements, size_t element_bytes, uint32_t *ret)
{
    return add_storage(p, (struct storage){.kind = STORAGE_ARENA, .bytes = (size_t)elements * element_bytes}, ret);
}

err_code planner_tensor(struct planner *p, struct shape shape, struct view *ret)
{
    uint32_t storage;
    int64_t elements;
    if (!shape_elements(shape, &elements))
        return error_set(p->err, ERR_limit_exceeded, "a tensor has more than %lld elements", (long long)ELEMENTS_MAX);
    const err_code code = planner_storage(p, elements, dtype_size(p->spec->dtype), &storage);
    if (code == ERR_ok)
        *ret = view_contiguous(storage, shape);
    return code;
}

err_code planner_zeros(struct planner *p, struct shape shape, struct view *ret)
{
    const err_code code = planner_tensor(p, shape, ret);
    if (code != ERR_ok)
        return code;
    const struct fill_args args = {view_elements(ret)};
    const struct step step = {
        .name = "fill", .kernel = p->plan->kernels->fill, .ref_count = 1, .refs = {view_ref(ret)}};
    return planner_step(p, &step, &args, sizeof args);
}

err_code planner_constant(struct planner *p, struct shape shape, struct view *ret, void **ret_data)
{
    int64_t elements;
    const size_t size = dtype_size(p->spec->dtype);
    size_t end;
    if (!shape_elements(shape, &elements))
        return error_set(p->err, ERR_limit_exceeded, "a tensor has more than %lld elements", (long long)ELEMENTS_MAX);
    if (!size_add(p->plan->constant_bytes, (size_t)elements * size, &end))
        return no_memory(p->err);
    if (end > p->constant_capacity) {
        const size_t wanted = end + end / 2 + 64;
        void *grown = wanted < end ? NULL : realloc(p->plan->constants, wanted);
        if (grown == NULL)
            return no_memory(p->err);
        p->plan->constants = grown;
        p->constant_capacity = wanted;
    }
    *ret = view_contiguous(STORAGE_OF_CONSTANTS, shape);
    ret->offset = (int64_t)(p->plan->constant_bytes / size);
    *ret_data = (char *)p->plan->constants + p->plan->constant_bytes;
    p->plan->constant_bytes = end;
    return ERR_ok;
}

err_code planner_draft(struct planner *p, const struct draft *draft)
{
    if (p->draft_count >= UINT32_MAX - 1 ||
        !planner_grow((void **)&p->drafts, &p->draft_capacity, p->draft_count, sizeof *p->drafts))
        return no_memory(p->err);
    struct draft *added = &p->drafts[p->draft_count++];
    *added = *draft;
    added->flops = p->plan->flops - p->drafted_flops;
    p->drafted_flops = p->plan->flops;
    return ERR_ok;
}

err_code planner_step(struct planner *p, const struct step *step, const void *args, size_t size)
{
    struct draft d = {.kind = DRAFT_STEP, .node = p->node, .step = *step};
    void *copy = arena_alloc(p->plan->memory, size);
    if (copy == NULL)
        return no_memory(p->err);
    memcpy(copy, args, size);
    d.step.args = copy;
    if (d.step.name == NULL)
        d.step.name = op_name(graph_node(p->spec->graph, p->node)->op);
    return planner_draft(p, &d);
}

/* ---------------------------------------------------------------- leaves */

/* Of each node: whether some output needs it (a shared leaf is needed, too), and what a leaf is. */
enum { MARK_NEEDED = 1, MARK_SHARED = 2, MARK_GATHERED = 4 };

/* The rows of a gathered leaf are the plan's first steps. */
static err_code gather_rows(struct planner *p, uint32_t index, uint32_t table, struct view *ret)
{
    const struct leaf *leaf = &p->plan->leaves[index];
    uint32_t numbers;
    err_code code = add_storage(p, (struct storage){.kind = STORAGE_ROWS, .leaf = index}, &numbers);
    if (code == ERR_ok)
        code = planner_tensor(p, leaf->shape, ret);
    if (code != ERR_ok)
        return code;
    struct rows_args args = {leaf->shape.dim[0], 1};
    for (int axis = 1; axis < leaf->shape.rank; axis++)
        args.width *= leaf->shape.dim[axis];
    const struct step step = {.name = "rows",
                              .kernel = p->plan->kernels->rows,
                              .ref_count = 3,
                              .refs = {view_ref(ret), {table, 0}, {numbers, 0}}};
    return planner_step(p, &step, &args, sizeof args);
}

static err_code add_leaf(struct planner *p, node_id id, unsigned marks)
{
    const struct node *n = graph_node(p->spec->graph, id);
    struct plan *plan = p->plan;
    struct leaf leaf = {
        .node = id, .shape = n->shape, .shared = (marks & MARK_SHARED) != 0, .gathered = (marks & MARK_GATHERED) != 0};
    const uint32_t index = (uint32_t)plan->leaf_count;
    p->node = id;
    leaf.name = n->name != NULL ? arena_copy(plan->memory, n->name, strlen(n->name)) : "";
    if (leaf.name == NULL)
        return no_memory(p->err);
    if (leaf.gathered && (leaf.shared || leaf.shape.rank == 0))
        return error_set(p->err, ERR_internal, "the leaf %s can't be gathered", leaf.name);
    plan->leaves[plan->leaf_count++] = leaf;
    uint32_t storage;
    err_code code = add_storage(p, (struct storage){.kind = STORAGE_LEAF, .leaf = index}, &storage);
    if (code != ERR_ok)
        return code;
    if (leaf.gathered)
        return gather_rows(p, index, storage, &p->values[id]);
    p->values[id] = view_contiguous(storage, n->shape);
    return ERR_ok;
}

/* ---------------------------------------------------------------- the whole */

static err_code check_spec(const struct plan_spec *spec, struct error *err)
{
    const size_t size = graph_size(spec->graph);
    for (size_t i = 0; i < spec->output_count; i++)
        if (spec->outputs[i] >= size)
            return error_set(err, ERR_internal, "an output of a plan is no node of its graph");
    for (size_t i = 0; i < spec->shared_count; i++) {
        const struct plan_shared *s = &spec->shared[i];
        if (s->output >= spec->output_count || s->input >= size || graph_node(spec->graph, s->input)->op != OP_Input ||
            !shape_equal(graph_node(spec->graph, s->input)->shape,
                         graph_node(spec->graph, spec->outputs[s->output])->shape))
            return error_set(err, ERR_internal, "an output of a plan does not fit the leaf that it shares");
    }
    return ERR_ok;
}

/* Marks what the outputs need, and the leaves that are written. */
static err_code mark_needed(const struct plan_spec *spec, unsigned char *marks, struct error *err)
{
    graph_mark_needed(spec->graph, spec->outputs, spec->output_count, marks);
    for (size_t i = 0; i < spec->shared_count; i++) {
        unsigned char *mark = &marks[spec->shared[i].input];
        if (*mark & MARK_SHARED)
            return error_set(err, ERR_internal, "two outputs of a plan share one leaf");
        *mark |= MARK_NEEDED | MARK_SHARED;
    }
    for (size_t i = 0; i < spec->gathered_count; i++)
        if (marks[spec->gathered[i]])
            marks[spec->gathered[i]] |= MARK_GATHERED;
    for (node_id id = 0; id < graph_size(spec->graph); id++)
        if (marks[id] && !shape_is_concrete(graph_node(spec->graph, id)->shape))
            return error_set(err, ERR_internal, "a plan needs shapes that are numbers");
    return ERR_ok;
}

static int compare_names(const void *a, const void *b)
{
    const struct leaf *const *x = a;
    const struct leaf *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

/* Leaves by name, for plan_find_input. */
static err_code sort_leaves(struct planner *p)
{
    struct plan *plan = p->plan;
    plan->by_name = arena_array(plan->memory, plan->leaf_count + 1, sizeof(struct leaf *));
    if (plan->by_name == NULL)
        return no_memory(p->err);
    for (size_t i = 0; i < plan->leaf_count; i++)
        plan->by_name[i] = &plan->leaves[i];
    qsort(plan->by_name, plan->leaf_count, sizeof(struct leaf *), compare_names);
    return ERR_ok;
}

static err_code lower_all(struct planner *p, const unsigned char *marks)
{
    const struct graph *g = p->spec->graph;
    const node_id size = (node_id)graph_size(g);
    err_code code = ERR_ok;
    for (node_id id = 0; code == ERR_ok && id < size; id++)
        if (marks[id] && graph_node(g, id)->op == OP_Input) {
            p->node = id;
            code = add_leaf(p, id, marks[id]);
        }
    if (code == ERR_ok)
        code = sort_leaves(p);
    for (node_id id = 0; code == ERR_ok && id < size; id++)
        if (marks[id] && graph_node(g, id)->op != OP_Input) {
            p->node = id;
            code = lower_node(p, id);
        }
    return code;
}

/* Outputs are contiguous, wherever they lie. */
static err_code place_outputs(struct planner *p)
{
    for (size_t i = 0; i < p->spec->output_count; i++) {
        struct view *v = &p->values[p->spec->outputs[i]];
        p->node = p->spec->outputs[i];
        const err_code code = lower_contiguous(p, v);
        if (code != ERR_ok)
            return code;
        p->plan->outputs[i] = (struct output){view_ref(v), v->shape};
    }
    return ERR_ok;
}

/* Constants move to memory of their exact size. */
static err_code settle_constants(struct planner *p)
{
    struct plan *plan = p->plan;
    const size_t bytes = plan->constant_bytes / 64 * 64 + 64;
    if (plan->constants == NULL)
        return ERR_ok;
    void *settled = aligned_alloc(64, bytes);
    if (settled == NULL)
        return no_memory(p->err);
    memcpy(settled, plan->constants, plan->constant_bytes);
    free(plan->constants);
    plan->constants = settled;
    plan->constant_bytes = bytes;
    return ERR_ok;
}

static err_code make(struct planner *p)
{
    const struct plan_spec *spec = p->spec;
    const size_t size = graph_size(spec->graph);
    struct plan *plan = p->plan;
    uint32_t constants;
    unsigned char *marks = calloc(size + 1, 1);
    p->values = calloc(size + 1, sizeof *p->values);
    plan->memory = arena_new();
    if (marks == NULL || p->values == NULL || plan->memory == NULL) {
        free(marks);
        return no_memory(p->err);
    }
    p->friendly = arena_alloc(p->memory, size + 1);
    if (p->friendly == NULL) {
        free(marks);
        return no_memory(p->err);
    }
    err_code code = mark_needed(spec, marks, p->err);
    if (code == ERR_ok)
        mark_padding(p, marks, p->friendly);
    size_t leaves = 0;
    for (node_id id = 0; id < size; id++)
        leaves += marks[id] && graph_node(spec->graph, id)->op == OP_Input;
    plan->leaves = arena_array(plan->memory, leaves + 1, sizeof *plan->leaves);
    plan->outputs = arena_array(plan->memory, spec->output_count + 1, sizeof *plan->outputs);
    plan->output_count = spec->output_count;
    if (code == ERR_ok && (plan->leaves == NULL || plan->outputs == NULL))
        code = no_memory(p->err);
    if (code == ERR_ok)
        code = add_storage(p, (struct storage){.kind = STORAGE_CONSTANTS}, &constants);
    if (code == ERR_ok)
        code = lower_all(p, marks);
    free(marks);
    if (code == ERR_ok)
        code = place_outputs(p);
    if (code == ERR_ok)
        code = plan_fuse(p);
    if (code == ERR_ok)
        code = plan_emit(p);
    if (code == ERR_ok)
        code = plan_shared_outputs(p);
    if (code == ERR_ok)
        code = plan_memory(p);
    if (code == ERR_ok && spec->threads > 1)
        plan_cut(p);
    return code != ERR_ok ? code : settle_constants(p);
}

err_code plan_make_isa(const struct plan_spec *spec, const struct kernels *kernels, struct plan **ret,
                       struct error *err)
{
    err_code code = check_spec(spec, err);
    if (code != ERR_ok)
        return code;
    struct planner p = {.spec = spec, .plan = calloc(1, sizeof *p.plan), .memory = arena_new(), .err = err};
    if (p.plan == NULL || p.memory == NULL) {
        arena_free(p.memory);
        free(p.plan);
        return no_memory(err);
    }
    p.plan->kernels = &kernels->of[spec->dtype];
    p.plan->dtype = spec->dtype;
    code = make(&p);
    free(p.values);
    free(p.operands);
    free(p.storages);
    free(p.drafts);
    arena_free(p.memory);
    if (code != ERR_ok)
        plan_free(p.plan);
    else
        *ret = p.plan;
    return code;
}

err_code plan_make(const struct plan_spec *spec, struct plan **ret, struct error *err)
{
    return plan_make_isa(spec, isa_selected(), ret, err);
}

void plan_free(struct plan *p)
{
    if (p == NULL)
        return;
    arena_free(p->memory);
    free(p->calls);
    free(p->notes);
    free(p->constants);
    free(p);
}

/* ---------------------------------------------------------------- questions */

size_t plan_arena_bytes(const struct plan *p)
{
    return p->arena_bytes;
}

size_t plan_bytes(const struct plan *p)
{
    return sizeof *p + arena_bytes(p->memory) + p->call_count * sizeof *p->calls + p->constant_bytes;
}

double plan_flops(const struct plan *p)
{
    return p->flops;
}

size_t plan_step_count(const struct plan *p)
{
    return p->call_count;
}

size_t plan_input_count(const struct plan *p)
{
    return p->leaf_count;
}

const char *plan_input_name(const struct plan *p, size_t input)
{
    return p->leaves[input].name;
}

struct shape plan_input_shape(const struct plan *p, size_t input)
{
    return p->leaves[input].shape;
}

bool plan_find_input(const struct plan *p, const char *name, size_t *ret)
{
    const struct leaf key = {.name = name};
    const struct leaf *wanted = &key;
    struct leaf *const *found = bsearch(&wanted, p->by_name, p->leaf_count, sizeof(struct leaf *), compare_names);
    if (found == NULL)
        return false;
    *ret = (size_t)(*found - p->leaves);
    return true;
}

size_t plan_output_count(const struct plan *p)
{
    return p->output_count;
}

struct shape plan_output_shape(const struct plan *p, size_t output)
{
    return p->outputs[output].shape;
}

enum dtype plan_dtype(const struct plan *p)
{
    return p->dtype;
}
