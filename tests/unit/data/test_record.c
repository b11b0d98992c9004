/* Records: what goes in comes out, and damaged bytes are an error and nothing worse. */
#include "data/record.h"
#include "data/table_record.h"
#include "data/transform_record.h"
#include "read.h"
#include <stdlib.h>
#include <string.h>

static struct table *mixed_table(void)
{
    return read_table(TEXT("age,city,height\n10,rome,1.5\n20,oslo,2.5\n30,rome,0.5\n40,\xC3\xA9vian,1.5\n"));
}

static struct text table_bytes(void)
{
    struct text bytes = {0};
    struct table *t = mixed_table();
    assert_int_equal(table_info_encode(&t->info, &bytes, NULL), ERR_ok);
    table_free(t);
    return bytes;
}

static struct text transform_bytes(void)
{
    static const char *const columns[] = {"age", "height", "city"};
    struct text bytes = {0};
    struct transform all[3] = {0};
    struct table *t = mixed_table();
    assert_int_equal(transform_fit("X", TRANSFORM_STANDARDIZE, columns, 2, t, NULL, 0, NULL, &all[0], NULL), ERR_ok);
    assert_int_equal(transform_fit("c", TRANSFORM_ONE_HOT, columns + 2, 1, t, NULL, 0, NULL, &all[1], NULL), ERR_ok);
    assert_int_equal(transform_fit("y", TRANSFORM_NONE, columns, 3, t, NULL, 0, NULL, &all[2], NULL), ERR_ok);
    assert_int_equal(transforms_encode(all, 3, &bytes, NULL), ERR_ok);
    for (size_t i = 0; i < 3; i++)
        transform_clear(&all[i]);
    table_free(t);
    return bytes;
}

static void test_a_table_comes_back(void **state)
{
    (void)state;
    struct table *t = mixed_table();
    struct text bytes = table_bytes();
    struct text again = {0};
    struct table_info info = {0};
    assert_int_equal(table_info_decode(bytes.data, bytes.length, &info, NULL), ERR_ok);
    assert_int_equal(info.rows, 4);
    assert_int_equal(info.width, 3);
    assert_string_equal(info.digest, t->info.digest);
    for (size_t i = 0; i < 3; i++) {
        const struct column *a = &info.columns[i];
        const struct column *b = &t->info.columns[i];
        assert_string_equal(a->name, b->name);
        assert_int_equal(a->type, b->type);
        assert_int_equal(a->offset, b->offset);
        assert_int_equal(a->width, b->width);
        assert_int_equal(a->category_count, b->category_count);
        assert_same(a->mean, b->mean);
        assert_same(a->std, b->std);
        assert_same(a->min, b->min);
        assert_same(a->max, b->max);
        for (size_t k = 0; k < a->category_count; k++) {
            assert_string_equal(a->labels[k], b->labels[k]);
            assert_int_equal(a->order[k], b->order[k]);
        }
    }
    assert_int_equal(table_info_encode(&info, &again, NULL), ERR_ok);
    assert_int_equal(again.length, bytes.length);
    assert_memory_equal(again.data, bytes.data, bytes.length);
    text_clear(&bytes);
    text_clear(&again);
    table_info_clear(&info);
    table_free(t);
}

static void test_transforms_come_back(void **state)
{
    (void)state;
    struct table *t = mixed_table();
    struct text bytes = transform_bytes();
    struct text again = {0};
    struct transform *all = NULL;
    size_t count = 0;
    double hot[12];
    static const double expected[12] = {0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1};
    assert_int_equal(transforms_decode(bytes.data, bytes.length, &all, &count, NULL), ERR_ok);
    assert_int_equal(count, 3);
    assert_string_equal(all[0].input, "X");
    assert_int_equal(all[0].kind, TRANSFORM_STANDARDIZE);
    assert_same(all[0].columns[0].center[0], 25);
    assert_int_equal(all[2].width, 3);
    assert_int_equal(all[1].width, 3);
    assert_int_equal(transform_apply(&all[1], t, NULL, 0, DTYPE_FLOAT64, hot, NULL), ERR_ok);
    assert_memory_equal(hot, expected, sizeof hot);
    assert_int_equal(transforms_encode(all, count, &again, NULL), ERR_ok);
    assert_int_equal(again.length, bytes.length);
    assert_memory_equal(again.data, bytes.data, bytes.length);
    transforms_free(all, count);
    text_clear(&bytes);
    text_clear(&again);
    table_free(t);
}

static void test_no_transforms(void **state)
{
    (void)state;
    struct text bytes = {0};
    struct transform *all = NULL;
    size_t count = 7;
    assert_int_equal(transforms_encode(NULL, 0, &bytes, NULL), ERR_ok);
    assert_int_equal(transforms_decode(bytes.data, bytes.length, &all, &count, NULL), ERR_ok);
    assert_int_equal(count, 0);
    transforms_free(all, count);
    text_clear(&bytes);
}

/* Decodes a copy of exactly that size, so that reading beyond it is seen. What is accepted must be sound enough to
 * encode. */
static err_code decode_table(const char *bytes, size_t size)
{
    struct table_info info = {0};
    struct text again = {0};
    char *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    err_code code = table_info_decode(copy, size, &info, NULL);
    free(copy);
    if (!code) {
        assert_int_equal(table_info_encode(&info, &again, NULL), ERR_ok);
        assert_int_equal(again.length, size);
        assert_memory_equal(again.data, bytes, size);
    }
    text_clear(&again);
    table_info_clear(&info);
    return code;
}

static err_code decode_transforms(const char *bytes, size_t size)
{
    struct transform *all = NULL;
    size_t count = 0;
    struct text again = {0};
    char *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    err_code code = transforms_decode(copy, size, &all, &count, NULL);
    free(copy);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < all[i].column_count; k++)
            assert_true(all[i].columns[k].scale[0] > 0);
    }
    if (!code) {
        assert_int_equal(transforms_encode(all, count, &again, NULL), ERR_ok);
        assert_int_equal(again.length, size);
        assert_memory_equal(again.data, bytes, size);
    }
    text_clear(&again);
    transforms_free(all, count);
    return code;
}

typedef err_code decoder(const char *bytes, size_t size);

/* The check alone refuses every change and every cut. */
static void expect_checked(struct text bytes, decoder *decode)
{
    assert_int_equal(decode(bytes.data, bytes.length), ERR_ok);
    for (size_t size = 0; size < bytes.length; size++)
        assert_int_equal(decode(bytes.data, size), ERR_database_failed);
    for (size_t i = 0; i < bytes.length; i++) {
        bytes.data[i] = (char)(bytes.data[i] ^ 0x10);
        assert_int_equal(decode(bytes.data, bytes.length), ERR_database_failed);
        bytes.data[i] = (char)(bytes.data[i] ^ 0x10);
    }
}

/* With the check made to fit, only the reader's own bounds are left. Returns how many were refused. */
static size_t seal_and_decode(struct text *payload, decoder *decode)
{
    struct text sealed = {0};
    text_add(&sealed, payload->data, payload->length);
    record_seal(&sealed);
    assert_false(sealed.failed);
    err_code code = decode(sealed.data, sealed.length);
    assert_true(code == ERR_ok || code == ERR_database_failed);
    text_clear(&sealed);
    return code != ERR_ok;
}

static void expect_bounded(struct text bytes, decoder *decode)
{
    static const unsigned char changes[] = {0x00, 0x01, 0x7F, 0x80, 0xFF};
    struct text payload = {0};
    size_t refused = 0;
    size_t length = bytes.length - RECORD_CHECK_SIZE;
    text_add(&payload, bytes.data, length);
    assert_int_equal(seal_and_decode(&payload, decode), 0);
    for (size_t size = 0; size < length; size++) {
        payload.length = size;
        assert_int_equal(seal_and_decode(&payload, decode), 1);
    }
    payload.length = length;
    for (size_t i = 0; i < length; i++) {
        char old = payload.data[i];
        for (size_t k = 0; k < sizeof changes; k++) {
            payload.data[i] = (char)changes[k];
            refused += seal_and_decode(&payload, decode);
        }
        payload.data[i] = old;
    }
    assert_true(refused > length);
    text_add(&payload, "x", 1);
    assert_int_equal(seal_and_decode(&payload, decode), 1);
    text_clear(&payload);
}

/* Many bytes at once, by a fixed sequence. */
static void expect_bounded_at_random(struct text bytes, decoder *decode)
{
    uint32_t random = 12345;
    size_t length = bytes.length - RECORD_CHECK_SIZE;
    for (size_t round = 0; round < 3000; round++) {
        struct text payload = {0};
        text_add(&payload, bytes.data, length);
        for (size_t i = 0; i < 1 + round % 4; i++) {
            random = random * 1664525 + 1013904223;
            payload.data[(random >> 8) % length] = (char)(random >> 24);
        }
        random = random * 1664525 + 1013904223;
        if (random >> 31)
            payload.length = RECORD_HEAD_SIZE + (random >> 8) % (length - RECORD_HEAD_SIZE);
        seal_and_decode(&payload, decode);
        text_clear(&payload);
    }
}

static void test_damaged_tables(void **state)
{
    (void)state;
    struct text bytes = table_bytes();
    expect_checked(bytes, decode_table);
    expect_bounded(bytes, decode_table);
    expect_bounded_at_random(bytes, decode_table);
    text_clear(&bytes);
}

static void test_damaged_transforms(void **state)
{
    (void)state;
    struct text bytes = transform_bytes();
    expect_checked(bytes, decode_transforms);
    expect_bounded(bytes, decode_transforms);
    expect_bounded_at_random(bytes, decode_transforms);
    text_clear(&bytes);
}

static void test_other_kinds_and_versions(void **state)
{
    (void)state;
    struct text table = table_bytes();
    struct text transforms = transform_bytes();
    assert_int_equal(decode_transforms(table.data, table.length), ERR_database_failed);
    assert_int_equal(decode_table(transforms.data, transforms.length), ERR_database_failed);
    struct text newer = {0};
    text_add(&newer, table.data, table.length - RECORD_CHECK_SIZE);
    newer.data[4] = 2;
    record_seal(&newer);
    struct table_info info = {0};
    struct error err = {0};
    assert_int_equal(table_info_decode(newer.data, newer.length, &info, &err), ERR_database_failed);
    assert_non_null(strstr(err.detail, "version 2, not 1"));
    error_clear(&err);
    text_clear(&newer);
    text_clear(&table);
    text_clear(&transforms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_table_comes_back), cmocka_unit_test(test_transforms_come_back),
        cmocka_unit_test(test_no_transforms),      cmocka_unit_test(test_damaged_tables),
        cmocka_unit_test(test_damaged_transforms), cmocka_unit_test(test_other_kinds_and_versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
