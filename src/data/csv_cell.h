/* One cell of a CSV text: what it can be taken for, and why not. */
#ifndef GRADD_DATA_CSV_CELL_H
#define GRADD_DATA_CSV_CELL_H

#include <stdbool.h>
#include <stddef.h>

/* The whole cell as a finite decimal number. */
bool cell_number(const char *text, size_t length, double *ret);
/* Does a cell that is no number look like one? */
bool cell_is_like_number(const char *text, size_t length);
/* Why a cell is no number, as the end of a sentence: "it has spaces around it"; NULL where there is nothing to say. */
const char *cell_reason(const char *text, size_t length);

/* The start of a cell, for a message: valid UTF-8 on one line, "..." where it was cut, '?' for what can't be shown. */
enum { CELL_EXCERPT_MAX = 64 };
const char *cell_excerpt(const char *text, size_t length, char buffer[CELL_EXCERPT_MAX]);

#endif
