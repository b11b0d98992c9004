#include "data/csv_scan.h"
#include <stdlib.h>
#include <string.h>

enum { BOM_LENGTH = 3, FIRST_CAPACITY = 4096 };
static const char bom[BOM_LENGTH] = {'\xEF', '\xBB', '\xBF'};

/* Bytes that end a run of ordinary ones. */
static const bool plain_stops[256] = {[','] = true, ['\n'] = true, ['\r'] = true, ['"'] = true};
static const bool quoted_stops[256] = {['\n'] = true, ['"'] = true};

void csv_scan_init(struct csv_scan *s, size_t cell_limit)
{
    *s = (struct csv_scan){.state = CSV_AT_BOM, .line = 1, .row_line = 1, .cell_limit = cell_limit};
}

void csv_scan_clear(struct csv_scan *s)
{
    free(s->bytes);
    free(s->ends);
    *s = (struct csv_scan){0};
}

const char *csv_scan_cell(const struct csv_scan *s, size_t i, size_t *ret_length)
{
    size_t start = i ? s->ends[i - 1] : 0;
    *ret_length = s->ends[i] - start;
    return *ret_length ? s->bytes + start : "";
}

static void start_row(struct csv_scan *s)
{
    s->given = false;
    s->length = 0;
    s->cell_start = 0;
    s->cell_count = 0;
    s->touched = false;
    s->mistake = NULL;
    s->row_line = s->line;
}

static void note_mistake(struct csv_scan *s, const char *mistake, int64_t line)
{
    if (s->mistake)
        return;
    s->mistake = mistake;
    s->mistake_line = line;
    s->mistake_cell = s->cell_count;
}

static enum csv_event stop(struct csv_scan *s, const char *mistake)
{
    note_mistake(s, mistake, s->line);
    return CSV_STOP;
}

/* Makes room for at least one more byte; *ret_room bytes may come before this must be asked again. CSV_MORE if there
 * is. */
static enum csv_event make_room(struct csv_scan *s, size_t *ret_room)
{
    size_t cell_room = CSV_CELL_MAX - (s->length - s->cell_start);
    if (cell_room == 0)
        return stop(s, s->state == CSV_IN_QUOTES ? "the quoted cell does not end within 1 MiB"
                                                 : "the cell is longer than 1 MiB");
    if (s->length == s->capacity) {
        size_t capacity = s->capacity ? 2 * s->capacity : FIRST_CAPACITY;
        if (s->capacity >= CSV_ROW_MAX)
            return stop(s, "the row is longer than 16 MiB");
        char *grown = realloc(s->bytes, capacity);
        if (!grown)
            return CSV_NO_MEMORY;
        s->bytes = grown;
        s->capacity = capacity;
    }
    size_t room = s->capacity - s->length;
    *ret_room = room < cell_room ? room : cell_room;
    return CSV_MORE;
}

/* Is the cell being read one that is kept? */
static bool is_kept(const struct csv_scan *s)
{
    return s->cell_count < s->cell_limit;
}

/* Keeps a byte that would otherwise mean something. */
static enum csv_event keep_byte(struct csv_scan *s, char c)
{
    size_t room = 0;
    enum csv_event event = is_kept(s) ? make_room(s, &room) : CSV_MORE;
    if (room > 0)
        s->bytes[s->length++] = c;
    return event;
}

/* Moves *at to the first of `stops`, keeping what stands before it. CSV_MORE if no limit was passed. */
static enum csv_event keep_run(struct csv_scan *s, const char **at, const char *end, const bool stops[256])
{
    const char *p = *at;
    enum csv_event event = CSV_MORE;
    if (!is_kept(s)) {
        while (p < end && !stops[(unsigned char)*p])
            p++;
    }
    while (p < end && !stops[(unsigned char)*p]) {
        size_t room = 0;
        event = make_room(s, &room);
        if (event)
            break;
        const char *last = (size_t)(end - p) < room ? end : p + room;
        char *out = s->bytes + s->length;
        while (p < last && !stops[(unsigned char)*p])
            *out++ = *p++;
        s->length = (size_t)(out - s->bytes);
    }
    *at = p;
    return event;
}

static enum csv_event end_cell(struct csv_scan *s)
{
    if (s->cell_count < s->cell_limit) {
        if (s->cell_count == s->ends_capacity) {
            size_t capacity = s->ends_capacity ? 2 * s->ends_capacity : 64;
            size_t *grown = realloc(s->ends, capacity * sizeof *grown);
            if (!grown)
                return CSV_NO_MEMORY;
            s->ends = grown;
            s->ends_capacity = capacity;
        }
        s->ends[s->cell_count] = s->length;
        s->cell_start = s->length;
    }
    s->cell_count++;
    s->state = CSV_AT_CELL;
    return CSV_MORE;
}

static enum csv_event end_row(struct csv_scan *s)
{
    s->state = CSV_AT_CELL;
    s->given = true;
    if (!s->touched)
        return CSV_BLANK;
    return end_cell(s) == CSV_MORE ? CSV_ROW : CSV_NO_MEMORY;
}

/* What may stand after a cell. `c` was taken. */
static enum csv_event after_cell(struct csv_scan *s, char c)
{
    switch (c) {
    case ',':
        s->touched = true;
        return end_cell(s);
    case '\n':
        s->line++;
        return end_row(s);
    case '\r':
        s->state = CSV_AFTER_RETURN;
        return CSV_MORE;
    default:
        note_mistake(s, "text follows the closing quote", s->line);
        s->state = CSV_IN_PLAIN;
        return keep_byte(s, c);
    }
}

static enum csv_event in_plain(struct csv_scan *s, const char **at, const char *end)
{
    const char *start = *at;
    enum csv_event event = keep_run(s, at, end, plain_stops);
    s->touched |= *at > start;
    if (event || *at == end)
        return event;
    char c = *(*at)++;
    if (c != '"')
        return after_cell(s, c);
    note_mistake(s, "a quote stands in a cell that does not start with one", s->line);
    return keep_byte(s, c);
}

static enum csv_event in_quotes(struct csv_scan *s, const char **at, const char *end)
{
    enum csv_event event = keep_run(s, at, end, quoted_stops);
    if (event || *at == end)
        return event;
    char c = *(*at)++;
    if (c == '"') {
        s->state = CSV_AFTER_QUOTE;
        return CSV_MORE;
    }
    s->line++;
    return keep_byte(s, c);
}

static enum csv_event after_quote(struct csv_scan *s, const char **at)
{
    char c = *(*at)++;
    if (c != '"')
        return after_cell(s, c);
    s->state = CSV_IN_QUOTES;
    return keep_byte(s, c);
}

/* A carriage return that no line feed followed. */
static enum csv_event lone_return(struct csv_scan *s)
{
    s->touched = true;
    note_mistake(s, "a carriage return stands without a line feed: lines must end in LF or CRLF", s->line);
    s->state = CSV_IN_PLAIN;
    return keep_byte(s, '\r');
}

static enum csv_event after_return(struct csv_scan *s, const char **at)
{
    if (**at != '\n')
        return lone_return(s);
    (*at)++;
    s->line++;
    return end_row(s);
}

static void at_cell(struct csv_scan *s, const char **at)
{
    s->state = CSV_IN_PLAIN;
    if (**at != '"')
        return;
    (*at)++;
    s->touched = true;
    s->quote_line = s->line;
    s->state = CSV_IN_QUOTES;
}

/* Bytes that only began like a byte order mark are the first cell's. */
static enum csv_event not_a_bom(struct csv_scan *s)
{
    enum csv_event event = CSV_MORE;
    s->state = s->bom_length ? CSV_IN_PLAIN : CSV_AT_CELL;
    s->touched = s->bom_length > 0;
    for (size_t i = 0; i < BOM_LENGTH && i < s->bom_length && !event; i++)
        event = keep_byte(s, bom[i]);
    return event;
}

static enum csv_event at_bom(struct csv_scan *s, const char **at)
{
    if (**at != bom[s->bom_length])
        return not_a_bom(s);
    (*at)++;
    if (++s->bom_length == BOM_LENGTH)
        s->state = CSV_AT_CELL;
    return CSV_MORE;
}

enum csv_event csv_scan_next(struct csv_scan *s, const char **at, const char *end)
{
    enum csv_event event = CSV_MORE;
    if (s->given)
        start_row(s);
    while (!event && *at < end) {
        switch (s->state) {
        case CSV_AT_BOM:
            event = at_bom(s, at);
            break;
        case CSV_AT_CELL:
            at_cell(s, at);
            break;
        case CSV_IN_PLAIN:
            event = in_plain(s, at, end);
            break;
        case CSV_IN_QUOTES:
            event = in_quotes(s, at, end);
            break;
        case CSV_AFTER_QUOTE:
            event = after_quote(s, at);
            break;
        case CSV_AFTER_RETURN:
            event = after_return(s, at);
            break;
        }
    }
    return event;
}

enum csv_event csv_scan_end(struct csv_scan *s)
{
    enum csv_event event = CSV_MORE;
    if (s->given)
        start_row(s);
    if (s->state == CSV_AT_BOM)
        event = not_a_bom(s);
    else if (s->state == CSV_AFTER_RETURN)
        event = lone_return(s);
    else if (s->state == CSV_IN_QUOTES)
        note_mistake(s, "the quoted cell that starts here is never closed", s->quote_line);
    if (event)
        return event;
    return s->touched ? end_row(s) : CSV_MORE;
}
