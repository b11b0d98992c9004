/* Matrix products alone, at the shapes of a training step: the floor under its time.
 *
 * c (m,n) = a (m,k) b (k,n), float32, row-major and beta 0. A transposed operand is stored the other way round, as
 * backward meets it: X^T dY has a transposed, dY W^T has b transposed. Libraries take turns at each product; each
 * library may try it in several ways. */
#ifndef GRADD_BENCH_PRODUCTS_H
#define GRADD_BENCH_PRODUCTS_H

#include "graph/graph.h"
#include "measure.h"

struct product {
    int64_t m, n, k;
    bool a_transposed, b_transposed;
    int64_t count; /* how often it occurs */
};

enum { PRODUCTS_MAX = 128 };
struct product_list {
    struct product product[PRODUCTS_MAX]; /* different ones */
    size_t count;
};

/* Every product that the outputs of a simplified graph of concrete shapes need; a product of a batch counts once for
 * each of its matrices. */
void products_of_graph(const struct graph *g, const node_id *outputs, size_t count, struct product_list *ret);
double products_flops(const struct product_list *list);

/* ---- those who multiply */

enum library { LIBRARY_OPENBLAS, LIBRARY_LIBXSMM, LIBRARY_GRADD, LIBRARY_COUNT };

/* What all of them multiply: row-major without padding, in the order in which it is stored. */
struct operands {
    struct product product;
    float *a, *b;
};

/* A way to compute a product. */
struct contender {
    enum library library;
    const char *how;
    void (*multiply)(void *context);
    void (*end)(void *context); /* frees the context */
    void *context;
    const float *(*result)(const void *context); /* once multiplied: m rows, c_row elements apart */
    int64_t c_row;
};

enum { WAYS_MAX = 8 };
/* Each writes the ways that its library has, at most WAYS_MAX, and returns their number: 0 where there is no such
 * library. The operands must outlive them. */
size_t openblas_ways(const struct operands *o, struct contender *ret);
size_t libxsmm_ways(const struct operands *o, struct contender *ret);
size_t gradd_ways(const struct operands *o, struct contender *ret);

/* ---- contests */

struct contest;
/* Makes all ways of all products; checks that each gives the product. */
struct contest *contest_new(const struct product_list *list);
/* How many contestants there are; they are written to ret if it is not NULL. */
size_t contest_contestants(struct contest *c, struct contestant *ret);
/* After rounds(): takes the times of contest_contestants. */
void contest_take(struct contest *c, const struct contestant *contestants);
double contest_us(const struct contest *c); /* the sum over all products of the least */
/* Prints a line a product: the least of each library. */
void contest_print(const struct contest *c, const char *bench);
void contest_free(struct contest *c);

#endif
