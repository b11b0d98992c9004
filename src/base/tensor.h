/* Tensors: a dtype, a concrete shape, and the bytes, row-major and native-endian. Whoever made it frees it. */
#ifndef GRADD_BASE_TENSOR_H
#define GRADD_BASE_TENSOR_H

#include "base/error.h"
#include "base/shape.h"

enum dtype { DTYPE_FLOAT32, DTYPE_FLOAT64 };

struct tensor {
    enum dtype dtype;
    struct shape shape;
    void *data; /* owned, 64-byte aligned; dtype_size(dtype) * elements bytes; never NULL, even for no elements */
};

size_t dtype_size(enum dtype dtype);
const char *dtype_name(enum dtype dtype); /* "float32" */
bool dtype_find(const char *name, enum dtype *ret);

/* Zeros of that shape. ERR_limit_exceeded over ELEMENTS_MAX, ERR_out_of_memory. */
err_code tensor_new(enum dtype dtype, struct shape shape, struct tensor **ret, struct error *err);
void tensor_free(struct tensor *t);
err_code tensor_cast(const struct tensor *t, enum dtype dtype, struct tensor **ret, struct error *err);
int64_t tensor_elements(const struct tensor *t);
size_t tensor_bytes(const struct tensor *t);
double tensor_get(const struct tensor *t, int64_t i);
void tensor_set(struct tensor *t, int64_t i, double value); /* rounds to the dtype */

#endif
