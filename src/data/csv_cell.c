#include "data/csv_cell.h"
#include "base/number.h"
#include "base/utf8.h"
#include <math.h>
#include <string.h>
#include <strings.h>

/* Is the whole cell a number, finite or not? */
static bool scan(const char *text, size_t length, double *ret)
{
    if (length > 1 && text[0] == '+' && text[1] != '-') {
        text++;
        length--;
    }
    return length > 0 && number_scan(text, length, ret) == length;
}

bool cell_number(const char *text, size_t length, double *ret)
{
    double value = 0;
    if (!scan(text, length, &value) || !isfinite(value))
        return false;
    *ret = value;
    return true;
}

static bool is_padding(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_padded(const char *text, size_t length)
{
    double value = 0;
    size_t start = 0;
    size_t end = length;
    while (start < end && is_padding(text[start]))
        start++;
    while (end > start && is_padding(text[end - 1]))
        end--;
    return end - start < length && scan(text + start, end - start, &value);
}

static bool is_overflow(const char *text, size_t length)
{
    double value = 0;
    return scan(text, length, &value) && !isfinite(value);
}

static void drop_sign(const char **text, size_t *length)
{
    if (*length > 0 && (**text == '+' || **text == '-')) {
        (*text)++;
        (*length)--;
    }
}

static bool is_nonfinite_word(const char *text, size_t length)
{
    static const char *const words[] = {"nan", "inf", "infinity"};
    drop_sign(&text, &length);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strlen(words[i]) == length && strncasecmp(words[i], text, length) == 0)
            return true;
    }
    return false;
}

static bool is_hexadecimal(const char *text, size_t length)
{
    drop_sign(&text, &length);
    if (length < 3 || text[0] != '0' || (text[1] != 'x' && text[1] != 'X'))
        return false;
    for (size_t i = 2; i < length; i++) {
        if (!memchr("0123456789abcdefABCDEF.pP+-", text[i], 27))
            return false;
    }
    return true;
}

static bool has_comma(const char *text, size_t length)
{
    bool comma = false;
    for (size_t i = 0; i < length; i++) {
        comma |= text[i] == ',';
        if (!memchr("0123456789.,+-", text[i], 14))
            return false;
    }
    return comma;
}

static const struct {
    bool (*test)(const char *text, size_t length);
    bool like_number;
    const char *reason;
} reasons[] = {
    {is_padded, true, "it has spaces around it, which are part of a cell"},
    {is_overflow, true, "it is beyond the range of a double"},
    {is_nonfinite_word, true, "it is not finite"},
    {is_hexadecimal, true, "it is hexadecimal"},
    {has_comma, false, "it has a comma: the decimal point is '.', and thousands are not separated"},
};

enum { REASONS = sizeof reasons / sizeof *reasons };

bool cell_is_like_number(const char *text, size_t length)
{
    for (size_t i = 0; i < REASONS; i++) {
        if (reasons[i].test(text, length))
            return reasons[i].like_number;
    }
    return false;
}

const char *cell_reason(const char *text, size_t length)
{
    for (size_t i = 0; i < REASONS; i++) {
        if (reasons[i].test(text, length))
            return reasons[i].reason;
    }
    return NULL;
}

const char *cell_excerpt(const char *text, size_t length, char buffer[CELL_EXCERPT_MAX])
{
    static const char ellipsis[] = "...";
    size_t shown = length;
    if (shown >= CELL_EXCERPT_MAX) {
        shown = CELL_EXCERPT_MAX - sizeof ellipsis;
        while (shown > 0 && ((unsigned char)text[shown] & 0xC0) == 0x80)
            shown--;
    }
    bool valid = utf8_valid(text, shown, NULL);
    for (size_t i = 0; i < shown; i++) {
        unsigned char c = (unsigned char)text[i];
        buffer[i] = c < 0x20 || c == 0x7F || (c >= 0x80 && !valid) ? '?' : text[i];
    }
    buffer[shown] = '\0';
    if (shown < length)
        memcpy(buffer + shown, ellipsis, sizeof ellipsis);
    return buffer;
}
