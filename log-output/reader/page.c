#include "page.h"

#include "pong_result.h"
#include "utf8.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct writer {
    char *text;
    size_t length;
};

static void append(struct writer *writer, const char *text, size_t length)
{
    if (length > PAGE_SIZE_MAX - writer->length)
        length = PAGE_SIZE_MAX - writer->length;
    memcpy(writer->text + writer->length, text, length);
    writer->length += length;
}

PRINTF_LIKE(2, 3) static void append_format(struct writer *writer, const char *format, ...)
{
    char text[2048];
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    append(writer, text, length < (int)sizeof text ? (size_t)length : sizeof text - 1);
}

static void append_clean(struct writer *writer, const char *text, size_t length)
{
    size_t taken;

    for (size_t i = 0; i < length; i += taken) {
        taken = utf8_sequence_length(text + i, length - i);
        if (taken == 0) {
            append(writer, "\xEF\xBF\xBD", 3);
            taken = 1;
        } else if (utf8_is_control(text + i, taken)) {
            append(writer, " ", 1);
        } else {
            append(writer, text + i, taken);
        }
    }
}

/* A text is shown without the white space at its end, and cut if it is long. */
static void append_text(struct writer *writer, const char *text, size_t length)
{
    size_t shown = length < PAGE_TEXT_MAX_BYTES ? length : PAGE_TEXT_MAX_BYTES;

    /* Not in the middle of a character. */
    while (shown < length && shown > PAGE_TEXT_MAX_BYTES - 4 && (text[shown] & 0xC0) == 0x80)
        shown--;
    bool cut = shown < length;
    while (shown > 0 && strchr(" \t\r\n", text[shown - 1]) != NULL && text[shown - 1] != '\0')
        shown--;
    append_clean(writer, text, shown);
    if (cut)
        append_format(writer, " (cut)");
}

static void append_config(struct writer *writer, const struct page_parts *parts)
{
    append_format(writer, "file content: ");
    if (parts->config_error == 0)
        append_text(writer, parts->config, parts->config_length);
    else
        append_format(writer, "not available: cannot read %s: %s", parts->config_path,
                      strerror(parts->config_error));
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
    char reason[1024];

    shared_file_describe(parts->shared, parts->shared_path, reason, sizeof reason);
    if (parts->shared->timestamp[0] == '\0') {
        append_format(writer, "timestamp: not available: %s\n", reason);
        return;
    }
    append_format(writer, "%s: %s", parts->shared->timestamp, parts->hash);
    if (parts->shared->state != SHARED_FILE_FRESH)
        append_format(writer, " (%s)", reason);
    append(writer, "\n", 1);
}

static void append_pong(struct writer *writer, const struct page_parts *parts)
{
    char reason[256];

    if (parts->pong_result == CLIENT_OK) {
        append_format(writer, "Ping / Pongs: %" PRId64 "\n", parts->pong);
        return;
    }
    pong_result_describe(parts->pong_result, parts->pong_status, parts->pong_timeout_ms, reason,
                         sizeof reason);
    append_format(writer, "Ping / Pongs: not available: %s\n", reason);
}

unsigned page_status(const struct page_parts *parts)
{
    return parts->pong_result == CLIENT_OK ? 200 : 503;
}

size_t page_write(const struct page_parts *parts, char out[PAGE_SIZE_MAX])
{
    struct writer writer = {.text = out, .length = 0};

    append_config(&writer, parts);
    append_message(&writer, parts);
    append_timestamp(&writer, parts);
    append_pong(&writer, parts);
    return writer.length;
}
