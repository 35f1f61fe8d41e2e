#include "http/refusal.h"

#include "http/internal.h"

#include <stdalign.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* For an answer's head, and what the library rounds up. */
#define ANSWER_ROOM_BYTES 1280

/* For the trailer of a body in chunks. */
#define TRAILER_ROOM_BYTES 1024

/* The library grows the memory that it reads into by this much at a time. */
#define READ_GROWTH_BYTES 1024

struct http_fault http_refusal_fault(unsigned status)
{
    switch (status) {
    case MHD_HTTP_CONTENT_TOO_LARGE:
        return (struct http_fault){status, "the body is too large"};
    case MHD_HTTP_URI_TOO_LONG:
        return (struct http_fault){status, "the request target is too long"};
    case MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE:
        return (struct http_fault){status, "the request's head is too large"};
    case MHD_HTTP_HTTP_VERSION_NOT_SUPPORTED:
        return (struct http_fault){status, "the HTTP version is not supported"};
    default:
        return (struct http_fault){status, "not a well-formed request"};
    }
}

void *http_refusal_on_target(void *context, const char *target, struct MHD_Connection *connection)
{
    struct http_server *server = context;
    struct http_connection *entry = http_connections_find(connection);
    if (entry == NULL || entry->refused)
        return NULL;
    server->fruitless_runs = 0;
    size_t length = target == NULL ? 0 : strlen(target);
    entry->target = target;
    entry->target_bytes = length + 1;
    entry->fault = http_head_judge_target(target, length);
    entry->argument_bytes = length == 0 ? 0 : http_head_argument_bytes(target);
    if (length + entry->argument_bytes + ANSWER_ROOM_BYTES > server->options.connection_bytes)
        http_refuse_on_socket(server, entry, http_refusal_fault(MHD_HTTP_URI_TOO_LONG));
    return NULL;
}

struct reading {
    struct http_head head;
    const char *next; /* where the next field has to begin */
    bool in_place;
};

/* The library's 0.9 loses folded lines, bare line feeds and what follows a NUL; but it leaves
 * fields where they came, so that something between them was lost if they do not follow each other.
 */
static void follow(struct reading *reading, const char *name, size_t name_length, const char *value,
                   size_t value_length)
{
    const char *gap = name + name_length + 1;

    if (name != reading->next || value == NULL || value < gap) {
        reading->in_place = false;
        return;
    }
    for (; gap < value && reading->in_place; gap++)
        reading->in_place = *gap == ' ' || *gap == '\t';
    reading->next = value + value_length + 2;
}

static enum MHD_Result on_field(void *context, enum MHD_ValueKind kind, const char *name,
                                size_t name_length, const char *value, size_t value_length)
{
    struct reading *reading = context;

    (void)kind;
    http_head_add(&reading->head, name, name_length, value, value_length);
    if (MHD_VERSION < 0x01000000 && reading->in_place)
        follow(reading, name, name_length, value, value_length);
    return MHD_YES;
}

size_t http_refusal_head_bytes(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    return info == NULL ? 0 : info->header_size;
}

/* What the library holds of this connection beside the head: what was read ahead, and empty lines
 * that came before. */
static size_t other_bytes(struct http_connection *entry, const char *begin, size_t head)
{
    struct http_connection_reading reading;

    if (http_connection_read_reading(entry, &reading) != 0)
        return SIZE_MAX / 2;
    uint64_t accounted = entry->earlier_bytes + head;
    if (reading.taken_bytes <= accounted) {
        entry->memory = begin;
        return 0;
    }
    return reading.taken_bytes - accounted;
}

/* An answer's head has to fit beside the request's, its records and whatever else is there. The
 * kernel is asked only where that is not sure. */
static bool leaves_room(const struct http_server *server, struct http_connection *entry,
                        const char *begin, size_t head, size_t records)
{
    size_t all = server->options.connection_bytes, kept = head + records + ANSWER_ROOM_BYTES;
    size_t read_area = head < all / 2 ? all / 2 - head : READ_GROWTH_BYTES;

    if (begin == entry->memory && kept + read_area <= all)
        return true;
    if (entry->memory != NULL && begin > entry->memory)
        entry->earlier_bytes += (size_t)(begin - entry->memory);
    return kept <= all && other_bytes(entry, begin, head) <= all - kept;
}

static enum MHD_Result on_trailer(void *context, enum MHD_ValueKind kind, const char *name,
                                  size_t name_length, const char *value, size_t value_length)
{
    size_t *bytes = context;

    (void)kind;
    (void)name;
    (void)value;
    *bytes += HTTP_HEAD_RECORD_BYTES + name_length + value_length;
    return MHD_YES;
}

bool http_refusal_trailer_fits(const struct http_connection *entry)
{
    size_t bytes = 0;

    MHD_get_connection_values_n(entry->library, MHD_FOOTER_KIND, on_trailer, &bytes);
    return bytes <= TRAILER_ROOM_BYTES;
}

static struct http_fault too_large(const struct http_connection *entry, size_t bytes)
{
    bool target = entry->target_bytes + entry->argument_bytes > bytes / 2;
    return http_refusal_fault(target ? MHD_HTTP_URI_TOO_LONG
                                     : MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE);
}

/* The library's 0.9 passes over what it does not understand. */
static bool is_understood(const struct reading *reading, const char *end)
{
    return MHD_VERSION >= 0x01000000 || (reading->in_place && reading->next + 2 == end);
}

struct http_fault http_refusal_judge(const struct http_server *server,
                                     struct http_connection *entry, const char *method,
                                     const char *version)
{
    size_t bytes = http_refusal_head_bytes(entry->library);
    struct reading reading = {.next = version + 10,
                              .in_place = version == entry->target + entry->target_bytes &&
                                          entry->target == method + strlen(method) + 1};

    if (entry->target_bytes == 0)
        return (struct http_fault){400, "no request target"};
    struct http_fault fault = http_head_judge_method(method, entry->target);
    if (fault.status == 0)
        fault = entry->fault;
    if (fault.status != 0)
        return fault;
    http_head_begin(&reading.head, version);
    MHD_get_connection_values_n(entry->library, MHD_HEADER_KIND, on_field, &reading);
    fault = http_head_end(&reading.head);
    if (fault.status != 0)
        return fault;
    if (!is_understood(&reading, method + bytes))
        return (struct http_fault){400, "a line of the head is malformed"};
    size_t records = reading.head.memory_bytes + entry->argument_bytes +
                     (reading.head.chunked ? TRAILER_ROOM_BYTES : 0);
    if (!leaves_room(server, entry, method, bytes, records))
        return too_large(entry, bytes + records);
    entry->earlier_bytes += bytes;
    entry->announced_bytes = reading.head.announced_bytes;
    entry->chunked = reading.head.chunked;
    return fault;
}

static void write_identity(const struct http_identity *identity, FILE *out)
{
    if (identity->shown)
        fprintf(out, "%s: %s\r\n%s: %s\r\n%s: %s\r\n", HTTP_IDENTITY_VERSION_HEADER,
                identity->own.version, HTTP_IDENTITY_COMMIT_HEADER, identity->own.commit,
                HTTP_IDENTITY_INSTANCE_HEADER, identity->own.instance);
}

/* Returns the length, or 0 if it did not fit. */
static size_t write_answer(const struct http_server *server, struct http_fault fault, bool has_body,
                           char *answer, size_t size)
{
    char date[64];
    time_t now = time(NULL);
    struct tm utc = {0};
    FILE *out = fmemopen(answer, size, "w");

    if (out == NULL)
        return 0;
    gmtime_r(&now, &utc);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &utc);
    fprintf(out,
            "HTTP/1.1 %u %s\r\nDate: %s\r\nContent-Type: application/json\r\n"
            "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n",
            fault.status, MHD_get_reason_phrase_for(fault.status), date);
    write_identity(&server->identity, out);
    fprintf(out, "Content-Length: %zu\r\nConnection: close\r\n\r\n",
            strlen(fault.message) + strlen("{\"error\":\"\"}"));
    if (has_body)
        fprintf(out, "{\"error\":\"%s\"}", fault.message);
    long length = ftell(out);
    return fclose(out) == 0 && length > 0 ? (size_t)length : 0;
}

/* Before its head is there, a request's method is seen only where the library has left it: before
 * the target, which is in memory that begins aligned as malloc() aligns it, so that nothing before
 * that is looked at. Of a request line that is too long for the memory it is not seen. */
static bool is_for_head(const struct http_connection *entry)
{
    static const char method[] = "HEAD";

    if (entry->request != NULL)
        return entry->request->method == HTTP_HEAD;
    return entry->target_bytes != 0 &&
           (uintptr_t)entry->target % alignof(max_align_t) >= sizeof method &&
           memcmp(entry->target - sizeof method, method, sizeof method) == 0;
}

void http_refuse_on_socket(struct http_server *server, struct http_connection *entry,
                           struct http_fault fault)
{
    char answer[1024];
    const struct http_request *request = entry->request;
    size_t length = write_answer(server, fault, !is_for_head(entry), answer, sizeof answer);
    ssize_t sent = send(entry->fd, answer, length, MSG_DONTWAIT | MSG_NOSIGNAL);

    shutdown(entry->fd, SHUT_WR);
    entry->refused = true;
    http_request_record(server, request,
                        sent == (ssize_t)length ? fault.status : HTTP_STATUS_NOT_SENT);
}

struct http_fault http_refusal_judge_fields(struct http_connection *entry)
{
    struct reading reading = {.in_place = false};

    if (entry->request != NULL || http_refusal_head_bytes(entry->library) == 0)
        return (struct http_fault){0, NULL};
    http_head_begin(&reading.head, "HTTP/1.1");
    MHD_get_connection_values_n(entry->library, MHD_HEADER_KIND, on_field, &reading);
    return http_head_end(&reading.head);
}

void http_refusal_on_stuck(void *context, struct http_connection *entry)
{
    if (!entry->refused)
        http_refuse_on_socket(context, entry,
                              (struct http_fault){400, "the body is not well-formed"});
}

/* 0.9 says nothing, to us either, of a request line that begins with a blank or has none. Between
 * two requests it is not told from what a client sent after its last one. */
void http_refusal_on_end(struct http_server *server, struct http_connection *entry)
{
    struct http_connection_reading reading;

    if (MHD_VERSION >= 0x01000000 || entry->refused || entry->used || entry->shut_down ||
        http_connection_read_reading(entry, &reading) != 0)
        return;
    if (http_connection_has_begun_head(entry, &reading) && !reading.is_all && !reading.is_answered)
        http_refuse_on_socket(server, entry, http_refusal_fault(MHD_HTTP_BAD_REQUEST));
}
