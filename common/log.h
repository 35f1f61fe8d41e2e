/* log.h - one JSON object a line on standard error: time, level, component, message, fields.
 *
 * A line is one write() of at most LOG_LINE_MAX_BYTES; a longer one is cut, and still JSON. When
 * standard error cannot take a line at once (a full pipe, a stopped terminal, no reader) the line
 * is dropped and counted instead of stalling the program, which is what standard_streams_prepare()
 * makes sure of; the next line that gets out is preceded by one that says how many are missing. All
 * functions may be called from any thread after log_init().
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stdint.h>

/* POSIX's least PIPE_BUF is 512, Linux's 4096: a write up to this size is never mixed with another
 * one, and never blocks when poll() says there is room. */
#define LOG_LINE_MAX_BYTES 4096

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

enum log_field_type { LOG_FIELD_END, LOG_FIELD_STRING, LOG_FIELD_INTEGER };

struct log_field {
    enum log_field_type type;
    const char *key;    /* a plain identifier, written as it is */
    const char *string; /* NULL is written as null */
    int64_t integer;
};

/* The fields of one line: log_info("listening", LOG_FIELDS(log_integer("port", 3001))); a line
 * without fields passes NULL. Strings are borrowed until the call returns. */
#define LOG_FIELDS(...) ((const struct log_field[]){__VA_ARGS__, {.type = LOG_FIELD_END}})

static inline struct log_field log_string(const char *key, const char *value)
{
    return (struct log_field){.type = LOG_FIELD_STRING, .key = key, .string = value};
}

static inline struct log_field log_integer(const char *key, int64_t value)
{
    return (struct log_field){.type = LOG_FIELD_INTEGER, .key = key, .integer = value};
}

/* Names the program in every line; `component` is borrowed for ever. Call once, before threads. */
void log_init(const char *component);

/* Lines below `level` are left out; LOG_LEVEL_INFO until called. Call before threads. */
void log_set_level(enum log_level level);

void log_debug(const char *message, const struct log_field *fields);
void log_info(const char *message, const struct log_field *fields);
void log_warning(const char *message, const struct log_field *fields);
void log_error(const char *message, const struct log_field *fields);

/* How many lines were dropped so far because standard error was full or gone. */
uint64_t log_dropped_lines(void);

#endif
