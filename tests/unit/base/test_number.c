/* Reading and printing of numbers, against the C library's strtod and strtof. */
#include "support/near.h"

#include "base/number.h"
#include "base/rng.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct rng randoms = {.seed = 42, .purpose = RNG_INITIAL};

static uint64_t random_bits(uint64_t i)
{
    return (uint64_t)rng_word(&randoms, 2 * i) << 32 | rng_word(&randoms, 2 * i + 1);
}

/* Printed, it reads back to itself, by number_scan and by strtod. */
static void check_double(double x)
{
    char text[NUMBER_TEXT_MAX];
    double read;
    size_t length = number_print(x, text);
    assert_int_equal(length, strlen(text));
    assert_true(length < NUMBER_TEXT_MAX);
    assert_same(strtod(text, NULL), x);
    assert_int_equal(number_scan(text, length, &read), length);
    assert_same(read, x);
}

static void check_float(float x)
{
    char text[NUMBER_TEXT_MAX];
    float read;
    size_t length = number_print_float(x, text);
    assert_int_equal(length, strlen(text));
    assert_same((double)strtof(text, NULL), (double)x);
    assert_int_equal(number_scan_float(text, length, &read), length);
    assert_same((double)read, (double)x);
}

static void check_scan(const char *text)
{
    double read;
    float narrow;
    assert_int_equal(number_scan(text, strlen(text), &read), strlen(text));
    assert_same(read, strtod(text, NULL));
    assert_int_equal(number_scan_float(text, strlen(text), &narrow), strlen(text));
    assert_same((double)narrow, (double)strtof(text, NULL));
}

static void random_bit_patterns_survive(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 60000; i++) {
        uint64_t bits = random_bits(i);
        double x;
        float f;
        memcpy(&x, &bits, sizeof x);
        memcpy(&f, &bits, sizeof f);
        if (isfinite(x))
            check_double(x);
        if (isfinite(f))
            check_float(f);
        /* of usual size, denormal, and whole */
        check_double((double)(int64_t)bits * 0x1p-60);
        check_double((double)(bits >> 40) * 0x1p-1074);
        check_double((double)(bits >> (i % 60)));
        check_float((float)(int64_t)bits * 0x1p-66F);
    }
}

/* Texts of 1 to 40 digits are read as strtod reads them; the shorter of them are what number_print writes. */
static void random_decimals_are_read_right(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 60000; i++) {
        uint64_t bits = random_bits(i + 1000000);
        int exponent = (int)(bits % 80) - 40;
        char text[96];
        double x = (double)(int64_t)bits * 0x1p-63;
        snprintf(text, sizeof text, "%.*fe%d", (int)(bits >> 8 & 31), x, exponent);
        check_scan(text);
    }
}

/* Below a power of two the numbers lie closer. */
static void powers_of_two_survive(void **state)
{
    (void)state;
    for (int exponent = -1074; exponent < 1024; exponent++)
        check_double(ldexp(1, exponent));
    for (int exponent = -149; exponent < 128; exponent++)
        check_float(ldexpf(1, exponent));
}

/* A little beside the middle of two numbers: the last digit decides. */
static void near_ties_are_read_right(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 30000; i++) {
        uint64_t bits = random_bits(i + 3000000);
        char text[96];
        double middle = ldexp((double)(bits >> 40 | 1 << 24 | 1), (int)(bits % 40) - 50); /* of floats: 25 bits */
        snprintf(text, sizeof text, "%.*e", (int)(i % 4) + 14, middle);
        check_scan(text);
        snprintf(text, sizeof text, "%llue-%d", (unsigned long long)(bits % UINT64_C(10000000000000000000)),
                 20 + (int)(i % 8));
        check_scan(text);
    }
}

static void no_shorter_text_reads_back(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 20000; i++) {
        uint64_t bits = random_bits(i + 2000000);
        double x;
        memcpy(&x, &bits, sizeof x);
        if (i % 2 == 0)
            x = (double)(bits >> 30) * 0x1p-20;
        if (i % 5 == 0)
            x = ldexp(1, (int)(bits % 2000) - 1000); /* a narrow interval below */
        if (!isfinite(x) || x == 0)
            continue;
        char text[NUMBER_TEXT_MAX], shorter[64];
        number_print(x, text);
        int digits = 0, leading = 1;
        for (const char *c = text; *c != '\0' && *c != 'e'; c++) {
            if (*c >= '1' && *c <= '9')
                leading = 0;
            digits += *c >= '0' && *c <= '9' && !leading;
        }
        if (strchr(text, 'e') == NULL && strchr(text, '.') == NULL)
            continue; /* trailing zeros are part of a whole number */
        if (digits > 1) {
            snprintf(shorter, sizeof shorter, "%.*e", digits - 2, x);
            assert_true(strtod(shorter, NULL) != x);
        }
    }
}

static void known_forms(void **state)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {16, "16"},
        {0, "0"},
        {-0.0, "-0"},
        {0.1, "0.1"},
        {-1.5, "-1.5"},
        {1e21, "1e21"},
        {123456789012345680000.0, "123456789012345680000"},
        {1e-6, "1e-6"},
        {0.0001, "0.0001"},
        {0.00001, "1e-5"},
        {1e16, "1e16"},
        {123456789012345680.0, "123456789012345680"},
        {1e-7, "1e-7"},
        {1.5e300, "1.5e300"},
        {1.25e-9, "1.25e-9"},
        {9007199254740993.0, "9007199254740992"},
        {0x1p-44, "5.684341886080802e-14"},
        {0x1p-25, "2.9802322387695312e-8"}, /* halfway between two of 17 digits: to even, down */
        {0x1.cb388p+0, "1.7938308715820312"},
        {5e-324, "5e-324"},
        {1e-323, "1e-323"},
        {DBL_MAX, "1.7976931348623157e308"},
        {DBL_MIN, "2.2250738585072014e-308"},
        {1e23, "1e23"},
        {2.0 / 3, "0.6666666666666666"},
    };
    (void)state;
    char text[NUMBER_TEXT_MAX];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        number_print(cases[i].value, text);
        assert_string_equal(text, cases[i].text);
    }
    number_print_float(0.1F, text);
    assert_string_equal(text, "0.1");
    number_print_float(16777216, text);
    assert_string_equal(text, "16777216");
    number_print_float(FLT_MAX, text);
    assert_string_equal(text, "3.4028235e38");
    number_print_float(1e-45F, text);
    assert_string_equal(text, "1e-45");
    number_print_float(0x1p-24F, text);
    assert_string_equal(text, "5.9604645e-8");
}

static void edges_are_read_right(void **state)
{
    static const char *const texts[] = {
        "1.7976931348623157e308", "1.7976931348623159e308", "1e309", "-1e999999999999999999999", "1e-400", "4.9e-324",
        "2.4703282292062327e-324", "2.4703282292062328e-324", "2.2250738585072011e-308", "9007199254740993",
        "9007199254740992.9999999999999999999", "9007199254740993.00000000000000000000000000000000000001",
        /* halfway between two floats, and a little beside; rounding by way of double would be wrong */
        "1.00000005960464477539062500", "1.00000005960464477539062501", "1.00000005960464477539062499", "16777217",
        "16777217.0000001", "3.4028235677973366e38", "3.4028235677973365e38", "7.006492321624085e-46",
        "7.006492321624086e-46", "1.1754943508222875e-38", "0e99999", "-0.0e-99999", "0.000000000000000000000000001",
        "00012.50", "8.41e21", "9.5e-27", "18446744073709551615e27", "18446744073709551616e27",
        "0.500000000000000166533453693773481063544750213623046875"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        check_scan(texts[i]);
}

static void long_texts_are_read_right(void **state)
{
    (void)state;
    enum { LONG = 5000 };
    char text[LONG + 16];
    /* halfway from 1 to the next double, and a last digit that decides */
    const char *half = "1.00000000000000011102230246251565404236316680908203125";
    memset(text, '0', LONG);
    memcpy(text, half, strlen(half));
    text[LONG] = '\0';
    check_scan(text);
    text[LONG - 1] = '1';
    check_scan(text);
    /* a long row of zeros, and the exponent that takes it back */
    memset(text, '0', LONG);
    text[1] = '.';
    snprintf(text + LONG, 16, "5e%d", LONG);
    check_scan(text);
}

static void what_is_not_a_number_is_not_taken(void **state)
{
    static const struct {
        const char *text;
        size_t taken;
    } cases[] = {{"", 0},    {"-", 0},    {".", 0},      {"+1", 0},    {" 1", 0},  {"inf", 0},  {"nan", 0},
                 {"e5", 0},  {"0x10", 1}, {"1e", 1},     {"1e+", 1},   {"1.", 2},  {".5", 2},   {"1.2.3", 3},
                 {"-.e", 0}, {"1,5", 1},  {"2.5E+1", 6}, {"1e-3x", 4}, {"-5.", 3}, {"1e5e5", 3}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double value = 77;
        assert_int_equal(number_scan(cases[i].text, strlen(cases[i].text), &value), cases[i].taken);
        if (cases[i].taken == 0)
            assert_same(value, 77);
    }
    double value;
    assert_int_equal(number_scan("123", 2, &value), 2); /* the length holds, not a NUL */
    assert_same(value, 12);
}

static void whole_numbers(void **state)
{
    (void)state;
    uint64_t value = 7;
    assert_true(number_whole("18446744073709551615", UINT64_MAX, &value));
    assert_true(value == UINT64_MAX);
    assert_true(number_whole("0", 0, &value));
    assert_int_equal(value, 0);
    static const char *const wrong[] = {
        "", "-1", "+1", "1.0", " 1", "1 ", "18446744073709551616", "99999999999999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(number_whole(wrong[i], UINT64_MAX, &value));
    assert_false(number_whole("101", 100, &value));
    assert_true(number_whole("100", 100, &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_bit_patterns_survive),
        cmocka_unit_test(random_decimals_are_read_right),
        cmocka_unit_test(powers_of_two_survive),
        cmocka_unit_test(near_ties_are_read_right),
        cmocka_unit_test(no_shorter_text_reads_back),
        cmocka_unit_test(known_forms),
        cmocka_unit_test(edges_are_read_right),
        cmocka_unit_test(long_texts_are_read_right),
        cmocka_unit_test(what_is_not_a_number_is_not_taken),
        cmocka_unit_test(whole_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
