/* What is updated, and by how much: frozen parameters stay, long gradients are clipped. */
#include "lesson.h"

#include <string.h>

static void frozen_parameters_stay(void **state)
{
    (void)state;
    struct model *m = make_lesson(DTYPE_FLOAT32, 3, 4);
    struct tensor **start = make_start(m, 0.5, 3);
    char *freeze[] = {"W1", "b2"};
    const struct train_spec spec = {.optimizer = optimizer_defaults(OPTIMIZER_ADAM),
                                    .freeze = freeze,
                                    .freeze_count = 2,
                                    .epochs = 4,
                                    .batch_size = 5};
    struct rows rows;
    make_rows(m, 23, 5, &rows);
    struct trainer *t = train_to_end(m, &spec, &rows.data, start);
    for (size_t p = 0; p < m->parameter_count; p++) {
        const struct tensor *was = start[p], *is = trainer_parameters(t)[p];
        const bool same = memcmp(was->data, is->data, tensor_bytes(was)) == 0;
        assert_int_equal(same, p == 0 || p == 3);
    }
    trainer_free(t);
    free_rows(&rows);
    tensors_free(start, m->parameter_count);
    free_model(m);
}

/* cost = 3 v + 4 w: the gradient is (3, 4), of norm 5. */
static void gradients_are_clipped(void **state)
{
    (void)state;
    const struct leaf leaves[] = {{"t", {2, {DIM_BATCH, 1}}}, {"v", {0, {0}}}, {"w", {0, {0}}}};
    struct model *m = make_model("cost = ReduceMean(0 * t) + 3 * v + 4 * w", DTYPE_FLOAT64, leaves, 1, 3);
    struct tensor **start = make_start(m, 0, 0);
    struct rows rows;
    make_rows(m, 4, 1, &rows);
    for (int clipped = 0; clipped < 2; clipped++) {
        const struct train_spec spec = {.optimizer = {.name = OPTIMIZER_SGD, .learning_rate = 1},
                                        .clip_gradient_norm = clipped ? 1 : 6,
                                        .epochs = 1,
                                        .batch_size = 4};
        struct train_point point;
        struct trainer *t = NULL;
        struct error err = {0};
        bool has_point = false;
        assert_ok(trainer_new(m, &spec, &rows.data, start, &t, &err), &err);
        assert_ok(trainer_advance(t, 1, NULL, &point, &has_point, &err), &err);
        assert_true(has_point);
        assert_near(point.gradient_norm, 5, 0, 0);
        const double factor = clipped ? 1 / (5 + 1e-6) : 1;
        assert_near(tensor_get(trainer_parameters(t)[0], 0), -3 * factor, 1e-15, 0);
        assert_near(tensor_get(trainer_parameters(t)[1], 0), -4 * factor, 1e-15, 0);
        trainer_free(t);
    }
    free_rows(&rows);
    tensors_free(start, m->parameter_count);
    free_model(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frozen_parameters_stay),
        cmocka_unit_test(gradients_are_clipped),
    };
    return cmocka_run_group_tests(tests, select_isa, NULL);
}
