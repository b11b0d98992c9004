/* UUID version 7: 48 bits of milliseconds, 12 bits that count within one, 62 random bits. */
#include "base/uuid.h"

#include "base/clock.h"
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static _Atomic uint64_t last_stamp;

/* Milliseconds * 2^12 + count, greater than any that was handed out. When a millisecond's 4,096 are used up, or the
 * clock is set back, the number runs ahead of the clock (RFC 9562, section 6.2, method 1). */
static uint64_t next_stamp(void)
{
    uint64_t before = atomic_load(&last_stamp), stamp;
    do {
        stamp = (uint64_t)clock_now() << 12;
        if (stamp <= before)
            stamp = before + 1;
    } while (!atomic_compare_exchange_weak(&last_stamp, &before, stamp));
    return stamp;
}

/* Random bits, of which a thread asks the system for many at once. */
static err_code draw(uint64_t *ret, struct error *err)
{
    enum { STOCK = 32 };
    static _Thread_local uint64_t stock[STOCK];
    static _Thread_local size_t left;
    if (left == 0) {
        ssize_t got;
        do
            got = getrandom(stock, sizeof stock, 0);
        while (got < 0 && errno == EINTR);
        if (got != (ssize_t)sizeof stock)
            return error_set(err, ERR_internal, "the system has no random bytes: %s", strerror(errno));
        left = STOCK;
    }
    *ret = stock[--left];
    return ERR_ok;
}

/* The lowest digits of the number, in hexadecimal; a '-' after them. Returns where the next stands. */
static char *put_hex(uint64_t number, int digits, char *out)
{
    for (int i = digits; i-- > 0; number >>= 4)
        out[i] = "0123456789abcdef"[number & 15];
    out[digits] = '-';
    return out + digits + 1;
}

err_code uuid_new(char ret[UUID_TEXT_MAX], struct error *err)
{
    enum { VERSION = 7, VARIANT = 2 };
    uint64_t random = 0;
    err_code code = draw(&random, err);
    if (code != ERR_ok)
        return code;
    uint64_t stamp = next_stamp();
    char *at = put_hex(stamp >> 28, 8, ret);
    at = put_hex(stamp >> 12, 4, at);
    at = put_hex(VERSION << 12 | (stamp & 0xfff), 4, at);
    at = put_hex(VARIANT << 14 | (random >> 48 & 0x3fff), 4, at);
    at = put_hex(random, 12, at);
    at[-1] = '\0';
    return ERR_ok;
}

void uuid_follow(const char *text)
{
    if (!uuid_valid(text))
        return;
    uint64_t stamp =
        strtoull(text, NULL, 16) << 28 | strtoull(text + 9, NULL, 16) << 12 | strtoull(text + 15, NULL, 16);
    uint64_t before = atomic_load(&last_stamp);
    while (before < stamp && !atomic_compare_exchange_weak(&last_stamp, &before, stamp))
        ;
}

bool uuid_valid(const char *text)
{
    static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    for (size_t i = 0; form[i] != '\0'; i++) {
        char c = text[i];
        bool digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
        if (form[i] == '-' ? c != '-' : !digit)
            return false;
    }
    return text[sizeof form - 1] == '\0';
}
