/* The contract, api/openapi.yaml, as it is built into the binary. */
#ifndef GRADD_API_OPENAPI_H
#define GRADD_API_OPENAPI_H

#include <stddef.h>

extern const char openapi_yaml[], openapi_json[]; /* NUL-terminated; the sizes do not count the NUL */
extern const size_t openapi_yaml_size, openapi_json_size;

#endif
