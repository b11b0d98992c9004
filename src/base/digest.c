/* SHA-256, by nettle. */
#include "base/digest.h"

#include <string.h>

void digest_start(struct digest *d)
{
    sha256_init(&d->context);
}

void digest_bytes(struct digest *d, const void *bytes, size_t size)
{
    sha256_update(&d->context, size, bytes);
}

void digest_text(struct digest *d, const char *text)
{
    size_t length = strlen(text);
    digest_number(d, length);
    digest_bytes(d, text, length);
}

void digest_number(struct digest *d, uint64_t number)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(number >> (8 * i));
    digest_bytes(d, bytes, sizeof bytes);
}

void digest_end(struct digest *d, char ret[DIGEST_TEXT_MAX])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[SHA256_DIGEST_SIZE];
    sha256_digest(&d->context, sizeof bytes, bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        ret[2 * i] = digits[bytes[i] >> 4];
        ret[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret[2 * sizeof bytes] = '\0';
}
