/* Tensors and shapes in JSON. */
#ifndef GRADD_API_CODEC_TENSOR_H
#define GRADD_API_CODEC_TENSOR_H

#include "api/codec_read.h"
#include "base/config.h"
#include "base/tensor.h"

/* A number (a scalar), nested arrays (row-major, rectangular), or {"shape": [2,3], "data": [...]}. Every number must be
 * finite in the dtype. On mistakes (invalid_tensor, wrong_type, nonfinite_number, limit_exceeded) items are added and
 * false is returned; also for want of memory, which is the whole's code then. */
bool read_tensor(const json_t *value, enum dtype dtype, const struct limits *limits, const struct where *at,
                 struct tensor **ret, struct error *err);

/* ["batch", 10]: a list of sizes, the first of which may be "batch". */
bool read_shape(const json_t *value, const struct limits *limits, const struct where *at, struct shape *ret,
                struct error *err);

/* A list of whole numbers, or one, up to `most` of them: *ret is the caller's. */
bool read_wholes(const json_t *value, int64_t least, int64_t most_value, size_t most, const struct where *at,
                 int64_t **ret, size_t *ret_count, struct error *err);

#endif
