/* The networks that are trained, as programs, with made-up data sets. in_torch.py has the same ones, by the same names.
 */
#ifndef GRADD_BENCH_WORKLOADS_H
#define GRADD_BENCH_WORKLOADS_H

#include "train/trainer.h"

enum { WORKLOAD_LEAVES_MAX = 16 };

struct workload_leaf {
    const char *name;
    struct shape shape; /* the first axis of an input is DIM_BATCH */
};

struct workload {
    const char *name;
    const char *program; /* whose cost is `cost` */
    size_t input_count;  /* of the leaves, the first; the others are parameters */
    size_t classes;      /* the last input holds class numbers below this; 0: it holds numbers */
    int64_t rows;        /* of the data set: whole batches */
    int64_t batch;
    double learning_rate;  /* SGD's */
    const int64_t *widths; /* of a network of nothing but Linear layers, ending in 0; else NULL */
    struct workload_leaf leaf[WORKLOAD_LEAVES_MAX]; /* up to one without a name */
};

extern const struct workload workloads[]; /* up to one without a name */
const struct workload *workload_find(const char *name);

/* A workload with its model, data and start, ready to be trained. Owns everything. */
struct loaded {
    const struct workload *workload;
    struct model *model;
    struct train_spec spec;
    struct train_data data;
    void *tables[WORKLOAD_LEAVES_MAX];
    struct tensor **start;
};

/* Float32. An error is that of the program: an op may be missing. */
err_code workload_load(const struct workload *w, struct loaded *ret, struct error *err);
void workload_unload(struct loaded *l);

/* Floating-point operations of the products of a training step, by the widths of its layers: forwards, the gradient of
 * each matrix, and of each layer's input but the first's. 0: there are no widths. */
double workload_product_flops(const struct workload *w);

#endif
