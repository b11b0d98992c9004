/* The three forms of a program in JSON: `program` (text), `nodes`, `layers`. */
#ifndef GRADD_API_CODEC_PROGRAM_H
#define GRADD_API_CODEC_PROGRAM_H

#include "api/codec_read.h"
#include "api/codec_tensor.h"
#include "base/text.h"
#include "graph/layers.h"
#include "graph/notation.h"

/* The text of `program`: a string, or an array of lines joined with newlines. */
bool read_program_text(const json_t *value, const struct limits *limits, const struct where *at, struct text *ret,
                       struct error *err);

/* A program from its text. `names`: those that may be used without being assigned (NULL: any). The program may be
 * broken, where items were added; false only if there is none. */
bool read_program(const json_t *value, const struct limits *limits, const char *const *names, size_t name_count,
                  const struct where *at, struct program **ret, struct error *err);

/* A program from `nodes`: [{"name", "op", "inputs", "attributes"}], in topological order; numbers among the inputs are
 * constants. */
bool read_nodes(const json_t *value, const struct limits *limits, const char *const *names, size_t name_count,
                const struct where *at, struct program **ret, struct error *err);

/* A program from `layers`, with the shape of one row of `input` and the loss. */
bool read_layers(const json_t *value, const json_t *input, const json_t *loss, const struct limits *limits,
                 const struct where *at, struct layers_result *ret, struct error *err);

#endif
