#include "fixture.h"
#include <stdlib.h>
#include <string.h>

enum { MIB = 1 << 20 };

static err_code publish(struct store *s, const char *name, const char *digest, int64_t stage, struct store_dataset *ret,
                        enum put_result *ret_result)
{
    struct store_dataset d = {.name = (char *)(uintptr_t)name,
                              .rows = 12,
                              .digest = (char *)(uintptr_t)digest,
                              .info = "i\0nfo",
                              .info_size = 5,
                              .created_at = 99};
    return store_stage_publish(s, stage, &d, ret, ret_result, NULL);
}

static int64_t chunk_count(const struct fixture *f)
{
    return sql_number(f->path, "SELECT count(*) FROM dataset_chunk");
}

static void test_publish_and_get(void **state)
{
    struct store *s = ((struct fixture *)*state)->store;
    int64_t stage;
    struct store_dataset made = {0}, got = {0};
    enum put_result result;
    assert_code(store_stage_new(s, &stage, NULL), ERR_ok);
    assert_code(store_stage_append(s, stage, "12345", 5, NULL), ERR_ok);
    assert_code(store_dataset_get_id(s, stage, &got, NULL), ERR_not_found);
    assert_code(publish(s, "d", "digest", stage, &made, &result), ERR_ok);
    assert_int_equal(result, PUT_CREATED);
    assert_code(store_dataset_get(s, "d", &got, NULL), ERR_ok);
    assert_int_equal(got.id, made.id);
    assert_string_equal(got.name, "d");
    assert_int_equal(got.rows, 12);
    assert_string_equal(got.digest, "digest");
    assert_int_equal(got.info_size, 5);
    assert_memory_equal(got.info, "i\0nfo", 5);
    assert_int_equal(got.created_at, 99);
    store_dataset_clear(&got);
    store_stage_discard(s, stage); /* a data set is no stage */
    assert_code(store_stage_append(s, stage, "6", 1, NULL), ERR_not_found);
    assert_code(store_dataset_get_id(s, made.id, &got, NULL), ERR_ok);
    assert_string_equal(got.name, "d");
    store_dataset_clear(&got);
    char bytes[5];
    assert_code(store_dataset_read(s, made.id, 0, bytes, 5, NULL), ERR_ok);
    assert_memory_equal(bytes, "12345", 5);
    store_dataset_clear(&made);
    assert_code(store_dataset_get(s, "D", &got, NULL), ERR_not_found);
}

/* Pieces of odd sizes, with every byte value, make the same bytes, and full chunks. */
static void test_append_in_pieces(void **state)
{
    struct fixture *f = *state;
    struct store *s = f->store;
    enum { TOTAL = 3 * MIB + 4321 };
    unsigned char *bytes = malloc(TOTAL), *got = malloc(TOTAL);
    assert_true(bytes && got);
    for (size_t i = 0; i < TOTAL; i++)
        bytes[i] = dataset_byte(i + i / 251, 3);
    int64_t stage;
    assert_code(store_stage_new(s, &stage, NULL), ERR_ok);
    static const size_t pieces[] = {1, 0, 1000, MIB, MIB - 1, 777777};
    size_t at = 0;
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        assert_code(store_stage_append(s, stage, bytes + at, pieces[i], NULL), ERR_ok);
        at += pieces[i];
    }
    assert_code(store_stage_append(s, stage, bytes + at, TOTAL - at, NULL), ERR_ok);
    struct store_dataset made = {0};
    enum put_result result;
    assert_code(publish(s, "d", "x", stage, &made, &result), ERR_ok);
    assert_code(store_dataset_read(s, made.id, 0, got, TOTAL, NULL), ERR_ok);
    assert_memory_equal(got, bytes, TOTAL);
    assert_int_equal(sql_number(f->path, "SELECT count(*) FROM dataset_chunk WHERE length(bytes) = 1048576"), 3);
    assert_int_equal(chunk_count(f), 4);
    static const size_t ranges[][2] = {{0, 1},         {MIB - 1, 2}, {MIB, MIB}, {MIB + 5, (size_t)2 * MIB},
                                       {TOTAL - 1, 1}, {TOTAL, 0},   {0, 0}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        assert_code(store_dataset_read(s, made.id, (int64_t)ranges[i][0], got, ranges[i][1], NULL), ERR_ok);
        assert_memory_equal(got, bytes + ranges[i][0], ranges[i][1]);
    }
    assert_code(store_dataset_read(s, made.id, TOTAL, got, 1, NULL), ERR_internal);
    assert_code(store_dataset_read(s, made.id, -1, got, 1, NULL), ERR_internal);
    assert_code(store_dataset_read(s, made.id, 5, got, SIZE_MAX, NULL), ERR_internal);
    store_dataset_clear(&made);
    free(bytes);
    free(got);
}

static void test_unchanged(void **state)
{
    struct fixture *f = *state;
    int64_t id = put_dataset(f->store, "d", "x", (size_t)2 * MIB, 0), stage;
    assert_code(store_stage_new(f->store, &stage, NULL), ERR_ok);
    assert_code(store_stage_append(f->store, stage, "1", 1, NULL), ERR_ok);
    struct store_dataset made = {0};
    enum put_result result;
    assert_code(publish(f->store, "d", "x", stage, &made, &result), ERR_ok);
    assert_int_equal(result, PUT_UNCHANGED);
    assert_int_equal(made.id, id);
    assert_int_equal(made.rows, 3);
    store_dataset_clear(&made);
    assert_int_equal(chunk_count(f), 2);
    assert_int_equal(sql_number(f->path, "SELECT count(*) FROM dataset"), 1);
}

static void test_replace(void **state)
{
    struct fixture *f = *state;
    int64_t id = put_dataset(f->store, "d", "x", (size_t)20 * MIB, 0); /* more chunks than one removal takes */
    int64_t next = put_dataset(f->store, "d", "y", 10, 1);
    assert_true(next > id);
    unsigned char byte;
    assert_code(store_dataset_read(f->store, id, 0, &byte, 1, NULL), ERR_not_found);
    assert_code(store_dataset_read(f->store, next, 9, &byte, 1, NULL), ERR_ok);
    assert_int_equal(byte, dataset_byte(9, 1));
    assert_int_equal(chunk_count(f), 1);
}

static void test_discard(void **state)
{
    struct fixture *f = *state;
    int64_t stage;
    assert_code(store_stage_new(f->store, &stage, NULL), ERR_ok);
    assert_code(store_stage_append(f->store, stage, "12", 2, NULL), ERR_ok);
    store_stage_discard(f->store, stage);
    store_stage_discard(f->store, stage);
    assert_code(store_stage_append(f->store, stage, "12", 2, NULL), ERR_not_found);
    struct store_dataset made = {0};
    enum put_result result;
    assert_code(publish(f->store, "d", "x", stage, &made, &result), ERR_not_found);
    assert_int_equal(sql_number(f->path, "SELECT count(*) FROM dataset"), 0);
    assert_int_equal(chunk_count(f), 0);
}

/* A publication that fails leaves what was there. */
static void test_failed_publication(void **state)
{
    struct fixture *f = *state;
    struct store_dataset made = {0};
    enum put_result result;
    int64_t id = put_dataset(f->store, "d", "x", 10, 0);
    assert_code(publish(f->store, "d", "y", 12345, &made, &result), ERR_not_found);
    assert_code(store_dataset_get(f->store, "d", &made, NULL), ERR_ok);
    assert_int_equal(made.id, id);
    store_dataset_clear(&made);
}

static void test_left_in_staging(void **state)
{
    struct fixture *f = *state;
    int64_t stage, id = put_dataset(f->store, "d", "x", 10, 0);
    assert_code(store_stage_new(f->store, &stage, NULL), ERR_ok);
    assert_code(store_stage_append(f->store, stage, "12", 2, NULL), ERR_ok);
    fixture_close(f);
    fixture_open(f);
    assert_int_equal(sql_number(f->path, "SELECT count(*) FROM dataset"), 1);
    assert_int_equal(chunk_count(f), 1);
    int64_t again;
    assert_code(store_stage_new(f->store, &again, NULL), ERR_ok);
    assert_true(again > stage && stage > id);
}

static void test_in_use(void **state)
{
    struct fixture *f = *state;
    char id[JOB_ID_MAX];
    add_running(f->store, id);
    int64_t stage;
    struct store_dataset made = {0};
    enum put_result result;
    assert_code(store_stage_new(f->store, &stage, NULL), ERR_ok);
    assert_code(publish(f->store, "d", "another", stage, &made, &result), ERR_in_use);
    assert_code(store_dataset_delete(f->store, "d", NULL), ERR_in_use);
    struct store_job j = {0};
    assert_code(store_job_act(f->store, id, JOB_PAUSE, &j, NULL), ERR_ok);
    store_job_clear(&j);
    assert_code(store_dataset_delete(f->store, "d", NULL), ERR_in_use);
    assert_code(store_job_act(f->store, id, JOB_CANCEL, &j, NULL), ERR_ok);
    int64_t revision = j.revision;
    store_job_clear(&j);
    assert_code(store_dataset_delete(f->store, "d", NULL), ERR_ok);
    assert_code(store_dataset_delete(f->store, "d", NULL), ERR_not_found);
    assert_code(store_job_get(f->store, id, &j, NULL), ERR_ok);
    assert_int_equal(j.dataset_id, 0);
    assert_string_equal(j.dataset, "d");
    assert_true(j.revision > revision);
    store_job_clear(&j);
    assert_int_equal(chunk_count(f), 0);
}

static void test_list(void **state)
{
    struct store *s = ((struct fixture *)*state)->store;
    (void)put_dataset(s, "b", "x", 1, 0);
    (void)put_dataset(s, "a", "x", 0, 0);
    (void)put_dataset(s, "c", "x", 1, 0);
    int64_t stage;
    assert_code(store_stage_new(s, &stage, NULL), ERR_ok);
    struct store_dataset *list = NULL;
    size_t count;
    assert_code(store_dataset_list(s, (struct page){.limit = SIZE_MAX}, &list, &count, NULL), ERR_ok);
    assert_int_equal(count, 3);
    assert_string_equal(list[0].name, "a");
    assert_string_equal(list[2].name, "c");
    store_dataset_list_free(list, count);
    assert_code(store_dataset_list(s, (struct page){.limit = 1, .after = "a"}, &list, &count, NULL), ERR_ok);
    assert_int_equal(count, 1);
    assert_string_equal(list[0].name, "b");
    store_dataset_list_free(list, count);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_publish_and_get),
        TEST(test_append_in_pieces),
        TEST(test_unchanged),
        TEST(test_replace),
        TEST(test_discard),
        TEST(test_left_in_staging),
        TEST(test_in_use),
        TEST(test_failed_publication),
        TEST(test_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
