/* What is known of a table, as a record for the store. */
#ifndef GRADD_DATA_TABLE_RECORD_H
#define GRADD_DATA_TABLE_RECORD_H

#include "base/text.h"
#include "data/table.h"

/* The bytes go to *ret, which the caller clears with text_clear(). ERR_out_of_memory. */
err_code table_info_encode(const struct table_info *info, struct text *ret, struct error *err);
/* What comes out is as sound as what a builder made, whatever the bytes. ERR_database_failed if they are damaged or of
 * another version; ERR_out_of_memory. */
err_code table_info_decode(const void *bytes, size_t size, struct table_info *ret, struct error *err);

#endif
