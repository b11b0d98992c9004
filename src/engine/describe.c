#include "engine/describe.h"
#include "engine/planner.h"
#include <stdio.h>
#include <stdlib.h>

/* ---------------------------------------------------------------- what planning notes */

/* The bytes of a piece of memory. */
static size_t storage_bytes(const struct planner *p, const struct storage *s)
{
    const struct leaf *leaf = &p->plan->leaves[s->leaf];
    int64_t elements = 0;
    switch (s->kind) {
    case STORAGE_CONSTANTS:
        return 0; /* see constant_bytes */
    case STORAGE_LEAF:
        shape_elements(leaf->shape, &elements);
        return (size_t)elements * dtype_size(p->spec->dtype);
    case STORAGE_ROWS:
        return (size_t)leaf->shape.dim[0] * sizeof(uint32_t);
    case STORAGE_ARENA:
        break;
    }
    return s->bytes;
}

err_code plan_note_places(struct planner *p)
{
    struct plan *plan = p->plan;
    bool *written = calloc(p->storage_count, sizeof *written);
    plan->notes = calloc(plan->call_count * REFS_MAX + 1, sizeof *plan->notes);
    if (written == NULL || plan->notes == NULL) {
        free(written);
        return error_set(p->err, ERR_out_of_memory, "there is no memory to describe a plan");
    }
    for (size_t i = 0; i < plan->call_count; i++) {
        const struct call *c = &plan->calls[i];
        for (uint32_t r = 0; r < c->ref_count; r++) {
            if (c->refs[r].base == REF_NONE.base)
                continue;
            const uint32_t index = storage_of(p, c->refs[r].base);
            const struct storage *storage = &p->storages[index];
            plan->notes[i * REFS_MAX + r] = (struct place_note){
                .offset = storage->offset,
                .bytes = storage_bytes(p, storage),
                .scratch = !(c->written >> r & 1) && storage->kind == STORAGE_ARENA && !written[index]};
        }
        for (uint32_t r = 0; r < c->ref_count; r++)
            if (c->written >> r & 1)
                written[storage_of(p, c->refs[r].base)] = true;
    }
    free(written);
    return ERR_ok;
}

/* ---------------------------------------------------------------- a step */

/* The access that a ref of a call is; NULL: none of a program's. */
static const struct access *access_of(const struct call *c, uint32_t r)
{
    for (int i = 0; c->program != NULL && i < c->program->access_count; i++)
        if (c->program->access[i].pointer == r)
            return &c->program->access[i];
    return NULL;
}

/* Constants lie side by side, so the steps say which part they read: programs exactly, others by its start. */
static size_t constant_bytes(const struct plan *p, const struct call *c, uint32_t r)
{
    const struct program *g = c->program;
    const struct access *a = access_of(c, r);
    size_t bytes = dtype_size(p->dtype);
    if (a == NULL)
        return p->constant_bytes - (size_t)c->refs[r].offset;
    for (int axis = 0; axis < g->outer_rank; axis++)
        bytes *= a->outer_stride[axis] != 0 ? (size_t)g->outer[axis] : 1;
    bytes *= a->row_stride != 0 ? (size_t)g->rows : 1;
    return bytes * (a->column_stride != 0 ? (size_t)g->columns : 1);
}

static struct plan_piece piece_of(const struct plan *p, const struct call *c, uint32_t r)
{
    const struct place_note *note = &p->notes[(size_t)(c - p->calls) * REFS_MAX + r];
    struct plan_piece piece = {.role = c->written >> r & 1 ? PIECE_WRITTEN
                                       : note->scratch     ? PIECE_SCRATCH
                                                           : PIECE_READ,
                               .offset = note->offset,
                               .bytes = note->bytes};
    const uint32_t base = c->refs[r].base;
    if (base == BASE_ARENA) {
        piece.place = PIECE_IN_ARENA;
    } else if (base == BASE_CONSTANTS) {
        piece.place = PIECE_IN_CONSTANTS;
        piece.offset = (size_t)c->refs[r].offset;
        piece.bytes = constant_bytes(p, c, r);
    } else {
        const size_t leaf = base - BASE_LEAVES;
        piece.place = leaf < p->leaf_count ? PIECE_IN_LEAF : PIECE_IN_ROW_NUMBERS;
        piece.leaf = p->leaves[leaf < p->leaf_count ? leaf : leaf - p->leaf_count].name;
    }
    return piece;
}

void plan_step_view(const struct plan *p, size_t step, struct plan_step_view *ret)
{
    const struct call *c = &p->calls[step];
    *ret =
        (struct plan_step_view){.kernel = c->name, .nodes = c->nodes, .node_count = c->node_count, .flops = c->flops};
    for (uint32_t r = 0; r < c->ref_count; r++) {
        if (c->refs[r].base == REF_NONE.base)
            continue;
        const struct plan_piece piece = piece_of(p, c, r);
        ret->pieces[ret->piece_count++] = piece;
        if (piece.role != PIECE_SCRATCH)
            ret->bytes += piece.bytes;
    }
}

/* ---------------------------------------------------------------- the whole */

size_t plan_constant_bytes(const struct plan *p)
{
    return p->constant_bytes;
}

size_t plan_unshared_bytes(const struct plan *p, const struct graph *g)
{
    size_t bytes = 0;
    for (node_id id = 0; id < graph_size(g); id++) {
        const struct node *n = graph_node(g, id);
        int64_t elements = 0;
        if (n->op != OP_Input && n->op != OP_Constant && shape_elements(n->shape, &elements))
            bytes += (size_t)elements * dtype_size(p->dtype);
    }
    return bytes;
}

/* ---------------------------------------------------------------- words */

const char *node_label(const struct graph *g, node_id id, char buffer[NODE_LABEL_MAX])
{
    const struct node *n = graph_node(g, id);
    if (n->name != NULL)
        return n->name;
    snprintf(buffer, NODE_LABEL_MAX, "%s#%u", op_name(n->op), (unsigned)id);
    return buffer;
}

const char *piece_role_name(enum piece_role role)
{
    static const char *const names[] = {"written", "read", "scratch"};
    return names[role];
}

const char *piece_place_name(enum piece_place place)
{
    static const char *const names[] = {"arena", "constants", "leaf", "rows"};
    return names[place];
}

/* "l1 = Linear(X, W1, b1) (32,10)" */
static void add_node(struct text *to, const struct graph *g, node_id id)
{
    const struct node *n = graph_node(g, id);
    char label[NODE_LABEL_MAX], shape[SHAPE_TEXT_MAX];
    text_puts(to, node_label(g, id, label));
    if (n->op != OP_Input)
        text_printf(to, " = %s(", op_name(n->op));
    for (uint32_t i = 0; i < n->input_count; i++)
        text_printf(to, "%s%s", i > 0 ? ", " : "", node_label(g, n->inputs[i], label));
    text_printf(to, "%s %s", n->op != OP_Input ? ")" : "", shape_text(n->shape, shape));
}

/* "arena 0+1280", "X 1664" */
static void add_piece(struct text *to, const struct plan_piece *piece)
{
    if (piece->place == PIECE_IN_LEAF)
        text_printf(to, "%s %zu", piece->leaf, piece->bytes);
    else if (piece->place == PIECE_IN_ROW_NUMBERS)
        text_printf(to, "row numbers of %s %zu", piece->leaf, piece->bytes);
    else
        text_printf(to, "%s %zu+%zu", piece_place_name(piece->place), piece->offset, piece->bytes);
}

static void add_pieces(struct text *to, const struct plan_step_view *step)
{
    static const char *const verbs[] = {"writes", "reads", "scratch"};
    const char *between = "";
    text_puts(to, "   ");
    for (enum piece_role role = PIECE_WRITTEN; role <= PIECE_SCRATCH; role++) {
        bool begun = false;
        for (uint32_t i = 0; i < step->piece_count; i++) {
            if (step->pieces[i].role != role)
                continue;
            if (begun)
                text_puts(to, ", ");
            else
                text_printf(to, "%s %s ", between, verbs[role]);
            add_piece(to, &step->pieces[i]);
            begun = true;
            between = ";";
        }
    }
    text_putc(to, '\n');
}

void plan_describe(const struct plan *p, const struct graph *g, struct text *to)
{
    text_printf(to, "%zu steps, %.0f flops, arena %zu bytes (%zu without reuse), constants %zu bytes\n", p->call_count,
                p->flops, p->arena_bytes, plan_unshared_bytes(p, g), p->constant_bytes);
    for (size_t i = 0; i < p->call_count; i++) {
        struct plan_step_view step;
        plan_step_view(p, i, &step);
        text_printf(to, "%3zu %s: %.0f flops, %zu bytes\n", i + 1, step.kernel, step.flops, step.bytes);
        for (uint32_t n = 0; n < step.node_count; n++) {
            text_puts(to, "    ");
            add_node(to, g, step.nodes[n]);
            text_putc(to, '\n');
        }
        add_pieces(to, &step);
    }
}
