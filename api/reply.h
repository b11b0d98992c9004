/* Replies, and the writer of their JSON. */
#ifndef GRADD_API_REPLY_H
#define GRADD_API_REPLY_H

#include "api/request.h"
#include "base/text.h"

struct body_source;

struct reply {
    int status;
    const char *content_type; /* static; NULL: no body */
    struct text body;
    struct body_source *source; /* owned; in place of the body, one that is made while it is sent; NULL: none */
    struct text headers;        /* lines "Name: value\n", values without control characters */
};

void reply_header(struct reply *r, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));
void reply_clear(struct reply *r);

/* A problem document for err (which it clears); the status follows from its class. */
void reply_problem(struct reply *r, const struct request *request, struct error *err);
/* 200 with the JSON that stands in the body, or if code is not ERR_ok the problem document of err. */
void reply_json(struct reply *r, const struct request *request, err_code code, struct error *err);
/* 200 (or 304 by If-None-Match) with an ETag; `revision` is any text that changes when the representation does (quoted
 * and hashed here). */
void reply_tagged(struct reply *r, const struct request *request, const char *revision);

/* JSON text, written as it goes. Commas and quotes are its own business. Numbers in the shortest form that reads back;
 * a number that is not finite is written null, and `nonfinite` becomes true (put_nonfinite() adds the field at the top
 * level). */
struct json {
    struct text *text;
    bool comma, nonfinite;
};
void put_object(struct json *j);
void put_object_end(struct json *j);
void put_array(struct json *j);
void put_array_end(struct json *j);
void put_key(struct json *j, const char *key);
void put_string(struct json *j, const char *value); /* NULL: null; escaped, UTF-8 kept */
void put_whole(struct json *j, int64_t value);
void put_number(struct json *j, double value);
void put_float(struct json *j, float value);
void put_bool(struct json *j, bool value);
void put_null(struct json *j);
void put_raw(struct json *j, const char *text, size_t length); /* JSON that is known to be right */
void put_time(struct json *j, int64_t milliseconds);           /* RFC 3339; 0: null */
void put_shape(struct json *j, struct shape shape);            /* ["batch",10]; 10 batch as "10*batch"; DIM_ANY null */
void put_tensor(struct json *j, const struct tensor *t, bool flat);
void put_nonfinite(struct json *j); /* "nonfinite": true, if some number was not finite */

#endif
