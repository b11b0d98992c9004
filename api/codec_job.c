/* Jobs from JSON. A request and the canonical text are read by the same code: the text is a request in which everything
 * is written out. */
#include "api/codec_job.h"
#include <float.h>
#include <stdlib.h>
#include <string.h>

enum {
    BATCH_DEFAULT = 32,
    LABELS_MAX = 64,
    LABEL_KEY_MAX = 64,    /* bytes */
    LABEL_VALUE_MAX = 256, /* bytes */
    PRIORITY_MAX = 100,
    FREEZE_MAX = 10000,
    CHECKPOINTS_MAX = 1000, /* that are kept */
};

char *job_keep(struct job_reading *r, const char *text)
{
    char *copy = strdup(text);
    if (!copy)
        error_set(r->err, ERR_out_of_memory, NULL);
    return copy;
}

const json_t *job_field(const struct job_reading *r, const char *name, struct where *ret_at)
{
    *ret_at = (struct where){.up = r->root, .key = name};
    return json_object_get(r->body, name);
}

static void take_name(struct job_reading *r, const char *name, char **ret)
{
    struct where at;
    const json_t *value = job_field(r, name, &at);
    const char *text;
    if (!value)
        (void)required_field(r->body, name, r->root, r->err);
    else if (read_name(value, &at, &text, r->err))
        *ret = job_keep(r, text);
}

static void take_whole(struct job_reading *r, const char *name, int64_t least, int64_t most, int64_t *ret)
{
    struct where at;
    const json_t *value = job_field(r, name, &at);
    if (value)
        (void)read_whole(value, least, most, &at, ret, r->err);
}

static void take_bool(struct job_reading *r, const char *name, bool *ret)
{
    struct where at;
    const json_t *value = job_field(r, name, &at);
    if (value)
        (void)read_bool(value, &at, ret, r->err);
}

/* ---- how it is trained ---- */

static void take_clip(struct job_reading *r)
{
    struct where at;
    const json_t *value = job_field(r, "clip_gradient_norm", &at);
    const struct number_range range = {"clip_gradient_norm", 0, DBL_MAX, true, false};
    if (value)
        job_number(r, &range, value, &at, &r->spec->train.clip_gradient_norm);
}

static void take_freeze(struct job_reading *r)
{
    struct where at;
    const json_t *value = job_field(r, "freeze", &at);
    const size_t count = json_array_size(value);
    if (!value)
        return;
    if (!json_is_array(value) || count > FREEZE_MAX) {
        mistake(r->err, ERR_wrong_type, &at, "freeze is an array of at most %d names of parameters", FREEZE_MAX);
        return;
    }
    r->spec->freeze = calloc(count + 1, sizeof *r->spec->freeze);
    if (!r->spec->freeze) {
        error_set(r->err, ERR_out_of_memory, NULL);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const struct where name_at = {.up = &at, .index = i};
        const char *name;
        if (!read_string(json_array_get(value, i), &name_at, &name, r->err))
            continue;
        r->spec->freeze[r->spec->freeze_count] = job_keep(r, name);
        r->spec->freeze_count += r->spec->freeze[r->spec->freeze_count] != NULL;
    }
    r->spec->train.freeze = r->spec->freeze;
    r->spec->train.freeze_count = r->spec->freeze_count;
}

static void take_early_stopping(struct job_reading *r)
{
    static const char *const known[] = {"patience", "min_delta", "restore_best", NULL};
    static const struct number_range delta_range = {"min_delta", 0, DBL_MAX, false, false};
    struct early_stopping *rule = &r->spec->train.early_stopping;
    struct where at, patience_at = {.up = &at, .key = "patience"}, delta_at = {.up = &at, .key = "min_delta"},
                     restore_at = {.up = &at, .key = "restore_best"};
    const json_t *value = job_field(r, "early_stopping", &at);
    if (!value)
        return;
    (void)read_object(value, known, &at, r->err);
    if (!json_is_object(value))
        return;
    const json_t *patience = required_field(value, "patience", &at, r->err);
    const json_t *delta = json_object_get(value, "min_delta"), *restore = json_object_get(value, "restore_best");
    rule->restore_best = true;
    if (patience)
        (void)read_whole(patience, 1, WHOLE_MAX, &patience_at, &rule->patience, r->err);
    if (delta)
        job_number(r, &delta_range, delta, &delta_at, &rule->min_delta);
    if (restore)
        (void)read_bool(restore, &restore_at, &rule->restore_best, r->err);
}

static void take_record(struct job_reading *r)
{
    static const char *const known[] = {"every_steps", NULL};
    struct where at, steps_at = {.up = &at, .key = "every_steps"};
    const json_t *value = job_field(r, "record", &at);
    if (!value)
        return;
    (void)read_object(value, known, &at, r->err);
    const json_t *given = json_is_object(value) ? required_field(value, "every_steps", &at, r->err) : NULL;
    if (given)
        (void)read_whole(given, 1, WHOLE_MAX, &steps_at, &r->spec->train.record_every_steps, r->err);
}

static void take_checkpoint(struct job_reading *r)
{
    static const char *const known[] = {"every_epochs", "every_steps", "keep", NULL};
    struct job_checkpoint *to = &r->spec->checkpoint;
    struct where at;
    const json_t *value = job_field(r, "checkpoint", &at);
    const struct {
        const char *name;
        int64_t most, *to;
    } fields[] = {
        {"every_epochs", WHOLE_MAX, &to->every_epochs},
        {"every_steps", WHOLE_MAX, &to->every_steps},
        {"keep", CHECKPOINTS_MAX, &to->keep},
    };
    to->keep = 1;
    if (!value)
        return;
    (void)read_object(value, known, &at, r->err);
    for (size_t i = 0; json_is_object(value) && i < sizeof fields / sizeof *fields; i++) {
        const struct where field_at = {.up = &at, .key = fields[i].name};
        const json_t *given = json_object_get(value, fields[i].name);
        if (given)
            (void)read_whole(given, 1, fields[i].most, &field_at, fields[i].to, r->err);
    }
}

static void take_metric(struct job_reading *r, const json_t *value, const struct where *at)
{
    const char *name;
    enum score score;
    if (!read_string(value, at, &name, r->err))
        return;
    if (!score_find(name, &score))
        mistake(r->err, ERR_invalid_value, at, "no metric '%.64s'; there are accuracy, mae, r2", name);
    else
        r->spec->train.metrics |= 1U << score;
}

static void take_metrics(struct job_reading *r)
{
    struct where at;
    const json_t *value = job_field(r, "metrics", &at);
    if (!value)
        return;
    if (!json_is_array(value) || json_array_size(value) > SCORE_COUNT) {
        mistake(r->err, ERR_wrong_type, &at, "metrics is an array of at most %d names", SCORE_COUNT);
        return;
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        const struct where metric_at = {.up = &at, .index = i};
        take_metric(r, json_array_get(value, i), &metric_at);
    }
}

static void take_on_nonfinite(struct job_reading *r)
{
    struct where at;
    const json_t *value = job_field(r, "on_nonfinite", &at);
    const char *text;
    if (!value || !read_string(value, &at, &text, r->err))
        return;
    r->spec->train.stop_on_nonfinite = strcmp(text, "stop") == 0;
    if (!r->spec->train.stop_on_nonfinite && strcmp(text, "fail") != 0)
        mistake(r->err, ERR_invalid_value, &at, "on_nonfinite is \"fail\" or \"stop\", not \"%.64s\"", text);
}

static void take_threads(struct job_reading *r)
{
    int64_t threads = 1;
    take_whole(r, "threads", 1, TRAIN_THREADS_MAX, &threads);
    r->spec->train.threads = (int)threads;
}

/* Labels are found as "key:value" and kept as lines, so neither has a line's end, and a key has no colon. */
static bool label_valid(const char *key, const char *value)
{
    static const char key_characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t key_length = strlen(key), value_length = strlen(value);
    bool visible = value_length >= 1 && value_length <= LABEL_VALUE_MAX;
    for (const char *c = value; *c; c++)
        visible = visible && (unsigned char)*c >= ' ' && *c != 0x7f;
    return visible && key_length >= 1 && key_length <= LABEL_KEY_MAX && strspn(key, key_characters) == key_length;
}

static void take_label(struct job_reading *r, const char *key, const json_t *value, const struct where *at)
{
    const char *text;
    if (!read_string(value, at, &text, r->err))
        return;
    if (!label_valid(key, text)) {
        mistake(r->err, ERR_invalid_value, at,
                "a label's key has 1 to %d letters, digits, '.', '_' and '-', its value 1 to %d bytes without control "
                "characters",
                LABEL_KEY_MAX, LABEL_VALUE_MAX);
        return;
    }
    struct job_label *l = &r->spec->labels[r->spec->label_count++];
    *l = (struct job_label){.key = job_keep(r, key), .value = job_keep(r, text)};
}

static void take_labels(struct job_reading *r)
{
    struct where at;
    const json_t *value = job_field(r, "labels", &at);
    if (!value)
        return;
    if (!json_is_object(value) || json_object_size(value) > LABELS_MAX) {
        mistake(r->err, ERR_wrong_type, &at, "labels are an object of at most %d strings", LABELS_MAX);
        return;
    }
    r->spec->labels = calloc(json_object_size(value) + 1, sizeof *r->spec->labels);
    if (!r->spec->labels) {
        error_set(r->err, ERR_out_of_memory, NULL);
        return;
    }
    const char *key;
    json_t *label;
    json_object_foreach((json_t *)value, key, label)
    {
        struct where label_at = {.up = &at, .key = key};
        take_label(r, key, label, &label_at);
    }
}

/* LBFGS takes all rows at once. */
static void take_batch_size(struct job_reading *r)
{
    struct where at;
    const json_t *value = job_field(r, "batch_size", &at);
    if (value && r->spec->train.optimizer.name == OPTIMIZER_LBFGS)
        mistake(r->err, ERR_invalid_value, &at, "LBFGS takes all rows at once: it has no batch_size");
    else
        take_whole(r, "batch_size", 1, WHOLE_MAX, &r->spec->train.batch_size);
}

void job_take(struct job_reading *r)
{
    static const char *const known[] = {
        "model",   "dataset",        "bind",       "optimizer",    "epochs",    "batch_size",
        "shuffle", "seed",           "record",     "on_nonfinite", "drop_last", "validation",
        "labels",  "priority",       "threads",    "from_version", "schedule",  "clip_gradient_norm",
        "freeze",  "early_stopping", "checkpoint", "metrics",      "weight",    NULL};
    struct train_spec *train = &r->spec->train;
    int64_t seed = 0;
    *train = (struct train_spec){.batch_size = BATCH_DEFAULT, .shuffle = true};
    (void)read_object(r->body, known, r->root, r->err);
    if (!json_is_object(r->body))
        return;
    take_name(r, "model", &r->spec->model);
    take_name(r, "dataset", &r->spec->dataset);
    job_binds(r);
    job_optimizer(r);
    job_schedule(r);
    take_clip(r);
    take_freeze(r);
    (void)required_field(r->body, "epochs", r->root, r->err);
    take_whole(r, "epochs", 1, WHOLE_MAX, &train->epochs);
    take_batch_size(r);
    take_whole(r, "seed", 0, WHOLE_MAX, &seed);
    take_bool(r, "shuffle", &train->shuffle);
    take_bool(r, "drop_last", &train->drop_last);
    job_validation(r);
    take_early_stopping(r);
    take_record(r);
    job_weight(r);
    take_metrics(r);
    take_checkpoint(r);
    take_on_nonfinite(r);
    take_threads(r);
    take_labels(r);
    take_whole(r, "priority", -PRIORITY_MAX, PRIORITY_MAX, &r->spec->priority);
    take_whole(r, "from_version", 1, WHOLE_MAX, &r->spec->from_version);
    train->seed = (uint64_t)seed;
}

err_code job_settle(struct error *found, struct job_spec *spec, struct job_spec *ret, struct error *err)
{
    err_code code = found->total ? error_close(found, ERR_invalid_job, "the job") : found->code;
    error_move(err, found);
    if (code == ERR_ok)
        *ret = *spec;
    else
        job_spec_clear(spec);
    return code;
}

static err_code read_job(const json_t *body, struct job_spec *ret, struct error *err)
{
    struct where root = {0};
    struct error found = {0};
    struct job_spec spec = {0};
    struct job_reading r = {.body = body, .root = &root, .spec = &spec, .err = &found};
    job_take(&r);
    return job_settle(&found, &spec, ret, err);
}

/* ---- the doors ---- */

err_code job_with_canonical(struct job_spec *spec, struct job_spec *ret, char **ret_canonical, struct error *err)
{
    char *canonical = job_text(spec);
    if (!canonical) {
        job_spec_clear(spec);
        return error_set(err, ERR_out_of_memory, NULL);
    }
    *ret = *spec;
    *ret_canonical = canonical;
    return ERR_ok;
}

err_code decode_job_request(const char *bytes, size_t size, const struct limits *limits, struct job_spec *ret,
                            char **ret_canonical, struct error *err)
{
    json_t *body = NULL;
    struct job_spec spec = {0};
    err_code code = json_read(bytes, size, limits->json_nesting, &body, err);
    if (code == ERR_ok)
        code = read_job(body, &spec, err);
    json_decref(body);
    return code == ERR_ok ? job_with_canonical(&spec, ret, ret_canonical, err) : code;
}

err_code decode_job(const char *canonical, struct job_spec *ret, struct error *err)
{
    json_t *body = NULL;
    err_code code = json_read(canonical, strlen(canonical), CANONICAL_NESTING, &body, err);
    if (code == ERR_ok)
        code = read_job(body, ret, err);
    json_decref(body);
    return code;
}

err_code decode_job_patch(const char *bytes, size_t size, const struct limits *limits, int64_t *ret_priority,
                          struct error *err)
{
    static const char *const known[] = {"priority", NULL};
    json_t *body = NULL;
    err_code code = json_read(bytes, size, limits->json_nesting, &body, err);
    if (code != ERR_ok)
        return code;
    struct where root = {0}, at = {.up = &root, .key = "priority"};
    struct error found = {0};
    int64_t priority = 0;
    (void)read_object(body, known, &root, &found);
    const json_t *value = json_is_object(body) ? required_field(body, "priority", &root, &found) : NULL;
    if (value)
        (void)read_whole(value, -PRIORITY_MAX, PRIORITY_MAX, &at, &priority, &found);
    json_decref(body);
    code = found.total ? error_close(&found, ERR_invalid_request, "the request") : found.code;
    error_move(err, &found);
    if (code == ERR_ok)
        *ret_priority = priority;
    return code;
}
