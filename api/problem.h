/* Problem documents (RFC 9457): every error that a client can see, from one table of classes. */
#ifndef GRADD_API_PROBLEM_H
#define GRADD_API_PROBLEM_H

#include "api/reply.h"

/* The HTTP status of an error. */
int problem_status(err_code code);

/* What stands in the page of every error of this one's class: what to do about it. */
const char *problem_advice(err_code code);

/* The document as a JSON value. instance: the request's path; NULL leaves it out. */
void problem_write(struct json *j, const struct error *err, const char *instance);

#endif
