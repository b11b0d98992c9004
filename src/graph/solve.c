#include "graph/solve.h"

#include "graph/rules.h"
#include <stdlib.h>

struct solver {
    const struct program *program;
    struct shape *shapes; /* the caller's */
    size_t count;
    uint32_t *first_user; /* users of node i: users[first_user[i]] to users[first_user[i + 1] - 1], once for each use */
    node_id *users;
    uint32_t *open_inputs; /* operands of each node that are not wholly known; counted once for each use */
    bool *forwarded;       /* the node's rule was asked */
    node_id *queue;        /* a ring of `count` places; each node is in it once at most */
    size_t queue_first, queue_length;
    bool *queued;
    struct shape *in; /* operands of the node at hand */
    struct arena *arena;
};

bool shape_is_open(struct shape s)
{
    bool open = s.rank == RANK_OPEN;
    for (int i = 0; i < s.rank; i++)
        open = open || s.dim[i] == DIM_OPEN;
    return open;
}

/* ---- what is found out */

static void enqueue(struct solver *s, node_id id)
{
    if (s->queued[id])
        return;
    s->queued[id] = true;
    s->queue[(s->queue_first + s->queue_length++) % s->count] = id;
}

static void changed(struct solver *s, node_id id)
{
    bool complete = !shape_is_open(s->shapes[id]);
    enqueue(s, id);
    for (uint32_t u = s->first_user[id]; u < s->first_user[id + 1]; u++) {
        s->open_inputs[s->users[u]] -= complete;
        enqueue(s, s->users[u]);
    }
}

static void learn_rank(struct solver *s, node_id id, int rank)
{
    struct shape *shape = &s->shapes[id];
    if (shape->rank != RANK_OPEN || rank < 0 || rank > RANK_MAX)
        return;
    shape->rank = rank;
    for (int i = 0; i < rank; i++)
        shape->dim[i] = DIM_OPEN;
    changed(s, id);
}

/* Axes are counted from the end where they are negative. What is DIM_ANY is not passed on: a leaf can't have it. */
static void learn_dim(struct solver *s, node_id id, int axis, int64_t dim)
{
    struct shape *shape = &s->shapes[id];
    axis = axis < 0 ? axis + shape->rank : axis;
    if (axis < 0 || axis >= shape->rank || shape->dim[axis] != DIM_OPEN || dim == DIM_OPEN || dim == DIM_ANY)
        return;
    shape->dim[axis] = dim;
    changed(s, id);
}

static int64_t dim_of(const struct solver *s, node_id id, int axis)
{
    struct shape shape = s->shapes[id];
    axis = axis < 0 ? axis + shape.rank : axis;
    return axis >= 0 && axis < shape.rank ? shape.dim[axis] : DIM_OPEN;
}

static void equal_dims(struct solver *s, node_id a, int axis_a, node_id b, int axis_b)
{
    learn_dim(s, a, axis_a, dim_of(s, b, axis_b));
    learn_dim(s, b, axis_b, dim_of(s, a, axis_a));
}

static void equal_shapes(struct solver *s, node_id a, node_id b)
{
    learn_rank(s, a, s->shapes[b].rank);
    learn_rank(s, b, s->shapes[a].rank);
    if (s->shapes[a].rank != s->shapes[b].rank)
        return;
    for (int i = 0; i < s->shapes[a].rank; i++)
        equal_dims(s, a, i, b, i);
}

static void learn_shape(struct solver *s, node_id id, struct shape shape)
{
    struct shape *known = &s->shapes[id];
    learn_rank(s, id, shape.rank);
    for (int i = 0; known->rank == shape.rank && i < shape.rank; i++) {
        if (known->dim[i] != DIM_OPEN)
            continue;
        known->dim[i] = shape.dim[i];
        changed(s, id);
    }
}

/* ---- relations: what each op says of its operands and of its result */

static void relate_linear(struct solver *s, node_id id, const struct program_node *n)
{
    node_id x = n->inputs[0], w = n->inputs[1];
    learn_rank(s, w, 2);
    learn_rank(s, id, s->shapes[x].rank);
    learn_rank(s, x, s->shapes[id].rank);
    equal_dims(s, x, -1, w, 0);
    equal_dims(s, id, -1, w, 1);
    if (s->shapes[x].rank == s->shapes[id].rank)
        for (int i = 0; i + 1 < s->shapes[x].rank; i++)
            equal_dims(s, x, i, id, i);
    if (n->input_count < 3)
        return;
    learn_rank(s, n->inputs[2], 1);
    equal_dims(s, n->inputs[2], 0, w, 1);
}

/* A rank follows where all three are vectors, matrices or scalars: (n,k) and (n,m) leave only (k,m). */
static void relate_matmul(struct solver *s, node_id id, const struct program_node *n)
{
    node_id a = n->inputs[0], b = n->inputs[1];
    int rank_a = s->shapes[a].rank, rank_b = s->shapes[b].rank, rank = s->shapes[id].rank;
    if ((rank_a == 1 || rank_a == 2) && rank >= rank_a - 1 && rank <= rank_a)
        learn_rank(s, b, rank - rank_a + 2);
    if ((rank_b == 1 || rank_b == 2) && rank >= rank_b - 1 && rank <= rank_b)
        learn_rank(s, a, rank - rank_b + 2);
    rank_a = s->shapes[a].rank;
    rank_b = s->shapes[b].rank;
    if (rank_a < 1 || rank_a > 2 || rank_b < 1 || rank_b > 2)
        return;
    learn_rank(s, id, rank_a + rank_b - 2);
    equal_dims(s, a, -1, b, 0);
    if (rank_a == 2)
        equal_dims(s, a, 0, id, 0);
    if (rank_b == 2)
        equal_dims(s, b, 1, id, -1);
}

static void relate_cross_entropy(struct solver *s, node_id id, const struct program_node *n)
{
    learn_shape(s, id, (struct shape){0});
    learn_rank(s, n->inputs[0], 2);
    equal_dims(s, n->inputs[0], 0, n->inputs[1], 0);
    if (dim_of(s, n->inputs[1], 1) > 1)
        equal_dims(s, n->inputs[0], 1, n->inputs[1], 1);
}

static const struct attribute *written(const struct program_node *n, enum attribute_key key)
{
    for (size_t i = 0; i < n->attribute_count; i++)
        if (n->attributes[i].key == key)
            return &n->attributes[i];
    return NULL;
}

static void relate_transpose(struct solver *s, node_id id, const struct program_node *n)
{
    const struct attribute *perm = written(n, ATTRIBUTE_perm);
    node_id x = n->inputs[0];
    if (perm && perm->ints.count <= RANK_MAX)
        learn_rank(s, x, (int)perm->ints.count);
    learn_rank(s, id, s->shapes[x].rank);
    learn_rank(s, x, s->shapes[id].rank);
    int rank = s->shapes[x].rank;
    if (rank != s->shapes[id].rank || (perm && perm->ints.count != (size_t)rank))
        return;
    for (int i = 0; i < rank; i++) {
        int64_t from = perm ? perm->ints.items[i] : rank - 1 - i;
        if (from >= -rank && from < rank)
            equal_dims(s, id, i, x, (int)from);
    }
}

/* The dimensions that are written are known whatever is reshaped. */
static void relate_reshape(struct solver *s, node_id id, const struct program_node *n)
{
    const struct attribute *shape = written(n, ATTRIBUTE_shape);
    if (shape->ints.count > RANK_MAX)
        return;
    learn_rank(s, id, (int)shape->ints.count);
    for (size_t i = 0; i < shape->ints.count; i++) {
        if (shape->ints.items[i] > 0)
            learn_dim(s, id, (int)i, shape->ints.items[i]);
        if (shape->ints.items[i] == 0)
            equal_dims(s, id, (int)i, n->inputs[0], (int)i);
    }
}

/* Beside a scalar, the result has the shape of the other operand. */
static void relate_broadcast(struct solver *s, node_id id, const struct program_node *n)
{
    for (int k = 0; k < 2; k++)
        if (s->shapes[n->inputs[k]].rank == 0)
            equal_shapes(s, id, n->inputs[1 - k]);
}

/* Scale and bias have the axes that are normalised. */
static void relate_layer_normalization(struct solver *s, node_id id, const struct program_node *n)
{
    const struct attribute *axis = written(n, ATTRIBUTE_axis);
    node_id x = n->inputs[0];
    equal_shapes(s, id, x);
    int rank = s->shapes[x].rank;
    int64_t first = axis ? axis->integer : -1;
    first = first < 0 ? first + rank : first;
    if (rank == RANK_OPEN || first < 0 || first >= rank)
        return;
    for (size_t k = 1; k < n->input_count; k++) {
        learn_rank(s, n->inputs[k], rank - (int)first);
        for (int i = (int)first; i < rank && s->shapes[n->inputs[k]].rank == rank - (int)first; i++)
            learn_dim(s, n->inputs[k], i - (int)first, dim_of(s, x, i));
    }
}

static bool keeps_shape(enum op op)
{
    return shape_rules[op] == shape_same || shape_rules[op] == shape_dropout || shape_rules[op] == shape_clip ||
           shape_rules[op] == shape_polygamma || shape_rules[op] == shape_gelu || shape_rules[op] == shape_axis ||
           shape_rules[op] == shape_flip;
}

/* A scalar of two operands of one shape, and perhaps more. */
static bool is_loss(enum op op)
{
    return shape_rules[op] == shape_loss || shape_rules[op] == shape_huber || shape_rules[op] == shape_gaussian;
}

static void relate(struct solver *s, node_id id, const struct program_node *n)
{
    switch (n->op) {
    case OP_Linear:
        relate_linear(s, id, n);
        break;
    case OP_MatMul:
        relate_matmul(s, id, n);
        break;
    case OP_CrossEntropy:
        relate_cross_entropy(s, id, n);
        break;
    case OP_Transpose:
        relate_transpose(s, id, n);
        break;
    case OP_Reshape:
        relate_reshape(s, id, n);
        break;
    case OP_LayerNormalization:
        relate_layer_normalization(s, id, n);
        break;
    case OP_Grad:
        equal_shapes(s, id, n->inputs[1]);
        break;
    default:
        if (keeps_shape(n->op)) {
            equal_shapes(s, id, n->inputs[0]);
        } else if (is_loss(n->op)) {
            learn_shape(s, id, (struct shape){0});
            equal_shapes(s, n->inputs[0], n->inputs[1]);
        } else if (shape_rules[n->op] == shape_broadcast_all && n->input_count == 2) {
            relate_broadcast(s, id, n);
        }
        break;
    }
}

/* Asks the op's own rule, once, when all operands are known. */
static void forward(struct solver *s, node_id id, const struct program_node *n)
{
    if (s->forwarded[id] || s->open_inputs[id] > 0 || n->op == OP_Input)
        return;
    s->forwarded[id] = true;
    struct inference i = {.op = n->op, .in = s->in, .count = n->input_count, .arena = s->arena};
    for (size_t k = 0; k < n->input_count; k++)
        s->in[k] = s->shapes[n->inputs[k]];
    if (infer_fill_attributes(&i, n->attributes, n->attribute_count) == ERR_ok && infer_shape(&i) == ERR_ok)
        learn_shape(s, id, i.out);
}

/* ---- the search */

static void count_users(struct solver *s)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct program_node *n = program_node(s->program, (node_id)i);
        for (size_t k = 0; k < n->input_count; k++)
            s->first_user[n->inputs[k] + 1]++;
    }
    for (size_t i = 0; i < s->count; i++)
        s->first_user[i + 1] += s->first_user[i];
}

static void list_users(struct solver *s, uint32_t *next)
{
    for (size_t i = 0; i < s->count; i++)
        next[i] = s->first_user[i];
    for (size_t i = 0; i < s->count; i++) {
        const struct program_node *n = program_node(s->program, (node_id)i);
        for (size_t k = 0; k < n->input_count; k++) {
            s->users[next[n->inputs[k]]++] = (node_id)i;
            s->open_inputs[i] += shape_is_open(s->shapes[n->inputs[k]]);
        }
        enqueue(s, (node_id)i);
    }
}

static void search(struct solver *s)
{
    while (s->queue_length > 0) {
        node_id id = s->queue[s->queue_first];
        s->queue_first = (s->queue_first + 1) % s->count;
        s->queue_length--;
        s->queued[id] = false;
        const struct program_node *n = program_node(s->program, id);
        if (n->broken)
            continue;
        relate(s, id, n);
        forward(s, id, n);
    }
}

err_code solve_shapes(const struct program *p, struct shape *shapes, struct error *err)
{
    size_t count = program_size(p), uses = 0, most = 0;
    for (size_t i = 0; i < count; i++) {
        size_t inputs = program_node(p, (node_id)i)->input_count;
        uses += inputs;
        most = inputs > most ? inputs : most;
    }
    if (count == 0)
        return ERR_ok;
    struct solver s = {.program = p, .shapes = shapes, .count = count};
    s.arena = arena_new();
    s.first_user = calloc(count + 1, sizeof *s.first_user);
    s.users = calloc(uses + 1, sizeof *s.users);
    s.open_inputs = calloc(count, sizeof *s.open_inputs);
    s.forwarded = calloc(count, sizeof *s.forwarded);
    s.queued = calloc(count, sizeof *s.queued);
    s.queue = calloc(count, sizeof *s.queue);
    s.in = calloc(most + 1, sizeof *s.in);
    uint32_t *next = calloc(count, sizeof *next);
    err_code code = ERR_ok;
    bool found =
        s.arena && s.first_user && s.users && s.open_inputs && s.forwarded && s.queued && s.queue && s.in && next;
    if (found && uses < UINT32_MAX) {
        count_users(&s);
        list_users(&s, next);
        search(&s);
    } else {
        code = error_set(err, ERR_out_of_memory, "no memory to find the shapes of a program");
    }
    arena_free(s.arena);
    free(s.first_user);
    free(s.users);
    free(s.open_inputs);
    free(s.forwarded);
    free(s.queued);
    free(s.queue);
    free(s.in);
    free(next);
    return code;
}
