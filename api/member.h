/* Members of JSON objects, key and value at once. */
#ifndef GRADD_API_MEMBER_H
#define GRADD_API_MEMBER_H

#include "api/reply.h"

void member_string(struct json *j, const char *key, const char *value); /* NULL: null */
void member_whole(struct json *j, const char *key, int64_t value);
void member_whole_or_null(struct json *j, const char *key, int64_t value, bool known);
void member_number(struct json *j, const char *key, double value); /* NaN, not known: null, and no `nonfinite` */
void member_time(struct json *j, const char *key, int64_t milliseconds);

#endif
