/* A case is derived to the second order, run in every way, and held against PyTorch and central differences. */
#include "check.h"

#include "autodiff/gradient.h"
#include "graph/builder.h"
#include "support/near.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of the largest element of a tensor, but at least 1. */
static const double TOLERANCE_EXACT = 1e-11; /* float64 against PyTorch */
static const double TOLERANCE_FLOAT32 =
    1e-4; /* float32 against float64; large inputs are rounded before anything is computed */
static const double TOLERANCE_DIFFERENCES = 2e-6; /* central differences: their own error */
static const double STEP = 1e-5;

/* <cotangent, value>, its gradient, <directions, gradient>, its gradient, and the derivative of the value along the
 * directions. */
struct derived {
    struct graph *graph;
    node_id outputs[3 + 2 * CASE_INPUTS_MAX];
    size_t output_count;
};

enum {
    VALUE,
    SUM,
    SLOPE,
    GRADIENTS
}; /* places among the outputs; then gradients, then second derivatives, one each a differentiable input */

static size_t differentiable(const struct op_case *c)
{
    size_t count = 0;
    for (size_t i = 0; i < c->input_count; i++)
        count += c->inputs[i].differentiable;
    return count;
}

/* The direction of an input, under a name that no program has; its values stay the input's. */
static struct array direction_of(const struct case_input *input)
{
    struct array direction = input->direction;
    array_name(&direction, "@", input->direction.name);
    return direction;
}

static node_id sum_of_products(struct builder *b, node_id x, node_id y)
{
    int64_t axes[RANK_MAX];
    size_t rank = (size_t)build_shape(b, x).rank;
    for (size_t i = 0; i < rank; i++)
        axes[i] = (int64_t)i;
    return build_reduce(b, OP_ReduceSum, build_binary(b, OP_Mul, x, y), axes, rank, false);
}

static void differentiate(struct builder *b, node_id of, const node_id *wrt, size_t count, node_id *ret)
{
    assert_int_equal(gradient(b->graph, of, NODE_NONE, wrt, count, ret, b->err), ERR_ok);
    for (size_t i = 0; i < count; i++)
        if (ret[i] == NODE_NONE)
            ret[i] = build_fill(b, 0, build_shape(b, wrt[i]));
}

static struct derived derive(const struct op_case *c)
{
    struct array inputs[CASE_INPUTS_MAX] = {0};
    for (size_t i = 0; i < c->input_count; i++)
        inputs[i] = c->inputs[i].values;
    struct error err = {0};
    struct derived d = {.output_count = GRADIENTS + 2 * differentiable(c)};
    d.graph = graph_of_program(c->program, inputs, c->input_count, &d.outputs[VALUE]);
    struct builder b = {.graph = d.graph, .err = &err};
    assert_true(shape_equal(build_shape(&b, d.outputs[VALUE]), c->value.shape));

    node_id cotangent = build_input(&b, "@cotangent", c->value.shape);
    d.outputs[SUM] = sum_of_products(&b, cotangent, d.outputs[VALUE]);
    node_id wrt[CASE_INPUTS_MAX], *first = &d.outputs[GRADIENTS];
    size_t count = 0;
    for (size_t i = 0; i < c->input_count; i++) {
        node_id input = graph_find(d.graph, c->inputs[i].values.name);
        if (c->inputs[i].differentiable)
            wrt[count++] = input;
    }
    differentiate(&b, d.outputs[SUM], wrt, count, first);

    node_id slope = build_scalar(&b, 0);
    size_t k = 0;
    for (size_t i = 0; i < c->input_count; i++) {
        if (!c->inputs[i].differentiable)
            continue;
        struct array named = direction_of(&c->inputs[i]);
        node_id direction = build_input(&b, named.name, named.shape);
        slope = build_binary(&b, OP_Add, slope, sum_of_products(&b, direction, first[k++]));
    }
    d.outputs[SLOPE] = slope;
    differentiate(&b, slope, wrt, count, first + count);
    assert_int_equal(b.code, ERR_ok);
    error_clear(&err);
    return d;
}

static void bind_all(struct machine *m, const struct op_case *c)
{
    struct array cotangent = c->cotangent;
    array_name(&cotangent, "@", "cotangent");
    machine_bind(m, &cotangent);
    for (size_t i = 0; i < c->input_count; i++) {
        machine_bind(m, &c->inputs[i].values);
        if (!c->inputs[i].differentiable)
            continue;
        struct array direction = direction_of(&c->inputs[i]);
        machine_bind(m, &direction);
    }
}

static double largest(const struct array *a)
{
    double most = 1;
    for (int64_t i = 0; i < a->count; i++)
        most = fmax(most, fabs(a->values[i]));
    return most;
}

static void note(double *worst, double error)
{
    *worst = error > *worst ? error : *worst;
}

static void compare(const struct op_case *c, const struct machine *m, size_t output, const struct array *expected,
                    int order, struct deviation *deviation)
{
    static const char *const what[ORDERS] = {"value", "gradient", "second derivative"};
    enum dtype dtype = machine_dtype(m);
    double tolerance = dtype == DTYPE_FLOAT64 ? TOLERANCE_EXACT : TOLERANCE_FLOAT32;
    assert_int_equal(machine_count(m, output), expected->count);
    double scale = largest(expected);
    for (int64_t i = 0; i < expected->count; i++) {
        double actual = machine_value(m, output, i), error = fabs(actual - expected->values[i]) / scale;
        if (!(error <= tolerance))
            fail_msg("%s\n    %s of %s, element %lld: %.17g, but PyTorch has %.17g", c->text, what[order],
                     expected->name, (long long)i, actual, expected->values[i]);
        note(&deviation->from_torch[dtype][order], error);
    }
}

static void compare_all(const struct op_case *c, const struct machine *m, struct deviation *deviation)
{
    size_t count = differentiable(c), k = 0;
    compare(c, m, VALUE, &c->value, 0, deviation);
    for (size_t i = 0; i < c->input_count; i++) {
        if (!c->inputs[i].differentiable)
            continue;
        compare(c, m, GRADIENTS + k, &c->inputs[i].gradient, 1, deviation);
        compare(c, m, GRADIENTS + count + k, &c->inputs[i].second, 2, deviation);
        k++;
    }
}

static void agrees_with_torch(const struct op_case *c, const struct derived *d, struct deviation *deviation)
{
    static const struct {
        enum dtype dtype;
        enum way way;
    } ways[] = {
        {DTYPE_FLOAT64, SIMPLIFIED}, {DTYPE_FLOAT64, AS_BUILT}, {DTYPE_FLOAT32, SIMPLIFIED}, {DTYPE_FLOAT32, AS_BUILT}};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct machine *m = machine_new(d->graph, d->outputs, d->output_count, ways[i].dtype, ways[i].way, false);
        bind_all(m, c);
        machine_run(m);
        compare_all(c, m, deviation);
        machine_free(m);
    }
}

/* The sum and the slope along one element of one input, by differences; against the gradient and the second derivative
 * there. */
static void difference(const struct op_case *c, struct machine *moved, struct case_input *input, int64_t element,
                       struct deviation *deviation)
{
    double *x = &input->values.values[element], here = *x, sum[2], slope[2];
    for (int side = 0; side < 2; side++) {
        *x = here + (side == 0 ? STEP : -STEP);
        machine_bind(moved, &input->values);
        machine_run(moved);
        sum[side] = machine_value(moved, SUM, 0);
        slope[side] = machine_value(moved, SLOPE, 0);
    }
    *x = here;
    machine_bind(moved, &input->values);
    const struct array *expected[] = {&input->gradient, &input->second};
    const double found[] = {(sum[0] - sum[1]) / (2 * STEP), (slope[0] - slope[1]) / (2 * STEP)};
    for (int i = 0; i < 2; i++) {
        double error = fabs(found[i] - expected[i]->values[element]) / largest(expected[i]);
        if (!(error <= TOLERANCE_DIFFERENCES))
            fail_msg("%s\n    derivative %d of %s, element %lld: differences say %.17g, not %.17g", c->text, i + 1,
                     input->values.name, (long long)element, found[i], expected[i]->values[element]);
        note(&deviation->from_differences[1 + i], error);
    }
}

static void agrees_with_differences(struct op_case *c, const struct derived *d, struct deviation *deviation)
{
    struct machine *moved = machine_new(d->graph, d->outputs, GRADIENTS, DTYPE_FLOAT64, SIMPLIFIED, false);
    bind_all(moved, c);
    for (size_t i = 0; i < c->input_count; i++)
        for (int64_t k = 0; c->inputs[i].differentiable && k < c->inputs[i].values.count; k++)
            difference(c, moved, &c->inputs[i], k, deviation);
    machine_free(moved);
}

void check_case(struct op_case *c, struct deviation *deviation)
{
    struct deviation unused = {0};
    if (!deviation)
        deviation = &unused;
    struct derived d = derive(c);
    agrees_with_torch(c, &d, deviation);
    if (!c->options[0])
        agrees_with_differences(c, &d, deviation);
    graph_free(d.graph);
}

static struct array output_of(const struct machine *m, size_t output)
{
    struct array ret = {.count = machine_count(m, output)};
    ret.values = calloc((size_t)ret.count + 1, sizeof *ret.values);
    assert_non_null(ret.values);
    for (int64_t i = 0; i < ret.count; i++)
        ret.values[i] = machine_value(m, output, i);
    return ret;
}

void check_differences(struct op_case *c)
{
    struct deviation unused = {0};
    struct derived d = derive(c);
    struct machine *m = machine_new(d.graph, d.outputs, d.output_count, DTYPE_FLOAT64, SIMPLIFIED, false);
    bind_all(m, c);
    machine_run(m);
    size_t count = differentiable(c), k = 0;
    for (size_t i = 0; i < c->input_count; i++) {
        if (!c->inputs[i].differentiable)
            continue;
        c->inputs[i].gradient = output_of(m, GRADIENTS + k);
        c->inputs[i].second = output_of(m, GRADIENTS + count + k);
        k++;
    }
    machine_free(m);
    agrees_with_differences(c, &d, &unused);
    graph_free(d.graph);
}
