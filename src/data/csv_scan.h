/* The grammar of CSV (RFC 4180) as a machine over bytes that come in pieces of any size: text in, rows of cells out. It
 * knows nothing of headers, types or tables.
 *
 * A row is held whole, without its quotes, until the next call; nothing else is kept. What breaks the grammar makes the
 * row wrong (`mistake`), and reading goes on at the next line. */
#ifndef GRADD_DATA_CSV_SCAN_H
#define GRADD_DATA_CSV_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CSV_CELL_MAX = 1 << 20, /* bytes of a cell */
    CSV_ROW_MAX = 16 << 20, /* bytes of a row */
};

enum csv_event {
    CSV_MORE,      /* all bytes are used up */
    CSV_ROW,       /* a row has ended */
    CSV_BLANK,     /* a line without any cell has ended */
    CSV_STOP,      /* a limit was passed: `mistake` says which; there is no going on */
    CSV_NO_MEMORY, /* there is no going on */
};

enum csv_state {
    CSV_AT_BOM,      /* at the start of the text: a byte order mark may stand here */
    CSV_AT_CELL,     /* at the start of a cell */
    CSV_IN_PLAIN,    /* in a cell without quotes */
    CSV_IN_QUOTES,   /* in a cell with quotes */
    CSV_AFTER_QUOTE, /* after a quote in a cell with quotes: it ends the cell, or is the first of two */
    CSV_AFTER_RETURN /* after a carriage return outside of quotes */
};

struct csv_scan {
    enum csv_state state;
    size_t bom_length; /* bytes of a byte order mark that were seen */
    int64_t line;      /* the line being read, 1 = first */
    bool given;        /* the row was handed out: the next call drops it */
    size_t cell_limit; /* cells from this one on are counted, and not kept */
    char *bytes;       /* owned; the cells of the row, one after another */
    size_t length, capacity;
    size_t *ends; /* owned; where the cells that are kept end in `bytes` */
    size_t ends_capacity;
    size_t cell_start;  /* where the cell being read starts in `bytes` */
    int64_t quote_line; /* where the last quoted cell began */
    bool touched;       /* the row has at least a byte or a quote */

    /* The row that has ended. */
    size_t cell_count; /* all of them */
    int64_t row_line;  /* the line where it started */
    /* The first break of the grammar in the row, or NULL: a clause about the cell, and where it stands. */
    const char *mistake;
    int64_t mistake_line;
    size_t mistake_cell;
};

void csv_scan_init(struct csv_scan *s, size_t cell_limit);
void csv_scan_clear(struct csv_scan *s);
/* Reads on from *at, which moves, until something is to be told. */
enum csv_event csv_scan_next(struct csv_scan *s, const char **at, const char *end);
/* The end of the text: the last row, if no newline ended it, else CSV_MORE. */
enum csv_event csv_scan_end(struct csv_scan *s);
/* Cell i (below cell_count and cell_limit) of the row that has ended: *ret_length bytes, not NUL-terminated. */
const char *csv_scan_cell(const struct csv_scan *s, size_t i, size_t *ret_length);

#endif
