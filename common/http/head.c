#include "http/head.h"

#include <string.h>
#include <strings.h>

static struct http_fault fault(unsigned status, const char *message)
{
    return (struct http_fault){.status = status, .message = message};
}

static bool consists_of(const bool allowed[256], const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!allowed[(unsigned char)text[i]])
            return false;
    return length > 0;
}

/* RFC 9110, 5.6.2: what a method or a field's name is made of. */
static bool is_token(const char *text, size_t length)
{
    static const bool allowed[256] = {
        ['!'] = true,         ['#'] = true,         ['$'] = true, ['%'] = true,
        ['&'] = true,         ['\''] = true,        ['*'] = true, ['+'] = true,
        ['-'] = true,         ['.'] = true,         ['^'] = true, ['_'] = true,
        ['`'] = true,         ['|'] = true,         ['~'] = true, ['0' ... '9'] = true,
        ['A' ... 'Z'] = true, ['a' ... 'z'] = true,
    };
    return consists_of(allowed, text, length);
}

/* RFC 9110, 5.5: no control character but the tabulator. */
static bool is_field_value(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* RFC 3986, 3.2.2 and 3.2.3, without a user. */
static bool is_host(const char *text, size_t length)
{
    static const bool allowed[256] = {
        ['-'] = true,         ['.'] = true, ['_'] = true,         ['~'] = true,
        ['!'] = true,         ['$'] = true, ['&'] = true,         ['\''] = true,
        ['('] = true,         [')'] = true, ['*'] = true,         ['+'] = true,
        [';'] = true,         ['='] = true, [':'] = true,         ['['] = true,
        [']'] = true,         ['%'] = true, ['0' ... '9'] = true, ['A' ... 'Z'] = true,
        ['a' ... 'z'] = true,
    };
    return consists_of(allowed, text, length);
}

/* More digits than these do not fit into the library's counter. */
#define LENGTH_DIGITS_MAX 18

/* Returns false if it is not a number. */
static bool read_length(const char *text, size_t length, uint64_t *number)
{
    *number = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        *number = 10 * *number + (uint64_t)(text[i] - '0');
    }
    return length > 0 && length <= LENGTH_DIGITS_MAX;
}

static bool encodes_nul(const char *target, size_t length)
{
    const char *escape = target;
    while ((escape = memchr(escape, '%', length - (size_t)(escape - target))) != NULL) {
        if (escape[1] == '0' && escape[2] == '0')
            return true;
        escape++;
    }
    return false;
}

struct http_fault http_head_judge_target(const char *target, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)target[i];
        if (c <= ' ' || c >= 0x7f || c == '#')
            return fault(400, "a character that no request target may have");
    }
    if (encodes_nul(target, length))
        return fault(400, "a request target may not have a NUL");
    if (*target != '/' && strcmp(target, "*") != 0 && strncasecmp(target, "http://", 7) != 0 &&
        strncasecmp(target, "https://", 8) != 0)
        return fault(400, "the request target is neither a path nor a URL");
    return fault(0, NULL);
}

/* CONNECT has a target of its own form, and "*" is for OPTIONS alone (RFC 9112, 3.2.3 and 3.2.4).
 */
struct http_fault http_head_judge_method(const char *method, const char *target)
{
    if (!is_token(method, strlen(method)))
        return fault(400, "a character that no method may have");
    if (strcmp(method, "CONNECT") == 0)
        return fault(501, "this is no proxy");
    if (strcmp(target, "*") == 0 && strcmp(method, "OPTIONS") != 0)
        return fault(400, "the request target is neither a path nor a URL");
    return fault(0, NULL);
}

size_t http_head_argument_bytes(const char *target)
{
    const char *query = strchr(target, '?');
    size_t arguments = 0;

    while (query != NULL) {
        arguments++;
        query = strchr(query + 1, '&');
    }
    return arguments * HTTP_HEAD_RECORD_BYTES;
}

void http_head_begin(struct http_head *head, const char *version)
{
    *head = (struct http_head){.http_1_0 = strcmp(version, "HTTP/1.0") == 0};
}

static void note_host(struct http_head *head, const char *value, size_t length)
{
    head->hosts++;
    if (!is_host(value, length))
        head->fault = fault(400, "Host is not a host");
}

static void note_length(struct http_head *head, const char *value, size_t length)
{
    head->lengths++;
    if (!read_length(value, length, &head->announced_bytes))
        head->fault = fault(400, "Content-Length is not a number");
}

/* RFC 9112, 6.1 and 6.3: chunked once, and last. */
static void judge_coding(struct http_head *head, const char *name, size_t length)
{
    bool chunked = length == 7 && strncasecmp(name, "chunked", 7) == 0;

    if (!chunked && head->chunked)
        head->coding_fault = fault(400, "chunked has to be the last transfer coding");
    else if (!chunked || head->chunked)
        head->coding_fault = fault(501, "the only transfer coding here is chunked");
    head->chunked |= chunked;
}

static void note_coding(struct http_head *head, const char *value, size_t length)
{
    head->codings++;
    if (length == 0)
        head->coding_fault = fault(400, "Transfer-Encoding is empty");
    while (length > 0) {
        const char *comma = memchr(value, ',', length);
        size_t part = comma == NULL ? length : (size_t)(comma - value), name = part;
        while (name > 0 && is_blank(value[name - 1]))
            name--;
        judge_coding(head, value, name);
        part += comma != NULL;
        while (part < length && is_blank(value[part]))
            part++;
        value += part;
        length -= part;
    }
}

/* The library keeps a copy of the value and a record for each cookie. */
static void note_cookie(struct http_head *head, const char *value, size_t length)
{
    const char *end = value + length;

    head->memory_bytes += length + 1;
    while (value != NULL) {
        head->memory_bytes += HTTP_HEAD_RECORD_BYTES;
        value = memchr(value, ';', (size_t)(end - value));
        value = value == NULL ? NULL : value + 1;
    }
}

static void note_known(struct http_head *head, const char *name, size_t name_length,
                       const char *value, size_t length)
{
    static const struct {
        const char *name;
        size_t length;
        void (*note)(struct http_head *head, const char *value, size_t length);
    } known[] = {{"Host", 4, note_host},
                 {"Content-Length", 14, note_length},
                 {"Transfer-Encoding", 17, note_coding},
                 {"Cookie", 6, note_cookie}};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (name_length == known[i].length && strncasecmp(name, known[i].name, name_length) == 0)
            known[i].note(head, value, length);
}

void http_head_add(struct http_head *head, const char *name, size_t name_length, const char *value,
                   size_t value_length)
{
    head->memory_bytes += HTTP_HEAD_RECORD_BYTES;
    if (head->fault.status != 0)
        return;
    if (value == NULL)
        value = "", value_length = 0;
    while (value_length > 0 && is_blank(value[value_length - 1]))
        value_length--;
    if (!is_token(name, name_length))
        head->fault = fault(400, "a character that no field name may have");
    else if (!is_field_value(value, value_length))
        head->fault = fault(400, "a character that no field value may have");
    else
        note_known(head, name, name_length, value, value_length);
}

struct http_fault http_head_end(struct http_head *head)
{
    if (head->fault.status != 0)
        return head->fault;
    if (head->hosts > 1 || (head->hosts == 0 && !head->http_1_0))
        return fault(400, "Host has to be there once");
    if (head->lengths > 1)
        return fault(400, "Content-Length may be there once");
    if (head->codings > 0 && head->lengths > 0)
        return fault(400, "Content-Length and Transfer-Encoding exclude each other");
    if (head->codings > 0 && head->http_1_0)
        return fault(400, "HTTP/1.0 has no Transfer-Encoding");
    return head->coding_fault;
}
