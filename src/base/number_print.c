/* float and double to the shortest decimal text that reads back to the same value; of several, the nearest to it.
 *
 * A value m * 2^e is read back from every decimal in the interval that reaches halfway to its two neighbours (ends
 * included where m is even). With k such that the interval is at least 10^k and less than 10^(k+1) wide, it holds some
 * multiple of 10^k, and at most one of 10^(k+1): that one, without its trailing zeros, is the shortest decimal, or else
 * the multiple of 10^k nearest to the value. Value and ends are compared with multiples in quarters of 10^k, which are
 * whole numbers but for a rest; of that it is enough to know that there is one, so it is put into the last bit ("round
 * to odd"), and 128 bits of the power of ten are enough for that. (Giulietti, "The Schubfach way to render doubles",
 * 2020.) */
#include "base/number.h"

#include "base/power5.h"
#include "base/powers.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What the two types differ in. */
struct format {
    int mantissa_bits; /* with the hidden one */
    int min_exponent;  /* of the last bit of a denormal */
};

static const struct format format_double = {DBL_MANT_DIG, DBL_MIN_EXP - DBL_MANT_DIG};
static const struct format format_float = {FLT_MANT_DIG, FLT_MIN_EXP - FLT_MANT_DIG};

/* digits * 10^exponent. */
struct shortest {
    uint64_t digits;
    int exponent;
};

/* log10(2^e), and of 3/4 of it, and log2(10^e), rounded down, for all exponents of a double. */
static int log10_of_power2(int e)
{
    return (int)(((int64_t)e * 1262611) >> 22);
}

static int log10_of_three_quarters(int e)
{
    return (int)(((int64_t)e * 1262611 - 524031) >> 22);
}

static int log2_of_power10(int e)
{
    return (int)(((int64_t)e * 1741647) >> 19);
}

/* The highest 64 bits of power * factor, the last of them 1 if there is any rest. */
static uint64_t scale(struct power power, uint64_t factor)
{
    uint128 low = (uint128)power.low * factor, high = (uint128)power.high * factor;
    high += (uint64_t)(low >> 64);
    return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

/* m * 2^e, not 0. */
static struct shortest shorten(const struct format *f, uint64_t m, int e)
{
    /* In quarters of the last bit; halfway down is half as far where the neighbour below is of a smaller exponent. */
    bool narrow = m == UINT64_C(1) << (f->mantissa_bits - 1) && e > f->min_exponent;
    int k = narrow ? log10_of_three_quarters(e) : log10_of_power2(e);
    struct power power = power10[-k - POWER10_LEAST];
    int shift = e + log2_of_power10(-k) + 1;
    uint64_t value = scale(power, 4 * m << shift);
    uint64_t low = scale(power, (4 * m - (narrow ? 1 : 2)) << shift), high = scale(power, (4 * m + 2) << shift);
    low += m & 1; /* the ends themselves are only of the even */
    high -= m & 1;

    uint64_t below = value / 4, tens = below / 10;
    bool low_ten = low <= 40 * tens, high_ten = 40 * tens + 40 <= high;
    if (low_ten != high_ten)
        return (struct shortest){tens + high_ten, k + 1};
    bool low_in = low <= 4 * below, high_in = 4 * below + 4 <= high;
    if (low_in != high_in)
        return (struct shortest){below + high_in, k};
    uint64_t middle = 4 * below + 2;
    bool up = value > middle || (value == middle && below % 2 != 0);
    return (struct shortest){below + up, k};
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

/* Writes the number so that it ends before `end`. */
static void write_digits(uint64_t number, char *end)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142"
                                "43444546474849505152535455565758596061626364656667686970717273747576777879808182838485"
                                "8687888990919293949596979899";
    for (; number >= 100; number /= 100)
        memcpy(end -= 2, pairs + 2 * (number % 100), 2);
    if (number >= 10)
        memcpy(end - 2, pairs + 2 * number, 2);
    else
        end[-1] = (char)('0' + number);
}

/* 1 for 0. */
static int count_digits(uint64_t number)
{
    static const uint64_t reached[] = {0,
                                       UINT64_C(10),
                                       UINT64_C(100),
                                       UINT64_C(1000),
                                       UINT64_C(10000),
                                       UINT64_C(100000),
                                       UINT64_C(1000000),
                                       UINT64_C(10000000),
                                       UINT64_C(100000000),
                                       UINT64_C(1000000000),
                                       UINT64_C(10000000000),
                                       UINT64_C(100000000000),
                                       UINT64_C(1000000000000),
                                       UINT64_C(10000000000000),
                                       UINT64_C(100000000000000),
                                       UINT64_C(1000000000000000),
                                       UINT64_C(10000000000000000),
                                       UINT64_C(100000000000000000),
                                       UINT64_C(1000000000000000000),
                                       UINT64_C(10000000000000000000)};
    int least = log10_of_power2(63 - __builtin_clzll(number | 1)); /* of the power of two that it reaches */
    return least + 1 + (number >= reached[least + 1]);
}

/* "1.25e-9": in the place of the first digit and the point stands the first digit, written one too far right. */
static char *layout_exponent(uint64_t digits, int count, int power, char *out)
{
    char *end = out + 1 + count;
    write_digits(digits, end);
    out[0] = out[1];
    out[1] = '.';
    if (count == 1)
        end = out + 1;
    *end++ = 'e';
    if (power < 0)
        *end++ = '-';
    end += count_digits((uint64_t)abs(power));
    write_digits((uint64_t)abs(power), end);
    return end;
}

/* Of digits that are not 0. */
static size_t layout(struct shortest s, char *out)
{
    for (; s.digits % 10 == 0; s.exponent++)
        s.digits /= 10;
    int count = count_digits(s.digits);
    int point = count + s.exponent; /* digits before the point */
    char *end;
    if (wants_exponent(count, point)) {
        end = layout_exponent(s.digits, count, point - 1, out);
    } else if (point <= 0) {
        memcpy(out, "0.000", 5); /* three zeros at most: wants_exponent */
        end = out + 2 - point + count;
        write_digits(s.digits, end);
    } else if (point >= count) {
        end = out + point;
        write_digits(s.digits, out + count);
        for (int i = count; i < point; i++)
            out[i] = '0';
    } else {
        end = out + 1 + count;
        write_digits(s.digits, end);
        for (int i = 0; i < point; i++)
            out[i] = out[i + 1];
        out[point] = '.';
    }
    *end = '\0';
    return (size_t)(end - out);
}

/* m * 2^e; without sign. */
static size_t print(const struct format *f, uint64_t m, int e, char *out)
{
    if (m == 0) {
        memcpy(out, "0", 2);
        return 1;
    }
    if (e <= 0 && e > -f->mantissa_bits && (m & ((UINT64_C(1) << -e) - 1)) == 0)
        return layout((struct shortest){m >> -e, 0}, out); /* whole, and all digits of it count */
    return layout(shorten(f, m, e), out);
}

/* The mantissa and its exponent, from the bits of the format: the exponent's field, and what is below it. */
static size_t print_bits(const struct format *f, uint64_t field, uint64_t fraction, char *out)
{
    if (field == 0)
        return print(f, fraction, f->min_exponent, out);
    uint64_t hidden = UINT64_C(1) << (f->mantissa_bits - 1);
    return print(f, fraction | hidden, f->min_exponent + (int)field - 1, out);
}

size_t number_print(double value, char buffer[NUMBER_TEXT_MAX])
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    size_t sign = bits >> 63;
    buffer[0] = '-';
    return sign + print_bits(&format_double, bits >> 52 & 0x7ff, bits & 0xfffffffffffff, buffer + sign);
}

size_t number_print_float(float value, char buffer[NUMBER_TEXT_MAX])
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    size_t sign = bits >> 31;
    buffer[0] = '-';
    return sign + print_bits(&format_float, bits >> 23 & 0xff, bits & 0x7fffff, buffer + sign);
}
