#include "train/optimizer.h"

#include "base/functions.h"
#include <float.h>
#include <math.h>
#include <string.h>

static const char *const names[] = {
    [OPTIMIZER_SGD] = "SGD",
    [OPTIMIZER_ADAM] = "Adam",
    [OPTIMIZER_ADAMW] = "AdamW",
};

enum { NAME_COUNT = sizeof names / sizeof *names };

#define FIELD(member) .name = #member, .offset = offsetof(struct optimizer, member)
#define POSITIVE .least = 0, .least_open = true, .most = DBL_MAX
#define NOT_NEGATIVE .least = 0, .most = DBL_MAX
#define BELOW_ONE .least = 0, .most = 1, .most_open = true

const struct optimizer_field optimizer_fields[] = {
    {FIELD(learning_rate), .optimizer = OPTIMIZER_SGD, .required = true, POSITIVE},
    {FIELD(momentum), .optimizer = OPTIMIZER_SGD, .fallback = 0, BELOW_ONE},
    {FIELD(nesterov), .optimizer = OPTIMIZER_SGD, .is_bool = true, .fallback = 0, .least = 0, .most = 1},
    {FIELD(weight_decay), .optimizer = OPTIMIZER_SGD, .fallback = 0, NOT_NEGATIVE},

    {FIELD(learning_rate), .optimizer = OPTIMIZER_ADAM, .fallback = 0.001, POSITIVE},
    {FIELD(beta1), .optimizer = OPTIMIZER_ADAM, .fallback = 0.9, BELOW_ONE},
    {FIELD(beta2), .optimizer = OPTIMIZER_ADAM, .fallback = 0.999, BELOW_ONE},
    {FIELD(epsilon), .optimizer = OPTIMIZER_ADAM, .fallback = 1e-8, NOT_NEGATIVE},
    {FIELD(weight_decay), .optimizer = OPTIMIZER_ADAM, .fallback = 0, NOT_NEGATIVE},

    {FIELD(learning_rate), .optimizer = OPTIMIZER_ADAMW, .fallback = 0.001, POSITIVE},
    {FIELD(beta1), .optimizer = OPTIMIZER_ADAMW, .fallback = 0.9, BELOW_ONE},
    {FIELD(beta2), .optimizer = OPTIMIZER_ADAMW, .fallback = 0.999, BELOW_ONE},
    {FIELD(epsilon), .optimizer = OPTIMIZER_ADAMW, .fallback = 1e-8, NOT_NEGATIVE},
    {FIELD(weight_decay), .optimizer = OPTIMIZER_ADAMW, .fallback = 0.01, NOT_NEGATIVE},
};
const size_t optimizer_field_count = sizeof optimizer_fields / sizeof *optimizer_fields;

bool optimizer_find(const char *name, enum optimizer_name *ret)
{
    for (size_t i = 0; i < NAME_COUNT; i++)
        if (strcmp(name, names[i]) == 0) {
            *ret = (enum optimizer_name)i;
            return true;
        }
    return false;
}

const char *optimizer_name(enum optimizer_name name)
{
    return names[name];
}

struct optimizer optimizer_defaults(enum optimizer_name name)
{
    struct optimizer o = {.name = name};
    for (size_t i = 0; i < optimizer_field_count; i++) {
        const struct optimizer_field *field = &optimizer_fields[i];
        char *member = (char *)&o + field->offset;
        if (field->optimizer != name)
            continue;
        if (field->is_bool)
            *(bool *)(void *)member = field->fallback != 0;
        else
            *(double *)(void *)member = field->fallback;
    }
    return o;
}

size_t optimizer_state_count(const struct optimizer *o)
{
    if (o->name == OPTIMIZER_SGD)
        return o->momentum != 0 ? 1 : 0;
    return 2;
}

/* ---- one step's scalars ---- */

/* Places in the scalars: SGD has the learning rate alone. */
enum { STEP_SIZE, SECOND_CORRECTION, DECAY };

size_t optimizer_scalar_count(const struct optimizer *o)
{
    switch (o->name) {
    case OPTIMIZER_ADAM:
        return SECOND_CORRECTION + 1;
    case OPTIMIZER_ADAMW:
        return DECAY + 1;
    default:
        return STEP_SIZE + 1;
    }
}

/* Kingma, Ba, "Adam", 2014, section 3: both moments are divided by 1 - beta^t, t = 1 at the first step. Loshchilov,
 * Hutter, "Decoupled Weight Decay Regularization", 2017, scales the parameter by 1 - learning_rate * weight_decay. */
void optimizer_scalars(const struct optimizer *o, double learning_rate, uint64_t step, double *ret)
{
    if (o->name == OPTIMIZER_SGD) {
        ret[STEP_SIZE] = learning_rate;
        return;
    }
    double t = (double)step + 1;
    ret[STEP_SIZE] = learning_rate / (1 - fn_pow(o->beta1, t));
    ret[SECOND_CORRECTION] = 1 / sqrt(1 - fn_pow(o->beta2, t));
    if (o->name == OPTIMIZER_ADAMW)
        ret[DECAY] = 1 - learning_rate * o->weight_decay;
}

/* ---- the update as nodes ---- */

static node_id add(struct builder *b, node_id x, node_id y)
{
    return build_binary(b, OP_Add, x, y);
}

static node_id mul(struct builder *b, node_id x, node_id y)
{
    return build_binary(b, OP_Mul, x, y);
}

static node_id scale(struct builder *b, double factor, node_id x)
{
    return mul(b, build_scalar(b, factor), x);
}

/* gradient + weight_decay * parameter: the gradient of the cost with half the squared norm added. */
static node_id decayed(struct builder *b, const struct optimizer *o, node_id parameter, node_id gradient)
{
    if (o->weight_decay == 0)
        return gradient;
    return add(b, gradient, scale(b, o->weight_decay, parameter));
}

/* v' = momentum * v + g; W' = W - learning_rate * v', or with Nesterov's look ahead W - learning_rate * (g + momentum *
 * v'). */
static void sgd(const struct optimizer *o, struct builder *b, node_id parameter, node_id gradient, const node_id *state,
                const node_id *scalars, node_id *ret_parameter, node_id *ret_state)
{
    node_id direction = decayed(b, o, parameter, gradient);
    if (o->momentum != 0) {
        ret_state[0] = add(b, scale(b, o->momentum, state[0]), direction);
        direction = o->nesterov ? add(b, direction, scale(b, o->momentum, ret_state[0])) : ret_state[0];
    }
    *ret_parameter = build_binary(b, OP_Sub, parameter, mul(b, scalars[STEP_SIZE], direction));
}

/* m' = beta1 * m + (1 - beta1) * g; v' = beta2 * v + (1 - beta2) * g^2;
 * W' = W - learning_rate / (1 - beta1^t) * m' / (sqrt(v') / sqrt(1 - beta2^t) + epsilon). */
static void adam(const struct optimizer *o, struct builder *b, node_id parameter, node_id gradient,
                 const node_id *state, const node_id *scalars, node_id *ret_parameter, node_id *ret_state)
{
    if (o->name == OPTIMIZER_ADAMW)
        parameter = mul(b, parameter, scalars[DECAY]);
    else
        gradient = decayed(b, o, parameter, gradient);
    ret_state[0] = add(b, scale(b, o->beta1, state[0]), scale(b, 1 - o->beta1, gradient));
    ret_state[1] = add(b, scale(b, o->beta2, state[1]), scale(b, 1 - o->beta2, build_unary(b, OP_Square, gradient)));
    node_id root = mul(b, build_unary(b, OP_Sqrt, ret_state[1]), scalars[SECOND_CORRECTION]);
    node_id ratio = build_binary(b, OP_Div, ret_state[0], add(b, root, build_scalar(b, o->epsilon)));
    *ret_parameter = build_binary(b, OP_Sub, parameter, mul(b, scalars[STEP_SIZE], ratio));
}

void optimizer_update(const struct optimizer *o, struct builder *b, node_id parameter, node_id gradient,
                      const node_id *state, const node_id *scalars, node_id *ret_parameter, node_id *ret_state)
{
    if (o->name == OPTIMIZER_SGD)
        sgd(o, b, parameter, gradient, state, scalars, ret_parameter, ret_state);
    else
        adam(o, b, parameter, gradient, state, scalars, ret_parameter, ret_state);
}
