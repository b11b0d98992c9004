/* Bodies are read by what is left when arrays are lifted out, and as a whole: the same tensors, bit by bit, or the same
 * mistakes, word by word, on random bodies and hostile ones. */
#include "api/codec_tensor.h"
#include "api/lift.h"
#include "base/rng.h"
#include "base/text.h"
#include "codec_support.h"
#include <stdio.h>
#include <string.h>

/* ---- a body that is an object of tensors by name */

enum { TENSORS_MAX = 64 };

struct tensors {
    enum dtype dtype;
    const struct limits *limits;
    bool lifted; /* of the last reading that succeeded */
    bool leave;  /* takes no tensor, and succeeds all the same */
    struct tensor *tensors[TENSORS_MAX];
    size_t count;
};

static void clear(struct tensors *t)
{
    for (size_t i = 0; i < t->count; i++)
        tensor_free(t->tensors[i]);
    t->count = 0;
}

static void undo(void *context)
{
    clear(context);
}

static err_code read(void *context, const json_t *body, struct lifted *lifted, struct error *err)
{
    struct tensors *t = context;
    struct where root = {0};
    struct error found = {0};
    const char *key;
    json_t *value;
    if (!json_is_object(body))
        mistake(&found, ERR_wrong_type, &root, "this must be an object, not %s", json_kind(body));
    json_object_foreach((json_t *)body, key, value)
    {
        struct where at = {.up = &root, .key = key};
        if (t->count == TENSORS_MAX || t->leave)
            break;
        if (lifted_take(lifted, value, t->dtype, t->limits, &at, &t->tensors[t->count]) ||
            read_tensor(value, t->dtype, t->limits, &at, &t->tensors[t->count], &found))
            t->count++;
    }
    t->lifted = lifted != NULL;
    err_code code = error_close(&found, ERR_invalid_query, "the query");
    error_move(err, &found);
    if (code != ERR_ok)
        clear(t);
    return code;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_errors(const struct error *a, const struct error *b)
{
    bool same =
        a->code == b->code && a->total == b->total && a->item_count == b->item_count && same_text(a->detail, b->detail);
    for (size_t i = 0; same && i < a->item_count; i++) {
        const struct error_item *x = &a->items[i], *y = &b->items[i];
        same = x->code == y->code && same_text(x->pointer, y->pointer) && same_text(x->detail, y->detail) &&
               x->line == y->line && x->column == y->column;
    }
    return same;
}

static bool same_tensors(const struct tensors *a, const struct tensors *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++) {
        const struct tensor *x = a->tensors[i], *y = b->tensors[i];
        same =
            x->dtype == y->dtype && shape_equal(x->shape, y->shape) && memcmp(x->data, y->data, tensor_bytes(x)) == 0;
    }
    return same;
}

/* Reads both ways and holds one against the other. Whether it was lifted from. */
static bool compare_within(const char *bytes, size_t size, enum dtype dtype, const struct limits *limits)
{
    struct tensors by_skeleton = {.dtype = dtype, .limits = limits}, whole = by_skeleton;
    struct error err = {0}, whole_err = {0};
    const struct body_reader reader = {.read = read, .undo = undo, .context = &by_skeleton};
    json_t *body = NULL;
    err_code code = lifted_decode(bytes, size, limits->json_nesting, &reader, &err);
    err_code whole_code = json_read(bytes, size, limits->json_nesting, &body, &whole_err);
    if (whole_code == ERR_ok)
        whole_code = read(&whole, body, NULL, &whole_err);
    bool same = code == whole_code && same_errors(&err, &whole_err) && same_tensors(&by_skeleton, &whole);
    if (!same) {
        fprintf(stderr, "not the same: %.*s\n", (int)size, bytes);
        print_mistakes(&err);
        print_mistakes(&whole_err);
    }
    assert_true(same);
    json_decref(body);
    clear(&by_skeleton);
    clear(&whole);
    error_clear(&err);
    error_clear(&whole_err);
    return code == ERR_ok && by_skeleton.lifted;
}

static bool compare(const char *text, enum dtype dtype)
{
    return compare_within(text, strlen(text), dtype, &test_limits);
}

/* ---- random bodies */

struct random {
    struct rng rng;
    uint64_t next;
};

static uint32_t draw(struct random *r, uint32_t below)
{
    return rng_word(&r->rng, r->next++) % below;
}

static void add_space(struct random *r, struct text *t)
{
    static const char spaces[] = " \n\t\r";
    while (draw(r, 8) == 0)
        text_putc(t, spaces[draw(r, 4)]);
}

/* Any number that JSON knows: short, long, with an exponent or not; seldom one out of range. */
static void add_number(struct random *r, struct text *t)
{
    if (draw(r, 3) == 0)
        text_putc(t, '-');
    uint32_t whole = draw(r, 4) == 0 ? draw(r, 24) : 0;
    text_putc(t, (char)((whole > 0 ? '1' : '0') + (char)draw(r, whole > 0 ? 9 : 1)));
    for (uint32_t i = 1; i < whole; i++)
        text_putc(t, (char)('0' + (char)draw(r, 10)));
    if (draw(r, 5) > 0) {
        text_putc(t, '.');
        for (uint32_t i = draw(r, draw(r, 8) == 0 ? 30 : 18) + 1; i > 0; i--)
            text_putc(t, (char)('0' + (char)draw(r, 10)));
    }
    if (draw(r, 6) == 0)
        text_printf(t, "%c%s%u", draw(r, 2) ? 'e' : 'E',
                    draw(r, 3) == 0 ? "+"
                    : draw(r, 2)    ? "-"
                                    : "",
                    draw(r, draw(r, 40) == 0 ? 400 : 36));
}

static void add_array(struct random *r, struct text *t, const int64_t *sizes, int rank)
{
    add_space(r, t);
    if (rank == 0) {
        add_number(r, t);
        return;
    }
    text_putc(t, '[');
    for (int64_t i = 0; i < sizes[0]; i++) {
        if (i > 0)
            text_putc(t, ',');
        add_array(r, t, sizes + 1, rank - 1);
        add_space(r, t);
    }
    text_putc(t, ']');
}

static void add_tensor(struct random *r, struct text *t)
{
    int64_t sizes[RANK_MAX];
    int rank = (int)draw(r, draw(r, 10) == 0 ? RANK_MAX + 1 : 3);
    int64_t elements = 1;
    for (int i = 0; i < rank; i++) {
        sizes[i] = 1 + draw(r, rank > 3 ? 2 : 12);
        elements *= sizes[i];
    }
    if (draw(r, 6) > 0) {
        add_array(r, t, sizes, rank);
        return;
    }
    text_puts(t, "{\"shape\": [");
    for (int i = 0; i < rank; i++)
        text_printf(t, "%s%lld", i > 0 ? ", " : "", (long long)sizes[i]);
    elements += draw(r, 10) == 0;
    text_puts(t, "], \"data\": ");
    add_array(r, t, &elements, 1);
    text_putc(t, '}');
}

static struct text random_body(struct random *r)
{
    struct text t = {0};
    text_putc(&t, '{');
    for (uint32_t i = 0, count = 1 + draw(r, 4); i < count; i++) {
        text_printf(&t, "%s\"t%u\"", i > 0 ? ", " : "", i);
        add_space(r, &t);
        text_putc(&t, ':');
        add_tensor(r, &t);
    }
    text_puts(&t, "}");
    return t;
}

enum { RANDOM_BODIES = 4000, HOSTILE_BODIES = 20000 };

static void test_random_bodies(void **state)
{
    (void)state;
    struct random r = {.rng = {.seed = 1, .purpose = RNG_INITIAL}};
    int lifted = 0;
    for (int i = 0; i < RANDOM_BODIES; i++) {
        struct text t = random_body(&r);
        lifted += compare(t.data, i % 2 ? DTYPE_FLOAT32 : DTYPE_FLOAT64);
        text_clear(&t);
    }
    assert_true(lifted > RANDOM_BODIES / 2);
}

/* Bytes put in, taken out and changed. */
static void spoil(struct random *r, struct text *t)
{
    static const char *const pieces[] = {"[",
                                         "]",
                                         ",",
                                         ":",
                                         "{",
                                         "}",
                                         "\"",
                                         "\\",
                                         "0",
                                         "-",
                                         "+",
                                         ".",
                                         "e",
                                         " ",
                                         "\n",
                                         "null",
                                         "true",
                                         "1e999",
                                         "1e5",
                                         "\"a\"",
                                         "[]",
                                         "[[",
                                         "]]",
                                         ",,",
                                         "{}",
                                         "\\u",
                                         "\357\267\220",
                                         "\xff",
                                         "NaN",
                                         "0x1",
                                         "-0",
                                         "1.",
                                         ".5",
                                         "01",
                                         "\"\357\267\2200\"",
                                         "[1]",
                                         "9",
                                         "\"b\":",
                                         "//",
                                         "Infinity",
                                         "1e-999"};
    const char *piece = pieces[draw(r, sizeof pieces / sizeof *pieces)];
    struct text changed = {0};
    size_t at = draw(r, (uint32_t)t->length + 1), gone = draw(r, 3);
    if (at + gone > t->length)
        gone = t->length - at;
    text_add(&changed, t->data, at);
    if (draw(r, 4) > 0)
        text_puts(&changed, piece);
    text_add(&changed, t->data + at + gone, t->length - at - gone);
    text_clear(t);
    *t = changed;
}

static void test_hostile_bodies(void **state)
{
    (void)state;
    struct random r = {.rng = {.seed = 2, .purpose = RNG_INITIAL}};
    int lifted = 0;
    for (int i = 0; i < HOSTILE_BODIES; i++) {
        struct text t = random_body(&r);
        for (uint32_t k = draw(&r, 4) + 1; k > 0; k--)
            spoil(&r, &t);
        lifted += compare_within(t.data, t.length, i % 2 ? DTYPE_FLOAT32 : DTYPE_FLOAT64, &test_limits);
        text_clear(&t);
    }
    assert_true(lifted > HOSTILE_BODIES / 100);
}

/* ---- known ones */

#define NINE "1,2,3,4,5,6,7,8,9"

static void test_what_is_lifted(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        ("{\"a\":[" NINE "]}"),
        "{\"a\":[[1]]}",
        "{\"a\":[[[[[[[[1]]]]]]]]}",
        " {\"a\" : [ [ 1 , 2 ] , [ 3 , 4 ] ] , \"b\" : 5, \"c\":[1]}\n",
        ("{\"a\":{\"shape\":[3,3],\"data\":[" NINE "]}}"),
        ("{\"a\":{\"data\":[" NINE "],\"shape\":[9]},\"b\\\"[1\":[[2]]}"),
        "{\"a\":[[-0,0.1,1e5,1E-7,12345678901234567890,1e-400,5e-324,1.7976931348623157e308]]}",
        "{\"a\":[[0.123456789012345678901234567890]]}",
        "{\"\xc3\xa9\":[[9007199254740993, 18446744073709551617]]}",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        assert_true(compare(bodies[i], DTYPE_FLOAT64));
}

static void test_what_is_not(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "",
        "[]",
        "[[1]]",
        "{",
        "{}",
        "{\"a\":[]}",
        "{\"a\":[[],[]]}",
        "{\"a\":[[],[1]]}",
        "{\"a\":[[1],[]]}",
        "{\"a\":[1,2,3]}",
        "{\"a\":[[1,2],[3]]}",
        "{\"a\":[[1],[2],[3,4]]}",
        "{\"a\":[[1],2]}",
        "{\"a\":[1,[2]]}",
        "{\"a\":[[1,null]]}",
        "{\"a\":[[1,\"2\"]]}",
        "{\"a\":[[1,]]}",
        "{\"a\":[[1]}",
        "{\"a\":[[1",
        "{\"a\":[[1]]",
        "{\"a\":[[01]]}",
        ("{\"a\":{\"shape\":[1],\"data\":[[" NINE "]]}}"),
        "{\"a\":[[1e00005]]}",
        "{\"a\":[[1.]]}",
        "{\"a\":[[.5]]}",
        "{\"a\":[[+1]]}",
        "{\"a\":[[-]]}",
        "{\"a\":[[1e]]}",
        "{\"a\":[[1e+]]}",
        "{\"a\":[[1 2]]}",
        "{\"a\":[[1e400]]}",
        "{\"a\":[[-1e400]]}",
        "{\"a\":[[1e99999999999999999999]]}",
        "{\"a\":[[0x1]]}",
        "{\"a\":[[NaN]]}",
        "{\"a\":[[1]],\"a\":[[2]]}",
        "{[[1]]:[[2]]}",
        "{\"a\" [[1]]}",
        "{\"a\":[[1]],}",
        "{\"a\":[[1]]}x",
        "{\"a\":[[[[[[[[[1]]]]]]]]]}",
        "{\"a\":[[1]],\"b\":\"\\ufdd00\"}",
        "{\"a\":[[1]],\"b\":\"\357\267\2200\"}",
        "{\"b\":\"\357\267\2200\",\"a\":\"\357\267\2200\"}",
        "\xef\xbb\xbf{\"a\":[[1]]}",
        "{\"a\":[[1]],\"b\":\"\xff\"}",
        "{\"a\":[[1]],\"b\":{\"c\":[[1]]}}",
        ("{\"a\":{\"shape\":[2,2],\"data\":[" NINE "]}}"),
        ("{\"a\":{\"shape\":[9],\"data\":[" NINE "],\"dtype\":1}}"),
        ("{\"a\":{\"shape\":\"9\",\"data\":[" NINE "]}}"),
        ("{\"a\":{\"shape\":[\"batch\"],\"data\":[" NINE "]}}"),
        ("{\"a\":{\"shape\":[9],\"data\":[[" NINE "]]}}"),
        ("{\"a\":{\"shape\":[" NINE "],\"data\":[" NINE "]}}"),
        ("{\"a\":{\"data\":[" NINE "]}}"),
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        assert_false(compare(bodies[i], DTYPE_FLOAT64));
    assert_false(compare("{\"a\":[[3.5e38]]}", DTYPE_FLOAT32));
    assert_false(compare_within("{\"a\":[[1]]\0}", 12, DTYPE_FLOAT32, &test_limits));
}

static void test_limits_hold(void **state)
{
    (void)state;
    static const char body[] = "{\"a\":[[1,2],[3,4]]}";
    struct limits limits = test_limits;
    limits.rank = 1;
    assert_false(compare_within(body, strlen(body), DTYPE_FLOAT64, &limits));
    limits = test_limits;
    limits.tensor_elements = 3;
    assert_false(compare_within(body, strlen(body), DTYPE_FLOAT64, &limits));
    limits = test_limits;
    limits.json_nesting = 0;
    assert_false(compare_within(body, strlen(body), DTYPE_FLOAT64, &limits));
}

/* What Jansson's values would take is refused, though nobody makes them. */
static void test_memory_is_bounded_alike(void **state)
{
    (void)state;
    enum { NUMBERS = 22000000 };
    char *text = test_malloc(2 * NUMBERS + 16);
    struct tensors t = {.dtype = DTYPE_FLOAT64, .limits = &test_limits};
    const struct body_reader reader = {.read = read, .undo = undo, .context = &t};
    struct error err = {0};
    memcpy(text, "{\"a\":[", 6);
    for (size_t i = 0; i < NUMBERS; i++)
        memcpy(text + 6 + 2 * i, "1,", 2);
    memcpy(text + 5 + 2 * (size_t)NUMBERS, "]}", 2);
    assert_int_equal(lifted_decode(text, 7 + 2 * (size_t)NUMBERS, 64, &reader, &err), ERR_body_too_large);
    error_clear(&err);
    test_free(text);
}

/* Whoever passes over an array reads the whole. */
static void test_all_arrays_must_be_taken(void **state)
{
    (void)state;
    static const char body[] = "{\"a\":[[1]]}";
    struct tensors t = {.dtype = DTYPE_FLOAT64, .limits = &test_limits, .leave = true};
    const struct body_reader reader = {.read = read, .undo = undo, .context = &t};
    assert_int_equal(lifted_decode(body, strlen(body), 64, &reader, NULL), ERR_ok);
    assert_false(t.lifted);
}

/* ---- whole queries: with an escape in a key the same body is not lifted from */

static void print_question(struct text *to, const struct query_request *r)
{
    const struct question *q = &r->question;
    struct json j = {.text = to};
    for (size_t i = 0; i < q->input_count; i++) {
        text_printf(to, "\n%s %s ", q->inputs[i].name, q->inputs[i].place.pointer);
        put_tensor(&j, q->inputs[i].tensor, true);
    }
    for (size_t d = 0; d < q->direction_count; d++) {
        for (size_t i = 0; i < q->directions[d].count; i++) {
            text_printf(to, "\n%zu %s ", d, q->directions[d].tensors[i].name);
            put_tensor(&j, q->directions[d].tensors[i].tensor, true);
        }
    }
    if (q->cotangent)
        put_tensor(&j, q->cotangent, true);
    for (size_t i = 0; i < r->row_count; i++) {
        for (size_t k = 0; k < r->rows[i].count; k++) {
            const struct cell *c = &r->rows[i].cells[k];
            text_printf(to, "\n%zu %s %s", i, c->column, c->label ? c->label : "");
            for (size_t n = 0; n < c->count; n++)
                put_number(&j, c->numbers[n]);
        }
    }
    text_printf(to, "\n%s %lld %lld", r->dataset ? r->dataset : "", (long long)r->range.from, (long long)r->range.to);
}

static void print_decoded(struct text *to, const char *body, enum query_form form)
{
    struct query_request r = {0};
    struct error err = {0};
    err_code code = decode_query_request(body, strlen(body), form, DTYPE_FLOAT32, &test_limits, &r, &err);
    text_printf(to, "%s %s\n", err_name(code), err.detail ? err.detail : "");
    for (size_t i = 0; i < err.item_count; i++)
        text_printf(to, "%s %s %d:%d %s\n", err_name(err.items[i].code),
                    err.items[i].pointer ? err.items[i].pointer : "", err.items[i].line, err.items[i].column,
                    err.items[i].detail);
    if (code == ERR_ok)
        print_question(to, &r);
    query_request_clear(&r);
    error_clear(&err);
}

static void test_queries(void **state)
{
    (void)state;
    /* The first key starts at the second byte, and is an i, v, t, r or d: six bytes for one, and five spaces. */
    static const struct {
        enum query_form form;
        const char *body;
    } cases[] = {
        {FORM_GRADIENT, "inputs\": {\"X\": [[1, 2], [3, 4]], \"y\": [[0.1], [0.2]]}, \"wrt\": [\"W1\", \"X\"]}"},
        {FORM_GRADIENT, "inputs\": {\"X\": [[1, 2], [3]]}}"},
        {FORM_GRADIENT, "inputs\": {\"X\": [[1, 2]], \"y\": [[1, 3.5e38]]}, \"cotangent\": [[1]]}"},
        {FORM_GRADIENT, "inputs\": {\"X\": [[1, 2]]}, \"wrt\": [[1]]}"},
        {FORM_GRADIENT, "inputs\": {\"X\": [[1, 2]]}, \"of\": [[1]], \"dtype\": \"float64\"}"},
        {FORM_GRADIENT, "inputs\": [[1, 2]], \"cotangents\": [[1], [2]]}"},
        {FORM_GRADIENT, "inputs\": {\"X\": [[1, 2]]}, \"cotangents\": [[1], [2]], \"dtype\": \"float64\"}"},
        {FORM_GRADIENT, "inputs\": {\"X\": [[1, 2]]}, \"cotangents\": [[1], [2]], \"unknown\": [[2]]}"},
        {FORM_JVP,
         "tangents\": [{\"X\": [[1, 2]]}, {\"X\": [[3, 4]], \"W\": {\"shape\": [3, 3], \"data\": [" NINE "]}}]}"},
        {FORM_HVP, "vector\": {\"W\": [[1, 2]]}, \"inputs\": {\"X\": [[5]]}}"},
        {FORM_HVP, "vectors\": [{\"W\": [[1, 2]]}, {\"W\": [[1, null]]}]}"},
        {FORM_PREDICT, "rows\": [{\"a\": 1, \"b\": \"c\", \"p\": [" NINE "]}, {\"p\": [[0.1, 0.2]]}]}"},
        {FORM_PREDICT, "rows\": [" NINE "]}"},
        {FORM_PREDICT, "dataset\": \"d\", \"row_range\": [1, 5]}"},
        {FORM_PREDICT, "dataset\": \"d\", \"row_range\": [" NINE "]}"},
        {FORM_PREDICT, "dataset\": [[1]]}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text lifted = {0}, whole = {0}, body = {0};
        text_printf(&body, "{     \"%s", cases[i].body);
        print_decoded(&lifted, body.data, cases[i].form);
        text_clear(&body);
        text_printf(&body, "{\"\\u%04x%s", (unsigned)cases[i].body[0], cases[i].body + 1);
        print_decoded(&whole, body.data, cases[i].form);
        assert_string_equal(lifted.data, whole.data);
        text_clear(&body);
        text_clear(&lifted);
        text_clear(&whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_bodies),
        cmocka_unit_test(test_hostile_bodies),
        cmocka_unit_test(test_what_is_lifted),
        cmocka_unit_test(test_what_is_not),
        cmocka_unit_test(test_limits_hold),
        cmocka_unit_test(test_memory_is_bounded_alike),
        cmocka_unit_test(test_all_arrays_must_be_taken),
        cmocka_unit_test(test_queries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
