/* Decimal text to float and double, rounded once, to nearest, ties to even.
 *
 * Three ways, from the common to the rare:
 * 1. up to 2^53 and a power of ten up to 10^22 are exact doubles, so one product or quotient is rounded right
 *    (Clinger, "How to Read Floating Point Numbers Accurately", 1990);
 * 2. up to 19 digits and a power of ten up to 27 either way: an exact integer quotient or product of 128 bits, rounded
 * here;
 * 3. the rest: strtod on a text without a decimal point, which no locale changes, of 800 digits at most; what comes
 * after them counts as one more digit that is not 0, and no more than 768 can matter. */
#include "base/number.h"

#include "base/power5.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXACT_DIGITS = 19, LONG_DIGITS = 800, EXPONENT_MAX = 100000 };

/* The value is (-1)^negative * the digits * 10^exponent. */
struct decimal {
    bool negative;
    const char *digits; /* from the first that is not 0; a '.' may stand among them */
    size_t count;       /* digits from there on, without the '.' */
    uint64_t leading;   /* the first EXACT_DIGITS of them, as a number */
    int64_t exponent;   /* of the last digit */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Takes "e-12" if it is one; returns how many bytes, and adds the exponent. */
static size_t scan_exponent(const char *text, size_t length, int64_t *exponent)
{
    size_t at = 1;
    bool negative = false;
    if (length < 2 || (text[0] != 'e' && text[0] != 'E'))
        return 0;
    if (text[at] == '+' || text[at] == '-')
        negative = text[at++] == '-';
    if (at >= length || !is_digit(text[at]))
        return 0;
    int64_t value = 0;
    for (; at < length && is_digit(text[at]); at++)
        if (value < INT64_MAX / 100)
            value = value * 10 + (text[at] - '0');
    *exponent += negative ? -value : value;
    return at;
}

static size_t scan_decimal(const char *text, size_t length, struct decimal *d)
{
    size_t at = 0, written = 0;
    bool point = false;
    *d = (struct decimal){0};
    if (length > 0 && text[0] == '-') {
        d->negative = true;
        at = 1;
    }
    for (; at < length; at++) {
        char c = text[at];
        if (c == '.' && !point) {
            point = true;
            continue;
        }
        if (!is_digit(c))
            break;
        written++;
        if (point)
            d->exponent--;
        if (d->count == 0) {
            if (c == '0')
                continue;
            d->digits = text + at;
        }
        if (d->count++ < EXACT_DIGITS)
            d->leading = d->leading * 10 + (uint64_t)(c - '0');
    }
    if (written == 0)
        return 0;
    return at + scan_exponent(text + at, length - at, &d->exponent);
}

/* m * 2^exponent to `precision` bits, to nearest, ties to even; m is not 0, `sticky` says that the true value is a
 * little more. The result is a normal number or too large. */
static double round_scaled(uint128 m, int exponent, bool sticky, int precision)
{
    int drop = uint128_bits(m) - precision;
    if (drop > 0) {
        uint128 rest = m & (((uint128)1 << drop) - 1), half = (uint128)1 << (drop - 1);
        m >>= drop;
        exponent += drop;
        if (rest > half || (rest == half && (sticky || (m & 1) != 0)))
            m++;
    }
    return ldexp((double)(uint64_t)m, exponent);
}

/* leading * 10^exponent for |exponent| <= POWER5_MAX, rounded to `precision` bits. */
static double scale_exactly(const struct decimal *d, int precision)
{
    int exponent = (int)d->exponent;
    if (exponent >= 0)
        return round_scaled((uint128)d->leading * power5[exponent], exponent, false, precision);
    /* The quotient has 64 bits at least: more than are kept, so the remainder only decides ties. */
    int shift = __builtin_clzll(d->leading);
    uint128 numerator = (uint128)(d->leading << shift) << 64;
    uint64_t divisor = power5[-exponent];
    uint128 quotient = numerator / divisor;
    return round_scaled(quotient, exponent - 64 - shift, quotient * divisor != numerator, precision);
}

/* Writes digits and exponent as "123e-4"; `out` has room for LONG_DIGITS + 32. */
static void write_long(const struct decimal *d, char *out)
{
    size_t at = 0;
    const char *next = d->digits;
    size_t kept = d->count < LONG_DIGITS ? d->count : LONG_DIGITS;
    for (; at < kept; next++)
        if (*next != '.')
            out[at++] = *next;
    int64_t exponent = d->exponent + (int64_t)(d->count - kept);
    bool rest = false;
    for (size_t left = d->count - kept; left > 0 && !rest; next++) {
        if (*next == '.')
            continue;
        rest = *next != '0';
        left--;
    }
    if (rest) {
        out[at++] = '1';
        exponent--;
    }
    if (exponent > EXPONENT_MAX)
        exponent = EXPONENT_MAX;
    if (exponent < -EXPONENT_MAX)
        exponent = -EXPONENT_MAX;
    snprintf(out + at, 32, "e%d", (int)exponent);
}

/* True where 19 digits and the table of powers are enough. */
static bool is_short(const struct decimal *d)
{
    return d->count <= EXACT_DIGITS && d->exponent >= -POWER5_MAX && d->exponent <= POWER5_MAX;
}

/* Way 1, where it applies. */
static bool scan_small(const struct decimal *d, double *ret)
{
    static const double power10[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                     1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (d->count > EXACT_DIGITS || d->leading > UINT64_C(1) << 53 || d->exponent < -22 || d->exponent > 22)
        return false;
    double m = (double)d->leading;
    *ret = d->exponent < 0 ? m / power10[-d->exponent] : m * power10[d->exponent];
    return true;
}

size_t number_scan(const char *text, size_t length, double *ret)
{
    struct decimal d;
    double value = 0;
    size_t taken = scan_decimal(text, length, &d);
    if (taken == 0)
        return 0;
    if (d.count > 0 && !scan_small(&d, &value)) {
        if (is_short(&d)) {
            value = scale_exactly(&d, DBL_MANT_DIG);
        } else {
            char buffer[LONG_DIGITS + 32];
            write_long(&d, buffer);
            value = strtod(buffer, NULL);
        }
    }
    *ret = d.negative ? -value : value;
    return taken;
}

/* True if rounding x, itself rounded to double, on to float may differ from rounding the true value: x is halfway
 * between two floats, or not in the range of normal floats. */
static bool float_is_doubtful(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (bits & 0x1FFFFFFF) == 0x10000000 || x < (double)FLT_MIN || x > (double)FLT_MAX;
}

size_t number_scan_float(const char *text, size_t length, float *ret)
{
    struct decimal d;
    float value = 0;
    double wide;
    size_t taken = scan_decimal(text, length, &d);
    if (taken == 0)
        return 0;
    if (d.count > 0) {
        if (scan_small(&d, &wide) && !float_is_doubtful(wide)) {
            value = (float)wide;
        } else if (is_short(&d)) {
            value = (float)scale_exactly(&d, FLT_MANT_DIG);
        } else {
            char buffer[LONG_DIGITS + 32];
            write_long(&d, buffer);
            value = strtof(buffer, NULL);
        }
    }
    *ret = d.negative ? -value : value;
    return taken;
}

bool number_whole(const char *text, uint64_t max, uint64_t *ret)
{
    uint64_t value = 0;
    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        if (!is_digit(*text))
            return false;
        uint64_t digit = (uint64_t)(*text - '0');
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, digit, &value) || value > max)
            return false;
    }
    *ret = value;
    return true;
}
