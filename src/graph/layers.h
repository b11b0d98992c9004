/* The `layers` form of a model: a list of layers that is written out as the lesson's program. */
#ifndef GRADD_GRAPH_LAYERS_H
#define GRADD_GRAPH_LAYERS_H

#include "graph/program.h"

struct layer {
    enum op op;
    int64_t units; /* Linear, Conv; 0: not given */
    const struct attribute *attributes;
    size_t attribute_count;
    struct place place;
};

/* Expands layers into a program of X, y, W1, b1, l1, ..., cost as the lesson names them. `input` is the shape of X
 * without batch (rank 1 and up). `ret_input`, `ret_target`: shapes of X and y, with batch. loss may be OP_COUNT: no
 * cost, no y. */
struct layers_result {
    struct program *program; /* owned by the caller */
    struct shape input, target;
    bool has_target;
    const char **parameters; /* names in order, and their shapes; owned by the program */
    struct shape *parameter_shapes;
    size_t parameter_count;
};
err_code layers_expand(const struct layer *layers, size_t count, struct shape input, enum op loss,
                       struct place loss_place, struct layers_result *ret, struct error *err);

#endif
