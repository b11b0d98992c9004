/* SHA-256 (FIPS 180-4), by nettle. */
#ifndef GRADD_BASE_DIGEST_H
#define GRADD_BASE_DIGEST_H

#include <nettle/sha2.h>
#include <stddef.h>
#include <stdint.h>

enum { DIGEST_TEXT_MAX = 65 };

struct digest {
    struct sha256_ctx context;
};

void digest_start(struct digest *d);
void digest_bytes(struct digest *d, const void *bytes, size_t size);
void digest_text(struct digest *d, const char *text);         /* with its length before it: "ab","c" is not "a","bc" */
void digest_number(struct digest *d, uint64_t number);        /* 8 bytes, little-endian */
void digest_end(struct digest *d, char ret[DIGEST_TEXT_MAX]); /* lower-case hexadecimal */

#endif
