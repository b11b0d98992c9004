/* Products by OpenBLAS, on one thread. It is looked for when the benchmark runs, after its variables were cleared from
 * the environment: it reads them when it is loaded. */
#include "products.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

/* Of CBLAS: */
enum { ROW_MAJOR = 101, PLAIN = 111, TRANSPOSED = 112 };
typedef void (*gemm_fn)(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha, const float *a,
                        int a_row, const float *b, int b_row, float beta, float *c, int c_row);
typedef void (*gemv_fn)(int order, int transpose_a, int rows, int columns, float alpha, const float *a, int a_row,
                        const float *x, int x_step, float beta, float *y, int y_step);
typedef void (*set_threads_fn)(int threads);

struct openblas {
    gemm_fn gemm;
    gemv_fn gemv;
};

struct way {
    const struct operands *o;
    struct openblas openblas;
    float *c;
};

/* POSIX lets functions be found as objects; ISO C has no cast between them. */
static bool find(void *library, const char *name, void *ret_function)
{
    void *symbol = dlsym(library, name);
    memcpy(ret_function, &symbol, sizeof symbol);
    return symbol != NULL;
}

static bool load(struct openblas *ret)
{
    set_threads_fn set_threads = NULL;
    void *library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL || !find(library, "cblas_sgemm", (void *)&ret->gemm) ||
        !find(library, "cblas_sgemv", (void *)&ret->gemv) ||
        !find(library, "openblas_set_num_threads", (void *)&set_threads))
        return false;
    set_threads(1);
    return true;
}

static void multiply(void *context)
{
    const struct way *w = context;
    const struct product *p = &w->o->product;
    const int m = (int)p->m;
    const int n = (int)p->n;
    const int k = (int)p->k;
    w->openblas.gemm(ROW_MAJOR, p->a_transposed ? TRANSPOSED : PLAIN, p->b_transposed ? TRANSPOSED : PLAIN, m, n, k, 1,
                     w->o->a, p->a_transposed ? m : k, w->o->b, p->b_transposed ? k : n, 0, w->c, n);
}

/* n is 1: b and c are vectors. */
static void multiply_by_vector(void *context)
{
    const struct way *w = context;
    const struct product *p = &w->o->product;
    const int rows = (int)(p->a_transposed ? p->k : p->m);
    const int columns = (int)(p->a_transposed ? p->m : p->k);
    w->openblas.gemv(ROW_MAJOR, p->a_transposed ? TRANSPOSED : PLAIN, rows, columns, 1, w->o->a, columns, w->o->b, 1, 0,
                     w->c, 1);
}

static const float *result(const void *context)
{
    return ((const struct way *)context)->c;
}

static void end(void *context)
{
    free(((struct way *)context)->c);
    free(context);
}

size_t openblas_ways(const struct operands *o, struct contender *ret)
{
    struct openblas openblas = {0};
    size_t count = 0;
    if (!load(&openblas))
        return 0;
    const int ways = o->product.n == 1 ? 2 : 1;
    for (int by_vector = 0; by_vector < ways; by_vector++) {
        struct way *w = must_have(malloc(sizeof *w));
        *w = (struct way){o, openblas, random_floats(o->product.m * o->product.n, 3)};
        ret[count++] = (struct contender){.library = LIBRARY_OPENBLAS,
                                          .how = by_vector ? "openblas gemv" : "openblas gemm",
                                          .multiply = by_vector ? multiply_by_vector : multiply,
                                          .end = end,
                                          .context = w,
                                          .result = result,
                                          .c_row = o->product.n};
    }
    return count;
}
