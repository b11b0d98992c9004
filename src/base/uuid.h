/* UUID version 7 (RFC 9562): sortable by order of making within a process, and after what uuid_follow() was told, also
 * when the clock is set back. Thread-safe. */
#ifndef GRADD_BASE_UUID_H
#define GRADD_BASE_UUID_H

#include "base/error.h"

enum { UUID_TEXT_MAX = 37 };
err_code uuid_new(char ret[UUID_TEXT_MAX], struct error *err); /* fails only if the system has no random bytes */
void uuid_follow(const char *text); /* what is made from now on sorts after this one; another text changes nothing */
bool uuid_valid(const char *text);  /* the 36-character form, lower-case */

#endif
