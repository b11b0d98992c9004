#include "base/clock.h"
#include "base/size.h"
#include "base/text.h"
#include "base/uuid.h"
#include "data/table_record.h"
#include "train/layout.h"
#include "version.h"
#include "work/bind.h"
#include "work/origin.h"
#include "work/split.h"
#include "work/work.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* What a job's names stand for. */
struct submission {
    const struct work_config *config;
    const struct job_spec *spec;
    struct held_model model;
    struct held_version start;
    struct store_dataset dataset, second; /* second: to validate on; id 0 without */
    struct table_info info, second_info;
    struct train_spec train; /* the spec's, with the number of rows that validate */
    size_t rows;             /* of both data sets */
    size_t data_bytes;       /* that the job's data take */
    struct origin origin;
};

static void submission_clear(struct submission *s)
{
    catalog_release_version(s->config->catalog, &s->start);
    catalog_release_model(s->config->catalog, &s->model);
    store_dataset_clear(&s->dataset);
    store_dataset_clear(&s->second);
    table_info_clear(&s->info);
    table_info_clear(&s->second_info);
    origin_clear(&s->origin);
}

/* A look-up that found nothing is a mistake in the request; anything else is a failure. */
static err_code look_up(err_code code, struct error *lookup, err_code unknown, const char *pointer, const char *what,
                        const char *name, struct error *found)
{
    if (code == ERR_not_found || code == unknown) {
        error_clear(lookup);
        error_add(found, unknown, (struct place){.pointer = pointer}, "there is no %s '%s'", what, name);
        return ERR_ok;
    }
    error_move(found, lookup);
    return code;
}

static err_code look_up_model(struct submission *s, struct error *found)
{
    struct error lookup = {0};
    const struct store_job *origin = s->origin.job;
    err_code code = origin ? catalog_hold_model_id(s->config->catalog, origin->model_id, &s->model, &lookup)
                           : catalog_hold_model(s->config->catalog, s->spec->model, &s->model, &lookup);
    if (code != ERR_ok)
        return look_up(code, &lookup, ERR_unknown_model, "/model", "model", s->spec->model, found);
    if (s->model.model->cost == NODE_NONE)
        error_add(found, ERR_no_cost, (struct place){.pointer = "/model"},
                  "the model '%s' has no cost, so there is nothing to train", s->spec->model);
    code = catalog_hold_version(s->config->catalog, &s->model, s->spec->from_version, &s->start, &lookup);
    if (code != ERR_ok) {
        char version[32];
        snprintf(version, sizeof version, "%" PRId64, s->spec->from_version);
        return look_up(code, &lookup, ERR_unknown_version, "/from_version", "version", version, found);
    }
    return ERR_ok;
}

static err_code look_up_dataset(const struct submission *s, const char *name, const char *pointer,
                                struct store_dataset *ret, struct table_info *ret_info, struct error *found)
{
    struct error lookup = {0};
    err_code code = store_dataset_get(s->config->store, name, ret, &lookup);
    if (code != ERR_ok)
        return look_up(code, &lookup, ERR_unknown_dataset, pointer, "data set", name, found);
    return table_info_decode(ret->info, ret->info_size, ret_info, found);
}

static err_code look_up_datasets(struct submission *s, struct error *found)
{
    const char *second = s->spec->validation.dataset;
    err_code code = look_up_dataset(s, s->spec->dataset, "/dataset", &s->dataset, &s->info, found);
    if (code == ERR_ok && second)
        code = look_up_dataset(s, second, "/validation/dataset", &s->second, &s->second_info, found);
    return code;
}

/* Adds what a table takes in memory; SIZE_MAX if it is more. */
static void add_table(size_t *sum, const struct table_info *info)
{
    size_t bytes;
    if (!size_mul((size_t)info->rows, info->width * sizeof(double), &bytes) || !size_add(*sum, bytes, sum))
        *sum = SIZE_MAX;
}

/* The tables, and their values as the trainer takes them. */
static void measure_data(struct submission *s, const struct bindings *b)
{
    size_t sum = 0;
    add_table(&sum, &s->info);
    add_table(&sum, &s->second_info);
    if (!size_add(sum, bindings_bytes(s->model.model, b, (int64_t)s->rows), &sum))
        sum = SIZE_MAX;
    s->data_bytes = sum;
}

static void check_memory(const struct submission *s, const struct train_size *size, struct error *found)
{
    int64_t limit = s->config->limits->memory_bytes;
    size_t sum;
    bool fits = size_add(size->memory_bytes, s->data_bytes, &sum);
    if (!fits || sum > (size_t)limit)
        error_add(found, ERR_limit_exceeded, (struct place){.pointer = ""},
                  "the job needs %zu bytes, its data set among them; the limit is %" PRId64, fits ? sum : SIZE_MAX,
                  limit);
}

/* Whether a failure is a mistake in the request, of which there are items, and looking goes on. */
static bool is_mistake(err_code code, const struct error *found)
{
    return err_class_of(code) == ERR_CLASS_INVALID && found->total > 0;
}

/* How many rows there are, and how many of them validate where the spec names them. */
static err_code count_rows(struct submission *s, struct error *found)
{
    const struct job_validation *v = &s->spec->validation;
    struct held_table table = {0};
    struct row_split split = {.rows = s->info.rows};
    err_code code = ERR_ok;
    if (split_needs_table(v))
        code = catalog_hold_table_id(s->config->catalog, s->dataset.id, &table, found);
    if (code == ERR_ok)
        code = split_make(v, &s->info, table.table, s->second_info.rows, &split, found);
    s->rows = (size_t)split.rows;
    s->train = s->spec->train;
    s->train.validation_rows = split.validation;
    split_clear(&split);
    catalog_release_table(s->config->catalog, &table);
    return code;
}

/* The numbers of the spec, and, where bindings and cost are right so far, how large the job is. */
static err_code measure(struct submission *s, const struct bindings *b, struct train_size *ret_size,
                        struct error *found)
{
    struct layout layout;
    if (found->total > 0)
        return layout_make(&s->train, s->rows, &layout, found);
    err_code code = train_measure(s->model.model, &s->train, s->rows, ret_size, found);
    if (code == ERR_ok) {
        measure_data(s, b);
        check_memory(s, ret_size, found);
    }
    return code;
}

/* Everything that can be wrong, each as an item. */
static err_code check(struct submission *s, struct train_size *ret_size, struct error *found)
{
    err_code code = look_up_model(s, found);
    if (code == ERR_ok)
        code = look_up_datasets(s, found);
    if (code != ERR_ok || !s->model.model || !s->dataset.name)
        return code;
    struct bindings bindings = {0};
    code = origin_load(&s->origin, s->config->store, s->model.model, found);
    if (code == ERR_ok || is_mistake(code, found))
        code = bindings_make(s->model.model, s->spec, &s->info, &bindings, found);
    if (code == ERR_ok && s->second.name)
        code = bindings_check_second(&bindings, &s->info, &s->second_info, found);
    if (code == ERR_ok || is_mistake(code, found))
        code = count_rows(s, found);
    if (code == ERR_ok || is_mistake(code, found))
        code = measure(s, &bindings, ret_size, found);
    bindings_clear(&bindings);
    return is_mistake(code, found) ? ERR_ok : code;
}

static char *label_lines(const struct job_spec *spec)
{
    struct text lines = {0};
    for (size_t i = 0; i < spec->label_count; i++)
        text_printf(&lines, "%s:%s\n", spec->labels[i].key, spec->labels[i].value);
    return text_take(&lines);
}

/* What a submission becomes, but for what is made as it is stored. */
static struct store_job job_of(const struct submission *s, const struct train_size *size, const char *spec_text)
{
    const struct origin *o = &s->origin;
    const struct store_job *from = o->job, *verified = o->verifies ? from : NULL;
    return (struct store_job){
        .model = s->model.record.name,
        .model_id = s->model.record.id,
        .dataset = s->dataset.name,
        .dataset_id = s->dataset.id,
        .spec = (char *)spec_text,
        .from_version = s->start.record->version,
        .epochs = s->spec->train.epochs,
        .steps = size->steps,
        .memory_bytes = (int64_t)size->memory_bytes,
        .data_bytes = (int64_t)s->data_bytes,
        .training_rows = size->training_rows,
        .validation_id = s->second.id,
        .validation_digest = s->second.digest,
        .priority = s->spec->priority,
        .state = JOB_QUEUED,
        .created_at = clock_now(),
        .model_digest = s->model.record.digest,
        .dataset_digest = s->dataset.digest,
        .start_digest = o->start ? (char *)o->start_digest : s->start.record->digest,
        .gradd_version = GRADD_VERSION,
        .forked_from = from && !verified ? from->id : NULL,
        .from_step = o->from_step,
        .verifies = verified ? verified->id : NULL,
        .expected_digest = verified ? verified->digest : NULL,
        .start = o->start,
        .start_size = o->start_size,
    };
}

static err_code store(const struct submission *s, const struct train_size *size, const char *spec_text,
                      const struct store_key *key, struct store_job *ret, bool *ret_repeated, struct error *err)
{
    char id[UUID_TEXT_MAX];
    err_code code = uuid_new(id, err);
    char *labels = label_lines(s->spec);
    if (code == ERR_ok && !labels)
        code = error_set(err, ERR_out_of_memory, NULL);
    if (code == ERR_ok) {
        struct store_job job = job_of(s, size, spec_text);
        job.id = id;
        job.labels = labels;
        code = store_job_add(s->config->store, &job, s->config->limits->queued_jobs, key, ret, ret_repeated, err);
    }
    free(labels);
    return code;
}

/* Checks and stores; clears the submission. */
static err_code submit(struct work *w, struct submission *s, const char *spec_text, const struct store_key *key,
                       struct store_job *ret, bool *ret_repeated, struct error *err)
{
    struct error found = {0};
    struct train_size size = {0};
    err_code code = origin_check(&s->origin, s->config->store, s->spec, &found);
    if (code == ERR_ok)
        code = check(s, &size, &found);
    if (code == ERR_ok)
        code = error_close(&found, ERR_invalid_job, "the job");
    error_move(err, &found);
    if (code == ERR_ok)
        code = store(s, &size, spec_text, key, ret, ret_repeated, err);
    if (code == ERR_ok)
        work_wake(w);
    submission_clear(s);
    return code;
}

/* Whether the request was answered before. */
static err_code find_repeated(const struct work *w, const struct store_key *key, struct store_job *ret,
                              bool *ret_repeated, struct error *err)
{
    *ret_repeated = false;
    return key ? store_job_find_key(work_config_of(w)->store, key, ret, ret_repeated, err) : ERR_ok;
}

err_code work_submit(struct work *w, const struct job_spec *spec, const char *spec_text, const struct store_key *key,
                     struct store_job *ret, bool *ret_repeated, struct error *err)
{
    struct submission s = {.config = work_config_of(w), .spec = spec};
    err_code code = find_repeated(w, key, ret, ret_repeated, err);
    if (code != ERR_ok || *ret_repeated)
        return code;
    return submit(w, &s, spec_text, key, ret, ret_repeated, err);
}

err_code work_fork(struct work *w, const struct store_job *origin, const struct job_spec *spec, const char *spec_text,
                   int64_t from_step, const struct store_key *key, struct store_job *ret, bool *ret_repeated,
                   struct error *err)
{
    struct submission s = {
        .config = work_config_of(w), .spec = spec, .origin = {.job = origin, .from_step = from_step}};
    return submit(w, &s, spec_text, key, ret, ret_repeated, err);
}

static err_code verify(struct work *w, const struct store_job *origin, const struct store_key *key,
                       struct store_job *ret, bool *ret_repeated, struct error *err)
{
    struct job_spec spec = {0};
    err_code code = work_config_of(w)->decode(origin->spec, &spec, err);
    if (code == ERR_ok) {
        spec.from_version = origin->from_version;
        spec.priority = origin->priority;
        struct submission s = {.config = work_config_of(w),
                               .spec = &spec,
                               .origin = {.job = origin, .verifies = true, .from_step = origin->from_step}};
        code = submit(w, &s, origin->spec, key, ret, ret_repeated, err);
    }
    job_spec_clear(&spec);
    return code;
}

err_code work_verify(struct work *w, const char *id, const struct store_key *key, struct store_job *ret,
                     bool *ret_repeated, struct error *err)
{
    struct store_job origin = {0};
    err_code code = find_repeated(w, key, ret, ret_repeated, err);
    if (code != ERR_ok || *ret_repeated)
        return code;
    code = store_job_get(work_config_of(w)->store, id, &origin, err);
    if (code == ERR_ok)
        code = verify(w, &origin, key, ret, ret_repeated, err);
    store_job_clear(&origin);
    return code;
}
