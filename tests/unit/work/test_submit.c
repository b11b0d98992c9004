/* Submitting: every mistake of a job at once, each where it is; bindings; the board. */
#include "base/clock.h"
#include "data/table_record.h"
#include "house.h"
#include "work/bind.h"
#include "work/board.h"
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void bind_columns(struct job_bind *b, enum transform_kind kind, const char *const *columns, size_t count)
{
    for (size_t i = 0; i < b->column_count; i++)
        free(b->columns[i]);
    free(b->columns);
    b->columns = calloc(count, sizeof(char *));
    assert_non_null(b->columns);
    for (size_t i = 0; i < count; i++)
        assert_non_null(b->columns[i] = strdup(columns[i]));
    b->column_count = count;
    b->transform = kind;
}

static void rename_to(char **name, const char *to)
{
    free(*name);
    assert_non_null(*name = strdup(to));
}

static struct job_spec right_spec(void)
{
    struct job_spec spec = {0};
    assert_int_equal(house_decode_job("lesson table 6 16 0.05 0.2 0", &spec, NULL), ERR_ok);
    return spec;
}

/* Submits a spec that is wrong; clears it. */
static void refuse(struct house *h, struct job_spec *spec, const char *items)
{
    struct error err = {0};
    struct store_job job = {0};
    bool repeated = false;
    assert_int_equal(work_submit(h->work, spec, "", NULL, &job, &repeated, &err), ERR_invalid_job);
    assert_items(&err, items);
    job_spec_clear(spec);
}

/* ---- names and bindings ---- */

static void names_that_are_not_there(void **state)
{
    struct house h;
    (void)state;
    house_begin(&h, 0);
    struct job_spec spec = right_spec();
    rename_to(&spec.model, "no");
    rename_to(&spec.dataset, "nothing");
    refuse(&h, &spec,
           "unknown_model /model there is no model 'no'\n"
           "unknown_dataset /dataset there is no data set 'nothing'\n");
    spec = right_spec();
    spec.from_version = 7;
    rename_to(&spec.dataset, "nothing");
    refuse(&h, &spec,
           "unknown_version /from_version there is no version '7'\n"
           "unknown_dataset /dataset there is no data set 'nothing'\n");
    house_end(&h);
}

static void all_mistakes_at_once(void **state)
{
    static const char *const wrong[] = {"a", "bb", "kind", "targe"};
    struct house h;
    (void)state;
    house_begin(&h, 0);
    struct job_spec spec = right_spec();
    bind_columns(&spec.binds[0], TRANSFORM_STANDARDIZE, wrong, 4);
    rename_to(&spec.binds[1].input, "yy/~");
    spec.train.epochs = 0;
    spec.train.batch_size = 0;
    spec.from_version = 3;
    refuse(&h, &spec,
           "unknown_version /from_version there is no version '3'\n"
           "unknown_name /bind/yy~1~0 the model has no input 'yy/~'\n"
           "unknown_column /bind/X/columns/1 the data set has no column 'bb'; did you mean 'b'?\n"
           "wrong_type /bind/X/columns/2 'kind' is a category: it has no mean or range; use one_hot or none\n"
           "unknown_column /bind/X/columns/3 the data set has no column 'targe'; did you mean 'target'?\n"
           "unknown_column /bind the data set has no column 'y': say with `bind` which columns feed the input 'y'\n"
           "out_of_range /epochs epochs is 0; it must be at least 1\n"
           "out_of_range /batch_size batch_size is 0; it must be at least 1\n");
    house_end(&h);
}

static void columns_must_make_the_inputs_shape(void **state)
{
    static const char *const three[] = {"a", "b", "c"}, *const kind[] = {"kind", "d"}, *const number[] = {"a"};
    struct house h;
    (void)state;
    house_begin(&h, 0);
    struct job_spec spec = right_spec();
    bind_columns(&spec.binds[0], TRANSFORM_NONE, three, 3);
    refuse(&h, &spec,
           "shape_mismatch /bind/X the input 'X' is (batch,4), which takes 4 values a row; its columns give "
           "3\n");
    spec = right_spec();
    bind_columns(&spec.binds[1], TRANSFORM_ONE_HOT, number, 1);
    refuse(&h, &spec, "wrong_type /bind/y/columns/0 'a' is a number: one_hot takes a category\n");
    spec = right_spec();
    bind_columns(&spec.binds[1], TRANSFORM_ONE_HOT, kind, 1);
    refuse(&h, &spec,
           "shape_mismatch /bind/y the input 'y' is (batch,1), which takes 1 values a row; its columns give "
           "3\n");
    house_end(&h);
}

static void put_model(struct house *h, const char *name, const char *text)
{
    struct error err = {0};
    struct model *m = small_model(text);
    struct store_model made = {0};
    enum put_result result;
    assert_ok(catalog_put_model(h->catalog, name, text, m, false, NULL, &made, &result, &err), &err);
    store_model_clear(&made);
    model_free(m);
}

static void models_that_cannot_be_trained_on_rows(void **state)
{
    struct house h;
    (void)state;
    house_begin(&h, 0);
    put_model(&h, "costless", "float32 0\ninput X batch 4\nparameter w 4 1\nprogram\nout = X @ w\n");
    struct job_spec spec = right_spec();
    rename_to(&spec.model, "costless");
    spec.train.epochs = -1;
    refuse(&h, &spec,
           "no_cost /model the model 'costless' has no cost, so there is nothing to train\n"
           "unknown_name /bind/y the model has no input 'y'\n"
           "out_of_range /epochs epochs is -1; it must be at least 1\n");
    put_model(&h, "fixed",
              "float32 0\ninput X 4\ninput y batch batch\nparameter w 4\nprogram\n"
              "cost = ReduceMean(X * w) + ReduceMean(y)\n");
    spec = right_spec();
    rename_to(&spec.model, "fixed");
    refuse(&h, &spec,
           "shape_mismatch /bind/X the input 'X' is (4): only an input whose first axis, and no other, is batch can be "
           "fed with rows\n"
           "shape_mismatch /bind/y the input 'y' is (batch,batch): only an input whose first axis, and no other, is "
           "batch can be fed with rows\n");
    house_end(&h);
}

static void a_job_over_the_limit_on_memory(void **state)
{
    struct house h;
    struct error err = {0};
    struct store_job job = {0};
    bool repeated = false;
    (void)state;
    house_begin(&h, 0);
    struct job_spec spec = right_spec();
    h.small.limits.memory_bytes = 1000;
    assert_int_equal(work_submit(h.work, &spec, "", NULL, &job, &repeated, &err), ERR_invalid_job);
    assert_int_equal(err.item_count, 1);
    assert_int_equal(err.items[0].code, ERR_limit_exceeded);
    assert_non_null(strstr(err.items[0].detail, "its data set among them; the limit is 1000"));
    error_clear(&err);
    job_spec_clear(&spec);
    house_end(&h);
}

/* ---- what is stored ---- */

static void a_job_is_stored_with_what_it_stands_on(void **state)
{
    static const char text[] = "lesson table 6 16 0.05 0.2 0";
    const struct store_key key = {.key = "k", .request_digest = "d"};
    struct house h;
    struct store_job job = {0}, again = {0};
    bool repeated = true;
    struct error err = {0};
    (void)state;
    house_begin(&h, 0);
    struct job_spec spec = right_spec();
    spec.priority = 5;
    spec.labels = calloc(1, sizeof *spec.labels);
    assert_non_null(spec.labels);
    spec.label_count = 1;
    spec.labels[0] = (struct job_label){.key = strdup("team"), .value = strdup("a")};
    assert_ok(work_submit(h.work, &spec, text, &key, &job, &repeated, &err), &err);
    assert_false(repeated);
    assert_true(uuid_valid(job.id));
    assert_string_equal(job.spec, text);
    assert_string_equal(job.labels, "team:a\n");
    assert_int_equal(job.state, JOB_QUEUED);
    assert_int_equal(job.from_version, 1);
    assert_int_equal(job.priority, 5);
    assert_int_equal(job.epochs, 6);
    assert_int_equal(job.steps, 18);
    assert_int_equal(strlen(job.model_digest), 64);
    assert_int_equal(strlen(job.dataset_digest), 64);
    assert_int_equal(strlen(job.start_digest), 64);
    assert_true(isnan(job.progress.cost));
    /* The same key gives the job again, even if it could not be submitted any more. */
    h.small.limits.memory_bytes = 1;
    assert_ok(work_submit(h.work, &spec, text, &key, &again, &repeated, &err), &err);
    assert_true(repeated);
    assert_string_equal(again.id, job.id);
    store_job_clear(&job);
    store_job_clear(&again);
    job_spec_clear(&spec);
    house_end(&h);
}

static void a_queue_may_be_full(void **state)
{
    struct house h;
    struct store_job job = {0};
    bool repeated;
    char id[UUID_TEXT_MAX];
    (void)state;
    house_begin(&h, 0);
    h.small.limits.queued_jobs = 1;
    house_submit(&h, "lesson table 6 16 0.05 0.2 0", id);
    struct job_spec spec = right_spec();
    assert_int_equal(work_submit(h.work, &spec, "", NULL, &job, &repeated, NULL), ERR_queue_full);
    job_spec_clear(&spec);
    house_end(&h);
}

/* ---- data ---- */

static void data_are_fitted_to_the_training_rows(void **state)
{
    static const char *const a[] = {"a"}, *const kinds[] = {"kind"};
    const uint32_t training[] = {0, 1, 2, 3};
    struct house h;
    struct held_table table = {0};
    struct bindings bindings = {0};
    struct bound_data data = {0};
    struct error err = {0};
    (void)state;
    house_begin(&h, 0);
    struct model *m = small_model("float64 0\ninput u batch\ninput v batch 3\nparameter w\nprogram\n"
                                  "cost = ReduceMean(u) * w + ReduceMean(v)\n");
    struct job_spec spec = right_spec();
    rename_to(&spec.binds[0].input, "v");
    bind_columns(&spec.binds[0], TRANSFORM_ONE_HOT, kinds, 1);
    rename_to(&spec.binds[1].input, "u");
    bind_columns(&spec.binds[1], TRANSFORM_MINMAX, a, 1);
    assert_ok(catalog_hold_table(h.catalog, "table", &table, &err), &err);
    assert_ok(bindings_make(m, &spec, &table.table->info, &bindings, &err), &err);
    assert_int_equal(bindings.count, 2);
    assert_int_equal(bindings_bytes(m, &bindings, 60), 60 * 4 * 8);
    assert_ok(bind_data(m, &bindings, table.table, NULL, training, 4, &data, &err), &err);
    const double *u = data.values[0], *v = data.values[1];
    for (int i = 0; i < 60; i++) {
        int number = i * 7 % 13; /* 0, 7, 1, 8 in the training rows */
        assert_near(u[i], number / 8.0, 1e-15, 0);
        for (int k = 0; k < 3; k++) /* red, green, blue; in byte order: blue, green, red */
            assert_same(v[3 * i + k], k == 2 - i % 3 ? 1 : 0);
    }
    bound_data_clear(&data);
    bindings_clear(&bindings);
    catalog_release_table(h.catalog, &table);
    job_spec_clear(&spec);
    model_free(m);
    house_end(&h);
}

/* ---- the board ---- */

static void the_board_knows_attempts(void **state)
{
    struct board *b = NULL;
    struct job_progress progress = {.step = 5}, read = {.step = 0};
    (void)state;
    assert_int_equal(board_new(2, &b, NULL), ERR_ok);
    const atomic_bool *first = board_enter(b, 0, "job", 1);
    assert_false(board_read(b, "job", 1, &read)); /* nothing is published yet */
    board_publish(b, 0, &progress);
    assert_true(board_read(b, "job", 1, &read));
    assert_int_equal(read.step, 5);
    assert_false(board_read(b, "job", 2, &read));
    assert_false(board_read(b, "another", 1, &read));
    const atomic_bool *second = board_enter(b, 1, "job", 2);
    board_stop(b, "job", 1); /* a pause that is told late: the job was taken up again meanwhile */
    assert_true(atomic_load(first));
    assert_false(atomic_load(second));
    board_leave(b, 0);
    assert_false(board_read(b, "job", 1, &read));
    first = board_enter(b, 0, "next", 1);
    assert_false(atomic_load(first));
    assert_false(board_read(b, "next", 1, &read));
    board_stop_all(b);
    assert_true(atomic_load(first) && atomic_load(second));
    board_free(b);
    board_free(NULL);
}

static void *leave_late(void *board)
{
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    board_leave(board, 0);
    return NULL;
}

static void the_board_tells_when_a_job_is_let_go(void **state)
{
    struct board *b = NULL;
    pthread_t thread;
    (void)state;
    assert_int_equal(board_new(2, &b, NULL), ERR_ok);
    (void)board_enter(b, 0, "job", 1);
    int64_t begun = clock_monotonic();
    board_await(b, "another", 10000);
    assert_true(clock_monotonic() - begun < 40000000);
    board_await(b, "job", 20); /* nobody lets go */
    int64_t waited = clock_monotonic() - begun;
    assert_true(waited >= 20000000 && waited < 5000000000);
    assert_int_equal(pthread_create(&thread, NULL, leave_late, b), 0);
    begun = clock_monotonic();
    board_await(b, "job", 10000);
    waited = clock_monotonic() - begun;
    assert_true(waited >= 40000000 && waited < 5000000000);
    pthread_join(thread, NULL);
    board_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_that_are_not_there),
        cmocka_unit_test(all_mistakes_at_once),
        cmocka_unit_test(columns_must_make_the_inputs_shape),
        cmocka_unit_test(models_that_cannot_be_trained_on_rows),
        cmocka_unit_test(a_job_over_the_limit_on_memory),
        cmocka_unit_test(a_job_is_stored_with_what_it_stands_on),
        cmocka_unit_test(a_queue_may_be_full),
        cmocka_unit_test(data_are_fitted_to_the_training_rows),
        cmocka_unit_test(the_board_knows_attempts),
        cmocka_unit_test(the_board_tells_when_a_job_is_let_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
