#include "train/lbfgs.h"

#include "base/size.h"
#include <math.h>
#include <string.h>

/* What lies where in the memory: numbers first, then 1 / (y s) of each change, then vectors. */
enum { ITERATIONS, CHANGES, LENGTH, SCALE, NUMBERS };

struct lbfgs {
    const struct lbfgs_settings *settings;
    const struct lbfgs_function *f;
    double rate;
    size_t n;
    double *numbers;
    double *ro;                         /* history */
    double *direction, *last_gradient;  /* n */
    double *gradient_changes, *changes; /* history * n: y and s, the oldest first */
    /* within a step */
    double *x;          /* n: where the line search evaluates, and where the step ends */
    double *from;       /* n: where it starts */
    double *gradient;   /* n, there */
    double *trial[3];   /* n each: the gradients of a line search */
    double *multiplier; /* history */
    double value;       /* at `from` */
    int64_t evaluations;
};

static size_t count_doubles(size_t vectors, size_t n, size_t history, size_t numbers)
{
    size_t sum;
    bool fits = size_mul(vectors, n, &sum) && size_add(sum, history, &sum) && size_add(sum, numbers, &sum);
    return fits ? sum : SIZE_MAX;
}

size_t lbfgs_memory(size_t n, size_t history)
{
    return history < SIZE_MAX / 4 ? count_doubles(2 * history + 2, n, history, NUMBERS) : SIZE_MAX;
}

size_t lbfgs_scratch(size_t n, size_t history)
{
    return count_doubles(5, n, history, 0);
}

/* ---- vectors ---- */

static double dot(const double *a, const double *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static double largest(const double *a, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++) {
        double size = fabs(a[i]);
        if (isnan(size))
            return size;
        most = size > most ? size : most;
    }
    return most;
}

static void add_scaled(double *to, double factor, const double *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] += factor * x[i];
}

static void copy(double *to, const double *from, size_t n)
{
    memcpy(to, from, n * sizeof *to);
}

/* ---- the line search ---- */

/* A point of the line: how far along the direction, the value there, its slope along the line, and its gradient. */
struct point {
    double t, value, slope;
    double *gradient;
};

/* Of an element whose direction is 0 not even the sign of a zero changes. */
static void move(struct lbfgs *l, double t)
{
    for (size_t i = 0; i < l->n; i++)
        l->x[i] = l->direction[i] == 0 ? l->from[i] : l->from[i] + t * l->direction[i];
}

static err_code evaluate(struct lbfgs *l, double t, double *gradient, struct point *ret, struct error *err)
{
    struct point p = {.t = t, .gradient = gradient};
    move(l, t);
    l->evaluations++;
    err_code code = l->f->evaluate(l->f->context, l->x, &p.value, gradient, err);
    if (code != ERR_ok)
        return code;
    p.slope = dot(gradient, l->direction, l->n);
    *ret = p;
    return ERR_ok;
}

/* Where the cubic through two points has its minimum, within bounds; their middle if it has none. */
static double cubic_minimum(const struct point *a, const struct point *b, double least, double most)
{
    double d1 = a->slope + b->slope - 3 * (a->value - b->value) / (a->t - b->t);
    double square = d1 * d1 - a->slope * b->slope;
    const struct point *left = a->t <= b->t ? a : b, *right = a->t <= b->t ? b : a;
    if (!(square >= 0))
        return (least + most) / 2;
    double root = sqrt(square);
    double t = right->t - (right->t - left->t) * ((right->slope + root - d1) / (right->slope - left->slope + 2 * root));
    if (!isfinite(t))
        return (least + most) / 2;
    return t < least ? least : t > most ? most : t;
}

enum { SEARCH_MAX = 25 }; /* evaluations after the first, in one search */
static const double DECREASE = 1e-4, CURVATURE = 0.9;

struct search {
    struct point start;
    struct point ends[2]; /* the minimum lies between */
    int rounds;
    bool done; /* ends[0] keeps the conditions */
};

static bool is_too_high(const struct search *s, const struct point *p)
{
    return !(p->value <= s->start.value + DECREASE * p->t * s->start.slope);
}

static bool is_flat(const struct search *s, const struct point *p)
{
    return fabs(p->slope) <= -CURVATURE * s->start.slope;
}

/* Goes on until there is a minimum between two points, or a point that keeps the conditions. */
static err_code bracket(struct lbfgs *l, struct search *s, double t, struct error *err)
{
    struct point before = s->start, now;
    before.gradient = l->trial[0];
    copy(before.gradient, s->start.gradient, l->n);
    err_code code = evaluate(l, t, l->trial[1], &now, err);
    while (code == ERR_ok && s->rounds < SEARCH_MAX) {
        bool rises = is_too_high(s, &now) || (s->rounds > 1 && now.value >= before.value);
        s->done = !rises && is_flat(s, &now);
        if (rises || s->done || now.slope >= 0)
            break;
        double next = cubic_minimum(&before, &now, now.t + 0.01 * (now.t - before.t), now.t * 10);
        double *spare = before.gradient;
        before = now;
        s->rounds++;
        code = evaluate(l, next, spare, &now, err);
    }
    if (code != ERR_ok)
        return code;
    if (s->rounds == SEARCH_MAX) {
        double *spare = before.gradient;
        before = s->start;
        before.gradient = spare;
        copy(spare, s->start.gradient, l->n);
    }
    s->ends[0] = s->done ? now : before;
    s->ends[1] = now;
    return ERR_ok;
}

/* Where between the ends to look next. Too near to an end for the second time running, it is moved away from it. */
static double next_between(const struct search *s, bool *insufficient)
{
    const struct point *a = &s->ends[0], *b = &s->ends[1];
    double least = fmin(a->t, b->t), most = fmax(a->t, b->t), margin = 0.1 * (most - least);
    double t = cubic_minimum(a, b, least, most);
    if (!(fmin(most - t, t - least) < margin)) {
        *insufficient = false;
        return t;
    }
    bool again = *insufficient || t >= most || t <= least;
    *insufficient = !again;
    if (!again)
        return t;
    return fabs(t - most) < fabs(t - least) ? most - margin : least + margin;
}

/* Draws the ends together until the low one keeps the conditions. Returns which end is the low one. */
static err_code zoom(struct lbfgs *l, struct search *s, size_t *ret_low, struct error *err)
{
    double reach = largest(l->direction, l->n);
    double *spare = l->trial[2];
    bool insufficient = false;
    size_t low = s->ends[1].value < s->ends[0].value;
    for (; !s->done && s->rounds < SEARCH_MAX; s->rounds++) {
        if (fabs(s->ends[1].t - s->ends[0].t) * reach < l->settings->tolerance_change)
            break;
        struct point p;
        size_t high = 1 - low;
        err_code code = evaluate(l, next_between(s, &insufficient), spare, &p, err);
        if (code != ERR_ok)
            return code;
        spare = s->ends[high].gradient;
        if (is_too_high(s, &p) || p.value >= s->ends[low].value) {
            s->ends[high] = p;
            low = s->ends[1].value < s->ends[0].value;
            continue;
        }
        s->done = is_flat(s, &p);
        if (!s->done && p.slope * (s->ends[high].t - s->ends[low].t) >= 0)
            s->ends[high] = s->ends[low];
        else
            spare = s->ends[low].gradient;
        s->ends[low] = p;
    }
    *ret_low = low;
    return ERR_ok;
}

/* Moves x, value and gradient along the direction, from a first guess of t on; *ret_t: how far. */
static err_code search_line(struct lbfgs *l, double t, double slope, double *ret_t, struct error *err)
{
    struct search s = {.start = {.t = 0, .value = l->value, .slope = slope, .gradient = l->gradient}};
    size_t low = 0;
    copy(l->from, l->x, l->n);
    err_code code = bracket(l, &s, t, err);
    if (code == ERR_ok)
        code = zoom(l, &s, &low, err);
    if (code != ERR_ok)
        return code;
    const struct point *end = &s.ends[low];
    move(l, end->t);
    l->value = end->value;
    copy(l->gradient, end->gradient, l->n);
    *ret_t = end->t;
    return ERR_ok;
}

/* ---- the direction ---- */

/* Remembers how the gradient changed along the last step, if it curved upwards. */
static void remember(struct lbfgs *l)
{
    const size_t n = l->n, most = l->settings->history;
    size_t count = (size_t)l->numbers[CHANGES];
    double ys = 0, yy = 0;
    for (size_t i = 0; i < n; i++) {
        double change = l->gradient[i] - l->last_gradient[i];
        ys += change * (l->direction[i] * l->numbers[LENGTH]);
        yy += change * change;
    }
    if (!(ys > 1e-10))
        return;
    if (count == most) {
        memmove(l->ro, l->ro + 1, (most - 1) * sizeof *l->ro);
        memmove(l->gradient_changes, l->gradient_changes + n, (most - 1) * n * sizeof(double));
        memmove(l->changes, l->changes + n, (most - 1) * n * sizeof(double));
        count--;
    }
    for (size_t i = 0; i < n; i++) {
        l->gradient_changes[count * n + i] = l->gradient[i] - l->last_gradient[i];
        l->changes[count * n + i] = l->direction[i] * l->numbers[LENGTH];
    }
    l->ro[count] = 1 / ys;
    l->numbers[CHANGES] = (double)(count + 1);
    l->numbers[SCALE] = ys / yy;
}

/* The approximate inverse of the Hessian times the gradient, down: Nocedal's two loops. */
static void turn(struct lbfgs *l)
{
    const size_t n = l->n, count = (size_t)l->numbers[CHANGES];
    double *d = l->direction;
    for (size_t i = 0; i < n; i++)
        d[i] = -l->gradient[i];
    for (size_t k = count; k-- > 0;) {
        l->multiplier[k] = dot(l->changes + k * n, d, n) * l->ro[k];
        add_scaled(d, -l->multiplier[k], l->gradient_changes + k * n, n);
    }
    for (size_t i = 0; i < n; i++)
        d[i] *= l->numbers[SCALE];
    for (size_t k = 0; k < count; k++) {
        double correction = dot(l->gradient_changes + k * n, d, n) * l->ro[k];
        add_scaled(d, l->multiplier[k] - correction, l->changes + k * n, n);
    }
}

static double first_length(const struct lbfgs *l)
{
    double sum = 0;
    for (size_t i = 0; i < l->n; i++)
        sum += fabs(l->gradient[i]);
    return (1 / sum < 1 ? 1 / sum : 1) * l->rate;
}

/* ---- the step ---- */

static bool is_stationary(const struct lbfgs *l)
{
    return largest(l->gradient, l->n) <= l->settings->tolerance_gradient;
}

/* One iteration; *ret_done: there is no use in another. */
static err_code iterate(struct lbfgs *l, bool *ret_done, struct error *err)
{
    const double before = l->value, least = l->settings->tolerance_change;
    bool first = l->numbers[ITERATIONS] == 0;
    l->numbers[ITERATIONS]++;
    if (first)
        l->numbers[SCALE] = 1;
    else
        remember(l);
    turn(l);
    copy(l->last_gradient, l->gradient, l->n);
    l->numbers[LENGTH] = first ? first_length(l) : l->rate;
    double slope = dot(l->gradient, l->direction, l->n);
    if (slope > -least) {
        *ret_done = true;
        return ERR_ok;
    }
    err_code code = search_line(l, l->numbers[LENGTH], slope, &l->numbers[LENGTH], err);
    *ret_done = is_stationary(l) || largest(l->direction, l->n) * l->numbers[LENGTH] <= least ||
                fabs(l->value - before) < least;
    return code;
}

static struct lbfgs lay_out(const struct lbfgs_settings *settings, const struct lbfgs_function *f, double rate,
                            size_t n, double *x, double *memory, double *scratch)
{
    const size_t history = settings->history;
    struct lbfgs l = {.settings = settings, .f = f, .rate = rate, .n = n, .numbers = memory};
    l.x = x;
    l.ro = memory + NUMBERS;
    l.direction = l.ro + history;
    l.last_gradient = l.direction + n;
    l.gradient_changes = l.last_gradient + n;
    l.changes = l.gradient_changes + history * n;
    l.multiplier = scratch;
    l.from = scratch + history;
    l.gradient = l.from + n;
    for (size_t i = 0; i < 3; i++)
        l.trial[i] = l.gradient + (i + 1) * n;
    return l;
}

err_code lbfgs_step(const struct lbfgs_settings *settings, const struct lbfgs_function *f, double rate, size_t n,
                    double *x, double *memory, double *scratch, double *ret_value, struct error *err)
{
    struct lbfgs l = lay_out(settings, f, rate, n, x, memory, scratch);
    const int64_t iterations = settings->max_evaluations * 4 / 5 > 1 ? settings->max_evaluations * 4 / 5 : 1;
    err_code code = f->evaluate(f->context, x, &l.value, l.gradient, err);
    l.evaluations = 1;
    if (code != ERR_ok)
        return code;
    const double value = l.value;
    bool done = !isfinite(value) || is_stationary(&l);
    for (int64_t i = 0; i < iterations && !done && code == ERR_ok; i++) {
        code = iterate(&l, &done, err);
        done = done || l.evaluations >= settings->max_evaluations;
    }
    if (code == ERR_ok)
        *ret_value = value;
    return code;
}
