/* Jobs from JSON: defaults, the canonical text, and every mistake at its place. */
#include "codec_support.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEAST "\"model\": \"m\", \"dataset\": \"d\", \"epochs\": 3"
#define SGD "\"optimizer\": {\"name\": \"SGD\", \"learning_rate\": 0.5}"

struct read_job {
    struct job_spec spec;
    char *canonical;
};

static struct read_job accept(const char *body)
{
    struct read_job j = {0};
    struct error err = {0};
    err_code code = decode_job_request(body, strlen(body), &test_limits, &j.spec, &j.canonical, &err);
    if (code != ERR_ok)
        print_mistakes(&err);
    assert_int_equal(code, ERR_ok);
    error_clear(&err);
    return j;
}

static void read_job_clear(struct read_job *j)
{
    job_spec_clear(&j->spec);
    free(j->canonical);
}

static void expect_mistake(const char *body, err_code code, const char *pointer)
{
    struct job_spec spec = {0};
    char *canonical = NULL;
    struct error err = {0};
    assert_int_equal(decode_job_request(body, strlen(body), &test_limits, &spec, &canonical, &err), ERR_invalid_job);
    if (!has_mistake(&err, code, pointer))
        print_mistakes(&err);
    assert_true(has_mistake(&err, code, pointer));
    assert_null(canonical);
    error_clear(&err);
}

static void test_defaults(void **state)
{
    (void)state;
    struct read_job j = accept("{" LEAST ", \"optimizer\": {\"name\": \"AdamW\"}}");
    const struct train_spec *t = &j.spec.train;
    assert_string_equal(j.spec.model, "m");
    assert_string_equal(j.spec.dataset, "d");
    assert_int_equal(t->epochs, 3);
    assert_int_equal(t->batch_size, 32);
    assert_true(t->shuffle);
    assert_false(t->drop_last);
    assert_int_equal(t->seed, 0);
    assert_true(t->validation_fraction == 0);
    assert_false(t->stop_on_nonfinite);
    assert_false(t->weighted);
    assert_int_equal(t->record_every_steps, 0);
    assert_int_equal(t->optimizer.name, OPTIMIZER_ADAMW);
    assert_true(t->optimizer.learning_rate == 0.001);
    assert_true(t->optimizer.weight_decay == 0.01);
    assert_int_equal(j.spec.from_version, 0);
    assert_int_equal(j.spec.priority, 0);
    read_job_clear(&j);
}

/* What a job is, but for what stands beside the canonical text. */
static void check_all_fields(const struct job_spec *s)
{
    assert_string_equal(s->model, "m");
    assert_string_equal(s->dataset, "d");
    assert_int_equal(s->bind_count, 2);
    assert_string_equal(s->binds[0].input, "X");
    assert_int_equal(s->binds[0].column_count, 2);
    assert_string_equal(s->binds[0].columns[1], "b");
    assert_int_equal(s->binds[0].transform, TRANSFORM_STANDARDIZE);
    assert_int_equal(s->binds[1].transform, TRANSFORM_NONE);
    assert_true(s->train.optimizer.momentum == 0.9);
    assert_true(s->train.optimizer.nesterov);
    assert_false(s->train.shuffle);
    assert_true(s->train.drop_last);
    assert_true(s->train.seed == 9007199254740991u);
    assert_true(s->train.validation_fraction == 0.25);
    assert_int_equal(s->train.record_every_steps, 7);
    assert_int_equal(s->label_count, 2);
    assert_string_equal(s->labels[1].value, "b:c d");
    assert_int_equal(s->train.threads, 2);
    assert_int_equal(s->train.schedule.name, SCHEDULE_STEP);
    assert_int_equal(s->train.schedule.every_epochs, 3);
    assert_true(s->train.schedule.factor == 0.5);
    assert_int_equal(s->train.schedule.warmup_steps, 10);
    assert_true(s->train.clip_gradient_norm == 2.5);
    assert_int_equal(s->train.freeze_count, 2);
    assert_string_equal(s->train.freeze[1], "W2");
    assert_true(s->train.stop_on_nonfinite);
    assert_true(s->train.weighted);
    assert_string_equal(s->weight, "how much");
    assert_true(s->train.metrics == (1U << SCORE_R2 | 1U << SCORE_ACCURACY));
}

static void test_all_fields(void **state)
{
    (void)state;
    struct read_job j =
        accept("{" LEAST ", \"bind\": {\"X\": {\"columns\": [\"a\", \"b\"], \"transform\": \"standardize\"},"
               " \"y\": {\"columns\": [\"c\"]}},"
               "\"optimizer\": {\"name\": \"SGD\", \"learning_rate\": 0.1, \"momentum\": 0.9, \"nesterov\": true,"
               " \"weight_decay\": 0.5}, \"batch_size\": 4, \"shuffle\": false, \"seed\": 9007199254740991,"
               "\"validation\": {\"fraction\": 0.25}, \"record\": {\"every_steps\": 7}, \"on_nonfinite\": \"stop\","
               "\"drop_last\": true, \"labels\": {\"team\": \"a\", \"x\": \"b:c d\"}, \"priority\": -100,"
               "\"schedule\": {\"name\": \"step\", \"every_epochs\": 3, \"factor\": 0.5, \"warmup_steps\": 10},"
               "\"clip_gradient_norm\": 2.5, \"freeze\": [\"b1\", \"W2\"], \"metrics\": [\"r2\", \"accuracy\"],"
               "\"weight\": \"how much\","
               "\"threads\": 2, \"from_version\": 2}");
    check_all_fields(&j.spec);
    assert_int_equal(j.spec.priority, -100);
    assert_int_equal(j.spec.from_version, 2);
    struct job_spec again = {0};
    assert_int_equal(decode_job(j.canonical, &again, NULL), ERR_ok);
    check_all_fields(&again);
    assert_int_equal(again.priority, 0);
    assert_int_equal(again.from_version, 0);
    job_spec_clear(&again);
    read_job_clear(&j);
}

/* The text reads back to the same job, and does not depend on how the request was written. */
static void test_canonical(void **state)
{
    (void)state;
    struct read_job a = accept("{" LEAST ", " SGD ", \"labels\": {\"k\": \"v\"}, \"bind\": {\"X\": {\"columns\": "
                               "[\"a\"]}}, \"validation\": {\"fraction\": 0.1}, \"record\": {\"every_steps\": 2}}");
    struct read_job b =
        accept("{\"record\":{\"every_steps\":2e0},\"optimizer\":{\"learning_rate\":5e-1,\"name\":\"SGD\","
               "\"momentum\":0},\"validation\":{\"fraction\":0.10},\"priority\":3,\"threads\":1,"
               "\"labels\":{\"k\":\"v\"},\"bind\":{\"X\":{\"transform\":\"none\",\"columns\":[\"a\"]}},"
               "\"seed\":0,\"shuffle\":true,\"batch_size\":32,\"from_version\":1," LEAST "}");
    assert_string_equal(a.canonical, b.canonical);
    struct job_spec again = {0};
    struct error err = {0};
    assert_int_equal(decode_job(a.canonical, &again, &err), ERR_ok);
    assert_string_equal(again.model, "m");
    assert_string_equal(again.binds[0].columns[0], "a");
    assert_true(again.train.optimizer.learning_rate == 0.5);
    assert_true(again.train.validation_fraction == 0.1);
    assert_int_equal(again.train.record_every_steps, 2);
    assert_string_equal(again.labels[0].key, "k");
    assert_int_equal(again.priority, 0);
    job_spec_clear(&again);
    read_job_clear(&a);
    read_job_clear(&b);
}

static void test_mistakes(void **state)
{
    (void)state;
    expect_mistake("{}", ERR_missing_field, "/model");
    expect_mistake("{}", ERR_missing_field, "/dataset");
    expect_mistake("{}", ERR_missing_field, "/optimizer");
    expect_mistake("{}", ERR_missing_field, "/epochs");
    expect_mistake("[]", ERR_wrong_type, "");
    expect_mistake("{" LEAST ", " SGD ", \"epoch\": 1}", ERR_unknown_field, "/epoch");
    expect_mistake("{" LEAST ", " SGD ", \"early_stop\": {}}", ERR_unknown_field, "/early_stop");
    expect_mistake("{" LEAST ", " SGD ", \"batch_size\": 0}", ERR_out_of_range, "/batch_size");
    expect_mistake("{" LEAST ", " SGD ", \"batch_size\": 1.5}", ERR_wrong_type, "/batch_size");
    expect_mistake("{" LEAST ", " SGD ", \"seed\": -1}", ERR_out_of_range, "/seed");
    expect_mistake("{" LEAST ", " SGD ", \"seed\": 9007199254740992}", ERR_out_of_range, "/seed");
    expect_mistake("{" LEAST ", " SGD ", \"shuffle\": 1}", ERR_wrong_type, "/shuffle");
    expect_mistake("{" LEAST ", " SGD ", \"threads\": 257}", ERR_out_of_range, "/threads");
    expect_mistake("{" LEAST ", " SGD ", \"priority\": 101}", ERR_out_of_range, "/priority");
    expect_mistake("{" LEAST ", " SGD ", \"from_version\": 0}", ERR_out_of_range, "/from_version");
    expect_mistake("{" LEAST ", " SGD ", \"validation\": {\"fraction\": 1}}", ERR_out_of_range, "/validation/fraction");
    expect_mistake("{" LEAST ", " SGD ", \"record\": {}}", ERR_missing_field, "/record/every_steps");
    expect_mistake("{" LEAST ", " SGD ", \"on_nonfinite\": \"halt\"}", ERR_invalid_value, "/on_nonfinite");
    expect_mistake("{" LEAST ", " SGD ", \"weight\": 2}", ERR_wrong_type, "/weight");
    expect_mistake("{" LEAST ", " SGD ", \"metrics\": \"mae\"}", ERR_wrong_type, "/metrics");
    expect_mistake("{" LEAST ", " SGD ", \"metrics\": [\"mae\", \"mse\"]}", ERR_invalid_value, "/metrics/1");
    expect_mistake("{" LEAST ", " SGD ", \"metrics\": [\"mae\", 1]}", ERR_wrong_type, "/metrics/1");
    expect_mistake("{" LEAST ", " SGD ", \"on_nonfinite\": true}", ERR_wrong_type, "/on_nonfinite");
    expect_mistake("{" LEAST ", " SGD ", \"labels\": {\"a:b\": \"c\"}}", ERR_invalid_value, "/labels/a:b");
    expect_mistake("{" LEAST ", " SGD ", \"labels\": {\"a\": \"b\\nc\"}}", ERR_invalid_value, "/labels/a");
    expect_mistake("{" LEAST ", " SGD ", \"labels\": {\"a\": 1}}", ERR_wrong_type, "/labels/a");
    expect_mistake("{\"model\": \"../m\", \"dataset\": \"d\", \"epochs\": 1, " SGD "}", ERR_invalid_name, "/model");
}

static void test_mistakes_in_bind(void **state)
{
    (void)state;
    expect_mistake("{" LEAST ", " SGD ", \"bind\": []}", ERR_wrong_type, "/bind");
    expect_mistake("{" LEAST ", " SGD ", \"bind\": {\"X\": {}}}", ERR_missing_field, "/bind/X/columns");
    expect_mistake("{" LEAST ", " SGD ", \"bind\": {\"X\": {\"columns\": []}}}", ERR_wrong_type, "/bind/X/columns");
    expect_mistake("{" LEAST ", " SGD ", \"bind\": {\"X\": {\"columns\": [1]}}}", ERR_wrong_type, "/bind/X/columns/0");
    expect_mistake("{" LEAST ", " SGD ", \"bind\": {\"X\": {\"columns\": [\"a\"], \"transform\": \"standard\"}}}",
                   ERR_invalid_value, "/bind/X/transform");
}

#define STOPPING(rule) "{" LEAST ", " SGD ", \"early_stopping\": " rule "}"

static void test_early_stopping(void **state)
{
    (void)state;
    struct read_job j = accept(STOPPING("{\"patience\": 7}"));
    const struct early_stopping *rule = &j.spec.train.early_stopping;
    assert_true(rule->patience == 7 && rule->min_delta == 0 && rule->restore_best);
    read_job_clear(&j);
    j = accept(STOPPING("{\"patience\": 1, \"min_delta\": 0.25, \"restore_best\": false}"));
    struct job_spec again = {0};
    assert_int_equal(decode_job(j.canonical, &again, NULL), ERR_ok);
    rule = &again.train.early_stopping;
    assert_true(rule->patience == 1 && rule->min_delta == 0.25 && !rule->restore_best);
    job_spec_clear(&again);
    read_job_clear(&j);
    j = accept("{" LEAST ", " SGD "}");
    assert_int_equal(j.spec.train.early_stopping.patience, 0);
    assert_null(strstr(j.canonical, "early_stopping"));
    read_job_clear(&j);
    expect_mistake(STOPPING("3"), ERR_wrong_type, "/early_stopping");
    expect_mistake(STOPPING("{}"), ERR_missing_field, "/early_stopping/patience");
    expect_mistake(STOPPING("{\"patience\": 0}"), ERR_out_of_range, "/early_stopping/patience");
    expect_mistake(STOPPING("{\"patience\": 1, \"min_delta\": -1}"), ERR_out_of_range, "/early_stopping/min_delta");
    expect_mistake(STOPPING("{\"patience\": 1, \"restore_best\": 1}"), ERR_wrong_type, "/early_stopping/restore_best");
    expect_mistake(STOPPING("{\"patience\": 1, \"epochs\": 1}"), ERR_unknown_field, "/early_stopping/epochs");
}

#define VALIDATING(rule) "{" LEAST ", " SGD ", \"validation\": " rule "}"

static void check_validation(const char *rule, const char *dataset, const char *column, const char *label)
{
    char body[256];
    (void)snprintf(body, sizeof body, VALIDATING("%s"), rule);
    struct read_job j = accept(body);
    struct job_spec again = {0};
    assert_non_null(strstr(j.canonical, rule));
    assert_int_equal(decode_job(j.canonical, &again, NULL), ERR_ok);
    const struct job_validation *v = &again.validation;
    const char *const found[] = {v->dataset, v->column, v->label}, *const expected[] = {dataset, column, label};
    for (size_t i = 0; i < 3; i++) {
        assert_true((found[i] == NULL) == (expected[i] == NULL));
        if (expected[i])
            assert_string_equal(found[i], expected[i]);
    }
    assert_true(label || !column || v->number == 2.5);
    assert_true(again.train.validation_fraction == 0);
    job_spec_clear(&again);
    read_job_clear(&j);
}

static void test_validation(void **state)
{
    (void)state;
    check_validation("{\"dataset\":\"d2\"}", "d2", NULL, NULL);
    check_validation("{\"column\":\"part\",\"value\":2.5}", NULL, "part", NULL);
    check_validation("{\"column\":\"part\",\"value\":\"a \\\"b\"}", NULL, "part", "a \"b");
    expect_mistake(VALIDATING("0.2"), ERR_wrong_type, "/validation");
    expect_mistake(VALIDATING("{}"), ERR_invalid_value, "/validation");
    expect_mistake(VALIDATING("{\"fraction\": 0.1, \"dataset\": \"d\"}"), ERR_invalid_value, "/validation");
    expect_mistake(VALIDATING("{\"dataset\": \"d\", \"value\": 1}"), ERR_invalid_value, "/validation");
    expect_mistake(VALIDATING("{\"dataset\": \"../d\"}"), ERR_invalid_name, "/validation/dataset");
    expect_mistake(VALIDATING("{\"column\": 3, \"value\": 1}"), ERR_wrong_type, "/validation/column");
    expect_mistake(VALIDATING("{\"column\": \"c\", \"value\": true}"), ERR_wrong_type, "/validation/value");
    expect_mistake(VALIDATING("{\"column\": \"c\"}"), ERR_missing_field, "/validation/value");
    expect_mistake(VALIDATING("{\"rows\": 3}"), ERR_unknown_field, "/validation/rows");
}

#define KEEPING(rule) "{" LEAST ", " SGD ", \"checkpoint\": " rule "}"

static void test_checkpoint(void **state)
{
    (void)state;
    struct read_job j = accept("{" LEAST ", " SGD "}");
    const struct job_checkpoint *c = &j.spec.checkpoint;
    assert_true(c->every_epochs == 0 && c->every_steps == 0 && c->keep == 1);
    read_job_clear(&j);
    j = accept(KEEPING("{\"every_epochs\": 3, \"every_steps\": 70, \"keep\": 4}"));
    struct job_spec again = {0};
    assert_int_equal(decode_job(j.canonical, &again, NULL), ERR_ok);
    c = &again.checkpoint;
    assert_true(c->every_epochs == 3 && c->every_steps == 70 && c->keep == 4);
    job_spec_clear(&again);
    read_job_clear(&j);
    expect_mistake(KEEPING("3"), ERR_wrong_type, "/checkpoint");
    expect_mistake(KEEPING("{\"every_epochs\": 0}"), ERR_out_of_range, "/checkpoint/every_epochs");
    expect_mistake(KEEPING("{\"every_steps\": \"1\"}"), ERR_wrong_type, "/checkpoint/every_steps");
    expect_mistake(KEEPING("{\"keep\": 1001}"), ERR_out_of_range, "/checkpoint/keep");
    expect_mistake(KEEPING("{\"every\": 1}"), ERR_unknown_field, "/checkpoint/every");
}

#define LBFGS(fields) "{" LEAST ", \"optimizer\": {\"name\": \"LBFGS\"" fields "}"

/* It takes all rows: the text has no batch_size, and reads back. */
static void test_lbfgs(void **state)
{
    (void)state;
    struct read_job j = accept(LBFGS(", \"history\": 4") "}");
    struct job_spec again = {0};
    assert_null(strstr(j.canonical, "batch_size"));
    assert_int_equal(decode_job(j.canonical, &again, NULL), ERR_ok);
    for (int i = 0; i < 2; i++) {
        const struct optimizer *o = i == 0 ? &j.spec.train.optimizer : &again.train.optimizer;
        assert_int_equal(o->name, OPTIMIZER_LBFGS);
        assert_int_equal(o->history, 4);
        assert_int_equal(o->max_evaluations, 25);
        assert_true(o->learning_rate == 1 && o->tolerance_gradient == 1e-7 && o->tolerance_change == 1e-9);
    }
    job_spec_clear(&again);
    read_job_clear(&j);
    expect_mistake(LBFGS("") ", \"batch_size\": 32}", ERR_invalid_value, "/batch_size");
    expect_mistake(LBFGS(", \"history\": 0") "}", ERR_out_of_range, "/optimizer/history");
    expect_mistake(LBFGS(", \"history\": 2.5") "}", ERR_wrong_type, "/optimizer/history");
    expect_mistake(LBFGS(", \"max_evaluations\": 1000001") "}", ERR_out_of_range, "/optimizer/max_evaluations");
    expect_mistake(LBFGS(", \"tolerance_change\": -1") "}", ERR_out_of_range, "/optimizer/tolerance_change");
    expect_mistake(LBFGS(", \"weight_decay\": 0") "}", ERR_unknown_field, "/optimizer/weight_decay");
}

static void test_mistakes_in_schedule(void **state)
{
    (void)state;
    expect_mistake("{" LEAST ", \"schedule\": \"cosine\"}", ERR_wrong_type, "/schedule");
    expect_mistake("{" LEAST ", \"schedule\": {}}", ERR_missing_field, "/schedule/name");
    expect_mistake("{" LEAST ", \"schedule\": {\"name\": \"cosin\"}}", ERR_invalid_value, "/schedule/name");
    expect_mistake("{" LEAST ", \"schedule\": {\"name\": \"step\", \"factor\": 0.5}}", ERR_missing_field,
                   "/schedule/every_epochs");
    expect_mistake("{" LEAST ", \"schedule\": {\"name\": \"cosine\", \"factor\": 0.5}}", ERR_unknown_field,
                   "/schedule/factor");
    expect_mistake("{" LEAST ", \"schedule\": {\"name\": \"exponential\", \"factor\": 0}}", ERR_out_of_range,
                   "/schedule/factor");
    expect_mistake("{" LEAST ", \"schedule\": {\"name\": \"constant\", \"warmup_steps\": -1}}", ERR_out_of_range,
                   "/schedule/warmup_steps");
    expect_mistake("{" LEAST ", \"clip_gradient_norm\": 0}", ERR_out_of_range, "/clip_gradient_norm");
    expect_mistake("{" LEAST ", \"freeze\": \"W\"}", ERR_wrong_type, "/freeze");
    expect_mistake("{" LEAST ", \"freeze\": [\"W\", 1]}", ERR_wrong_type, "/freeze/1");
}

static void test_mistakes_in_optimizer(void **state)
{
    (void)state;
    expect_mistake("{" LEAST ", \"optimizer\": \"SGD\"}", ERR_wrong_type, "/optimizer");
    expect_mistake("{" LEAST ", \"optimizer\": {}}", ERR_missing_field, "/optimizer/name");
    expect_mistake("{" LEAST ", \"optimizer\": {\"name\": \"Adma\"}}", ERR_invalid_value, "/optimizer/name");
    expect_mistake("{" LEAST ", \"optimizer\": {\"name\": \"SGD\"}}", ERR_missing_field, "/optimizer/learning_rate");
    expect_mistake("{" LEAST ", \"optimizer\": {\"name\": \"Adam\", \"momentum\": 0.9}}", ERR_unknown_field,
                   "/optimizer/momentum");
    expect_mistake("{" LEAST ", \"optimizer\": {\"name\": \"Adam\", \"learning_rate\": 0}}", ERR_out_of_range,
                   "/optimizer/learning_rate");
    expect_mistake("{" LEAST ", \"optimizer\": {\"name\": \"Adam\", \"beta1\": 1}}", ERR_out_of_range,
                   "/optimizer/beta1");
}

static void test_patch(void **state)
{
    (void)state;
    int64_t priority = 0;
    struct error err = {0};
    assert_int_equal(decode_job_patch("{\"priority\": -5}", 16, &test_limits, &priority, &err), ERR_ok);
    assert_int_equal(priority, -5);
    assert_int_equal(decode_job_patch("{\"priority\": 500}", 17, &test_limits, &priority, &err), ERR_invalid_request);
    assert_true(has_mistake(&err, ERR_out_of_range, "/priority"));
    error_clear(&err);
    assert_int_equal(decode_job_patch("{\"state\": \"x\"}", 14, &test_limits, &priority, &err), ERR_invalid_request);
    assert_true(has_mistake(&err, ERR_unknown_field, "/state"));
    assert_true(has_mistake(&err, ERR_missing_field, "/priority"));
    assert_int_equal(priority, -5);
    error_clear(&err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_all_fields),
        cmocka_unit_test(test_canonical),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_mistakes_in_bind),
        cmocka_unit_test(test_early_stopping),
        cmocka_unit_test(test_validation),
        cmocka_unit_test(test_checkpoint),
        cmocka_unit_test(test_lbfgs),
        cmocka_unit_test(test_mistakes_in_schedule),
        cmocka_unit_test(test_mistakes_in_optimizer),
        cmocka_unit_test(test_patch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
