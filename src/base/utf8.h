/* UTF-8 (RFC 3629). */
#ifndef GRADD_BASE_UTF8_H
#define GRADD_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* True if the bytes are valid UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
 * On false, *ret_at (if not NULL) is the offset of the first character that is wrong. */
bool utf8_valid(const char *bytes, size_t length, size_t *ret_at);

/* Bytes of the character at the start, 1 to 4; 0 if there is none or it is not valid. */
size_t utf8_character(const char *bytes, size_t length);

#endif
