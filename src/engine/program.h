/* A program: elementwise ops that are fused into one pass over memory.
 *
 * A program walks a space of rows and columns (and outer axes) in tiles that stay in L1. A tile is `rows` rows, `row`
 * elements apart, as one flat run of elements; each instruction is a loop over the whole tile by a function of its op.
 * An access is where a program reads or writes memory. It is direct if its memory has the layout of the tile: then
 * instructions work in place. Else it is staged: copied to a buffer of the tile before the instructions, or from one
 * after them; what is the same for every tile (a bias, a scalar) is staged once.
 *
 * An element's result never depends on the tiles, so any rectangle of the space may be computed alone: that is how a
 * product has its blocks finished while they are in cache, and how threads share a step. */
#ifndef GRADD_ENGINE_PROGRAM_H
#define GRADD_ENGINE_PROGRAM_H

#include "graph/op.h"

/* out[i] = op(a[i], b[i], c[i]) for i < count; out may be one of the operands. */
typedef void (*map_fn)(void *out, const void *a, const void *b, const void *c, int64_t count);

enum {
    OPERANDS_MAX = 3,
    TILE_BYTES = 4096,
    ACCESSES_MAX = 20,
    INSTRUCTIONS_MAX = 48,
    BUFFERS_MAX = ACCESSES_MAX + INSTRUCTIONS_MAX,
    NO_BUFFER = 255,
    POINTER_OF_BLOCK = 255, /* an access to the block that a product has just finished */
    COLUMNS_ALONE = 32,     /* rows of at least so many columns may be computed one by one, in place */
    COLUMNS_DOWN = 64       /* columns whose rows are reduced at a time */
};

struct access {
    uint8_t pointer; /* of p */
    uint8_t buffer;  /* for when it is staged */
    bool written;
    bool slack; /* rows may be used up to `row` elements, past the columns */
    int64_t outer_stride[RANK_MAX], row_stride, column_stride;
};

/* Operands are accesses, then buffers: access i is i, buffer b is access_count + b. */
struct instruction {
    map_fn map;
    uint8_t out, in[OPERANDS_MAX];
};

/* How tiles are laid for rectangles of all columns, or of some of them. Bits of accesses. */
struct tiling {
    int64_t row;  /* elements from row to row of a tile */
    int64_t rows; /* of a tile, at most */
    uint32_t direct, once;
};

struct program {
    int outer_rank;
    int64_t outer[RANK_MAX], rows, columns;
    struct tiling whole, part;
    uint8_t access_count, instruction_count, buffer_count;
    uint8_t result; /* of a reduction: the operand that is reduced */
    const struct access *access;
    const struct instruction *instruction;
};

/* A reduction of a program's result, over columns (across) or over rows, for each index of the outer axes and of the
 * other axis, in that order. Sums are made in 16 virtual lanes: element i of the reduced axis goes to lane i mod 16,
 * the lanes are added by a fixed tree. Then they are divided by `divisor` if that is not 0. p[0] is the contiguous
 * result; the accesses' pointers follow. */
struct reduction {
    struct program program; /* its result is in no access that is written */
    bool across;
    double divisor;
};

#endif
