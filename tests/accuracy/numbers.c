/* The scanner and the printer of numbers against the C library, on far more of them than the unit tests take: COUNT
 * random ones of each kind (the argument; 10 million without one), and as many of all float32, spread evenly. JSON
 * lines of how many were tried; the first that is wrong ends it with status 1.
 *
 * A text is right if strtod (strtof) reads the value back, if no text with a digit less would be read back, and if no
 * other with as many digits is nearer, by printf. Texts are also read by number_scan, and random decimals, long ones
 * and ones close to the middle of two values among them, are read as strtod reads them. */
#include "base/number.h"
#include "base/rng.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct rng randoms = {.seed = 4242, .purpose = RNG_INITIAL};

static uint64_t random_bits(uint64_t i)
{
    return (uint64_t)rng_word(&randoms, 2 * i) << 32 | rng_word(&randoms, 2 * i + 1);
}

static _Noreturn void wrong(const char *what, double value, const char *text)
{
    printf("{\"wrong\":\"%s\",\"value\":\"%a\",\"text\":\"%s\"}\n", what, value, text);
    exit(1);
}

/* Digits from the first to the last that is not 0. */
static int significant(const char *text)
{
    int count = 0;
    int zeros = 0;
    for (; *text != '\0' && *text != 'e'; text++) {
        if (*text < '0' || *text > '9' || (*text == '0' && count == 0))
            continue;
        zeros = *text == '0' ? zeros + 1 : 0;
        count++;
    }
    return count - zeros;
}

static double read_back(const char *text, bool narrow)
{
    return narrow ? (double)strtof(text, NULL) : strtod(text, NULL);
}

/* Of what printf rounds to a digit less nothing must read back; what it rounds to as many is the nearest. The values
 * just above a power of two are left out: there the interval is not even, and printf's choice may lie outside. */
static void check_shortest(double x, const char *text, bool narrow)
{
    char other[64];
    int exponent;
    const int digits = significant(text);
    if (x == 0 || frexp(fabs(x), &exponent) == 0.5)
        return;
    if (digits > 1) {
        (void)snprintf(other, sizeof other, "%.*e", digits - 2, x);
        if (read_back(other, narrow) == x)
            wrong("not the shortest", x, text);
    }
    (void)snprintf(other, sizeof other, "%.*e", digits - 1, x);
    if (strtold(other, NULL) != strtold(text, NULL) && read_back(other, narrow) == x &&
        fabsl(strtold(other, NULL) - (long double)x) < fabsl(strtold(text, NULL) - (long double)x))
        wrong("not the nearest", x, text);
}

static bool same(double a, double b)
{
    return a == b && signbit(a) == signbit(b);
}

static void check_double(double x)
{
    char text[NUMBER_TEXT_MAX];
    double read = 0;
    if (!isfinite(x))
        return;
    const size_t length = number_print(x, text);
    if (length != strlen(text) || !same(strtod(text, NULL), x))
        wrong("float64 does not read back", x, text);
    if (number_scan(text, length, &read) != length || !same(read, x))
        wrong("float64 is not scanned right", x, text);
    check_shortest(x, text, false);
}

static void check_float(float x)
{
    char text[NUMBER_TEXT_MAX];
    float read = 0;
    if (!isfinite(x))
        return;
    const size_t length = number_print_float(x, text);
    if (length != strlen(text) || !same((double)strtof(text, NULL), (double)x))
        wrong("float32 does not read back", (double)x, text);
    if (number_scan_float(text, length, &read) != length || !same((double)read, (double)x))
        wrong("float32 is not scanned right", (double)x, text);
    check_shortest((double)x, text, true);
}

static void check_text(const char *text)
{
    double read = 0;
    float narrow = 0;
    const size_t length = strlen(text);
    if (number_scan(text, length, &read) != length || !same(read, strtod(text, NULL)))
        wrong("a text is not read as strtod reads it", read, text);
    if (number_scan_float(text, length, &narrow) != length || !same((double)narrow, (double)strtof(text, NULL)))
        wrong("a text is not read as strtof reads it", (double)narrow, text);
}

/* ---- kinds */

static void any_bits(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    check_double(x);
}

static void of_usual_size(uint64_t bits)
{
    check_double((double)(int64_t)bits * 0x1p-60);
    check_float((float)(int64_t)bits * 0x1p-62F);
}

static void of_few_bits(uint64_t bits)
{
    const double x = ldexp((double)(bits >> 44), (int)(bits % 2100) - 1080);
    check_double(x);
    check_float((float)ldexp((double)(bits >> 50), (int)(bits % 300) - 160));
}

static void of_few_digits(uint64_t bits)
{
    char text[64];
    (void)snprintf(text, sizeof text, "%llue%d", (unsigned long long)(bits >> (bits % 60)), (int)(bits % 340) - 170);
    check_double(strtod(text, NULL));
    check_float(strtof(text, NULL));
}

static void random_decimals(uint64_t bits)
{
    char text[128];
    (void)snprintf(text, sizeof text, "%.*fe%d", (int)(bits >> 8 & 31), (double)(int64_t)bits * 0x1p-63,
                   (int)(bits % 80) - 40);
    check_text(text);
    (void)snprintf(text, sizeof text, "%llue%d", (unsigned long long)bits, (int)(bits % 700) - 360);
    check_text(text);
}

/* The middle of two values, exactly, and cut or a digit longer. */
static void near_middles(uint64_t bits)
{
    char text[1200];
    uint64_t mantissa = (bits >> 10) | 1; /* 54 bits, which no double has */
    const int exponent = (int)(bits % 200) - 100;
    const long double middle = ldexpl((long double)mantissa, exponent);
    (void)snprintf(text, sizeof text, "%.*Le", (int)(bits >> 3 & 63), middle);
    check_text(text);
    mantissa = (bits >> 39) | 1; /* 25 bits, of floats */
    const int length =
        snprintf(text, sizeof text - 2, "%.*f", (int)(bits >> 3 & 31), ldexp((double)mantissa, exponent / 4));
    check_text(text);
    text[length] = '1';
    text[length + 1] = '\0';
    check_text(text);
}

static const struct {
    const char *name;
    void (*check)(uint64_t bits);
} kinds[] = {{"any bits", any_bits},           {"of usual size", of_usual_size},     {"of few bits", of_few_bits},
             {"of few digits", of_few_digits}, {"random decimals", random_decimals}, {"near middles", near_middles}};

int main(int argc, char **argv)
{
    const uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000000;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        for (uint64_t i = 0; i < count; i++)
            kinds[k].check(random_bits(k * count + i));
        printf("{\"numbers\":\"%s\",\"tried\":%llu,\"wrong\":0}\n", kinds[k].name, (unsigned long long)count);
        fflush(stdout);
    }
    const uint64_t step = count >= UINT32_MAX ? 1 : UINT32_MAX / (count + 1) + 1;
    for (uint64_t i = 0; i <= UINT32_MAX; i += step) {
        const uint32_t bits = (uint32_t)i;
        float x;
        memcpy(&x, &bits, sizeof x);
        check_float(x);
    }
    printf("{\"numbers\":\"every float32 at a distance of %llu\",\"wrong\":0}\n", (unsigned long long)step);
    return 0;
}
