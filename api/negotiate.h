/* Header fields in which a client says what it wants (RFC 9110, 12.5.1 and 13.1.2). Text only: knows no connection. */
#ifndef GRADD_API_NEGOTIATE_H
#define GRADD_API_NEGOTIATE_H

#include <stdbool.h>
#include <stddef.h>

/* Which of the media types (NULL-ended, the first is preferred) an Accept header likes best; NULL: none is acceptable.
 * accept NULL or blank: the first. */
const char *negotiate_accept(const char *accept, const char *const *types);

/* Whether an If-None-Match header holds the entity tag (with its quotes), compared weakly, or is "*". */
bool negotiate_none_match(const char *header, const char *tag);

/* Copies the media type of a Content-Type header, lower-case and without parameters; "" if it does not fit. */
void negotiate_media_type(const char *header, char *ret, size_t room);

#endif
