/* The transforms of a version, as a record for the store. */
#ifndef GRADD_DATA_TRANSFORM_RECORD_H
#define GRADD_DATA_TRANSFORM_RECORD_H

#include "base/text.h"
#include "data/transform.h"

/* The bytes go to *ret, which the caller clears with text_clear(). ERR_out_of_memory. */
err_code transforms_encode(const struct transform *transforms, size_t count, struct text *ret, struct error *err);
/* What comes out is as sound as what transform_fit() made, whatever the bytes; freed by transforms_free().
 * ERR_database_failed if they are damaged or of another version; ERR_out_of_memory. */
err_code transforms_decode(const void *bytes, size_t size, struct transform **ret, size_t *ret_count,
                           struct error *err);
void transforms_free(struct transform *transforms, size_t count); /* NULL is fine */

#endif
