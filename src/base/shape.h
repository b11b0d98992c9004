/* Shapes: the dimensions of a tensor, some of which may be multiples of the symbol `batch`.
 *
 * A dimension that is not negative is a number. -1 is `batch`, -10 is 10 * batch. DIM_ANY is a dimension that only a
 * known batch tells (batch + 3): it agrees with everything until the graph is bound to a batch size. A shape is a
 * value: copied, never freed. */
#ifndef GRADD_BASE_SHAPE_H
#define GRADD_BASE_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RANK_MAX = 8 };
#define DIM_BATCH ((int64_t)-1)
#define DIM_ANY INT64_MIN
#define ELEMENTS_MAX ((int64_t)1 << 31) /* of one tensor */

struct shape {
    int rank; /* 0 to RANK_MAX; 0 is a scalar */
    int64_t dim[RANK_MAX];
};

struct shape shape_of(int rank, const int64_t *dims);
bool shape_equal(struct shape a, struct shape b);
bool shape_is_concrete(struct shape s);                 /* no dimension is symbolic */
struct shape shape_bind(struct shape s, int64_t batch); /* DIM_ANY stays; what overflows becomes INT64_MAX */
/* Number of elements of a concrete shape; false if it is over ELEMENTS_MAX (leaving dimensions of 0 out, so that
 * strides never overflow), or the shape is not concrete. */
bool shape_elements(struct shape s, int64_t *ret);
/* Writes "(batch,10)", "()" , "(3,)" as "(3)"; `?` for DIM_ANY. Returns buffer. */
enum { SHAPE_TEXT_MAX = 8 * 32 };
const char *shape_text(struct shape s, char buffer[SHAPE_TEXT_MAX]);

#endif
