#include "data/moments.h"
#include "base/size.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SERIES_ARRAYS = 6 };

bool moments_init(struct moments *m, size_t width)
{
    size_t count = 0;
    *m = (struct moments){.width = width};
    if (!size_mul(width, SERIES_ARRAYS, &count))
        return false;
    m->store = calloc(count, sizeof *m->store);
    if (!m->store)
        return false;
    m->mean = m->store;
    m->squares = m->mean + width;
    m->min = m->squares + width;
    m->max = m->min + width;
    m->block_mean = m->max + width;
    m->block_squares = m->block_mean + width;
    return true;
}

void moments_clear(struct moments *m)
{
    free(m->store);
    *m = (struct moments){0};
}

/* The mean and the squared deviations of a block, and the extremes of all. */
static void sum_block(struct moments *m, const double *rows, size_t row_count)
{
    size_t width = m->width;
    if (m->count == 0) {
        memcpy(m->min, rows, width * sizeof *rows);
        memcpy(m->max, rows, width * sizeof *rows);
    }
    memset(m->block_mean, 0, width * sizeof *m->block_mean);
    memset(m->block_squares, 0, width * sizeof *m->block_squares);
    for (size_t r = 0; r < row_count; r++) {
        const double *row = rows + r * width;
        for (size_t k = 0; k < width; k++) {
            double x = row[k];
            m->block_mean[k] += x;
            m->min[k] = x < m->min[k] ? x : m->min[k];
            m->max[k] = x > m->max[k] ? x : m->max[k];
        }
    }
    for (size_t k = 0; k < width; k++)
        m->block_mean[k] /= (double)row_count;
    for (size_t r = 0; r < row_count; r++) {
        const double *row = rows + r * width;
        for (size_t k = 0; k < width; k++) {
            double deviation = row[k] - m->block_mean[k];
            m->block_squares[k] += deviation * deviation;
        }
    }
}

/* Merges n values of another mean and other squares into count values of *mean and *squares. */
static void merge(double *mean, double *squares, double count, double other_mean, double other_squares, double n)
{
    double total = count + n;
    double delta = other_mean - *mean;
    *mean += delta * (n / total);
    *squares += other_squares + delta * delta * (count * (n / total));
}

void moments_add(struct moments *m, const double *rows, size_t row_count)
{
    if (row_count == 0)
        return;
    double n = (double)row_count;
    sum_block(m, rows, row_count);
    if (m->count == 0) {
        memcpy(m->mean, m->block_mean, m->width * sizeof *m->mean);
        memcpy(m->squares, m->block_squares, m->width * sizeof *m->squares);
    } else {
        for (size_t k = 0; k < m->width; k++)
            merge(&m->mean[k], &m->squares[k], m->count, m->block_mean[k], m->block_squares[k], n);
    }
    m->count += n;
}

struct summary moments_summary(const struct moments *m, size_t first, size_t width)
{
    struct summary s = {.min = m->min[first], .max = m->max[first], .mean = m->mean[first]};
    double squares = m->squares[first];
    double count = m->count;
    for (size_t k = first + 1; k < first + width; k++) {
        s.min = m->min[k] < s.min ? m->min[k] : s.min;
        s.max = m->max[k] > s.max ? m->max[k] : s.max;
        merge(&s.mean, &squares, count, m->mean[k], m->squares[k], m->count);
        count += m->count;
    }
    if (s.min == s.max) {
        s.mean = s.min;
        return s;
    }
    s.std = sqrt(squares / count);
    return s;
}
