/* UUID version 7 (RFC 9562): sortable by time of making; monotonic within a process. Thread-safe. */
#ifndef GRADD_BASE_UUID_H
#define GRADD_BASE_UUID_H

#include "base/error.h"

enum { UUID_TEXT_MAX = 37 };
err_code uuid_new(char ret[UUID_TEXT_MAX], struct error *err); /* fails only if the system has no random bytes */
bool uuid_valid(const char *text);                             /* the 36-character form, lower-case */

#endif
