/* A model: a graph whose leaves have roles, inputs or parameters, and whose nodes `cost` and `output` are known.
 * Immutable once made; owns everything in it. */
#ifndef GRADD_GRAPH_MODEL_H
#define GRADD_GRAPH_MODEL_H

#include "graph/graph.h"

enum initializer {
    INIT_ZEROS,
    INIT_ONES,
    INIT_NORMAL,         /* standard normal */
    INIT_UNIFORM,        /* [0, 1) */
    INIT_GLOROT_UNIFORM, /* Glorot, Bengio 2010; fan_in, fan_out: (in, out) of a matrix, times the receptive field of a
                            convolution */
    INIT_GLOROT_NORMAL,
    INIT_HE_UNIFORM, /* He, Zhang, Ren, Sun 2015 */
    INIT_HE_NORMAL,
    INIT_ORTHOGONAL, /* Saxe, McClelland, Ganguli 2013 */
    INIT_VALUE,      /* the tensor given */
};

struct parameter {
    node_id node;
    enum initializer init;
    struct tensor *value; /* INIT_VALUE only; owned; of the model's dtype and the node's shape */
};

struct model {
    struct graph *graph;
    node_id *inputs; /* in declared order */
    size_t input_count;
    struct parameter *parameters; /* in declared order: the order of digests and of flat vectors */
    size_t parameter_count;
    node_id cost;   /* NODE_NONE: the model can't be trained */
    node_id output; /* NODE_NONE only if the model is nothing but its cost */
    enum dtype dtype;
    uint64_t seed;
};

void model_free(struct model *m);
int64_t model_parameter_elements(const struct model *m);
/* Initial values, one tensor a parameter in declared order (array of parameter_count, owned by the caller;
 * tensors_free()). A function of the seed alone. */
err_code model_initial(const struct model *m, struct tensor ***ret, struct error *err);
void tensors_free(struct tensor **tensors, size_t count);
bool initializer_find(const char *name, enum initializer *ret); /* "glorot_uniform" */
const char *initializer_name(enum initializer init);
/* SHA-256 of the tensors in order, row-major, little-endian, in their dtype. */
void tensors_digest(struct tensor *const *tensors, size_t count, char ret[65]);

#endif
