/* Forks from JSON: the text of a job with changes, read as a job. */
#include "api/codec_job.h"
#include <string.h>

/* Puts the changes into the job that they are to. */
static bool merge(json_t *job, const json_t *changes)
{
    const char *key;
    json_t *value;
    bool done = true;
    json_object_foreach((json_t *)changes, key, value)
    {
        if (strcmp(key, "from_step") == 0)
            continue;
        if (json_is_null(value))
            (void)json_object_del(job, key);
        else
            done = json_object_set(job, key, value) == 0 && done;
    }
    return done;
}

/* What is a fork's own, and can't be left to the job's reader. */
static void take_origin(const json_t *changes, int64_t *ret_from_step, struct error *err)
{
    const struct where root = {0}, step_at = {.up = &root, .key = "from_step"},
                       model_at = {.up = &root, .key = "model"};
    const json_t *step = json_object_get(changes, "from_step");
    if (!json_is_object(changes))
        mistake(err, ERR_wrong_type, &root, "the changes are an object, not %s", json_kind(changes));
    if (json_object_get(changes, "model"))
        mistake(err, ERR_unknown_field, &model_at, "a fork is of the same model");
    if (step && !json_is_null(step))
        (void)read_whole(step, 1, WHOLE_MAX, &step_at, ret_from_step, err);
    if (*ret_from_step > 0 && json_is_number(json_object_get(changes, "from_version")))
        mistake(err, ERR_invalid_value, &step_at, "a fork starts from a version or from a step, not from both");
}

static err_code read_fork(json_t *job, const json_t *changes, int64_t priority, struct job_spec *ret,
                          int64_t *ret_from_step, struct error *err)
{
    const struct where root = {0};
    struct error found = {0};
    struct job_spec spec = {0};
    struct job_reading r = {.body = job, .root = &root, .spec = &spec, .err = &found};
    take_origin(changes, ret_from_step, &found);
    if (json_object_set_new(job, "priority", json_real((double)priority)) != 0 || !merge(job, changes))
        error_set(&found, ERR_out_of_memory, NULL);
    else if (json_is_object(changes))
        job_take(&r);
    return job_settle(&found, &spec, ret, err);
}

err_code decode_job_fork(const char *bytes, size_t size, const char *base, int64_t priority,
                         const struct limits *limits, struct job_spec *ret, char **ret_canonical,
                         int64_t *ret_from_step, struct error *err)
{
    json_t *changes = NULL, *job = NULL;
    struct job_spec spec = {0};
    int64_t from_step = 0;
    err_code code = json_read(bytes, size, limits->json_nesting, &changes, err);
    if (code == ERR_ok)
        code = json_read(base, strlen(base), CANONICAL_NESTING, &job, err);
    if (code == ERR_ok)
        code = read_fork(job, changes, priority, &spec, &from_step, err);
    json_decref(changes);
    json_decref(job);
    if (code == ERR_ok)
        code = job_with_canonical(&spec, ret, ret_canonical, err);
    if (code == ERR_ok)
        *ret_from_step = from_step;
    return code;
}
