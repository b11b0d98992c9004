#include "api/lift.h"
#include "api/codec_tensor.h"
#include "base/number.h"
#include "base/size.h"
#include "base/text.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A mark is a noncharacter of Unicode (U+FDD0) and the array's number. Every character from U+F000 to U+FFFF starts
 * with the same byte: a text that has one in a string, or an escape that could be one, is not lifted from. */
#define MARK "\xef\xb7\x90"
enum { MARK_BYTE = 0xef, MARK_LENGTH = 3 };

/* Short arrays stay where they are: shapes, ranges of rows. */
enum { STAYING = RANK_MAX };

struct lifted_array {
    struct shape shape;
    size_t first; /* of its numbers, row-major */
    size_t count;
    bool taken;
};

struct lifted {
    struct text skeleton;
    double *numbers; /* owned; of all arrays, each rounded once */
    size_t number_count, number_room;
    struct lifted_array *arrays; /* owned; in the order of the text */
    size_t array_count, array_room;
    int64_t memory; /* bytes that Jansson's values would have taken for them */
};

enum { EXACT_DIGITS = 19, EXACT_POWER = 22 };

/* ---- one number ---- */

static bool is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

/* The digits at the start of eight bytes, in one word, side by side: how many there are, and what they are worth. */
static int scan_eight(const char *text, uint64_t *ret)
{
    uint64_t word;
    memcpy(&word, text, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    /* A byte is a digit if its upper half is 3, and still is when 6 is added. The first that is not is right whatever
     * the addition carries beyond it. */
    const uint64_t upper = UINT64_C(0xf0f0f0f0f0f0f0f0), threes = UINT64_C(0x3030303030303030);
    uint64_t others = ((word & upper) ^ threes) | (((word + UINT64_C(0x0606060606060606)) & upper) ^ threes);
    int count = others == 0 ? 8 : __builtin_ctzll(others) / 8;
    /* With zeros before them they are eight: pairs, fours, and the whole. (Twice half of the shift: it may be 64.) */
    int half = 4 * (8 - count);
    word = (word & UINT64_C(0x0f0f0f0f0f0f0f0f)) << half << half;
    word = word * 10 + (word >> 8);
    *ret = ((word & UINT64_C(0x000000ff000000ff)) * UINT64_C(0x000f424000000064) +
            (word >> 16 & UINT64_C(0x000000ff000000ff)) * UINT64_C(0x0000271000000001)) >>
           32;
    return count;
}

static const char *scan_digits(const char *at, const char *end, uint64_t *mantissa)
{
    for (; at < end && is_digit(*at); at++)
        *mantissa = *mantissa * 10 + (uint64_t)(*at - '0');
    return at;
}

/* The digits after a point: most have seven to nine, so sixteen bytes are looked at without asking whether the first
 * eight were digits, which nobody could predict. */
static const char *scan_fraction(const char *at, const char *end, uint64_t *mantissa)
{
    static const uint64_t power10[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
    if (end - at < 16)
        return scan_digits(at, end, mantissa);
    uint64_t first, second;
    int first_count = scan_eight(at, &first), second_count = scan_eight(at + 8, &second);
    uint64_t whole = first_count == 8 ? UINT64_MAX : 0;
    second &= whole;
    second_count &= (int)whole;
    *mantissa = (*mantissa * power10[first_count] + first) * power10[second_count] + second;
    at += first_count + second_count;
    return second_count == 8 ? scan_digits(at, end, mantissa) : at;
}

/* Past "e-12", whose exponent is added; NULL: it is not one. Of four digits at most. */
static const char *scan_exponent(const char *at, const char *end, int *exponent)
{
    bool negative = false;
    at++;
    if (at < end && (*at == '+' || *at == '-'))
        negative = *at++ == '-';
    const char *first = at;
    int value = 0;
    for (; at < end && is_digit(*at) && at - first < 4; at++)
        value = value * 10 + (*at - '0');
    if (at == first)
        return NULL;
    *exponent += negative ? -value : value;
    return at;
}

/* Past a number as JSON has them, at `at`; NULL: there is none, or it is not finite. As number_scan, but quicker for
 * what most numbers are: up to 2^53 times a power of ten that is an exact double, so that one product or quotient is
 * rounded right. */
static const char *scan_number(const char *at, const char *end, double *ret)
{
    static const double power10[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                     1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    const char *start = at;
    bool negative = *at == '-';
    at += negative;
    const char *whole = at;
    uint64_t mantissa = 0;
    int exponent = 0;
    at = scan_digits(at, end, &mantissa);
    if (at == whole || (*whole == '0' && at - whole > 1))
        return NULL;
    ptrdiff_t digits = at - whole;
    if (at < end && *at == '.') {
        const char *fraction = ++at;
        at = scan_fraction(at, end, &mantissa);
        if (at == fraction)
            return NULL;
        digits += at - fraction;
        exponent = (int)(fraction - at);
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at = scan_exponent(at, end, &exponent);
        if (!at)
            return NULL;
    }
    if (digits <= EXACT_DIGITS && mantissa <= UINT64_C(1) << 53 && exponent >= -EXACT_POWER &&
        exponent <= EXACT_POWER) {
        double value = (double)mantissa;
        value = exponent < 0 ? value / power10[-exponent] : value * power10[exponent];
        static const double signs[] = {1, -1};
        *ret = value * signs[negative];
        return at;
    }
    size_t length = (size_t)(at - start);
    return number_scan(start, length, ret) == length && isfinite(*ret) ? at : NULL;
}

/* ---- one array ---- */

static bool add_number(struct lifted *l, double value)
{
    if (l->number_count == l->number_room) {
        size_t room;
        double *numbers = size_mul(l->number_room, 2, &room) ? reallocarray(l->numbers, room, sizeof *numbers) : NULL;
        if (!numbers)
            return false;
        l->numbers = numbers;
        l->number_room = room;
    }
    l->numbers[l->number_count++] = value;
    return true;
}

enum found {
    FOUND_ARRAY,
    FOUND_OTHER,   /* no number came first: not an array of numbers, though some may stand in it */
    FOUND_UNCLEAN, /* or there is no memory */
};

struct scanning {
    const char *at, *end;
    struct lifted *lifted;
    int depth;                /* brackets that are open */
    int rank;                 /* 0: no number came yet */
    int64_t counts[RANK_MAX]; /* of the open arrays */
    int64_t sizes[RANK_MAX];  /* of the closed ones; -1: none was closed */
    size_t brackets;          /* that were opened */
};

static const char *past_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}

static void skip_space(struct scanning *s)
{
    s->at = past_space(s->at, s->end);
}

/* One question, not two: signs can't be predicted. */
static bool begins_number(const char *at, const char *end)
{
    return at < end && (is_digit(*at) | (*at == '-'));
}

/* Numbers with commas between them, from `at` on, where there is one; counts them. Past the last and the space behind
 * it; NULL: one is wrong. */
static const char *scan_numbers(struct lifted *l, const char *at, const char *end, int64_t *count)
{
    do {
        double value;
        at = scan_number(at, end, &value);
        if (!at || !add_number(l, value))
            return NULL;
        ++*count;
        at = past_space(at, end);
        if (at == end || *at != ',')
            return at;
        at = past_space(at + 1, end);
    } while (begins_number(at, end));
    return NULL;
}

/* Opens brackets up to the next number, and takes that with those that follow it in the innermost array. */
static enum found scan_values(struct scanning *s)
{
    enum found unclean = s->rank > 0 ? FOUND_UNCLEAN : FOUND_OTHER;
    for (; s->at < s->end && *s->at == '['; skip_space(s)) {
        if (s->depth == RANK_MAX)
            return unclean;
        s->at++;
        s->brackets++;
        if (s->rank == 0)
            s->sizes[s->depth] = -1;
        s->counts[s->depth++] = 0;
    }
    if (!begins_number(s->at, s->end))
        return unclean;
    if (s->rank == 0)
        s->rank = s->depth;
    if (s->depth != s->rank)
        return FOUND_UNCLEAN;
    s->at = scan_numbers(s->lifted, s->at, s->end, &s->counts[s->depth - 1]);
    return s->at ? FOUND_ARRAY : FOUND_UNCLEAN;
}

/* Closes brackets behind values, up to a comma, or to the end of the whole; false: something else is there. */
static bool scan_close(struct scanning *s)
{
    while (s->depth > 0 && s->at < s->end && *s->at == ']') {
        int axis = --s->depth;
        if (s->sizes[axis] >= 0 && s->sizes[axis] != s->counts[axis])
            return false;
        s->sizes[axis] = s->counts[axis];
        s->at++;
        if (s->depth > 0) {
            s->counts[s->depth - 1]++;
            skip_space(s);
        }
    }
    if (s->depth == 0)
        return true;
    if (s->at == s->end || *s->at != ',')
        return false;
    s->at++;
    skip_space(s);
    return true;
}

/* The array whose first bracket is s->at. */
static enum found scan_array(struct scanning *s)
{
    do {
        enum found found = scan_values(s);
        if (found != FOUND_ARRAY)
            return found;
        if (!scan_close(s))
            return FOUND_UNCLEAN;
    } while (s->depth > 0);
    return FOUND_ARRAY;
}

/* ---- the whole text ---- */

enum { NUMBERS_FIRST = 64, ARRAYS_FIRST = 8 };

static bool add_array(struct lifted *l, const struct scanning *s, size_t first, size_t bytes)
{
    if (l->array_count == l->array_room) {
        size_t room = l->array_room > 0 ? 2 * l->array_room : ARRAYS_FIRST;
        struct lifted_array *arrays = reallocarray(l->arrays, room, sizeof *arrays);
        if (!arrays)
            return false;
        l->arrays = arrays;
        l->array_room = room;
    }
    struct lifted_array *a = &l->arrays[l->array_count++];
    *a = (struct lifted_array){.shape.rank = s->rank, .first = first, .count = l->number_count - first};
    memcpy(a->shape.dim, s->sizes, (size_t)s->rank * sizeof *s->sizes);
    l->memory += json_numbers_memory(bytes, a->count, s->brackets);
    return true;
}

/* Past a string, at its first quote; NULL: it does not end, or might look like a mark. */
static const char *skip_string(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++) {
        if ((unsigned char)*at == MARK_BYTE)
            return NULL;
        if (*at == '\\' && ++at < end && *at == 'u')
            return NULL;
    }
    return at < end ? at + 1 : NULL;
}

/* False: the text must be read as a whole; also without memory, or if there is nothing to lift. The caller clears
 * *ret in any case. */
static bool lift(const char *bytes, size_t size, struct lifted *ret)
{
    struct lifted *l = ret;
    const char *end = bytes + size, *copied = bytes, *at = bytes;
    *l = (struct lifted){.number_room = size / 8 + NUMBERS_FIRST};
    l->numbers = reallocarray(NULL, l->number_room, sizeof *l->numbers);
    if (!l->numbers)
        return false;
    while (at < end) {
        if (*at == '"') {
            at = skip_string(at, end);
            if (!at)
                return false;
            continue;
        }
        if (*at != '[') {
            at++;
            continue;
        }
        struct scanning s = {.at = at, .end = end, .lifted = l};
        size_t first = l->number_count;
        enum found found = scan_array(&s);
        if (found == FOUND_UNCLEAN)
            return false;
        if (found == FOUND_OTHER) {
            at++;
            continue;
        }
        if (s.rank == 1 && s.sizes[0] <= STAYING) {
            l->number_count = first;
        } else {
            text_add(&l->skeleton, copied, (size_t)(at - copied));
            text_puts(&l->skeleton, "\"" MARK);
            text_whole(&l->skeleton, (int64_t)l->array_count);
            text_putc(&l->skeleton, '"');
            if (!add_array(l, &s, first, (size_t)(s.at - at)))
                return false;
            copied = s.at;
        }
        at = s.at;
    }
    text_add(&l->skeleton, copied, (size_t)(end - copied));
    return l->array_count > 0 && !l->skeleton.failed;
}

static void lifted_clear(struct lifted *l)
{
    text_clear(&l->skeleton);
    free(l->numbers);
    free(l->arrays);
}

static bool all_taken(const struct lifted *l)
{
    bool all = true;
    for (size_t i = 0; all && i < l->array_count; i++)
        all = l->arrays[i].taken;
    return all;
}

/* False: the body must be read as a whole. */
static bool decode_skeleton(const char *bytes, size_t size, int64_t nesting, const struct body_reader *reader)
{
    struct lifted l;
    struct error ignored = {0};
    json_t *body = NULL;
    bool read = lift(bytes, size, &l) &&
                json_read_rest(l.skeleton.data, l.skeleton.length, nesting, l.memory, &body, &ignored) == ERR_ok &&
                reader->read(reader->context, body, &l, &ignored) == ERR_ok;
    bool right = read && all_taken(&l);
    if (read && !right)
        reader->undo(reader->context);
    json_decref(body);
    lifted_clear(&l);
    error_clear(&ignored);
    return right;
}

err_code lifted_decode(const char *bytes, size_t size, int64_t nesting, const struct body_reader *reader,
                       struct error *err)
{
    json_t *body = NULL;
    if (decode_skeleton(bytes, size, nesting, reader))
        return ERR_ok;
    err_code code = json_read(bytes, size, nesting, &body, err);
    if (code == ERR_ok)
        code = reader->read(reader->context, body, NULL, err);
    json_decref(body);
    return code;
}

/* ---- taking ---- */

/* The array that the value stands for; NULL: none. */
static struct lifted_array *array_of(const struct lifted *l, const json_t *value)
{
    const char *text = json_string_value(value);
    uint64_t number;
    if (!l || !text || strncmp(text, MARK, MARK_LENGTH) != 0 || l->array_count == 0 ||
        !number_whole(text + MARK_LENGTH, l->array_count - 1, &number))
        return NULL;
    return &l->arrays[number];
}

bool lifted_is_array(const struct lifted *l, const json_t *value)
{
    return array_of(l, value) != NULL;
}

static bool fill(const struct lifted *l, const struct lifted_array *a, struct tensor *t)
{
    const double *from = l->numbers + a->first;
    bool finite = true;
    if (t->dtype == DTYPE_FLOAT64) {
        memcpy(t->data, from, a->count * sizeof *from);
        return true;
    }
    float *to = t->data;
    for (size_t i = 0; i < a->count; i++) {
        to[i] = (float)from[i];
        finite = finite && isfinite(to[i]);
    }
    return finite;
}

/* The shape that stands beside the data of {"shape", "data"}; false: they are no such pair. */
static bool flat_shape(const json_t *value, const struct lifted_array *data, const struct limits *limits,
                       const struct where *at, struct shape *ret)
{
    struct error ignored = {0};
    int64_t elements;
    const json_t *sizes = json_object_get(value, "shape");
    bool right = sizes && json_object_size(value) == 2 && data->shape.rank == 1 &&
                 read_shape(sizes, limits, at, ret, &ignored) && shape_is_concrete(*ret) &&
                 shape_elements(*ret, &elements) && elements == data->shape.dim[0];
    error_clear(&ignored);
    return right;
}

bool lifted_take(struct lifted *l, const json_t *value, enum dtype dtype, const struct limits *limits,
                 const struct where *at, struct tensor **ret)
{
    const json_t *data = json_is_object(value) ? json_object_get(value, "data") : value;
    struct lifted_array *a = array_of(l, data);
    struct shape shape;
    struct tensor *t = NULL;
    if (!a || a->shape.rank > limits->rank || (int64_t)a->count > limits->tensor_elements)
        return false;
    if (data == value)
        shape = a->shape;
    else if (!flat_shape(value, a, limits, at, &shape))
        return false;
    if (tensor_new(dtype, shape, &t, NULL) != ERR_ok)
        return false;
    if (!fill(l, a, t)) {
        tensor_free(t);
        return false;
    }
    a->taken = true;
    *ret = t;
    return true;
}
