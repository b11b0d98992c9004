/* UTF-8 by the table of well-formed byte sequences (RFC 3629, section 4). */
#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

/* Bytes of the character that starts with `first`, and the bounds of its second byte; 0: nothing starts so. */
static size_t utf8_lead(unsigned char first, unsigned char *ret_low, unsigned char *ret_high)
{
    *ret_low = 0x80;
    *ret_high = 0xBF;
    if (first < 0x80)
        return 1;
    if (first < 0xC2)
        return 0;
    if (first < 0xE0)
        return 2;
    if (first < 0xF0) {
        if (first == 0xE0)
            *ret_low = 0xA0; /* else overlong */
        if (first == 0xED)
            *ret_high = 0x9F; /* else a surrogate */
        return 3;
    }
    if (first < 0xF5) {
        if (first == 0xF0)
            *ret_low = 0x90; /* else overlong */
        if (first == 0xF4)
            *ret_high = 0x8F; /* else above U+10FFFF */
        return 4;
    }
    return 0;
}

size_t utf8_character(const char *bytes, size_t length)
{
    const unsigned char *b = (const unsigned char *)bytes;
    unsigned char low, high;
    size_t size = length > 0 ? utf8_lead(b[0], &low, &high) : 0;
    if (size > length)
        return 0;
    if (size > 1 && (b[1] < low || b[1] > high))
        return 0;
    for (size_t i = 2; i < size; i++)
        if (b[i] < 0x80 || b[i] > 0xBF)
            return 0;
    return size;
}

/* Bytes at the start that are ASCII, by eight. */
static size_t ascii_run(const char *bytes, size_t length)
{
    size_t at = 0;
    for (uint64_t word; length - at >= sizeof word; at += sizeof word) {
        memcpy(&word, bytes + at, sizeof word);
        if ((word & UINT64_C(0x8080808080808080)) != 0)
            break;
    }
    return at;
}

bool utf8_valid(const char *bytes, size_t length, size_t *ret_at)
{
    for (size_t at = 0, size; at < length; at += size) {
        size = ascii_run(bytes + at, length - at);
        if (size > 0)
            continue;
        size = utf8_character(bytes + at, length - at);
        if (size == 0) {
            if (ret_at != NULL)
                *ret_at = at;
            return false;
        }
    }
    return true;
}
