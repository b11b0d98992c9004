/* Threads that share a step change no bit: parameters and points are those of one thread. Networks that are large
 * enough to be cut, of each kind of step that is. */
#include "lesson.h"

#include "base/digest.h"
#include "train/session.h"
#include <stdlib.h>
#include <string.h>

enum { POINTS_MAX_SEEN = 32 };

struct network {
    const char *name, *program;
    struct leaf leaves[6];
    size_t inputs, count;
    size_t rows;
    int64_t batch;
};

static const struct network networks[] = {
    {"hidden",
     "h = Relu(Linear(X, W1, b1)); cost = MSE(Linear(h, W2, b2), y)",
     {{"X", {2, {DIM_BATCH, 160}}},
      {"y", {2, {DIM_BATCH, 10}}},
      {"W1", {2, {160, 130}}},
      {"b1", {1, {130}}},
      {"W2", {2, {130, 10}}},
      {"b2", {1, {10}}}},
     2,
     6,
     300,
     150},
    {"columns",
     "h = Tanh(Linear(X, W1, b1)); cost = MSE(Linear(h, W2, b2), y)",
     {{"X", {2, {DIM_BATCH, 130}}},
      {"y", {2, {DIM_BATCH, 70}}},
      {"W1", {2, {130, 257}}},
      {"b1", {1, {257}}},
      {"W2", {2, {257, 70}}},
      {"b2", {1, {70}}}},
     2,
     6,
     260,
     128},
    {"elementwise",
     "h = Sin(X * a) + Tanh(X + b); cost = ReduceMean(Square(h - y)) + 0.1 * ReduceMean(Abs(a))",
     {{"X", {2, {DIM_BATCH, 700}}}, {"y", {2, {DIM_BATCH, 700}}}, {"a", {1, {700}}}, {"b", {2, {1, 700}}}},
     2,
     4,
     1100,
     800},
    {"narrow",
     "p = Linear(X, w, b); cost = MSE(p, y) + ReduceSum(Square(w)) + ReduceSum(Softmax(X @ V) * 0.01)",
     {{"X", {2, {DIM_BATCH, 300}}},
      {"y", {2, {DIM_BATCH, 1}}},
      {"w", {2, {300, 1}}},
      {"b", {1, {1}}},
      {"V", {2, {300, 65}}}},
     2,
     5,
     1300,
     1100},
    {"derivative",
     "u = Tanh(Linear(X, W1, b1)) @ W2; d = grad(u, X); cost = MSE(u, y) + ReduceMean(Square(d))",
     {{"X", {2, {DIM_BATCH, 40}}},
      {"y", {2, {DIM_BATCH, 1}}},
      {"W1", {2, {40, 96}}},
      {"b1", {1, {96}}},
      {"W2", {2, {96, 1}}}},
     2,
     5,
     700,
     500},
};

struct outcome {
    char digest[DIGEST_TEXT_MAX];
    struct train_point points[POINTS_MAX_SEEN];
    size_t count;
};

static void train(const struct network *n, enum dtype dtype, int threads, struct outcome *ret)
{
    struct model *m = make_model(n->program, dtype, n->leaves, n->inputs, n->count);
    struct tensor **start = make_start(m, 0.1, 2);
    struct rows rows;
    struct error err = {0};
    struct trainer *t = NULL;
    make_rows(m, n->rows, 3, &rows);
    const struct train_spec spec = {.optimizer = optimizer_defaults(OPTIMIZER_ADAM),
                                    .clip_gradient_norm = 1,
                                    .epochs = 2,
                                    .batch_size = n->batch,
                                    .shuffle = true,
                                    .validation_fraction = 0.1,
                                    .record_every_steps = 2,
                                    .threads = threads};
    assert_ok(trainer_new(m, &spec, &rows.data, start, &t, &err), &err);
    while (!trainer_finished(t)) {
        bool has_point = false;
        assert_ok(trainer_advance(t, 10, NULL, &ret->points[ret->count], &has_point, &err), &err);
        ret->count += has_point;
        assert_true(ret->count < POINTS_MAX_SEEN);
    }
    tensors_digest(trainer_parameters(t), m->parameter_count, ret->digest);
    trainer_free(t);
    free_rows(&rows);
    tensors_free(start, m->parameter_count);
    free_model(m);
}

static void threads_change_no_bit(void **state)
{
    (void)state;
    static const int threads[] = {3, 2, 5};
    /* Without hardware's fused multiply-add a product takes a hundred times as long: then the first of these, in
     * float32, are enough. */
    const bool slow = strcmp(engine_isa(), "baseline") == 0;
    const size_t numbers = slow ? 1 : sizeof threads / sizeof *threads;
    const enum dtype last = slow ? DTYPE_FLOAT32 : DTYPE_FLOAT64;
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++)
        for (enum dtype dtype = DTYPE_FLOAT32; dtype <= last; dtype++) {
            struct outcome alone = {.count = 0};
            train(&networks[i], dtype, 1, &alone);
            for (size_t k = 0; k < numbers; k++) {
                struct outcome together = {.count = 0};
                train(&networks[i], dtype, threads[k], &together);
                if (strcmp(alone.digest, together.digest) != 0)
                    fail_msg("%s: %d threads end at other bits", networks[i].name, threads[k]);
                assert_int_equal(alone.count, together.count);
                assert_memory_equal(alone.points, together.points, alone.count * sizeof *alone.points);
            }
        }
}

static void cancel_reaches_a_team(void **state)
{
    (void)state;
    const struct network *n = &networks[0];
    struct model *m = make_model(n->program, DTYPE_FLOAT32, n->leaves, n->inputs, n->count);
    struct tensor **start = make_start(m, 0.1, 2);
    struct rows rows;
    struct error err = {0};
    struct trainer *t = NULL;
    struct train_point point;
    bool has_point;
    const atomic_bool cancel = true;
    make_rows(m, n->rows, 3, &rows);
    const struct train_spec spec = {
        .optimizer = optimizer_defaults(OPTIMIZER_ADAM), .epochs = 2, .batch_size = n->batch, .threads = 3};
    assert_ok(trainer_new(m, &spec, &rows.data, start, &t, &err), &err);
    assert_int_equal(trainer_advance(t, 1, &cancel, &point, &has_point, &err), ERR_cancelled);
    error_clear(&err);
    trainer_free(t);
    free_rows(&rows);
    tensors_free(start, m->parameter_count);
    free_model(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_change_no_bit),
        cmocka_unit_test(cancel_reaches_a_team),
    };
    return cmocka_run_group_tests(tests, select_isa, NULL);
}
