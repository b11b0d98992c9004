/* The same bits: five steps of SGD against a scalar reference, for many sizes; digests over runs; and a digest that is
 * known. */
#include "lesson.h"

#define FUNCTIONS_VECTOR_BYTES 8
#include "base/functions_vector.h"
#include "base/rng.h"
#include <stdlib.h>
#include <string.h>

struct sizes {
    size_t in, hidden, rows, batch, steps;
    double rate;
    uint64_t seed;
};

#define REAL double
#define FMA __builtin_fma
#define SIGMOID(x) fn_sigmoid(x)
#define NAME(x) x##_64
#include "reference.h"
#undef REAL
#undef FMA
#undef SIGMOID
#undef NAME

#define REAL float
#define FMA __builtin_fmaf
#define SIGMOID(x) (v_sigmoid_f32(v_splat_f32(x))[0])
#define NAME(x) x##_32
#include "reference.h"

/* Trains by the trainer and by the reference, and compares parameters and the last cost. */
static void compare(const struct sizes *z, enum dtype dtype)
{
    struct error err = {0};
    struct model *m = make_lesson(dtype, (int64_t)z->in, (int64_t)z->hidden);
    struct tensor **start = make_start(m, 0.5, z->seed);
    struct rows rows;
    make_rows(m, z->rows, z->seed + 1, &rows);
    const struct train_spec spec = {.optimizer = {.name = OPTIMIZER_SGD, .learning_rate = z->rate},
                                    .epochs = 100,
                                    .batch_size = (int64_t)z->batch,
                                    .shuffle = true,
                                    .seed = z->seed,
                                    .record_every_steps = 1};
    struct trainer *t = NULL;
    struct train_point point = {0};
    bool has_point;
    assert_ok(trainer_new(m, &spec, &rows.data, start, &t, &err), &err);
    for (size_t i = 0; i < z->steps; i++) {
        assert_ok(trainer_advance(t, 1, NULL, &point, &has_point, &err), &err);
        assert_true(has_point);
    }
    double cost = dtype == DTYPE_FLOAT32 ? train_32(z, start, rows.inputs[0], rows.inputs[1])
                                         : train_64(z, start, rows.inputs[0], rows.inputs[1]);
    /* A point's cost is a mean of batches: the cost times the rows, divided by them again. */
    const double batch = (double)z->batch;
    bool same = point.cost == cost * batch / batch;
    for (size_t p = 0; p < m->parameter_count; p++)
        same = same && memcmp(trainer_parameters(t)[p]->data, start[p]->data, tensor_bytes(start[p])) == 0;
    if (!same)
        print_error("%s, %zu-%zu-1, batch %zu of %zu rows: not the reference's bits; cost %a, not %a\n",
                    dtype_name(dtype), z->in, z->hidden, z->batch, z->rows, point.cost, cost);
    assert_true(same);
    trainer_free(t);
    free_rows(&rows);
    tensors_free(start, m->parameter_count);
    free_model(m);
}

/* Five steps are two epochs and a step: the partial batch comes twice, a whole one last. */
static void compare_both(size_t in, size_t hidden, size_t batch)
{
    const struct sizes z = {.in = in,
                            .hidden = hidden,
                            .rows = batch == 1 ? 2 : 2 * batch - 1 - batch / 3,
                            .batch = batch,
                            .steps = 5,
                            .rate = 0.3,
                            .seed = 100 * in + hidden};
    compare(&z, DTYPE_FLOAT32);
    compare(&z, DTYPE_FLOAT64);
}

static void batches_of_1_to_33(void **state)
{
    (void)state;
    for (size_t batch = 1; batch <= 33; batch++)
        compare_both(13, 10, batch);
}

static void widths_of_1_to_130(void **state)
{
    static const size_t widths[] = {1,  2,  3,  4,  5,  7,  8,  9,  12,  15,  16,  17,  23, 31,
                                    32, 33, 47, 63, 64, 65, 80, 96, 111, 127, 128, 129, 130};
    const size_t count = sizeof widths / sizeof *widths;
    (void)state;
    for (size_t i = 0; i < count; i++) {
        compare_both(widths[i], widths[(i * 7 + 3) % count], 1 + i % 33);
        compare_both(widths[(i * 11 + 5) % count], widths[i], 32);
    }
}

static void train_digest(enum dtype dtype, const struct optimizer *optimizer, char ret[65])
{
    struct model *m = make_lesson(dtype, 13, 10);
    struct tensor **start = make_start(m, 0.5, 5);
    struct rows rows;
    make_rows(m, 100, 6, &rows);
    const struct train_spec spec = {.optimizer = *optimizer,
                                    .epochs = 20,
                                    .batch_size = 32,
                                    .shuffle = true,
                                    .seed = 7,
                                    .validation_fraction = 0.2};
    struct trainer *t = train_to_end(m, &spec, &rows.data, start);
    tensors_digest(trainer_parameters(t), m->parameter_count, ret);
    trainer_free(t);
    free_rows(&rows);
    tensors_free(start, m->parameter_count);
    free_model(m);
}

/* Known since the first run: the same on every machine, instruction set and compiler. */
static const struct {
    enum dtype dtype;
    enum optimizer_name optimizer;
    const char *digest;
} known[] = {
    {DTYPE_FLOAT32, OPTIMIZER_SGD, "90b40821e7ee359685948c27a671f029264f67208536632104508e18227f7ba2"},
    {DTYPE_FLOAT64, OPTIMIZER_SGD, "3965a1e5f88e07173b068ce88eb8b69e471caed0aafc6cb4721e5fe9e95d4ee5"},
    {DTYPE_FLOAT32, OPTIMIZER_ADAM, "4920b76cf7c46052d070f7c78bb02a1f3c8f1515689ce096ceb30121375248fa"},
    {DTYPE_FLOAT64, OPTIMIZER_ADAMW, "7fb18da4b2868ac662fafb5649f3b508e1b01a04b7dd2dcfe6fc9cdb87619d73"},
};

static void digests_are_the_known_ones(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct optimizer optimizer = optimizer_defaults(known[i].optimizer);
        char first[65], second[65];
        if (optimizer.learning_rate == 0)
            optimizer.learning_rate = 0.1;
        train_digest(known[i].dtype, &optimizer, first);
        train_digest(known[i].dtype, &optimizer, second);
        assert_string_equal(first, second);
        assert_string_equal(first, known[i].digest);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_of_1_to_33),
        cmocka_unit_test(widths_of_1_to_130),
        cmocka_unit_test(digests_are_the_known_ones),
    };
    return cmocka_run_group_tests(tests, select_isa, NULL);
}
