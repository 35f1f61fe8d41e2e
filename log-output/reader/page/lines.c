#include "reader/page/lines.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Of one piece of text that is not the user's, with its terminator. */
#define FORMATTED_SIZE 2048

/* Written in place: arrays on the stack are set to zero by the compiler's hardening, each time. */
struct writer {
    char *text;
    size_t length;
};

static void append(struct writer *writer, const char *text, size_t length)
{
    if (length > PAGE_LINES_SIZE - writer->length)
        length = PAGE_LINES_SIZE - writer->length;
    memcpy(writer->text + writer->length, text, length);
    writer->length += length;
}

PRINTF_LIKE(2, 3) static void append_format(struct writer *writer, const char *format, ...)
{
    size_t room = PAGE_LINES_SIZE - writer->length;
    size_t size = room < FORMATTED_SIZE ? room : FORMATTED_SIZE;
    va_list arguments;

    va_start(arguments, format);
    size_t length = (size_t)vsnprintf(writer->text + writer->length, size, format, arguments);
    va_end(arguments);
    writer->length += length < size ? length : size - 1;
}

static void append_text(struct writer *writer, const char *text, size_t length)
{
    if (PAGE_LINES_SIZE - writer->length >= PAGE_TEXT_SIZE)
        writer->length += page_parts_clean(text, length, writer->text + writer->length);
}

static void append_config(struct writer *writer, const struct page_parts *parts)
{
    char problem[1024];

    append_format(writer, "file content: ");
    if (page_parts_config_problem(parts, problem, sizeof problem))
        append_format(writer, "not available: %s", problem);
    else
        append_text(writer, parts->config, parts->config_length);
    append(writer, "\n", 1);
}

static void append_message(struct writer *writer, const struct page_parts *parts)
{
    if (parts->message == NULL) {
        append_format(writer, "env variable: MESSAGE is not set\n");
        return;
    }
    append_format(writer, "env variable: MESSAGE=");
    append_text(writer, parts->message, strlen(parts->message));
    append(writer, "\n", 1);
}

static void append_timestamp(struct writer *writer, const struct page_parts *parts)
{
    char problem[1024];
    bool wrong = page_parts_timestamp_problem(parts, problem, sizeof problem);

    if (parts->shared->timestamp[0] == '\0')
        append_format(writer, "timestamp: not available: %s", problem);
    else
        append_format(writer, "%s: %s", parts->shared->timestamp, parts->hash);
    if (wrong && parts->shared->timestamp[0] != '\0')
        append_format(writer, " (%s)", problem);
    append(writer, "\n", 1);
}

static void append_pong(struct writer *writer, const struct page_parts *parts)
{
    char problem[256];

    if (page_parts_pong_problem(parts, problem, sizeof problem))
        append_format(writer, "Ping / Pongs: not available: %s\n", problem);
    else
        append_format(writer, "Ping / Pongs: %" PRId64 "\n", parts->pong);
}

size_t page_lines_write(const struct page_parts *parts, char out[PAGE_LINES_SIZE])
{
    struct writer writer = {.text = out, .length = 0};

    append_config(&writer, parts);
    append_message(&writer, parts);
    append_timestamp(&writer, parts);
    append_pong(&writer, parts);
    return writer.length;
}
