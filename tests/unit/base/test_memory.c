/* Arena, text, names, guesses, shapes, tensors. */
#include "support/near.h"

#include "base/arena.h"
#include "base/names.h"
#include "base/size.h"
#include "base/tensor.h"
#include "base/text.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void arena_gives_zeroed_aligned_memory(void **state)
{
    (void)state;
    struct arena *a = arena_new();
    size_t total = 0;
    for (size_t size = 0; size < 3000; size += 7) {
        unsigned char *p = arena_alloc(a, size);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xFF, size);
        total += size;
    }
    unsigned char *large = arena_array(a, 1000, 5000);
    assert_non_null(large);
    large[4999999] = 1;
    assert_string_equal(arena_copy(a, "hello world", 5), "hello");
    assert_true(arena_bytes(a) >= total + 5000000);
    assert_null(arena_array(a, SIZE_MAX / 2, 3));
    assert_null(arena_alloc(a, SIZE_MAX));
    assert_null(arena_copy(a, "", SIZE_MAX));
    arena_free(a);
    arena_free(NULL);
}

static void room_in_a_text(void **state)
{
    (void)state;
    struct text t = {0};
    for (int i = 0; i < 500; i++) {
        char *room = text_room(&t, 3);
        memcpy(room, "abc", 3);
        t.length += 3;
        text_putc(&t, '-');
    }
    assert_int_equal(t.length, 2000);
    for (size_t i = 0; i < 2000; i++)
        assert_int_equal(t.data[i], "abc-"[i % 4]);
    assert_int_equal(t.data[2000], '\0');
    t.failed = true;
    assert_null(text_room(&t, 1));
    text_putc(&t, '!');
    assert_int_equal(t.length, 2000);
    text_clear(&t);
}

static void whole_numbers_as_text(void **state)
{
    (void)state;
    static const int64_t wholes[] = {0, -1, 10, INT64_MAX, INT64_MIN};
    struct text t = {0};
    for (size_t i = 0; i < sizeof wholes / sizeof *wholes; i++) {
        text_whole(&t, wholes[i]);
        text_putc(&t, ' ');
    }
    assert_string_equal(t.data, "0 -1 10 9223372036854775807 -9223372036854775808 ");
    text_clear(&t);
}

static void text_grows(void **state)
{
    (void)state;
    struct text t = {0};
    char *empty = text_take(&t);
    assert_string_equal(empty, "");
    free(empty);
    for (int i = 0; i < 1000; i++)
        text_printf(&t, "%d,", i);
    text_putc(&t, 'x');
    text_add(&t, "y\0z", 3);
    text_puts(&t, "!");
    assert_int_equal(t.length, 3890 + 5);
    assert_memory_equal(t.data, "0,1,2,", 6);
    assert_memory_equal(t.data + t.length - 5, "xy\0z!", 6);
    char *taken = text_take(&t);
    assert_null(t.data);
    free(taken);
    text_puts(&t, "a");
    t.failed = true;
    text_puts(&t, "b");
    assert_int_equal(t.length, 1);
    assert_null(text_take(&t));
    assert_null(t.data);
    text_clear(&t);
}

static void names_are_found(void **state)
{
    (void)state;
    struct names *n = names_new();
    char name[32];
    size_t value = 99;
    assert_false(names_get(n, "a", 1, &value));
    assert_int_equal(value, 99);
    for (size_t i = 0; i < 5000; i++) {
        int length = snprintf(name, sizeof name, "name_%zu", i);
        assert_true(names_put(n, name, (size_t)length, i));
    }
    for (size_t i = 0; i < 5000; i++) {
        int length = snprintf(name, sizeof name, "name_%zu", i);
        assert_true(names_get(n, name, (size_t)length, &value));
        assert_int_equal(value, i);
    }
    assert_true(names_put(n, "name_7", 6, 70));
    assert_true(names_get(n, "name_7777", 6, &value)); /* the length holds */
    assert_int_equal(value, 70);
    assert_false(names_get(n, "Name_7", 6, &value));
    assert_true(names_put(n, "", 0, 1));
    assert_true(names_put(n, "a\0b", 3, 2));
    assert_true(names_get(n, "", 0, &value));
    assert_int_equal(value, 1);
    assert_true(names_get(n, "a\0b", 3, &value));
    assert_int_equal(value, 2);
    assert_false(names_get(n, "a", 1, &value));
    names_free(n);
    names_free(NULL);
}

static const char *guess(const char *name)
{
    static const char *const candidates[] = {"Sigmoid", "Softmax", "Sqrt", "Sin", "x", "LogSoftmax", "Tanh"};
    struct guess g = {.name = name};
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++)
        guess_offer(&g, candidates[i]);
    return g.best;
}

static void guesses_are_near(void **state)
{
    (void)state;
    assert_string_equal(guess("Sigmod"), "Sigmoid");
    assert_string_equal(guess("simgoid"), "Sigmoid"); /* one swap */
    assert_string_equal(guess("SOFTMAX"), "Softmax");
    assert_string_equal(guess("sqr"), "Sqrt");
    assert_string_equal(guess("X"), "x");
    assert_null(guess("y"));
    assert_null(guess("Relu"));
    assert_null(guess(""));
    char name[200];
    memset(name, 'a', sizeof name);
    name[sizeof name - 1] = '\0';
    assert_null(guess(name));
}

static void shapes(void **state)
{
    (void)state;
    char text[SHAPE_TEXT_MAX];
    int64_t count = -5;
    struct shape s = shape_of(3, (int64_t[]){DIM_BATCH, 10, DIM_ANY});
    assert_string_equal(shape_text(s, text), "(batch,10,?)");
    assert_string_equal(shape_text(shape_of(0, NULL), text), "()");
    assert_string_equal(shape_text(shape_of(2, (int64_t[]){3, -10}), text), "(3,10*batch)");
    const int64_t longest[] = {-INT64_MAX, -INT64_MAX, -INT64_MAX, -INT64_MAX,
                               -INT64_MAX, -INT64_MAX, -INT64_MAX, -INT64_MAX};
    assert_int_equal(strlen(shape_text(shape_of(8, longest), text)), 8 * 25 + 7 + 2);
    assert_false(shape_is_concrete(s));
    assert_false(shape_elements(s, &count));
    struct shape bound = shape_bind(s, 4);
    assert_int_equal(bound.dim[0], 4);
    assert_int_equal(bound.dim[1], 10);
    assert_true(bound.dim[2] == DIM_ANY);
    assert_int_equal(shape_bind(shape_of(1, (int64_t[]){-10}), 32).dim[0], 320);
    assert_true(shape_bind(shape_of(1, longest), 32).dim[0] == INT64_MAX);
    assert_true(shape_equal(s, s));
    assert_false(shape_equal(s, bound));
    assert_false(shape_equal(s, shape_of(2, s.dim)));
    assert_true(shape_elements(shape_of(0, NULL), &count));
    assert_int_equal(count, 1);
    assert_true(shape_elements(shape_of(2, (int64_t[]){5, 0}), &count));
    assert_int_equal(count, 0);
    assert_true(shape_elements(shape_of(2, (int64_t[]){1 << 16, 1 << 15}), &count));
    assert_true(count == ELEMENTS_MAX);
    assert_false(shape_elements(shape_of(2, (int64_t[]){1 << 16, 32769}), &count));
    assert_false(shape_elements(shape_of(3, (int64_t[]){INT64_MAX, INT64_MAX, 0}), &count));
    assert_true(count == ELEMENTS_MAX);
}

static void tensors(void **state)
{
    (void)state;
    struct tensor *t = NULL, *cast = NULL;
    struct error err = {0};
    enum dtype dtype = DTYPE_FLOAT64;
    assert_int_equal(tensor_new(DTYPE_FLOAT32, shape_of(2, (int64_t[]){2, 3}), &t, &err), ERR_ok);
    assert_int_equal((uintptr_t)t->data % 64, 0);
    assert_int_equal(tensor_elements(t), 6);
    assert_int_equal(tensor_bytes(t), 24);
    for (int64_t i = 0; i < 6; i++)
        assert_same(tensor_get(t, i), 0);
    tensor_set(t, 4, 0.1);
    tensor_set(t, 5, 1e300);
    assert_same(tensor_get(t, 4), (double)0.1F);
    assert_true(isinf(tensor_get(t, 5)));
    assert_int_equal(tensor_cast(t, DTYPE_FLOAT64, &cast, &err), ERR_ok);
    assert_same(tensor_get(cast, 4), (double)0.1F);
    assert_true(shape_equal(cast->shape, t->shape));
    tensor_free(t);
    tensor_set(cast, 0, -0.1);
    assert_int_equal(tensor_cast(cast, DTYPE_FLOAT64, &t, &err), ERR_ok);
    assert_same(tensor_get(t, 0), -0.1);
    tensor_free(t);
    tensor_free(cast);
    assert_int_equal(tensor_new(DTYPE_FLOAT64, shape_of(1, (int64_t[]){0}), &t, &err), ERR_ok);
    assert_non_null(t->data);
    assert_int_equal(tensor_bytes(t), 0);
    tensor_free(t);
    tensor_free(NULL);
    assert_int_equal(tensor_new(DTYPE_FLOAT64, shape_of(1, (int64_t[]){ELEMENTS_MAX + 1}), &t, &err),
                     ERR_limit_exceeded);
    assert_string_equal(err.detail, "a tensor of shape (2147483649) has too many elements; the limit is 2147483648");
    error_clear(&err);
    assert_true(dtype_find("float32", &dtype));
    assert_int_equal(dtype, DTYPE_FLOAT32);
    assert_false(dtype_find("float16", &dtype));
    assert_string_equal(dtype_name(DTYPE_FLOAT64), "float64");
}

static void sizes_are_checked(void **state)
{
    (void)state;
    size_t size = 0;
    int64_t wide = 0;
    assert_true(size_mul(3, 4, &size));
    assert_int_equal(size, 12);
    assert_false(size_mul(SIZE_MAX, 2, &size));
    assert_false(size_add(SIZE_MAX, 1, &size));
    assert_false(int64_add(INT64_MAX, 1, &wide));
    assert_false(int64_mul(INT64_MIN, -1, &wide));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_gives_zeroed_aligned_memory),
        cmocka_unit_test(text_grows),
        cmocka_unit_test(whole_numbers_as_text),
        cmocka_unit_test(room_in_a_text),
        cmocka_unit_test(names_are_found),
        cmocka_unit_test(guesses_are_near),
        cmocka_unit_test(shapes),
        cmocka_unit_test(tensors),
        cmocka_unit_test(sizes_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
