/* The catalog over a real store: models, versions, parameters and tables, and what is held while they change. */
#include "query/catalog.h"
#include "support/small.h"
#include <math.h>

static const char first_spec[] = "float64 7\ninput x batch 2\nparameter w 2 1\nparameter b 1\nprogram\n"
                                 "out = Linear(x, w, b)\n";
static const char second_spec[] = "float32 7\ninput x batch 3\nparameter w 3 1\nprogram\nout = x @ w\n";

struct fixture {
    struct small small;
    struct catalog *catalog;
};

static void begin(struct fixture *f)
{
    struct error err = {0};
    small_begin(&f->small);
    assert_ok(catalog_new(f->small.store, small_decode_model, &f->small.limits, &f->catalog, &err), &err);
}

static void end(struct fixture *f)
{
    catalog_free(f->catalog);
    small_end(&f->small);
}

static enum put_result put(struct fixture *f, const char *spec, bool replace)
{
    struct error err = {0};
    struct model *m = small_model(spec);
    struct store_model made = {0};
    enum put_result result;
    assert_ok(catalog_put_model(f->catalog, "m", spec, m, replace, NULL, &made, &result, &err), &err);
    assert_string_equal(made.name, "m");
    assert_string_equal(made.spec, spec);
    store_model_clear(&made);
    model_free(m);
    return result;
}

static struct held_model hold(struct fixture *f)
{
    struct error err = {0};
    struct held_model m = {0};
    assert_ok(catalog_hold_model(f->catalog, "m", &m, &err), &err);
    return m;
}

static void a_model_is_put_and_held(void **state)
{
    struct fixture f;
    struct held_model none = {0}, by_id = {0};
    struct error err = {0};
    (void)state;
    begin(&f);
    assert_int_equal(catalog_hold_model(f.catalog, "m", &none, NULL), ERR_not_found);
    assert_int_equal(put(&f, first_spec, false), PUT_CREATED);
    assert_int_equal(put(&f, first_spec, true), PUT_UNCHANGED);
    struct held_model m = hold(&f), again = hold(&f);
    assert_ptr_equal(m.model, again.model);
    assert_int_equal(m.model->parameter_count, 2);
    assert_int_equal(m.record.version, 1);
    assert_ok(catalog_hold_model_id(f.catalog, m.record.id, &by_id, &err), &err);
    assert_ptr_equal(by_id.model, m.model);
    assert_int_equal(catalog_hold_model_id(f.catalog, m.record.id + 1, &none, NULL), ERR_not_found);
    catalog_release_model(f.catalog, &m);
    catalog_release_model(f.catalog, &again);
    catalog_release_model(f.catalog, &by_id);
    catalog_release_model(f.catalog, &none);
    end(&f);
}

static void what_is_held_outlives_what_replaces_it(void **state)
{
    struct fixture f;
    struct held_version v = {0};
    struct error err = {0};
    (void)state;
    begin(&f);
    put(&f, first_spec, false);
    struct held_model old = hold(&f);
    assert_ok(catalog_hold_version(f.catalog, &old, 0, &v, &err), &err);
    assert_int_equal(put(&f, second_spec, true), PUT_REPLACED);
    struct held_model new = hold(&f);
    assert_int_not_equal(old.record.id, new.record.id);
    assert_int_equal(old.model->parameter_count, 2);
    assert_int_equal(new.model->parameter_count, 1);
    assert_int_equal(tensor_elements(v.parameters[0]), 2);
    catalog_release_version(f.catalog, &v);
    assert_ok(catalog_hold_version(f.catalog, &new, 0, &v, &err), &err);
    assert_int_equal(v.parameters[0]->dtype, DTYPE_FLOAT32);
    assert_int_equal(tensor_elements(v.parameters[0]), 3);
    catalog_release_version(f.catalog, &v);
    catalog_release_model(f.catalog, &old);
    catalog_release_model(f.catalog, &new);
    end(&f);
}

/* What was found by name is kept, but not beyond the next write. */
static void what_is_written_is_seen_at_once(void **state)
{
    struct fixture f;
    struct tensor **initial = NULL;
    struct held_model none = {0};
    struct error err = {0};
    int64_t version = 0;
    (void)state;
    begin(&f);
    put(&f, first_spec, false);
    struct held_model m = hold(&f), again = hold(&f);
    assert_ptr_equal(m.record.spec, again.record.spec);
    catalog_release_model(f.catalog, &again);
    assert_ok(model_initial(m.model, &initial, &err), &err);
    for (int64_t i = 2; i < 5; i++) {
        assert_ok(catalog_add_version(f.catalog, &m, initial, &version, &err), &err);
        again = hold(&f);
        assert_int_equal(again.record.version, i);
        assert_ptr_equal(again.model, m.model);
        catalog_release_model(f.catalog, &again);
        assert_ok(catalog_hold_model_id(f.catalog, m.record.id, &again, &err), &err);
        assert_int_equal(again.record.version, i);
        catalog_release_model(f.catalog, &again);
    }
    assert_ok(store_model_delete(f.small.store, "m", false, &err), &err);
    assert_int_equal(catalog_hold_model(f.catalog, "m", &none, NULL), ERR_not_found);
    assert_int_equal(catalog_hold_model_id(f.catalog, m.record.id, &none, NULL), ERR_not_found);
    assert_int_equal(m.record.version, 1);
    tensors_free(initial, 2);
    catalog_release_model(f.catalog, &m);
    end(&f);
}

static void the_first_version_is_as_initialised(void **state)
{
    struct fixture f;
    struct held_version v = {0};
    struct tensor **initial = NULL;
    char digest[65];
    struct error err = {0};
    (void)state;
    begin(&f);
    put(&f, first_spec, false);
    struct held_model m = hold(&f);
    assert_ok(catalog_hold_version(f.catalog, &m, 1, &v, &err), &err);
    assert_ok(model_initial(m.model, &initial, &err), &err);
    tensors_digest(initial, 2, digest);
    assert_string_equal(v.record->digest, digest);
    assert_int_equal(v.record->epoch, -1);
    assert_null(v.record->job);
    assert_true(isnan(v.record->cost));
    assert_int_equal(v.transform_count, 0);
    for (size_t p = 0; p < 2; p++)
        assert_memory_equal(v.parameters[p]->data, initial[p]->data, tensor_bytes(initial[p]));
    tensors_free(initial, 2);
    catalog_release_version(f.catalog, &v);
    catalog_release_model(f.catalog, &m);
    end(&f);
}

static void parameters_come_back_as_they_were_put(void **state)
{
    struct fixture f;
    struct held_version v = {0}, none = {0};
    struct tensor **put_in = NULL;
    struct error err = {0};
    int64_t version = 0;
    (void)state;
    begin(&f);
    put(&f, first_spec, false);
    struct held_model m = hold(&f);
    assert_ok(model_initial(m.model, &put_in, &err), &err);
    tensor_set(put_in[0], 1, -0.0);
    tensor_set(put_in[1], 0, 1e300);
    assert_ok(catalog_add_version(f.catalog, &m, put_in, &version, &err), &err);
    assert_int_equal(version, 2);
    assert_int_equal(catalog_hold_version(f.catalog, &m, 3, &none, NULL), ERR_unknown_version);
    assert_ok(catalog_hold_version(f.catalog, &m, 2, &v, &err), &err);
    for (size_t p = 0; p < 2; p++)
        assert_memory_equal(v.parameters[p]->data, put_in[p]->data, tensor_bytes(put_in[p]));
    catalog_release_version(f.catalog, &v);
    /* The newest is that of the moment at which the model was held. */
    assert_ok(catalog_hold_version(f.catalog, &m, 0, &v, &err), &err);
    assert_int_equal(v.record->version, 1);
    catalog_release_version(f.catalog, &v);
    catalog_release_model(f.catalog, &m);
    m = hold(&f);
    assert_ok(catalog_hold_version(f.catalog, &m, 0, &v, &err), &err);
    assert_int_equal(v.record->version, 2);
    catalog_release_version(f.catalog, &v);
    tensors_free(put_in, 2);
    catalog_release_model(f.catalog, &m);
    end(&f);
}

static void a_spec_that_cannot_be_read_is_a_bug(void **state)
{
    struct fixture f;
    struct store_model m = {.name = "m", .spec = "rubbish", .digest = "d"}, made = {0};
    struct store_version v = {.epoch = -1, .step = -1, .digest = "d"};
    struct held_model held = {0};
    enum put_result result;
    (void)state;
    begin(&f);
    assert_int_equal(store_model_put(f.small.store, &m, &v, "", 0, false, NULL, &made, &result, NULL), ERR_ok);
    store_model_clear(&made);
    assert_int_equal(catalog_hold_model(f.catalog, "m", &held, NULL), ERR_internal);
    end(&f);
}

static void a_table_is_loaded_once(void **state)
{
    struct fixture f;
    struct held_table t = {0}, again = {0}, none = {0};
    struct error err = {0};
    (void)state;
    begin(&f);
    small_put_csv(f.small.store, "d", "a,k\n1,x\n2,y\n3,x\n");
    assert_int_equal(catalog_hold_table(f.catalog, "e", &none, NULL), ERR_not_found);
    assert_ok(catalog_hold_table(f.catalog, "d", &t, &err), &err);
    assert_ok(catalog_hold_table_id(f.catalog, t.record->id, &again, &err), &err);
    assert_ptr_equal(t.table, again.table);
    assert_int_equal(t.table->info.rows, 3);
    assert_string_equal(t.table->info.columns[1].labels[1], "y");
    const double expected[] = {1, 0, 2, 1, 3, 0};
    assert_memory_equal(t.table->values, expected, sizeof expected);
    small_put_csv(f.small.store, "d", "a\n9\n");
    assert_same(t.table->values[4], 3);
    catalog_release_table(f.catalog, &again);
    assert_ok(catalog_hold_table(f.catalog, "d", &again, &err), &err);
    assert_same(again.table->values[0], 9);
    catalog_release_table(f.catalog, &again);
    catalog_release_table(f.catalog, &t);
    f.small.limits.memory_bytes = 20;
    small_put_csv(f.small.store, "e", "a\n1\n2\n3\n");
    assert_int_equal(catalog_hold_table(f.catalog, "e", &none, NULL), ERR_too_busy);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_is_put_and_held),
        cmocka_unit_test(what_is_held_outlives_what_replaces_it),
        cmocka_unit_test(what_is_written_is_seen_at_once),
        cmocka_unit_test(the_first_version_is_as_initialised),
        cmocka_unit_test(parameters_come_back_as_they_were_put),
        cmocka_unit_test(a_spec_that_cannot_be_read_is_a_bug),
        cmocka_unit_test(a_table_is_loaded_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
