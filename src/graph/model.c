#include "graph/model.h"

#include "base/digest.h"
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "digests are of little-endian bytes");

static const char *const initializer_names[] = {
    [INIT_ZEROS] = "zeros",
    [INIT_ONES] = "ones",
    [INIT_NORMAL] = "normal",
    [INIT_UNIFORM] = "uniform",
    [INIT_GLOROT_UNIFORM] = "glorot_uniform",
    [INIT_GLOROT_NORMAL] = "glorot_normal",
    [INIT_HE_UNIFORM] = "he_uniform",
    [INIT_HE_NORMAL] = "he_normal",
    [INIT_ORTHOGONAL] = "orthogonal",
    [INIT_VALUE] = "value",
};

bool initializer_find(const char *name, enum initializer *ret)
{
    for (int i = 0; i < INIT_VALUE; i++) {
        if (strcmp(initializer_names[i], name) == 0) {
            *ret = (enum initializer)i;
            return true;
        }
    }
    return false;
}

const char *initializer_name(enum initializer init)
{
    return initializer_names[init];
}

void model_free(struct model *m)
{
    if (!m)
        return;
    for (size_t i = 0; m->parameters && i < m->parameter_count; i++)
        tensor_free(m->parameters[i].value);
    graph_free(m->graph);
    free(m->inputs);
    free(m->parameters);
    free(m);
}

int64_t model_parameter_elements(const struct model *m)
{
    int64_t total = 0, elements;
    for (size_t i = 0; i < m->parameter_count; i++)
        if (shape_elements(graph_node(m->graph, m->parameters[i].node)->shape, &elements))
            total += elements;
    return total;
}

void tensors_free(struct tensor **tensors, size_t count)
{
    for (size_t i = 0; tensors && i < count; i++)
        tensor_free(tensors[i]);
    free(tensors);
}

void tensors_digest(struct tensor *const *tensors, size_t count, char ret[65])
{
    struct digest d;
    digest_start(&d);
    for (size_t i = 0; i < count; i++)
        digest_bytes(&d, tensors[i]->data, tensor_bytes(tensors[i]));
    digest_end(&d, ret);
}
