/* The log: one line an event to standard error, "2024-01-31T12:00:00.000Z LEVEL message". Control characters, bytes
 * that are not UTF-8, and backslashes are escaped; lines are cut at 4,096 bytes and never mixed. Thread-safe. Only
 * main, api, work and the store's writer log: library code returns errors. */
#ifndef GRADD_BASE_LOG_H
#define GRADD_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };
void log_set_level(enum log_level level);                   /* what is below is not written; at first LOG_INFO */
bool log_level_find(const char *name, enum log_level *ret); /* "debug", "info", "warning", "error" */
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The message as it stands in a line: \n, \t, \r, \\ and \xNN. Writes at most room - 1 bytes and a NUL; returns how
 * many. */
size_t log_escape(const char *message, char *out, size_t room);

#endif
