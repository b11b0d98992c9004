/* What a plan promises: outputs wherever they come from, memory of exactly the size it says, leaves that are gathered
 * or written over, errors of values, cancelling, Dropout. */
#include "base/rng.h"
#include "engine/reference.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- bytes that the engine takes for its arena */

static size_t aligned_bytes;

/* The engine's own call ends here, since a program's definition comes before the library's. */
void *aligned_alloc(size_t alignment, size_t size)
{
    void *p = NULL;
    aligned_bytes += size;
    return posix_memalign(&p, alignment, size) == 0 ? p : NULL;
}

/* ---- a plan and its run, together */

struct ready {
    struct plan *plan;
    struct run *run;
};

static struct ready ready(const struct plan_spec *spec)
{
    struct ready r = {NULL, NULL};
    struct error err = {0};
    if (plan_make(spec, &r.plan, &err) != ERR_ok || run_new(r.plan, &r.run, &err) != ERR_ok)
        fail_msg("no plan: %s", err.detail);
    return r;
}

static void ready_free(struct ready *r, struct builder *b)
{
    run_free(r->run);
    plan_free(r->plan);
    graph_free(b->graph);
}

static size_t input_of(const struct ready *r, const struct builder *b, node_id leaf)
{
    size_t input = 0;
    assert_true(plan_find_input(r->plan, graph_node(b->graph, leaf)->name, &input));
    return input;
}

static void execute(const struct ready *r)
{
    struct error err = {0};
    if (run_execute(r->run, NULL, &err) != ERR_ok)
        fail_msg("the run failed: %s", err.detail);
}

static double output(const struct ready *r, size_t index, size_t element)
{
    return ((const double *)run_output(r->run, index))[element];
}

#define SPEC(b, ...)                                                                                                   \
    {                                                                                                                  \
        .graph = (b).graph, .dtype = DTYPE_FLOAT64, .outputs = (node_id[]){__VA_ARGS__},                               \
        .output_count = sizeof(node_id[]){__VA_ARGS__} / sizeof(node_id)                                               \
    }

static void fill(double *values, size_t count, double scale)
{
    for (size_t i = 0; i < count; i++)
        values[i] = scale * (double)((int64_t)(i * 7919 % 1009) - 504);
}

/* ---- outputs */

static void outputs_may_be_leaves_constants_views_and_repeat(void **state)
{
    (void)state;
    struct builder b = test_builder();
    const node_id x = test_input(&b, 2, (int64_t[]){2, 3});
    const node_id unused = test_input(&b, 1, (int64_t[]){5});
    const node_id two = build_scalar(&b, 2);
    const node_id wide = build_fill(&b, 3, shape_of(2, (int64_t[]){2, 2}));
    const node_id turned = build_unary(&b, OP_Transpose, x);
    const node_id sum = build_reduce(&b, OP_ReduceSum, x, (int64_t[]){0, 1}, 2, false);
    struct plan_spec spec = SPEC(b, x, two, wide, turned, turned, sum);
    const double values[] = {1, 2, 3, 4, 5, 6};
    struct ready r = ready(&spec);
    size_t found;
    assert_int_equal(plan_input_count(r.plan), 1);
    assert_false(plan_find_input(r.plan, graph_node(b.graph, unused)->name, &found));
    run_bind(r.run, input_of(&r, &b, x), values);
    execute(&r);
    for (size_t i = 0; i < 6; i++) {
        assert_same(output(&r, 0, i), values[i]);
        assert_same(output(&r, 3, i), values[(i % 2) * 3 + i / 2]);
        assert_same(output(&r, 4, i), values[(i % 2) * 3 + i / 2]);
    }
    assert_same(output(&r, 1, 0), 2);
    for (size_t i = 0; i < 4; i++)
        assert_same(output(&r, 2, i), 3);
    assert_same(output(&r, 5, 0), 21);
    ready_free(&r, &b);
}

static void tensors_without_elements(void **state)
{
    (void)state;
    struct builder b = test_builder();
    const node_id x = test_input(&b, 2, (int64_t[]){0, 3});
    const node_id w = test_input(&b, 2, (int64_t[]){3, 2});
    const node_id y = build_unary(&b, OP_Exp, build_binary(&b, OP_MatMul, x, w));
    const node_id sum = build_reduce(&b, OP_ReduceSum, y, (int64_t[]){0}, 1, false);
    const node_id product = build_binary(&b, OP_MatMul, build_unary(&b, OP_Transpose, x), x);
    struct plan_spec spec = SPEC(b, x, y, sum, product);
    const double none[1] = {0};
    const double weights[6] = {1, 2, 3, 4, 5, 6};
    struct ready r = ready(&spec);
    run_bind(r.run, input_of(&r, &b, x), none);
    run_bind(r.run, input_of(&r, &b, w), weights);
    execute(&r);
    assert_same(output(&r, 2, 0), 0);
    assert_same(output(&r, 2, 1), 0);
    for (size_t i = 0; i < 9; i++)
        assert_same(output(&r, 3, i), 0);
    ready_free(&r, &b);
}

/* ---- memory */

static void the_arena_is_what_was_promised_and_is_used_again(void **state)
{
    (void)state;
    struct builder b = test_builder();
    const int64_t n = 1000;
    const node_id x = test_input(&b, 1, &n);
    node_id y = x;
    for (int i = 0; i < 50; i++)
        y = build_unary(&b, i % 2 == 0 ? OP_Tanh : OP_Square, y);
    struct plan_spec spec = SPEC(b, y);
    struct ready r = {NULL, NULL};
    assert_int_equal(plan_make(&spec, &r.plan, NULL), ERR_ok);
    aligned_bytes = 0;
    assert_int_equal(run_new(r.plan, &r.run, NULL), ERR_ok);
    assert_int_equal(aligned_bytes, plan_arena_bytes(r.plan));
    /* Fifty ops fill two programs, the second in the place of the first: 8,000 bytes, in slots of 64. */
    assert_int_equal(plan_arena_bytes(r.plan), 8000);
    assert_int_equal(plan_step_count(r.plan), 2);
    ready_free(&r, &b);
}

/* A product that is computed block by block finishes each of them with all that the finish reads. */
static void a_long_product_is_finished(void **state)
{
    (void)state;
    enum { M = 300, K = 2048, N = 128 };
    struct builder b = test_builder();
    const node_id leaves[] = {test_input(&b, 2, (int64_t[]){M, K}), test_input(&b, 2, (int64_t[]){K, N}),
                              test_input(&b, 1, (int64_t[]){N}), test_input(&b, 2, (int64_t[]){M, N})};
    static double values[4][M * K];
    const node_id sum = build_binary(&b, OP_Add, build_binary(&b, OP_MatMul, leaves[0], leaves[1]), leaves[2]);
    struct plan_spec spec = SPEC(b, build_binary(&b, OP_Mul, build_unary(&b, OP_Relu, sum), leaves[3]));
    struct plan_spec plain = spec;
    plain.plain = true;
    struct ready r = ready(&spec), by_nodes = ready(&plain);
    for (size_t i = 0; i < 4; i++) {
        fill(values[i], sizeof values[i] / sizeof *values[i], 1.0 / (double)(1024 + i));
        run_bind(r.run, input_of(&r, &b, leaves[i]), values[i]);
        run_bind(by_nodes.run, input_of(&by_nodes, &b, leaves[i]), values[i]);
    }
    execute(&r);
    execute(&by_nodes);
    assert_memory_equal(run_output(r.run, 0), run_output(by_nodes.run, 0), sizeof(double) * M * N);
    run_free(by_nodes.run);
    plan_free(by_nodes.plan);
    ready_free(&r, &b);
}

static void constants_are_folded(void **state)
{
    (void)state;
    struct builder b = test_builder();
    const node_id x = test_input(&b, 2, (int64_t[]){3, 4});
    const node_id scale = build_binary(&b, OP_Div, build_scalar(&b, 6), build_size(&b, x));
    const node_id y = build_binary(&b, OP_Mul, x, build_expand(&b, scale, build_shape(&b, x)));
    struct plan_spec spec = SPEC(b, y);
    struct ready r = ready(&spec);
    double values[12];
    assert_int_equal(plan_step_count(r.plan), 1);
    for (int i = 0; i < 12; i++)
        values[i] = i;
    run_bind(r.run, input_of(&r, &b, x), values);
    execute(&r);
    for (size_t i = 0; i < 12; i++)
        assert_same(output(&r, 0, i), 0.5 * values[i]);
    ready_free(&r, &b);
}

/* ---- leaves that are written over */

/* W' = W - g, v' = v + W, with other readers of W before and after, and W itself asked for. */
static void updates_come_after_every_read(void **state)
{
    (void)state;
    for (int variant = 0; variant < 4; variant++) {
        struct builder b = test_builder();
        const int64_t n = 5;
        const node_id w = test_input(&b, 1, &n);
        const node_id v = test_input(&b, 1, &n);
        const node_id g = build_unary(&b, OP_Square, w);
        const node_id next = build_binary(&b, OP_Sub, w, g);
        const node_id late = build_binary(&b, OP_Mul, w, next);
        const node_id momentum = build_binary(&b, OP_Add, v, variant == 1 ? late : g);
        node_id outputs[] = {next, momentum, variant == 2 ? w : g, variant == 3 ? next : late};
        struct plan_shared shared[] = {{0, w}, {1, v}};
        struct plan_spec spec = {.graph = b.graph,
                                 .dtype = DTYPE_FLOAT64,
                                 .outputs = outputs,
                                 .output_count = 4,
                                 .shared = shared,
                                 .shared_count = 2};
        double ws[] = {0.5, -1, 2, 0.25, 3};
        double vs[] = {1, 2, 3, 4, 5};
        struct ready r = ready(&spec);
        run_bind_shared(r.run, input_of(&r, &b, w), ws);
        run_bind_shared(r.run, input_of(&r, &b, v), vs);
        for (int step = 0; step < 2; step++) {
            double old_w[5], old_v[5];
            memcpy(old_w, ws, sizeof ws);
            memcpy(old_v, vs, sizeof vs);
            execute(&r);
            for (size_t i = 0; i < 5; i++) {
                const double square = old_w[i] * old_w[i];
                const double updated = old_w[i] - square;
                assert_same(ws[i], updated);
                assert_same(vs[i], old_v[i] + (variant == 1 ? old_w[i] * updated : square));
                assert_same(output(&r, 0, i), updated);
                assert_same(output(&r, 2, i), variant == 2 ? old_w[i] : square);
                assert_same(output(&r, 3, i), variant == 3 ? updated : old_w[i] * updated);
            }
        }
        ready_free(&r, &b);
    }
}

static void leaves_can_change_places(void **state)
{
    (void)state;
    struct builder b = test_builder();
    const int64_t n = 3;
    const node_id x = test_input(&b, 1, &n);
    const node_id y = test_input(&b, 1, &n);
    const node_id z = test_input(&b, 1, &n);
    node_id outputs[] = {build_unary(&b, OP_Identity, y), x, z};
    struct plan_shared shared[] = {{0, x}, {1, y}, {2, z}};
    struct plan_spec spec = {.graph = b.graph,
                             .dtype = DTYPE_FLOAT64,
                             .outputs = outputs,
                             .output_count = 3,
                             .shared = shared,
                             .shared_count = 3};
    double xs[] = {1, 2, 3}, ys[] = {4, 5, 6}, zs[] = {7, 8, 9};
    struct ready r = ready(&spec);
    run_bind_shared(r.run, input_of(&r, &b, x), xs);
    run_bind_shared(r.run, input_of(&r, &b, y), ys);
    run_bind_shared(r.run, input_of(&r, &b, z), zs);
    execute(&r);
    for (int i = 0; i < 3; i++) {
        assert_same(xs[i], 4 + i);
        assert_same(ys[i], 1 + i);
        assert_same(zs[i], 7 + i);
    }
    ready_free(&r, &b);
}

/* W' = W^T and W' = W @ W read W in another order than they write. */
static void updates_that_read_across(void **state)
{
    (void)state;
    for (int variant = 0; variant < 2; variant++) {
        struct builder b = test_builder();
        const node_id w = test_input(&b, 2, (int64_t[]){2, 2});
        const node_id turned = build_unary(&b, OP_Transpose, w);
        node_id next =
            variant == 0 ? build_binary(&b, OP_Add, turned, build_scalar(&b, 1)) : build_binary(&b, OP_MatMul, w, w);
        struct plan_shared shared = {0, w};
        struct plan_spec spec = SPEC(b, next);
        spec.shared = &shared;
        spec.shared_count = 1;
        double ws[] = {1, 2, 3, 4};
        static const double expected[2][4] = {{2, 4, 3, 5}, {7, 10, 15, 22}};
        struct ready r = ready(&spec);
        run_bind_shared(r.run, 0, ws);
        execute(&r);
        for (int i = 0; i < 4; i++)
            assert_same(ws[i], expected[variant][i]);
        ready_free(&r, &b);
    }
}

/* A run that fails leaves the leaf as it was, although the failing step comes after the update in the graph. */
static void a_failed_or_cancelled_run_writes_no_leaf(void **state)
{
    (void)state;
    struct builder b = test_builder();
    const int64_t n = 3;
    const node_id w = test_input(&b, 1, &n);
    const node_id index = test_input(&b, 0, NULL);
    const node_id next = build_binary(&b, OP_Add, w, w);
    const node_id data = test_input(&b, 1, &n);
    const node_id picked = build_op(&b, OP_Gather, (node_id[]){data, index}, 2, NULL, 0);
    struct plan_shared shared = {0, w};
    struct plan_spec spec = SPEC(b, next, picked);
    spec.shared = &shared;
    spec.shared_count = 1;
    double ws[] = {1, 2, 3};
    double at = 3;
    atomic_bool cancel = true;
    struct error err = {0};
    struct ready r = ready(&spec);
    run_bind_shared(r.run, input_of(&r, &b, w), ws);
    run_bind(r.run, input_of(&r, &b, index), &at);
    const double values[] = {7, 8, 9};
    run_bind(r.run, input_of(&r, &b, data), values);
    assert_int_equal(run_execute(r.run, NULL, &err), ERR_index_out_of_range);
    assert_same(ws[2], 3);
    at = -1;
    assert_int_equal(run_execute(r.run, &cancel, &err), ERR_cancelled);
    assert_same(ws[2], 3);
    cancel = false;
    assert_int_equal(run_execute(r.run, &cancel, &err), ERR_ok);
    assert_same(ws[2], 6);
    assert_same(output(&r, 1, 0), 9);
    error_clear(&err);
    ready_free(&r, &b);
}

static void what_is_not_bound_is_named(void **state)
{
    (void)state;
    struct builder b = test_builder();
    const node_id w = test_input(&b, 0, NULL);
    const node_id next = build_unary(&b, OP_Neg, w);
    struct plan_shared shared = {0, w};
    struct plan_spec spec = SPEC(b, next);
    spec.shared = &shared;
    spec.shared_count = 1;
    const double value = 1;
    struct error err = {0};
    struct ready r = ready(&spec);
    assert_int_equal(run_execute(r.run, NULL, &err), ERR_missing_input);
    assert_non_null(strstr(err.detail, graph_node(b.graph, w)->name));
    run_bind(r.run, 0, &value);
    assert_int_equal(run_execute(r.run, NULL, &err), ERR_internal);
    error_clear(&err);
    ready_free(&r, &b);
}

/* ---- gathered leaves */

static void rows_are_gathered(void **state)
{
    (void)state;
    struct builder b = test_builder();
    const node_id x = test_input(&b, 2, (int64_t[]){3, 2});
    const node_id y = build_binary(&b, OP_Add, x, build_scalar(&b, 1));
    struct plan_spec spec = SPEC(b, y, x);
    spec.gathered = &x;
    spec.gathered_count = 1;
    const double table[] = {0, 1, 10, 11, 20, 21, 30, 31};
    const uint32_t rows[][3] = {{3, 0, 3}, {1, 2, 0}};
    struct ready r = ready(&spec);
    for (int step = 0; step < 2; step++) {
        run_bind_rows(r.run, 0, table, rows[step]);
        execute(&r);
        for (size_t i = 0; i < 6; i++) {
            assert_same(output(&r, 1, i), table[(size_t)2 * rows[step][i / 2] + i % 2]);
            assert_same(output(&r, 0, i), 1 + table[(size_t)2 * rows[step][i / 2] + i % 2]);
        }
    }
    ready_free(&r, &b);
}

/* ---- indices */

static err_code try_index(enum op op, const struct attribute *attribute, double index, struct error *err)
{
    struct builder b = test_builder();
    const node_id data = test_input(&b, 2, (int64_t[]){1, 3});
    struct node spec = {.op = OP_Identity};
    const node_id at = test_input(&b, 1, (int64_t[]){1});
    const node_id in[] = {op == OP_OneHot ? at : data, at};
    node_id out;
    spec.op = op;
    spec.inputs = in;
    spec.input_count = op == OP_OneHot ? 1 : 2;
    spec.attributes = attribute;
    spec.attribute_count = attribute != NULL ? 1 : 0;
    spec.name = "picked";
    spec.place.line = 7;
    assert_int_equal(graph_add(b.graph, &spec, &out, err), ERR_ok);
    struct plan_spec plan = SPEC(b, out);
    const double values[] = {1, 2, 3};
    struct ready r = ready(&plan);
    if (op != OP_OneHot)
        run_bind(r.run, input_of(&r, &b, data), values);
    run_bind(r.run, input_of(&r, &b, at), &index);
    const err_code code = run_execute(r.run, NULL, err);
    ready_free(&r, &b);
    return code;
}

static void indices_are_rounded_and_checked(void **state)
{
    (void)state;
    const struct attribute axis = int_attribute(ATTRIBUTE_axis, 1);
    const struct attribute depth = int_attribute(ATTRIBUTE_depth, 3);
    static const double good[] = {0, 2, 2.4, -0.4};
    static const double bad[] = {3, 2.6, -4, 1e30, -1e30, INFINITY, NAN};
    struct error err = {0};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(try_index(OP_Gather, &axis, good[i], &err), ERR_ok);
        assert_int_equal(try_index(OP_OneHot, &depth, good[i], &err), ERR_ok);
        assert_int_equal(try_index(OP_CrossEntropy, NULL, good[i], &err), ERR_ok);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(try_index(OP_Gather, &axis, bad[i], &err), ERR_index_out_of_range);
        assert_int_equal(try_index(OP_OneHot, &depth, bad[i], &err), ERR_index_out_of_range);
        assert_int_equal(try_index(OP_CrossEntropy, NULL, bad[i], &err), ERR_index_out_of_range);
    }
    assert_int_equal(try_index(OP_Gather, &axis, -3, &err), ERR_ok);
    assert_int_equal(try_index(OP_OneHot, &depth, -1, &err), ERR_index_out_of_range);
    assert_string_equal(err.detail, "OneHot picked (line 7): index -1 is out of range: it must be from 0 to 2");
    assert_int_equal(try_index(OP_OneHot, &depth, -NAN, &err), ERR_index_out_of_range);
    assert_string_equal(err.detail, "OneHot picked (line 7): index nan is out of range: it must be from 0 to 2");
    error_clear(&err);
}

/* ---- Dropout */

static void dropout_masks_are_a_function_of_seed_step_and_ordinal(void **state)
{
    (void)state;
    enum { N = 1000 };
    for (enum dtype dtype = DTYPE_FLOAT32; dtype <= DTYPE_FLOAT64; dtype++) {
        struct builder b = test_builder();
        const int64_t n = N;
        const node_id x = test_input(&b, 1, &n);
        const struct attribute attributes[] = {{.key = ATTRIBUTE_ratio, .kind = KIND_FLOAT, .number = 0.3},
                                               int_attribute(ATTRIBUTE_ordinal, 4)};
        const node_id y = build_op(&b, OP_Dropout, &x, 1, attributes, 2);
        struct plan_spec spec = SPEC(b, y);
        spec.dtype = dtype;
        spec.training = true;
        double wide[N];
        float narrow[N];
        for (int i = 0; i < N; i++)
            wide[i] = narrow[i] = (float)(i + 1);
        for (size_t isa = 0; isa_at(isa) != NULL; isa++) {
            struct ready r;
            assert_int_equal(plan_make_isa(&spec, isa_at(isa), &r.plan, NULL), ERR_ok);
            assert_int_equal(run_new(r.plan, &r.run, NULL), ERR_ok);
            run_bind(r.run, 0, dtype == DTYPE_FLOAT32 ? (void *)narrow : (void *)wide);
            run_set_random(r.run, 99, 12345678901);
            execute(&r);
            const struct rng rng = {99, 12345678901, RNG_DROPOUT, 4};
            for (size_t i = 0; i < N; i++) {
                const bool kept = rng_uniform(&rng, i) >= 0.3;
                if (dtype == DTYPE_FLOAT32)
                    assert_same(((const float *)run_output(r.run, 0))[i], kept ? narrow[i] * (float)(1 / 0.7) : 0);
                else
                    assert_same(output(&r, 0, i), kept ? wide[i] * (1 / 0.7) : 0);
            }
            run_free(r.run);
            plan_free(r.plan);
        }
        graph_free(b.graph);
    }
}

/* ---- NaN, infinities, zeros */

static void not_a_number_is_not_lost(void **state)
{
    (void)state;
    struct builder b = test_builder();
    const int64_t n = 40;
    const node_id x = test_input(&b, 1, &n);
    const node_id zero = build_scalar(&b, 0);
    const node_id outs[] = {
        build_unary(&b, OP_Relu, x),       build_binary(&b, OP_Max, x, zero),
        build_binary(&b, OP_Max, zero, x), build_binary(&b, OP_Min, x, zero),
        build_binary(&b, OP_Min, zero, x), build_reduce(&b, OP_ReduceMax, x, (int64_t[]){0}, 1, false)};
    struct plan_spec spec = {.graph = b.graph, .dtype = DTYPE_FLOAT64, .outputs = outs, .output_count = 6};
    for (int at = 0; at < n; at += 13) {
        double values[40];
        for (int i = 0; i < n; i++)
            values[i] = i == at ? (double)NAN : i;
        struct ready r = ready(&spec);
        run_bind(r.run, 0, values);
        execute(&r);
        for (size_t o = 0; o < 5; o++)
            assert_true(isnan(output(&r, o, (size_t)at)));
        assert_true(isnan(output(&r, 5, 0)));
        run_free(r.run);
        plan_free(r.plan);
    }
    graph_free(b.graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outputs_may_be_leaves_constants_views_and_repeat),
        cmocka_unit_test(tensors_without_elements),
        cmocka_unit_test(the_arena_is_what_was_promised_and_is_used_again),
        cmocka_unit_test(a_long_product_is_finished),
        cmocka_unit_test(constants_are_folded),
        cmocka_unit_test(updates_come_after_every_read),
        cmocka_unit_test(leaves_can_change_places),
        cmocka_unit_test(updates_that_read_across),
        cmocka_unit_test(a_failed_or_cancelled_run_writes_no_leaf),
        cmocka_unit_test(what_is_not_bound_is_named),
        cmocka_unit_test(rows_are_gathered),
        cmocka_unit_test(indices_are_rounded_and_checked),
        cmocka_unit_test(dropout_masks_are_a_function_of_seed_step_and_ordinal),
        cmocka_unit_test(not_a_number_is_not_lost),
    };
    return select_isa_of_environment() ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
