#include "http/takeover.h"

#include "http/internal.h"
#include "http/refusal.h"
#include "log.h"

#include <stdlib.h>
#include <string.h>

/* Connections that the kernel is asked about for one refusal. */
#define LOOKS_MAX 256

/* What the library says before it refuses with an answer, which has the status in its place, */
static const char refusing[] = "Error processing request (HTTP response code is ";

/* and before it closes a connection on a request line without one. */
static const struct {
    const char *text;
    unsigned status;
} closing[] = {
    {"No space left in the read buffer", 414},
    {"Too many meaningless extra empty lines", 400},
    {"Bare CR characters", 400},
    {"Bare LF characters", 400},
    {"The request line ", 400},
    {"Invalid character is in the request line", 400},
    {"The NUL character is in the request line", 400},
    {"The request has whitespace character", 400},
};

static unsigned status_of(const char *text)
{
    if (strncmp(text, refusing, sizeof refusing - 1) == 0)
        return (unsigned)strtoul(text + sizeof refusing - 1, NULL, 10);
    for (size_t i = 0; i < sizeof closing / sizeof closing[0]; i++)
        if (strncmp(text, closing[i].text, strlen(closing[i].text)) == 0)
            return closing[i].status;
    return 0;
}

struct search {
    struct http_connection *found;
    uint32_t silent_ms; /* of it */
    unsigned looks;
};

static bool is_answered(const struct http_connection *entry)
{
    return entry->refused || entry->shut_down ||
           MHD_get_connection_info(entry->library, MHD_CONNECTION_INFO_HTTP_STATUS) != NULL;
}

/* A head that is whole and was not handed on is the one being refused. */
static bool is_whole_head(const struct http_connection *entry)
{
    return entry->request == NULL && entry->target_bytes != 0 &&
           http_refusal_head_bytes(entry->library) != 0;
}

static bool is_being_received(const struct http_connection *entry,
                              const struct http_connection_reading *reading)
{
    return entry->request != NULL || entry->target_bytes != 0 ||
           http_connection_has_begun_head(entry, reading);
}

/* Otherwise it is the one from which something came last: the library speaks of what it has just
 * read. */
static bool look(void *context, struct http_connection *entry)
{
    struct search *search = context;
    struct http_connection_reading reading;

    if (is_answered(entry))
        return true;
    if (is_whole_head(entry)) {
        search->found = entry;
        return false;
    }
    if (search->looks == LOOKS_MAX)
        return true;
    search->looks++;
    if (http_connection_read_reading(entry, &reading) == 0 && is_being_received(entry, &reading) &&
        (search->found == NULL || reading.silent_ms < search->silent_ms)) {
        search->found = entry;
        search->silent_ms = reading.silent_ms;
    }
    return true;
}

static void take_over(struct http_server *server, unsigned status)
{
    struct search search = {0};

    http_connections_each_idle(server->connections, look, &search);
    if (search.found == NULL)
        return;
    /* The library has 400 for a coding that it does not know. */
    struct http_fault fault = http_refusal_judge_fields(search.found);
    /* and 413 for a chunk's size that it cannot count. */
    if (search.found->request != NULL && status == MHD_HTTP_CONTENT_TOO_LARGE)
        status = MHD_HTTP_BAD_REQUEST;
    if (fault.status == 0)
        fault = http_refusal_fault(status);
    http_refuse_on_socket(server, search.found, fault);
}

void http_takeover_on_log(void *context, const char *format, va_list arguments)
{
    char text[512];

    vsnprintf(text, sizeof text, format, arguments);
    text[strcspn(text, "\r\n")] = '\0';
    unsigned status = status_of(text);
    if (status != 0)
        take_over(context, status);
    log_debug("http library", LOG_FIELDS(log_string("detail", text)));
}
