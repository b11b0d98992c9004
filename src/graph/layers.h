/* The `layers` form of a model: a list of layers that is written out as the lesson's program. */
#ifndef GRADD_GRAPH_LAYERS_H
#define GRADD_GRAPH_LAYERS_H

#include "graph/program.h"

struct layer {
    enum op op;
    int64_t units; /* Linear, Conv; 0: not given */
    struct {
        int64_t dims[2]; /* Conv: one number for all spatial axes, or one each */
        size_t count;    /* 0: not given */
    } kernel;
    const struct attribute *attributes;
    size_t attribute_count;
    struct place place;
};

/* What layers expand into. Names and shapes of the parameters in order: arrays that the program owns. */
struct layers_result {
    struct program *program; /* owned by the caller */
    struct shape input;      /* of X, with batch */
    struct shape target;     /* of y, with batch */
    bool has_target;
    const char **parameters;
    struct shape *parameter_shapes;
    size_t parameter_count;
};

/* Expands layers into the program that the lesson writes: X, y, W1, b1, ..., l1, s1, l2, ..., cost. Nodes are l for
 * Linear, s for Sigmoid, else the op's first letter, numbered by letter. A layer is an op of one operand, or one whose
 * parameters layers.c knows. `input` is the shape of X without batch (rank 1 and up). y has the output's shape, but
 * (batch,1) under CrossEntropy; `loss` may be OP_COUNT: no cost, no y. Errors carry the place of the layer. */
err_code layers_expand(const struct layer *layers, size_t count, struct shape input, enum op loss,
                       struct place loss_place, struct layers_result *ret, struct error *err);

#endif
