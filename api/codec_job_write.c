/* The canonical text of a job: everything written out, in one order. */
#include "api/codec_job.h"
#include "api/member.h"

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

char *job_text(const struct job_spec *spec)
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
