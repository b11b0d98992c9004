/* Tensors: allocation, conversion between dtypes, access to single elements. */
#include "base/tensor.h"

#include "base/size.h"
#include <stdlib.h>
#include <string.h>

enum { TENSOR_ALIGNMENT = 64 };

static const struct {
    const char *name;
    size_t size;
} dtypes[] = {
    [DTYPE_FLOAT32] = {"float32", sizeof(float)},
    [DTYPE_FLOAT64] = {"float64", sizeof(double)},
};

size_t dtype_size(enum dtype dtype)
{
    return dtypes[dtype].size;
}

const char *dtype_name(enum dtype dtype)
{
    return dtypes[dtype].name;
}

bool dtype_find(const char *name, enum dtype *ret)
{
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        if (strcmp(dtypes[i].name, name) == 0) {
            *ret = (enum dtype)i;
            return true;
        }
    }
    return false;
}

err_code tensor_new(enum dtype dtype, struct shape shape, struct tensor **ret, struct error *err)
{
    int64_t elements;
    if (!shape_elements(shape, &elements)) {
        char text[SHAPE_TEXT_MAX];
        return error_set(err, ERR_limit_exceeded, "a tensor of shape %s has too many elements; the limit is %lld",
                         shape_text(shape, text), (long long)ELEMENTS_MAX);
    }
    /* At most ELEMENTS_MAX * 8 bytes: no overflow. Whole cache lines, and one at least. */
    size_t bytes = (size_t)elements * dtype_size(dtype);
    size_t padded = (bytes / TENSOR_ALIGNMENT + 1) * TENSOR_ALIGNMENT;
    struct tensor *t = malloc(sizeof *t);
    void *data = aligned_alloc(TENSOR_ALIGNMENT, padded);
    if (t == NULL || data == NULL) {
        free(t);
        free(data);
        return error_set(err, ERR_out_of_memory, "there is no memory for a tensor of %zu bytes", bytes);
    }
    memset(data, 0, padded);
    *t = (struct tensor){.dtype = dtype, .shape = shape, .data = data};
    *ret = t;
    return ERR_ok;
}

void tensor_free(struct tensor *t)
{
    if (t == NULL)
        return;
    free(t->data);
    free(t);
}

err_code tensor_cast(const struct tensor *t, enum dtype dtype, struct tensor **ret, struct error *err)
{
    struct tensor *copy;
    err_code code = tensor_new(dtype, t->shape, &copy, err);
    if (code != ERR_ok)
        return code;
    int64_t elements = tensor_elements(t);
    if (t->dtype == dtype)
        memcpy(copy->data, t->data, tensor_bytes(t));
    else
        for (int64_t i = 0; i < elements; i++)
            tensor_set(copy, i, tensor_get(t, i));
    *ret = copy;
    return ERR_ok;
}

int64_t tensor_elements(const struct tensor *t)
{
    int64_t elements = 0;
    shape_elements(t->shape, &elements);
    return elements;
}

size_t tensor_bytes(const struct tensor *t)
{
    return (size_t)tensor_elements(t) * dtype_size(t->dtype);
}

double tensor_get(const struct tensor *t, int64_t i)
{
    return t->dtype == DTYPE_FLOAT32 ? (double)((const float *)t->data)[i] : ((const double *)t->data)[i];
}

void tensor_set(struct tensor *t, int64_t i, double value)
{
    if (t->dtype == DTYPE_FLOAT32)
        ((float *)t->data)[i] = (float)value;
    else
        ((double *)t->data)[i] = value;
}
