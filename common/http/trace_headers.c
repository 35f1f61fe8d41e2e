#include "http/trace_headers.h"

#include "http/internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The names, and how many bytes of each are passed on: all of them fit into a request's head. The
 * standard wants 512 of a tracestate at least. */
static const struct {
    const char *name;
    size_t bytes_max;
} passed_on[HTTP_TRACE_HEADERS_MAX] = {
    {"tracestate", 1024}, {"baggage", 1024},    {"x-request-id", 256},
    {"b3", 256},          {"x-b3-traceid", 64}, {"x-b3-spanid", 64},
    {"x-b3-sampled", 16}, {"x-b3-flags", 16},   {"x-b3-parentspanid", 64},
};

#define NAME_MAX_BYTES 17
#define VALUE_MAX_BYTES 1024

/* All values of one header, joined by commas as if it had been sent once (RFC 9110, 5.3). */
struct values {
    const char *name;
    size_t bytes_max;
    unsigned count;
    bool is_refused;
    size_t length;
    char text[VALUE_MAX_BYTES + 1];
};

static bool is_clean(const char *text)
{
    for (; *text != '\0'; text++)
        if (((unsigned char)*text < ' ' && *text != '\t') || *text == 0x7F)
            return false;
    return true;
}

static enum MHD_Result take_value(void *context, enum MHD_ValueKind kind, const char *name,
                                  const char *value)
{
    struct values *values = context;

    (void)kind;
    if (strcasecmp(name, values->name) != 0 || value == NULL)
        return MHD_YES;
    values->count++;
    /* Space around a value is not part of it, and libraries leave some. */
    value += strspn(value, " \t");
    size_t length = strlen(value);
    while (length > 0 && strchr(" \t", value[length - 1]) != NULL)
        length--;
    size_t comma = values->length > 0 && length > 0;
    if (values->length + comma + length > values->bytes_max || !is_clean(value)) {
        values->is_refused = true;
        return MHD_YES;
    }
    if (comma)
        values->text[values->length++] = ',';
    memcpy(values->text + values->length, value, length);
    values->length += length;
    values->text[values->length] = '\0';
    return MHD_YES;
}

static void find(struct http_request *request, const char *name, size_t bytes_max,
                 struct values *values)
{
    values->name = name;
    values->bytes_max = bytes_max;
    values->count = 0;
    values->is_refused = false;
    values->length = 0;
    values->text[0] = '\0';
    MHD_get_connection_values(request->connection, MHD_HEADER_KIND, take_value, values);
}

int http_trace_headers_parent(struct http_request *request, struct trace *trace)
{
    struct values values;

    if (http_request_header(request, "traceparent") == NULL)
        return -1;
    find(request, "traceparent", VALUE_MAX_BYTES, &values);
    return values.count == 1 && !values.is_refused ? trace_parse(values.text, trace) : -1;
}

/* Writes the lines that are there, and returns how many bytes they take with their terminators. */
static size_t write_lines(struct http_request *request, bool has_parent, char *out, size_t size,
                          size_t *count)
{
    struct values values;
    size_t used = 0;

    *count = 0;
    for (size_t i = has_parent ? 0 : 1; i < HTTP_TRACE_HEADERS_MAX; i++) {
        if (http_request_header(request, passed_on[i].name) == NULL)
            continue;
        find(request, passed_on[i].name, passed_on[i].bytes_max, &values);
        if (values.is_refused || values.length == 0 ||
            (i == 0 && !trace_state_is_valid(values.text)))
            continue;
        used +=
            (size_t)snprintf(out + used, size - used, "%s: %s", passed_on[i].name, values.text) + 1;
        ++*count;
    }
    return used;
}

/* Sets the flag if it is one of those that are passed on. */
static enum MHD_Result note_name(void *context, enum MHD_ValueKind kind, const char *name,
                                 const char *value)
{
    bool *found = context;

    (void)kind;
    (void)value;
    *found = *found || strcasecmp(name, "traceparent") == 0;
    for (size_t i = 0; i < HTTP_TRACE_HEADERS_MAX && !*found; i++)
        *found = strcasecmp(name, passed_on[i].name) == 0;
    return *found ? MHD_NO : MHD_YES;
}

static struct http_trace_headers *copy(struct http_request *request)
{
    char text[HTTP_TRACE_HEADERS_MAX * (NAME_MAX_BYTES + sizeof ": ") + 4 * VALUE_MAX_BYTES];
    struct trace parent = {0};
    size_t count;

    bool has_parent = http_trace_headers_parent(request, &parent) == 0;
    size_t length = write_lines(request, has_parent, text, sizeof text, &count);
    if (!has_parent && count == 0)
        return NULL;
    struct http_trace_headers *headers = calloc(1, sizeof *headers + length);
    if (headers == NULL)
        return NULL;
    headers->has_parent = has_parent;
    headers->parent = parent;
    char *line = memcpy(headers + 1, text, length);
    for (size_t i = 0; i < count; i++) {
        headers->lines[i] = line;
        line += strlen(line) + 1;
    }
    return headers;
}

/* Most requests have none, and what copying needs on the stack is not set to zero for them. */
struct http_trace_headers *http_trace_headers_copy(struct http_request *request)
{
    bool found = false;

    MHD_get_connection_values(request->connection, MHD_HEADER_KIND, note_name, &found);
    return found ? copy(request) : NULL;
}
