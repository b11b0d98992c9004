/* float and double to the shortest decimal text that reads back to the same value; of several, the nearest to it.
 *
 * A value m * 2^e is read back from every decimal in the interval that reaches halfway to its two neighbours (ends
 * included where m is even). Scaled by a power of ten so that the value has 17 or 18 digits (float: 9 or 10) before the
 * point, the interval's ends and the value are exact fractions of 128 bits, as long as that power is 10^27 at most;
 * then the longest run of digits that can be dropped is looked for. Beyond, which is below 1e-11 or above 1e43 (float:
 * 1e-19, 1e35), printf and number_scan are asked for 15, 16, and 17 digits (float: 6 to 9). Any decimal of DBL_DIG (15)
 * digits survives the way to double and back, so one that reads back is the shortest but for its trailing zeros. */
#include "base/number.h"

#include "base/power5.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the two types differ in. */
struct format {
    int mantissa_bits; /* with the hidden one */
    int min_exponent;  /* of the last bit of a denormal */
    int sure_digits;   /* any decimal of so many survives */
    int most_digits;   /* enough for any value */
    bool is_float;
};

static const struct format format_double = {DBL_MANT_DIG, DBL_MIN_EXP - DBL_MANT_DIG, DBL_DIG, DBL_DECIMAL_DIG, false};
static const struct format format_float = {FLT_MANT_DIG, FLT_MIN_EXP - FLT_MANT_DIG, FLT_DIG, FLT_DECIMAL_DIG, true};

/* digits * 10^exponent. */
struct shortest {
    uint64_t digits;
    int exponent;
};

/* A fraction's whole part, and how its rest compares with 0 and a half. */
struct fraction {
    uint64_t whole;
    int rest; /* 0: none; 1: below a half; 2: a half; 3: above */
};

/* m * 2^shift / divisor; m * 2^shift must fit 128 bits where shift is positive. */
static struct fraction divide(uint128 m, int shift, uint64_t divisor)
{
    struct fraction f;
    uint128 rest, unit;
    if (shift >= 0) {
        m <<= shift;
        f.whole = (uint64_t)(m / divisor);
        rest = m % divisor;
        unit = divisor;
    } else {
        f.whole = (uint64_t)(m >> -shift);
        rest = m & (((uint128)1 << -shift) - 1);
        unit = (uint128)1 << -shift;
    }
    f.rest = rest == 0 ? 0 : 2 * rest < unit ? 1 : 2 * rest == unit ? 2 : 3;
    return f;
}

/* The multiple of `unit` nearest to the value, ties to even; one of its two neighbours must lie within low to high. */
static uint64_t nearest_multiple(struct fraction value, uint64_t low, uint64_t high, uint64_t unit)
{
    uint64_t below = value.whole / unit * unit, above = below + unit;
    uint64_t twice = 2 * (value.whole - below) + (value.rest >= 2 ? 1 : 0);
    bool more = value.rest == 1 || value.rest == 3;
    bool tie = twice == unit && !more;
    bool nearer_above = tie ? (below / unit) % 2 != 0 : twice >= unit;
    if (below < low)
        return above;
    return nearer_above && above <= high ? above : below;
}

/* m * 2^e, not 0, for powers of ten up to POWER5_MAX; false beyond. */
static bool print_exactly(const struct format *f, uint64_t m, int e, struct shortest *ret)
{
    /* 10^magnitude <= the value; the constant is log10(2) * 2^41 (Giulietti, "The Schubfach way to render doubles",
     * 2020). */
    int bits = 64 - __builtin_clzll(m) + e;
    int magnitude = (int)((int64_t)(bits - 1) * INT64_C(661971961083) >> 41);
    int scale = f->most_digits - 1 - magnitude;
    if (scale < -POWER5_MAX || scale > POWER5_MAX)
        return false;

    /* In quarters of the last bit: halfway down is half as far where the neighbour below is of a smaller exponent. */
    bool narrow = m == UINT64_C(1) << (f->mantissa_bits - 1) && e > f->min_exponent;
    uint64_t multiplier = scale > 0 ? power5[scale] : 1, divisor = scale < 0 ? power5[-scale] : 1;
    int shift = e - 2 + scale;
    struct fraction value = divide((uint128)(4 * m) * multiplier, shift, divisor);
    struct fraction start = divide((uint128)(4 * m - (narrow ? 1 : 2)) * multiplier, shift, divisor);
    struct fraction end = divide((uint128)(4 * m + 2) * multiplier, shift, divisor);
    bool closed = m % 2 == 0;
    uint64_t low = start.whole + (start.rest > 0 || !closed ? 1 : 0);
    uint64_t high = end.whole - (end.rest == 0 && !closed ? 1 : 0);

    uint64_t unit = 1;
    int dropped = 0;
    while (high / (10 * unit) * (10 * unit) >= low) {
        unit *= 10;
        dropped++;
    }
    ret->digits = nearest_multiple(value, low, high, unit) / unit;
    ret->exponent = dropped - scale;
    return true;
}

static bool reads_back(const struct format *f, struct shortest s, double value)
{
    char text[64];
    int length = snprintf(text, sizeof text, "%llue%d", (unsigned long long)s.digits, s.exponent);
    double read = 0;
    float narrow = 0;
    if (!f->is_float)
        return number_scan(text, (size_t)length, &read) > 0 && read == value;
    return number_scan_float(text, (size_t)length, &narrow) > 0 && (double)narrow == value;
}

/* The value rounded to that many digits, by printf; its decimal point is the locale's, so it is skipped. */
static struct shortest round_to_digits(double value, int digits)
{
    char text[64];
    struct shortest s = {0, 1 - digits};
    snprintf(text, sizeof text, "%.*e", digits - 1, value);
    const char *c = text;
    for (; *c != 'e'; c++)
        if (*c >= '0' && *c <= '9')
            s.digits = s.digits * 10 + (uint64_t)(*c - '0');
    int exponent = 0;
    for (const char *d = c + 2; *d != '\0'; d++)
        exponent = exponent * 10 + (*d - '0');
    s.exponent += c[1] == '-' ? -exponent : exponent;
    return s;
}

static struct shortest print_by_trial(const struct format *f, bool denormal, double value)
{
    struct shortest s = {0, 0};
    for (int digits = denormal ? 1 : f->sure_digits; digits <= f->most_digits; digits++) {
        s = round_to_digits(value, digits);
        if (reads_back(f, s, value))
            break;
        /* Above a power of two the interval is wider than below: the farther neighbour may be inside alone. */
        s.digits++;
        if (reads_back(f, s, value))
            break;
    }
    while (s.digits % 10 == 0) {
        s.digits /= 10;
        s.exponent++;
    }
    return s;
}

/* With an exponent only far from 1, and where that is shorter: 100000, but 1e20; 0.001, but 1e-6. */
static bool wants_exponent(int count, int point)
{
    if (point > -4 && point <= 16)
        return false;
    int power = abs(point - 1);
    int with = count + (count > 1) + 1 + (point < 1) + (power < 10 ? 1 : power < 100 ? 2 : 3);
    int without = point <= 0 ? 2 - point + count : point >= count ? point : count + 1;
    return with < without;
}

static size_t layout(struct shortest s, char *out)
{
    char digits[24];
    int count = snprintf(digits, sizeof digits, "%llu", (unsigned long long)s.digits);
    int point = count + s.exponent; /* digits before the point */
    size_t at = 0;
    if (wants_exponent(count, point)) {
        out[at++] = digits[0];
        if (count > 1) {
            out[at++] = '.';
            memcpy(out + at, digits + 1, (size_t)count - 1);
            at += (size_t)count - 1;
        }
        at += (size_t)snprintf(out + at, 8, "e%d", point - 1);
    } else if (point > 0) {
        for (int i = 0; i < count || i < point; i++) {
            if (i == point)
                out[at++] = '.';
            out[at++] = i < count ? digits[i] : '0';
        }
    } else {
        out[at++] = '0';
        out[at++] = '.';
        for (int i = point; i < 0; i++)
            out[at++] = '0';
        memcpy(out + at, digits, (size_t)count);
        at += (size_t)count;
    }
    out[at] = '\0';
    return at;
}

static size_t print(const struct format *f, double value, char *buffer)
{
    size_t sign = signbit(value) ? 1 : 0;
    double magnitude = fabs(value);
    buffer[0] = '-';
    if (magnitude < 0x1p53 && magnitude == (double)(uint64_t)magnitude && !f->is_float)
        return sign + layout((struct shortest){(uint64_t)magnitude, 0}, buffer + sign);
    if (magnitude == 0)
        return sign + layout((struct shortest){0, 0}, buffer + sign);
    int exponent;
    double mantissa = frexp(magnitude, &exponent);
    exponent -= f->mantissa_bits;
    int lost = f->min_exponent - exponent; /* bits that a denormal has not */
    bool denormal = lost > 0;
    uint64_t m = (uint64_t)ldexp(mantissa, f->mantissa_bits - (denormal ? lost : 0));
    struct shortest s;
    if (denormal || !print_exactly(f, m, exponent, &s))
        s = print_by_trial(f, denormal, magnitude);
    return sign + layout(s, buffer + sign);
}

size_t number_print(double value, char buffer[NUMBER_TEXT_MAX])
{
    return print(&format_double, value, buffer);
}

size_t number_print_float(float value, char buffer[NUMBER_TEXT_MAX])
{
    return print(&format_float, (double)value, buffer);
}
