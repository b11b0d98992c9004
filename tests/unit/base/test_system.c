/* UTF-8, digests, clock, UUIDs, the log. */
#include "support/near.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/utf8.h"
#include "base/uuid.h"
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void utf8(void **state)
{
    static const struct {
        const char *bytes;
        size_t at; /* of what is wrong; SIZE_MAX: nothing */
    } cases[] = {
        {"", SIZE_MAX},
        {"plain text, long enough for words", SIZE_MAX},
        {"\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80", SIZE_MAX},
        {"\xEF\xBF\xBF\xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF", SIZE_MAX},
        {"12345678\x80", 8},
        {"a\xC0\x80", 1},    /* overlong */
        {"\xE0\x9F\xBF", 0}, /* overlong */
        {"\xF0\x8F\xBF\xBF", 0},
        {"\xED\xA0\x80", 0}, /* surrogate */
        {"\xF4\x90\x80\x80", 0},
        {"\xF5\x80\x80\x80", 0},
        {"ab\xE2\x82", 2}, /* cut off */
        {"ab\xE2\x28\xA1", 2},
        {"\xFF", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t at = SIZE_MAX;
        bool valid = utf8_valid(cases[i].bytes, strlen(cases[i].bytes), &at);
        assert_int_equal(valid, cases[i].at == SIZE_MAX);
        assert_int_equal(at, cases[i].at);
    }
    assert_true(utf8_valid("a\0b", 3, NULL));
    assert_int_equal(utf8_character("\xE2\x82\xAC", 3), 3);
    assert_int_equal(utf8_character("\xE2\x82\xAC", 2), 0);
}

static void digests(void **state)
{
    (void)state;
    struct digest d;
    char one[DIGEST_TEXT_MAX], other[DIGEST_TEXT_MAX];
    digest_start(&d);
    digest_bytes(&d, "abc", 3);
    digest_end(&d, one);
    assert_string_equal(one, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    digest_start(&d);
    digest_text(&d, "ab");
    digest_text(&d, "c");
    digest_end(&d, one);
    digest_start(&d);
    digest_text(&d, "a");
    digest_text(&d, "bc");
    digest_end(&d, other);
    assert_string_not_equal(one, other);
    digest_start(&d);
    digest_number(&d, UINT64_C(0x0807060504030201));
    digest_end(&d, one);
    digest_start(&d);
    digest_bytes(&d, "\1\2\3\4\5\6\7\10", 8);
    digest_end(&d, other);
    assert_string_equal(one, other);
}

static void times(void **state)
{
    (void)state;
    char text[CLOCK_TEXT_MAX];
    assert_string_equal(clock_text(0, text), "1970-01-01T00:00:00.000Z");
    assert_string_equal(clock_text(1706702400007, text), "2024-01-31T12:00:00.007Z");
    assert_string_equal(clock_text(-1, text), "1969-12-31T23:59:59.999Z");
    assert_string_equal(clock_text(INT64_MAX, text), "9999-12-31T23:59:59.999Z");
    assert_string_equal(clock_text(INT64_MIN, text), "0000-01-01T00:00:00.000Z");
    assert_true(clock_now() > INT64_C(1600000000000));
    int64_t before = clock_monotonic();
    assert_true(clock_monotonic() >= before);
}

enum { UUIDS = 3000 };

static void *make_uuids(void *data)
{
    char(*uuids)[UUID_TEXT_MAX] = data;
    for (int i = 0; i < UUIDS; i++)
        if (uuid_new(uuids[i], NULL) != ERR_ok)
            uuids[i][0] = '\0';
    return NULL;
}

static void uuids_are_ordered_and_unique(void **state)
{
    (void)state;
    static char uuids[2][UUIDS][UUID_TEXT_MAX];
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, make_uuids, uuids[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < UUIDS; k++) {
            assert_true(uuid_valid(uuids[i][k]));
            assert_int_equal(uuids[i][k][14], '7');
            assert_non_null(strchr("89ab", uuids[i][k][19]));
            assert_true(k == 0 || strcmp(uuids[i][k - 1], uuids[i][k]) < 0);
            assert_true(k == 0 || strcmp(uuids[i][k - 1] + 24, uuids[i][k] + 24) != 0); /* the random part */
        }
    }
    /* Both are sorted: one walk through them finds what they share in their first 18 characters, the stamp. */
    for (int i = 0, k = 0; i < UUIDS && k < UUIDS;) {
        int order = strncmp(uuids[0][i], uuids[1][k], 18);
        assert_int_not_equal(order, 0);
        if (order < 0)
            i++;
        else
            k++;
    }
    assert_false(uuid_valid(""));
    assert_false(uuid_valid("0190163D-8694-739b-aea5-966c26f8ad91"));
    assert_false(uuid_valid("0190163d-8694-739b-aea5-966c26f8ad911"));
    assert_false(uuid_valid("0190163d08694-739b-aea5-966c26f8ad91"));
}

static void uuids_follow_another(void **state)
{
    (void)state;
    const char *later = "7190163d-8694-7fff-bea5-966c26f8ad91";
    char made[3][UUID_TEXT_MAX];
    uuid_follow("no uuid");
    assert_int_equal(uuid_new(made[0], NULL), ERR_ok);
    uuid_follow(later);
    assert_int_equal(uuid_new(made[1], NULL), ERR_ok);
    uuid_follow(made[0]); /* an earlier one takes nothing back */
    assert_int_equal(uuid_new(made[2], NULL), ERR_ok);
    assert_true(strcmp(made[0], later) < 0 && strcmp(later, made[1]) < 0 && strcmp(made[1], made[2]) < 0);
    assert_memory_equal(made[1], "7190163d-8695-7000-", 19); /* the next stamp */
    assert_true(uuid_valid(made[1]) && uuid_valid(made[2]));
}

static void log_lines_are_escaped(void **state)
{
    (void)state;
    char out[64];
    log_escape("a\nb\t\r\\\x1b[1m\x7f", out, sizeof out);
    assert_string_equal(out, "a\\nb\\t\\r\\\\\\x1b[1m\\x7f");
    log_escape("\xC3\xA9 \xC2\x9B \xFF", out, sizeof out);
    assert_string_equal(out, "\xC3\xA9 \\xc2\\x9b \\xff");
    assert_int_equal(log_escape("abc\n", out, 5), 3); /* no half escape */
    assert_string_equal(out, "abc");
}

static void log_writes_one_line(void **state)
{
    (void)state;
    int ends[2], standard = dup(STDERR_FILENO);
    char line[8192];
    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    log_write(LOG_DEBUG, "not seen");
    log_write(LOG_WARNING, "name '%s'", "x\ny");
    log_set_level(LOG_DEBUG);
    log_write(LOG_DEBUG, "%05000d", 1);
    log_set_level(LOG_INFO);
    dup2(standard, STDERR_FILENO);
    close(standard);
    close(ends[1]);
    ssize_t length = read(ends[0], line, sizeof line - 1);
    close(ends[0]);
    assert_true(length > 0);
    line[length] = '\0';
    assert_int_equal(line[23], 'Z');
    assert_memory_equal(line + 24, " WARNING name 'x\\ny'\n", 21);
    assert_memory_equal(line + 24 + 21 + 24, " DEBUG 000", 10);
    assert_true(length < 4096 + 45);
    assert_int_equal(line[length - 1], '\n');
    enum log_level level = LOG_INFO;
    assert_true(log_level_find("error", &level));
    assert_int_equal(level, LOG_ERROR);
    assert_false(log_level_find("ERROR", &level));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8),
        cmocka_unit_test(digests),
        cmocka_unit_test(times),
        cmocka_unit_test(uuids_are_ordered_and_unique),
        cmocka_unit_test(uuids_follow_another),
        cmocka_unit_test(log_lines_are_escaped),
        cmocka_unit_test(log_writes_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
