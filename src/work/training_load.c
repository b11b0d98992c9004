/* What training needs, from the job's row: model, parameters, data, and where an earlier attempt came to. */
#include "base/log.h"
#include "work/split.h"
#include "work/training.h"
#include <inttypes.h>
#include <stdlib.h>

enum { LOAD_TRIES = 25 }; /* when the store fails */

void training_clear(struct training *t)
{
    struct catalog *catalog = t->worker->config->catalog;
    trainer_free(t->trainer);
    bound_data_clear(&t->bound);
    if (t->own_start)
        tensors_free(t->own_start, t->model.model->parameter_count);
    t->own_start = NULL;
    catalog_release_version(catalog, &t->start);
    catalog_release_model(catalog, &t->model);
    job_spec_clear(&t->spec);
    free(t->points);
    t->trainer = NULL;
    t->points = NULL;
}

static err_code bind_tables(struct training *t, const struct table *table, const struct table *second,
                            struct row_split *split, struct error *err)
{
    struct bindings bindings = {0};
    uint32_t *order = NULL;
    err_code code = bindings_make(t->model.model, &t->spec, &table->info, &bindings, err);
    if (code == ERR_ok)
        code = split_make(&t->spec.validation, &table->info, table, second ? second->info.rows : 0, split, err);
    t->spec.train.validation_rows = split->validation;
    if (code == ERR_ok)
        code = train_split(&t->spec.train, (size_t)split->rows, split->marks, &order, &t->training_rows, err);
    if (code == ERR_ok)
        code = bind_data(t->model.model, &bindings, table, second, order, t->training_rows, &t->bound, err);
    t->bound.data.marks = split->marks;
    free(order);
    bindings_clear(&bindings);
    return code;
}

/* The tables are held only until their values are bound, the marks of the rows until the trainer is made. */
static err_code load_data(struct training *t, struct row_split *split, struct error *err)
{
    struct catalog *catalog = t->worker->config->catalog;
    struct held_table table = {0}, second = {0};
    err_code code = catalog_hold_table_id(catalog, t->job->dataset_id, &table, err);
    if (code == ERR_ok && t->job->validation_id != 0)
        code = catalog_hold_table_id(catalog, t->job->validation_id, &second, err);
    if (code == ERR_ok)
        code = bind_tables(t, table.table, second.table, split, err);
    catalog_release_table(catalog, &table);
    catalog_release_table(catalog, &second);
    return code;
}

/* Of a job that starts at a step of another one. */
static err_code load_own_start(struct training *t, struct error *err)
{
    const struct model *m = t->model.model;
    size_t size = (size_t)model_parameter_elements(m) * dtype_size(m->dtype);
    void *bytes = malloc(size + 1);
    if (!bytes)
        return error_set(err, ERR_out_of_memory, NULL);
    err_code code = store_job_start(t->worker->config->store, t->job->id, bytes, size, err);
    if (code == ERR_ok)
        code = catalog_unpack_parameters(m, bytes, size, &t->own_start, err);
    free(bytes);
    return code;
}

static err_code make_trainer(struct training *t, struct error *err)
{
    struct row_split split = {0};
    err_code code = load_data(t, &split, err);
    if (code == ERR_ok && t->job->from_step > 0)
        code = load_own_start(t, err);
    if (code == ERR_ok)
        code = trainer_new(t->model.model, &t->spec.train, &t->bound.data,
                           t->own_start ? t->own_start : t->start.parameters, &t->trainer, err);
    split_clear(&split);
    t->bound.data.marks = NULL;
    return code;
}

/* Goes on from the newest checkpoint. One that does not fit, because another version of gradd made it, is left: from
 * the start, training comes to the same bits. */
static err_code resume(struct training *t, struct error *err)
{
    struct store_checkpoint checkpoint = {0};
    bool found = false;
    err_code code = store_checkpoint_newest(t->worker->config->store, t->job->id, &checkpoint, &found, err);
    if (code != ERR_ok || !found)
        return code;
    struct error misfit = {0};
    if (trainer_restore(t->trainer, checkpoint.state, checkpoint.size, &misfit) == ERR_ok) {
        t->progress = checkpoint.progress;
        log_write(LOG_INFO, "job %s goes on from step %" PRId64, t->job->id, checkpoint.progress.step);
    } else {
        log_write(LOG_WARNING, "job %s begins again: %s", t->job->id, misfit.detail ? misfit.detail : "no reason");
    }
    error_clear(&misfit);
    store_checkpoint_clear(&checkpoint);
    return ERR_ok;
}

/* Everything that training needs, from the job's row. */
static err_code load(struct training *t, struct error *err)
{
    struct catalog *catalog = t->worker->config->catalog;
    t->points = calloc(PENDING_MAX, sizeof *t->points);
    if (!t->points)
        return error_set(err, ERR_out_of_memory, NULL);
    err_code code = t->worker->config->decode(t->job->spec, &t->spec, err);
    if (code == ERR_ok)
        code = catalog_hold_model_id(catalog, t->job->model_id, &t->model, err);
    if (code == ERR_ok)
        code = catalog_hold_version(catalog, &t->model, t->job->from_version, &t->start, err);
    if (code == ERR_ok)
        code = make_trainer(t, err);
    if (code == ERR_ok)
        code = resume(t, err);
    return code;
}

err_code training_load(struct training *t, struct error *err)
{
    err_code code = load(t, err);
    for (int tries = 1; tries < LOAD_TRIES && (code == ERR_database_failed || code == ERR_database_locked); tries++) {
        training_refused(t, "what it needs", code, err);
        if (!training_wait(t->stop))
            return ERR_cancelled;
        training_clear(t);
        code = load(t, err);
    }
    return code;
}
