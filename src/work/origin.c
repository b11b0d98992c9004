#include "work/origin.h"
#include "base/digest.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void origin_clear(struct origin *o)
{
    free(o->start);
    o->start = NULL;
}

/* ---- what it stood on ---- */

static err_code check_dataset(struct store *store, const char *name, const char *digest, struct error *err)
{
    struct store_dataset now = {0};
    struct error ignored = {0};
    err_code code = store_dataset_get(store, name, &now, &ignored);
    bool same = code == ERR_ok && strcmp(now.digest, digest) == 0;
    error_clear(&ignored);
    store_dataset_clear(&now);
    if (code != ERR_ok && code != ERR_not_found)
        return error_set(err, code, NULL);
    return same ? ERR_ok
                : error_set(err, ERR_wrong_state, "the data set '%s' is no longer what the job was trained on", name);
}

err_code origin_check(const struct origin *o, struct store *store, const struct job_spec *spec, struct error *err)
{
    const struct store_job *job = o->job;
    if (!job)
        return ERR_ok;
    if (o->verifies && job->state != JOB_SUCCEEDED)
        return error_set(err, ERR_wrong_state, "the job is %s, and only one that has succeeded can be verified",
                         job_state_name(job->state));
    if (job->model_id == 0)
        return error_set(err, ERR_wrong_state, "the model '%s' was replaced or deleted", job->model);
    err_code code = ERR_ok;
    if (strcmp(spec->dataset, job->dataset) == 0)
        code = check_dataset(store, job->dataset, job->dataset_digest, err);
    if (code == ERR_ok && o->verifies && spec->validation.dataset)
        code = check_dataset(store, spec->validation.dataset, job->validation_digest, err);
    return code;
}

/* ---- where it starts ---- */

static void digest_start_of(struct origin *o)
{
    struct digest d;
    digest_start(&d);
    digest_bytes(&d, o->start, o->start_size);
    digest_end(&d, o->start_digest);
}

static err_code keep_start(struct origin *o, const void *bytes, size_t size, struct error *err)
{
    o->start = malloc(size + 1);
    if (!o->start)
        return error_set(err, ERR_out_of_memory, NULL);
    memcpy(o->start, bytes, size);
    o->start_size = size;
    return ERR_ok;
}

static err_code take_checkpoint(struct origin *o, const struct model *m, const struct store_checkpoint *c,
                                struct error *err)
{
    size_t size = 0;
    const void *parameters = trainer_state_parameters(m, c->state, c->size, &size);
    if (!parameters)
        return error_set(err, ERR_wrong_state, "the checkpoint of step %" PRId64 " was written by another gradd",
                         o->from_step);
    return keep_start(o, parameters, size, err);
}

static err_code load_from_checkpoint(struct origin *o, struct store *store, const struct model *m, struct error *err)
{
    struct store_checkpoint checkpoint = {0};
    struct error why = {0};
    err_code code = store_checkpoint_get(store, o->job->id, o->from_step, &checkpoint, &why);
    if (code == ERR_ok)
        code = take_checkpoint(o, m, &checkpoint, err);
    else if (code == ERR_not_found)
        code = error_add(err, ERR_out_of_range, (struct place){.pointer = "/from_step"}, "%s",
                         why.detail ? why.detail : err_title(code));
    else
        error_set(err, code, NULL);
    error_clear(&why);
    store_checkpoint_clear(&checkpoint);
    return code;
}

/* The job started from a step itself. */
static err_code load_again(struct origin *o, struct store *store, const struct model *m, struct error *err)
{
    size_t size = (size_t)model_parameter_elements(m) * dtype_size(m->dtype);
    o->start = malloc(size + 1);
    if (!o->start)
        return error_set(err, ERR_out_of_memory, NULL);
    o->start_size = size;
    return store_job_start(store, o->job->id, o->start, size, err);
}

err_code origin_load(struct origin *o, struct store *store, const struct model *m, struct error *err)
{
    if (o->from_step == 0)
        return ERR_ok;
    err_code code = o->verifies ? load_again(o, store, m, err) : load_from_checkpoint(o, store, m, err);
    if (code == ERR_ok)
        digest_start_of(o);
    return code;
}
