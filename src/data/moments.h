/* Mean, spread and extremes of many series side by side, in one pass over a stream of blocks of rows.
 *
 * A block is summed twice (mean first, then squared deviations from it), row after row; blocks are merged by the
 * updating formula of Chan, Golub and LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample
 * Variances", 1979. The bits depend on the values, their order and where the blocks are cut, and on nothing else. */
#ifndef GRADD_DATA_MOMENTS_H
#define GRADD_DATA_MOMENTS_H

#include <stdbool.h>
#include <stddef.h>

struct moments {
    size_t width;  /* series */
    double count;  /* rows so far */
    double *store; /* owned; what the rest points into */
    double *mean, *squares, *min, *max, *block_mean, *block_squares;
};

struct summary {
    double min, max, mean, std; /* std: the population's; exactly 0 where all values are equal */
};

bool moments_init(struct moments *m, size_t width); /* false: no memory */
void moments_clear(struct moments *m);
void moments_add(struct moments *m, const double *rows, size_t row_count); /* one block: row_count * width values */
/* Of `width` series from `first` on, taken as one. At least one row must have been added. */
struct summary moments_summary(const struct moments *m, size_t first, size_t width);

#endif
