/* POST /v1/differentiate, and `gradd differentiate`: a program, values, and their derivatives, without a model. */
#ifndef GRADD_API_DIFFERENTIATE_H
#define GRADD_API_DIFFERENTIATE_H

#include "api/routes.h"
#include <stdatomic.h>

/* The JSON answer to a JSON body. */
err_code differentiate_answer(const char *body, size_t size, const struct limits *limits, struct plans *plans,
                              bool flat, const atomic_bool *cancel, struct text *ret, struct error *err);

#endif
