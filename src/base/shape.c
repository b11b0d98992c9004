/* Shapes as values: equality, binding the batch, counting, and printing. */
#include "base/shape.h"

#include "base/size.h"
#include <inttypes.h>
#include <stdio.h>

struct shape shape_of(int rank, const int64_t *dims)
{
    struct shape s = {.rank = rank};
    for (int i = 0; i < rank && i < RANK_MAX; i++)
        s.dim[i] = dims[i];
    return s;
}

bool shape_equal(struct shape a, struct shape b)
{
    if (a.rank != b.rank)
        return false;
    for (int i = 0; i < a.rank; i++)
        if (a.dim[i] != b.dim[i])
            return false;
    return true;
}

bool shape_is_concrete(struct shape s)
{
    for (int i = 0; i < s.rank; i++)
        if (s.dim[i] < 0)
            return false;
    return true;
}

struct shape shape_bind(struct shape s, int64_t batch)
{
    for (int i = 0; i < s.rank; i++) {
        if (s.dim[i] >= 0 || s.dim[i] == DIM_ANY)
            continue;
        if (!int64_mul(-s.dim[i], batch, &s.dim[i]))
            s.dim[i] = INT64_MAX;
    }
    return s;
}

bool shape_elements(struct shape s, int64_t *ret)
{
    int64_t count = 1;
    bool empty = false;
    for (int i = 0; i < s.rank; i++) {
        if (s.dim[i] < 0)
            return false;
        if (s.dim[i] == 0)
            empty = true;
        else if (!int64_mul(count, s.dim[i], &count) || count > ELEMENTS_MAX)
            return false;
    }
    *ret = empty ? 0 : count;
    return true;
}

const char *shape_text(struct shape s, char buffer[SHAPE_TEXT_MAX])
{
    size_t at = 0;
    buffer[at++] = '(';
    for (int i = 0; i < s.rank; i++) {
        char *out = buffer + at;
        size_t room = SHAPE_TEXT_MAX - at;
        const char *comma = i > 0 ? "," : "";
        int written;
        if (s.dim[i] == DIM_ANY)
            written = snprintf(out, room, "%s?", comma);
        else if (s.dim[i] == DIM_BATCH)
            written = snprintf(out, room, "%sbatch", comma);
        else if (s.dim[i] < 0)
            written = snprintf(out, room, "%s%" PRId64 "*batch", comma, -s.dim[i]);
        else
            written = snprintf(out, room, "%s%" PRId64, comma, s.dim[i]);
        at += (size_t)written;
    }
    buffer[at++] = ')';
    buffer[at] = '\0';
    return buffer;
}
