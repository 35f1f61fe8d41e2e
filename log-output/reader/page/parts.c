#include "reader/page/parts.h"

#include "reader/pong_result.h"
#include "utf8.h"

#include <stdio.h>
#include <string.h>

unsigned page_parts_status(const struct page_parts *parts)
{
    return parts->pong_result == CLIENT_OK ? 200 : 503;
}

bool page_parts_config_problem(const struct page_parts *parts, char *out, size_t size)
{
    if (parts->config_error == 0)
        return false;
    snprintf(out, size, "cannot read %s: %s", parts->config_path, strerror(parts->config_error));
    return true;
}

bool page_parts_timestamp_problem(const struct page_parts *parts, char *out, size_t size)
{
    if (parts->shared->state == SHARED_FILE_FRESH)
        return false;
    shared_file_describe(parts->shared, parts->shared_path, out, size);
    return true;
}

bool page_parts_pong_problem(const struct page_parts *parts, char *out, size_t size)
{
    char reason[128];

    if (parts->pong_result == CLIENT_OK)
        return false;
    pong_result_describe(parts->pong_result, parts->pong_status, parts->pong_timeout_ms, reason,
                         sizeof reason);
    snprintf(out, size, "%s; this view %s counted", reason,
             parts->pong_may_be_counted ? "may have been" : "was not");
    return true;
}

/* Copies what is to be shown of one character, which begins `text`. Returns how many bytes of
 * `text` it takes, and adds to *used how many of `out`. */
static size_t clean_character(const char *text, size_t length, char *out, size_t *used)
{
    size_t taken = utf8_sequence_length(text, length);

    if (taken == 0) {
        memcpy(out + *used, "\xEF\xBF\xBD", 3);
        *used += 3;
        return 1;
    }
    bool control = utf8_is_control(text, taken);
    memcpy(out + *used, control ? " " : text, control ? 1 : taken);
    *used += control ? 1 : taken;
    return taken;
}

size_t page_parts_clean(const char *text, size_t length, char out[PAGE_TEXT_SIZE])
{
    static const char mark[] = " (cut)";
    size_t shown = length < PAGE_TEXT_MAX_BYTES ? length : PAGE_TEXT_MAX_BYTES, used = 0;

    /* Not in the middle of a character. */
    while (shown < length && shown > PAGE_TEXT_MAX_BYTES - 4 && (text[shown] & 0xC0) == 0x80)
        shown--;
    bool cut = shown < length;
    while (shown > 0 && strchr(" \t\r\n", text[shown - 1]) != NULL && text[shown - 1] != '\0')
        shown--;
    for (size_t i = 0; i < shown;)
        i += clean_character(text + i, shown - i, out, &used);
    if (cut) {
        memcpy(out + used, mark, sizeof mark - 1);
        used += sizeof mark - 1;
    }
    out[used] = '\0';
    return used;
}
