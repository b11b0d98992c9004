#include "fixture.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct store_job filled_job(char id[JOB_ID_MAX], int64_t model_id, int64_t dataset_id)
{
    return (struct store_job){.id = id,
                              .model = "m",
                              .model_id = model_id,
                              .dataset = "d",
                              .dataset_id = dataset_id,
                              .spec = "{\"epochs\": 2}",
                              .labels = "team:a\nrun:7\n",
                              .from_version = 1,
                              .epochs = 2,
                              .steps = 20,
                              .memory_bytes = 4096,
                              .priority = -3,
                              .state = JOB_RUNNING, /* not looked at, and so are the attempts: it begins queued */
                              .attempts = 9,
                              .created_at = 1000,
                              .model_digest = "md",
                              .dataset_digest = "dd",
                              .start_digest = "sd",
                              .gradd_version = "1.2"};
}

static err_code add(struct store *s, const struct store_job *j, int64_t max_queued, const struct store_key *key,
                    bool *ret_repeated)
{
    struct store_job made = {0};
    err_code code = store_job_add(s, j, max_queued, key, &made, ret_repeated, NULL);
    store_job_clear(&made);
    return code;
}

static err_code act(struct store *s, const char *id, enum job_action action)
{
    struct store_job j = {0};
    err_code code = store_job_act(s, id, action, &j, NULL);
    store_job_clear(&j);
    return code;
}

/* The number at the end of the id of the job that was claimed; 0: there was none. */
static int claim(struct store *s)
{
    struct store_job j = {0};
    bool found;
    assert_code(store_job_claim(s, INT64_MAX, &j, &found, NULL), ERR_ok);
    int number = found ? (int)strtol(j.id + 24, NULL, 10) : 0;
    if (found)
        assert_int_equal(j.state, JOB_RUNNING);
    store_job_clear(&j);
    return number;
}

static void test_add_and_get(void **state)
{
    struct store *s = ((struct fixture *)*state)->store;
    char id[JOB_ID_MAX];
    (void)job_id(1, id);
    int64_t model_id = put_model(s, "m", "a", false), dataset_id = put_dataset(s, "d", "a", 1, 0);
    struct store_job j = filled_job(id, model_id, dataset_id), got = {0};
    bool repeated;
    assert_code(add(s, &j, 0, NULL, &repeated), ERR_ok);
    assert_false(repeated);
    assert_code(store_job_get(s, id, &got, NULL), ERR_ok);
    assert_string_equal(got.id, id);
    assert_string_equal(got.model, "m");
    assert_int_equal(got.model_id, model_id);
    assert_string_equal(got.dataset, "d");
    assert_int_equal(got.dataset_id, dataset_id);
    assert_string_equal(got.spec, "{\"epochs\": 2}");
    assert_string_equal(got.labels, "team:a\nrun:7\n");
    assert_int_equal(got.from_version, 1);
    assert_int_equal(got.epochs, 2);
    assert_int_equal(got.steps, 20);
    assert_int_equal(got.memory_bytes, 4096);
    assert_int_equal(got.priority, -3);
    assert_int_equal(got.state, JOB_QUEUED);
    assert_int_equal(got.created_at, 1000);
    assert_int_equal(got.started_at, 0);
    assert_int_equal(got.finished_at, 0);
    assert_int_equal(got.attempts, 0);
    assert_int_equal(got.progress.epoch, 0);
    assert_int_equal(got.progress.step, 0);
    assert_true(isnan(got.progress.cost) && isnan(got.progress.best_cost) && isnan(got.progress.validation_cost) &&
                isnan(got.progress.samples_per_second));
    assert_int_equal(got.version, 0);
    assert_null(got.digest);
    assert_string_equal(got.model_digest, "md");
    assert_string_equal(got.dataset_digest, "dd");
    assert_string_equal(got.start_digest, "sd");
    assert_string_equal(got.gradd_version, "1.2");
    assert_null(got.error_code);
    assert_null(got.error_detail);
    assert_true(got.revision > 0);
    store_job_clear(&got);
    assert_code(store_job_get(s, "no", &got, NULL), ERR_not_found);
    assert_code(add(s, &j, 0, NULL, &repeated), ERR_internal); /* ids are the caller's to make unique */
}

static void test_add_checks_its_parts(void **state)
{
    struct store *s = ((struct fixture *)*state)->store;
    char id[JOB_ID_MAX];
    (void)job_id(1, id);
    int64_t model_id = put_model(s, "m", "a", false), dataset_id = put_dataset(s, "d", "a", 1, 0), stage;
    assert_code(store_stage_new(s, &stage, NULL), ERR_ok);
    bool repeated;
    struct store_job j = filled_job(id, model_id + 1, dataset_id);
    assert_code(add(s, &j, 0, NULL, &repeated), ERR_unknown_model);
    j = filled_job(id, model_id, dataset_id + 100);
    assert_code(add(s, &j, 0, NULL, &repeated), ERR_unknown_dataset);
    j = filled_job(id, model_id, stage);
    assert_code(add(s, &j, 0, NULL, &repeated), ERR_unknown_dataset);
    j = filled_job(id, model_id, dataset_id);
    j.from_version = 2;
    assert_code(add(s, &j, 0, NULL, &repeated), ERR_unknown_version);
    struct store_job *list = NULL;
    size_t count;
    assert_code(store_job_list(s, &(struct job_filter){.state = -1}, (struct page){.limit = 5}, &list, &count, NULL),
                ERR_ok);
    assert_int_equal(count, 0);
    store_job_list_free(list, count);
}

static void add_sized(struct store *s, int number, int64_t model_id, int64_t dataset_id, int64_t memory, int64_t data)
{
    char id[JOB_ID_MAX];
    (void)job_id(number, id);
    struct store_job j = filled_job(id, model_id, dataset_id);
    bool repeated;
    j.memory_bytes = memory;
    j.data_bytes = data;
    assert_code(add(s, &j, 0, NULL, &repeated), ERR_ok);
}

static int claim_within(struct store *s, int64_t memory)
{
    struct store_job j = {0};
    bool found;
    assert_code(store_job_claim(s, memory, &j, &found, NULL), ERR_ok);
    int number = found ? (int)strtol(j.id + 24, NULL, 10) : 0;
    store_job_clear(&j);
    return number;
}

static void test_claims_within_memory(void **state)
{
    struct store *s = ((struct fixture *)*state)->store;
    char id[JOB_ID_MAX];
    int64_t model_id = put_model(s, "m", "a", false), dataset_id = put_dataset(s, "d", "a", 1, 0);
    add_sized(s, 1, model_id, dataset_id, 60, 40);
    add_sized(s, 2, model_id, dataset_id, 10, 41);
    add_sized(s, 3, model_id, dataset_id, 1, 0);
    assert_int_equal(claim_within(s, 50), 1); /* alone it runs in any case */
    assert_int_equal(claim_within(s, 150), 0);
    assert_int_equal(claim_within(s, 150), 0); /* 3 would fit, but does not overtake */
    assert_int_equal(claim_within(s, 151), 2);
    assert_int_equal(claim_within(s, 151), 0);
    assert_code(act(s, job_id(1, id), JOB_CANCEL), ERR_ok);
    assert_int_equal(claim_within(s, 52), 3);
}

static void test_queue_full(void **state)
{
    struct store *s = ((struct fixture *)*state)->store;
    char ids[4][JOB_ID_MAX];
    int64_t model_id = put_model(s, "m", "a", false), dataset_id = put_dataset(s, "d", "a", 1, 0);
    bool repeated;
    for (int i = 0; i < 4; i++)
        (void)job_id(i + 1, ids[i]);
    struct store_job j = filled_job(ids[0], model_id, dataset_id);
    assert_code(add(s, &j, 2, NULL, &repeated), ERR_ok);
    j = filled_job(ids[1], model_id, dataset_id);
    assert_code(add(s, &j, 2, NULL, &repeated), ERR_ok);
    j = filled_job(ids[2], model_id, dataset_id);
    assert_code(add(s, &j, 2, NULL, &repeated), ERR_queue_full);
    assert_int_not_equal(claim(s), 0);
    assert_code(add(s, &j, 2, NULL, &repeated), ERR_ok);
}

static void test_keys(void **state)
{
    struct store *s = ((struct fixture *)*state)->store;
    char first[JOB_ID_MAX], second[JOB_ID_MAX];
    (void)job_id(1, first);
    (void)job_id(2, second);
    int64_t model_id = put_model(s, "m", "a", false), dataset_id = put_dataset(s, "d", "a", 1, 0);
    struct store_key key = {"k", "r"}, other = {"k", "another"};
    struct store_job j = filled_job(first, model_id, dataset_id), again = filled_job(second, model_id, dataset_id);
    bool repeated;
    assert_code(add(s, &j, 1, &key, &repeated), ERR_ok);
    assert_false(repeated);
    struct store_job made = {0};
    assert_code(store_job_add(s, &again, 1, &key, &made, &repeated, NULL), ERR_ok); /* though the queue is full */
    assert_true(repeated);
    assert_string_equal(made.id, first);
    store_job_clear(&made);
    assert_code(add(s, &again, 0, &other, &repeated), ERR_key_reused);
    struct store_model m = {.name = "n", .spec = "", .digest = "x"}, put = {0};
    enum put_result result;
    assert_code(store_model_put(s, &m, &(struct store_version){.digest = "x"}, "", 0, false, &key, &put, &result, NULL),
                ERR_key_reused);
    assert_code(act(s, first, JOB_CANCEL), ERR_ok);
    assert_code(store_job_delete(s, first, NULL), ERR_ok);
    assert_code(add(s, &again, 0, &key, &repeated), ERR_gone);
}

/* THE table, state by state. */
static void test_actions(void **state)
{
    struct store *s = ((struct fixture *)*state)->store;
    static const struct {
        enum job_state state;
        const char *name;
        int after[JOB_ACTION_COUNT]; /* -1: not legal; cancel, pause, resume, delete */
    } table[] = {
        {JOB_QUEUED, "queued", {JOB_CANCELLED, JOB_PAUSED, -1, -1}},
        {JOB_RUNNING, "running", {JOB_CANCELLED, JOB_PAUSED, -1, -1}},
        {JOB_PAUSED, "paused", {JOB_CANCELLED, -1, JOB_QUEUED, -1}},
        {JOB_SUCCEEDED, "succeeded", {-1, -1, -1, JOB_SUCCEEDED}},
        {JOB_FAILED, "failed", {-1, -1, -1, JOB_FAILED}},
        {JOB_CANCELLED, "cancelled", {-1, -1, -1, JOB_CANCELLED}},
    };
    int64_t model_id = put_model(s, "m", "a", false), dataset_id = put_dataset(s, "d", "a", 1, 0);
    const struct job_end ends[] = {
        {.state = JOB_SUCCEEDED, .version = &(struct store_version){.digest = "v"}, .parameters = "", .size = 0},
        {.state = JOB_FAILED, .error_code = "nonfinite", .error_detail = "step 3"},
    };
    int number = 0;
    for (size_t row = 0; row < JOB_STATE_COUNT; row++) {
        enum job_state from = table[row].state, found = JOB_QUEUED;
        assert_string_equal(job_state_name(from), table[row].name);
        assert_true(job_state_find(table[row].name, &found));
        assert_int_equal(found, from);
        assert_int_equal(job_state_finished(from), row >= 3);
        for (int action = 0; action < JOB_ACTION_COUNT; action++) {
            char id[JOB_ID_MAX];
            add_job(s, ++number, model_id, dataset_id, id);
            if (from != JOB_QUEUED && from != JOB_PAUSED && from != JOB_CANCELLED)
                assert_int_equal(claim(s), number);
            if (from == JOB_PAUSED)
                assert_code(act(s, id, JOB_PAUSE), ERR_ok);
            if (from == JOB_CANCELLED)
                assert_code(act(s, id, JOB_CANCEL), ERR_ok);
            if (from == JOB_SUCCEEDED || from == JOB_FAILED)
                assert_code(store_job_finish(s, id, 1, &ends[from == JOB_FAILED], NULL), ERR_ok);
            assert_int_equal(state_of(s, id), from);
            int after = table[row].after[action];
            enum job_state next = JOB_QUEUED;
            assert_int_equal(job_action_legal(from, (enum job_action)action, &next), after >= 0);
            if (after >= 0)
                assert_int_equal((int)next, after);
            int64_t before = revision_of(s, id);
            err_code code = action == JOB_DELETE ? store_job_delete(s, id, NULL) : act(s, id, (enum job_action)action);
            assert_code(code, after >= 0 ? ERR_ok : ERR_wrong_state);
            if (action == JOB_DELETE && after >= 0) {
                struct store_job gone = {0};
                assert_code(store_job_get(s, id, &gone, NULL), ERR_not_found);
                continue;
            }
            assert_int_equal(state_of(s, id), after >= 0 ? after : (int)from);
            assert_int_equal(revision_of(s, id) > before, after >= 0);
            if (!job_state_finished(state_of(s, id))) /* out of the way of the next claim */
                assert_code(act(s, id, JOB_CANCEL), ERR_ok);
        }
    }
    enum job_state none = JOB_FAILED;
    assert_false(job_state_find("Queued", &none));
    assert_code(act(s, "no", JOB_CANCEL), ERR_not_found);
    assert_code(store_job_delete(s, "no", NULL), ERR_not_found);
    char id[JOB_ID_MAX];
    assert_code(act(s, job_id(1, id), JOB_DELETE), ERR_internal);
}

static void test_wrong_state_says_why(void **state)
{
    struct store *s = ((struct fixture *)*state)->store;
    char id[JOB_ID_MAX];
    add_running(s, id);
    struct error err = {0};
    struct store_job j = {0};
    assert_code(store_job_act(s, id, JOB_RESUME, &j, &err), ERR_wrong_state);
    assert_string_equal(err.detail, "the job is running, and can't be resumed");
    error_clear(&err);
}

static void test_cancelled_job_is_finished(void **state)
{
    struct store *s = ((struct fixture *)*state)->store;
    char id[JOB_ID_MAX];
    add_running(s, id);
    struct store_job j = {0};
    assert_code(store_job_act(s, id, JOB_CANCEL, &j, NULL), ERR_ok);
    assert_int_equal(j.state, JOB_CANCELLED);
    assert_true(j.finished_at >= j.started_at && j.started_at > 0);
    store_job_clear(&j);
}

static void test_priority(void **state)
{
    struct store *s = ((struct fixture *)*state)->store;
    char a[JOB_ID_MAX], b[JOB_ID_MAX], c[JOB_ID_MAX];
    int64_t model_id = put_model(s, "m", "a", false), dataset_id = put_dataset(s, "d", "a", 1, 0);
    assert_int_equal(claim(s), 0);
    add_job(s, 1, model_id, dataset_id, a);
    add_job(s, 3, model_id, dataset_id, c);
    add_job(s, 2, model_id, dataset_id, b);
    struct store_job j = {0};
    assert_code(store_job_set_priority(s, c, 5, &j, NULL), ERR_ok);
    assert_int_equal(j.priority, 5);
    store_job_clear(&j);
    assert_int_equal(claim(s), 3);
    assert_code(store_job_set_priority(s, c, 6, &j, NULL), ERR_wrong_state);
    assert_code(store_job_set_priority(s, "no", 6, &j, NULL), ERR_not_found);
    assert_code(act(s, a, JOB_PAUSE), ERR_ok);
    assert_code(store_job_set_priority(s, a, -100, &j, NULL), ERR_ok);
    store_job_clear(&j);
    assert_code(act(s, a, JOB_RESUME), ERR_ok);
    assert_int_equal(claim(s), 2);
    assert_int_equal(claim(s), 1);
    assert_int_equal(claim(s), 0);
}

static void test_list(void **state)
{
    struct store *s = ((struct fixture *)*state)->store;
    int64_t m = put_model(s, "m", "a", false), d = put_dataset(s, "d", "a", 1, 0);
    bool repeated;
    for (int i = 1; i <= 6; i++) {
        char id[JOB_ID_MAX];
        (void)job_id(i, id);
        struct store_job j = filled_job(id, m, d);
        j.priority = 0;
        j.model = i <= 3 ? "one" : "two";
        j.labels = i % 2 ? "team:a\nx:1\nx:1\n" : "team:ab\n";
        assert_code(add(s, &j, 0, NULL, &repeated), ERR_ok);
    }
    assert_int_equal(claim(s), 1);
    static const struct {
        struct job_filter filter;
        int after, limit;
        int expected[7]; /* ends with 0 */
    } cases[] = {
        {{.state = -1}, 0, 100, {1, 2, 3, 4, 5, 6}},
        {{.state = -1}, 2, 3, {3, 4, 5}},
        {{.state = -1, .newest_first = true}, 0, 2, {6, 5}},
        {{.state = -1, .newest_first = true}, 3, 9, {2, 1}},
        {{.state = JOB_RUNNING}, 0, 9, {1}},
        {{.state = JOB_QUEUED}, 3, 9, {4, 5, 6}},
        {{.state = JOB_PAUSED}, 0, 9, {0}},
        {{.state = -1, .model = "two"}, 0, 9, {4, 5, 6}},
        {{.state = -1, .model = "o%"}, 0, 9, {0}},
        {{.state = -1, .label = "team:a"}, 0, 9, {1, 3, 5}},
        {{.state = -1, .label = "team:"}, 0, 9, {0}},
        {{.state = -1, .label = "x:1", .newest_first = true}, 5, 9, {3, 1}},
        {{.state = JOB_QUEUED, .model = "one", .label = "team:a"}, 0, 9, {3}},
        {{.state = JOB_QUEUED, .model = "one", .label = "team:a", .newest_first = true}, 3, 9, {0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char after[JOB_ID_MAX];
        struct page page = {.limit = (size_t)cases[i].limit,
                            .after = cases[i].after ? job_id(cases[i].after, after) : NULL};
        struct store_job *list = NULL;
        size_t count, expected = 0;
        assert_code(store_job_list(s, &cases[i].filter, page, &list, &count, NULL), ERR_ok);
        while (cases[i].expected[expected] != 0)
            expected++;
        assert_int_equal(count, expected);
        for (size_t k = 0; k < count; k++) {
            char id[JOB_ID_MAX];
            assert_string_equal(list[k].id, job_id(cases[i].expected[k], id));
        }
        store_job_list_free(list, count);
    }
    int64_t counts[JOB_STATE_COUNT];
    assert_code(store_job_counts(s, counts, NULL), ERR_ok);
    assert_int_equal(counts[JOB_QUEUED], 5);
    assert_int_equal(counts[JOB_RUNNING], 1);
    assert_int_equal(counts[JOB_FAILED], 0);
}

static void test_advance(void **state)
{
    struct store *s = ((struct fixture *)*state)->store;
    char id[JOB_ID_MAX];
    add_running(s, id);
    int64_t revision = revision_of(s, id);
    struct job_progress p = {.epoch = 1,
                             .step = 10,
                             .cost = 0.1,
                             .best_cost = -1e300,
                             .validation_cost = (double)NAN,
                             .samples_per_second = 1e6};
    assert_code(store_job_advance(s, id, 1, &p, NULL, 0, NULL), ERR_ok);
    struct store_job j = {0};
    assert_code(store_job_get(s, id, &j, NULL), ERR_ok);
    assert_int_equal(j.progress.epoch, 1);
    assert_int_equal(j.progress.step, 10);
    assert_true(j.progress.cost == 0.1);
    assert_true(j.progress.best_cost == -1e300);
    assert_true(isnan(j.progress.validation_cost));
    assert_true(j.progress.samples_per_second == 1e6);
    assert_true(j.revision > revision);
    store_job_clear(&j);
}

/* Whatever a worker writes after the row has moved on is refused, and nothing of it stays. */
static void test_superseded(void **state)
{
    struct store *s = ((struct fixture *)*state)->store;
    char id[JOB_ID_MAX];
    add_running(s, id);
    struct job_progress p = {.step = 10};
    struct cost_point point = {.step = 10};
    struct store_version v = {.digest = "v"};
    struct job_end end = {
        .state = JOB_SUCCEEDED, .version = &v, .parameters = "", .progress = &p, .points = &point, .point_count = 1};
    assert_code(store_job_advance(s, id, 2, &p, &point, 1, NULL), ERR_superseded);
    assert_code(act(s, id, JOB_PAUSE), ERR_ok);
    assert_code(store_job_advance(s, id, 1, &p, &point, 1, NULL), ERR_superseded);
    assert_code(store_job_finish(s, id, 1, &end, NULL), ERR_superseded);
    assert_code(act(s, id, JOB_RESUME), ERR_ok);
    assert_int_equal(claim(s), 1);
    assert_code(store_job_advance(s, id, 1, &p, &point, 1, NULL), ERR_superseded);
    assert_code(store_job_finish(s, id, 1, &end, NULL), ERR_superseded);
    assert_code(store_job_finish(s, "no", 1, &end, NULL), ERR_superseded);
    struct store_job j = {0};
    assert_code(store_job_get(s, id, &j, NULL), ERR_ok);
    assert_int_equal(j.attempts, 2);
    assert_int_equal(j.progress.step, 0);
    struct store_version got = {0};
    assert_code(store_version_get(s, j.model_id, 2, &got, NULL), ERR_unknown_version);
    store_job_clear(&j);
    assert_code(store_job_finish(s, id, 2, &end, NULL), ERR_ok);
    assert_code(store_job_finish(s, id, 2, &end, NULL), ERR_superseded);
}

static void test_success(void **state)
{
    struct store *s = ((struct fixture *)*state)->store;
    char id[JOB_ID_MAX];
    add_running(s, id);
    struct store_version v = {
        .epoch = 2, .step = 20, .cost = 0.25, .digest = "made", .transforms = "tr", .transforms_size = 2};
    struct job_progress p = {.epoch = 2, .step = 20, .cost = 0.25};
    struct cost_point points[] = {{.step = 10, .epoch = 1}, {.step = 20, .epoch = 2}};
    struct job_end end = {.state = JOB_SUCCEEDED,
                          .version = &v,
                          .parameters = "weights",
                          .size = 7,
                          .progress = &p,
                          .points = points,
                          .point_count = 2};
    assert_code(store_job_finish(s, id, 1, &end, NULL), ERR_ok);
    struct store_job j = {0};
    assert_code(store_job_get(s, id, &j, NULL), ERR_ok);
    assert_int_equal(j.state, JOB_SUCCEEDED);
    assert_int_equal(j.best_version, 0);
    assert_null(j.stopped);
    assert_int_equal(j.version, 2);
    assert_string_equal(j.digest, "made");
    assert_int_equal(j.progress.step, 20);
    assert_true(j.finished_at > 0);
    assert_null(j.error_code);
    struct store_version got = {0};
    assert_code(store_version_get(s, j.model_id, 0, &got, NULL), ERR_ok);
    assert_int_equal(got.version, 2);
    assert_string_equal(got.job, id);
    assert_int_equal(got.epoch, 2);
    store_version_clear(&got);
    char bytes[7];
    assert_code(store_version_parameters(s, j.model_id, 2, bytes, 7, NULL), ERR_ok);
    assert_memory_equal(bytes, "weights", 7);
    struct cost_point *costs = NULL;
    size_t count, total;
    assert_code(store_job_costs(s, id, -1, 10, &costs, &count, &total, NULL), ERR_ok);
    assert_int_equal(count, 2);
    free(costs);
    int64_t model_id = j.model_id;
    store_job_clear(&j);
    assert_code(store_job_delete(s, id, NULL), ERR_ok); /* its version stays */
    assert_code(store_version_get(s, model_id, 2, &got, NULL), ERR_ok);
    assert_null(got.job);
    store_version_clear(&got);
    assert_code(store_job_costs(s, id, -1, 10, &costs, &count, &total, NULL), ERR_not_found);
}

static void test_failure_and_stop(void **state)
{
    struct store *s = ((struct fixture *)*state)->store;
    char id[JOB_ID_MAX];
    add_running(s, id);
    struct job_end stop = {.state = JOB_QUEUED};
    struct job_end failure = {.state = JOB_FAILED, .error_code = "nonfinite", .error_detail = "step 3, node l1"};
    assert_code(store_job_finish(s, id, 1, &stop, NULL), ERR_ok);
    struct store_job j = {0};
    assert_code(store_job_get(s, id, &j, NULL), ERR_ok);
    assert_int_equal(j.state, JOB_QUEUED);
    assert_int_equal(j.attempts, 1);
    assert_int_equal(j.finished_at, 0);
    int64_t started_at = j.started_at;
    assert_true(started_at > 0);
    store_job_clear(&j);
    assert_int_equal(claim(s), 1);
    assert_code(store_job_finish(s, id, 2, &failure, NULL), ERR_ok);
    assert_code(store_job_get(s, id, &j, NULL), ERR_ok);
    assert_int_equal(j.state, JOB_FAILED);
    assert_string_equal(j.error_code, "nonfinite");
    assert_string_equal(j.error_detail, "step 3, node l1");
    assert_int_equal(j.started_at, started_at);
    assert_int_equal(j.version, 0);
    store_job_clear(&j);
}

static void test_ends_that_are_none(void **state)
{
    struct store *s = ((struct fixture *)*state)->store;
    char id[JOB_ID_MAX];
    add_running(s, id);
    static const struct job_end ends[] = {{.state = JOB_RUNNING},
                                          {.state = JOB_PAUSED},
                                          {.state = JOB_CANCELLED},
                                          {.state = JOB_SUCCEEDED},
                                          {.state = JOB_FAILED}};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        assert_code(store_job_finish(s, id, 1, &ends[i], NULL), ERR_internal);
    assert_int_equal(state_of(s, id), JOB_RUNNING);
}

/* The best epoch's version comes before the outcome's, which stays the newest. */
static void test_success_with_the_best_beside(void **state)
{
    struct store *s = ((struct fixture *)*state)->store;
    char id[JOB_ID_MAX];
    add_running(s, id);
    struct store_version v = {.epoch = 9, .digest = "last"}, best = {.epoch = 4, .digest = "best"};
    struct job_end end = {.state = JOB_SUCCEEDED,
                          .version = &v,
                          .parameters = "weights",
                          .size = 7,
                          .best = &best,
                          .best_parameters = "bestest",
                          .stopped = "early_stopping"};
    assert_code(store_job_finish(s, id, 1, &end, NULL), ERR_ok);
    struct store_job j = {0};
    assert_code(store_job_get(s, id, &j, NULL), ERR_ok);
    assert_int_equal(j.version, 3);
    assert_int_equal(j.best_version, 2);
    assert_string_equal(j.digest, "last");
    assert_string_equal(j.stopped, "early_stopping");
    char bytes[7];
    assert_code(store_version_parameters(s, j.model_id, 2, bytes, 7, NULL), ERR_ok);
    assert_memory_equal(bytes, "bestest", 7);
    store_job_clear(&j);
    (void)put_model(s, "m", "another", true); /* with the model go its versions */
    assert_code(store_job_get(s, id, &j, NULL), ERR_ok);
    assert_int_equal(j.version, 0);
    assert_int_equal(j.best_version, 0);
    assert_string_equal(j.digest, "last");
    store_job_clear(&j);
}

/* Parameters of its own that a job starts with: more than a part. */
static void test_start_of_its_own(void **state)
{
    enum { SIZE = (2 << 20) + 5 };
    struct fixture *f = *state;
    struct store *s = f->store;
    char id[JOB_ID_MAX];
    unsigned char *start = malloc(SIZE), *got = malloc(SIZE + 1);
    bool repeated;
    assert_non_null(start);
    assert_non_null(got);
    for (size_t i = 0; i < SIZE; i++)
        start[i] = dataset_byte(i, 3);
    struct store_job j =
        filled_job((char *)(uintptr_t)job_id(1, id), put_model(s, "m", "a", false), put_dataset(s, "d", "a", 1, 0));
    j.forked_from = "other";
    j.from_step = 70;
    j.start = start;
    j.start_size = SIZE;
    assert_code(add(s, &j, 0, NULL, &repeated), ERR_ok);
    struct store_job read = {0};
    assert_code(store_job_get(s, id, &read, NULL), ERR_ok);
    assert_string_equal(read.forked_from, "other");
    assert_int_equal(read.from_step, 70);
    assert_true(read.verifies == NULL && read.same == -1);
    store_job_clear(&read);
    assert_code(store_job_start(s, id, got, SIZE, NULL), ERR_ok);
    assert_memory_equal(got, start, SIZE);
    assert_code(store_job_start(s, id, got, SIZE + 1, NULL), ERR_database_failed);
    assert_code(store_job_start(s, "no", got, 1, NULL), ERR_database_failed);
    assert_code(act(s, id, JOB_CANCEL), ERR_ok);
    assert_code(store_job_delete(s, id, NULL), ERR_ok);
    assert_int_equal(sql_number(f->path, "SELECT count(*) FROM job_start"), 0);
    free(start);
    free(got);
}

/* What a job that verifies another learns, and that it makes no version. */
static void test_verification(void **state)
{
    static const struct {
        const char *digest;
        bool other_history;
        int same;
    } ends[] = {{"as expected", false, 1}, {"as expected", true, 0}, {"another", false, 0}};
    struct fixture *f = *state;
    struct store *s = f->store;
    int64_t model_id = put_model(s, "m", "a", false), dataset_id = put_dataset(s, "d", "a", 1, 0);
    for (int i = 0; i < 3; i++) {
        char id[JOB_ID_MAX];
        bool repeated;
        struct store_job j = filled_job((char *)(uintptr_t)job_id(i + 1, id), model_id, dataset_id), got = {0};
        j.verifies = "other";
        j.expected_digest = "as expected";
        assert_code(add(s, &j, 0, NULL, &repeated), ERR_ok);
        assert_int_equal(claim(s), i + 1);
        struct store_version v = {.digest = (char *)(uintptr_t)ends[i].digest};
        struct job_end end = {
            .state = JOB_SUCCEEDED, .version = &v, .parameters = "", .other_history = ends[i].other_history};
        assert_code(store_job_finish(s, id, 1, &end, NULL), ERR_ok);
        assert_code(store_job_get(s, id, &got, NULL), ERR_ok);
        assert_string_equal(got.verifies, "other");
        assert_string_equal(got.digest, ends[i].digest);
        assert_int_equal(got.same, ends[i].same);
        assert_int_equal(got.version, 0);
        store_job_clear(&got);
    }
    assert_int_equal(sql_number(f->path, "SELECT count(*) FROM version"), 1);
}

/* A finish that fails in its last part leaves the job running, without the version and the progress. */
static void test_finish_is_atomic(void **state)
{
    struct store *s = ((struct fixture *)*state)->store;
    char id[JOB_ID_MAX];
    add_running(s, id);
    struct store_version v = {.digest = ""}; /* refused by the table */
    struct job_progress p = {.step = 20};
    struct cost_point point = {.step = 20};
    struct job_end end = {
        .state = JOB_SUCCEEDED, .version = &v, .parameters = "", .progress = &p, .points = &point, .point_count = 1};
    assert_code(store_job_finish(s, id, 1, &end, NULL), ERR_internal);
    struct store_job j = {0};
    assert_code(store_job_get(s, id, &j, NULL), ERR_ok);
    assert_int_equal(j.state, JOB_RUNNING);
    assert_int_equal(j.progress.step, 0);
    store_job_clear(&j);
    struct cost_point *costs = NULL;
    size_t count, total;
    assert_code(store_job_costs(s, id, -1, 10, &costs, &count, &total, NULL), ERR_ok);
    assert_int_equal(total, 0);
    free(costs);
}

static void test_running_is_queued_after_a_restart(void **state)
{
    struct fixture *f = *state;
    char id[JOB_ID_MAX];
    add_running(f->store, id);
    int64_t revision = revision_of(f->store, id);
    fixture_close(f);
    fixture_open(f);
    struct store_job j = {0};
    assert_code(store_job_get(f->store, id, &j, NULL), ERR_ok);
    assert_int_equal(j.state, JOB_QUEUED);
    assert_int_equal(j.attempts, 1);
    assert_true(j.revision > revision);
    store_job_clear(&j);
    assert_int_equal(claim(f->store), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_add_and_get),
        TEST(test_add_checks_its_parts),
        TEST(test_claims_within_memory),
        TEST(test_queue_full),
        TEST(test_keys),
        TEST(test_actions),
        TEST(test_wrong_state_says_why),
        TEST(test_cancelled_job_is_finished),
        TEST(test_priority),
        TEST(test_list),
        TEST(test_advance),
        TEST(test_superseded),
        TEST(test_success),
        TEST(test_failure_and_stop),
        TEST(test_ends_that_are_none),
        TEST(test_success_with_the_best_beside),
        TEST(test_start_of_its_own),
        TEST(test_verification),
        TEST(test_finish_is_atomic),
        TEST(test_running_is_queued_after_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
