/* Jobs from JSON. A request and the canonical text are read by the same code: the text is a request in which everything
 * is written out. Fields of an optimizer come from the table in train/optimizer.h. */
#include "api/codec.h"
#include "api/codec_read.h"
#include "api/member.h"
#include "base/names.h"
#include "base/number.h"
#include <float.h>
#include <stdlib.h>
#include <string.h>

enum {
    CANONICAL_NESTING = 8,
    BATCH_DEFAULT = 32,
    BOUND_COLUMNS_MAX = COLUMNS_MAX,
    LABELS_MAX = 64,
    LABEL_KEY_MAX = 64,    /* bytes */
    LABEL_VALUE_MAX = 256, /* bytes */
    PRIORITY_MAX = 100,
    OPTIMIZER_FIELDS_MAX = 16, /* of one optimizer, with its name and the end */
    SCHEDULE_FIELDS_MAX = 8,   /* of one schedule, likewise */
    FREEZE_MAX = 10000,
    CHECKPOINTS_MAX = 1000, /* that are kept */
};

struct reading {
    const json_t *body;
    const struct where *root;
    struct job_spec *spec;
    struct error *err;
};

static char *keep(struct reading *r, const char *text)
{
    char *copy = strdup(text);
    if (!copy)
        error_set(r->err, ERR_out_of_memory, NULL);
    return copy;
}

/* A field, and where it stands. */
static const json_t *field(const struct reading *r, const char *name, struct where *ret_at)
{
    *ret_at = (struct where){.up = r->root, .key = name};
    return json_object_get(r->body, name);
}

static void take_name(struct reading *r, const char *name, char **ret)
{
    struct where at;
    const json_t *value = field(r, name, &at);
    const char *text;
    if (!value)
        (void)required_field(r->body, name, r->root, r->err);
    else if (read_name(value, &at, &text, r->err))
        *ret = keep(r, text);
}

static void take_whole(struct reading *r, const char *name, int64_t least, int64_t most, int64_t *ret)
{
    struct where at;
    const json_t *value = field(r, name, &at);
    if (value)
        (void)read_whole(value, least, most, &at, ret, r->err);
}

static void take_bool(struct reading *r, const char *name, bool *ret)
{
    struct where at;
    const json_t *value = field(r, name, &at);
    if (value)
        (void)read_bool(value, &at, ret, r->err);
}

/* ---- bind ---- */

static void take_columns(struct reading *r, const json_t *value, const struct where *at, struct job_bind *to)
{
    size_t count = json_array_size(value);
    if (!json_is_array(value) || count == 0 || count > BOUND_COLUMNS_MAX) {
        mistake(r->err, ERR_wrong_type, at, "this must be an array of 1 to %d names of columns", BOUND_COLUMNS_MAX);
        return;
    }
    to->columns = calloc(count, sizeof *to->columns);
    if (!to->columns) {
        error_set(r->err, ERR_out_of_memory, NULL);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct where column_at = {.up = at, .index = i};
        const char *name;
        if (!read_string(json_array_get(value, i), &column_at, &name, r->err))
            continue;
        to->columns[to->column_count] = keep(r, name);
        to->column_count += to->columns[to->column_count] != NULL;
    }
}

static void take_transform(struct reading *r, const json_t *value, const struct where *at, struct job_bind *to)
{
    const char *name;
    if (!read_string(value, at, &name, r->err) || transform_find(name, &to->transform))
        return;
    struct guess guess = {.name = name};
    struct text known = {0};
    for (int i = 0; i < TRANSFORM_KINDS; i++) {
        guess_offer(&guess, transform_name((enum transform_kind)i));
        text_printf(&known, "%s%s", i ? ", " : "", transform_name((enum transform_kind)i));
    }
    if (guess.best)
        mistake(r->err, ERR_invalid_value, at, "no transform '%.64s'; did you mean '%s'?", name, guess.best);
    else
        mistake(r->err, ERR_invalid_value, at, "no transform '%.64s'; there are %s", name,
                known.data ? known.data : "");
    text_clear(&known);
}

static void take_one_bind(struct reading *r, const char *input, const json_t *value, const struct where *at)
{
    static const char *const known[] = {"columns", "transform", NULL};
    struct job_bind *b = &r->spec->binds[r->spec->bind_count];
    *b = (struct job_bind){.input = keep(r, input), .transform = TRANSFORM_NONE};
    if (!b->input)
        return;
    r->spec->bind_count++;
    (void)read_object(value, known, at, r->err);
    const json_t *columns = json_is_object(value) ? required_field(value, "columns", at, r->err) : NULL;
    const json_t *transform = json_object_get(value, "transform");
    struct where columns_at = {.up = at, .key = "columns"}, transform_at = {.up = at, .key = "transform"};
    if (columns)
        take_columns(r, columns, &columns_at, b);
    if (transform)
        take_transform(r, transform, &transform_at, b);
}

static void take_binds(struct reading *r)
{
    struct where at;
    const json_t *value = field(r, "bind", &at);
    if (!value)
        return;
    if (!json_is_object(value)) {
        mistake(r->err, ERR_wrong_type, &at, "`bind` is an object of inputs by name, not %s", json_kind(value));
        return;
    }
    r->spec->binds = calloc(json_object_size(value) + 1, sizeof *r->spec->binds);
    if (!r->spec->binds) {
        error_set(r->err, ERR_out_of_memory, NULL);
        return;
    }
    const char *input;
    json_t *bind;
    json_object_foreach((json_t *)value, input, bind)
    {
        struct where bind_at = {.up = &at, .key = input};
        take_one_bind(r, input, bind, &bind_at);
    }
}

/* ---- optimizer ---- */

/* What a number called `name` must be. */
struct number_range {
    const char *name;
    double least, most; /* inclusive; `least_open`, `most_open`: exclusive */
    bool least_open, most_open;
};

/* "greater than 0", "at least 0 and below 1" */
static void range_text(const struct number_range *f, struct text *to)
{
    char number[NUMBER_TEXT_MAX];
    number_print(f->least, number);
    text_printf(to, "%s %s", f->least_open ? "greater than" : "at least", number);
    if (f->most < DBL_MAX) {
        number_print(f->most, number);
        text_printf(to, " and %s %s", f->most_open ? "below" : "at most", number);
    }
}

static bool in_range(const struct number_range *f, double value)
{
    bool above = f->least_open ? value > f->least : value >= f->least;
    return above && (f->most_open ? value < f->most : value <= f->most);
}

static void take_number_in(struct reading *r, const struct number_range *f, const json_t *value, const struct where *at,
                           double *ret)
{
    double number;
    if (!read_number(value, at, &number, r->err))
        return;
    if (in_range(f, number)) {
        *ret = number;
        return;
    }
    char given[NUMBER_TEXT_MAX];
    struct text range = {0};
    number_print(number, given);
    range_text(f, &range);
    mistake(r->err, ERR_out_of_range, at, "%s must be %s, not %s", f->name, range.data ? range.data : "in its range",
            given);
    text_clear(&range);
}

static void take_optimizer_field(struct reading *r, const struct optimizer_field *f, const json_t *object,
                                 const struct where *at)
{
    struct where field_at = {.up = at, .key = f->name};
    void *member = (char *)&r->spec->train.optimizer + f->offset;
    const struct number_range range = {f->name, f->least, f->most, f->least_open, f->most_open};
    const json_t *value = f->required ? required_field(object, f->name, at, r->err) : json_object_get(object, f->name);
    if (value && f->is_bool)
        (void)read_bool(value, &field_at, member, r->err);
    else if (value && f->is_whole)
        (void)read_whole(value, (int64_t)f->least, (int64_t)f->most, &field_at, member, r->err);
    else if (value)
        take_number_in(r, &range, value, &field_at, member);
}

static void refuse_optimizer(struct reading *r, const char *name, const struct where *at)
{
    struct guess guess = {.name = name};
    struct text known = {0};
    for (size_t i = 0; i < optimizer_field_count; i++) {
        const char *one = optimizer_name(optimizer_fields[i].optimizer);
        if (i > 0 && optimizer_fields[i].optimizer == optimizer_fields[i - 1].optimizer)
            continue;
        guess_offer(&guess, one);
        text_printf(&known, "%s%s", known.length ? ", " : "", one);
    }
    if (guess.best)
        mistake(r->err, ERR_invalid_value, at, "no optimizer '%.64s'; did you mean '%s'?", name, guess.best);
    else
        mistake(r->err, ERR_invalid_value, at, "no optimizer '%.64s'; there are %s", name,
                known.data ? known.data : "");
    text_clear(&known);
}

static void take_optimizer_fields(struct reading *r, const json_t *object, const struct where *at,
                                  enum optimizer_name name)
{
    const char *known[OPTIMIZER_FIELDS_MAX] = {"name"};
    size_t count = 1;
    r->spec->train.optimizer = optimizer_defaults(name);
    for (size_t i = 0; i < optimizer_field_count && count < OPTIMIZER_FIELDS_MAX - 1; i++) {
        if (optimizer_fields[i].optimizer == name)
            known[count++] = optimizer_fields[i].name;
    }
    (void)read_object(object, known, at, r->err);
    for (size_t i = 0; i < optimizer_field_count; i++) {
        if (optimizer_fields[i].optimizer == name)
            take_optimizer_field(r, &optimizer_fields[i], object, at);
    }
}

static void take_optimizer(struct reading *r)
{
    struct where at, name_at = {.up = &at, .key = "name"};
    const json_t *value = field(r, "optimizer", &at);
    enum optimizer_name name;
    const char *text;
    if (!value) {
        (void)required_field(r->body, "optimizer", r->root, r->err);
        return;
    }
    if (!json_is_object(value)) {
        mistake(r->err, ERR_wrong_type, &at, "this must be an object like {\"name\": \"Adam\"}, not %s",
                json_kind(value));
        return;
    }
    const json_t *given = required_field(value, "name", &at, r->err);
    if (!given || !read_string(given, &name_at, &text, r->err))
        return;
    if (optimizer_find(text, &name))
        take_optimizer_fields(r, value, &at, name);
    else
        refuse_optimizer(r, text, &name_at);
}

/* ---- schedule ---- */

static void take_schedule_field(struct reading *r, const struct schedule_field *f, const json_t *object,
                                const struct where *at)
{
    const struct where field_at = {.up = at, .key = f->name};
    const json_t *value = f->required ? required_field(object, f->name, at, r->err) : json_object_get(object, f->name);
    void *member = (char *)&r->spec->train.schedule + f->offset;
    const struct number_range range = {f->name, f->least, f->most, f->least_open, false};
    if (value && f->is_whole)
        (void)read_whole(value, (int64_t)f->least, (int64_t)f->most, &field_at, member, r->err);
    else if (value)
        take_number_in(r, &range, value, &field_at, member);
}

static void take_schedule_fields(struct reading *r, const json_t *object, const struct where *at,
                                 enum schedule_name name)
{
    const char *known[SCHEDULE_FIELDS_MAX] = {"name", "warmup_steps"};
    const struct where warmup_at = {.up = at, .key = "warmup_steps"};
    const json_t *warmup = json_object_get(object, "warmup_steps");
    struct schedule *s = &r->spec->train.schedule;
    size_t count = 2;
    *s = schedule_defaults(name);
    for (size_t i = 0; i < schedule_field_count && count < SCHEDULE_FIELDS_MAX - 1; i++)
        if (schedule_fields[i].schedule == name)
            known[count++] = schedule_fields[i].name;
    (void)read_object(object, known, at, r->err);
    if (warmup)
        (void)read_whole(warmup, 0, WHOLE_MAX, &warmup_at, &s->warmup_steps, r->err);
    for (size_t i = 0; i < schedule_field_count; i++)
        if (schedule_fields[i].schedule == name)
            take_schedule_field(r, &schedule_fields[i], object, at);
}

static void refuse_schedule(struct reading *r, const char *name, const struct where *at)
{
    struct guess guess = {.name = name};
    struct text known = {0};
    for (int i = 0; i < SCHEDULE_COUNT; i++) {
        guess_offer(&guess, schedule_name((enum schedule_name)i));
        text_printf(&known, "%s%s", i ? ", " : "", schedule_name((enum schedule_name)i));
    }
    if (guess.best)
        mistake(r->err, ERR_invalid_value, at, "no schedule '%.64s'; did you mean '%s'?", name, guess.best);
    else
        mistake(r->err, ERR_invalid_value, at, "no schedule '%.64s'; there are %s", name, known.data ? known.data : "");
    text_clear(&known);
}

static void take_schedule(struct reading *r)
{
    struct where at, name_at = {.up = &at, .key = "name"};
    const json_t *value = field(r, "schedule", &at);
    enum schedule_name name;
    const char *text;
    if (!value)
        return;
    if (!json_is_object(value)) {
        mistake(r->err, ERR_wrong_type, &at, "this must be an object like {\"name\": \"cosine\"}, not %s",
                json_kind(value));
        return;
    }
    const json_t *given = required_field(value, "name", &at, r->err);
    if (!given || !read_string(given, &name_at, &text, r->err))
        return;
    if (schedule_find(text, &name))
        take_schedule_fields(r, value, &at, name);
    else
        refuse_schedule(r, text, &name_at);
}

/* ---- the rest ---- */

static void take_clip(struct reading *r)
{
    struct where at;
    const json_t *value = field(r, "clip_gradient_norm", &at);
    const struct number_range range = {"clip_gradient_norm", 0, DBL_MAX, true, false};
    if (value)
        take_number_in(r, &range, value, &at, &r->spec->train.clip_gradient_norm);
}

static void take_freeze(struct reading *r)
{
    struct where at;
    const json_t *value = field(r, "freeze", &at);
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
        r->spec->freeze[r->spec->freeze_count] = keep(r, name);
        r->spec->freeze_count += r->spec->freeze[r->spec->freeze_count] != NULL;
    }
    r->spec->train.freeze = r->spec->freeze;
    r->spec->train.freeze_count = r->spec->freeze_count;
}

static void take_fraction(struct reading *r, const json_t *given, const struct where *at)
{
    double fraction;
    if (!read_number(given, at, &fraction, r->err))
        return;
    if (fraction > 0 && fraction < 1)
        r->spec->train.validation_fraction = fraction;
    else
        mistake(r->err, ERR_out_of_range, at, "fraction must be greater than 0 and below 1");
}

static void take_column_value(struct reading *r, const json_t *value, const struct where *at)
{
    struct job_validation *v = &r->spec->validation;
    const struct where column_at = {.up = at, .key = "column"}, value_at = {.up = at, .key = "value"};
    const json_t *column = required_field(value, "column", at, r->err);
    const json_t *wanted = required_field(value, "value", at, r->err);
    const char *text;
    if (column && read_string(column, &column_at, &text, r->err))
        v->column = keep(r, text);
    if (json_is_string(wanted))
        v->label = read_string(wanted, &value_at, &text, r->err) ? keep(r, text) : NULL;
    else if (json_is_number(wanted))
        (void)read_number(wanted, &value_at, &v->number, r->err);
    else if (wanted)
        mistake(r->err, ERR_wrong_type, &value_at, "this must be a number or a category, not %s", json_kind(wanted));
}

static void take_validation(struct reading *r)
{
    static const char *const known[] = {"fraction", "dataset", "column", "value", NULL};
    struct where at;
    const json_t *value = field(r, "validation", &at);
    if (!value)
        return;
    (void)read_object(value, known, &at, r->err);
    if (!json_is_object(value))
        return;
    const struct where fraction_at = {.up = &at, .key = "fraction"}, dataset_at = {.up = &at, .key = "dataset"};
    const json_t *fraction = json_object_get(value, "fraction"), *dataset = json_object_get(value, "dataset");
    bool by_column = json_object_get(value, "column") || json_object_get(value, "value");
    const char *name;
    if ((fraction != NULL) + (dataset != NULL) + by_column != 1) {
        mistake(r->err, ERR_invalid_value, &at, "validation has a fraction, or a dataset, or a column and a value");
        return;
    }
    if (fraction)
        take_fraction(r, fraction, &fraction_at);
    else if (dataset && read_name(dataset, &dataset_at, &name, r->err))
        r->spec->validation.dataset = keep(r, name);
    else if (by_column)
        take_column_value(r, value, &at);
}

static void take_early_stopping(struct reading *r)
{
    static const char *const known[] = {"patience", "min_delta", "restore_best", NULL};
    static const struct number_range delta_range = {"min_delta", 0, DBL_MAX, false, false};
    struct early_stopping *rule = &r->spec->train.early_stopping;
    struct where at, patience_at = {.up = &at, .key = "patience"}, delta_at = {.up = &at, .key = "min_delta"},
                     restore_at = {.up = &at, .key = "restore_best"};
    const json_t *value = field(r, "early_stopping", &at);
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
        take_number_in(r, &delta_range, delta, &delta_at, &rule->min_delta);
    if (restore)
        (void)read_bool(restore, &restore_at, &rule->restore_best, r->err);
}

static void take_record(struct reading *r)
{
    static const char *const known[] = {"every_steps", NULL};
    struct where at, steps_at = {.up = &at, .key = "every_steps"};
    const json_t *value = field(r, "record", &at);
    if (!value)
        return;
    (void)read_object(value, known, &at, r->err);
    const json_t *given = json_is_object(value) ? required_field(value, "every_steps", &at, r->err) : NULL;
    if (given)
        (void)read_whole(given, 1, WHOLE_MAX, &steps_at, &r->spec->train.record_every_steps, r->err);
}

static void take_checkpoint(struct reading *r)
{
    static const char *const known[] = {"every_epochs", "every_steps", "keep", NULL};
    struct job_checkpoint *to = &r->spec->checkpoint;
    struct where at;
    const json_t *value = field(r, "checkpoint", &at);
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

static void take_weight(struct reading *r)
{
    struct where at;
    const json_t *value = field(r, "weight", &at);
    const char *column;
    if (value && read_string(value, &at, &column, r->err))
        r->spec->weight = keep(r, column);
    r->spec->train.weighted = r->spec->weight != NULL;
}

static void take_metric(struct reading *r, const json_t *value, const struct where *at)
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

static void take_metrics(struct reading *r)
{
    struct where at;
    const json_t *value = field(r, "metrics", &at);
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

static void take_on_nonfinite(struct reading *r)
{
    struct where at;
    const json_t *value = field(r, "on_nonfinite", &at);
    const char *text;
    if (!value || !read_string(value, &at, &text, r->err))
        return;
    r->spec->train.stop_on_nonfinite = strcmp(text, "stop") == 0;
    if (!r->spec->train.stop_on_nonfinite && strcmp(text, "fail") != 0)
        mistake(r->err, ERR_invalid_value, &at, "on_nonfinite is \"fail\" or \"stop\", not \"%.64s\"", text);
}

static void take_threads(struct reading *r)
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

static void take_label(struct reading *r, const char *key, const json_t *value, const struct where *at)
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
    *l = (struct job_label){.key = keep(r, key), .value = keep(r, text)};
}

static void take_labels(struct reading *r)
{
    struct where at;
    const json_t *value = field(r, "labels", &at);
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
static void take_batch_size(struct reading *r)
{
    struct where at;
    const json_t *value = field(r, "batch_size", &at);
    if (value && r->spec->train.optimizer.name == OPTIMIZER_LBFGS)
        mistake(r->err, ERR_invalid_value, &at, "LBFGS takes all rows at once: it has no batch_size");
    else
        take_whole(r, "batch_size", 1, WHOLE_MAX, &r->spec->train.batch_size);
}

static void take_job(struct reading *r)
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
    take_binds(r);
    take_optimizer(r);
    take_schedule(r);
    take_clip(r);
    take_freeze(r);
    (void)required_field(r->body, "epochs", r->root, r->err);
    take_whole(r, "epochs", 1, WHOLE_MAX, &train->epochs);
    take_batch_size(r);
    take_whole(r, "seed", 0, WHOLE_MAX, &seed);
    take_bool(r, "shuffle", &train->shuffle);
    take_bool(r, "drop_last", &train->drop_last);
    take_validation(r);
    take_early_stopping(r);
    take_record(r);
    take_weight(r);
    take_metrics(r);
    take_checkpoint(r);
    take_on_nonfinite(r);
    take_threads(r);
    take_labels(r);
    take_whole(r, "priority", -PRIORITY_MAX, PRIORITY_MAX, &r->spec->priority);
    take_whole(r, "from_version", 1, WHOLE_MAX, &r->spec->from_version);
    train->seed = (uint64_t)seed;
}

/* Hands over what was read, or what was found wrong with it. */
static err_code settle(struct error *found, struct job_spec *spec, struct job_spec *ret, struct error *err)
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
    struct reading r = {.body = body, .root = &root, .spec = &spec, .err = &found};
    take_job(&r);
    return settle(&found, &spec, ret, err);
}

/* ---- the canonical text ---- */

static void put_binds(struct json *j, const struct job_spec *spec)
{
    put_key(j, "bind");
    put_object(j);
    for (size_t i = 0; i < spec->bind_count; i++) {
        const struct job_bind *b = &spec->binds[i];
        put_key(j, b->input);
        put_object(j);
        put_key(j, "columns");
        put_array(j);
        for (size_t k = 0; k < b->column_count; k++)
            put_string(j, b->columns[k]);
        put_array_end(j);
        member_string(j, "transform", transform_name(b->transform));
        put_object_end(j);
    }
    put_object_end(j);
}

static void member_bool(struct json *j, const char *key, bool value)
{
    put_key(j, key);
    put_bool(j, value);
}

static void put_optimizer(struct json *j, const struct optimizer *o)
{
    put_key(j, "optimizer");
    put_object(j);
    member_string(j, "name", optimizer_name(o->name));
    for (size_t i = 0; i < optimizer_field_count; i++) {
        const struct optimizer_field *f = &optimizer_fields[i];
        const void *member = (const char *)o + f->offset;
        if (f->optimizer == o->name && f->is_bool)
            member_bool(j, f->name, *(const bool *)member);
        else if (f->optimizer == o->name && f->is_whole)
            member_whole(j, f->name, *(const int64_t *)member);
        else if (f->optimizer == o->name)
            member_number(j, f->name, *(const double *)member);
    }
    put_object_end(j);
}

static void put_schedule(struct json *j, const struct schedule *s)
{
    if (s->name == SCHEDULE_CONSTANT && s->warmup_steps == 0)
        return;
    put_key(j, "schedule");
    put_object(j);
    member_string(j, "name", schedule_name(s->name));
    for (size_t i = 0; i < schedule_field_count; i++) {
        const struct schedule_field *f = &schedule_fields[i];
        const void *member = (const char *)s + f->offset;
        if (f->schedule == s->name && f->is_whole)
            member_whole(j, f->name, *(const int64_t *)member);
        else if (f->schedule == s->name)
            member_number(j, f->name, *(const double *)member);
    }
    member_whole(j, "warmup_steps", s->warmup_steps);
    put_object_end(j);
}

static void put_freeze(struct json *j, const struct job_spec *spec)
{
    if (spec->freeze_count == 0)
        return;
    put_key(j, "freeze");
    put_array(j);
    for (size_t i = 0; i < spec->freeze_count; i++)
        put_string(j, spec->freeze[i]);
    put_array_end(j);
}

static void put_validation(struct json *j, const struct job_spec *spec)
{
    const struct job_validation *v = &spec->validation;
    if (spec->train.validation_fraction == 0 && !v->dataset && !v->column)
        return;
    put_key(j, "validation");
    put_object(j);
    if (v->dataset)
        member_string(j, "dataset", v->dataset);
    else if (v->column)
        member_string(j, "column", v->column);
    else
        member_number(j, "fraction", spec->train.validation_fraction);
    if (v->column && v->label)
        member_string(j, "value", v->label);
    else if (v->column)
        member_number(j, "value", v->number);
    put_object_end(j);
}

static void put_metrics(struct json *j, unsigned metrics)
{
    if (metrics == 0)
        return;
    put_key(j, "metrics");
    put_array(j);
    for (int i = 0; i < SCORE_COUNT; i++)
        if (metrics & 1U << i)
            put_string(j, score_name((enum score)i));
    put_array_end(j);
}

static void put_checkpoint(struct json *j, const struct job_checkpoint *c)
{
    put_key(j, "checkpoint");
    put_object(j);
    if (c->every_epochs > 0)
        member_whole(j, "every_epochs", c->every_epochs);
    if (c->every_steps > 0)
        member_whole(j, "every_steps", c->every_steps);
    member_whole(j, "keep", c->keep);
    put_object_end(j);
}

static char *canonical_text(const struct job_spec *spec)
{
    const struct train_spec *train = &spec->train;
    struct text text = {0};
    struct json j = {.text = &text};
    put_object(&j);
    member_string(&j, "model", spec->model);
    member_string(&j, "dataset", spec->dataset);
    put_binds(&j, spec);
    put_optimizer(&j, &train->optimizer);
    put_schedule(&j, &train->schedule);
    if (train->clip_gradient_norm > 0)
        member_number(&j, "clip_gradient_norm", train->clip_gradient_norm);
    put_freeze(&j, spec);
    member_whole(&j, "epochs", train->epochs);
    if (train->optimizer.name != OPTIMIZER_LBFGS)
        member_whole(&j, "batch_size", train->batch_size);
    member_bool(&j, "shuffle", train->shuffle);
    member_whole(&j, "seed", (int64_t)train->seed);
    put_validation(&j, spec);
    if (train->early_stopping.patience > 0) {
        put_key(&j, "early_stopping");
        put_object(&j);
        member_whole(&j, "patience", train->early_stopping.patience);
        member_number(&j, "min_delta", train->early_stopping.min_delta);
        member_bool(&j, "restore_best", train->early_stopping.restore_best);
        put_object_end(&j);
    }
    if (train->record_every_steps > 0) {
        put_key(&j, "record");
        put_object(&j);
        member_whole(&j, "every_steps", train->record_every_steps);
        put_object_end(&j);
    }
    if (spec->weight)
        member_string(&j, "weight", spec->weight);
    put_metrics(&j, train->metrics);
    put_checkpoint(&j, &spec->checkpoint);
    member_string(&j, "on_nonfinite", train->stop_on_nonfinite ? "stop" : "fail");
    member_bool(&j, "drop_last", train->drop_last);
    put_key(&j, "labels");
    put_object(&j);
    for (size_t i = 0; i < spec->label_count; i++)
        member_string(&j, spec->labels[i].key, spec->labels[i].value);
    put_object_end(&j);
    member_whole(&j, "threads", train->threads);
    put_object_end(&j);
    return text_take(&text);
}

/* ---- the doors ---- */

static err_code with_canonical(struct job_spec *spec, struct job_spec *ret, char **ret_canonical, struct error *err)
{
    char *canonical = canonical_text(spec);
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
    return code == ERR_ok ? with_canonical(&spec, ret, ret_canonical, err) : code;
}

/* ---- forks ---- */

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
    struct reading r = {.body = job, .root = &root, .spec = &spec, .err = &found};
    take_origin(changes, ret_from_step, &found);
    if (json_object_set_new(job, "priority", json_real((double)priority)) != 0 || !merge(job, changes))
        error_set(&found, ERR_out_of_memory, NULL);
    else if (json_is_object(changes))
        take_job(&r);
    return settle(&found, &spec, ret, err);
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
        code = with_canonical(&spec, ret, ret_canonical, err);
    if (code == ERR_ok)
        *ret_from_step = from_step;
    return code;
}

/* ---- the rest ---- */

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
