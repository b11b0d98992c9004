/* Clean arrays of numbers, lifted out of a JSON text in one pass, so that Jansson, which takes twenty times as long
 * over a number, reads only what is left: the skeleton, where a string with a mark stands for each array.
 *
 * Clean is a rectangle of finite numbers, nested up to eight deep. A text with an array of numbers that is not clean
 * (ragged, a word or null among the numbers, a number out of range) is not lifted from at all, nor is one in which a
 * string could look like a mark. Then, and whenever anything is found wrong with a skeleton, or an array was not taken
 * as a tensor, the text is read as a whole: so json_read and read_tensor alone decide what is wrong, and make every
 * message. */
#ifndef GRADD_API_LIFT_H
#define GRADD_API_LIFT_H

#include "api/codec_read.h"
#include "base/config.h"
#include "base/tensor.h"

struct lifted; /* what was lifted out of a text */

/* Reads a body. `lifted` is NULL where the body is whole. What it reads it hands over on success only. */
struct body_reader {
    err_code (*read)(void *context, const json_t *body, struct lifted *lifted, struct error *err);
    void (*undo)(void *context); /* ends what a read has handed over */
    void *context;
};

/* Errors as json_read, and the reader's. */
err_code lifted_decode(const char *bytes, size_t size, int64_t nesting, const struct body_reader *reader,
                       struct error *err);

/* Whether the value stands for a lifted array. `l` may be NULL. */
bool lifted_is_array(const struct lifted *l, const json_t *value);
/* A tensor from a lifted array, or from {"shape", "data"} of which the data were lifted. False: it is neither, or there
 * is something wrong with it. `l` may be NULL. */
bool lifted_take(struct lifted *l, const json_t *value, enum dtype dtype, const struct limits *limits,
                 const struct where *at, struct tensor **ret);
#endif
