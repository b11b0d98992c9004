/* The notation: what is read, and what is said of mistakes. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- programs that are right: the node named last, in prefix form */

static const struct {
    const char *text, *prefix;
} formulas[] = {
    /* precedence and direction */
    {"f = a + b * c", "(Add a (Mul b c))"},
    {"f = (a + b) * c", "(Mul (Add a b) c)"},
    {"f = a - b - c", "(Sub (Sub a b) c)"},
    {"f = A / B * C @ D", "(MatMul (Mul (Div A B) C) D)"},
    {"f = -x^2", "(Neg (Pow x (Constant value=2)))"},
    {"f = (-x)^2", "(Pow (Neg x) (Constant value=2))"},
    {"f = a^b^c", "(Pow a (Pow b c))"},
    {"f = a**b", "(Pow a b)"},
    {"f = 2^-x", "(Pow (Constant value=2) (Neg x))"},
    {"f = -2*x", "(Mul (Neg (Constant value=2)) x)"},
    {"f = a - -b", "(Sub a (Neg b))"},
    {"f = -(-x)", "(Neg (Neg x))"},
    /* numbers */
    {"f = .5", "(Constant value=0.5)"},
    {"f = 1.", "(Constant value=1)"},
    {"f = 2.5E+1", "(Constant value=25)"},
    {"f = 1e-400", "(Constant value=0)"},
    {"f = 0x", NULL},
    /* names */
    {"a = x; f = a", "(Identity a)"},
    {"f = (x)", "(Identity x)"},
    {"f = Sigmoid + relu", "(Add Sigmoid relu)"},
    {"X = 1; x = 2; f = X - x", "(Sub X x)"},
    {"a = 1; a, f = x, 2", NULL},
    {"a, b = x, 2; f = a - b", "(Sub a b)"},
    {"Linear = 3; f = Linear * 2", "(Mul Linear (Constant value=2))"},
    {"grad = x; f = grad", "(Identity grad)"},
    {"_x1 = 1; f = _x1", "(Identity _x1)"},
    /* ops: any case, aliases, arithmetic by name */
    {"f = SIGMOID(x)", "(Sigmoid x)"},
    {"f = sum(x)", "(ReduceSum x axes= keepdims=0)"},
    {"f = Mean(x)", "(ReduceMean x axes= keepdims=0)"},
    {"y = x^2; f = GRAD(y, x)", "(Grad y x)"},
    {"y = x^2; g = grad(y, x); f = grad(g, x)", "(Grad g x)"},
    {"f = grad(x^3, x)", "(Grad (Pow x (Constant value=3)) x)"},
    {"f = Add(a, Pow(x, 3))", "(Add a (Pow x (Constant value=3)))"},
    {"f = Where(a > b, a, b)", NULL},
    {"f = Where(Less(a, b), a, b)", "(Where (Less a b) a b)"},
    /* attributes */
    {"f = Dropout(x, ratio=.25)", "(Dropout x ratio=0.25 ordinal=0)"},
    {"f = Dropout(x, ratio=0)", "(Dropout x ratio=0 ordinal=0)"},
    {"f = Dropout(Dropout(x))", "(Dropout (Dropout x ratio=0.5 ordinal=0) ratio=0.5 ordinal=1)"},
    {"f = Dropout(x, ordinal=7)", "(Dropout x ratio=0.5 ordinal=7)"},
    {"f = Reshape(x, shape=[1, 1])", "(Reshape x shape=1,1)"},
    {"f = Reshape(x, shape=1)", "(Reshape x shape=1)"},
    {"f = Reshape(x, shape=[])", "(Reshape x shape=)"},
    {"f = Sum(Reshape(x, shape=[1, 1]), axes=-1, keepdims=true)",
     "(ReduceSum (Reshape x shape=1,1) axes=1 keepdims=1)"},
    {"f = Sum(x, keepdims=1)", "(ReduceSum x axes= keepdims=1)"},
    {"f = Sum(keepdims=false, x)", "(ReduceSum x axes= keepdims=0)"},
    {"f = Constant(value=3)", "(Constant value=3)"},
    {"f = Constant(value=-0)", "(Constant value=-0)"},
    {"f = Constant(value=[1, -2.5])", "(Constant value=(2)1,-2.5)"},
    {"f = Constant(value=[[1, 2], [3, +4]])", "(Constant value=(2,2)1,2,3,4)"},
    {"f = Constant(value=[])", "(Constant value=(0))"},
    {"f = Constant(value=[[], []])", "(Constant value=(2,0))"},
    {"f = Slice(Constant(value=[1,2,3]), starts=[-9223372036854775808], ends=[9223372036854775807])",
     "(Slice (Constant value=(3)1,2,3) starts=0 ends=3 axes=0 steps=1)"},
    /* lines, blanks, comments */
    {"# nothing\n\n  ;; f = x # f = y\n#", "(Identity x)"},
    {"a = 1\r\nb = a\rf = a + b\r\n", "(Add a b)"},
    {"f = (a\n + b # inside\n\n) * Sum(\n c,\n axes=[\n]\n)", "(Mul (Add a b) (ReduceSum c axes= keepdims=0))"},
    {"\tf\t=\tx\t", "(Identity x)"},
    {"a, f = x * 2, x * 3", "(Mul x (Constant value=3))"},
    {"x = Input(); f = x", "(Identity x)"},
    {"axis = 2; f = axis", "(Identity axis)"},
};

/* Every name that is free is a scalar; a capital letter is a matrix of one element. */
static struct graph *scalar_graph(const char *text, char **ret_errors)
{
    struct program *p = NULL;
    struct graph *g = NULL;
    struct error err = {0};
    struct named_shape known[16];
    size_t count = 0;
    if (notation_parse(text, strlen(text), &(struct notation_options){.pointer = "/program"}, &p, &err) == ERR_ok) {
        for (size_t i = 0; i < program_size(p) && count < 16; i++)
            if (program_node(p, (node_id)i)->op == OP_Input) {
                const char *name = program_node(p, (node_id)i)->name;
                bool is_matrix = *name >= 'A' && *name <= 'Z' && name[1] == '\0';
                known[count++] = (struct named_shape){.name = name, .shape = {is_matrix ? 2 : 0, {1, 1}}};
            }
        graph_build(p, known, count, 1000, &g, &err);
    }
    *ret_errors = fixture_errors(&err);
    error_clear(&err);
    program_free(p);
    return g;
}

static void test_reads_formulas(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof formulas / sizeof *formulas; i++) {
        char *errors;
        struct graph *g = scalar_graph(formulas[i].text, &errors);
        if (!formulas[i].prefix) {
            assert_null(g);
            free(errors);
            continue;
        }
        if (!g)
            fail_msg("%s\n%s", formulas[i].text, errors);
        char *prefix = fixture_prefix(g, graph_find(g, "f"));
        if (strcmp(prefix, formulas[i].prefix) != 0)
            fail_msg("%s\nis     %s\nnot    %s", formulas[i].text, prefix, formulas[i].prefix);
        free(prefix);
        free(errors);
        graph_free(g);
    }
}

/* ---- mistakes */

static const struct {
    const char *text, *errors;
} mistakes[] = {
    {"f = Sigmod(x)", "unknown_op 1:5 no op 'Sigmod'; did you mean 'Sigmoid'?\n"},
    {"f = Zzyzxqqq(x)", "unknown_op 1:5 no op 'Zzyzxqqq'\n"},
    {"x = 1; f = x (2)", "unknown_op 1:12 no op 'x', it is a name; is a '*' missing?\n"},
    {"f = 2x", "syntax_error 1:6 unexpected 'x' after '2'\n"},
    {"f = 1.5.2", "syntax_error 1:8 unexpected '.2' after '1.5'\n"},
    {"f = (a + b", "syntax_error 1:11 expected ')' after 'b'\n"},
    {"f = (a + b\n", "syntax_error 1:11 expected ')' after 'b'\n"},
    {"f = a + b)", "syntax_error 1:10 unexpected ')' after 'b'\n"},
    {"f = Sum(a b)", "syntax_error 1:11 expected ',' or ')' after 'a', not 'b'\n"},
    {"f = Sum(a,)", "syntax_error 1:11 expected an expression after ',', not ')'\n"},
    {"f =", "syntax_error 1:4 expected an expression after '='\n"},
    {"f = \ng = 1", "syntax_error 1:5 expected an expression after '=', not the end of the line\n"},
    {"f = a +; g = b", "syntax_error 1:8 expected an expression after '+', not ';'\n"},
    {"f = --x", "syntax_error 1:6 expected an expression after '-', not '-'\n"},
    {"Sigmoid(x)", "syntax_error 1:8 expected '=' after 'Sigmoid', not '('\n"},
    {"3 = x", "syntax_error 1:1 expected a name, not '3'\n"},
    {"a, 2 = x", "syntax_error 1:4 expected a name after ',', not '2'\n"},
    {"a, b = x", "syntax_error 1:1 2 names, but 1 expression\n"},
    {"a = x, y", "syntax_error 1:1 1 name, but 2 expressions\n"},
    {"a = b = c", "syntax_error 1:7 unexpected '=' after 'b'\n"},
    {"f = x $ 2", "syntax_error 1:7 unexpected '$' after 'x'\n"},
    {"f = 'abc", "syntax_error 1:5 a string without its closing quote\n"},
    {"f = \"abc\"", "syntax_error 1:5 expected an expression after '=', not a string\n"},
    {"f = x \xC3\xA9 2", "syntax_error 1:7 unexpected a strange character (byte 0xC3) after 'x'\n"},
    {"# \xC3\xA9\xC3\xA9\nf = '\xC3\xA9' $", "syntax_error 2:5 expected an expression after '=', not a string\n"},
    {"f = Sum(x, axes='\xC3\xA9', $)", "invalid_attribute 1:17 ReduceSum: axes= takes a list of integers\n"
                                       "syntax_error 1:22 expected an expression after ',', not '$'\n"},
    {"f = 1e999", "out_of_range 1:5 the number is beyond the range of double\n"},
    {"f = Dropout(x, ratio=1e999)", "out_of_range 1:22 the number is beyond the range of double\n"},
    /* names */
    {"a = 1\nb = 2\na = 3", "duplicate_name 3:1 'a' was assigned before, on line 1\n"},
    {"a, a = 1, 2", "duplicate_name 1:4 'a' was assigned before, on line 1\n"},
    {"x = Input()\nx = Input()", "duplicate_name 2:1 'x' was assigned before, on line 1\n"},
    {"f = g * 2\ng = x", "unknown_name 1:5 'g' is assigned later, on line 2\n"},
    {"f = f + 1", "unknown_name 1:5 'f' is what this line assigns, so the line can't use it\n"},
    {"a, b = b, a", "unknown_name 1:8 'b' is what this line assigns, so the line can't use it\n"
                    "unknown_name 1:11 'a' is what this line assigns, so the line can't use it\n"},
    {"f = Input() + 1", "invalid_name 1:5 an Input() needs a line of its own, and a name: x = Input()\n"},
    /* arity and attributes */
    {"f = Linear(x)", "wrong_arity 1:5 Linear takes 2 to 3 inputs, not 1\n"},
    {"f = Sigmoid()", "wrong_arity 1:5 Sigmoid takes 1 input, not 0\n"},
    {"f = Concat(axis=0)", "wrong_arity 1:5 Concat takes at least 1 input, not 0\n"},
    {"x = Input(3)", "wrong_arity 1:5 Input takes no inputs, not 1\n"},
    {"f = Concat(x)", "missing_attribute 1:5 Concat needs axis=, an integer\n"},
    {"f = Sum(x, axis=1)", "unknown_attribute 1:12 ReduceSum has no attribute 'axis'\n"},
    {"f = Sum(x, colour=1)", "unknown_attribute 1:12 ReduceSum has no attribute 'colour'\n"},
    {"f = Sum(x, axes=1, axes=2)", "invalid_attribute 1:20 'axes' is given twice\n"},
    {"f = Sum(x, axes=1.5)", "invalid_attribute 1:17 ReduceSum: axes= takes a list of integers\n"},
    {"f = Sum(x, axes=[1, 2.5])", "invalid_attribute 1:17 ReduceSum: axes= takes a list of integers\n"},
    {"f = Sum(x, keepdims=2)", "invalid_attribute 1:21 ReduceSum: keepdims= takes true or false\n"},
    {"f = Softmax(x, axis=true)", "invalid_attribute 1:21 Softmax: axis= takes an integer\n"},
    {"f = Softmax(x, axis=9223372036854775808)", "invalid_attribute 1:21 Softmax: axis= takes an integer\n"},
    {"f = Softmax(x, axis=y)",
     "syntax_error 1:21 expected a number, a string, a list, true or false after '=', not 'y'\n"},
    {"f = Constant(value=[[1], 2])", "invalid_attribute 1:20 the lists inside the list are of different lengths\n"},
    {"f = Constant(value=[[1], [2, 3]])",
     "invalid_attribute 1:20 the lists inside the list are of different lengths\n"},
    {"f = Constant(value=[[], [2]])", "invalid_attribute 1:20 the lists inside the list are of different lengths\n"},
    {"f = Constant(value=[1, ])", "syntax_error 1:24 expected a number after ',', not ']'\n"},
    {"f = Constant(value=[1 2])", "syntax_error 1:23 expected ',' or ']' after '1', not '2'\n"},
    {"f = Constant(value=[[[[[[[[[1]]]]]]]]])",
     "rank_too_large 1:28 lists are nested deeper than 8, the most dimensions of a tensor\n"},
    {"y = x; f = grad(y, x + 1)",
     "invalid_value 1:22 grad(y, x) is with respect to a name: give x a name on a line before\n"},
    {"y = x; f = grad(y)", "wrong_arity 1:12 Grad takes 2 inputs, not 1\n"},
    /* all at once; what follows a mistake is no mistake */
    {"a = Sigmod(x\nb = 2 +\nc = a * b\nd = Rellu(c)",
     "unknown_op 1:5 no op 'Sigmod'; did you mean 'Sigmoid'?\n"
     "syntax_error 1:13 expected ',' or ')' after 'x'\n"
     "syntax_error 2:8 expected an expression after '+', not the end of the line\n"
     "unknown_op 4:5 no op 'Rellu'; did you mean 'Relu'?\n"},
    {"f = Linear(a b,\n  W1,\n  b1)\ng = Foo(1)",
     "syntax_error 1:14 expected ',' or ')' after 'a', not 'b'\nunknown_op 4:5 no op 'Foo'\n"},
};

static void test_tells_mistakes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        struct program *p = NULL;
        struct error err = {0};
        struct notation_options options = {.pointer = "/program"};
        err_code code = notation_parse(mistakes[i].text, strlen(mistakes[i].text), &options, &p, &err);
        char *errors = fixture_errors(&err);
        if (strcmp(errors, mistakes[i].errors) != 0)
            fail_msg("%s\ngives  %snot    %s", mistakes[i].text, errors, mistakes[i].errors);
        assert_null(p);
        assert_int_equal(code, err.items[0].code);
        assert_string_equal(err.items[0].pointer, "/program");
        free(errors);
        error_clear(&err);
        /* The code is the same for a caller who does not want to know more. */
        assert_int_equal(notation_parse(mistakes[i].text, strlen(mistakes[i].text), &options, &p, NULL), code);
    }
}

/* ---- names that a model lists */

static void test_knows_the_listed_names(void **state)
{
    (void)state;
    const char *const names[] = {"X", "weights"};
    struct notation_options options = {.names = names, .name_count = 2};
    struct program *p = NULL;
    struct error err = {0};
    const char *right = "f = X * weights", *wrong = "f = X * wieghts\ng = wieghts + q\nh = ff";
    assert_int_equal(notation_parse(right, strlen(right), &options, &p, &err), ERR_ok);
    program_free(p);
    p = NULL;
    assert_int_equal(notation_parse(wrong, strlen(wrong), &options, &p, &err), ERR_unknown_name);
    char *errors = fixture_errors(&err);
    assert_string_equal(errors, "unknown_name 1:9 no name 'wieghts'; did you mean 'weights'?\n"
                                "unknown_name 2:15 no name 'q': it is neither assigned nor listed\n"
                                "unknown_name 3:5 no name 'ff'; did you mean 'f'?\n");
    free(errors);
    error_clear(&err);
}

static void test_last_is_the_name_assigned_last(void **state)
{
    (void)state;
    struct program *p = fixture_program("a = 2\nb, c = a * x, x\n");
    assert_string_equal(program_node(p, program_last(p))->name, "c");
    assert_string_equal(program_node(p, program_find(p, "x"))->name, "x");
    assert_int_equal(program_find(p, "nothing"), NODE_NONE);
    program_free(p);
    p = fixture_program("# nothing\n");
    assert_int_equal(program_last(p), NODE_NONE);
    program_free(p);
}

static void test_keeps_places(void **state)
{
    (void)state;
    struct program *p = fixture_program("f = Linear(X,\n    W) @ X");
    const struct program_node *product = program_node(p, program_find(p, "f"));
    const struct program_node *linear = program_node(p, product->inputs[0]);
    assert_int_equal(product->place.line, 2);
    assert_int_equal(product->place.column, 8);
    assert_int_equal(linear->place.line, 1);
    assert_int_equal(linear->place.column, 5);
    assert_int_equal(linear->input_places[1].line, 2);
    assert_int_equal(linear->input_places[1].column, 5);
    program_free(p);
}

/* ---- limits and hostile texts */

static char *repeat(const char *head, const char *part, size_t count, const char *tail)
{
    struct text t = {0};
    text_puts(&t, head);
    for (size_t i = 0; i < count; i++)
        text_puts(&t, part);
    text_puts(&t, tail);
    return text_take(&t);
}

static err_code parse_repeated(const char *head, const char *part, size_t count, const char *tail)
{
    char *text = repeat(head, part, count, tail);
    struct program *p = NULL;
    struct error err = {0};
    err_code code = notation_parse(text, strlen(text), NULL, &p, &err);
    program_free(p);
    error_clear(&err);
    free(text);
    return code;
}

static void test_bounds_nesting(void **state)
{
    (void)state;
    char *right = repeat("f = ", "(", 256, "x"), *closed = repeat(right, ")", 256, "");
    struct program *p = NULL;
    assert_int_equal(notation_parse(closed, strlen(closed), NULL, &p, NULL), ERR_ok);
    program_free(p);
    free(right);
    free(closed);
    assert_int_equal(parse_repeated("f = x", "^2", 256, ""), ERR_ok);
    assert_int_equal(parse_repeated("f = x", "^2", 257, ""), ERR_limit_exceeded);
    assert_int_equal(parse_repeated("f = x", "^-2", 10000, ""), ERR_limit_exceeded);
    assert_int_equal(parse_repeated("f = ", "(", 10000, "x"), ERR_limit_exceeded);
    assert_int_equal(parse_repeated("f = ", "exp(", 10000, "x"), ERR_limit_exceeded);
    assert_int_equal(parse_repeated("f = ", "-", 10000, "x"), ERR_syntax_error);
    assert_int_equal(parse_repeated("f = ", "-(", 10000, "x"), ERR_limit_exceeded);
    assert_int_equal(parse_repeated("f = Constant(value=", "[", 10000, ")"), ERR_rank_too_large);
    assert_int_equal(parse_repeated("f = x", " + x", 100000, ""), ERR_ok);
}

static void test_bounds_names_and_length(void **state)
{
    (void)state;
    struct text t = {0};
    for (int i = 0; i < 10000; i++)
        text_printf(&t, "n%d = 1\n", i);
    struct program *p = NULL;
    struct error err = {0};
    assert_int_equal(notation_parse(t.data, t.length, NULL, &p, &err), ERR_ok);
    program_free(p);
    p = NULL;
    text_puts(&t, "f = x");
    assert_int_equal(notation_parse(t.data, t.length, NULL, &p, &err), ERR_limit_exceeded);
    assert_int_equal(err.total, 1);
    assert_int_equal(err.items[0].line, 10001);
    error_clear(&err);
    text_clear(&t);
    assert_int_equal(parse_repeated("f = x #", " ", 1 << 20, ""), ERR_limit_exceeded);
    struct notation_options options = {.names_max = 2};
    assert_int_equal(notation_parse("a = 1; b = 2; c = 3", 19, &options, &p, NULL), ERR_limit_exceeded);
}

/* A megabyte of mistakes of one kind after the other: what is counted is that it ends. */
static void test_survives_long_texts(void **state)
{
    (void)state;
    enum { LENGTH = 1000000 };
    static const char *const parts[] = {"\n",
                                        "a",
                                        "a,",
                                        "a=",
                                        "a=b\n",
                                        "f=q(",
                                        "a=Sum(x,axes=1,",
                                        "[",
                                        ")\n",
                                        "a b\n",
                                        "f(x",
                                        "=",
                                        ",",
                                        "9",
                                        "1e9",
                                        "'",
                                        "#",
                                        ";",
                                        "\xFF",
                                        "\xC3",
                                        "a=(",
                                        "@",
                                        "a=b,",
                                        "x=[1,",
                                        "z=Zed(y)\n",
                                        "f = g\n",
                                        "x=Constant(value=[1,2,3"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        (void)parse_repeated("", parts[i], LENGTH / strlen(parts[i]), "");
}

/* Random sequences of words: no crash, and either a program or an error that stands inside the text. */
static void test_survives_garbage(void **state)
{
    (void)state;
    static const char *const words[] = {
        "x",       "y",    "W1",       "=",     "=",      "\n",       ";",      "(",   ")",   ",",    "+",
        "-",       "*",    "/",        "@",     "^",      "**",       "2",      ".5",  "1e3", "[",    "]",
        "Linear(", "Sum(", "grad(",    "axes=", "shape=", "value=",   "[1",     "'s'", "#",   "true", "Input()",
        "\r\n",    "\t",   "\xC3\xA9", "\x01",  "Relu",   "Dropout(", "ratio=", "$",   "\""};
    uint64_t random = 20;
    for (int round = 0; round < 20000; round++) {
        struct text t = {0};
        size_t count = 1 + fixture_random(&random) % 40;
        for (size_t i = 0; i < count; i++) {
            text_puts(&t, words[fixture_random(&random) % (sizeof words / sizeof *words)]);
            if (fixture_random(&random) % 4 == 0)
                text_putc(&t, ' ');
        }
        struct program *p = NULL;
        struct error err = {0};
        struct notation_options options = {.tolerant = round % 2 == 0};
        err_code code = notation_parse(t.data, t.length, &options, &p, &err);
        assert_true((code == ERR_ok) == (err.total == 0));
        assert_true(p ? program_is_broken(p) == (code != ERR_ok) : code != ERR_ok);
        for (size_t i = 0; i < err.item_count; i++) {
            assert_true(err.items[i].line >= 1 && err.items[i].column >= 1);
            assert_true((size_t)err.items[i].line <= t.length + 1 && (size_t)err.items[i].column <= t.length + 1);
        }
        program_free(p);
        error_clear(&err);
        text_clear(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_formulas),
        cmocka_unit_test(test_tells_mistakes),
        cmocka_unit_test(test_knows_the_listed_names),
        cmocka_unit_test(test_last_is_the_name_assigned_last),
        cmocka_unit_test(test_keeps_places),
        cmocka_unit_test(test_bounds_nesting),
        cmocka_unit_test(test_bounds_names_and_length),
        cmocka_unit_test(test_survives_long_texts),
        cmocka_unit_test(test_survives_garbage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
