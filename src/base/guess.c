/* "Did you mean": edit distance with swaps of neighbours (optimal string alignment), case folded. */
#include "base/names.h"

#include <string.h>

enum { GUESS_MAX = 64 };

static char fold(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t edit_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t rows[3][GUESS_MAX + 1];
    size_t *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b_length; j++)
        last[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t change = fold(a[i - 1]) == fold(b[j - 1]) ? 0 : 1;
            row[j] = least(last[j - 1] + change, least(last[j], row[j - 1]) + 1);
            bool swapped = i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) && fold(a[i - 2]) == fold(b[j - 1]);
            if (swapped)
                row[j] = least(row[j], before[j - 2] + 1);
        }
        size_t *oldest = before;
        before = last;
        last = row;
        row = oldest;
    }
    return last[b_length];
}

void guess_offer(struct guess *g, const char *candidate)
{
    size_t name_length = strnlen(g->name, GUESS_MAX + 1), length = strnlen(candidate, GUESS_MAX + 1);
    if (name_length > GUESS_MAX || length > GUESS_MAX)
        return;
    size_t distance = edit_distance(g->name, name_length, candidate, length);
    /* A third of the name may be wrong: of "x" nothing but its case. */
    if (distance > (name_length + 1) / 3 || (g->best != NULL && distance >= g->distance))
        return;
    g->best = candidate;
    g->distance = distance;
}
