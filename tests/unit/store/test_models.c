#include "fixture.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct store_version first = {.epoch = -1, .step = -1, .cost = (double)NAN, .digest = "first"};

static err_code put(struct store *s, const char *name, const char *digest, bool replace, const struct store_key *key,
                    struct store_model *ret, enum put_result *ret_result)
{
    struct store_model m = {
        .name = (char *)(uintptr_t)name, .spec = "{\"a\": 1}", .digest = (char *)(uintptr_t)digest, .created_at = 1234};
    return store_model_put(s, &m, &first, "parameters", 10, replace, key, ret, ret_result, NULL);
}

static void test_put_and_get(void **state)
{
    struct store *s = ((struct fixture *)*state)->store;
    struct store_model made = {0}, got = {0};
    enum put_result result;
    assert_code(put(s, "diabetes", "d1", false, NULL, &made, &result), ERR_ok);
    assert_int_equal(result, PUT_CREATED);
    assert_code(store_model_get(s, "diabetes", &got, NULL), ERR_ok);
    assert_int_equal(got.id, made.id);
    assert_string_equal(got.name, "diabetes");
    assert_string_equal(got.spec, "{\"a\": 1}");
    assert_string_equal(got.digest, "d1");
    assert_int_equal(got.created_at, 1234);
    assert_int_equal(got.version, 1);
    store_model_clear(&got);
    assert_code(store_model_get_id(s, made.id, &got, NULL), ERR_ok);
    assert_string_equal(got.name, "diabetes");
    store_model_clear(&got);
    store_model_clear(&made);
    assert_code(store_model_get(s, "Diabetes", &got, NULL), ERR_not_found);
    assert_code(store_model_get_id(s, 999, &got, NULL), ERR_not_found);
}

static void test_name_taken(void **state)
{
    struct store *s = ((struct fixture *)*state)->store;
    struct store_model made = {0};
    enum put_result result;
    (void)put_model(s, "m", "a", false);
    assert_code(put(s, "m", "b", false, NULL, &made, &result), ERR_name_taken);
    assert_code(put(s, "m", "a", false, NULL, &made, &result), ERR_name_taken);
}

static void test_replace(void **state)
{
    struct store *s = ((struct fixture *)*state)->store;
    int64_t id = put_model(s, "m", "a", false), version;
    assert_code(store_version_add(s, &(struct store_version){.model_id = id, .digest = "x"}, "12", 2, &version, NULL),
                ERR_ok);
    struct store_model made = {0};
    enum put_result result;
    assert_code(put(s, "m", "a", true, NULL, &made, &result), ERR_ok);
    assert_int_equal(result, PUT_UNCHANGED);
    assert_int_equal(made.id, id);
    assert_int_equal(made.version, 2);
    assert_string_equal(made.spec, "{}");
    store_model_clear(&made);
    assert_code(put(s, "m", "b", true, NULL, &made, &result), ERR_ok);
    assert_int_equal(result, PUT_REPLACED);
    assert_true(made.id > id);
    assert_int_equal(made.version, 1);
    struct store_version v = {0};
    assert_code(store_version_get(s, id, 1, &v, NULL), ERR_not_found);
    assert_code(store_version_get(s, made.id, 2, &v, NULL), ERR_unknown_version);
    store_model_clear(&made);
}

static void test_ids_are_never_used_again(void **state)
{
    struct fixture *f = *state;
    int64_t id = put_model(f->store, "m", "a", false);
    assert_code(store_model_delete(f->store, "m", false, NULL), ERR_ok);
    fixture_close(f);
    fixture_open(f);
    assert_true(put_model(f->store, "m", "a", false) > id);
}

static void test_list(void **state)
{
    struct store *s = ((struct fixture *)*state)->store;
    static const char *const names[] = {"b", "a", "B", "a.1", "a-1"};
    static const char *const sorted[] = {"B", "a", "a-1", "a.1", "b"};
    for (size_t i = 0; i < 5; i++)
        (void)put_model(s, names[i], "x", false);
    struct store_model *list = NULL;
    size_t count;
    assert_code(store_model_list(s, (struct page){.limit = 100}, &list, &count, NULL), ERR_ok);
    assert_int_equal(count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(list[i].name, sorted[i]);
    store_model_list_free(list, count);
    assert_code(store_model_list(s, (struct page){.limit = 2, .after = "a"}, &list, &count, NULL), ERR_ok);
    assert_int_equal(count, 2);
    assert_string_equal(list[0].name, "a-1");
    store_model_list_free(list, count);
    assert_code(store_model_list(s, (struct page){.limit = 2, .after = "b"}, &list, &count, NULL), ERR_ok);
    assert_int_equal(count, 0);
    store_model_list_free(list, count);
}

static void test_versions(void **state)
{
    struct store *s = ((struct fixture *)*state)->store;
    int64_t id = put_model(s, "m", "a", false), version;
    struct store_version v = {.model_id = id,
                              .version = 77,
                              .created_at = 5,
                              .epoch = 3,
                              .step = 30,
                              .cost = 0.1,
                              .digest = "second",
                              .transforms = "t\0t",
                              .transforms_size = 3};
    assert_code(store_version_add(s, &v, "abc", 3, &version, NULL), ERR_ok);
    assert_int_equal(version, 2);
    struct store_version got = {0};
    assert_code(store_version_get(s, id, 0, &got, NULL), ERR_ok);
    assert_int_equal(got.model_id, id);
    assert_int_equal(got.version, 2);
    assert_int_equal(got.created_at, 5);
    assert_null(got.job);
    assert_int_equal(got.epoch, 3);
    assert_int_equal(got.step, 30);
    assert_true(got.cost == 0.1);
    assert_string_equal(got.digest, "second");
    assert_int_equal(got.transforms_size, 3);
    assert_memory_equal(got.transforms, "t\0t", 3);
    store_version_clear(&got);
    assert_code(store_version_get(s, id, 1, &got, NULL), ERR_ok);
    assert_int_equal(got.epoch, -1);
    assert_int_equal(got.step, -1);
    assert_true(isnan(got.cost));
    assert_null(got.transforms);
    assert_true(got.created_at > 0);
    store_version_clear(&got);
    assert_code(store_version_get(s, id, 3, &got, NULL), ERR_unknown_version);
    assert_code(store_version_get(s, id + 1, 0, &got, NULL), ERR_not_found);
    v.model_id = id + 1;
    assert_code(store_version_add(s, &v, "abc", 3, &version, NULL), ERR_not_found);
    struct store_model m = {0};
    assert_code(store_model_get(s, "m", &m, NULL), ERR_ok);
    assert_int_equal(m.version, 2);
    store_model_clear(&m);
}

static void test_version_list(void **state)
{
    struct store *s = ((struct fixture *)*state)->store;
    int64_t id = put_model(s, "m", "a", false), version;
    for (int i = 0; i < 4; i++)
        assert_code(store_version_add(s, &(struct store_version){.model_id = id, .digest = "x"}, "", 0, &version, NULL),
                    ERR_ok);
    struct store_version *list = NULL;
    size_t count;
    assert_code(store_version_list(s, id, 2, 2, &list, &count, NULL), ERR_ok);
    assert_int_equal(count, 2);
    assert_int_equal(list[0].version, 3);
    assert_int_equal(list[1].version, 4);
    store_version_list_free(list, count);
    assert_code(store_version_list(s, id + 1, 0, 2, &list, &count, NULL), ERR_not_found);
}

static void test_parameters_of_any_size(void **state)
{
    struct store *s = ((struct fixture *)*state)->store;
    static const size_t sizes[] = {0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 * (1 << 20) + 12345};
    int64_t id = put_model(s, "m", "a", false), version;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char *bytes = malloc(sizes[i] + 1), *got = malloc(sizes[i] + 1);
        assert_true(bytes && got);
        for (size_t k = 0; k < sizes[i]; k++)
            bytes[k] = dataset_byte(k, (unsigned)i);
        struct store_version v = {.model_id = id, .digest = "x"};
        assert_code(store_version_add(s, &v, bytes, sizes[i], &version, NULL), ERR_ok);
        assert_code(store_version_parameters(s, id, version, got, sizes[i], NULL), ERR_ok);
        assert_memory_equal(got, bytes, sizes[i]);
        assert_code(store_version_parameters(s, id, version, got, sizes[i] + 1, NULL), ERR_internal);
        free(bytes);
        free(got);
    }
    char none[1];
    assert_code(store_version_parameters(s, id, 99, none, 1, NULL), ERR_unknown_version);
    assert_code(store_version_parameters(s, 99, 1, none, 1, NULL), ERR_not_found);
}

static void test_in_use(void **state)
{
    struct store *s = ((struct fixture *)*state)->store;
    char id[JOB_ID_MAX];
    add_running(s, id);
    struct store_model made = {0};
    enum put_result result;
    assert_code(put(s, "m", "b", true, NULL, &made, &result), ERR_in_use);
    assert_code(store_model_delete(s, "m", false, NULL), ERR_in_use);
    assert_code(store_model_delete(s, "m", true, NULL), ERR_in_use);
    struct store_job j = {0};
    assert_code(store_job_act(s, id, JOB_CANCEL, &j, NULL), ERR_ok);
    store_job_clear(&j);
    assert_code(store_model_delete(s, "m", false, NULL), ERR_in_use);
    assert_code(store_model_delete(s, "m", true, NULL), ERR_ok);
    assert_code(store_job_get(s, id, &j, NULL), ERR_not_found);
    assert_code(store_model_get(s, "m", &made, NULL), ERR_not_found);
    assert_code(store_model_delete(s, "m", true, NULL), ERR_not_found);
}

static void test_jobs_outlive_a_replaced_model(void **state)
{
    struct store *s = ((struct fixture *)*state)->store;
    char id[JOB_ID_MAX];
    add_running(s, id);
    struct store_version v = {.epoch = 1, .step = 10, .cost = 0.5, .digest = "made"};
    struct job_end end = {.state = JOB_SUCCEEDED, .version = &v, .parameters = "p", .size = 1};
    assert_code(store_job_finish(s, id, 1, &end, NULL), ERR_ok);
    struct store_job j = {0};
    assert_code(store_job_get(s, id, &j, NULL), ERR_ok);
    assert_int_equal(j.version, 2);
    int64_t revision = j.revision;
    store_job_clear(&j);
    (void)put_model(s, "m", "b", true);
    assert_code(store_job_get(s, id, &j, NULL), ERR_ok);
    assert_int_equal(j.model_id, 0);
    assert_int_equal(j.version, 0);
    assert_string_equal(j.model, "m");
    assert_string_equal(j.digest, "made");
    assert_true(j.revision > revision);
    store_job_clear(&j);
    assert_code(store_model_delete(s, "m", false, NULL), ERR_ok); /* the job was of the model that was replaced */
    assert_code(store_job_delete(s, id, NULL), ERR_ok);
}

static void test_keys(void **state)
{
    struct fixture *f = *state;
    struct store *s = f->store;
    struct store_key key = {"k", "request"}, other = {"k", "another request"}, second = {"k2", "request"};
    struct store_model made = {0}, again = {0};
    enum put_result result;
    assert_code(put(s, "m", "a", false, &key, &made, &result), ERR_ok);
    assert_int_equal(result, PUT_CREATED);
    assert_code(put(s, "m", "a", false, &key, &again, &result), ERR_ok);
    assert_int_equal(result, PUT_REPEATED);
    assert_int_equal(again.id, made.id);
    store_model_clear(&again);
    assert_code(put(s, "m", "a", false, &other, &again, &result), ERR_key_reused);
    assert_code(put(s, "m", "a", false, &second, &again, &result), ERR_name_taken); /* and the key is free */
    assert_code(put(s, "n", "a", false, &second, &again, &result), ERR_ok);
    assert_int_equal(result, PUT_CREATED);
    store_model_clear(&again);

    int64_t replaced = put_model(s, "m", "b", true); /* the resource is still there, as another model */
    assert_code(put(s, "m", "a", false, &key, &again, &result), ERR_ok);
    assert_int_equal(result, PUT_REPEATED);
    assert_int_equal(again.id, replaced);
    store_model_clear(&again);

    assert_code(store_model_delete(s, "m", false, NULL), ERR_ok);
    assert_code(put(s, "m", "a", false, &key, &again, &result), ERR_gone);
    (void)put_model(s, "m", "c", false);
    assert_code(put(s, "m", "a", false, &key, &again, &result), ERR_gone);

    (void)sql_number(f->path, "UPDATE idempotency_key SET gone_at = gone_at - 86300000");
    assert_code(put(s, "x", "a", false, &(struct store_key){"k3", "r"}, &again, &result), ERR_ok);
    store_model_clear(&again);
    assert_code(put(s, "m", "a", false, &key, &again, &result), ERR_gone);
    (void)sql_number(f->path, "UPDATE idempotency_key SET gone_at = gone_at - 200000");
    assert_code(put(s, "y", "a", false, &(struct store_key){"k4", "r"}, &again, &result), ERR_ok);
    store_model_clear(&again);
    assert_code(put(s, "z", "a", false, &key, &again, &result), ERR_ok); /* a day after: forgotten */
    assert_int_equal(result, PUT_CREATED);
    store_model_clear(&again);
    store_model_clear(&made);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_put_and_get),
        TEST(test_name_taken),
        TEST(test_replace),
        TEST(test_list),
        TEST(test_versions),
        TEST(test_ids_are_never_used_again),
        TEST(test_in_use),
        TEST(test_version_list),
        TEST(test_parameters_of_any_size),
        TEST(test_keys),
        TEST(test_jobs_outlive_a_replaced_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
