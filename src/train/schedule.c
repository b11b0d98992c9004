#include "train/schedule.h"

#include "base/functions.h"
#include <float.h>
#include <string.h>

static const char *const names[SCHEDULE_COUNT] = {
    [SCHEDULE_CONSTANT] = "constant", [SCHEDULE_STEP] = "step",           [SCHEDULE_EXPONENTIAL] = "exponential",
    [SCHEDULE_COSINE] = "cosine",     [SCHEDULE_ONE_CYCLE] = "one_cycle",
};

#define FIELD(member) .name = #member, .offset = offsetof(struct schedule, member)
#define POSITIVE .least = 0, .least_open = true, .most = DBL_MAX
#define WHOLE .is_whole = true, .least = 1, .most = 9007199254740991.0

const struct schedule_field schedule_fields[] = {
    {FIELD(every_epochs), .schedule = SCHEDULE_STEP, .required = true, WHOLE},
    {FIELD(factor), .schedule = SCHEDULE_STEP, .required = true, POSITIVE},

    {FIELD(factor), .schedule = SCHEDULE_EXPONENTIAL, .required = true, POSITIVE},

    {FIELD(final_learning_rate), .schedule = SCHEDULE_COSINE, .fallback = 0, .least = 0, .most = DBL_MAX},

    {FIELD(max_learning_rate), .schedule = SCHEDULE_ONE_CYCLE, .required = true, POSITIVE},
    {FIELD(warmup_fraction), .schedule = SCHEDULE_ONE_CYCLE, .fallback = 0.3, .least = 0, .most = 1},
    {FIELD(start_divisor), .schedule = SCHEDULE_ONE_CYCLE, .fallback = 25, POSITIVE},
    {FIELD(final_divisor), .schedule = SCHEDULE_ONE_CYCLE, .fallback = 10000, POSITIVE},
};
const size_t schedule_field_count = sizeof schedule_fields / sizeof *schedule_fields;

bool schedule_find(const char *name, enum schedule_name *ret)
{
    for (size_t i = 0; i < SCHEDULE_COUNT; i++)
        if (strcmp(name, names[i]) == 0) {
            *ret = (enum schedule_name)i;
            return true;
        }
    return false;
}

const char *schedule_name(enum schedule_name name)
{
    return names[name];
}

struct schedule schedule_defaults(enum schedule_name name)
{
    struct schedule s = {.name = name};
    for (size_t i = 0; i < schedule_field_count; i++) {
        const struct schedule_field *f = &schedule_fields[i];
        void *member = (char *)&s + f->offset;
        if (f->schedule == name && f->is_whole)
            *(int64_t *)member = (int64_t)f->fallback;
        else if (f->schedule == name)
            *(double *)member = f->fallback;
    }
    return s;
}

/* Half a cosine from `from` (at 0) to `to` (at 1). */
static double anneal(double from, double to, double at)
{
    return to + (from - to) * ((1 + fn_cos(0x1.921fb54442d18p+1 * at)) / 2);
}

/* The last step of the rise is fraction * steps - 1, which need not be whole, and the last of all is steps - 1. */
static double one_cycle(const struct schedule *s, double step, double steps)
{
    const double low = s->max_learning_rate / s->start_divisor;
    const double top = s->warmup_fraction * steps - 1, end = steps - 1;
    if (step <= top && top > 0)
        return anneal(low, s->max_learning_rate, step / top);
    const double fall = end - (top > 0 ? top : 0);
    return anneal(s->max_learning_rate, low / s->final_divisor, fall > 0 ? (step - (end - fall)) / fall : 1);
}

static double scheduled(const struct schedule *s, double rate, int64_t step, const struct schedule_span *span)
{
    const int64_t epoch = step / span->steps_per_epoch;
    const int64_t times = s->name == SCHEDULE_STEP ? epoch / s->every_epochs : 0;
    switch (s->name) {
    case SCHEDULE_STEP:
        return rate * fn_pow(s->factor, (double)times);
    case SCHEDULE_EXPONENTIAL:
        return rate * fn_pow(s->factor, (double)epoch);
    case SCHEDULE_COSINE:
        return anneal(rate, s->final_learning_rate, (double)step / (double)span->steps);
    case SCHEDULE_ONE_CYCLE:
        return one_cycle(s, (double)step, (double)span->steps);
    default:
        return rate;
    }
}

double schedule_rate(const struct schedule *s, double rate, int64_t step, const struct schedule_span *span)
{
    const double full = scheduled(s, rate, step, span);
    return step < s->warmup_steps ? full * ((double)step / (double)s->warmup_steps) : full;
}
