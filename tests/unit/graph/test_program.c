/* Ops by name, and programs as the `nodes` form builds them, node by node. */
#include "fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void test_finds_ops(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum op op;
    } names[] = {{"MatMul", OP_MatMul},   {"matmul", OP_MatMul}, {"SIGMOID", OP_Sigmoid},    {"sum", OP_ReduceSum},
                 {"Mean", OP_ReduceMean}, {"grad", OP_Grad},     {"ReduceSum", OP_ReduceSum}};
    enum op op;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_true(op_find(names[i].name, strlen(names[i].name), &op));
        assert_int_equal(op, names[i].op);
    }
    for (int i = 0; i < OP_COUNT; i++) {
        assert_true(op_find(op_name((enum op)i), strlen(op_name((enum op)i)), &op));
        assert_int_equal(op, i);
        assert_true(op_least_inputs(op) <= op_most_inputs(op));
    }
    assert_false(op_find("", 0, &op));
    assert_false(op_find("Su", 2, &op));
    assert_false(op_find("Sums", 4, &op));
    assert_true(op_find("Sums", 3, &op));
}

static void test_knows_attributes(void **state)
{
    (void)state;
    bool required;
    struct attribute fallback = {.key = ATTRIBUTE_value};
    assert_true(op_has_attribute(OP_Concat, ATTRIBUTE_axis, &required, NULL));
    assert_true(required);
    assert_true(op_has_attribute(OP_Softmax, ATTRIBUTE_axis, &required, &fallback));
    assert_false(required);
    assert_int_equal(fallback.integer, -1);
    assert_true(op_has_attribute(OP_Dropout, ATTRIBUTE_ratio, &required, &fallback));
    assert_near(fallback.number, 0.5, 0, 0);
    fallback.key = ATTRIBUTE_value;
    assert_true(op_has_attribute(OP_Transpose, ATTRIBUTE_perm, &required, &fallback));
    assert_false(required);
    assert_int_equal(fallback.key, ATTRIBUTE_value); /* not written: there is none */
    assert_false(op_has_attribute(OP_Relu, ATTRIBUTE_axis, NULL, NULL));
    for (int i = 0; i < ATTRIBUTE_COUNT; i++) {
        enum attribute_key key;
        const char *name = attribute_name((enum attribute_key)i);
        assert_true(attribute_find(name, strlen(name), &key));
        assert_int_equal(key, i);
    }
    /* Every word of every list in ops.def is an attribute. */
    struct attribute_spec spec;
    size_t count = 0;
    for (int op = 0; op < OP_COUNT; op++)
        for (size_t i = 0; op_attribute((enum op)op, i, &spec); i++)
            count += op_has_attribute((enum op)op, spec.key, NULL, NULL);
    assert_true(count >= 25);
}

static node_id add(struct program *p, struct program_node node, err_code expected)
{
    node_id id = NODE_NONE;
    struct error err = {0};
    assert_int_equal(program_add(p, &node, &id, &err), expected);
    assert_true((err.total > 0) == (expected != ERR_ok));
    error_clear(&err);
    return id;
}

static void test_adds_nodes(void **state)
{
    (void)state;
    struct program *p = program_new();
    assert_non_null(p);
    char name[] = "x", pointer[] = "/nodes/0";
    int64_t axes[] = {0};
    node_id x = add(p, (struct program_node){.op = OP_Input, .name = name, .place = {pointer, 3, 0}}, ERR_ok);
    struct attribute list = {.key = ATTRIBUTE_axes, .kind = KIND_INTS, .ints = {axes, 1}};
    node_id sum = add(
        p,
        (struct program_node){
            .op = OP_ReduceSum, .name = "s", .inputs = &x, .input_count = 1, .attributes = &list, .attribute_count = 1},
        ERR_ok);
    name[0] = pointer[0] = '?';
    axes[0] = 9;
    /* Everything was copied. */
    assert_string_equal(program_node(p, x)->name, "x");
    assert_string_equal(program_node(p, x)->place.pointer, "/nodes/0");
    assert_int_equal(program_node(p, sum)->attributes[0].ints.items[0], 0);
    assert_int_equal(program_last(p), sum);
    assert_int_equal(program_find(p, "x"), x);
    assert_false(program_is_broken(p));

    /* Mistakes make broken nodes, and reading goes on. */
    node_id twin = add(p, (struct program_node){.op = OP_Input, .name = "x"}, ERR_duplicate_name);
    assert_true(program_node(p, twin)->broken);
    assert_null(program_node(p, twin)->name);
    assert_int_equal(program_find(p, "x"), x);
    assert_true(program_is_broken(p));
    add(p, (struct program_node){.op = OP_Input, .name = "2x"}, ERR_invalid_name);
    add(p, (struct program_node){.op = OP_Input, .name = ""}, ERR_invalid_name);
    add(p, (struct program_node){.op = OP_Input, .name = "a b"}, ERR_invalid_name);
    add(p, (struct program_node){.op = OP_Add, .name = "a", .inputs = &x, .input_count = 1}, ERR_wrong_arity);
    add(p, (struct program_node){.op = OP_Concat, .name = "c", .inputs = &x, .input_count = 1}, ERR_missing_attribute);
    add(p,
        (struct program_node){
            .op = OP_Relu, .name = "r", .inputs = &x, .input_count = 1, .attributes = &list, .attribute_count = 1},
        ERR_unknown_attribute);
    struct attribute twice[] = {list, list};
    add(p,
        (struct program_node){
            .op = OP_ReduceSum, .inputs = &x, .input_count = 1, .attributes = twice, .attribute_count = 2},
        ERR_invalid_attribute);
    assert_int_not_equal(program_find(p, "a"), NODE_NONE);
    program_free(p);
    program_free(NULL);
}

/* What is written may be of another kind than the attribute. */
static void test_converts_attributes(void **state)
{
    (void)state;
    struct program *p = program_new();
    assert_non_null(p);
    node_id x = add(p, (struct program_node){.op = OP_Input, .name = "x"}, ERR_ok);
    static const struct {
        enum op op;
        struct attribute given;
        err_code code;
    } cases[] = {
        {OP_Dropout, {.key = ATTRIBUTE_ratio, .kind = KIND_INT, .integer = 0}, ERR_ok},
        {OP_Dropout, {.key = ATTRIBUTE_ratio, .kind = KIND_FLOAT, .number = NAN}, ERR_invalid_attribute},
        {OP_Dropout, {.key = ATTRIBUTE_ratio, .kind = KIND_STRING, .string = "half"}, ERR_invalid_attribute},
        {OP_ReduceSum, {.key = ATTRIBUTE_axes, .kind = KIND_INT, .integer = 0}, ERR_ok},
        {OP_ReduceSum, {.key = ATTRIBUTE_axes, .kind = KIND_FLOAT, .number = 0}, ERR_invalid_attribute},
        {OP_ReduceSum, {.key = ATTRIBUTE_keepdims, .kind = KIND_INT, .integer = 1}, ERR_ok},
        {OP_ReduceSum, {.key = ATTRIBUTE_keepdims, .kind = KIND_INT, .integer = 2}, ERR_invalid_attribute},
        {OP_ReduceSum, {.key = ATTRIBUTE_keepdims, .kind = KIND_BOOL, .integer = 1}, ERR_ok},
        {OP_Softmax, {.key = ATTRIBUTE_axis, .kind = KIND_BOOL, .integer = 1}, ERR_invalid_attribute},
        {OP_Softmax, {.key = ATTRIBUTE_axis, .kind = KIND_FLOAT, .number = 1}, ERR_invalid_attribute},
        {OP_Constant, {.key = ATTRIBUTE_value, .kind = KIND_INT, .integer = 3}, ERR_ok},
        {OP_Constant, {.key = ATTRIBUTE_value, .kind = KIND_FLOAT, .number = INFINITY}, ERR_invalid_attribute},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool is_leaf = cases[i].op == OP_Constant;
        node_id id = add(p,
                         (struct program_node){.op = cases[i].op,
                                               .inputs = is_leaf ? NULL : &x,
                                               .input_count = is_leaf ? 0 : 1,
                                               .attributes = &cases[i].given,
                                               .attribute_count = 1},
                         cases[i].code);
        if (cases[i].code == ERR_ok)
            assert_int_equal(program_node(p, id)->attributes[0].kind, attribute_kind_of(cases[i].given.key));
    }
    program_free(p);
}

static void test_names_nodes_later(void **state)
{
    (void)state;
    struct program *p = program_new();
    assert_non_null(p);
    node_id x = add(p, (struct program_node){.op = OP_Input, .name = "x"}, ERR_ok);
    node_id y = add(p, (struct program_node){.op = OP_Exp, .inputs = &x, .input_count = 1}, ERR_ok);
    assert_int_equal(program_last(p), x);
    assert_int_equal(program_set_name(p, y, "y", (struct place){0}, NULL), ERR_ok);
    assert_int_equal(program_last(p), y);
    node_id z = add(p, (struct program_node){.op = OP_Exp, .inputs = &x, .input_count = 1}, ERR_ok);
    assert_int_equal(program_set_name(p, z, "y", (struct place){0}, NULL), ERR_duplicate_name);
    assert_true(program_node(p, z)->broken);
    program_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_ops),         cmocka_unit_test(test_knows_attributes),
        cmocka_unit_test(test_adds_nodes),        cmocka_unit_test(test_converts_attributes),
        cmocka_unit_test(test_names_nodes_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
