/* The log: each line is made in full, then handed to the system at once, so that lines of several threads do not mix.
 */
#include "base/log.h"

#include "base/clock.h"
#include "base/utf8.h"
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A line is at most PIPE_BUF long, 4,096 bytes: up to there a write to a pipe is not divided. */
enum { MESSAGE_MAX = 3000, LINE_MAX_BYTES = 4096 };

static const char *const level_names[] = {
    [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARNING] = "warning", [LOG_ERROR] = "error"};
static const char *const level_labels[] = {
    [LOG_DEBUG] = "DEBUG", [LOG_INFO] = "INFO", [LOG_WARNING] = "WARNING", [LOG_ERROR] = "ERROR"};

static _Atomic int least_level = LOG_INFO;

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&least_level, (int)level, memory_order_relaxed);
}

bool log_level_find(const char *name, enum log_level *ret)
{
    for (size_t i = 0; i < sizeof level_names / sizeof *level_names; i++) {
        if (strcmp(level_names[i], name) == 0) {
            *ret = (enum log_level)i;
            return true;
        }
    }
    return false;
}

size_t log_escape(const char *message, char *out, size_t room)
{
    size_t length = strlen(message), at = 0;
    for (size_t i = 0, size; i < length; i += size) {
        char piece[8];
        unsigned char c = (unsigned char)message[i];
        size = utf8_character(message + i, length - i);
        size_t piece_length = size;
        /* Control characters are ASCII's and U+0080 to U+009F. */
        bool control = c < 0x20 || c == 0x7F || (c == 0xC2 && (unsigned char)message[i + 1] < 0xA0);
        if (c == '\n' || c == '\t' || c == '\r' || c == '\\') {
            piece_length = 2;
            snprintf(piece, sizeof piece, "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : c == '\r' ? 'r' : '\\');
        } else if (size == 0 || control) {
            size = 1;
            piece_length = (size_t)snprintf(piece, sizeof piece, "\\x%02x", c);
        } else {
            memcpy(piece, message + i, size);
        }
        if (at + piece_length >= room)
            break;
        memcpy(out + at, piece, piece_length);
        at += piece_length;
    }
    out[at] = '\0';
    return at;
}

/* Nothing can be done where the log can't be written. */
static void write_whole(const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(STDERR_FILENO, bytes, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return;
        bytes += written;
        length -= (size_t)written;
    }
}

void log_write(enum log_level level, const char *format, ...)
{
    if ((int)level < atomic_load_explicit(&least_level, memory_order_relaxed))
        return;
    int saved = errno;
    char message[MESSAGE_MAX], line[LINE_MAX_BYTES], now[CLOCK_TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    int wanted = vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (wanted >= 0) {
        size_t at = (size_t)snprintf(line, sizeof line, "%s %s ", clock_text(clock_now(), now), level_labels[level]);
        at += log_escape(message, line + at, sizeof line - at - 1);
        line[at++] = '\n';
        write_whole(line, at);
    }
    errno = saved;
}
