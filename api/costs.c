/* GET /v1/jobs/{id}/costs: a job's cost history, whole or sampled. */
#include "api/member.h"
#include "api/routes.h"
#include "api/sample.h"
#include <inttypes.h>
#include <stdlib.h>

static const int64_t points_max = 10000000;
static const int64_t step_max = INT64_C(9007199254740991);

static void put_point(struct json *j, const struct cost_point *p)
{
    put_object(j);
    member_whole(j, "step", p->step);
    member_whole(j, "epoch", p->epoch);
    member_number(j, "cost", p->cost);
    member_number(j, "validation_cost", p->validation_cost);
    member_number(j, "learning_rate", p->learning_rate);
    member_number(j, "gradient_norm", p->gradient_norm);
    member_time(j, "time", p->time);
    put_object_end(j);
}

static err_code put_costs(struct text *to, const struct cost_point *points, size_t count, size_t total, size_t wanted,
                          struct error *err)
{
    bool sampled = wanted > 0 && count > wanted;
    unsigned char *marks = sampled ? calloc(count, 1) : NULL;
    if (sampled && !marks)
        return error_set(err, ERR_out_of_memory, NULL);
    if (sampled)
        sample_points(points, count, wanted, marks);
    struct json j = {.text = to};
    put_object(&j);
    put_key(&j, "points");
    put_array(&j);
    for (size_t i = 0; i < count; i++) {
        if (!sampled || marks[i])
            put_point(&j, &points[i]);
    }
    put_array_end(&j);
    put_key(&j, "sampled");
    put_bool(&j, sampled);
    member_whole(&j, "total", (int64_t)total);
    put_object_end(&j);
    free(marks);
    return ERR_ok;
}

enum handled job_costs(struct request *r, struct reply *ret)
{
    struct error err = {0};
    struct cost_point *points = NULL;
    size_t count = 0, total = 0;
    int64_t after = request_whole(r, "after", 0, step_max, 0, &err);
    int64_t wanted = request_whole(r, "max_points", SAMPLE_LEAST, points_max, 0, &err);
    err_code code = error_close(&err, ERR_invalid_request, "the request");
    if (code == ERR_ok)
        code = store_job_costs(r->app->store, r->arguments[0], after, SIZE_MAX, &points, &count, &total, &err);
    if (code == ERR_ok)
        code = put_costs(&ret->body, points, count, total, (size_t)wanted, &err);
    if (code == ERR_ok) {
        /* Points are only ever added, and never change. */
        struct text revision = {0};
        text_printf(&revision, "%s %zu", r->arguments[0], total);
        ret->content_type = "application/json";
        if (!revision.failed)
            reply_tagged(ret, r, revision.data);
        text_clear(&revision);
    } else {
        reply_problem(ret, r, &err);
    }
    free(points);
    return HANDLED;
}
