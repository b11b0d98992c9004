/* The log: one line an event to standard error, "2024-01-31T12:00:00.000Z LEVEL message". Control characters in arguments are escaped. Thread-safe.
 * Only main, api, work and the store's writer log: library code returns errors. */
#ifndef GRADD_BASE_LOG_H
#define GRADD_BASE_LOG_H

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };
void log_set_level(enum log_level level);
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
