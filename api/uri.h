/* A request's target: its path in decoded segments, and its query parameters. Knows no HTTP beyond that.
 *
 * Everything is owned by the struct, in one allocation; uri_clear ends it. %2f and %00 are never decoded into a path:
 * they stay as they came, and such a segment is no valid name. */
#ifndef GRADD_API_URI_H
#define GRADD_API_URI_H

#include "base/error.h"

enum { URI_SEGMENTS_MAX = 8, URI_PARAMETERS_MAX = 64 };

struct uri_parameter {
    const char *name, *value; /* decoded; value "" where there is no '=' */
    bool valid;               /* both are UTF-8 and hold no NUL */
};

struct uri {
    char *path;  /* as it came, without the query; "*" for OPTIONS * */
    char *query; /* as it came, without '?'; "" if none */
    char *segments[URI_SEGMENTS_MAX];
    size_t segment_count; /* URI_SEGMENTS_MAX + 1: there were more */
    struct uri_parameter parameters[URI_PARAMETERS_MAX];
    size_t parameter_count; /* URI_PARAMETERS_MAX + 1: there were more */
    char *memory;           /* owned */
};

/* "/a/b?c=d", "http://host/a/b?c=d" or "*". ERR_bad_request if it is none of these. */
err_code uri_parse(const char *target, struct uri *ret, struct error *err);
void uri_clear(struct uri *u);

/* The value of a parameter; NULL if it is not there. */
const char *uri_parameter(const struct uri *u, const char *name);

#endif
