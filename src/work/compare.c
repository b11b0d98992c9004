#include "work/compare.h"
#include <stdlib.h>
#include <string.h>

enum { PAGE = 4096 };

struct page_of_points {
    struct cost_point *points; /* owned */
    size_t count, total;
};

static err_code read_page(struct store *s, const char *job, int64_t after, struct page_of_points *ret,
                          struct error *err)
{
    free(ret->points);
    *ret = (struct page_of_points){0};
    return store_job_costs(s, job, after, PAGE, &ret->points, &ret->count, &ret->total, err);
}

/* Not even zeros of two signs are the same. */
static uint64_t bits_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static bool same_point(const struct cost_point *a, const struct cost_point *b)
{
    const double numbers[][2] = {
        {a->cost, b->cost},
        {a->validation_cost, b->validation_cost},
        {a->learning_rate, b->learning_rate},
        {a->gradient_norm, b->gradient_norm},
        {a->scores.accuracy, b->scores.accuracy},
        {a->scores.mae, b->scores.mae},
        {a->scores.r2, b->scores.r2},
    };
    bool same = a->step == b->step && a->epoch == b->epoch;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        same = same && bits_of(numbers[i][0]) == bits_of(numbers[i][1]);
    return same;
}

static bool same_page(const struct page_of_points *a, const struct page_of_points *b)
{
    bool same = a->count == b->count && a->total == b->total;
    for (size_t i = 0; same && i < a->count; i++)
        same = same_point(&a->points[i], &b->points[i]);
    return same;
}

err_code compare_histories(struct store *s, const char *job, const char *other, bool *ret_same, struct error *err)
{
    struct page_of_points a = {0}, b = {0};
    struct error missing = {0};
    bool same = true;
    int64_t after = -1;
    err_code code = ERR_ok;
    do {
        code = read_page(s, other, after, &b, &missing);
        if (code == ERR_ok)
            code = read_page(s, job, after, &a, err);
        else if (code != ERR_not_found)
            error_move(err, &missing);
        same = same && (code == ERR_not_found || same_page(&a, &b));
        if (code == ERR_ok && a.count > 0)
            after = a.points[a.count - 1].step;
    } while (code == ERR_ok && same && a.count > 0);
    error_clear(&missing);
    free(a.points);
    free(b.points);
    if (code == ERR_not_found)
        code = ERR_ok;
    if (code == ERR_ok)
        *ret_same = same;
    return code;
}
