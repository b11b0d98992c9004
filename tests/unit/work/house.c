#include "house.h"

#include "base/text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROWS = 60 };

const char house_model[] = "float32 7\n"
                           "input X batch 4\n"
                           "input y batch 1\n"
                           "parameter W1 4 3\n"
                           "parameter b1 3\n"
                           "parameter W2 3 1\n"
                           "parameter b2 1\n"
                           "program\n"
                           "l1 = Linear(X, W1, b1)\n"
                           "s1 = Sigmoid(l1)\n"
                           "out = Linear(s1, W2, b2)\n"
                           "cost = MSE(out, y)\n";

static void put_table(struct store *s)
{
    static const char *const kinds[] = {"red", "green", "blue"};
    struct text csv = {0};
    text_puts(&csv, "a,b,c,d,kind,target\n");
    for (int i = 0; i < ROWS; i++) {
        int a = i * 7 % 13, b = i * 5 % 11, c = i * 3 % 7, d = i % 5;
        text_printf(&csv, "%d,%d,%d,%d,%s,%d\n", a, b, c, d, kinds[i % 3], 2 * a - b * c + 3 * d);
    }
    assert_false(csv.failed);
    small_put_csv(s, "table", csv.data);
    text_clear(&csv);
}

static void put_model(struct house *h)
{
    struct error err = {0};
    struct model *m = small_model(house_model);
    struct store_model made = {0};
    enum put_result result;
    assert_ok(catalog_put_model(h->catalog, "lesson", house_model, m, false, NULL, &made, &result, &err), &err);
    store_model_clear(&made);
    model_free(m);
}

static void new_catalog(struct house *h)
{
    struct error err = {0};
    assert_ok(catalog_new(h->small.store, small_decode_model, &h->small.limits, &h->catalog, &err), &err);
}

void house_start(struct house *h, int workers)
{
    struct error err = {0};
    const struct work_config config = {.store = h->small.store,
                                       .catalog = h->catalog,
                                       .decode = house_decode_job,
                                       .workers = workers,
                                       .checkpoint_nanoseconds = 1000000,
                                       .limits = &h->small.limits};
    assert_ok(work_start(&config, &h->work, &err), &err);
}

void house_stop(struct house *h)
{
    work_stop(h->work);
    h->work = NULL;
}

void house_begin(struct house *h, int workers)
{
    *h = (struct house){.work = NULL};
    small_begin(&h->small);
    new_catalog(h);
    put_model(h);
    put_table(h->small.store);
    house_start(h, workers);
}

void house_reopen(struct house *h)
{
    house_stop(h);
    catalog_free(h->catalog);
    small_close(&h->small);
    small_open(&h->small);
    new_catalog(h);
}

void house_end(struct house *h)
{
    house_stop(h);
    catalog_free(h->catalog);
    small_end(&h->small);
}

/* ---- jobs ---- */

static char *copy(const char *text)
{
    char *made = strdup(text);
    assert_non_null(made);
    return made;
}

static struct job_bind bind(const char *input, const char *const *columns, size_t count)
{
    struct job_bind b = {.input = copy(input), .column_count = count, .transform = TRANSFORM_STANDARDIZE};
    b.columns = calloc(count, sizeof(char *));
    assert_non_null(b.columns);
    for (size_t i = 0; i < count; i++)
        b.columns[i] = copy(columns[i]);
    return b;
}

err_code house_decode_job(const char *spec, struct job_spec *ret, struct error *err)
{
    static const char *const columns[] = {"a", "b", "c", "d", "target"};
    char model[32], dataset[32];
    long long epochs, batch, every;
    double rate, fraction;
    /* NOLINTNEXTLINE(cert-err34-c): the tests' own text */
    if (sscanf(spec, "%31s %31s %lld %lld %lf %lf %lld", model, dataset, &epochs, &batch, &rate, &fraction, &every) !=
        7)
        return error_set(err, ERR_invalid_job, "the tests have no such job");
    struct job_spec s = {.model = copy(model), .dataset = copy(dataset), .bind_count = 2, .checkpoint = {.keep = 1}};
    s.train = (struct train_spec){.optimizer = {.name = OPTIMIZER_SGD, .learning_rate = rate},
                                  .epochs = epochs,
                                  .batch_size = batch,
                                  .shuffle = true,
                                  .seed = 3,
                                  .validation_fraction = fraction,
                                  .record_every_steps = every};
    s.binds = calloc(2, sizeof *s.binds);
    assert_non_null(s.binds);
    s.binds[0] = bind("X", columns, 4);
    s.binds[1] = bind("y", columns + 4, 1);
    *ret = s;
    return ERR_ok;
}

void house_submit(struct house *h, const char *spec, char ret[UUID_TEXT_MAX])
{
    struct error err = {0};
    struct job_spec s = {0};
    struct store_job job = {0};
    bool repeated = false;
    assert_ok(house_decode_job(spec, &s, &err), &err);
    assert_ok(work_submit(h->work, &s, spec, NULL, &job, &repeated, &err), &err);
    assert_false(repeated);
    (void)snprintf(ret, UUID_TEXT_MAX, "%s", job.id);
    store_job_clear(&job);
    job_spec_clear(&s);
}

struct store_job house_job(struct house *h, const char *id)
{
    struct error err = {0};
    struct store_job job = {0};
    assert_ok(store_job_get(h->small.store, id, &job, &err), &err);
    return job;
}

static void pause_for(long milliseconds)
{
    nanosleep(&(struct timespec){.tv_nsec = milliseconds * 1000000}, NULL);
}

struct store_job house_wait(struct house *h, const char *id, enum job_state state)
{
    for (int i = 0; i < 6000; i++) {
        struct store_job job = house_job(h, id);
        if (job.state == state)
            return job;
        if (job_state_finished(job.state))
            fail_msg("the job is %s: %s", job_state_name(job.state), job.error_detail ? job.error_detail : "");
        store_job_clear(&job);
        pause_for(10);
    }
    fail_msg("the job never became %s", job_state_name(state));
    return (struct store_job){0};
}

void house_wait_for_step(struct house *h, const char *id, int64_t attempt, int64_t step)
{
    struct job_progress progress = {.step = 0};
    for (int i = 0; i < 60000; i++) {
        if (work_board(h->work, id, attempt, &progress) && progress.step >= step)
            return;
        pause_for(1);
    }
    fail_msg("the job never came to step %lld", (long long)step);
}
