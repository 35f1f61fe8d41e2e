#include "log.h"

#include "clock.h"
#include "utf8.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Room kept for what closes a line that was cut. */
#define TAIL_BYTES 8

/* Begins with a line feed, which is written only after a line that came out in part. */
struct line {
    char text[LOG_LINE_MAX_BYTES];
    size_t length;
};

static const char *log_component = "";
static enum log_level log_threshold = LOG_LEVEL_INFO;
static atomic_uint_fast64_t dropped, reported;
static atomic_bool torn; /* the last line came out in part */

void log_init(const char *component)
{
    log_component = component;
}

void log_set_level(enum log_level level)
{
    log_threshold = level;
}

uint64_t log_dropped_lines(void)
{
    return atomic_load_explicit(&dropped, memory_order_relaxed);
}

/* Appends all of the text or none of it. */
static bool append(struct line *line, const char *text, size_t length)
{
    if (line->length + length > sizeof line->text - TAIL_BYTES)
        return false;
    memcpy(line->text + line->length, text, length);
    line->length += length;
    return true;
}

static bool append_text(struct line *line, const char *text)
{
    return append(line, text, strlen(text));
}

/* How a character that may not stand for itself is written. Those that utf8_is_control() names are
 * of at most three bytes. */
static void escape_character(const char *text, size_t length, char escape[8])
{
    const unsigned char *s = (const unsigned char *)text;
    unsigned code = s[0];

    if (length == 2)
        code = (s[0] & 0x1FU) << 6 | (s[1] & 0x3FU);
    if (length == 3)
        code = (s[0] & 0x0FU) << 12 | (s[1] & 0x3FU) << 6 | (s[2] & 0x3FU);
    if (code == '"' || code == '\\')
        snprintf(escape, 8, "\\%c", (int)code);
    else if (code == '\n')
        snprintf(escape, 8, "\\n");
    else
        snprintf(escape, 8, "\\u%04x", code & 0xFFFF);
}

/* Text may come from a server or a client, so it can hold anything. Returns how many bytes of the
 * text the one appended character took, 0 if there was no room. */
static size_t append_character(struct line *line, const char *text, size_t available)
{
    size_t length = utf8_sequence_length(text, available);
    char escape[8];

    if (length == 0)
        return append_text(line, "\\ufffd") ? 1 : 0;
    if (text[0] != '"' && text[0] != '\\' && !utf8_is_control(text, length))
        return append(line, text, length) ? length : 0;
    escape_character(text, length, escape);
    return append_text(line, escape) ? length : 0;
}

/* What stands between the quotes, up to where the line is full. */
static bool append_characters(struct line *line, const char *text)
{
    size_t length = strlen(text);
    for (size_t taken, i = 0; i < length; i += taken) {
        taken = append_character(line, text + i, length - i);
        if (taken == 0)
            return false;
    }
    return true;
}

/* Returns false when the line is full: the field is cut, or left out, and no other may follow. */
static bool append_field(struct line *line, const struct log_field *field)
{
    bool quoted = field->type == LOG_FIELD_STRING && field->string != NULL;
    size_t before = line->length;
    char number[24] = "null";

    if (field->type == LOG_FIELD_INTEGER)
        snprintf(number, sizeof number, "%lld", (long long)field->integer);
    if (!append_text(line, ",\"") || !append_text(line, field->key) ||
        !append_text(line, quoted ? "\":\"" : "\":") || (!quoted && !append_text(line, number))) {
        line->length = before;
        return false;
    }
    if (!quoted)
        return true;
    bool whole = append_characters(line, field->string);
    /* Takes of the room that is kept for it when the text has filled the line. */
    line->text[line->length++] = '"';
    return whole;
}

static ssize_t write_now(const char *text, size_t length)
{
    struct pollfd output = {.fd = STDERR_FILENO, .events = POLLOUT};
    ssize_t sent = send(STDERR_FILENO, text, length, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (sent >= 0 || errno != ENOTSOCK)
        return sent;
    /* A pipe that is found ready takes a line whole; everything else that could wait was opened
     * so that it does not, see standard_streams.h. */
    if (poll(&output, 1, 0) != 1 || !(output.revents & POLLOUT))
        return -1;
    return write(STDERR_FILENO, text, length);
}

static bool write_line(const struct line *line)
{
    bool mend = atomic_load_explicit(&torn, memory_order_relaxed);
    size_t skipped = mend ? 0 : 1;
    ssize_t written = write_now(line->text + skipped, line->length - skipped);

    if (written > 0)
        atomic_store_explicit(&torn,
                              (size_t)written + skipped != line->length && !(mend && written == 1),
                              memory_order_relaxed);
    return written >= 0 && (size_t)written + skipped == line->length;
}

static void compose(struct line *line, enum log_level level, const char *message,
                    const struct log_field *fields)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    char now[CLOCK_TIMESTAMP_SIZE];

    clock_format_timestamp(clock_realtime_ms(), now);
    const struct log_field head[] = {log_string("level", names[level]),
                                     log_string("component", log_component),
                                     log_string("message", message),
                                     {.type = LOG_FIELD_END}};
    line->text[0] = '\n';
    line->length = 1;
    bool fits =
        append_text(line, "{\"time\":\"") && append_text(line, now) && append_text(line, "\"");
    for (const struct log_field *field = head; fits && field->type != LOG_FIELD_END; field++)
        fits = append_field(line, field);
    for (; fits && fields != NULL && fields->type != LOG_FIELD_END; fields++)
        fits = append_field(line, fields);
    memcpy(line->text + line->length, "}\n", 2);
    line->length += 2;
}

/* Says how many lines are missing, once one gets out again. */
static void report_dropped(struct line *line)
{
    uint64_t total = atomic_load_explicit(&dropped, memory_order_relaxed);
    uint64_t missing = total - atomic_exchange_explicit(&reported, total, memory_order_relaxed);

    if (missing == 0)
        return;
    compose(line, LOG_LEVEL_WARNING, "log lines were dropped",
            LOG_FIELDS(log_integer("lines", (int64_t)missing)));
    if (!write_line(line))
        atomic_fetch_sub_explicit(&reported, missing, memory_order_relaxed);
}

static void log_write(enum log_level level, const char *message, const struct log_field *fields)
{
    struct line line;

    if (level < log_threshold)
        return;
    report_dropped(&line);
    compose(&line, level, message, fields);
    if (!write_line(&line))
        atomic_fetch_add_explicit(&dropped, 1, memory_order_relaxed);
}

void log_debug(const char *message, const struct log_field *fields)
{
    log_write(LOG_LEVEL_DEBUG, message, fields);
}

void log_info(const char *message, const struct log_field *fields)
{
    log_write(LOG_LEVEL_INFO, message, fields);
}

void log_warning(const char *message, const struct log_field *fields)
{
    log_write(LOG_LEVEL_WARNING, message, fields);
}

void log_error(const char *message, const struct log_field *fields)
{
    log_write(LOG_LEVEL_ERROR, message, fields);
}
