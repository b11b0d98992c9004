/* UUID version 7: 48 bits of milliseconds, 12 bits that count within one, 62 random bits. */
#include "base/uuid.h"

#include "base/clock.h"
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

/* Milliseconds * 2^12 + count, greater than any that was handed out. When a millisecond's 4,096 are used up, or the
 * clock is set back, the number runs ahead of the clock (RFC 9562, section 6.2, method 1). */
static uint64_t next_stamp(void)
{
    static _Atomic uint64_t last;
    uint64_t before = atomic_load(&last), stamp;
    do {
        stamp = (uint64_t)clock_now() << 12;
        if (stamp <= before)
            stamp = before + 1;
    } while (!atomic_compare_exchange_weak(&last, &before, stamp));
    return stamp;
}

err_code uuid_new(char ret[UUID_TEXT_MAX], struct error *err)
{
    uint64_t random;
    ssize_t got;
    do
        got = getrandom(&random, sizeof random, 0);
    while (got < 0 && errno == EINTR);
    if (got != (ssize_t)sizeof random)
        return error_set(err, ERR_internal, "the system has no random bytes: %s", strerror(errno));
    uint64_t stamp = next_stamp();
    snprintf(ret, UUID_TEXT_MAX, "%08x-%04x-7%03x-%04x-%012llx", (unsigned)(stamp >> 28 & 0xFFFFFFFF),
             (unsigned)(stamp >> 12 & 0xFFFF), (unsigned)(stamp & 0xFFF), (unsigned)(random >> 48 & 0x3FFF) | 0x8000U,
             (unsigned long long)(random & 0xFFFFFFFFFFFF));
    return ERR_ok;
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
