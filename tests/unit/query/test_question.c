/* Questions and answers: every mistake at its place, the values, the trace of the lesson's network, plans found again.
 */
#include "query/explain.h"
#include "query/question.h"
#include "support/small.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TENSORS_MAX = 12 };

static const char lesson[] = "float64 7\n"
                             "input X batch 2\n"
                             "input y batch 1\n"
                             "parameter W1 2 3\n"
                             "parameter b1 3\n"
                             "parameter W2 3 1\n"
                             "parameter b2 1\n"
                             "program\n"
                             "X, y = Input(), Input()\n"
                             "W1, b1 = Input(), Input()\n"
                             "W2, b2 = Input(), Input()\n"
                             "l1 = Linear(X, W1, b1)\n"
                             "s1 = Sigmoid(l1)\n"
                             "out = Linear(s1, W2, b2)\n"
                             "cost = MSE(out, y)\n";

/* A question in the making. */
struct asking {
    struct limits limits;
    struct plans *plans;
    struct model *model;
    struct named_tensor inputs[TENSORS_MAX], parameters[TENSORS_MAX];
    struct named_place of[TENSORS_MAX], wrt[TENSORS_MAX];
    struct tensor *owned[3 * TENSORS_MAX];
    size_t owned_count;
    struct question q;
    struct prepared *prepared;
    struct answer answer;
    struct error err;
};

static struct tensor *make_tensor(struct asking *a, struct shape shape, double first, double step)
{
    struct tensor *t = NULL;
    assert_int_equal(tensor_new(DTYPE_FLOAT64, shape, &t, NULL), ERR_ok);
    for (int64_t i = 0; i < tensor_elements(t); i++)
        tensor_set(t, i, first + step * (double)i);
    a->owned[a->owned_count++] = t;
    return t;
}

static void give(struct asking *a, const char *name, struct shape shape, double first, double step)
{
    a->inputs[a->q.input_count++] =
        (struct named_tensor){.name = name, .tensor = make_tensor(a, shape, first, step), .place.pointer = "/inputs"};
}

static void ask_of(struct asking *a, const char *name)
{
    a->of[a->q.of_count++] = (struct named_place){.name = name, .place.pointer = "/of"};
}

static void ask_wrt(struct asking *a, const char *name)
{
    a->wrt[a->q.wrt_count++] = (struct named_place){.name = name, .place.pointer = "/wrt"};
}

static struct asking *begin(const char *spec, enum question_kind kind)
{
    struct asking *a = calloc(1, sizeof *a);
    assert_non_null(a);
    a->limits = small_limits();
    a->model = small_model(spec);
    assert_int_equal(plans_new(&a->limits, &a->plans, NULL), ERR_ok);
    a->q = (struct question){.kind = kind,
                             .graph = a->model->graph,
                             .graph_key = "model:1",
                             .dtype = a->model->dtype,
                             .of = a->of,
                             .wrt = a->wrt,
                             .inputs = a->inputs,
                             .parameters = a->parameters};
    for (size_t i = 0; i < a->model->parameter_count; i++) {
        const struct node *leaf = graph_node(a->model->graph, a->model->parameters[i].node);
        a->parameters[a->q.parameter_count++] = (struct named_tensor){
            .name = leaf->name, .tensor = make_tensor(a, leaf->shape, 0.1 * (double)(i + 1), 0.2)};
    }
    return a;
}

static struct asking *begin_lesson(enum question_kind kind, int64_t batch)
{
    struct asking *a = begin(lesson, kind);
    give(a, "X", (struct shape){2, {batch, 2}}, -1, 0.5);
    give(a, "y", (struct shape){2, {batch, 1}}, 0, 1);
    return a;
}

/* Forgets the answer, so that another question can be asked. */
static void again(struct asking *a)
{
    answer_clear(&a->answer);
    prepared_free(a->prepared);
    a->prepared = NULL;
    error_clear(&a->err);
}

static void end(struct asking *a)
{
    again(a);
    for (size_t i = 0; i < a->owned_count; i++)
        tensor_free(a->owned[i]);
    plans_free(a->plans);
    model_free(a->model);
    free(a);
}

static void answer(struct asking *a)
{
    assert_ok(question_prepare(a->plans, &a->q, &a->prepared, &a->err), &a->err);
    assert_ok(prepared_run(a->prepared, NULL, &a->answer, &a->err), &a->err);
}

static void refuse(struct asking *a, const char *items)
{
    assert_int_equal(question_prepare(a->plans, &a->q, &a->prepared, &a->err), ERR_invalid_query);
    assert_int_equal(a->err.code, ERR_invalid_query);
    assert_items(&a->err, items);
}

static double value_of(const struct asking *a, size_t i, int64_t at)
{
    assert_true(i < a->answer.value_count);
    return tensor_get(a->answer.values[i].tensor, at);
}

static double gradient_of(const struct asking *a, const char *name, int64_t at)
{
    for (size_t i = 0; i < a->answer.gradient_count; i++)
        if (strcmp(a->answer.gradients[i].name, name) == 0)
            return tensor_get(a->answer.gradients[i].tensor, at);
    fail_msg("there is no gradient by %s", name);
    return NAN;
}

/* ---- values ---- */

static void the_lesson_at_four_and_a_half(void **state)
{
    struct asking *a = begin("float64 0\ninput x\nprogram\nf = x^2\n", QUESTION_GRADIENT);
    (void)state;
    give(a, "x", (struct shape){0}, 4, 0);
    ask_of(a, "f");
    ask_wrt(a, "x");
    answer(a);
    assert_same(value_of(a, 0, 0), 16);
    assert_same(gradient_of(a, "x", 0), 8);
    assert_false(a->answer.nonfinite);
    assert_int_equal(a->answer.independent_count, 0);
    again(a);
    tensor_set(a->owned[0], 0, 4.5);
    answer(a);
    assert_same(gradient_of(a, "x", 0), 9);
    end(a);
}

static void several_values_are_evaluated_in_their_order(void **state)
{
    struct asking *a = begin_lesson(QUESTION_EVALUATE, 3);
    (void)state;
    ask_of(a, "cost");
    ask_of(a, "X");
    ask_of(a, "out");
    answer(a);
    assert_int_equal(a->answer.value_count, 3);
    assert_string_equal(a->answer.values[1].name, "X");
    assert_same(value_of(a, 1, 2), 0);
    double sum = 0;
    for (int64_t i = 0; i < 3; i++)
        sum += (value_of(a, 2, i) - (double)i) * (value_of(a, 2, i) - (double)i);
    assert_near(value_of(a, 0, 0), sum / 3, 1e-14, 0);
    assert_int_equal(a->answer.gradient_count, 0);
    end(a);
}

/* The cost by each parameter and inner node against central differences of the cost. */
static void gradients_are_those_of_differences(void **state)
{
    static const char *const names[] = {"X", "y", "W1", "b1", "W2", "b2"};
    struct asking *a = begin_lesson(QUESTION_GRADIENT, 3);
    (void)state;
    ask_of(a, "cost");
    for (size_t i = 0; i < 6; i++)
        ask_wrt(a, names[i]);
    ask_wrt(a, "s1");
    answer(a);
    double by_w2 = gradient_of(a, "W2", 1), by_s1[9], s1_by_w2 = 0;
    for (int64_t i = 0; i < 9; i++)
        by_s1[i] = gradient_of(a, "s1", i);
    again(a);
    a->q.kind = QUESTION_EVALUATE;
    a->q.wrt_count = 0;
    ask_of(a, "s1");
    ask_of(a, "out");
    answer(a);
    for (int64_t row = 0; row < 3; row++) {
        double by_out = 2.0 / 3 * (value_of(a, 2, row) - (double)row);
        assert_near(by_s1[3 * row + 2], by_out * tensor_get(a->parameters[2].tensor, 2), 1e-13, 1e-16);
        s1_by_w2 += by_out * value_of(a, 1, 3 * row + 1);
    }
    assert_near(by_w2, s1_by_w2, 1e-13, 0);
    end(a);
}

static void a_cotangent_weighs_the_elements(void **state)
{
    struct asking *a = begin("float64 0\ninput x batch 2\nprogram\nf = x * x\n", QUESTION_GRADIENT);
    (void)state;
    give(a, "x", (struct shape){2, {2, 2}}, 1, 1);
    ask_of(a, "f");
    ask_wrt(a, "x");
    refuse(a, "missing_cotangent /cotangent 'f' is (2,2), not a scalar: say with `cotangent`, a tensor of that shape, "
              "how its elements are weighed\n");
    a->q.cotangent = make_tensor(a, (struct shape){2, {2, 1}}, 1, 0);
    a->q.cotangent_place.pointer = "/cotangent";
    refuse(a, "shape_mismatch /cotangent 'f' is (2,2) but its cotangent is (2,1)\n");
    a->q.cotangent = make_tensor(a, (struct shape){2, {2, 2}}, 10, 10);
    answer(a);
    for (int64_t i = 0; i < 4; i++)
        assert_same(gradient_of(a, "x", i), 2 * (double)(i + 1) * 10 * (double)(i + 1));
    end(a);
}

static void grad_in_a_program_is_expanded(void **state)
{
    struct asking *a =
        begin("float64 0\ninput x\nprogram\nf = x^3\ng = grad(f, x)\nh = grad(g, x)\n", QUESTION_GRADIENT);
    (void)state;
    give(a, "x", (struct shape){0}, 2, 0);
    ask_of(a, "h");
    ask_wrt(a, "x");
    ask_wrt(a, "g");
    answer(a);
    assert_same(value_of(a, 0, 0), 12);
    assert_same(gradient_of(a, "x", 0), 6);
    end(a);
}

static void what_of_does_not_depend_on_is_named(void **state)
{
    struct asking *a = begin_lesson(QUESTION_GRADIENT, 3);
    (void)state;
    a->q.cotangent = make_tensor(a, (struct shape){2, {3, 1}}, 1, 0);
    ask_of(a, "out");
    ask_wrt(a, "b2");
    ask_wrt(a, "y");
    ask_wrt(a, "cost");
    answer(a);
    assert_same(gradient_of(a, "b2", 0), 3);
    assert_int_equal(a->answer.independent_count, 2);
    assert_string_equal(a->answer.independent[0], "y");
    assert_string_equal(a->answer.independent[1], "cost");
    assert_same(gradient_of(a, "y", 2), 0);
    assert_int_equal(tensor_elements(a->answer.gradients[1].tensor), 3);
    end(a);
}

static void a_value_may_be_non_finite(void **state)
{
    struct asking *a = begin("float64 0\ninput x\nprogram\nf = Log(x)\n", QUESTION_GRADIENT);
    (void)state;
    give(a, "x", (struct shape){0}, 0, 0);
    ask_of(a, "f");
    ask_wrt(a, "x");
    answer(a);
    assert_true(a->answer.nonfinite);
    assert_same(value_of(a, 0, 0), -INFINITY);
    assert_same(gradient_of(a, "x", 0), INFINITY);
    end(a);
}

static void values_are_cast_to_the_questions_dtype(void **state)
{
    struct asking *a = begin("float32 0\ninput x\nprogram\nf = x * 1\n", QUESTION_EVALUATE);
    (void)state;
    give(a, "x", (struct shape){0}, 0.1, 0);
    ask_of(a, "f");
    answer(a);
    assert_int_equal(a->answer.values[0].tensor->dtype, DTYPE_FLOAT32);
    assert_same(value_of(a, 0, 0), (double)0.1F);
    end(a);
}

static void a_cancelled_question_says_so(void **state)
{
    struct asking *a = begin_lesson(QUESTION_EVALUATE, 3);
    const atomic_bool cancel = true;
    (void)state;
    ask_of(a, "out");
    assert_ok(question_prepare(a->plans, &a->q, &a->prepared, &a->err), &a->err);
    assert_int_equal(prepared_run(a->prepared, &cancel, &a->answer, &a->err), ERR_cancelled);
    end(a);
}

/* ---- mistakes ---- */

static void unknown_and_repeated_names_are_told_at_once(void **state)
{
    struct asking *a = begin_lesson(QUESTION_GRADIENT, 3);
    (void)state;
    ask_of(a, "costt");
    ask_wrt(a, "W1");
    ask_wrt(a, "w22");
    ask_wrt(a, "W1");
    a->inputs[0].name = "XX";
    a->inputs[1].name = "l1";
    refuse(a, "unknown_name /of no node is named 'costt'; did you mean 'cost'?\n"
              "unknown_name /wrt no node is named 'w22'; did you mean 'W2'?\n"
              "invalid_value /wrt 'W1' is asked for twice\n"
              "unknown_name /inputs no node is named 'XX'; did you mean 'X'?\n"
              "invalid_value /inputs 'l1' is computed by the program; only inputs take values\n");
    end(a);
}

static void missing_inputs_are_told_and_only_those_needed(void **state)
{
    struct asking *a = begin(lesson, QUESTION_EVALUATE);
    (void)state;
    ask_of(a, "cost");
    refuse(a, "missing_input /inputs 'X' (batch,2) has no value\n"
              "missing_input /inputs 'y' (batch,1) has no value\n");
    give(a, "X", (struct shape){2, {4, 2}}, 0, 1);
    a->of[0].name = "out";
    answer(a);
    assert_int_equal(tensor_elements(a->answer.values[0].tensor), 4);
    end(a);
}

static void shapes_and_batches_must_agree(void **state)
{
    struct asking *a = begin(lesson, QUESTION_EVALUATE);
    (void)state;
    ask_of(a, "cost");
    give(a, "X", (struct shape){2, {4, 3}}, 0, 1);
    give(a, "y", (struct shape){2, {4, 1}}, 0, 1);
    give(a, "W1", (struct shape){2, {2, 3}}, 0, 1);
    refuse(a, "shape_mismatch /inputs 'X' is (batch,2) but its value is (4,3)\n"
              "invalid_value /inputs 'W1' is a parameter: its value is the version's\n");
    end(a);
    a = begin(lesson, QUESTION_EVALUATE);
    ask_of(a, "cost");
    give(a, "X", (struct shape){2, {4, 2}}, 0, 1);
    give(a, "y", (struct shape){2, {5, 1}}, 0, 1);
    refuse(a,
           "shape_mismatch /inputs 'y' is (batch,1), which must be (4,1) with the batch of the other inputs, but its "
           "value is (5,1)\n");
    end(a);
}

static void an_answer_over_a_limit_is_refused_with_figures(void **state)
{
    struct asking *a = begin_lesson(QUESTION_EVALUATE, 30);
    (void)state;
    ask_of(a, "X");
    ask_of(a, "out");
    plans_free(a->plans);
    a->limits.answer_elements = 89;
    assert_int_equal(plans_new(&a->limits, &a->plans, NULL), ERR_ok);
    refuse(a, "limit_exceeded  the answer would have 90 elements; the limit is 89\n");
    plans_free(a->plans);
    a->limits.answer_elements = 90;
    a->limits.memory_bytes = 64;
    assert_int_equal(plans_new(&a->limits, &a->plans, NULL), ERR_ok);
    assert_int_equal(question_prepare(a->plans, &a->q, &a->prepared, &a->err), ERR_invalid_query);
    assert_int_equal(a->err.items[0].code, ERR_limit_exceeded);
    assert_non_null(strstr(a->err.items[0].detail, "bytes to compute; the limit is "));
    end(a);
}

/* ---- plans ---- */

static void a_plan_is_found_again(void **state)
{
    struct asking *a = begin_lesson(QUESTION_GRADIENT, 3);
    (void)state;
    ask_of(a, "cost");
    ask_wrt(a, "W1");
    assert_false(question_is_planned(a->plans, &a->q));
    answer(a);
    assert_true(question_is_planned(a->plans, &a->q));
    assert_true(prepared_flops(a->prepared) > 0);
    a->q.trace = true;
    assert_false(question_is_planned(a->plans, &a->q));
    a->q.trace = false;
    a->q.graph_key = "model:2";
    assert_false(question_is_planned(a->plans, &a->q));
    a->q.graph_key = "model:1";
    a->wrt[0].name = "b1";
    assert_false(question_is_planned(a->plans, &a->q));
    a->wrt[0].name = "W1";
    a->q.dtype = DTYPE_FLOAT32;
    assert_false(question_is_planned(a->plans, &a->q));
    a->q.dtype = DTYPE_FLOAT64;
    a->of[0].name = "nothing";
    assert_false(question_is_planned(a->plans, &a->q));
    end(a);
}

/* Runs are counted by the smaller side: one input of many outputs, and many inputs of one output. */
static void a_jacobian_goes_by_the_smaller_side(void **state)
{
    static const struct {
        const char *spec;
        int64_t x, w;
    } sides[] = {
        {"float64 0\ninput x\ninput w 500\nprogram\ny = Exp(x * w)\n", 1, 500},
        {"float64 0\ninput x 500\ninput w\nprogram\ny = ReduceSum(Exp(x * w))\n", 500, 1},
    };
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct asking *a = begin(sides[i].spec, QUESTION_EVALUATE);
        give(a, "x", (struct shape){sides[i].x > 1, {sides[i].x}}, 0.1, 0);
        give(a, "w", (struct shape){sides[i].w > 1, {sides[i].w}}, 0.2, 0);
        ask_of(a, "y");
        answer(a);
        double once = prepared_flops(a->prepared);
        again(a);
        a->q.kind = QUESTION_JACOBIAN;
        ask_wrt(a, "x");
        answer(a);
        assert_true(prepared_flops(a->prepared) < 20 * once);
        const struct tensor *jacobian = a->answer.derivatives[0].tensor;
        assert_int_equal(tensor_elements(jacobian), 500);
        assert_near(tensor_get(jacobian, 499), 0.2 * exp(0.1 * 0.2), 1e-14, 0);
        end(a);
    }
}

static void the_cost_of_questions_is_known_without_asking(void **state)
{
    struct model *m = small_model(lesson);
    struct question_cost one, many;
    (void)state;
    assert_int_equal(question_cost(m, 1, &one, NULL), ERR_ok);
    assert_int_equal(question_cost(m, 1000, &many, NULL), ERR_ok);
    assert_true(one.predict_bytes > 0 && one.gradient_bytes > one.predict_bytes);
    assert_true(many.predict_bytes > 10 * one.predict_bytes && many.gradient_bytes > many.predict_bytes);
    assert_true(many.gradient_flops > many.predict_flops && many.predict_flops > 100 * one.predict_flops);
    m->cost = NODE_NONE;
    assert_int_equal(question_cost(m, 1, &one, NULL), ERR_ok);
    assert_int_equal(one.gradient_bytes, 0);
    assert_true(one.predict_bytes > 0);
    model_free(m);
}

/* ---- the trace ---- */

static void the_trace_is_the_lessons_picture(void **state)
{
    static const char *const names[] = {"X", "y", "W1", "b1", "W2", "b2", "l1", "s1", "out", "cost"};
    struct asking *a = begin_lesson(QUESTION_GRADIENT, 3);
    (void)state;
    ask_of(a, "cost");
    ask_wrt(a, "W1");
    a->q.trace = true;
    answer(a);
    assert_int_equal(a->answer.node_count, 10);
    assert_int_equal(a->answer.backward_count, 10);
    for (size_t i = 0; i < 10; i++) {
        assert_string_equal(a->answer.nodes[i].name, names[i]);
        assert_string_equal(a->answer.backward[i], names[9 - i]);
    }
    const struct trace_node *s1 = &a->answer.nodes[7], *cost = &a->answer.nodes[9];
    assert_string_equal(s1->inputs[0], "l1");
    assert_string_equal(s1->derivatives[0], "g * s1 * (1 - s1)");
    assert_same(tensor_get(cost->gradient, 0), 1);
    assert_same(tensor_get(cost->value, 0), value_of(a, 0, 0));
    for (int64_t i = 0; i < 6; i++)
        assert_same(tensor_get(a->answer.nodes[2].gradient, i), gradient_of(a, "W1", i));
    const struct trace_node *l1 = &a->answer.nodes[6];
    for (int64_t i = 0; i < 9; i++) {
        double s = tensor_get(s1->value, i);
        assert_near(tensor_get(l1->gradient, i), tensor_get(s1->gradient, i) * s * (1 - s), 1e-13, 1e-18);
    }
    end(a);
}

static void a_trace_names_what_has_no_name(void **state)
{
    struct asking *a =
        begin("float64 0\ninput x\ninput _1\nprogram\nf = (x + 1) * _1 + StopGradient(x)\n", QUESTION_GRADIENT);
    (void)state;
    give(a, "x", (struct shape){0}, 2, 0);
    give(a, "_1", (struct shape){0}, 3, 0);
    ask_of(a, "f");
    ask_wrt(a, "x");
    a->q.trace = true;
    answer(a);
    size_t found = 0;
    for (size_t i = 0; i < a->answer.node_count; i++) {
        const struct trace_node *n = &a->answer.nodes[i];
        found += strcmp(n->name, "_1") == 0;
        if (n->node->op == OP_StopGradient) {
            assert_same(tensor_get(n->gradient, 0), 1);
            assert_null(n->derivatives[0]);
        }
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(n->name, a->answer.nodes[k].name);
    }
    assert_int_equal(found, 1);
    assert_same(gradient_of(a, "x", 0), 3);
    end(a);
}

static void only_a_gradient_has_a_trace(void **state)
{
    struct asking *a = begin_lesson(QUESTION_EVALUATE, 3);
    (void)state;
    ask_of(a, "cost");
    a->q.trace = true;
    refuse(a, "conflicting_fields /trace only a gradient has a trace\n");
    end(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_lesson_at_four_and_a_half),
        cmocka_unit_test(several_values_are_evaluated_in_their_order),
        cmocka_unit_test(gradients_are_those_of_differences),
        cmocka_unit_test(a_cotangent_weighs_the_elements),
        cmocka_unit_test(grad_in_a_program_is_expanded),
        cmocka_unit_test(what_of_does_not_depend_on_is_named),
        cmocka_unit_test(a_value_may_be_non_finite),
        cmocka_unit_test(values_are_cast_to_the_questions_dtype),
        cmocka_unit_test(a_cancelled_question_says_so),
        cmocka_unit_test(unknown_and_repeated_names_are_told_at_once),
        cmocka_unit_test(missing_inputs_are_told_and_only_those_needed),
        cmocka_unit_test(shapes_and_batches_must_agree),
        cmocka_unit_test(an_answer_over_a_limit_is_refused_with_figures),
        cmocka_unit_test(a_plan_is_found_again),
        cmocka_unit_test(a_jacobian_goes_by_the_smaller_side),
        cmocka_unit_test(the_cost_of_questions_is_known_without_asking),
        cmocka_unit_test(the_trace_is_the_lessons_picture),
        cmocka_unit_test(a_trace_names_what_has_no_name),
        cmocka_unit_test(only_a_gradient_has_a_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
