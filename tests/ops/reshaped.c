#include "reshaped.h"

#include "support/near.h"

#include <stdlib.h>
#include <string.h>

enum { SIZES_MAX = 64, GROWTH_MAX = 4, INPUT_ELEMENTS_MAX = 160 };
static const double MOVED_BY = 0.005;

static double uniform(unsigned short state[3], double low, double high)
{
    return low + (high - low) * erand48(state);
}

/* The size that stands for `size` in this drawing. */
static int64_t replaced(int64_t sizes[SIZES_MAX], int64_t size, unsigned short state[3])
{
    if (size < 2 || size >= SIZES_MAX)
        return size;
    if (sizes[size] == 0)
        sizes[size] = size + nrand48(state) % (GROWTH_MAX + 1);
    return sizes[size];
}

static void allocate(struct array *a, struct shape shape)
{
    a->shape = shape;
    assert_true(shape_elements(shape, &a->count));
    a->values = calloc((size_t)a->count + 1, sizeof *a->values);
    assert_non_null(a->values);
}

static void draw(struct array *ret, const char *name, struct shape shape, unsigned short state[3])
{
    array_name(ret, "", name);
    allocate(ret, shape);
    for (int64_t i = 0; i < ret->count; i++)
        ret->values[i] = uniform(state, -2, 2);
}

static void reshape_input(const struct case_input *input, struct shape shape, unsigned short state[3],
                          struct case_input *ret)
{
    const struct array *from = &input->values;
    ret->differentiable = input->differentiable;
    array_name(&ret->values, "", from->name);
    allocate(&ret->values, shape);
    for (int64_t i = 0; i < ret->values.count; i++) {
        double move = input->differentiable ? uniform(state, -MOVED_BY, MOVED_BY) : 0;
        ret->values.values[i] = from->values[i % from->count] + move;
    }
    if (input->differentiable)
        draw(&ret->direction, from->name, shape, state);
}

bool reshaped_case(const struct op_case *c, uint64_t seed, struct op_case *ret)
{
    unsigned short state[3] = {(unsigned short)seed, (unsigned short)(seed >> 16), 0x5eed};
    int64_t sizes[SIZES_MAX] = {0}, elements = 0;
    struct array inputs[CASE_INPUTS_MAX] = {0};
    bool changed = false;
    for (size_t i = 0; i < c->input_count; i++) {
        int64_t count;
        inputs[i] = c->inputs[i].values;
        for (int axis = 0; axis < inputs[i].shape.rank; axis++)
            inputs[i].shape.dim[axis] = replaced(sizes, inputs[i].shape.dim[axis], state);
        changed = changed || !shape_equal(inputs[i].shape, c->inputs[i].values.shape);
        assert_true(shape_elements(inputs[i].shape, &count));
        elements += count;
    }
    struct shape value;
    if (!changed || elements > INPUT_ELEMENTS_MAX || !program_fits(c->program, inputs, c->input_count, &value))
        return false;

    memset(ret, 0, sizeof *ret);
    memcpy(ret->text, c->text, sizeof ret->text);
    memcpy(ret->program, c->program, sizeof ret->program);
    ret->input_count = c->input_count;
    for (size_t i = 0; i < c->input_count; i++)
        reshape_input(&c->inputs[i], inputs[i].shape, state, &ret->inputs[i]);
    ret->value.shape = value;
    draw(&ret->cotangent, "-", value, state);
    return true;
}
