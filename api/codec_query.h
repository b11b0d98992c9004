/* What the files of the codec of queries share. */
#ifndef GRADD_API_CODEC_QUERY_H
#define GRADD_API_CODEC_QUERY_H

#include "api/codec.h"
#include "api/codec_read.h"
#include "api/lift.h"

/* A query that is being read: mistakes are added to err, and reading goes on. What stays of a request (names, rows) is
 * copied into its arena; tensors are its own. */
struct query_reading {
    const json_t *body;
    struct lifted *lifted; /* what was lifted out of the body; NULL: nothing */
    const struct limits *limits;
    const struct where *root;
    enum dtype dtype;
    const struct named_place *batch; /* inputs whose first axis is the batch */
    size_t batch_count;
    struct query_request *request;
    struct error *err;
};

/* ---- codec_query.c ---- */

bool query_no_memory(struct query_reading *r); /* false */
/* Room for everything; after the dtype is known, before anything else is read. False without memory. */
bool query_begin(struct query_reading *r);
const char *query_keep(struct query_reading *r, const char *text); /* a copy; NULL without memory */
struct place query_place(struct query_reading *r, const struct where *at);
/* Reads a tensor that the request owns; NULL on mistakes. */
const struct tensor *query_tensor(struct query_reading *r, const json_t *value, const struct where *at);
/* Hands over what was found wrong; ERR_ok: nothing. */
err_code query_close(struct error *found, struct error *err);

/* ---- codec_query_question.c ---- */

/* A list of names, or one name. */
void query_names(struct query_reading *r, const char *field, const struct named_place **ret, size_t *ret_count);
/* Another dtype than the one that is there. */
void query_dtype(struct query_reading *r);
/* The kind, by `query`. */
void query_kind(struct query_reading *r);
/* What a question of its kind says beside inputs. */
void query_question(struct query_reading *r);

/* ---- codec_query_values.c ---- */

void query_inputs(struct query_reading *r);
void query_cotangent(struct query_reading *r);
void query_tangents(struct query_reading *r);
void query_vectors(struct query_reading *r);

/* ---- codec_query_rows.c ---- */

void query_rows(struct query_reading *r);
void query_dataset(struct query_reading *r);

#endif
