#include "api/member.h"
#include <math.h>

void member_string(struct json *j, const char *key, const char *value)
{
    put_key(j, key);
    put_string(j, value);
}

void member_whole(struct json *j, const char *key, int64_t value)
{
    put_key(j, key);
    put_whole(j, value);
}

void member_whole_or_null(struct json *j, const char *key, int64_t value, bool known)
{
    put_key(j, key);
    if (known)
        put_whole(j, value);
    else
        put_null(j);
}

void member_number(struct json *j, const char *key, double value)
{
    put_key(j, key);
    if (isnan(value))
        put_null(j);
    else
        put_number(j, value);
}

void member_time(struct json *j, const char *key, int64_t milliseconds)
{
    put_key(j, key);
    put_time(j, milliseconds);
}
