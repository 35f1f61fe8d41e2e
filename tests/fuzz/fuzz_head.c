/* Any head, split as the HTTP library would: what is accepted has one Host, one length at most, and
 * nothing that a proxy in front could read differently; a field added does not mend what is wrong.
 */
#include "http/head.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void add_line(struct http_head *head, const char *line, size_t length)
{
    const char *colon = memchr(line, ':', length);

    if (colon == NULL)
        http_head_add(head, line, length, NULL, 0);
    else
        http_head_add(head, line, (size_t)(colon - line), colon + 1,
                      length - (size_t)(colon - line) - 1);
}

static void add_lines(struct http_head *head, const char *text, size_t size)
{
    while (size > 0) {
        const char *end = memchr(text, '\n', size);
        size_t length = end == NULL ? size : (size_t)(end - text);
        add_line(head, text, length);
        text += length + (end != NULL);
        size -= length + (end != NULL);
    }
}

static bool has_control_character(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (((unsigned char)text[i] < ' ' && strchr("\t\n", text[i]) == NULL) || text[i] == 0x7f)
            return true;
    return memchr(text, '\0', size) != NULL;
}

static void check_accepted(const struct http_head *head, const char *text, size_t size)
{
    if (head->hosts != 1 || head->lengths + head->codings > 1 || has_control_character(text, size))
        abort();
}

static void check_target(const char *target)
{
    size_t length = strlen(target);

    if (http_head_argument_bytes(target) > (length + 1) * HTTP_HEAD_RECORD_BYTES)
        abort();
    if (http_head_judge_target(target, length).status == 0 &&
        (strpbrk(target, " \t\r\n#\x7f") != NULL || strstr(target, "%00") != NULL))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_head head;
    char *text = calloc(1, size + 1);

    if (text == NULL)
        abort();
    memcpy(text, data, size);
    check_target(text);
    http_head_begin(&head, "HTTP/1.1");
    add_lines(&head, text, size);
    if (http_head_end(&head).status == 0) {
        check_accepted(&head, text, size);
        add_line(&head, "Host: b", strlen("Host: b"));
    }
    add_line(&head, "X-A: b", strlen("X-A: b"));
    if (http_head_end(&head).status == 0)
        abort();
    free(text);
    return 0;
}
