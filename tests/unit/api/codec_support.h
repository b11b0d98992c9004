/* What the tests of the codec share: requests as string literals, and looking for one mistake among many. */
#ifndef GRADD_TESTS_CODEC_SUPPORT_H
#define GRADD_TESTS_CODEC_SUPPORT_H

#include "api/codec.h"
#include "support/near.h"

extern const struct limits test_limits; /* as config.c's defaults */

/* Whether err lists a mistake with this code at this pointer (NULL: anywhere). */
bool has_mistake(const struct error *err, err_code code, const char *pointer);
/* Prints the whole list, for a test that failed. */
void print_mistakes(const struct error *err);

#endif
