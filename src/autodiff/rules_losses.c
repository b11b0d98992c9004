/* Losses: means over all elements, or over the batch. Each rule is written for the whole loss, so that it keeps the
 * digits that the derivative of a plain formula would lose. */
#include "autodiff/rules.h"
#include "graph/losses.h"

/* g / n: what arrives at each element of a mean over all n. */
static node_id each(struct builder *b, const struct link *l)
{
    return over(b, l->g, build_size(b, l->x[0]));
}

/* By p: 2 (p - y) / n. */
static node_id mse(struct builder *b, const struct link *l, size_t input)
{
    node_id weight = scaled(b, 2, each(b, l));
    return times(b, weight, minus(b, l->x[input], l->x[1 - input]));
}
const struct rule rule_MSE = {.vjp = mse};

static node_id mae(struct builder *b, const struct link *l, size_t input)
{
    node_id weight = each(b, l);
    return times(b, weight, build_unary(b, OP_Sign, minus(b, l->x[input], l->x[1 - input])));
}
const struct rule rule_MAE = {.vjp = mae};

/* ---------------------------------------------------------------- cross-entropies of one probability */

/* The derivative of max(log q, -100): 1/q, and 0 where the log is clamped. */
static node_id slope_of_clamped_log(struct builder *b, node_id q)
{
    node_id free = build_binary(b, OP_Greater, q, build_scalar(b, LOSS_EXP_LOG_FLOOR));
    node_id safe = build_where(b, free, q, build_scalar(b, 1));
    return where_else_zero(b, free, build_unary(b, OP_Reciprocal, safe));
}

/* By p: (1 - y) / (1 - p) - y / p; by y: log(1 - p) - log p. Over the common denominator the first would lose digits in
 * its own derivative. */
static node_id bce(struct builder *b, const struct link *l, size_t input)
{
    node_id p = l->x[0], y = l->x[1], q = one_minus(b, p), up, down;
    node_id weight = each(b, l);
    if (input == 0) {
        node_id not_y = one_minus(b, y);
        up = times(b, not_y, slope_of_clamped_log(b, q));
        down = times(b, y, slope_of_clamped_log(b, p));
    } else {
        up = clamped_log(b, q);
        down = clamped_log(b, p);
    }
    return times(b, weight, minus(b, up, down));
}
const struct rule rule_BCE = {.vjp = bce};

/* By z: sigmoid(z) - y, written as (1 - y) sigmoid(z) - y sigmoid(-z), which for y = 1 and large z is not rounded to 0;
 * by y: -z. */
static node_id bce_with_logits(struct builder *b, const struct link *l, size_t input)
{
    node_id z = l->x[0], y = l->x[1], weight = each(b, l);
    if (input == 1)
        return negative(b, times(b, weight, z));
    node_id not_y = one_minus(b, y);
    node_id up = times(b, not_y, build_unary(b, OP_Sigmoid, z));
    node_id down = times(b, y, build_unary(b, OP_Sigmoid, negative(b, z)));
    return times(b, weight, minus(b, up, down));
}
const struct rule rule_BCEWithLogits = {.vjp = bce_with_logits};

/* ---------------------------------------------------------------- cross-entropy of classes */

static node_id softmax_of(struct builder *b, enum op op, node_id z)
{
    const struct attribute axis = attribute_int(ATTRIBUTE_axis, 1);
    return build_op(b, op, &z, 1, &axis, 1);
}

static node_id sum_over_classes(struct builder *b, node_id x)
{
    return build_reduce(b, OP_ReduceSum, x, &(int64_t){1}, 1, true);
}

/* By z (n,k), y class numbers: softmax(z) - onehot(y) over n. At the class itself that is minus the sum of the other
 * probabilities, and written so: a class that is all but certain keeps its digits. */
static node_id cross_entropy_of_numbers(struct builder *b, const struct link *l, node_id weight)
{
    struct shape shape = build_shape(b, l->x[0]);
    node_id y = l->x[1];
    if (build_shape(b, y).rank != 1)
        y = build_reshape(b, y, shape_of(1, shape.dim));
    const struct attribute depth = attribute_int(ATTRIBUTE_depth, shape.dim[1]);
    node_id is_class = build_op(b, OP_OneHot, &y, 1, &depth, 1);
    node_id probabilities = softmax_of(b, OP_Softmax, l->x[0]);
    node_id others = times(b, probabilities, one_minus(b, is_class));
    node_id own = times(b, is_class, sum_over_classes(b, others));
    return times(b, weight, minus(b, others, own));
}

/* By z: softmax(z) sum(y) - y over n; by y: -log_softmax(z) over n. */
static node_id cross_entropy_of_probabilities(struct builder *b, const struct link *l, size_t input, node_id weight)
{
    node_id z = l->x[0], y = l->x[1];
    if (input == 1)
        return negative(b, times(b, weight, softmax_of(b, OP_LogSoftmax, z)));
    node_id total = sum_over_classes(b, y);
    node_id expected = times(b, softmax_of(b, OP_Softmax, z), total);
    return times(b, weight, minus(b, expected, y));
}

static node_id cross_entropy(struct builder *b, const struct link *l, size_t input)
{
    struct shape shape = build_shape(b, l->x[0]);
    bool probabilities = shape_equal(build_shape(b, l->x[1]), shape);
    if (input == 1 && !probabilities)
        return NODE_NONE;
    node_id weight = over(b, l->g, build_scalar(b, (double)shape.dim[0]));
    return probabilities ? cross_entropy_of_probabilities(b, l, input, weight) : cross_entropy_of_numbers(b, l, weight);
}
const struct rule rule_CrossEntropy = {.vjp = cross_entropy};
