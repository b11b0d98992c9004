/* What training asks of the system: a step, once planned, allocates nothing, takes no lock and makes no system call;
 * and the bytes that are promised are those that the allocator is asked for. */
#include "lesson.h"

#include "engine/run.h"
#include "support/counted.h"
#include "train/plans.h"
#include "train/step.h"
#include <linux/seccomp.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* A trainer and all that it borrows. */
struct course {
    struct model *model;
    struct tensor **start;
    struct rows rows;
    struct trainer *trainer;
};

/* Batches of 7 of 75 rows, so that there is a rest; a quarter validates. */
static struct course course_new(enum optimizer_name optimizer)
{
    const struct train_spec spec = {.optimizer = optimizer_defaults(optimizer),
                                    .epochs = 100,
                                    .batch_size = 7,
                                    .shuffle = true,
                                    .validation_fraction = 0.25};
    struct error err = {0};
    struct course c = {.model = make_lesson(DTYPE_FLOAT32, 13, 10)};
    c.start = make_start(c.model, 0.1, 1);
    make_rows(c.model, 100, 2, &c.rows);
    assert_ok(trainer_new(c.model, &spec, &c.rows.data, c.start, &c.trainer, &err), &err);
    return c;
}

static void course_free(struct course *c)
{
    trainer_free(c->trainer);
    free_rows(&c->rows);
    tensors_free(c->start, c->model->parameter_count);
    free_model(c->model);
}

/* Eleven steps are an epoch. */
static bool take_steps(struct course *c, int64_t steps)
{
    struct error err = {0};
    const int64_t end = trainer_step(c->trainer) + steps;
    while (trainer_step(c->trainer) < end) {
        struct train_point point;
        bool has_point;
        if (trainer_advance(c->trainer, end - trainer_step(c->trainer), NULL, &point, &has_point, &err) != ERR_ok)
            return false;
    }
    return true;
}

static const enum optimizer_name optimizers[] = {OPTIMIZER_SGD, OPTIMIZER_ADAM};

static void a_step_allocates_nothing_and_takes_no_lock(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof optimizers / sizeof *optimizers; i++) {
        struct course c = course_new(optimizers[i]);
        assert_true(take_steps(&c, 1));
        const struct counted before = counted;
        assert_true(take_steps(&c, 100));
        assert_int_equal(counted.calls, before.calls);
        assert_int_equal(counted.locks, before.locks);
        assert_true(before.calls > 0);
        course_free(&c);
    }
}

/* Runs steps in a process that may only read, write and exit, and says whether it came to its end. */
static bool survives(struct course *c, int64_t steps, bool asks)
{
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0)
            _exit(2);
        const bool ok = take_steps(c, steps);
        if (asks)
            (void)getppid();
        syscall(SYS_exit, ok ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 2) {
        print_message("seccomp is not to be had here\n");
        skip();
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void a_step_makes_no_system_call(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof optimizers / sizeof *optimizers; i++) {
        struct course c = course_new(optimizers[i]);
        assert_true(take_steps(&c, 1));
        assert_true(survives(&c, 100, false));
        assert_false(survives(&c, 1, true));
        course_free(&c);
    }
}

/* ---- bytes ---- */

static void a_run_allocates_the_arena_that_its_plan_says(void **state)
{
    (void)state;
    struct error err = {0};
    for (int64_t batch = 1; batch < 40; batch += 9)
        for (enum dtype dtype = DTYPE_FLOAT32; dtype <= DTYPE_FLOAT64; dtype++) {
            const struct train_spec spec = {.optimizer = optimizer_defaults(OPTIMIZER_ADAM)};
            struct model *m = make_lesson(dtype, 13, 10);
            struct plan *plan = NULL;
            struct run *run = NULL;
            assert_ok(step_plan(m, &spec, batch, false, &plan, &err), &err);
            const size_t before = counted.live_aligned;
            assert_ok(run_new(plan, &run, &err), &err);
            assert_int_equal(counted.live_aligned - before, plan_arena_bytes(plan));
            assert_true(plan_arena_bytes(plan) > 0);
            run_free(run);
            assert_int_equal(counted.live_aligned, before);
            plan_free(plan);
            free_model(m);
        }
}

/* Bytes that a trainer holds beside its plans, and what train_measure says of it. Tensors are whole lines of a cache
 * here, as the allocator's are always. */
static void weigh(int64_t width, int64_t rows, int64_t batch, unsigned metrics, size_t *ret_held, size_t *ret_promised)
{
    struct error err = {0};
    const struct leaf leaves[] = {
        {"X", {2, {DIM_BATCH, width}}}, {"y", {2, {DIM_BATCH, 16}}}, {"W", {2, {width, 16}}}, {"b", {1, {16}}}};
    struct model *m = make_model("out = Tanh(Linear(X, W, b))\ncost = MSE(out, y)", DTYPE_FLOAT32, leaves, 2, 4);
    m->output = graph_find(m->graph, "out");
    struct tensor **start = make_start(m, 0.1, 1);
    struct rows data;
    make_rows(m, (size_t)rows, 2, &data);
    const struct train_spec spec = {.optimizer = optimizer_defaults(OPTIMIZER_ADAM),
                                    .epochs = 1,
                                    .batch_size = batch,
                                    .shuffle = true,
                                    .validation_fraction = metrics ? 0 : 0.1,
                                    .metrics = metrics};
    struct train_size size;
    struct layout layout;
    struct plan *plans[PHASE_COUNT] = {0};
    struct trainer *t = NULL;
    assert_ok(train_measure(m, &spec, (size_t)rows, &size, &err), &err);
    assert_ok(layout_make(&spec, (size_t)rows, &layout, &err), &err);
    size_t before = counted.live;
    assert_ok(train_plans_make(m, &spec, &layout, plans, &err), &err);
    const size_t of_plans = counted.live - before;
    train_plans_free(plans);
    before = counted.live;
    assert_ok(trainer_new(m, &spec, &data.data, start, &t, &err), &err);
    *ret_held = counted.live - before - of_plans;
    *ret_promised = size.memory_bytes;
    trainer_free(t);
    assert_int_equal(counted.live, before);
    free_rows(&data);
    tensors_free(start, m->parameter_count);
    free_model(m);
}

/* Beside what is promised a trainer holds only what has the same size in every job of the model: two jobs differ by
 * exactly as much as they promise to. */
static void a_trainer_holds_what_was_promised(void **state)
{
    static const int64_t jobs[][3] = {{16, 100, 10}, {16, 1000, 10}, {160, 100, 10}, {16, 200, 20}, {1024, 2000, 100}};
    size_t held, promised, first_held, first_promised;
    (void)state;
    weigh(16, 300, 30, 0, &first_held, &first_promised);
    assert_in_range(first_held, first_promised, first_promised + 4096);
    for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++) {
        weigh(jobs[i][0], jobs[i][1], jobs[i][2], 0, &held, &promised);
        assert_int_equal(held - promised, first_held - first_promised);
    }
    weigh(16, 300, 30, 1U << SCORE_MAE, &first_held, &first_promised);
    weigh(16, 300, 30, 1U << SCORE_R2, &held, &promised);
    assert_int_equal(held - promised, first_held - first_promised);
    assert_int_equal(promised - first_promised, 32 * sizeof(double));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_allocates_nothing_and_takes_no_lock),
        cmocka_unit_test(a_step_makes_no_system_call),
        cmocka_unit_test(a_run_allocates_the_arena_that_its_plan_says),
        cmocka_unit_test(a_trainer_holds_what_was_promised),
    };
    return cmocka_run_group_tests_name("frugal", tests, select_isa, NULL);
}
