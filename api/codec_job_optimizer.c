/* Optimizers and schedules of jobs from JSON: their fields come from the tables in train/optimizer.h and
 * train/schedule.h. */
#include "api/codec_job.h"
#include "base/names.h"
#include "base/number.h"
#include <float.h>

enum {
    OPTIMIZER_FIELDS_MAX = 16, /* of one optimizer, with its name and the end */
    SCHEDULE_FIELDS_MAX = 8,   /* of one schedule, likewise */
};

/* ---- numbers ---- */

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

void job_number(struct job_reading *r, const struct number_range *f, const json_t *value, const struct where *at,
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

static void take_optimizer_field(struct job_reading *r, const struct optimizer_field *f, const json_t *object,
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
        job_number(r, &range, value, &field_at, member);
}

static void refuse_optimizer(struct job_reading *r, const char *name, const struct where *at)
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

static void take_optimizer_fields(struct job_reading *r, const json_t *object, const struct where *at,
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

void job_optimizer(struct job_reading *r)
{
    struct where at, name_at = {.up = &at, .key = "name"};
    const json_t *value = job_field(r, "optimizer", &at);
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

static void take_schedule_field(struct job_reading *r, const struct schedule_field *f, const json_t *object,
                                const struct where *at)
{
    const struct where field_at = {.up = at, .key = f->name};
    const json_t *value = f->required ? required_field(object, f->name, at, r->err) : json_object_get(object, f->name);
    void *member = (char *)&r->spec->train.schedule + f->offset;
    const struct number_range range = {f->name, f->least, f->most, f->least_open, false};
    if (value && f->is_whole)
        (void)read_whole(value, (int64_t)f->least, (int64_t)f->most, &field_at, member, r->err);
    else if (value)
        job_number(r, &range, value, &field_at, member);
}

static void take_schedule_fields(struct job_reading *r, const json_t *object, const struct where *at,
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

static void refuse_schedule(struct job_reading *r, const char *name, const struct where *at)
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

void job_schedule(struct job_reading *r)
{
    struct where at, name_at = {.up = &at, .key = "name"};
    const json_t *value = job_field(r, "schedule", &at);
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
