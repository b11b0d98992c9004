/* Records: a compact binary form, with a version and a check, for what the store keeps as opaque bytes.
 *
 * A record is four bytes of kind, four of version, fields, and the first 16 hexadecimal digits of the SHA-256 of all
 * before. Numbers are little-endian; a double is its bits; a string is its length (four bytes) and its bytes, without
 * NUL. A reader never goes beyond the bytes: after the first damage it is `damaged`, and everything reads as 0 or NULL;
 * check once. */
#ifndef GRADD_DATA_RECORD_H
#define GRADD_DATA_RECORD_H

#include "base/error.h"
#include "base/text.h"

enum { RECORD_CHECK_SIZE = 16, RECORD_HEAD_SIZE = 8 };

void record_start(struct text *t, const char kind[4], uint32_t version); /* t is empty */
void record_put_u32(struct text *t, uint32_t value);
void record_put_u64(struct text *t, uint64_t value);
void record_put_double(struct text *t, double value);
void record_put_string(struct text *t, const char *string); /* below 4 GiB */
void record_put_shape(struct text *t, struct shape shape);
void record_seal(struct text *t); /* adds the check; t->failed says that memory was wanting */

struct record_reader {
    const unsigned char *at, *end; /* borrowed */
    bool damaged;                  /* the bytes are no such record */
    bool no_memory;                /* a string could not be copied; then `damaged` too */
};

/* ERR_database_failed if kind, version or check are wrong. */
err_code record_open(struct record_reader *r, const void *bytes, size_t size, const char kind[4], uint32_t version,
                     struct error *err);
uint32_t record_get_u32(struct record_reader *r);
uint64_t record_get_u64(struct record_reader *r);
double record_get_double(struct record_reader *r);
char *record_get_string(struct record_reader *r);       /* the caller's; valid UTF-8; NULL if damaged */
struct shape record_get_shape(struct record_reader *r); /* concrete, of at least one element; () if damaged */
/* A number of things that take at least `least` bytes each and of which there are at most `most`; 0 if damaged. */
size_t record_get_count(struct record_reader *r, size_t least, size_t most);
void record_expect(struct record_reader *r, bool right); /* damaged, if not right */
/* The end: ERR_ok if all was read and nothing was wrong, else ERR_database_failed or ERR_out_of_memory. */
err_code record_close(struct record_reader *r, const char *what, struct error *err);

#endif
