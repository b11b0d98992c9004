/* GET /v1/jobs/{id}/costs: a job's cost history, whole or sampled, as JSON, CSV (RFC 4180) or lines of JSON. Scores are
 * told where the job asks for metrics. */
#include "api/body.h"
#include "api/codec.h"
#include "api/jobs.h"
#include "api/member.h"
#include "api/routes.h"
#include "api/sample.h"
#include "base/clock.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const int64_t points_max = 10000000;
static const int64_t step_max = INT64_C(9007199254740991);

static void put_point(struct json *j, const struct cost_point *p, unsigned metrics)
{
    put_object(j);
    member_whole(j, "step", p->step);
    member_whole(j, "epoch", p->epoch);
    member_number(j, "cost", p->cost);
    member_number(j, "validation_cost", p->validation_cost);
    member_number(j, "learning_rate", p->learning_rate);
    member_number(j, "gradient_norm", p->gradient_norm);
    if (metrics != 0)
        put_scores(j, &p->scores);
    member_time(j, "time", p->time);
    put_object_end(j);
}

/* ---- the three forms ---- */

enum form { FORM_JSON, FORM_CSV, FORM_LINES };

/* How points are written. */
struct format {
    enum form form;
    unsigned metrics; /* the job's: bit 1 << enum score */
};

static const char *const form_types[] = {
    [FORM_JSON] = "application/json", [FORM_CSV] = "text/csv", [FORM_LINES] = "application/x-ndjson"};

static enum form form_of(const struct request *r)
{
    const char *type = request_accepts(r, r->route->answers);
    for (enum form form = FORM_JSON; form <= FORM_LINES; form++)
        if (type != NULL && strcmp(type, form_types[form]) == 0)
            return form;
    return FORM_JSON;
}

static void add_number(struct text *to, double value)
{
    struct json j = {.text = to};
    if (isfinite(value)) /* an empty field: not known */
        put_number(&j, value);
}

static void add_row(struct text *to, const struct cost_point *p, unsigned metrics)
{
    const double numbers[] = {p->cost, p->validation_cost, p->learning_rate, p->gradient_norm};
    const double scores[SCORE_COUNT] = {
        [SCORE_ACCURACY] = p->scores.accuracy, [SCORE_MAE] = p->scores.mae, [SCORE_R2] = p->scores.r2};
    char time[CLOCK_TEXT_MAX];
    text_printf(to, "%" PRId64 ",%" PRId64 ",", p->step, p->epoch);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        add_number(to, numbers[i]);
        text_putc(to, ',');
    }
    for (int i = 0; i < SCORE_COUNT; i++)
        if (metrics & 1U << i) {
            add_number(to, scores[i]);
            text_putc(to, ',');
        }
    text_printf(to, "%s\r\n", clock_text(p->time, time));
}

static void add_header(struct text *to, struct format format)
{
    if (format.form != FORM_CSV)
        return;
    text_puts(to, "step,epoch,cost,validation_cost,learning_rate,gradient_norm,");
    for (int i = 0; i < SCORE_COUNT; i++)
        if (format.metrics & 1U << i)
            text_printf(to, "%s,", score_name((enum score)i));
    text_puts(to, "time\r\n");
}

static void add_point(struct text *to, struct format format, const struct cost_point *p)
{
    struct json j = {.text = to};
    if (format.form == FORM_CSV) {
        add_row(to, p, format.metrics);
    } else {
        put_point(&j, p, format.metrics);
        text_putc(to, '\n');
    }
}

/* ---- an answer in memory ---- */

struct history {
    struct cost_point *points; /* owned */
    size_t count, total, wanted;
    struct format format;
};

static void put_costs(struct text *to, const struct history *h, const unsigned char *marks)
{
    struct json j = {.text = to};
    put_object(&j);
    put_key(&j, "points");
    put_array(&j);
    for (size_t i = 0; i < h->count; i++)
        if (marks == NULL || marks[i])
            put_point(&j, &h->points[i], h->format.metrics);
    put_array_end(&j);
    put_key(&j, "sampled");
    put_bool(&j, marks != NULL);
    member_whole(&j, "total", (int64_t)h->total);
    put_object_end(&j);
}

static err_code write_history(struct text *to, const struct history *h, struct error *err)
{
    const bool sampled = h->wanted > 0 && h->count > h->wanted;
    unsigned char *marks = sampled ? calloc(h->count, 1) : NULL;
    if (sampled && marks == NULL)
        return error_set(err, ERR_out_of_memory, NULL);
    if (sampled)
        sample_points(h->points, h->count, h->wanted, marks);
    if (h->format.form == FORM_JSON) {
        put_costs(to, h, marks);
    } else {
        add_header(to, h->format);
        for (size_t i = 0; i < h->count; i++)
            if (marks == NULL || marks[i])
                add_point(to, h->format, &h->points[i]);
    }
    free(marks);
    return ERR_ok;
}

/* ---- an answer as a stream: pages of the whole history ---- */

enum { PAGE = 1024, BLOCK = 32 << 10 };

struct cost_stream {
    struct body_source source;
    struct store *store;
    char job[UUID_TEXT_MAX];
    struct format format;
    int64_t after; /* the step of the last point that was read */
    struct text text;
    size_t sent;
};

static void stream_free(struct body_source *source)
{
    struct cost_stream *s = (struct cost_stream *)source;
    text_clear(&s->text);
    free(s);
}

/* The next page becomes text; none at the end. */
static bool read_page(struct cost_stream *s)
{
    struct cost_point *points = NULL;
    size_t count = 0, total;
    if (store_job_costs(s->store, s->job, s->after, PAGE, &points, &count, &total, NULL) != ERR_ok)
        return false;
    for (size_t i = 0; i < count; i++)
        add_point(&s->text, s->format, &points[i]);
    if (count > 0)
        s->after = points[count - 1].step;
    free(points);
    return !s->text.failed;
}

static ssize_t stream_read(struct body_source *source, char *to, size_t size)
{
    struct cost_stream *s = (struct cost_stream *)source;
    if (s->sent == s->text.length) {
        s->sent = s->text.length = 0;
        if (!read_page(s))
            return BODY_BROKEN;
        if (s->text.length == 0)
            return BODY_END;
    }
    const size_t left = s->text.length - s->sent, part = left < size ? left : size;
    memcpy(to, s->text.data + s->sent, part);
    s->sent += part;
    return (ssize_t)part;
}

static err_code begin_stream(struct reply *ret, const struct request *r, struct format format, int64_t after,
                             struct error *err)
{
    struct cost_stream *s = calloc(1, sizeof *s);
    if (s == NULL)
        return error_set(err, ERR_out_of_memory, NULL);
    s->source = (struct body_source){.read = stream_read, .free = stream_free, .block = BLOCK};
    s->store = r->app->store;
    s->format = format;
    s->after = after;
    strncpy(s->job, r->arguments[0], sizeof s->job - 1);
    add_header(&s->text, format);
    ret->status = 200;
    ret->source = &s->source;
    return ERR_ok;
}

/* ---- the handler ---- */

static err_code answer_whole(struct reply *ret, const struct request *r, struct format format, int64_t after,
                             size_t wanted, struct error *err)
{
    struct history h = {.wanted = wanted, .format = format};
    err_code code =
        store_job_costs(r->app->store, r->arguments[0], after, SIZE_MAX, &h.points, &h.count, &h.total, err);
    if (code == ERR_ok)
        code = write_history(&ret->body, &h, err);
    free(h.points);
    if (code != ERR_ok)
        return code;
    /* Points are only ever added, and never change. */
    struct text revision = {0};
    text_printf(&revision, "%s %zu", r->arguments[0], h.total);
    if (!revision.failed)
        reply_tagged(ret, r, revision.data);
    text_clear(&revision);
    return ERR_ok;
}

static err_code find_metrics(const struct request *r, unsigned *ret, struct error *err)
{
    struct store_job job = {0};
    struct job_spec spec = {0};
    err_code code = store_job_get(r->app->store, r->arguments[0], &job, err);
    if (code == ERR_ok)
        code = decode_job(job.spec, &spec, err);
    *ret = spec.train.metrics;
    job_spec_clear(&spec);
    store_job_clear(&job);
    return code;
}

enum handled job_costs(struct request *r, struct reply *ret)
{
    struct error err = {0};
    struct format format = {.form = form_of(r)};
    int64_t after = request_whole(r, "after", 0, step_max, 0, &err);
    int64_t wanted = request_whole(r, "max_points", SAMPLE_LEAST, points_max, 0, &err);
    err_code code = error_close(&err, ERR_invalid_request, "the request");
    ret->content_type = form_types[format.form];
    if (code == ERR_ok)
        code = find_metrics(r, &format.metrics, &err);
    if (code == ERR_ok && format.form != FORM_JSON && wanted == 0)
        code = begin_stream(ret, r, format, after, &err);
    else if (code == ERR_ok)
        code = answer_whole(ret, r, format, after, (size_t)wanted, &err);
    if (code != ERR_ok)
        reply_problem(ret, r, &err);
    return HANDLED;
}
