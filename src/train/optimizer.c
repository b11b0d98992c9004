#include "train/optimizer.h"

#include "base/functions.h"
#include <float.h>
#include <math.h>
#include <string.h>

static const char *const names[] = {
    [OPTIMIZER_SGD] = "SGD",         [OPTIMIZER_ADAM] = "Adam",       [OPTIMIZER_ADAMW] = "AdamW",
    [OPTIMIZER_RMSPROP] = "RMSprop", [OPTIMIZER_ADAGRAD] = "Adagrad", [OPTIMIZER_LBFGS] = "LBFGS",
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

    {FIELD(learning_rate), .optimizer = OPTIMIZER_RMSPROP, .fallback = 0.01, POSITIVE},
    {FIELD(alpha), .optimizer = OPTIMIZER_RMSPROP, .fallback = 0.99, BELOW_ONE},
    {FIELD(epsilon), .optimizer = OPTIMIZER_RMSPROP, .fallback = 1e-8, NOT_NEGATIVE},
    {FIELD(momentum), .optimizer = OPTIMIZER_RMSPROP, .fallback = 0, BELOW_ONE},
    {FIELD(centered), .optimizer = OPTIMIZER_RMSPROP, .is_bool = true, .fallback = 0, .least = 0, .most = 1},
    {FIELD(weight_decay), .optimizer = OPTIMIZER_RMSPROP, .fallback = 0, NOT_NEGATIVE},

    {FIELD(learning_rate), .optimizer = OPTIMIZER_ADAGRAD, .fallback = 0.01, POSITIVE},
    {FIELD(learning_rate_decay), .optimizer = OPTIMIZER_ADAGRAD, .fallback = 0, NOT_NEGATIVE},
    {FIELD(initial_accumulator), .optimizer = OPTIMIZER_ADAGRAD, .fallback = 0, NOT_NEGATIVE},
    {FIELD(epsilon), .optimizer = OPTIMIZER_ADAGRAD, .fallback = 1e-10, NOT_NEGATIVE},
    {FIELD(weight_decay), .optimizer = OPTIMIZER_ADAGRAD, .fallback = 0, NOT_NEGATIVE},

    {FIELD(learning_rate), .optimizer = OPTIMIZER_LBFGS, .fallback = 1, POSITIVE},
    {FIELD(history), .optimizer = OPTIMIZER_LBFGS, .is_whole = true, .fallback = 10, .least = 1, .most = 1000},
    {FIELD(max_evaluations), .optimizer = OPTIMIZER_LBFGS, .is_whole = true, .fallback = 25, .least = 1, .most = 1e6},
    {FIELD(tolerance_gradient), .optimizer = OPTIMIZER_LBFGS, .fallback = 1e-7, NOT_NEGATIVE},
    {FIELD(tolerance_change), .optimizer = OPTIMIZER_LBFGS, .fallback = 1e-9, NOT_NEGATIVE},
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
        else if (field->is_whole)
            *(int64_t *)(void *)member = (int64_t)field->fallback;
        else
            *(double *)(void *)member = field->fallback;
    }
    return o;
}

size_t optimizer_state_count(const struct optimizer *o)
{
    switch (o->name) {
    case OPTIMIZER_SGD:
        return o->momentum != 0 ? 1 : 0;
    case OPTIMIZER_RMSPROP:
        return 1 + (size_t)o->centered + (o->momentum != 0 ? 1 : 0);
    case OPTIMIZER_ADAGRAD:
        return 1;
    case OPTIMIZER_LBFGS:
        return 0;
    default:
        return 2;
    }
}

double optimizer_first_state(const struct optimizer *o)
{
    return o->name == OPTIMIZER_ADAGRAD ? o->initial_accumulator : 0;
}

/* ---- one step's scalars ---- */

/* Places in the scalars: SGD, RMSprop and Adagrad have the learning rate alone. */
enum { STEP_SIZE, SECOND_CORRECTION, DECAY };

size_t optimizer_scalar_count(const struct optimizer *o)
{
    switch (o->name) {
    case OPTIMIZER_ADAM:
        return SECOND_CORRECTION + 1;
    case OPTIMIZER_ADAMW:
        return DECAY + 1;
    case OPTIMIZER_LBFGS:
        return 0;
    default:
        return STEP_SIZE + 1;
    }
}

/* Kingma, Ba, "Adam", 2014, section 3: both moments are divided by 1 - beta^t, t = 1 at the first step. Loshchilov,
 * Hutter, "Decoupled Weight Decay Regularization", 2017, scales the parameter by 1 - learning_rate * weight_decay. */
void optimizer_scalars(const struct optimizer *o, double learning_rate, uint64_t step, double *ret)
{
    double t = (double)step + 1;
    if (o->name != OPTIMIZER_ADAM && o->name != OPTIMIZER_ADAMW) {
        ret[STEP_SIZE] =
            o->name == OPTIMIZER_ADAGRAD ? learning_rate / (1 + (t - 1) * o->learning_rate_decay) : learning_rate;
        return;
    }
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

/* v' = alpha * v + (1 - alpha) * g^2, and centered also a' = alpha * a + (1 - alpha) * g;
 * d = g / (sqrt(v') + epsilon), or centered g / (sqrt(v' - a'^2) + epsilon); with momentum m' = momentum * m + d in its
 * place; W' = W - learning_rate * d. Tieleman, Hinton, "Lecture 6.5 - RMSProp", 2012; centered: Graves, "Generating
 * Sequences With Recurrent Neural Networks", 2013. The states are v, a, m, as far as they are. */
static void rmsprop(const struct optimizer *o, struct builder *b, node_id parameter, node_id gradient,
                    const node_id *state, const node_id *scalars, node_id *ret_parameter, node_id *ret_state)
{
    gradient = decayed(b, o, parameter, gradient);
    ret_state[0] = add(b, scale(b, o->alpha, state[0]), scale(b, 1 - o->alpha, build_unary(b, OP_Square, gradient)));
    node_id variance = ret_state[0];
    size_t next = 1;
    if (o->centered) {
        ret_state[next] = add(b, scale(b, o->alpha, state[next]), scale(b, 1 - o->alpha, gradient));
        variance = build_binary(b, OP_Sub, variance, build_unary(b, OP_Square, ret_state[next++]));
    }
    node_id deviation = add(b, build_unary(b, OP_Sqrt, variance), build_scalar(b, o->epsilon));
    node_id direction = build_binary(b, OP_Div, gradient, deviation);
    if (o->momentum != 0)
        direction = ret_state[next] = add(b, scale(b, o->momentum, state[next]), direction);
    *ret_parameter = build_binary(b, OP_Sub, parameter, mul(b, scalars[STEP_SIZE], direction));
}

/* s' = s + g^2; W' = W - learning_rate / (1 + (t - 1) * learning_rate_decay) * g / (sqrt(s') + epsilon). Duchi, Hazan,
 * Singer, "Adaptive Subgradient Methods", 2011. */
static void adagrad(const struct optimizer *o, struct builder *b, node_id parameter, node_id gradient,
                    const node_id *state, const node_id *scalars, node_id *ret_parameter, node_id *ret_state)
{
    gradient = decayed(b, o, parameter, gradient);
    ret_state[0] = add(b, state[0], build_unary(b, OP_Square, gradient));
    node_id deviation = add(b, build_unary(b, OP_Sqrt, ret_state[0]), build_scalar(b, o->epsilon));
    node_id direction = build_binary(b, OP_Div, gradient, deviation);
    *ret_parameter = build_binary(b, OP_Sub, parameter, mul(b, scalars[STEP_SIZE], direction));
}

void optimizer_update(const struct optimizer *o, struct builder *b, node_id parameter, node_id gradient,
                      const node_id *state, const node_id *scalars, node_id *ret_parameter, node_id *ret_state)
{
    typedef void update(const struct optimizer *, struct builder *, node_id, node_id, const node_id *, const node_id *,
                        node_id *, node_id *);
    static update *const updates[] = {
        [OPTIMIZER_SGD] = sgd,         [OPTIMIZER_ADAM] = adam,       [OPTIMIZER_ADAMW] = adam,
        [OPTIMIZER_RMSPROP] = rmsprop, [OPTIMIZER_ADAGRAD] = adagrad,
    };
    updates[o->name](o, b, parameter, gradient, state, scalars, ret_parameter, ret_state);
}
